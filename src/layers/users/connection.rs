//! One connection: what is known about it, and the guard that ends it.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde::Serializer;

use crate::hub::Client;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::timestamp::Timestamp;
use crate::layers::users::ADDRESS;
use crate::layers::users::AGENT;
use crate::layers::users::owners::Names;
use crate::layers::users::roster::Active;
use crate::layers::users::shell::Users;

/// A live connection. 112 bytes with the counts of its `Arc`.
pub(super) struct Entry {
    pub(super) client: Client,
    pub(super) owner: Owner,
    pub(super) transport: &'static str,
    /// When it came, in nanoseconds of the time of day and in milliseconds of the users' clock.
    pub(super) since: u64,
    pub(super) began: u64,
    pub(super) last_active: AtomicU64,
}

/// The owner of a connection.
pub(super) enum Owner {
    User(UserId),
    /// Anonymous: it takes up channels by itself.
    Nobody(Mutex<Names>),
}

impl Entry {
    pub(super) fn touch(&self, now: u64) {
        // Relaxed: a number by itself; that it never goes back is all that anybody relies on.
        self.last_active.fetch_max(now, Ordering::Relaxed);
    }

    pub(super) fn user(&self) -> Option<&UserId> {
        match &self.owner {
            Owner::User(user) => Some(user),
            Owner::Nobody(_) => None,
        }
    }

    pub(super) fn info(self: &Arc<Self>) -> ClientInfo {
        let client = &self.client;
        let owned = |key| client.metadata(key).map(str::to_owned);
        let after = Duration::from_millis(self.last_active().saturating_sub(self.began));
        let since = Duration::from_nanos(self.since);
        let metadata = client.all_metadata();
        let noted = metadata.filter(|(key, _)| ![ADDRESS, AGENT].contains(key));
        ClientInfo {
            client_id: client.id(),
            user: self.user().cloned(),
            transport: self.transport,
            address: owned(ADDRESS),
            agent: owned(AGENT),
            connected_at: Timestamp::since_unix_epoch(since),
            last_active: Timestamp::since_unix_epoch(since + after),
            metadata: noted
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

impl Active for Arc<Entry> {
    fn last_active(&self) -> u64 {
        // Relaxed: as in `touch`.
        self.last_active.load(Ordering::Relaxed)
    }
}

/// What is known about a connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct ClientInfo {
    /// Its number, a string on the wire.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    #[serde(serialize_with = "as_text")]
    pub client_id: ClientId,
    /// Whose it is; `None` for nobody's.
    #[serde(rename = "user_id")]
    pub user: Option<UserId>,
    /// How it is connected: `ws`, `sse`, or what was said.
    pub transport: &'static str,
    /// Where it comes from, if that was noted under [`ADDRESS`](crate::users::ADDRESS).
    pub address: Option<String>,
    /// Its user agent, if that was noted under [`AGENT`](crate::users::AGENT).
    pub agent: Option<String>,
    /// When it has come.
    pub connected_at: Timestamp,
    /// When it last did something; when it has come, if it never did.
    pub last_active: Timestamp,
    /// What else was noted about it. Of several entries of one name the last.
    pub metadata: BTreeMap<String, String>,
}

fn as_text<S: Serializer>(id: &ClientId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Keeps a connection among those of its user. When it is dropped, the connection has left: it
/// counts no more, is in no list, and takes up no channels. That happens exactly once.
///
/// It does not close the client, and a client that is closed still counts until this is dropped.
#[must_use = "a connection that is dropped has left"]
pub struct Connection {
    entry: Arc<Entry>,
    users: Users,
    is_first: bool,
    has_left: bool,
}

/// What is left of a user when a connection has left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnected {
    /// Whose it was, if it was somebody's.
    pub user: Option<UserId>,
    /// Whether that user has no other; true for nobody's.
    pub last: bool,
}

impl Connection {
    pub(super) fn new(users: Users, entry: Arc<Entry>, is_first: bool) -> Self {
        Self {
            entry,
            users,
            is_first,
            has_left: false,
        }
    }

    /// The number of its client.
    #[must_use]
    pub fn id(&self) -> ClientId {
        self.entry.client.id()
    }

    pub(in crate::layers) fn client(&self) -> &Client {
        &self.entry.client
    }

    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.entry.user()
    }

    /// Whether its user had no other when it came. Between two that are the first, one has left
    /// and was the [last](Disconnected::last).
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// It has done something just now. Reads the clock and stores a number; takes no lock.
    pub fn touch(&self) {
        self.entry.touch(self.users.millis());
    }

    /// What is known about it.
    #[must_use]
    pub fn info(&self) -> ClientInfo {
        self.entry.info()
    }

    /// Leaves, and says what is left.
    #[expect(
        clippy::must_use_candidate,
        reason = "leaving may be all that is wanted"
    )]
    pub fn leave(mut self) -> Disconnected {
        self.end()
    }

    fn end(&mut self) -> Disconnected {
        let had_left = mem::replace(&mut self.has_left, true);
        let last = !had_left && self.users.release(&self.entry);
        let user = self.entry.user().cloned();
        Disconnected { user, last }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _left = self.end();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id())
            .field("user", &self.user())
            .finish_non_exhaustive()
    }
}
