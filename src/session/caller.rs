//! The caller of a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;

use crate::hub::Client;
use crate::layers::Actor;
use crate::layers::UserId;
use crate::layers::users::ADDRESS;
use crate::session::operations::session::Notes;

use super::Badge;
use super::Identity;

/// The caller of a request: a connection, or the server's side, perhaps on behalf of a user.
#[derive(Debug)]
pub struct Caller<'a> {
    who: Who<'a>,
    origin: Origin,
    address: Option<IpAddr>,
    /// What its session notes, so that it can be asked for again.
    notes: Option<&'a Notes>,
    meter: Option<&'a MeterCell>,
    identity: Option<Arc<Identity>>,
    badge: Option<&'a Arc<Badge>>,
}

#[derive(Debug)]
enum Who<'a> {
    Client(&'a Client),
    Actor(Actor),
}

/// The way by which a request has come.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Origin {
    /// A connection of this gateway: WebSocket, an event stream, or a
    /// [`Conn`](crate::transport::Conn).
    Client,
    /// The REST API.
    Api,
    /// The application itself, by [`Gateway::execute`](crate::Gateway::execute).
    Embedder,
    /// A channel that the credentials of a connection claim, and that the server subscribes it to.
    /// No permission is needed for it.
    Claim,
    /// A session or a stream that is resumed: the request was carried out before, over a connection
    /// that is lost. It is authorized anew.
    Restored,
}

