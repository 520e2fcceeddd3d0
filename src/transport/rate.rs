//! How many commands a client may send, and how what all clients do is spread over time.

use std::num::NonZeroU32;
use std::time::Duration;
use std::time::Instant;

use crate::id::ClientId;

/// A number from 0 to 1 that differs from client to client and is always the same for one.
pub(super) fn spread(client: ClientId) -> f64 {
    let hash = client.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    hash as f64 / 2_f64.powi(32)
}

/// A bucket that holds one second's worth of commands and refills evenly.
#[derive(Debug)]
pub(super) struct CommandRate {
    per_command: Duration,
    burst: Duration,
    /// When the bucket will be full again; in the past when it is.
    full_at: Instant,
}

impl CommandRate {
    pub(super) fn per_second(commands: NonZeroU32, now: Instant) -> Self {
        let per_command = Duration::from_secs(1) / commands.get();
        Self {
            per_command,
            burst: Duration::from_secs(1),
            full_at: now,
        }
    }

    /// Takes one command out of the bucket, or says how long to wait for it.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + self.per_command;
        match full_at
            .saturating_duration_since(now)
            .checked_sub(self.burst)
        {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                self.full_at = full_at;
                Ok(())
            }
        }
    }
}
