//! Clients that are given a grace, by when it ends.
//!
//! A publisher that has a client fall behind leaves it here without waiting; whoever sweeps the hub
//! disconnects those whose time is over, so that a grace ends although nothing is published any
//! more.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::Weak;

use crossbeam_queue::SegQueue;

use crate::hub::client::ClientCore;
use crate::id::ClientId;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// The clients of a hub that are given a grace. Each is in here once.
pub(super) struct Graces {
    /// Those that have just fallen behind.
    begun: SegQueue<Weak<ClientCore>>,
    /// The others, by when to look at them again, in milliseconds since the hub began.
    waiting: Mutex<BinaryHeap<Reverse<Waiting>>>,
    /// When the first of them is due; `u64::MAX` if none waits.
    next: AtomicU64,
}

struct Waiting {
    due: u64,
    id: ClientId,
    client: Weak<ClientCore>,
}

impl Graces {
    pub(super) fn new() -> Self {
        Self {
            begun: SegQueue::new(),
            waiting: Mutex::default(),
            next: AtomicU64::new(u64::MAX),
        }
    }

    /// A client that is not in here has fallen behind. Never waits.
    pub(super) fn begin(&self, client: &Arc<ClientCore>) {
        self.begun.push(Arc::downgrade(client));
    }

    /// A client whose grace may be over, and that is not in here any more.
    pub(super) fn next(&self, now: impl FnOnce() -> u64) -> Option<Arc<ClientCore>> {
        // Relaxed: a guess; who comes too late comes again.
        if self.begun.is_empty() && self.next.load(Ordering::Relaxed) == u64::MAX {
            return None;
        }
        let now = now();
        // Dropped after the lock.
        let mut gone = Vec::new();
        let mut waiting = self.waiting.lock();
        while let Some(client) = self.begun.pop() {
            let Some(core) = client.upgrade() else {
                continue;
            };
            waiting.push(Reverse(Waiting {
                due: core.queue.grace_ends(),
                id: core.id,
                client,
            }));
            gone.push(core);
        }
        let mut found = None;
        while found.is_none()
            && waiting
                .peek()
                .is_some_and(|Reverse(first)| first.due <= now)
        {
            let Some(Reverse(mut first)) = waiting.pop() else {
                break;
            };
            let Some(core) = first.client.upgrade() else {
                continue;
            };
            let due = core.queue.grace_ends();
            if due > first.due {
                // It has caught up meanwhile, and fallen behind again.
                first.due = due;
                waiting.push(Reverse(first));
                gone.push(core);
            } else {
                found = Some(core);
            }
        }
        let next = waiting.peek().map_or(u64::MAX, |Reverse(first)| first.due);
        // Relaxed: as above.
        self.next.store(next, Ordering::Relaxed);
        drop(waiting);
        drop(gone);
        found
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.id).cmp(&(other.due, other.id))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.id) == (other.due, other.id)
    }
}

impl Eq for Waiting {}
