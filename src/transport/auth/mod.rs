//! Identity, on every transport: from the parts of a request that may carry credentials to a
//! decision of the authenticators.
//!
//! ```text
//!   Authorization ─┐
//!   X-Api-Key     ─┤                                   ┌──▶ an identity
//!   sub-protocol  ─┤          ┌────────────────┐       │
//!   cookie        ─┼─ Shown ─▶│ authenticators │ ──────┼──▶ a refusal
//!   ?ticket=      ─┤          │ in their order │       │
//!   ?token=       ─┤          └────────────────┘       └──▶ none shown: a guest, or the lobby
//!   first message ─┘
//! ```
//!
//! # Progress
//!
//! A decision takes at most [the time set](crate::GatewayBuilder::auth_timeout). An authenticator
//! that panics, or that takes longer, refuses the credentials that it was asked about with
//! [`ErrorCode::AuthUnavailable`], and nothing else.
//!
//! # Memory
//!
//! Of credentials nothing is kept but the identity that they have.

mod lobby;
mod shown;

use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::http::request::Parts;
use tokio::time;

use crate::code::ErrorCode;
#[cfg(feature = "jwt")]
use crate::layers::Timestamp;
#[cfg(feature = "jwt")]
use crate::layers::UserId;
use crate::policy::Authenticated;
use crate::policy::Authenticator;
use crate::policy::Carrier;
use crate::policy::Credentials;
use crate::policy::Refusal;
use crate::policy::Revocations;
#[cfg(feature = "jwt")]
use crate::policy::SubscriptionTokens;
use crate::policy::Tickets;
use crate::protocol::Fault;
use crate::quiet::quietly;
use crate::session::Admitting;
use crate::session::Allowance;
use crate::session::Door;
use crate::session::Identity;
use crate::session::Permissions;
use crate::session::Revoke;
use crate::session::Revoking;
use crate::transport::gateway::PeerAddress;
use crate::transport::problem::Problem;

pub use self::lobby::Lobby;
pub(crate) use self::lobby::Place;
pub(crate) use self::lobby::Places;
use self::shown::Shown;

/// How a gateway authenticates, as its builder collects it.
pub(crate) struct AuthSettings {
    pub(crate) authenticators: Vec<Arc<dyn Authenticator>>,
    pub(crate) timeout: Duration,
    pub(crate) guests: Option<Permissions>,
    pub(crate) query: bool,
    pub(crate) cookie: Option<Box<str>>,
    pub(crate) lobby: Lobby,
    pub(crate) revocations: Revocations,
    pub(crate) tickets: Tickets,
    #[cfg(feature = "jwt")]
    pub(crate) subscriptions: Option<SubscriptionTokens>,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            authenticators: Vec::new(),
            timeout: Duration::from_secs(1),
            guests: None,
            query: false,
            cookie: None,
            lobby: Lobby::new(),
            revocations: Revocations::default(),
            tickets: Tickets::default(),
            #[cfg(feature = "jwt")]
            subscriptions: None,
        }
    }
}

/// Decides about credentials.
#[derive(Clone)]
pub(crate) struct Authority {
    inner: Arc<Inner>,
}

struct Inner {
    authenticators: Box<[Arc<dyn Authenticator>]>,
    timeout: Duration,
    guest: Option<Arc<Identity>>,
    query: bool,
    cookie: Option<Box<str>>,
    places: Places,
    revocations: Revocations,
    tickets: Tickets,
    #[cfg(feature = "jwt")]
    subscriptions: Option<SubscriptionTokens>,
}

/// The decision about a request.
#[derive(Debug)]
pub(crate) enum Decided {
    /// Its caller is this one.
    Is(Arc<Identity>),
    /// Its credentials are refused.
    Refused(Refusal),
    /// It shows none.
    None,
}

