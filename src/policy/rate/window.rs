//! The sliding window, of two counters: the requests of the present window, and of those of the
//! window before it the part that the last `period` still covers, as if they had come evenly.
//!
//! # Accuracy
//!
//! Never more than `requests` pass in one window. In any other time of that length there may be
//! more, if those of the window before it did not come evenly: at most twice as many.
//!
//! The number of the window has 24 bits: a key that is unused for exactly that many windows, 194
//! days of seconds, is taken for a key that was used a moment ago.

use std::num::NonZeroU32;
use std::time::Duration;

/// The most requests in a window.
pub(crate) const MAX_REQUESTS: u32 = (1 << COUNT_BITS) - 1;

const COUNT_BITS: u32 = 20;
const WINDOWS: u64 = 1 << (u64::BITS - 2 * COUNT_BITS);

/// The most windows by which the time that a thread has read may be older than a state.
const LATE: u64 = 16;

/// A number of requests in any time of this length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlidingWindow {
    requests: u32,
    /// Length of a window, in nanoseconds; at least 1.
    period: u64,
}

/// A state, unpacked and brought up to the present time.
#[derive(Clone, Copy)]
struct Counts {
    window: u64,
    before: u32,
    now: u32,
    /// Time since the window began.
    elapsed: u64,
}

impl Counts {
    fn pack(self) -> u64 {
        let counts = u64::from(self.before) << COUNT_BITS | u64::from(self.now);
        self.window << (2 * COUNT_BITS) | counts
    }
}

impl SlidingWindow {
    pub(super) fn new(requests: NonZeroU32, period: Duration) -> Self {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        Self {
            requests: requests.get().min(MAX_REQUESTS),
            period: period.max(1),
        }
    }

    fn counts(&self, state: u64, now: u64) -> Counts {
        let count = |bits: u64| u32::try_from(bits & u64::from(MAX_REQUESTS)).unwrap_or(0);
        let (before, last) = (count(state >> COUNT_BITS), count(state));
        let stored = state >> (2 * COUNT_BITS);
        let window = now / self.period % WINDOWS;
        let elapsed = now % self.period;
        let counts = |window, before, now, elapsed| Counts {
            window,
            before,
            now,
            elapsed,
        };
        match window.wrapping_sub(stored) % WINDOWS {
            0 => counts(window, before, last, elapsed),
            1 => counts(window, last, 0, elapsed),
            // Another thread has read a later time, and was faster.
            past if past >= WINDOWS - LATE && state != 0 => counts(stored, before, last, 0),
            _ => counts(window, 0, 0, elapsed),
        }
    }

    /// Returns the requests that count, times the length of the window.
    fn used(&self, counts: Counts) -> u128 {
        let left = u128::from(self.period - counts.elapsed);
        u128::from(counts.before) * left + u128::from(counts.now) * u128::from(self.period)
    }

    fn limit(&self, requests: u32) -> u128 {
        u128::from(requests) * u128::from(self.period)
    }

    pub(super) fn take(&self, state: u64, now: u64) -> Result<u64, u64> {
        let counts = self.counts(state, now);
        if self.used(counts) + self.limit(1) <= self.limit(self.requests) {
            let now = counts.now + 1;
            return Ok(Counts { now, ..counts }.pack());
        }
        Err(self.wait(counts))
    }

    /// Returns the time until a request passes, given that none does now.
    fn wait(&self, counts: Counts) -> u64 {
        // The time in a window at which few enough of `before` requests are left: with `present`
        // ones, another one fits.
        let room_at = |before: u32, present: u32| {
            let room = self.limit(self.requests - present - 1) / u128::from(before.max(1));
            let covered = u64::try_from(room).unwrap_or(u64::MAX);
            self.period - covered.min(self.period)
        };
        if counts.now < self.requests {
            room_at(counts.before, counts.now).saturating_sub(counts.elapsed)
        } else {
            self.period - counts.elapsed + room_at(counts.now, 0)
        }
    }

    pub(super) fn give_back(&self, state: u64, now: u64) -> u64 {
        let mut counts = self.counts(state, now);
        if counts.now > 0 {
            counts.now -= 1;
        } else {
            counts.before = counts.before.saturating_sub(1);
        }
        counts.pack()
    }

    pub(super) fn remaining(&self, state: u64, now: u64) -> u32 {
        let used = self.used(self.counts(state, now));
        let left = self.limit(self.requests).saturating_sub(used);
        u32::try_from(left / u128::from(self.period)).unwrap_or(u32::MAX)
    }

    pub(super) fn busy_for(&self, state: u64, now: u64) -> u64 {
        let counts = self.counts(state, now);
        let left = self.period - counts.elapsed;
        match (counts.before, counts.now) {
            (0, 0) => 0,
            (_, 0) => left,
            _ => left.saturating_add(self.period),
        }
    }
}
