//! The token bucket, as the generic cell rate algorithm (ITU-T I.371): the state is the time at
//! which the bucket is full again.

use std::num::NonZeroU32;
use std::time::Duration;

/// A bucket that holds `burst` requests and refills evenly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    /// Time in which one request flows back, in nanoseconds; at least 1.
    per_request: u64,
    /// Time in which an empty bucket is full, in nanoseconds.
    whole: u64,
}

impl TokenBucket {
    pub(super) fn new(requests: NonZeroU32, period: Duration, burst: NonZeroU32) -> Self {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        let per_request = (period / u64::from(requests.get())).max(1);
        Self {
            per_request,
            whole: per_request.saturating_mul(burst.get().into()),
        }
    }

    pub(super) fn take(&self, full_at: u64, now: u64) -> Result<u64, u64> {
        let full_at = full_at.max(now).saturating_add(self.per_request);
        match (full_at - now).saturating_sub(self.whole) {
            0 => Ok(full_at),
            wait => Err(wait),
        }
    }

    pub(super) fn give_back(&self, full_at: u64) -> u64 {
        full_at.saturating_sub(self.per_request)
    }

    pub(super) fn remaining(&self, full_at: u64, now: u64) -> u32 {
        let left = self.whole.saturating_sub(full_at.saturating_sub(now));
        u32::try_from(left / self.per_request).unwrap_or(u32::MAX)
    }
}
