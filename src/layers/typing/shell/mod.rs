//! Who types in the rooms of one hub: the state behind locks, and what is published.

mod news;
#[cfg(test)]
mod tests;

use std::array;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Instant;

use ahash::RandomState;
use parking_lot::Mutex;
use parking_lot::RwLock;
use serde_json::json;

use crate::hub::Hub;
use crate::id::ClientId;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::stamp::MessageHeader;
use crate::layers::typing::config::TypingConfig;
use crate::layers::typing::error::TypingError;
use crate::layers::typing::state::Change;
use crate::layers::typing::state::Full;
use crate::layers::typing::state::State;
use crate::message::Message;
use crate::time::Clock;
use crate::time::SystemClock;

use self::news::News;

/// Who is typing in the rooms of one hub. A cheap clone.
///
/// A room is told by an event `typing` on [its channel](RoomId::channel), which means nothing
/// later and replaces an earlier one of the same user that still waits. It has no thread and no
/// runtime: somebody has to call [`Typing::tick`] no later than [`Typing::next_deadline`] says.
///
/// ```
/// use throng::{Hub, RoomId, UserId};
/// use throng::typing::{Typing, TypingConfig};
///
/// let typing = Typing::new(&Hub::new(), TypingConfig::new());
/// let (ada, lobby) = (UserId::parse("ada")?, RoomId::parse("lobby")?);
/// typing.start(&ada, &lobby, None)?;
/// assert_eq!(typing.list(&lobby), [ada.clone()]);
/// typing.stop(&ada, &lobby, None);
/// assert!(typing.list(&lobby).is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Order
///
/// A room is told of a user in the order in which it happened, and for each start or run of starts
/// of one stop. What changes faster than can be told is told of less often.
///
/// # Progress
///
/// Nothing waits for a client. The rooms are spread over locks that are held for microseconds, and
/// never while the hub or [who is asked for the right](Typing::permit) is called.
#[derive(Clone)]
pub struct Typing {
    shared: Arc<Shared>,
}

struct Shared {
    hub: Hub,
    config: TypingConfig,
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
    permit: OnceLock<Box<Permit>>,
    observers: RwLock<Vec<Arc<Observer>>>,
}

/// Called with the room, the user and whether the user types.
type Observer = dyn Fn(&RoomId, &UserId, bool) + Send + Sync;

/// Whether a user may type in a room.
type Permit = dyn Fn(&UserId, &RoomId) -> Result<(), TypingError> + Send + Sync;

#[derive(Debug)]
struct Shard {
    state: State,
    news: News,
}

impl Typing {
    /// Typing in the rooms of a hub, by the clock of the system.
    #[must_use]
    pub fn new(hub: &Hub, config: TypingConfig) -> Self {
        Self::with_clock(hub, config, Arc::new(SystemClock::new()))
    }

    /// Typing in the rooms of a hub, by this clock.
    #[must_use]
    pub fn with_clock(hub: &Hub, config: TypingConfig, clock: Arc<dyn Clock>) -> Self {
        let start = clock.now();
        let shard = |_| {
            let state = State::new(start, config.clone());
            let news = News::default();
            Mutex::new(Shard { state, news })
        };
        let shared = Shared {
            hub: hub.clone(),
            shards: array::from_fn(shard),
            config,
            clock,
            hasher: RandomState::new(),
            permit: OnceLock::new(),
            observers: RwLock::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Has `permit` be asked whether a user may type in a room, whenever one starts; until then,
    /// everybody may everywhere. The first call counts; says whether this was it.
    pub fn permit(
        &self,
        permit: impl Fn(&UserId, &RoomId) -> Result<(), TypingError> + Send + Sync + 'static,
    ) -> bool {
        self.shared.permit.set(Box::new(permit)).is_ok()
    }

    /// Adds an observer that is called with the room, the user and whether the user types, at each
    /// change. It must be quick: the thread that changes something calls it.
    pub fn observe(&self, observer: impl Fn(&RoomId, &UserId, bool) + Send + Sync + 'static) {
        self.shared.observers.write().push(Arc::new(observer));
    }

    /// A user types in a room, from now on or still. The room is told, but for `from`.
    ///
    /// # Errors
    ///
    /// [`TypingError::Denied`] if it may not, and [`TypingError::TooMany`].
    pub fn start(
        &self,
        user: &UserId,
        room: &RoomId,
        from: Option<ClientId>,
    ) -> Result<(), TypingError> {
        if let Some(permit) = self.shared.permit.get() {
            permit(user, room)?;
        }
        let now = self.shared.clock.now();
        let shard = self.shard(room);
        let mut locked = shard.lock();
        locked.expire(now, BATCH);
        let started = locked.state.start(now, room, user);
        if let Ok(Some(change)) = &started {
            locked.news.push(change.clone(), from);
        }
        drop(locked);
        self.tell(shard);
        let limit = self.shared.config.max_per_room.unwrap_or(usize::MAX);
        started
            .map(|_| ())
            .map_err(|Full| TypingError::TooMany { limit })
    }

    /// A user types no more in a room: it says so, or has sent what it typed. Says whether it did
    /// type. The room is told, but for `from`.
    #[expect(
        clippy::must_use_candidate,
        reason = "most only want it to be so, whatever it was"
    )]
    pub fn stop(&self, user: &UserId, room: &RoomId, from: Option<ClientId>) -> bool {
        let change = |state: &mut State| state.stop(room, user).into_iter().collect();
        self.change(self.shard(room), from, change) > 0
    }

