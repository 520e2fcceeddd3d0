//! Which rooms have changed, for whoever keeps them.
//!
//! A room is reached for writing through [`Watched`] alone, which notes that it was; so no verb can
//! forget to say that it has changed something.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::mem;
use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

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

    /// The room, for what is no change: a message that is sent, a marker that stays where it is.
    pub(super) fn unwatched(&mut self) -> &mut Room {
        &mut self.room
    }

    /// It has changed after all.
    pub(super) fn touch(&mut self) {
        self.is_touched = true;
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
    /// Whether sending is noted as well.
    are_sends: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// The rooms that were sent to, and since when; each once.
    sent: VecDeque<(Instant, Weak<Cell>)>,
    /// Those that are deleted, and nobody knows yet; an entry of one that is not in here is void.
    deleted: HashSet<RoomId, RandomState>,
}

enum Entry {
    /// By itself, not by its id: another room may have that by now. One that is gone is not kept,
    /// or its channel would be there for the next one.
    Changed(Weak<Cell>),
    Deleted(RoomId),
    /// As one that has changed.
    Sent(Weak<Cell>),
}

impl Changes {
    /// The next room, of those that were sent to after `rest`.
    fn next(&self, now: Instant, rest: Duration) -> Option<Entry> {
        let mut queue = self.queue.lock();
        if let Some(changed) = queue.entries.pop_front() {
            return Some(changed);
        }
        let (since, _) = queue.sent.front()?;
        if now.saturating_duration_since(*since) < rest {
            return None;
        }
        queue.sent.pop_front().map(|(_, cell)| Entry::Sent(cell))
    }

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

/// Whether a room was ever kept.
pub(super) enum Known {
    No,
    /// Somebody has been asked to; whether it was is to be seen.
    Asked(Asked),
    Yes,
}

/// Whether a room was kept, once that is known.
pub(crate) type Asked = Arc<OnceLock<bool>>;

/// What a room is, for whoever keeps it.
pub(crate) struct Snapshot {
    pub(crate) room: RoomId,
    pub(crate) bytes: Bytes,
    pub(crate) keeping: Keeping,
}

/// Somebody keeps a room. Unless they say that they have, the room counts as changed again.
pub(crate) struct Keeping {
    rooms: Rooms,
    cell: Weak<Cell>,
    asked: Asked,
}

impl Keeping {
    /// The room is kept, as it was.
    pub(crate) fn done(self) {
        // An error: it is said once, by this.
        let _said = self.asked.set(true);
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if self.asked.set(false).is_ok() {
            self.rooms.unkept(&self.cell);
        }
    }
}

impl Cell {
    /// What the room is, for whoever keeps it. The room's lock is held.
    fn ask(self: &Arc<Self>, rooms: &Rooms, state: &mut State) -> Snapshot {
        let asked = Asked::default();
        if !state.known.settled() {
            state.known = Known::Asked(Arc::clone(&asked));
        }
        Snapshot {
            room: state.room.id.clone(),
            bytes: state.room.snapshot(),
            keeping: Keeping {
                rooms: rooms.clone(),
                cell: Arc::downgrade(self),
                asked,
            },
        }
    }
}

impl Known {
    /// Whether it was kept, by what is known now.
    fn settled(&mut self) -> bool {
        if let Self::Asked(asked) = self {
            match asked.get() {
                None => return false,
                Some(true) => *self = Self::Yes,
                Some(false) => *self = Self::No,
            }
        }
        matches!(self, Self::Yes)
    }
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

