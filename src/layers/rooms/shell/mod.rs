//! The rooms of one hub: the state behind locks, and what is published.

mod attach;
mod changes;
mod create;
mod direct;
mod kept;
mod load;
mod manage;
mod members;
mod messages;
mod read;
mod search;
mod stay;
mod told;
mod users;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use ahash::RandomState;
use parking_lot::Mutex;
use parking_lot::RwLock;

use crate::hub::Channel;
use crate::hub::Client;
use crate::hub::Hub;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::batch::Batch;
use crate::layers::rooms::config::RoomsConfig;
use crate::layers::rooms::connections::Connections;
use crate::layers::rooms::directory::Directory;
use crate::layers::rooms::error::RoomError;
use crate::layers::wheel::Wheel;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::millis;

use self::changes::Changes;
use self::changes::Known;
use self::changes::Watched;
use self::told::Due;
use self::users::Users;

pub(crate) use self::changes::Asked;
pub(crate) use self::changes::Snapshot;
pub(crate) use self::kept::Accepted;
pub use self::messages::Sent;
pub(crate) use self::messages::stamped;
pub(crate) use self::stay::Stay;

/// The rooms of one hub. A cheap clone.
///
/// It has no thread and no runtime: somebody has to call [`Rooms::tick`] no later than
/// [`Rooms::next_deadline`] says, and to tell of connections that come ([`Rooms::attach`]).
///
/// ```
/// use throng::{Actor, ConnectOptions, Hub, Message, UserId};
/// use throng::rooms::{RoomOptions, Rooms, RoomsConfig};
///
/// let hub = Hub::new();
/// let (client, outbox) = hub.connect(ConnectOptions::new().user("ada"))?;
/// let mine = client.clone();
/// let rooms = Rooms::new(&hub, RoomsConfig::new(), move |_: &UserId| vec![mine.clone()]);
///
/// let ada = Actor::User(UserId::parse("ada")?);
/// let room = rooms.create(&ada, RoomOptions::new("Lobby"))?.id;
/// let sent = rooms.send(&ada, &room, Message::text("hello"), None)?;
/// assert_eq!((sent.id, sent.delivery.delivered()), (1, 1));
/// assert!(!outbox.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Order
///
/// Events of a room are published in the order in which they happened, under the lock of the room.
/// Messages are not: those who send at the same time are put in order by the hub. A message is
/// accepted or refused by what the room was at one moment; one that is accepted just before its
/// sender is muted may be delivered just after that was told.
///
/// # Locks
///
/// A room's, then a user's, the directory's or that of what has changed. While a room's lock is
/// held, the hub may be called, which never waits. Observers and the hook are called under it,
/// too: they must neither wait nor call the rooms.
///
/// # Memory
///
/// About 2 KiB for a room, its channel and its place in the directory included, some 400 bytes for
/// each member, and what was given it to keep; every list has a bound in [`RoomsConfig`].
#[derive(Clone)]
pub struct Rooms {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Hub,
    config: Arc<RoomsConfig>,
    clock: Arc<dyn Clock>,
    /// What the clock showed when the rooms began, and what time it was then.
    start: (Instant, Duration),
    /// By how many milliseconds the time of day has jumped ahead since then.
    ahead: AtomicU64,
    connections: Box<dyn Connections>,
    hasher: RandomState,
    shards: Box<[RwLock<Shard>]>,
    count: AtomicUsize,
    users: Users,
    directory: RwLock<Directory>,
    wheel: Mutex<Wheel<Due>>,
    observers: RwLock<Vec<Arc<Observer>>>,
    hook: OnceLock<Box<Hook>>,
    /// Decides whether a connection of a member may receive a room.
    admits: OnceLock<Box<Admits>>,
    removers: RwLock<Vec<Arc<Remover>>>,
    changes: Changes,
}

type Shard = HashMap<RoomId, Arc<Cell>, RandomState>;
type Admits = dyn Fn(&Client, &RoomId) -> bool + Send + Sync;
type Observer = dyn Fn(&RoomChange) + Send + Sync;
type Remover = dyn Fn(&RoomId, Stay) + Send + Sync;
type Hook = dyn Fn(&JoinRequest<'_>) -> Result<(), String> + Send + Sync;

/// One room and the channel that carries it.
struct Cell {
    channel: Channel,
    state: Mutex<State>,
    /// Whether it was to be kept, and was not.
    is_unkept: AtomicBool,
}

struct State {
    room: Watched,
    batch: Batch,
    /// When it is to forget what is over, if it was said to.
    purge_at: Option<Instant>,
    /// Whether it is no more. It is in the table until its id may be had again.
    is_gone: bool,
    /// Has it stay there as long as somebody else has it, too.
    stay: Stay,
    /// Whether it waits to be taken as changed.
    is_changed: bool,
    /// Whether it was sent to since it was last taken.
    is_sent: bool,
    /// Whether it waits among those that were sent to.
    waits_as_sent: bool,
    /// Whether it was ever kept.
    known: Known,
}

/// Something that has happened to a room; told to [observers](Rooms::observe).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomChange {
    /// A room was made.
    Created(RoomId),
    /// A room is no more; just before, its members have left, one by one.
    Deleted(RoomId),
    /// A user has become a member.
    Joined(RoomId, UserId),
    /// A user is no member any more.
    Left(RoomId, UserId),
    /// The room says something else about itself.
    Updated(RoomId),
}

