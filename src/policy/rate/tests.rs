//! - A token bucket and a sliding window let the same requests pass as naive models do, and the
//!   wait that they return is the shortest that helps.
//! - Of requests of several threads at once, exactly as many pass as may.
//! - A request that is given back was never made, and looking counts nothing.
//! - A table never grows: keys that meet in a set push out the one that has used least.

use std::collections::BTreeMap;
use std::thread;

use proptest::prelude::*;

use super::*;

const fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn key(n: u64) -> NonZeroU64 {
    // Any bijection will do; this one spreads over the sets.
    NonZeroU64::new(n.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1)).unwrap()
}

/// A model that keeps everything.
trait Model {
    fn take(&mut self, now: u64) -> bool;
}

/// Tokens that flow back one nanosecond at a time.
struct Tokens {
    per_request: u128,
    whole: u128,
    level: u128,
    last: u64,
}

impl Model for Tokens {
    fn take(&mut self, now: u64) -> bool {
        let flown = u128::from(now - self.last);
        self.level = (self.level + flown).min(self.whole);
        self.last = now;
        if self.level < self.per_request {
            return false;
        }
        self.level -= self.per_request;
        true
    }
}

/// All requests that have passed, by window.
struct Windows {
    requests: u128,
    period: u64,
    passed: BTreeMap<u64, u128>,
}

impl Model for Windows {
    fn take(&mut self, now: u64) -> bool {
        let (window, elapsed) = (now / self.period, now % self.period);
        let of = |window: u64| self.passed.get(&window).copied().unwrap_or(0);
        let before = window.checked_sub(1).map_or(0, of);
        let period = u128::from(self.period);
        let used = before * (period - u128::from(elapsed)) + of(window) * period;
        if used + period > self.requests * period {
            return false;
        }
        *self.passed.entry(window).or_default() += 1;
        true
    }
}

/// Compares a rate with its model, over requests with these times between them.
fn compare(rate: Rate, mut model: impl Model, start: u64, steps: &[u64]) {
    let store = Store::one(rate);
    let mut now = start;
    for step in steps {
        now += step;
        let usage = store.usage(key(1), now);
        let taken = store.take(key(1), now);
        assert_eq!(taken.is_ok(), model.take(now), "at {now}");
        assert_eq!(usage.remaining > 0, taken.is_ok(), "at {now}: {usage:?}");
        let Err(wait) = taken else { continue };
        assert_eq!(usage.wait, wait);
        let wait = u64::try_from(wait.as_nanos()).unwrap();
        assert!(store.usage(key(1), now + wait - 1).remaining == 0);
        assert!(
            store.usage(key(1), now + wait).remaining > 0,
            "after {wait}"
        );
    }
}

