//! The time of day, by which credentials expire.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::layers::Timestamp;
use crate::time::Clock;
use crate::time::SystemClock;

/// The time of day of a [`Clock`].
#[derive(Clone)]
pub(crate) struct TimeOfDay {
    clock: Arc<dyn Clock>,
    /// From here a clock that does not know the time of day is counted on.
    start: Instant,
    started_at: Duration,
}

impl TimeOfDay {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let start = clock.now();
        let started_at = SystemClock::new().since_unix_epoch();
        Self {
            start,
            started_at,
            clock,
        }
    }

    /// Returns the time since 1970 began.
    pub(crate) fn unix(&self) -> Duration {
        let elapsed = || self.clock.now().saturating_duration_since(self.start);
        let unix = self.clock.unix_time();
        unix.unwrap_or_else(|| self.started_at.saturating_add(elapsed()))
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::since_unix_epoch(self.unix())
    }

    /// Returns the present instant, which never goes back.
    pub(crate) fn instant(&self) -> Instant {
        self.clock.now()
    }
}

impl Default for TimeOfDay {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock::new()))
    }
}

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeOfDay").field(&self.now()).finish()
    }
}
