//! The messages of rooms: who may, what is kept, and who is told.

mod change;
mod clean;
mod line;
mod read;
mod rooms;
mod send;

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use parking_lot::Mutex;

use crate::layers::messages::config::MessagesConfig;
use crate::layers::messages::error::MessageError;
use crate::layers::messages::error::OpenError;
use crate::layers::messages::pending::Giver;
use crate::layers::messages::pending::Pending;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Written;
use crate::layers::messages::writer::Lane;
use crate::layers::messages::writer::Then;
use crate::layers::messages::writer::Threads;
use crate::layers::name::RoomId;
use crate::layers::rooms::Rooms;
use crate::layers::rooms::Stay;
use crate::time::Clock;
use crate::time::SystemClock;

use self::line::Line;
use self::rooms::Removals;

pub use self::read::Unread;
pub use self::send::OutgoingMessage;

/// The messages of rooms, kept. A cheap clone.
///
/// Whoever is told that a message was sent can rely on its being kept, as far as the
/// [store](MessageStore) promises; it is published only then. Where the store blocks, threads of
/// this layer wait for it, and answers are [`Pending`] meanwhile; else they are there at once.
///
/// ```
/// use throng::{Actor, Hub, Message, UserId};
/// use throng::messages::{MemoryLimits, MemoryStore, MessageQuery, Messages};
/// use throng::messages::{MessagesConfig, OutgoingMessage};
/// use throng::rooms::{RoomOptions, Rooms, RoomsConfig};
///
/// let hub = Hub::new();
/// let rooms = Rooms::new(&hub, RoomsConfig::new(), |_: &UserId| Vec::new());
/// let store = MemoryStore::new(MemoryLimits::new());
/// let messages = Messages::new(&rooms, store, MessagesConfig::new())?;
///
/// let ada = Actor::User(UserId::parse("ada")?);
/// let room = rooms.create(&ada, RoomOptions::new("Lobby"))?.id;
/// let sent = messages.send(&ada, &room, OutgoingMessage::new(Message::text("hello"))).wait()?;
/// messages.edit(&ada, &room, sent.id, Message::text("hello, all")).wait()?;
/// let page = messages.page(&ada, MessageQuery::room(room)).wait()?;
/// assert_eq!((page.messages.len(), page.messages[0].edits), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Order
///
/// The messages of a room are kept and published in the order of their numbers. What happens to a
/// message later (edits, reactions) is published after it, each in the order in which it was kept.
/// Changes that were asked for one after the other are made in that order.
///
/// # Loss
///
/// A number whose message could not be kept is not given again: numbers of a room can have holes.
///
/// # Closing
///
/// Dropping the last clone waits, parking the thread, until all that was asked for is done: every
/// change that waits is written. Rooms that have changed since they were last kept are kept by
/// [`Messages::flush`] only.
#[derive(Clone)]
pub struct Messages {
    /// Before what they work on: when the last owner drops it they are awaited, so that nothing is
    /// in use any more.
    crew: Arc<Crew>,
    inner: Arc<Inner>,
}

/// The threads that wait for the store, which do not own themselves.
struct Crew {
    /// If the store blocks.
    threads: Option<Threads>,
    /// For searches, which look at much: made for the first one.
    searches: OnceLock<Option<Threads>>,
}

struct Inner {
    rooms: Rooms,
    store: Arc<dyn MessageStore>,
    line: Line,
    removals: Arc<Removals>,
    config: MessagesConfig,
    /// How often a room was not kept.
    unkept: Arc<AtomicU64>,
    /// When to do what; `None` for never.
    clean_at: Mutex<Option<Instant>>,
    save_at: Mutex<Option<Instant>>,
}

impl Messages {
    /// The messages of these rooms, in this store. If that blocks, it is taken to outlive this
    /// process: the rooms that it knows are [loaded](Rooms::load), and what changes of rooms is
    /// kept in it, at most [`MessagesConfig::save_interval`] later, and before any message.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the store cannot be read, a room that it has cannot be loaded, or the
    /// threads cannot be started.
    pub fn new(
        rooms: &Rooms,
        store: impl MessageStore,
        config: MessagesConfig,
    ) -> Result<Self, OpenError> {
        let store: Arc<dyn MessageStore> = Arc::new(store);
        let threads = store
            .blocks()
            .then(|| Threads::start(Some(&store), config.readers, (&config).into()))
            .transpose()?;
        let line = match &threads {
            Some(threads) => Line::There(threads.writes().clone()),
            None => Line::Here(Arc::clone(&store)),
        };
        let now = SystemClock::new().now();
        let clean_at = now.checked_add(config.cleanup_interval);
        let save_at = now.checked_add(config.save_interval);
        let messages = Self {
            crew: Arc::new(Crew {
                threads,
                searches: OnceLock::new(),
            }),
            inner: Arc::new(Inner {
                rooms: rooms.clone(),
                store,
                removals: Arc::new(Removals::new(line.clone())),
                line,
                config,
                unkept: Arc::default(),
                clean_at: Mutex::new(clean_at),
                save_at: Mutex::new(save_at),
            }),
        };
        messages.restore()?;
        messages.follow_rooms();
        Ok(messages)
    }

