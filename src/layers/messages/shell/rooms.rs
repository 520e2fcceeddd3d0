//! Rooms as they are kept: what they are, and that they are no more.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use ahash::RandomState;
use parking_lot::Mutex;

use crate::layers::messages::error::MessageError;
use crate::layers::messages::error::OpenError;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::pending::Giver;
use crate::layers::messages::pending::Pending;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Written;
use crate::layers::name::RoomId;
use crate::layers::rooms::Snapshot;
use crate::layers::rooms::Stay;
use crate::time::Clock;
use crate::time::SystemClock;

use super::Inner;
use super::Messages;
use super::line::Line;

/// How many rooms are kept before others have their turn.
const MOST_SAVED: usize = 1000;

/// How long a removal that failed waits until it is tried again, and what is left of one until it
/// is freed.
const PAUSE: Duration = Duration::from_secs(1);

/// How long rooms wait to be kept while the queue is full of others.
const BREATH: Duration = Duration::from_millis(50);

/// How many rooms were kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Saved {
    /// So many, and that was all.
    All(usize),
    /// As many as may be at once.
    Most,
    /// As many as there was room for.
    Some,
}

/// The rooms that are gone and whose messages are still kept.
pub(super) struct Removals {
    line: Line,
    /// When the store is to free what they have left.
    tidy_at: Mutex<Option<Instant>>,
    rooms: Mutex<HashMap<RoomId, Removal, RandomState>>,
}

struct Removal {
    /// Nobody else has the id before the messages are gone.
    stay: Stay,
    /// If it failed: when it is to be tried again, and why.
    failed: Option<(Instant, StoreError)>,
    asked: Vec<Giver<Result<(), MessageError>>>,
}

impl Removals {
    pub(super) fn new(line: Line) -> Self {
        Self {
            tidy_at: Mutex::new(soon_after(&line)),
            line,
            rooms: Mutex::default(),
        }
    }

    /// Has what was sent to a room removed. The room's lock is held.
    fn begin(self: &Arc<Self>, room: &RoomId, stay: Stay) {
        let removal = Removal {
            stay,
            failed: None,
            asked: Vec::new(),
        };
        self.rooms.lock().insert(room.clone(), removal);
        self.remove(room.clone());
    }

    fn remove(self: &Arc<Self>, room: RoomId) {
        let change = Change::Room {
            room: room.clone(),
            snapshot: None,
        };
        let removals = Arc::clone(self);
        let then = move |written| removals.settle(&room, written);
        self.line.write(change, None, Box::new(then));
    }

    fn settle(&self, room: &RoomId, written: Result<Written, StoreError>) {
        let mut rooms = self.rooms.lock();
        match written {
            Ok(_) => {
                let Some(removal) = rooms.remove(room) else {
                    return;
                };
                drop(rooms);
                self.tidy_later();
                // Whoever makes a room then finds the id free.
                removal.stay.then(move || {
                    for giver in removal.asked {
                        giver.give(Ok(()));
                    }
                });
            }
            Err(error) => {
                let Some(removal) = rooms.get_mut(room) else {
                    return;
                };
                let retry_at = SystemClock::new().now() + PAUSE;
                removal.failed = Some((retry_at, error.clone()));
                let asked = std::mem::take(&mut removal.asked);
                drop(rooms);
                for giver in asked {
                    giver.give(Err(MessageError::Store(error.clone())));
                }
            }
        }
    }

    /// When there is something to do next.
    pub(super) fn next(&self) -> Option<Instant> {
        let rooms = self.rooms.lock();
        let retries = rooms
            .values()
            .filter_map(|it| it.failed.as_ref().map(|(at, _)| *at));
        retries.chain(*self.tidy_at.lock()).min()
    }

    /// Has the store free what is left, soon.
    pub(super) fn tidy_later(&self) {
        *self.tidy_at.lock() = soon_after(&self.line);
    }

    /// Whether it is time for the store to free what is left: said once.
    pub(super) fn is_tidy_due(&self, now: Instant) -> bool {
        let mut tidy_at = self.tidy_at.lock();
        let is_due = tidy_at.is_some_and(|at| at <= now);
        if is_due {
            *tidy_at = None;
        }
        is_due
    }

    /// Tries those again that failed, and have waited until `now`.
    pub(super) fn retry(self: &Arc<Self>, now: Instant) {
        let mut due = Vec::new();
        for (room, removal) in &mut *self.rooms.lock() {
            if removal.failed.as_ref().is_some_and(|(at, _)| *at <= now) {
                removal.failed = None;
                due.push(room.clone());
            }
        }
        for room in due {
            self.remove(room);
        }
    }

    fn removed(&self, room: &RoomId) -> Pending<Result<(), MessageError>> {
        match self.rooms.lock().get_mut(room) {
            Some(Removal {
                failed: Some((_, error)),
                ..
            }) => Pending::ready(Err(MessageError::Store(error.clone()))),
            Some(removal) => {
                let (giver, pending) = Pending::later();
                removal.asked.push(giver);
                pending
            }
            None => Pending::ready(Ok(())),
        }
    }
}