    /// Has sending to a room noted as well from now on, for [`Rooms::save_changed`].
    pub(crate) fn track_sends(&self) {
        // Relaxed: what was sent before is not noted, whatever is seen of this.
        self.inner.changes.are_sends.store(true, Ordering::Relaxed);
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
    /// each room while it is locked: whatever is given of it later comes later. What is not kept
    /// then counts as changed again. Rooms that were only sent to come after them, `rest` after
    /// they were. Says how many were given; `save` says whether there may be more.
    pub(crate) fn save_changed(
        &self,
        most: usize,
        rest: Duration,
        save: &mut dyn FnMut(Snapshot) -> bool,
    ) -> usize {
        let now = self.inner.clock.now();
        let (mut saved, mut goes_on) = (0, true);
        while goes_on && saved < most {
            let Some(entry) = self.inner.changes.next(now, rest) else {
                break;
            };
            let mut save = |snapshot| goes_on = save(snapshot);
            match entry {
                Entry::Changed(cell) => saved += usize::from(self.saved(&cell, &mut save)),
                Entry::Deleted(room) => {
                    self.inner.changes.queue.lock().deleted.remove(&room);
                }
                Entry::Sent(cell) => {
                    if let Some(cell) = cell.upgrade() {
                        cell.state.lock().waits_as_sent = false;
                    }
                    saved += usize::from(self.saved(&cell, &mut save));
                }
            }
        }
        saved
    }

    fn saved(&self, cell: &Weak<Cell>, save: &mut dyn FnMut(Snapshot)) -> bool {
        let Some(cell) = cell.upgrade() else {
            return false;
        };
        let mut state = cell.state.lock();
        // Relaxed: it is noted before its entry, and the lock of the queue orders the two.
        let is_unkept = cell.is_unkept.swap(false, Ordering::Relaxed);
        // Before the snapshot or after it, but under the lock: what changes later is noted again.
        let is_changed = mem::take(&mut state.is_changed);
        let is_sent = mem::take(&mut state.is_sent);
        // Of two entries of one room, the second finds nothing to do.
        if state.is_gone || !(is_changed || is_unkept || is_sent) {
            return false;
        }
        save(cell.ask(self, &mut state));
        true
    }

    /// A room that was to be kept was not: it counts as changed. Called with any lock or none.
    fn unkept(&self, cell: &Weak<Cell>) {
        let is_noted = |cell: Arc<Cell>| {
            // Relaxed: see `saved`.
            cell.is_unkept.swap(true, Ordering::Relaxed)
        };
        if cell.upgrade().is_some_and(|cell| !is_noted(cell)) {
            let entry = Entry::Changed(Weak::clone(cell));
            self.inner.changes.queue.lock().entries.push_back(entry);
        }
    }

    fn taken(&self, entry: Entry) -> Option<(RoomId, Option<Bytes>)> {
        match entry {
            Entry::Changed(cell) | Entry::Sent(cell) => {
                let mut taken = None;
                self.saved(&cell, &mut |snapshot| {
                    // Whoever takes it keeps it.
                    snapshot.keeping.done();
                    taken = Some((snapshot.room, Some(snapshot.bytes)));
                });
                taken
            }
            Entry::Deleted(room) => {
                let is_news = self.inner.changes.queue.lock().deleted.remove(&room);
                is_news.then_some((room, None))
            }
        }
    }

    /// What a message in the room needs to be kept: that the room is. Gives the room, if somebody
    /// is to be asked to keep it, before the message; and what is to be waited for, if somebody
    /// has been. Nothing unless changes are noted. The room's lock is held.
    pub(super) fn needed(
        &self,
        cell: &Arc<Cell>,
        state: &mut State,
    ) -> (Option<Snapshot>, Option<Asked>) {
        if !self.inner.changes.is_on() || state.known.settled() {
            return (None, None);
        }
        if let Known::Asked(asked) = &state.known {
            return (None, Some(Arc::clone(asked)));
        }
        {
            // One that had the id is not told of after this one.
            let mut queue = self.inner.changes.queue.lock();
            queue.deleted.remove(&state.room.id);
        }
        let snapshot = cell.ask(self, state);
        let asked = Arc::clone(&snapshot.keeping.asked);
        (Some(snapshot), Some(asked))
    }

    /// After something was done with a room: notes that it has changed, if it has.
    pub(super) fn settle(&self, cell: &Arc<Cell>, state: &mut State, is_done: bool) {
        // One that refuses something has not changed.
        if mem::take(&mut state.room.is_touched) && is_done {
            self.changed(cell, state);
        }
    }

    /// Notes that a room was sent to, once until it is taken.
    pub(super) fn sent(&self, cell: &Arc<Cell>, state: &mut State) {
        // Relaxed: see `track_sends`.
        if !self.inner.changes.are_sends.load(Ordering::Relaxed) {
            return;
        }
        state.is_sent = true;
        if !mem::replace(&mut state.waits_as_sent, true) {
            let entry = (self.inner.clock.now(), Arc::downgrade(cell));
            self.inner.changes.queue.lock().sent.push_back(entry);
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
