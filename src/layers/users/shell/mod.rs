//! The users of one hub: the state behind locks, and what is done to the clients.

mod close;
mod places;
mod read;
mod send;
#[cfg(test)]
mod tests;

use std::array;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ahash::RandomState;
use parking_lot::Mutex;

use crate::hub::Client;
use crate::hub::Hub;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::users::config::UsersConfig;
use crate::layers::users::connection::Entry;
use crate::layers::users::connection::Owner;
use crate::layers::users::error::UserError;
use crate::layers::users::owners::Owners;
use crate::layers::users::owners::Refused;
use crate::layers::users::roster::Roster;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::millis;

pub use self::read::UserEntry;
pub use self::send::Sent;

/// The users of one hub, and the connections of each. A cheap clone.
///
/// Who [connects](Users::connect) through it is counted, listed and found by user. It has no
/// thread and no runtime: if connections are to be closed for doing nothing, somebody has to call
/// [`Users::tick`] no later than [`Users::next_deadline`] says.
///
/// ```
/// use throng::{ConnectOptions, Hub, Message, UserId};
/// use throng::users::{Users, UsersConfig};
///
/// let hub = Hub::new();
/// let users = Users::new(&hub, UsersConfig::new());
/// let ada = UserId::parse("ada")?;
/// let (client, mut outbox, connection) =
///     users.connect(ConnectOptions::new().user("ada"), "websocket")?;
/// assert!(connection.is_first());
///
/// assert_eq!(users.send_to_user(&ada, &Message::text("hi")).delivered, 1);
/// assert!(outbox.try_recv().is_ok());
///
/// let left = connection.leave();
/// assert!(left.last);
/// assert_eq!(users.client_count_of(&ada), 0);
/// # let _ = client;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Progress
///
/// Nothing waits for a client. Users and connections are spread over locks that are held for
/// microseconds, a page of a list at most, and never while the hub or a client is called.
///
/// # Memory
///
/// Some 250 bytes for each connection, 200 more for each user, and 50 with the name for each
/// channel that a connection is counted in.
#[derive(Clone)]
pub struct Users {
    shared: Arc<Shared>,
}

struct Shared {
    hub: Hub,
    config: UsersConfig,
    clock: Arc<dyn Clock>,
    start: Instant,
    hasher: RandomState,
    /// Locked before a roster.
    owners: [Mutex<Owners<Arc<Entry>>>; SHARDS],
    rosters: [Mutex<Roster<Arc<Entry>>>; SHARDS],
    counts: Counts,
}

/// Connections and users that are there; of connections also those that are about to be.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    nobodys: AtomicUsize,
    users: AtomicUsize,
}

impl Users {
    /// The users of a hub, by the clock of the system.
    #[must_use]
    pub fn new(hub: &Hub, config: UsersConfig) -> Self {
        Self::with_clock(hub, config, Arc::new(SystemClock::new()))
    }

    /// The users of a hub, by this clock.
    #[must_use]
    pub fn with_clock(hub: &Hub, config: UsersConfig, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            hub: hub.clone(),
            config,
            start: clock.now(),
            clock,
            hasher: RandomState::new(),
            owners: array::from_fn(|_| Mutex::new(Owners::new())),
            rosters: array::from_fn(|_| Mutex::new(Roster::new())),
            counts: Counts::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &UsersConfig {
        &self.shared.config
    }

    /// Counts a channel that a connection is about to be in, by its name. Doing so again changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`UserError::TooManyChannels`] if its user is in as many others as it may be, over all of
    /// its connections.
    pub fn reserve_channel(&self, client: ClientId, name: &str) -> Result<(), UserError> {
        let entry = self.entry(client).ok_or(UserError::UnknownClient)?;
        let limit = self.shared.config.max_channels;
        let held = match &entry.owner {
            Owner::User(user) => {
                let mut owners = self.owners(user).lock();
                owners.hold(user, client, name, limit)
            }
            Owner::Nobody(names) => names.lock().hold(name, limit),
        };
        held.map_err(|refused| match refused {
            Refused::Full => UserError::TooManyChannels { limit },
            Refused::Unknown => UserError::UnknownClient,
        })
    }

    /// Counts a channel no more for a connection, if it did.
    pub fn release_channel(&self, client: ClientId, name: &str) {
        let Some(entry) = self.entry(client) else {
            return;
        };
        match &entry.owner {
            Owner::User(user) => self.owners(user).lock().release(user, client, name),
            Owner::Nobody(names) => names.lock().release(name),
        };
    }

    /// A connection, if it is there, has done something just now. [`Connection::touch`] does the
    /// same without a lock.
    ///
    /// [`Connection::touch`]: crate::users::Connection::touch
    pub fn touch(&self, client: ClientId) {
        if let Some(entry) = self.entry(client) {
            entry.touch(self.millis());
        }
    }

    /// Milliseconds since it was made, and one: at no time it is zero.
    pub(super) fn millis(&self) -> u64 {
        self.millis_of(self.shared.clock.now())
    }

    fn millis_of(&self, time: Instant) -> u64 {
        let elapsed = time.saturating_duration_since(self.shared.start);
        millis(elapsed).saturating_add(1)
    }

    fn entry(&self, client: ClientId) -> Option<Arc<Entry>> {
        self.roster(client).lock().get(client).cloned()
    }

    fn clients(&self, user: &UserId) -> Vec<Client> {
        let owners = self.owners(user).lock();
        let clients = owners.handles(user).map(|entry| entry.client.clone());
        clients.collect()
    }

    fn owners(&self, user: &UserId) -> &Mutex<Owners<Arc<Entry>>> {
        let hash = self.shared.hasher.hash_one(user);
        &self.shared.owners[shard(hash)]
    }

    fn roster(&self, client: ClientId) -> &Mutex<Roster<Arc<Entry>>> {
        &self.shared.rosters[shard(client.get())]
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("config", &self.shared.config)
            .field("counts", &self.shared.counts)
            .finish_non_exhaustive()
    }
}

fn shard(hash: u64) -> usize {
    usize::try_from(hash % SHARDS as u64).unwrap_or_default()
}

fn load(count: &AtomicUsize) -> usize {
    // Relaxed: a figure by itself.
    count.load(Ordering::Relaxed)
}

/// Parts that users, and connections, are spread over.
const SHARDS: usize = 16;
