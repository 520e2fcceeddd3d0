//! The presence of all users on one hub: the state behind locks, and what is published.

mod news;
mod publish;
mod read;
mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Instant;

use ahash::RandomState;
use parking_lot::Mutex;
use parking_lot::RwLock;

use crate::hub::Hub;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::presence::config::PresenceConfig;
use crate::layers::presence::error::PresenceError;
use crate::layers::presence::figures::Figures;
use crate::layers::presence::state::Change;
#[cfg(feature = "ws")]
use crate::layers::presence::state::Record;
use crate::layers::presence::state::Rules;
use crate::layers::presence::state::State;
use crate::layers::presence::update::Device;
use crate::layers::presence::update::PresenceUpdate;
use crate::layers::presence::view::Dates;
use crate::layers::presence::watches::Watches;
use crate::time::Clock;
use crate::time::SystemClock;

use self::news::News;
use self::publish::Observers;
use self::publish::Rooms;

pub use self::publish::ObserverId;
pub use self::read::PresenceBatch;

/// Who is there: the presence of all users on one hub. A cheap clone.
///
/// Tell it when [connections come](Presence::connected) and [go](Presence::disconnected), and the
/// time: it has no thread and no runtime, so somebody has to call [`Presence::tick`] no later than
/// [`Presence::next_deadline`] says. What changes goes, as an event `presence`, to those who
/// [watch](Presence::watch) the user, to [its rooms](Presence::rooms) and to
/// [observers](Presence::observe).
///
/// ```
/// use throng::{Actor, ConnectOptions, Hub, UserId};
/// use throng::presence::{Presence, PresenceConfig, PresenceUpdate, Status};
///
/// let hub = Hub::new();
/// let presence = Presence::new(&hub, PresenceConfig::new());
/// let ada = UserId::parse("ada")?;
/// let (client, _outbox) = hub.connect(ConnectOptions::new().user("ada"))?;
///
/// presence.connected(&ada, client.id(), None);
/// presence.set(&ada, None, &PresenceUpdate::new().status(Status::Busy));
/// assert_eq!(presence.get(&Actor::Server, &ada)?.status, Status::Busy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Order
///
/// Those who are told of the changes of a user are told in the order in which they happened. A
/// user that changes faster than can be told is told of less often: what is told last is what is.
///
/// # Progress
///
/// Nothing waits for a client or for an observer on another thread. The users are spread over
/// locks that are held for microseconds, and never while anybody is told anything: rooms,
/// observers and the hub are called with no lock held, by whichever thread has changed something.
/// An observer may call anything in here. What is told of changes it makes itself follows when it
/// is done.
///
/// # Memory
///
/// About 500 bytes for each user that is there or remembered, 24 for each change of status in its
/// history, 80 for each connection, and what the user has said.
#[derive(Clone)]
pub struct Presence {
    shared: Arc<Shared>,
}

struct Shared {
    hub: Hub,
    config: PresenceConfig,
    clock: Arc<dyn Clock>,
    dates: Dates,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    /// Locked after a shard.
    figures: Mutex<Figures>,
    watches: Mutex<Watches>,
    /// Users who have left a room since the last tick.
    rechecks: Mutex<BTreeSet<UserId>>,
    rooms: OnceLock<Rooms>,
    observers: RwLock<Observers>,
}

/// When something was last said about a user, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
#[cfg(feature = "ws")]
pub(crate) struct Said {
    /// As far as anything is known about it.
    pub(crate) ever: Option<u64>,
    /// Since it came; what was said before, but for the custom status and the words on
    /// availability, is forgotten.
    pub(crate) here: Option<u64>,
}

#[derive(Debug)]
struct Shard {
    state: State,
    news: News,
}

impl Presence {
    /// Presence for the users of a hub, by the clock of the system.
    #[must_use]
    pub fn new(hub: &Hub, config: PresenceConfig) -> Self {
        Self::with_clock(hub, config, Arc::new(SystemClock::new()))
    }

