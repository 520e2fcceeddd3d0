//! Channels by when something is due with them, so that nobody ever looks through all of them.
//!
//! A hub has two: one of the channels that remember something, by when the oldest of it is too old,
//! and one of those that nobody holds, by when they are to be reclaimed.

use std::cmp::Ordering as Comparison;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::Weak;

use crate::hub::channel::Core;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// Channels that something is due with at some time, in milliseconds since the hub began.
pub(super) struct Agenda {
    waiting: Mutex<BinaryHeap<Waiting>>,
    /// When the first of them is due; [`NEVER`] if none waits.
    next: AtomicU64,
    /// Where a channel notes that it waits.
    note: fn(&Core) -> &Due,
}

/// A time that does not come.
pub(super) const NEVER: u64 = u64::MAX;

/// When a channel that waits in an agenda is due there; zero if it does not wait.
#[derive(Debug, Default)]
pub(super) struct Due(AtomicU64);

struct Waiting {
    due: u64,
    /// A channel that has gone is not kept for this.
    channel: Weak<Core>,
}

impl Agenda {
    pub(super) fn new(note: fn(&Core) -> &Due) -> Self {
        Self {
            waiting: Mutex::default(),
            next: AtomicU64::new(NEVER),
            note,
        }
    }

    /// Has a channel wait until `due`, unless it waits for no longer already. Takes the lock only
    /// if it does not.
    pub(super) fn add(&self, channel: &Arc<Core>, due: u64) {
        let due = due.max(1);
        let Due(note) = (self.note)(channel);
        let waits = |noted: u64| noted != 0 && noted <= due;
        // AcqRel: what the caller has noted for the one who comes when the channel is due is seen
        // by that one, who takes the note down with a read-modify-write too: either it reads from
        // this one, or this one finds nothing noted.
        if due == NEVER || waits(note.fetch_add(0, Ordering::AcqRel)) {
            return;
        }
        let mut waiting = self.waiting.lock();
        // Relaxed: it is written under the lock.
        if waits(note.load(Ordering::Relaxed)) {
            return;
        }
        // Should it wait for longer already, that entry is passed over when its time comes.
        // Relaxed: as above.
        note.store(due, Ordering::Relaxed);
        waiting.push(Waiting {
            due,
            channel: Arc::downgrade(channel),
        });
        self.note_next(&waiting);
    }

    /// A channel that is due before the time that `now` tells.
    pub(super) fn next(&self, now: impl FnOnce() -> u64) -> Option<Arc<Core>> {
        // Relaxed: a guess; who comes too early finds nothing, and who comes too late comes again.
        let next = self.next.load(Ordering::Relaxed);
        if next == NEVER {
            return None;
        }
        let now = now();
        if next >= now {
            return None;
        }
        let (channel, _) = self.take(|first| first.due < now)?;
        Some(channel)
    }

    /// The channel that is due first, and when.
    pub(super) fn first(&self) -> Option<(Arc<Core>, u64)> {
        self.take(|_| true)
    }

    /// The first, if `is_wanted`; those that do not wait for that any more are passed over.
    fn take(&self, is_wanted: impl Fn(&Waiting) -> bool) -> Option<(Arc<Core>, u64)> {
        // Dropped after the lock: with the last owner of a channel goes what it remembers.
        let mut passed_over = Vec::new();
        let mut waiting = self.waiting.lock();
        let mut found = None;
        while found.is_none() && waiting.peek().is_some_and(&is_wanted) {
            let Some(first) = waiting.pop() else { break };
            let Some(channel) = first.channel.upgrade() else {
                continue;
            };
            if self.strike(&channel, first.due) {
                found = Some((channel, first.due));
            } else {
                passed_over.push(channel);
            }
        }
        self.note_next(&waiting);
        found
    }

    /// Notes that a channel does not wait any more, if this is what it waits for.
    fn strike(&self, channel: &Core, due: u64) -> bool {
        let Due(note) = (self.note)(channel);
        // Relaxed: it is written under the lock, which the caller has.
        let is_this = note.load(Ordering::Relaxed) == due;
        if is_this {
            // AcqRel: see `add`.
            note.swap(0, Ordering::AcqRel);
        }
        is_this
    }

    fn note_next(&self, waiting: &BinaryHeap<Waiting>) {
        let next = waiting.peek().map_or(NEVER, |first| first.due);
        // Relaxed: as in `next`.
        self.next.store(next, Ordering::Relaxed);
    }
}

impl Ord for Waiting {
    /// The one that is due first is the greatest.
    fn cmp(&self, other: &Self) -> Comparison {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Comparison> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiting {}
