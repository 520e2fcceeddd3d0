//! Rates: how many requests a key may make in how long, and how many it has made.
//!
//! The state of a key is one word, whatever the algorithm; `0` is a key that has made no request.
//! A [`Rate`] computes the next state from the last one and the time. A [`Store`] holds the states:
//! one for everything, or a [`Table`] of them by key.
//!
//! ```text
//!            ┌──────┐  take(state, now)   ┌─────────────────────┐
//!   now ───▶ │ Rate │ ──────────────────▶ │ Ok(next) · Err(wait) │
//!            └──────┘                     └─────────────────────┘
//!   state:  token bucket    ┌──────── time at which the bucket is full, ns ────────┐
//!           sliding window  ┌── window 24 ──┬── requests before 20 ──┬── requests 20 ──┐
//! ```
//!
//! # Memory
//!
//! One word, or a table of constant size: 17 bytes for each key that there is room for.
//!
//! # Progress
//!
//! A state on its own is exchanged by compare-and-swap. In a table, the thread holds the lock of
//! one set of eight keys for some ten nanoseconds, and calls nothing under it.

mod bucket;
mod network;
mod table;
mod window;

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::num::NonZeroU64;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use self::bucket::TokenBucket;
use self::table::Table;
use self::window::SlidingWindow;

pub(crate) use self::network::Network;
pub(crate) use self::window::MAX_REQUESTS;

/// An algorithm with its parameters. Times are in nanoseconds since the start of its owner.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rate {
    Bucket(TokenBucket),
    Window(SlidingWindow),
}

/// The use that a key has made of its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Requests that would pass now.
    pub(crate) remaining: u32,
    /// Time until a request passes; zero if one passes now.
    pub(crate) wait: Duration,
    /// Time until nothing of it is used, if there are no more requests.
    pub(crate) reset: Duration,
}

impl Rate {
    /// Creates a token bucket: `requests` in each `period`, and `burst` at once.
    pub(crate) fn bucket(requests: NonZeroU32, period: Duration, burst: NonZeroU32) -> Self {
        Self::Bucket(TokenBucket::new(requests, period, burst))
    }

    /// Creates a sliding window: `requests` in any `period`.
    pub(crate) fn window(requests: NonZeroU32, period: Duration) -> Self {
        Self::Window(SlidingWindow::new(requests, period))
    }

    /// Takes one request: returns the next state, or the time to wait.
    fn take(&self, state: u64, now: u64) -> Result<u64, u64> {
        match self {
            Self::Bucket(bucket) => bucket.take(state, now),
            Self::Window(window) => window.take(state, now),
        }
    }

    /// Returns the state without one of its requests.
    fn give_back(&self, state: u64, now: u64) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.give_back(state),
            Self::Window(window) => window.give_back(state, now),
        }
    }

    /// Returns the time until the state means the same as `0`.
    fn busy_for(&self, state: u64, now: u64) -> u64 {
        match self {
            Self::Bucket(_) => state.saturating_sub(now),
            Self::Window(window) => window.busy_for(state, now),
        }
    }

    fn usage(&self, state: u64, now: u64) -> Usage {
        let remaining = match self {
            Self::Bucket(bucket) => bucket.remaining(state, now),
            Self::Window(window) => window.remaining(state, now),
        };
        let wait = self.take(state, now).err().unwrap_or(0);
        Usage {
            remaining,
            wait: Duration::from_nanos(wait),
            reset: Duration::from_nanos(self.busy_for(state, now)),
        }
    }
}

/// The states of keys that have a rate each.
#[derive(Debug)]
pub(crate) struct OwnRates(Table);

impl OwnRates {
    /// Creates states for about `keys` keys.
    pub(crate) fn new(keys: NonZeroUsize) -> Self {
        Self(Table::new(keys))
    }

    /// Takes one request of `key`, which has this rate; otherwise returns how long to wait.
    pub(crate) fn take(&self, key: NonZeroU64, rate: &Rate, now: u64) -> Result<(), Duration> {
        let taken = self.0.take(key, rate, now);
        taken.map_err(Duration::from_nanos)
    }

    /// Returns the use that a key has made of its rate. Counts nothing.
    pub(crate) fn usage(&self, key: NonZeroU64, rate: &Rate, now: u64) -> Usage {
        rate.usage(self.0.state(key), now)
    }
}

/// The states of a rate.
#[derive(Debug)]
pub(crate) struct Store {
    rate: Rate,
    states: States,
}

#[derive(Debug)]
enum States {
    One(AtomicU64),
    Keyed(Table),
}

impl Store {
    /// Creates a store with one state, which all requests share.
    pub(crate) const fn one(rate: Rate) -> Self {
        Self {
            rate,
            states: States::One(AtomicU64::new(0)),
        }
    }

    /// Creates a store with a state for each key, and room for about `keys` of them.
    pub(crate) fn keyed(rate: Rate, keys: NonZeroUsize) -> Self {
        Self {
            rate,
            states: States::Keyed(Table::new(keys)),
        }
    }

    /// Takes one request of `key`; otherwise returns how long to wait.
    pub(crate) fn take(&self, key: NonZeroU64, now: u64) -> Result<(), Duration> {
        let taken = match &self.states {
            States::One(state) => self.take_one(state, now),
            States::Keyed(table) => table.take(key, &self.rate, now),
        };
        taken.map_err(Duration::from_nanos)
    }

    fn take_one(&self, state: &AtomicU64, now: u64) -> Result<(), u64> {
        let mut wait = 0;
        let take = |state| {
            let taken = self.rate.take(state, now);
            taken.map_err(|more| wait = more).ok()
        };
        // Relaxed: all changes of one word have one order, so each request that passes has taken
        // its part of a state that no other has taken. Nothing else is read through it.
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        match state.fetch_update(set, fetch, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(wait),
        }
    }

    /// Gives back a request that was taken, because another limit has refused it.
    pub(crate) fn give_back(&self, key: NonZeroU64, now: u64) {
        match &self.states {
            States::One(state) => {
                let give = |state| Some(self.rate.give_back(state, now));
                // Relaxed: as in `take_one`.
                let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
                let _always_given = state.fetch_update(set, fetch, give);
            }
            States::Keyed(table) => table.give_back(key, &self.rate, now),
        }
    }

    /// Returns the use that a key has made of it. Counts nothing.
    pub(crate) fn usage(&self, key: NonZeroU64, now: u64) -> Usage {
        let state = match &self.states {
            // Relaxed: as in `take_one`.
            States::One(state) => state.load(Ordering::Relaxed),
            States::Keyed(table) => table.state(key),
        };
        self.rate.usage(state, now)
    }

    /// Clears what is counted of a key; returns whether anything was.
    pub(crate) fn reset(&self, key: NonZeroU64, now: u64) -> bool {
        let state = match &self.states {
            // Relaxed: as in `take_one`.
            States::One(state) => state.swap(0, Ordering::Relaxed),
            States::Keyed(table) => table.remove(key),
        };
        self.rate.busy_for(state, now) > 0
    }

    /// Returns how many keys were removed although they were in use, because there was no room.
    pub(crate) fn evicted(&self) -> u64 {
        match &self.states {
            States::One(_) => 0,
            States::Keyed(table) => table.evicted(),
        }
    }

    /// Returns the number of keys that there is room for.
    pub(crate) fn capacity(&self) -> usize {
        match &self.states {
            States::One(_) => 1,
            States::Keyed(table) => table.capacity(),
        }
    }
}