    /// A user is no longer in a room.
    pub fn leave(&self, user: &UserId, room: &RoomId) {
        self.stop(user, room, None);
    }

    /// A user types nowhere any more: its last connection has gone.
    pub fn clear(&self, user: &UserId) {
        for shard in &self.shared.shards {
            self.change(shard, None, |state| state.clear(user));
        }
    }

    /// Nobody types in a room any more.
    pub fn close(&self, room: &RoomId) {
        self.change(self.shard(room), None, |state| state.close(room));
    }

    /// Who types in a room, in the order of their ids.
    #[must_use]
    pub fn list(&self, room: &RoomId) -> Vec<UserId> {
        let now = self.shared.clock.now();
        self.shard(room).lock().state.list(now, room)
    }

    /// Whether a user types in a room.
    #[must_use]
    pub fn is_typing(&self, user: &UserId, room: &RoomId) -> bool {
        let now = self.shared.clock.now();
        self.shard(room).lock().state.is_typing(now, room, user)
    }

    /// When to call [`Typing::tick`] next; never, unless somebody starts, if it is `None`.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let shards = self.shared.shards.iter();
        shards.filter_map(|shard| shard.lock().state.next()).min()
    }

    /// Stops those whose time is over at `now`.
    pub fn tick(&self, now: Instant) {
        for shard in &self.shared.shards {
            while shard.lock().expire(now, BATCH) {
                self.tell(shard);
            }
            self.tell(shard);
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &TypingConfig {
        &self.shared.config
    }

    fn change(
        &self,
        shard: &Mutex<Shard>,
        from: Option<ClientId>,
        verb: impl FnOnce(&mut State) -> Vec<Change>,
    ) -> usize {
        let mut locked = shard.lock();
        let changes = verb(&mut locked.state);
        let count = changes.len();
        for change in changes {
            locked.news.push(change, from);
        }
        drop(locked);
        self.tell(shard);
        count
    }

    /// Tells what is to be told of a shard, unless somebody is about it already.
    fn tell(&self, shard: &Mutex<Shard>) {
        if !shard.lock().news.begin() {
            return;
        }
        loop {
            let news = shard.lock().news.pop();
            let Some((change, from)) = news else {
                return;
            };
            // A callback of the hub that panics must not stop what is to be told after it.
            let _told = catch_unwind(AssertUnwindSafe(|| self.publish(change, from)));
        }
    }

    fn publish(&self, change: Change, from: Option<ClientId>) {
        let Change {
            room,
            user,
            is_typing,
        } = change;
        let observers = self.shared.observers.read().clone();
        for observer in observers {
            let _called = catch_unwind(AssertUnwindSafe(|| observer(&room, &user, is_typing)));
        }
        let channel = room.channel();
        let json = json!({ "user_id": user, "typing": is_typing });
        let event = Message::text(json.to_string()).key(format!("typing:{user}"));
        let event = MessageHeader::new("typing")
            .room(room)
            .user(user)
            .ephemeral()
            .attach_to(event);
        let hub = &self.shared.hub;
        // A room without a channel has nobody to tell, and one with a full backlog has news of
        // more weight.
        let _published = hub.prepare(&channel, event).except(from).publish();
    }

    fn shard(&self, room: &RoomId) -> &Mutex<Shard> {
        let hash = self.shared.hasher.hash_one(room);
        let index = usize::try_from(hash % SHARDS as u64);
        &self.shared.shards[index.unwrap_or_default()]
    }
}

impl Shard {
    /// Looks at `most` places whose time may be over; says whether there may be more.
    fn expire(&mut self, now: Instant, most: usize) -> bool {
        let mut changes = Vec::new();
        let more = (0..most).all(|_| self.state.expire(now, &mut changes));
        for change in changes {
            self.news.push(change, None);
        }
        more
    }
}

impl fmt::Debug for Typing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typing")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

/// Parts that the rooms are spread over.
const SHARDS: usize = 16;

/// Places that are looked at under one lock.
const BATCH: usize = 256;