impl<'a> Caller<'a> {
    /// The application itself, which may do everything.
    #[must_use]
    pub const fn server() -> Caller<'static> {
        Caller::acting(Actor::Server, Origin::Embedder)
    }

    /// The application, on behalf of a user: with the rights of that user.
    #[must_use]
    pub const fn on_behalf_of(user: UserId) -> Caller<'static> {
        Caller::acting(Actor::User(user), Origin::Embedder)
    }

    /// The application, on behalf of a connection, as if the request had come over it.
    #[must_use]
    pub const fn connection(client: &'a Client) -> Self {
        Self::of(client, Origin::Embedder)
    }

    /// A connection of a transport.
    pub(crate) const fn of(client: &'a Client, origin: Origin) -> Self {
        Self {
            who: Who::Client(client),
            origin,
            address: None,
            notes: None,
            meter: None,
            identity: None,
            badge: None,
        }
    }

    /// The server's side, on behalf of a user or of the server.
    pub(crate) const fn acting(actor: Actor, origin: Origin) -> Self {
        Self {
            who: Who::Actor(actor),
            origin,
            address: None,
            notes: None,
            meter: None,
            identity: None,
            badge: None,
        }
    }

    /// With the address that the request comes from.
    #[must_use]
    pub const fn from_address(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// With what the connection's session notes.
    pub(crate) const fn noting(mut self, notes: &'a Notes) -> Self {
        self.notes = Some(notes);
        self
    }

    /// With what is counted of the connection.
    pub(crate) const fn metered(mut self, meter: &'a MeterCell) -> Self {
        self.meter = Some(meter);
        self
    }

    /// With the identity of the connection, and what it was allowed beside it.
    pub(crate) fn badged(mut self, badge: Option<&'a Arc<Badge>>) -> Self {
        self.identity = badge.map(|badge| badge.identity());
        self.badge = badge;
        self
    }

    /// With the identity that the credentials of the request have, whose permissions hold.
    #[must_use]
    pub fn identified(mut self, identity: Option<Arc<Identity>>) -> Self {
        self.identity = identity;
        self
    }

    /// The way by which the request has come.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The connection, if the caller is one.
    #[must_use]
    pub const fn client(&self) -> Option<&'a Client> {
        match self.who {
            Who::Client(client) => Some(client),
            Who::Actor(_) => None,
        }
    }

    /// The user of the connection, or on whose behalf the server's side asks; `None` for an
    /// anonymous connection and for the server itself.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match &self.who {
            Who::Client(client) => client.user(),
            Who::Actor(actor) => actor.user().map(|user| &**user),
        }
    }

    /// Whether it is the server's side, on behalf of nobody.
    #[must_use]
    pub const fn is_server(&self) -> bool {
        matches!(self.who, Who::Actor(Actor::Server))
    }

    /// The address that the request comes from, where it is known: for requests of the REST API.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The identity that the credentials of the caller have; `None` where the gateway has no
    /// [`Authenticator`](crate::policy::Authenticator), and for the application itself.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// The identity, shared.
    pub(crate) fn shared_identity(&self) -> Option<Arc<Identity>> {
        self.identity.clone()
    }

    /// Whether the caller has the rights of the server's side, as far as the scopes of its
    /// credentials go: an API key, or a token that acts for another user.
    pub(crate) fn acts_for_server(&self) -> bool {
        let Some(identity) = &self.identity else {
            return false;
        };
        let own = identity.user().map(|user| &**user);
        self.origin == Origin::Api && (own.is_none() || self.user() != own)
    }

    /// The identity of the connection, to be replaced.
    pub(crate) const fn badge(&self) -> Option<&'a Arc<Badge>> {
        self.badge
    }

    /// Who acts, if it is no connection.
    pub(crate) const fn actor(&self) -> Option<&Actor> {
        match &self.who {
            Who::Client(_) => None,
            Who::Actor(actor) => Some(actor),
        }
    }

    pub(crate) const fn notes(&self) -> Option<&'a Notes> {
        self.notes
    }

    /// Returns the counts of the connection, which are kept from now on.
    pub(crate) fn meter(&self) -> Option<&'a Meter> {
        let client = self.client()?;
        Some(self.meter?.get_or_init(|| Arc::new(Meter::of(client))))
    }

    /// Returns the counts of the connection, if there are any.
    pub(crate) fn used_meter(&self) -> Option<&'a Meter> {
        self.meter?.get().map(|meter| &**meter)
    }

    /// The address that the request or its connection comes from, where it is known.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        let of_client = || match self.meter() {
            Some(meter) => meter.address,
            None => address_of(self.client()?),
        };
        self.address.or_else(of_client)
    }

    /// The id of the API key that the request shows.
    pub(crate) fn api_key(&self) -> Option<&str> {
        self.identity()?.api_key()
    }

    /// The same caller, for what outlives the request.
    pub(crate) fn to_owned(&self) -> Owned {
        Owned {
            who: match &self.who {
                Who::Client(client) => OwnedWho::Client(Client::clone(client)),
                Who::Actor(actor) => OwnedWho::Actor(actor.clone()),
            },
            origin: self.origin,
            address: self.address,
            notes: self.notes.cloned(),
            meter: self.meter.map(|meter| {
                // One count for both, begun now if it was not yet.
                self.meter();
                meter.clone()
            }),
            identity: self.identity.clone(),
            badge: self.badge.cloned(),
        }
    }
}

/// A caller that borrows nothing.
pub(crate) struct Owned {
    who: OwnedWho,
    origin: Origin,
    address: Option<IpAddr>,
    notes: Option<Notes>,
    meter: Option<MeterCell>,
    identity: Option<Arc<Identity>>,
    badge: Option<Arc<Badge>>,
}

enum OwnedWho {
    Client(Client),
    Actor(Actor),
}

impl Owned {
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller {
            who: match &self.who {
                OwnedWho::Client(client) => Who::Client(client),
                OwnedWho::Actor(actor) => Who::Actor(actor.clone()),
            },
            origin: self.origin,
            address: self.address,
            notes: self.notes.as_ref(),
            meter: self.meter.as_ref(),
            identity: self.identity.clone(),
            badge: self.badge.as_ref(),
        }
    }
}

/// The meter of a connection, made when it is first needed.
pub(crate) type MeterCell = OnceLock<Arc<Meter>>;

/// Counts of a connection for its rate limits.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Requests refused in a row.
    pub(crate) refused: AtomicU32,
    /// The address that it comes from.
    address: Option<IpAddr>,
}

impl Meter {
    fn of(client: &Client) -> Self {
        Self {
            refused: AtomicU32::new(0),
            address: address_of(client),
        }
    }
}

fn address_of(client: &Client) -> Option<IpAddr> {
    client.metadata(ADDRESS)?.parse().ok()
}