/// What the [hook](Rooms::authorize) is asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum JoinRequest<'a> {
    /// Somebody wants to make a room.
    Create {
        /// Who.
        actor: &'a Actor,
        /// How it is to be called.
        name: &'a str,
    },
    /// A user wants to come in, and nothing else speaks against it.
    Join {
        /// Who.
        user: &'a UserId,
        /// Where.
        room: &'a RoomId,
        /// Whether with an invite.
        invited: bool,
    },
}

/// How many locks the rooms are spread over.
const SHARDS: usize = 64;

impl Rooms {
    /// Rooms on a hub, by the clock of the system.
    pub fn new(hub: &Hub, config: RoomsConfig, connections: impl Connections) -> Self {
        Self::with_clock(hub, config, connections, Arc::new(SystemClock::new()))
    }

    /// Rooms on a hub, by another clock.
    pub fn with_clock(
        hub: &Hub,
        config: RoomsConfig,
        connections: impl Connections,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let since = clock.unix_time();
        let since = since.unwrap_or_else(|| SystemClock::new().since_unix_epoch());
        let start = (clock.now(), since);
        let tick = (config.batch_window / 4).clamp(SHORTEST_TICK, LONGEST_TICK);
        let users = Users::new(config.max_rooms_per_user, config.max_directs_per_user);
        let shards = (0..SHARDS).map(|_| RwLock::default());
        Self {
            inner: Arc::new(Inner {
                hub: hub.clone(),
                config: Arc::new(config),
                clock,
                start,
                ahead: AtomicU64::new(0),
                connections: Box::new(connections),
                hasher: RandomState::new(),
                shards: shards.collect(),
                count: AtomicUsize::new(0),
                users,
                directory: RwLock::default(),
                wheel: Mutex::new(Wheel::new(start.0, tick)),
                observers: RwLock::default(),
                removers: RwLock::default(),
                admits: OnceLock::new(),
                hook: OnceLock::new(),
                changes: Changes::default(),
            }),
        }
    }

    /// How the rooms are kept.
    #[must_use]
    pub fn config(&self) -> &RoomsConfig {
        &self.inner.config
    }

    /// Has `observer` called with everything that changes, for one room in the order in which it
    /// happens. It is called in the middle of the room: it must be quick, and must neither wait
    /// nor call the rooms.
    pub fn observe(&self, observer: impl Fn(&RoomChange) + Send + Sync + 'static) {
        self.inner.observers.write().push(Arc::new(observer));
    }

    /// Has `hook` asked before a room is made and before a user comes in by itself; its `Err` is
    /// what the user is told. As an observer, it must be quick. The first call counts; says
    /// whether this was it.
    pub fn authorize(
        &self,
        hook: impl Fn(&JoinRequest<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> bool {
        self.inner.hook.set(Box::new(hook)).is_ok()
    }

    fn ask(&self, request: &JoinRequest<'_>) -> Result<(), RoomError> {
        match self.inner.hook.get() {
            Some(hook) => hook(request).map_err(|why| RoomError::Refused(why.into())),
            None => Ok(()),
        }
    }

    /// The present moment, in milliseconds since 1970 that never go back. A time of day that has
    /// jumped ahead is followed; one that was set back is not, as mutes and waits would last as
    /// much longer: that is followed by the next process.
    fn now(&self) -> u64 {
        let (start, since) = self.inner.start;
        let steady = millis(self.inner.clock.now().saturating_duration_since(start) + since);
        // Relaxed: it only grows, and whoever sees an older one looks at the time of day itself.
        let ahead = self.inner.ahead.load(Ordering::Relaxed);
        let now = steady.saturating_add(ahead);
        match self.inner.clock.unix_time().map(millis) {
            Some(wall) if wall > now.saturating_add(FAR_MS) => {
                // Relaxed: as above.
                self.inner.ahead.fetch_max(wall - steady, Ordering::Relaxed);
                wall
            }
            _ => now,
        }
    }

    /// The present moment for whoever removes what is too old: the earlier one where the time of
    /// day and that of messages differ, so that nothing goes too early.
    pub(crate) fn now_for_removal(&self) -> u64 {
        let now = self.now();
        let wall = self.inner.clock.unix_time().map(millis);
        wall.map_or(now, |wall| wall.min(now))
    }

    fn shard(&self, room: &str) -> &RwLock<Shard> {
        let hash = self.inner.hasher.hash_one(room);
        // The table takes the low bits; these are the high ones.
        &self.inner.shards[(hash >> 56) as usize % SHARDS]
    }

    fn cell(&self, room: &str) -> Result<Arc<Cell>, RoomError> {
        let cell = self.shard(room).read().get(room).map(Arc::clone);
        cell.ok_or(RoomError::UnknownRoom)
    }

    /// Does something with a room, under its lock. If that reaches for it to change it, and
    /// succeeds, the room has changed.
    fn with<T>(
        &self,
        room: &RoomId,
        f: impl FnOnce(&Arc<Cell>, &mut State, u64) -> Result<T, RoomError>,
    ) -> Result<T, RoomError> {
        let cell = self.cell(room)?;
        let mut state = cell.state.lock();
        if state.is_gone {
            return Err(RoomError::UnknownRoom);
        }
        let done = f(&cell, &mut state, self.now());
        self.settle(&cell, &mut state, done.is_ok());
        done
    }
}

/// How far the time of day may be ahead before it is followed: less is put right by and by.
const FAR_MS: u64 = 10_000;

const SHORTEST_TICK: Duration = Duration::from_millis(5);
const LONGEST_TICK: Duration = Duration::from_millis(100);

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooms")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