fn steps() -> impl Strategy<Value = Vec<u64>> {
    let step = prop_oneof![
        4 => 0..50_000_u64,
        2 => 0..3_000_000_u64,
        1 => Just(1_000_000),
        1 => 0..1_000_000_000_u64,
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #[test]
    fn token_bucket_agrees_with_its_model(
        requests in 1..50_u32,
        burst in 1..50_u32,
        millis in 1..20_u64,
        start in 0..u64::MAX / 2,
        steps in steps(),
    ) {
        let period = Duration::from_millis(millis);
        let per_request = u128::from(millis * 1_000_000 / u64::from(requests));
        let whole = per_request * u128::from(burst);
        let model = Tokens { per_request, whole, level: whole, last: 0 };
        compare(Rate::bucket(count(requests), period, count(burst)), model, start, &steps);
    }

    #[test]
    fn sliding_window_agrees_with_its_model(
        requests in 1..50_u32,
        millis in 1..20_u64,
        start in 0..u64::MAX / 2,
        steps in steps(),
    ) {
        let model = Windows {
            requests: requests.into(),
            period: millis * 1_000_000,
            passed: BTreeMap::new(),
        };
        let rate = Rate::window(count(requests), Duration::from_millis(millis));
        compare(rate, model, start, &steps);
    }

    #[test]
    fn given_back_requests_were_never_made(
        is_bucket in any::<bool>(),
        steps in steps(),
    ) {
        let period = Duration::from_millis(1);
        let rate = match is_bucket {
            true => Rate::bucket(count(5), period, count(9)),
            false => Rate::window(count(5), period),
        };
        let (plain, other) = (Store::one(rate), Store::keyed(rate, NonZeroUsize::MIN));
        let mut now = 0;
        for step in steps {
            now += step;
            if other.take(key(1), now).is_ok() {
                other.give_back(key(1), now);
            }
            prop_assert_eq!(plain.take(key(1), now), other.take(key(1), now));
        }
    }

    #[test]
    fn a_table_agrees_with_stores_of_their_own(
        is_bucket in any::<bool>(),
        requests in prop::collection::vec((0..8_usize, 0..400_000_u64), 1..300),
    ) {
        let period = Duration::from_millis(1);
        let rate = match is_bucket {
            true => Rate::bucket(count(3), period, count(4)),
            false => Rate::window(count(4), period),
        };
        let table = Store::keyed(rate, NonZeroUsize::MIN);
        let own: Vec<_> = (0..8).map(|_| Store::one(rate)).collect();
        let mut now = 0;
        for (name, step) in requests {
            now += step;
            let expected = own[name].take(key(name as u64), now);
            prop_assert_eq!(table.take(key(name as u64), now), expected);
            let usage = own[name].usage(key(name as u64), now);
            prop_assert_eq!(table.usage(key(name as u64), now), usage);
        }
        prop_assert_eq!(table.evicted(), 0);
    }
}

#[test]
fn as_many_pass_as_may_however_many_threads_ask() {
    for rate in [
        Rate::bucket(count(1), Duration::from_secs(1), count(1000)),
        Rate::window(count(1000), Duration::from_secs(1)),
    ] {
        for store in [Store::one(rate), Store::keyed(rate, NonZeroUsize::MIN)] {
            let passed = thread::scope(|scope| {
                let ask = || (0..500).filter(|_| store.take(key(7), 5).is_ok()).count();
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
                let passed = threads.into_iter().map(|thread| thread.join().unwrap());
                passed.sum::<usize>()
            });
            assert_eq!(passed, 1000, "{rate:?}");
        }
    }
}

#[test]
fn a_thread_with_an_older_time_takes_from_the_newer_window() {
    let store = Store::one(Rate::window(count(2), Duration::from_nanos(100)));
    assert!(store.take(key(1), 1000).is_ok());
    assert!(store.take(key(1), 999).is_ok());
    assert!(store.take(key(1), 1001).is_err());
}

#[test]
fn a_fresh_key_is_unused_whatever_the_time() {
    let period = 100;
    let rate = Rate::window(count(1), Duration::from_nanos(period));
    for window in [0, 1, 2, WINDOWS / 2 + 1, WINDOWS - 1, WINDOWS, WINDOWS + 1] {
        let store = Store::one(rate);
        assert!(store.take(key(1), window * period + 1).is_ok(), "{window}");
        assert!(store.take(key(1), window * period + 2).is_err(), "{window}");
    }
}

/// Windows until the number of a window comes again.
const WINDOWS: u64 = 1 << 24;

#[test]
fn a_reset_key_has_used_nothing() {
    let rate = Rate::bucket(count(1), Duration::from_secs(1), count(2));
    for store in [Store::one(rate), Store::keyed(rate, NonZeroUsize::MIN)] {
        assert!(!store.reset(key(1), 0), "nothing was counted");
        while store.take(key(1), 0).is_ok() {}
        assert!(store.reset(key(1), 0));
        assert_eq!(store.usage(key(1), 0).remaining, 2);
        assert!(store.take(key(1), 0).is_ok());
    }
}

#[test]
fn a_flood_of_keys_pushes_out_those_that_have_used_least() {
    let rate = Rate::bucket(count(1), Duration::from_secs(1), count(3));
    let store = Store::keyed(rate, NonZeroUsize::new(64).unwrap());
    assert_eq!(store.capacity(), 64);
    let busy = key(1);
    while store.take(busy, 0).is_ok() {}
    for other in 2..100_000 {
        assert!(store.take(key(other), 0).is_ok());
    }
    assert_eq!(store.usage(busy, 0).remaining, 0, "it has used the most");
    assert!(store.evicted() > 90_000);
    assert_eq!(store.capacity(), 64);
}

#[test]
fn unused_keys_make_room_without_being_counted_as_evicted() {
    let rate = Rate::bucket(count(1), Duration::from_nanos(10), count(1));
    let store = Store::keyed(rate, NonZeroUsize::MIN);
    for other in 1..1000 {
        assert!(store.take(key(other), other * 20).is_ok());
    }
    assert_eq!(store.evicted(), 0);
}
