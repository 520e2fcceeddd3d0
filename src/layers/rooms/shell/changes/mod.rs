//! Which rooms have changed, for whoever keeps them.
//!
//! A room is reached for writing through [`Watched`] alone, which notes that it was; so no verb can
//! forget to say that it has changed something.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use ahash::RandomState;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::layers::name::RoomId;
use crate::layers::rooms::room::Room;

use super::Cell;
use super::Rooms;
use super::State;

/// A room that notes whether it was reached for writing.
pub(super) struct Watched {
    room: Room,
    is_touched: bool,
}

impl Watched {
    pub(super) fn new(room: Room) -> Self {
        let is_touched = false;
        Self { room, is_touched }
    }

    /// The room, for what is kept elsewhere: that a message was sent.
    pub(super) fn unwatched(&mut self) -> &mut Room {
        &mut self.room
    }
}

impl Deref for Watched {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room
    }
}

impl DerefMut for Watched {
    fn deref_mut(&mut self) -> &mut Room {
        self.is_touched = true;
        &mut self.room
    }
}

/// The rooms that have changed since they were last taken.
#[derive(Default)]
pub(super) struct Changes {
    is_on: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// Those that are deleted, and nobody knows yet; an entry of one that is not in here is void.
    deleted: HashSet<RoomId, RandomState>,
}

enum Entry {
    /// By itself, not by its id: another room may have that by now. One that is gone is not kept,
    /// or its channel would be there for the next one.
    Changed(Weak<Cell>),
    Deleted(RoomId),
}

impl Changes {
    fn is_on(&self) -> bool {
        // Relaxed: see `track_changes`, where the locks of the table and of the rooms order it.
        self.is_on.load(Ordering::Relaxed)
    }

    /// Notes that a room is no more, before another one can have its id.
    pub(super) fn deleted(&self, room: &RoomId) {
        if self.is_on() {
            let mut queue = self.queue.lock();
            queue.deleted.insert(room.clone());
            queue.entries.push_back(Entry::Deleted(room.clone()));
        }
    }
}

/// A room that has to be kept before a message in it is.
pub(super) struct Unsaved {
    /// Whether another room had its id, which has to be forgotten before.
    #[cfg_attr(not(test), expect(dead_code, reason = "who observes rooms knows"))]
    pub(super) is_another: bool,
    pub(super) snapshot: Bytes,
}

impl Rooms {
    /// Has changes of rooms noted from now on, for [`Rooms::take_changed`]; all rooms that there
    /// are count as changed. Off unless called, and then costs nothing. Called before rooms are
    /// [loaded](Rooms::load), so that none of these is deleted unnoticed.
    ///
    /// Somebody has to take them then: what waits to be taken is one entry for each room that has
    /// changed and for each that was deleted.
    pub fn track_changes(&self) {
        // Relaxed: whoever changes a room reads it under the room's lock. If it does so before we
        // have that lock below, we note the room; if after, it sees this. One that comes into the
        // table after we have looked there sees this by the lock of the table.
        self.inner.changes.is_on.store(true, Ordering::Relaxed);
        for shard in &self.inner.shards {
            let cells: Vec<_> = shard.read().values().map(Arc::clone).collect();
            for cell in cells {
                self.changed(&cell, &mut cell.state.lock());
            }
        }
    }

    /// Takes what has changed since it was last taken, those rooms first that have waited longest,
    /// at most `most`: which room, and the snapshot that [`Rooms::load`] makes it of again; `None`
    /// if it was deleted. Everything counts but messages sent and presence; a room that was changed
    /// often is given once.
    ///
    /// What is given is not given again, so it is to be kept in this order, and before what is
    /// taken later. A room that was deleted and made anew is given as deleted first.
    #[must_use]
    pub fn take_changed(&self, most: usize) -> Vec<(RoomId, Option<Bytes>)> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(entry) = self.inner.changes.queue.lock().entries.pop_front() else {
                break;
            };
            taken.extend(self.taken(entry));
        }
        taken
    }

    /// Gives what has changed as [`Rooms::take_changed`] does, but for rooms that were deleted, and
    /// each room while it is locked: whatever is given of it later comes later. Says how many.
    pub(crate) fn save_changed(&self, most: usize, save: &mut dyn FnMut(&RoomId, Bytes)) -> usize {
        let mut saved = 0;
        while saved < most {
            let Some(entry) = self.inner.changes.queue.lock().entries.pop_front() else {
                break;
            };
            match entry {
                Entry::Changed(cell) => saved += usize::from(Self::saved(&cell, save)),
                Entry::Deleted(room) => {
                    self.inner.changes.queue.lock().deleted.remove(&room);
                }
            }
        }
        saved
    }

    fn saved(cell: &Weak<Cell>, save: &mut dyn FnMut(&RoomId, Bytes)) -> bool {
        let Some(cell) = cell.upgrade() else {
            return false;
        };
        let mut state = cell.state.lock();
        // Before the snapshot or after it, but under the lock: what changes later is noted again.
        state.is_changed = false;
        if state.is_gone {
            return false;
        }
        state.is_known = true;
        save(&state.room.id, state.room.snapshot());
        true
    }

    fn taken(&self, entry: Entry) -> Option<(RoomId, Option<Bytes>)> {
        match entry {
            Entry::Changed(cell) => {
                let mut taken = None;
                Self::saved(&cell, &mut |room, snapshot| {
                    taken = Some((room.clone(), Some(snapshot)));
                });
                taken
            }
            Entry::Deleted(room) => {
                let is_news = self.inner.changes.queue.lock().deleted.remove(&room);
                is_news.then_some((room, None))
            }
        }
    }

    /// The room, if changes are noted and it was never yet taken; it counts as taken from now on.
    /// The room's lock is held. Whoever keeps a message keeps this before it, so that no message is
    /// kept of which the room is not known; what was taken, too, is to be kept before it.
    pub(super) fn unsaved(&self, state: &mut State) -> Option<Unsaved> {
        if state.is_known || !self.inner.changes.is_on() {
            return None;
        }
        state.is_known = true;
        let is_another = {
            let mut queue = self.inner.changes.queue.lock();
            queue.deleted.remove(&state.room.id)
        };
        Some(Unsaved {
            is_another,
            snapshot: state.room.snapshot(),
        })
    }

    /// After something was done with a room: notes that it has changed, if it has.
    pub(super) fn settle(&self, cell: &Arc<Cell>, state: &mut State, is_done: bool) {
        // One that refuses something has not changed.
        if std::mem::take(&mut state.room.is_touched) && is_done {
            self.changed(cell, state);
        }
    }

    /// Notes that a room has changed, once until it is taken.
    pub(super) fn changed(&self, cell: &Arc<Cell>, state: &mut State) {
        state.room.is_touched = false;
        if self.inner.changes.is_on() && !state.is_changed && !state.is_gone {
            state.is_changed = true;
            let entry = Entry::Changed(Arc::downgrade(cell));
            self.inner.changes.queue.lock().entries.push_back(entry);
        }
    }
}

#[cfg(test)]
mod tests;