impl Authority {
    pub(crate) fn new(settings: AuthSettings) -> Self {
        let guest = settings.guests.map(|permissions| {
            let guest = Identity::guest().permissions(permissions);
            Arc::new(guest)
        });
        Self {
            inner: Arc::new(Inner {
                authenticators: settings.authenticators.into(),
                timeout: settings.timeout,
                guest,
                query: settings.query,
                cookie: settings.cookie,
                places: Places::new(settings.lobby),
                revocations: settings.revocations,
                tickets: settings.tickets,
                #[cfg(feature = "jwt")]
                subscriptions: settings.subscriptions,
            }),
        }
    }

    /// Returns the identity of callers without credentials, if they are let in.
    pub(crate) fn guest(&self) -> Option<Arc<Identity>> {
        self.inner.guest.clone()
    }

    pub(crate) fn revocations(&self) -> &Revocations {
        &self.inner.revocations
    }

    pub(crate) fn places(&self) -> &Places {
        &self.inner.places
    }

    /// Decides about the credentials of a request whose origin was checked. With `credentialed`,
    /// its cookies may be read.
    ///
    /// # Errors
    ///
    /// The request shows two that differ.
    pub(crate) async fn decide(
        &self,
        request: &Parts,
        credentialed: bool,
    ) -> Result<Decided, Problem> {
        let cookie = self.inner.cookie.as_deref().filter(|_| credentialed);
        let shown = Shown::find(request, cookie, self.inner.query)?;
        let address = request.extensions.get();
        let address = address.map(|PeerAddress(address)| *address);
        let (carrier, secret) = match &shown {
            Some(shown) => (shown.carrier, Some(shown.secret)),
            None => (Carrier::None, None),
        };
        let credentials = Credentials {
            carrier,
            secret,
            request: Some(request),
            address,
        };
        Ok(match self.inner.ask(&credentials).await {
            Ok(Some(identity)) => Decided::Is(Arc::from(identity)),
            Ok(None) if secret.is_none() => Decided::None,
            Ok(None) => Decided::Refused(unknown()),
            Err(refusal) => Decided::Refused(refusal),
        })
    }

    /// Decides about a token that came as a message.
    pub(crate) async fn decide_message(
        &self,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<Box<Identity>, Refusal> {
        let credentials = Credentials {
            carrier: Carrier::Message,
            secret: Some(token),
            request: None,
            address,
        };
        let decided = self.inner.ask(&credentials).await?;
        decided.ok_or_else(unknown)
    }
}

impl Inner {
    /// Asks the authenticators in their order; `None` if none of them knows the credentials.
    async fn ask(&self, credentials: &Credentials<'_>) -> Result<Option<Box<Identity>>, Refusal> {
        let tickets: &dyn Authenticator = &self.tickets;
        let authenticators = self.authenticators.iter().map(|it| &**it);
        for authenticator in [tickets].into_iter().chain(authenticators) {
            let answer = quietly(|| authenticator.authenticate(credentials));
            let answer = match answer {
                Some(Authenticated::Later(decision)) => {
                    time::timeout(self.timeout, settled(decision))
                        .await
                        .unwrap_or_default()
                }
                answer => answer,
            };
            match answer {
                Some(Authenticated::Unknown) => {}
                Some(Authenticated::Is(identity)) if self.revocations.is_revoked(&identity) => {
                    let why = "the token was revoked";
                    return Err(Refusal::new(ErrorCode::TokenRevoked, why));
                }
                Some(Authenticated::Is(identity)) => return Ok(Some(identity)),
                Some(Authenticated::Refused(refusal)) => return Err(refusal),
                // It has panicked, took too long, or does not keep to its contract.
                Some(Authenticated::Later(_)) | None => {
                    unavailable_logged(authenticator.name());
                    return Err(unavailable());
                }
            }
        }
        Ok(None)
    }
}

/// Waits for a decision; `None` if it panics.
async fn settled(
    mut decision: std::pin::Pin<Box<dyn Future<Output = Authenticated> + Send>>,
) -> Option<Authenticated> {
    poll_fn(|cx| match quietly(|| decision.as_mut().poll(cx)) {
        Some(Poll::Ready(answer)) => Poll::Ready(Some(answer)),
        Some(Poll::Pending) => Poll::Pending,
        None => Poll::Ready(None),
    })
    .await
}

#[cfg(feature = "tracing")]
fn unavailable_logged(name: &str) {
    tracing::warn!(target: "throng", "the authenticator `{name}` did not answer: credentials are refused");
}

#[cfg(not(feature = "tracing"))]
fn unavailable_logged(_: &str) {}

fn unavailable() -> Refusal {
    let why = "the credentials could not be checked now; try again later";
    Refusal::new(ErrorCode::AuthUnavailable, why)
}

/// The refusal of credentials that no authenticator knows.
fn unknown() -> Refusal {
    let why = "the credentials are not valid here";
    Refusal::new(ErrorCode::TokenInvalid, why)
}

/// The refusal of a request that shows no credentials.
pub(crate) fn missing() -> Refusal {
    let why = "credentials are needed: for example `Authorization: Bearer <token>`";
    Refusal::new(ErrorCode::Unauthenticated, why)
}

impl Door for Authority {
    fn admit(&self, token: String, address: Option<IpAddr>) -> Admitting {
        let authority = self.clone();
        Box::pin(async move {
            let decided = authority.decide_message(&token, address).await;
            decided.map_err(|refusal| fault(&refusal))
        })
    }

