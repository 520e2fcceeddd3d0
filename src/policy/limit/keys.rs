//! The keys by which a limit counts, and their values for a request.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::net::IpAddr;
use std::num::NonZeroU64;

use ahash::RandomState;

use crate::id::ClientId;
use crate::policy::rate::Network;
use crate::protocol::Command;
use crate::session::Actions;
use crate::session::Caller;

/// A key by which a [`Limit`](super::Limit) counts.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum LimitKey {
    /// The operation that a request asks for, by its name.
    Action,
    /// The IPv4 address that a request comes from, or the /64 of its IPv6 address.
    Address,
    /// The API key that a request shows, by its id.
    ApiKey,
    /// The channel that a request names.
    Channel,
    /// The connection that a request comes over.
    Connection,
    /// The room that a request names.
    Room,
    /// The user; the connection, if it is anonymous.
    User,
}

impl LimitKey {
    /// All keys by which a limit may count.
    pub const ALL: [Self; 7] = [
        Self::Action,
        Self::Address,
        Self::ApiKey,
        Self::Channel,
        Self::Connection,
        Self::Room,
        Self::User,
    ];

    /// Returns the name, as in the text form of a limit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Address => "address",
            Self::ApiKey => "api-key",
            Self::Channel => "channel",
            Self::Connection => "connection",
            Self::Room => "room",
            Self::User => "user",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|key| key.as_str() == name || key.as_str().replace('-', "_") == name)
    }
}

/// A set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys(u8);

impl Keys {
    pub(super) const NONE: Self = Self(0);

    #[must_use]
    pub(super) const fn with(self, key: LimitKey) -> Self {
        Self(self.0 | 1 << key as u8)
    }

    #[must_use]
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, key: LimitKey) -> bool {
        self.0 & 1 << key as u8 != 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = LimitKey> {
        LimitKey::ALL.into_iter().filter(move |key| self.has(*key))
    }
}

/// The values of the keys of a request: whom and what it counts for.
///
/// ```
/// use throng::policy::LimitSubject;
///
/// let subject = LimitSubject::new().user("ada").room("lobby");
/// # let _ = subject;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitSubject<'a> {
    action: Option<Cow<'a, str>>,
    address: Option<IpAddr>,
    api_key: Option<Cow<'a, str>>,
    channel: Option<Cow<'a, str>>,
    client: Option<ClientId>,
    room: Option<Cow<'a, str>>,
    user: Option<Cow<'a, str>>,
}

impl<'a> LimitSubject<'a> {
    /// Creates a subject that has no key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the operation, such as `room.join`.
    #[must_use]
    pub fn action(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.action = Some(name.into());
        self
    }

    /// Sets the address.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Sets the id of the API key.
    #[must_use]
    pub fn api_key(mut self, id: impl Into<Cow<'a, str>>) -> Self {
        self.api_key = Some(id.into());
        self
    }

    /// Sets the channel.
    #[must_use]
    pub fn channel(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.channel = Some(name.into());
        self
    }

    /// Sets the connection.
    #[must_use]
    pub fn client(mut self, client: ClientId) -> Self {
        self.client = Some(client);
        self
    }

    /// Sets the room.
    #[must_use]
    pub fn room(mut self, id: impl Into<Cow<'a, str>>) -> Self {
        self.room = Some(id.into());
        self
    }

    /// Sets the user.
    #[must_use]
    pub fn user(mut self, id: impl Into<Cow<'a, str>>) -> Self {
        self.user = Some(id.into());
        self
    }

    /// The subject of a request, as far as `keys` ask for it.
    pub(super) fn of(caller: &'a Caller<'_>, command: &'a Command, keys: Keys) -> Self {
        let has = |key| keys.has(key);
        // Callers without a connection count by user and address instead of it.
        let by_connection = has(LimitKey::Connection);
        let of_client = caller.client().is_none() && by_connection;
        let named = |key, field| has(key).then(|| named(command, field)).flatten();
        Self {
            action: has(LimitKey::Action).then(|| action(command).into()),
            address: (has(LimitKey::Address) || of_client)
                .then(|| caller.peer())
                .flatten(),
            api_key: caller.api_key().map(Cow::Borrowed),
            channel: named(LimitKey::Channel, "channel_id"),
            client: caller.client().map(|client| client.id()),
            room: named(LimitKey::Room, "room_id"),
            user: caller.user().map(Cow::Borrowed),
        }
    }

    /// Returns the hash of the values of these keys; `None` if one of them has no value.
    pub(super) fn hash(&self, keys: Keys, hasher: &RandomState) -> Option<NonZeroU64> {
        let mut hash = hasher.build_hasher();
        for key in keys.iter() {
            match key {
                LimitKey::Action => self.action.as_ref()?.hash(&mut hash),
                LimitKey::Address => Network::of(self.address?).hash(&mut hash),
                LimitKey::ApiKey => self.api_key.as_ref()?.hash(&mut hash),
                LimitKey::Channel => self.channel.as_ref()?.hash(&mut hash),
                LimitKey::Connection => self.line().hash(&mut hash),
                LimitKey::Room => self.room.as_ref()?.hash(&mut hash),
                LimitKey::User => match (&self.user, self.client) {
                    (Some(user), _) => (true, user).hash(&mut hash),
                    (None, Some(client)) => (false, client).hash(&mut hash),
                    (None, None) => return None,
                },
            }
        }
        // 0 stands for no key.
        NonZeroU64::new(hash.finish().max(1))
    }

    /// Returns whether it names each of these keys; a connection by its id.
    pub(super) fn is_whole(&self, keys: Keys) -> bool {
        let stands = self.user.is_some() || self.address.is_some();
        !keys.has(LimitKey::Connection) || self.client.is_some() || stands
    }

    /// The connection, or what stands for it.
    fn line(&self) -> (Option<ClientId>, Option<&str>, Option<Network>) {
        match self.client {
            Some(client) => (Some(client), None, None),
            None => (None, self.user.as_deref(), self.address.map(Network::of)),
        }
    }
}

/// The name of an operation. Names that the server does not know are one: they are the caller's to
/// choose.
fn action(command: &Command) -> &str {
    match Actions::of(command) {
        Actions::UNKNOWN => "unknown",
        _ => command.name(),
    }
}

/// The room or the channel that a command names.
fn named<'a>(command: &'a Command, field: &'static str) -> Option<Cow<'a, str>> {
    match command {
        Command::Operation { arguments, .. } => {
            let text = arguments.text(field, usize::MAX);
            text.ok().flatten().map(Cow::Owned)
        }
        Command::Presence { channel }
        | Command::Publish { channel, .. }
        | Command::Subscribe { channel, .. }
        | Command::Unsubscribe { channel, .. } => {
            (field == "channel_id").then_some(Cow::Borrowed(channel))
        }
        Command::Ping => None,
    }
}
