//! The rate of commands: so many in a second, and a second's worth at once.
//!
//! A connection has a bucket of its own. Callers without one, those of the REST API and the
//! application, share a bucket by origin, user and address. Requests of a resumed session are not
//! counted: they were, when they were made.
//!
//! # Memory
//!
//! 16 bytes for each connection. The buckets of other callers are in a table of 128 KiB, whatever
//! comes: of more than 8 callers that meet in one set of it, the one that has used least of its
//! bucket loses what is counted of it. So a flood of callers can loosen the limit, never take
//! memory.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use ahash::RandomState;
use parking_lot::Mutex;

use crate::code::ErrorCode;
use crate::disconnect::Disconnect;
use crate::protocol::Fault;
use crate::protocol::Request;
use crate::session::Actions;
use crate::session::Caller;
use crate::session::Meter;
use crate::session::Origin;
use crate::session::Policy;
use crate::session::Verdict;
use crate::time::Clock;

/// A bucket for each caller that holds one second's worth of commands and refills evenly.
pub(crate) struct CommandRate {
    clock: Arc<dyn Clock>,
    /// Time is counted from here.
    since: Instant,
    /// What one command takes out of a bucket, in nanoseconds.
    per_command: u64,
    max_rate_limited: Option<NonZeroU32>,
    others: Box<[Mutex<Set>]>,
    hasher: RandomState,
}

/// Buckets of callers that have none of their own.
type Set = [Bucket; WAYS];

#[derive(Clone, Copy, Default)]
struct Bucket {
    /// The hash of the caller.
    caller: u64,
    /// When it is full again; in the past when it is.
    full_at: u64,
}

/// The high bits of a hash choose the set.
const SHIFT: u32 = 54;
const SETS: usize = 1 << (64 - SHIFT);
const WAYS: usize = 8;

/// What a bucket holds, in nanoseconds.
const BURST: u64 = 1_000_000_000;

impl CommandRate {
    pub(crate) fn per_second(
        commands: NonZeroU32,
        max_rate_limited: Option<NonZeroU32>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            since: clock.now(),
            clock,
            per_command: BURST / u64::from(commands.get()),
            max_rate_limited,
            others: (0..SETS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    fn now(&self) -> u64 {
        let elapsed = self.clock.now().saturating_duration_since(self.since);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes one command out of a bucket that is full again at `full_at`: when it will be full
    /// then, or how long to wait.
    fn take(&self, full_at: u64, now: u64) -> Result<u64, Duration> {
        let full_at = full_at.max(now).saturating_add(self.per_command);
        match (full_at - now).saturating_sub(BURST) {
            0 => Ok(full_at),
            wait => Err(Duration::from_nanos(wait)),
        }
    }

    fn take_own(&self, meter: &Meter, now: u64) -> Result<(), Duration> {
        let mut wait = Duration::ZERO;
        let take = |full_at| {
            let taken = self.take(full_at, now);
            taken.map_err(|more| wait = more).ok()
        };
        // Relaxed: a number that nothing else is concluded from.
        let relaxed = Ordering::Relaxed;
        match meter.full_at.fetch_update(relaxed, relaxed, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(wait),
        }
    }

    fn take_other(&self, caller: &Caller<'_>, now: u64) -> Result<(), Duration> {
        let client = caller.client().map(|client| client.id());
        let who = (caller.origin(), client, caller.user(), caller.address());
        let hash = self.hasher.hash_one(who).max(1);
        let mut set = self.others[(hash >> SHIFT) as usize].lock();
        let known = set.iter().position(|bucket| bucket.caller == hash);
        let fullest = || (0..WAYS).min_by_key(|way| set[*way].full_at);
        let way = known.or_else(fullest).unwrap_or_default();
        let bucket = &mut set[way];
        if known.is_none() {
            *bucket = Bucket {
                caller: hash,
                full_at: 0,
            };
        }
        bucket.full_at = self.take(bucket.full_at, now)?;
        Ok(())
    }

    /// Counts a command that is refused, and closes a connection that does not heed it.
    fn refused(&self, caller: &Caller<'_>) {
        let Some((meter, client)) = caller.meter().zip(caller.client()) else {
            return;
        };
        // Relaxed: a count of its own.
        let refused = meter.refused.fetch_add(1, Ordering::Relaxed);
        if self
            .max_rate_limited
            .is_some_and(|max| refused >= max.get())
        {
            client.close(Disconnect::RATE_LIMITED);
        }
    }
}

impl Policy for CommandRate {
    fn name(&self) -> &str {
        "command rate"
    }

    fn actions(&self) -> Actions {
        Actions::ALL
    }

    fn check(&self, caller: &Caller<'_>, _: &mut Request) -> Verdict {
        if caller.origin() == Origin::Restored {
            return Verdict::Pass;
        }
        let now = self.now();
        let taken = match caller.meter() {
            Some(meter) => self.take_own(meter, now),
            None => self.take_other(caller, now),
        };
        let Err(wait) = taken else {
            if let Some(meter) = caller.meter() {
                // Relaxed: as in `refused`.
                meter.refused.store(0, Ordering::Relaxed);
            }
            return Verdict::Pass;
        };
        self.refused(caller);
        let millis = wait.as_millis().max(1);
        let why = format!("too many commands; try again in {millis} ms");
        Verdict::Refuse(Fault::new(ErrorCode::RateLimited, why).retry_after(wait))
    }
}