    /// How messages are kept.
    #[must_use]
    pub fn config(&self) -> &MessagesConfig {
        &self.inner.config
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn MessageStore {
        &*self.inner.store
    }

    /// How many changes wait for the store.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let threads = self.crew.threads.as_ref();
        threads.map_or(0, |threads| threads.writes().waiting())
    }
}

impl Inner {
    /// Makes a change, here or on the thread that writes.
    fn write(&self, change: Change, then: Then) {
        self.line.write(change, None, then);
    }

    /// Makes a change, and gives what `then` makes of it.
    fn change<T: Send + 'static>(
        &self,
        change: Change,
        giver: Giver<Result<T, MessageError>>,
        then: impl FnOnce(Written) -> T + Send + 'static,
    ) {
        self.write(
            change,
            Box::new(move |written| {
                giver.give(written.map(then).map_err(MessageError::of_change));
            }),
        );
    }
}

impl Messages {
    /// Does something that may have to wait for the store, here or on a thread that reads.
    fn later<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Inner>, Giver<Result<T, MessageError>>) + Send + 'static,
    ) -> Pending<Result<T, MessageError>> {
        self.on(Threads::reads, work)
    }

    /// Does something that takes its time, on a thread that does nothing else.
    fn keep_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Inner>, Giver<Result<T, MessageError>>) + Send + 'static,
    ) -> Pending<Result<T, MessageError>> {
        self.on(Threads::upkeep, work)
    }

    fn on<T: Send + 'static>(
        &self,
        lane: impl FnOnce(&Threads) -> &Lane,
        work: impl FnOnce(&Arc<Inner>, Giver<Result<T, MessageError>>) + Send + 'static,
    ) -> Pending<Result<T, MessageError>> {
        let (giver, pending) = Pending::later();
        let Some(threads) = &self.crew.threads else {
            work(&self.inner, giver);
            return pending;
        };
        let inner = Arc::clone(&self.inner);
        match lane(threads).ask(Box::new(move || work(&inner, giver))) {
            Ok(()) => pending,
            Err(error) => Pending::ready(Err(MessageError::Store(error))),
        }
    }

    /// Asks the store something that may take long even where it does not block; other questions
    /// do not wait for it.
    fn look_for<T: Send + 'static>(
        &self,
        stays: Vec<Stay>,
        ask: impl FnOnce(&Inner) -> Result<T, MessageError> + Send + 'static,
    ) -> Pending<Result<T, MessageError>> {
        let most = (&self.inner.config).into();
        let threads = || Threads::start(None, 1, most).ok();
        let Some(threads) = self.crew.searches.get_or_init(threads) else {
            // Slower for others, but no less right.
            return Pending::ready(ask(&self.inner));
        };
        let (giver, pending) = Pending::later();
        let inner = Arc::clone(&self.inner);
        let read = move || {
            let found = ask(&inner);
            drop(stays);
            giver.give(found);
        };
        match threads.reads().ask(Box::new(read)) {
            Ok(()) => pending,
            Err(error) => Pending::ready(Err(MessageError::Store(error))),
        }
    }

    /// Asks the store something about rooms that stay what they are meanwhile.
    fn ask<T: Send + 'static>(
        &self,
        stays: Vec<Stay>,
        ask: impl FnOnce(&Inner) -> Result<T, MessageError> + Send + 'static,
    ) -> Pending<Result<T, MessageError>> {
        if self.crew.threads.is_none() {
            return Pending::ready(ask(&self.inner));
        }
        self.later(move |inner, giver| {
            let found = ask(inner);
            drop(stays);
            giver.give(found);
        })
    }

    /// Has rooms stay what they are, before anybody is asked whether an actor may read them; those
    /// that are not there are not to be read either.
    fn stays(&self, rooms: &[RoomId]) -> Vec<Stay> {
        let stays = rooms.iter().map(|room| self.inner.rooms.stay(room));
        stays.filter_map(Result::ok).collect()
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