    /// Presence for the users of a hub, by this clock.
    #[must_use]
    pub fn with_clock(hub: &Hub, config: PresenceConfig, clock: Arc<dyn Clock>) -> Self {
        let start = clock.now();
        let shards = config.shards.max(1);
        let rules = Rules {
            grace: config.grace,
            timeout: config.timeout,
            remember: config.remember,
            history: config.history,
            max_offline_users: config.max_offline_users.div_ceil(shards),
        };
        let shard = |_| {
            Mutex::new(Shard {
                state: State::new(start, rules.clone()),
                news: News::default(),
            })
        };
        let shared = Shared {
            hub: hub.clone(),
            config,
            clock,
            dates: Dates {
                start,
                wall: SystemClock::new().since_unix_epoch(),
            },
            hasher: RandomState::new(),
            shards: (0..shards).map(shard).collect(),
            figures: Mutex::new(Figures::new(start)),
            watches: Mutex::default(),
            rechecks: Mutex::default(),
            rooms: OnceLock::new(),
            observers: RwLock::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A connection of a user has come, with this device, if that is known.
    pub fn connected(&self, user: &UserId, connection: ClientId, device: Option<Device>) {
        let device = device.map(Arc::new);
        self.change(user, |state, now| {
            state.connected(now, user, connection, device)
        });
    }

    /// A connection of a user has gone; call it once the client is closed. It watches nobody from
    /// then on.
    pub fn disconnected(&self, user: &UserId, connection: ClientId) {
        self.end_watches(user, connection);
        self.change(user, |state, now| state.disconnected(now, user, connection));
    }

    /// Changes what a user says about itself; `through` a connection of its own, or none.
    ///
    /// A user without connections is then there, if a status is set and it is not
    /// [`Status::Offline`](crate::presence::Status::Offline), until
    /// [`PresenceConfig::timeout`] after it was last [touched](Presence::touch).
    pub fn set(&self, user: &UserId, through: Option<ClientId>, update: &PresenceUpdate) {
        self.change(user, |state, now| state.set(now, user, through, update));
    }

    /// [`Presence::set`] for several users.
    pub fn set_many(&self, users: &[UserId], update: &PresenceUpdate) {
        for user in users {
            self.set(user, None, update);
        }
    }

    /// Takes a device of a user away that was said without a connection.
    pub fn remove_device(&self, user: &UserId, device: &Device) {
        self.change(user, |state, now| state.remove_device(now, user, device));
    }

    /// Forgets all that is known about a user, its history too; if it is connected, it is online
    /// as if it had just come.
    pub fn forget(&self, user: &UserId) {
        self.change(user, |state, now| state.erase(now, user));
    }

    /// A user has done something, `through` a connection of its own, or none. That changes no
    /// status; it is when the user was last seen, and prolongs what was
    /// [set](Presence::set) for a user without connections.
    ///
    /// # Errors
    ///
    /// [`PresenceError::Unknown`] if nothing is known about the user.
    pub fn touch(&self, user: &UserId, through: Option<ClientId>) -> Result<(), PresenceError> {
        let now = self.shared.clock.now();
        let mut shard = self.shard(user).lock();
        let is_known = shard.state.touch(now, user, through);
        is_known.then_some(()).ok_or(PresenceError::Unknown)
    }

    /// The time, in milliseconds since 1970; it never goes back, nor with what is [`Said`].
    #[cfg(feature = "ws")]
    pub(crate) fn millis(&self) -> u64 {
        self.shared.dates.of(self.shared.clock.now()).millis()
    }

    /// When something was last said about a user.
    #[cfg(feature = "ws")]
    pub(crate) fn said(&self, user: &UserId) -> Said {
        let shard = self.shard(user).lock();
        let said = shard.state.get(user).map(Record::said);
        let millis = |at| self.shared.dates.of(at).millis();
        let (ever, here) = said.unwrap_or_default();
        Said {
            ever: ever.map(millis),
            here: here.map(millis),
        }
    }

    /// When to call [`Presence::tick`] next; never, unless something is done, if it is `None`.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.shared.rechecks.lock().is_empty() {
            return Some(self.shared.clock.now());
        }
        let shards = self.shared.shards.iter();
        shards.filter_map(|shard| shard.lock().state.next()).min()
    }

    /// Does what is due at `now`: users whose time is over are offline, custom statuses end, and
    /// watches end that are no longer allowed.
    pub fn tick(&self, now: Instant) {
        self.end_forbidden_watches();
        for shard in &self.shared.shards {
            loop {
                let mut locked = shard.lock();
                let (changes, more) = locked.state.tick(now, BATCH);
                for change in changes {
                    self.note(&mut locked, now, change);
                }
                drop(locked);
                self.tell(shard);
                if !more {
                    break;
                }
            }
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &PresenceConfig {
        &self.shared.config
    }

    fn change(&self, user: &UserId, verb: impl FnOnce(&mut State, Instant) -> Option<Change>) {
        let now = self.shared.clock.now();
        let shard = self.shard(user);
        let mut locked = shard.lock();
        if let Some(change) = verb(&mut locked.state, now) {
            self.note(&mut locked, now, change);
        }
        drop(locked);
        self.tell(shard);
    }

    /// Counts a change, and leaves it to be told.
    fn note(&self, shard: &mut Shard, now: Instant, change: Change) {
        let (before, is) = change.statuses();
        if before.is_present() != is.is_present() {
            let mut figures = self.shared.figures.lock();
            figures.count(now, is.is_present());
        }
        shard.news.push(change);
    }

    fn shard(&self, user: &UserId) -> &Mutex<Shard> {
        let hash = self.shared.hasher.hash_one(user);
        let shards = &self.shared.shards;
        let index = hash % shards.len() as u64;
        &shards[usize::try_from(index).unwrap_or_default()]
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence")
            .field("config", &self.shared.config)
            .field("present", &self.shared.figures.lock().present())
            .finish_non_exhaustive()
    }
}

/// Users whose time is over that are seen to under one lock.
const BATCH: usize = 256;
