//! Channels that nobody holds and that still remember something, by when they will have forgotten.

use std::cmp::Ordering as Comparison;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::hub::channel::Core;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// Channels that wait to be reclaimed, each once.
pub(super) struct Lingering {
    waiting: Mutex<BinaryHeap<Waiting>>,
    /// When the first of them is due; [`NEVER`] if none waits.
    next: AtomicU64,
}

const NEVER: u64 = u64::MAX;

struct Waiting {
    until: u64,
    channel: Arc<Core>,
}

impl Lingering {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            next: AtomicU64::new(NEVER),
        }
    }

    /// Has a channel wait.
    pub(super) fn add(&self, channel: &Arc<Core>, until: u64) {
        let mut waiting = self.waiting.lock();
        if channel.set_lingering(true) {
            return;
        }
        waiting.push(Waiting {
            until,
            channel: Arc::clone(channel),
        });
        self.note_next(&waiting);
    }

    /// A channel that has waited long enough, at the time that `now` tells.
    pub(super) fn next(&self, now: impl FnOnce() -> u64) -> Option<(Arc<Core>, u64)> {
        // Relaxed: a guess; who comes too early finds nothing, and who comes too late comes again.
        let next = self.next.load(Ordering::Relaxed);
        if next == NEVER {
            return None;
        }
        let now = now();
        if next >= now {
            return None;
        }
        let mut waiting = self.waiting.lock();
        if waiting.peek().is_none_or(|first| first.until >= now) {
            return None;
        }
        let first = waiting.pop()?;
        first.channel.set_lingering(false);
        self.note_next(&waiting);
        Some((first.channel, now))
    }

    /// Lets go of all.
    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.waiting.lock());
        drop(all);
    }

    fn note_next(&self, waiting: &BinaryHeap<Waiting>) {
        let next = waiting.peek().map_or(NEVER, |first| first.until);
        // Relaxed: as in `next`.
        self.next.store(next, Ordering::Relaxed);
    }
}

impl Ord for Waiting {
    /// The one that is due first is the greatest.
    fn cmp(&self, other: &Self) -> Comparison {
        other.until.cmp(&self.until)
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Comparison> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.until == other.until
    }
}

impl Eq for Waiting {}
