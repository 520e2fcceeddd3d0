//! The clock, so that everything else is told the time.
//!
//! No other file calls `Instant::now()`: a test hands the hub a [`ManualClock`] and moves it.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use parking_lot::Mutex;

/// Tells the time to a hub.
///
/// Time never goes back: each call returns an instant no earlier than any before it.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Instant;

    /// The time of day: what has elapsed since 1970 began, in UTC without leap seconds. Unlike
    /// [`Clock::now`] it may jump, as when a machine wakes up, or learns what time it is. `None`,
    /// which is the default, if it is not known: then the time of day goes on from what it was in
    /// the beginning, by the clock of the system, as [`Clock::now`] does.
    fn unix_time(&self) -> Option<Duration> {
        None
    }
}

/// Returns whole milliseconds; [`u64::MAX`] for more than fit.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// The clock of the operating system.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl SystemClock {
    /// The time of day: what has elapsed since 1970 began, in UTC without leap seconds.
    ///
    /// It is for people and may jump; a clock that is set before 1970 shows 1970.
    pub(crate) fn since_unix_epoch(self) -> Duration {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn unix_time(&self) -> Option<Duration> {
        Some(self.since_unix_epoch())
    }
}

/// A clock that stands still until it is moved; clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<Mutex<Instant>>,
}

impl ManualClock {
    /// A clock that shows the present instant and stands still.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        *self.now.lock() += by;
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        *self.now.lock()
    }
}