/// In a moment, if the store is one that leaves something to do later.
fn soon_after(line: &Line) -> Option<Instant> {
    match line {
        Line::Here(_) => None,
        Line::There(_) => Some(SystemClock::new().now() + PAUSE),
    }
}

impl Messages {
    /// Waits until what was sent to a room that was [deleted](crate::rooms::Rooms::delete) is
    /// removed, and its id can be had again; at once if nothing is to be. Until then the deletion
    /// may be undone by the end of the process: who acknowledges it waits for this.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] when it could not be removed. It is tried again until it is, once in
    /// a second; until then nobody else has the id.
    pub fn removed(&self, room: &RoomId) -> Pending<Result<(), MessageError>> {
        self.inner.removals.removed(room)
    }

    /// Loads the rooms that are kept, and has changes of rooms kept from now on.
    pub(super) fn restore(&self) -> Result<(), OpenError> {
        if self.crew.threads.is_none() {
            return Ok(());
        }
        let Inner { rooms, store, .. } = &*self.inner;
        rooms.track_changes();
        rooms.track_sends();
        let kept = store.rooms()?;
        let ids: Vec<_> = kept.iter().map(|(room, _)| room.clone()).collect();
        rooms.load(kept)?;
        for room in ids {
            // Messages that were sent are no changes of a room.
            rooms.count_on(&room, store.last_sequence(&room)?);
        }
        Ok(())
    }

    /// Has what was sent to a room removed with it.
    pub(super) fn follow_rooms(&self) {
        // No more than that: what is held in the middle of a room must not wait when it is let go.
        let weak = Arc::downgrade(&self.inner.removals);
        self.inner.rooms.on_removal(move |room, stay| {
            if let Some(removals) = weak.upgrade() {
                removals.begin(room, stay);
            }
        });
    }

    /// Keeps the rooms that have changed, if it is time to.
    pub(super) fn save_rooms(&self, now: Instant) {
        if self.crew.threads.is_none() {
            return;
        }
        let config = &self.inner.config;
        {
            let mut save_at = self.inner.save_at.lock();
            if save_at.is_none_or(|at| now < at) {
                return;
            }
            *save_at = now.checked_add(config.save_interval);
        }
        let saved = self.save_some(config.read_marker_save_interval);
        // There may be more: others have their turn, and the thread that writes as well.
        let next = match saved {
            Saved::All(_) => return,
            Saved::Most => now,
            Saved::Some => now + BREATH,
        };
        let mut save_at = self.inner.save_at.lock();
        *save_at = Some(save_at.map_or(next, |at| at.min(next)));
    }

    /// Keeps rooms, as long as there is room for them in the queue.
    fn save_some(&self, rest: Duration) -> Saved {
        let inner = &self.inner;
        let mut is_full = false;
        let mut save = |snapshot| {
            inner.keep_room(snapshot);
            is_full = inner.line.is_half_full();
            !is_full
        };
        match inner.rooms.save_changed(MOST_SAVED, rest, &mut save) {
            _ if is_full => Saved::Some,
            MOST_SAVED => Saved::Most,
            saved => Saved::All(saved),
        }
    }

    /// Keeps all rooms that have changed, and waits until all changes that were asked for are
    /// made. What fails is tried again as at any other time, not waited for. Parks the thread.
    pub fn flush(&self) {
        let Some(threads) = &self.crew.threads else {
            return;
        };
        let pass = || {
            let (giver, pending) = Pending::later();
            threads.writes().barrier(Box::new(move || giver.give(())));
            pending.wait();
        };
        self.inner.removals.retry(SystemClock::new().now() + PAUSE);
        // Relaxed: read after the thread that writes has passed, which orders it.
        let unkept = || self.inner.unkept.load(Ordering::Relaxed);
        // What fails comes again: one round without a failure, or one that fails, is the last.
        let before = unkept();
        loop {
            let saved = self.save_some(Duration::ZERO);
            pass();
            if saved == Saved::All(0) || unkept() != before {
                return;
            }
        }
    }
}

impl Inner {
    /// Keeps what a room is.
    pub(super) fn keep_room(&self, snapshot: Snapshot) {
        let Snapshot {
            room,
            bytes,
            keeping,
        } = snapshot;
        let change = Change::Room {
            room,
            snapshot: Some(bytes),
        };
        let unkept = Arc::clone(&self.unkept);
        let then = move |written: Result<Written, StoreError>| match written {
            Ok(_) => keeping.done(),
            Err(_) => {
                // Relaxed: whoever looks waits for the thread that writes, which orders it.
                unkept.fetch_add(1, Ordering::Relaxed);
            }
        };
        self.line.write(change, None, Box::new(then));
    }
}