    fn is_revoked(&self, identity: &Identity) -> bool {
        self.inner.revocations.is_revoked(identity)
    }

    #[cfg(feature = "jwt")]
    fn subscription(
        &self,
        token: &str,
        user: Option<&str>,
        channel: &str,
    ) -> Option<Result<Allowance, Fault>> {
        let tokens = self.inner.subscriptions.as_ref()?;
        if token.bytes().filter(|byte| *byte == b'.').count() != 2 {
            return None;
        }
        let user = user.and_then(|user| UserId::parse(user).ok());
        let checked = tokens.check(token, user.as_ref(), channel);
        Some(match checked {
            Ok(until) => Ok(Allowance {
                until: until.map(Timestamp::millis),
                info: None,
            }),
            Err(refusal) => Err(fault(&refusal).field("auth")),
        })
    }

    #[cfg(not(feature = "jwt"))]
    fn subscription(&self, _: &str, _: Option<&str>, _: &str) -> Option<Result<Allowance, Fault>> {
        None
    }

    fn revoke(&self, revoke: &Revoke) -> Result<(), Fault> {
        let Revoke { what, expires_at } = revoke;
        let revocations = &self.inner.revocations;
        let revoked = match what {
            Revoking::Token(id) => revocations.revoke_token(id, *expires_at),
            Revoking::User {
                user,
                issued_before,
            } => revocations.revoke_user(user, *issued_before, *expires_at),
        };
        revoked.map_err(|error| Fault::new(error.code(), error.to_string()))
    }

    fn ticket(&self, identity: Identity) -> Result<(String, Duration), Fault> {
        let tickets = &self.inner.tickets;
        match tickets.issue(identity) {
            Ok(ticket) => Ok((ticket, tickets.ttl())),
            Err(error) => {
                let fault = Fault::new(error.code(), error.to_string());
                Err(fault.retry_after(Duration::from_secs(1)))
            }
        }
    }
}

/// The fault of a refusal.
pub(crate) fn fault(refusal: &Refusal) -> Fault {
    Fault::new(refusal.code(), refusal.reason().to_owned())
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.inner.authenticators.iter();
        let names: Vec<_> = names.map(|authenticator| authenticator.name()).collect();
        f.debug_struct("Authority")
            .field("authenticators", &names)
            .finish_non_exhaustive()
    }
}
