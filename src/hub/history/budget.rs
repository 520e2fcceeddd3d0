//! What all channels of a hub may remember together.

use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// The bytes that all channels of a hub remember, and may remember.
#[derive(Debug)]
pub(in crate::hub) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    pub(in crate::hub) fn new(limit: usize) -> Self {
        Self {
            limit: limit as u64,
            used: AtomicU64::new(0),
        }
    }

    /// One channel remembers `now` bytes instead of `before`.
    #[inline]
    pub(in crate::hub) fn change(&self, before: u64, now: u64) {
        let more = now.wrapping_sub(before);
        if more != 0 {
            // Relaxed: a bound by count. Each channel and frame adds and takes only its own.
            self.used.fetch_add(more, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }

    pub(in crate::hub) fn used(&self) -> u64 {
        // Relaxed: as above.
        self.used.load(Ordering::Relaxed)
    }
}
