//! What wakes the task of a body, and notes since when it should be awake.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Wake;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;

use crate::time::Clock;
use crate::time::SystemClock;

/// Stands between an outbox and the task that writes what it holds.
#[derive(Debug)]
pub(super) struct Alarm {
    task: Mutex<Option<Waker>>,
    begin: Instant,
    /// Nanoseconds from `begin` to the first time it rang since it was set; 0 if it did not.
    rang: AtomicU64,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self {
            task: Mutex::new(None),
            begin: SystemClock::new().now(),
            rang: AtomicU64::new(0),
        }
    }

    /// Sets it for this task, before the task looks for what there is; gives when it rang, if it
    /// did.
    pub(super) fn set(&self, task: &Waker) -> Option<Instant> {
        *self.task.lock() = Some(task.clone());
        // Relaxed: a figure for people.
        match self.rang.swap(0, Ordering::Relaxed) {
            0 => None,
            nanos => Some(self.begin + Duration::from_nanos(nanos)),
        }
    }

    /// Wakes the task.
    pub(super) fn ring(&self) {
        // Relaxed: a figure for people.
        if self.rang.load(Ordering::Relaxed) == 0 {
            let nanos = SystemClock::new()
                .now()
                .duration_since(self.begin)
                .as_nanos();
            let nanos = u64::try_from(nanos).unwrap_or(u64::MAX).max(1);
            // Relaxed: as above; of two that ring at once either will do.
            self.rang.store(nanos, Ordering::Relaxed);
        }
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
