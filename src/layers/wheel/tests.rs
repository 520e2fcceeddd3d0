//! The wheel against a dull map:
//!
//! * each key comes out once, never early and less than a tick late;
//! * what is due comes out tick by tick;
//! * looking again whenever the wheel says so misses nothing and soon arrives;
//! * the number of keys is right at any time;
//! * a leap over centuries is as cheap as the keys it passes.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;

use super::SLOTS;
use super::Wheel;

const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
enum Operation {
    /// Inserts a key that is due so long after the start, whatever time it is.
    At(Duration),
    /// Inserts a key that is due so long after now.
    In(Duration),
    /// Moves the time.
    Advance(Duration),
    /// Takes at most so many keys out.
    Pop(usize),
    /// Moves the time to when the wheel wants to be looked at, and takes one key out.
    Look,
}

/// Spans of all sizes, those around the borders of slots above all.
fn span() -> impl Strategy<Value = Duration> {
    let border = (0..5_u32, 1..4_u64, 0..8_u64).prop_map(|(level, times, off)| {
        let ticks = (SLOTS as u64).pow(level) * times;
        let border = TICK * u32::try_from(ticks).unwrap() + Duration::from_millis(off * 5);
        border.saturating_sub(Duration::from_millis(20))
    });
    prop_oneof![
        4 => (0..2_000_000_u64).prop_map(Duration::from_micros),
        2 => (0..100_000_000_u64).prop_map(Duration::from_micros),
        3 => border,
        1 => (0..40_000_000_000_u64).prop_map(Duration::from_secs),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        2 => span().prop_map(Operation::At),
        4 => span().prop_map(Operation::In),
        3 => span().prop_map(Operation::Advance),
        3 => (0..5_usize).prop_map(Operation::Pop),
        2 => Just(Operation::Look),
    ]
}

/// The dull twin: all keys by the tick in which they come out.
#[derive(Default)]
struct Model {
    start: Option<Instant>,
    keys: BTreeMap<u128, Vec<(u32, Instant)>>,
    /// How far the wheel has come; what is due before that comes out then.
    seen: u128,
}

impl Model {
    fn insert(&mut self, due: Instant, key: u32) {
        let tick = self.nanos(due).div_ceil(TICK.as_nanos()).max(self.seen);
        self.keys.entry(tick).or_default().push((key, due));
    }

    /// Takes out the key that has come out of the wheel, which has to be one of the first tick.
    fn pop(&mut self, now: Instant, key: Option<u32>) {
        let present = self.nanos(now) / TICK.as_nanos();
        let first = self.keys.first_entry();
        let due = first.filter(|first| *first.key() <= present);
        let Some((key, mut due)) = key.zip(due) else {
            let left = self.keys.first_key_value().map(|(tick, _)| *tick);
            assert!(
                key.is_none() && left.is_none_or(|tick| tick > present),
                "{key:?} came out at {present}, {left:?} is first",
            );
            self.seen = self.seen.max(present);
            return;
        };
        self.seen = *due.key();
        let keys = due.get_mut();
        let at = keys.iter().position(|(known, _)| *known == key);
        let (_, instant) = keys.swap_remove(at.expect("a key of the first tick"));
        assert!(instant <= now, "never early");
        if keys.is_empty() {
            due.remove();
        }
    }

    fn len(&self) -> usize {
        self.keys.values().map(Vec::len).sum()
    }

    /// The time at which the first key comes out.
    fn next(&self) -> Option<u128> {
        let (tick, _) = self.keys.first_key_value()?;
        Some(tick * TICK.as_nanos())
    }

    fn nanos(&self, time: Instant) -> u128 {
        let start = self.start.expect("a model has begun");
        time.saturating_duration_since(start).as_nanos()
    }
}

proptest! {
    #[test]
    fn it_keeps_time_as_a_sorted_map_does(operations in vec(operation(), 1..120)) {
        let start = Instant::now();
        let mut now = start;
        let mut wheel = Wheel::new(start, TICK);
        let mut model = Model { start: Some(start), ..Model::default() };
        for (key, operation) in (0_u32..).zip(operations) {
            match operation {
                Operation::At(after) => {
                    wheel.insert(start + after, key);
                    model.insert(start + after, key);
                }
                Operation::In(after) => {
                    wheel.insert(now + after, key);
                    model.insert(now + after, key);
                }
                Operation::Advance(by) => now += by,
                Operation::Pop(most) => {
                    for _ in 0..most {
                        model.pop(now, wheel.pop(now));
                    }
                }
                Operation::Look => {
                    now = now.max(wheel.next().unwrap_or(now));
                    model.pop(now, wheel.pop(now));
                }
            }
            prop_assert_eq!(wheel.len(), model.len());
            prop_assert_eq!(wheel.next().is_some(), model.next().is_some());
            if let (Some(wheel), Some(model_next)) = (wheel.next(), model.next()) {
                prop_assert!(model.nanos(wheel) <= model_next, "looks too late");
            }
        }
        while let Some(next) = wheel.next() {
            now = now.max(next);
            model.pop(now, wheel.pop(now));
        }
        prop_assert_eq!(model.len(), 0);
    }

    #[test]
    fn looking_when_told_arrives_in_a_look_for_each_level(after in span(), late in span()) {
        let start = Instant::now();
        let mut wheel = Wheel::new(start, TICK);
        prop_assert_eq!(wheel.pop(start + late), None::<()>);
        let due = start + late + after;
        wheel.insert(due, ());
        let mut looks = 0;
        let found = loop {
            let next = wheel.next().unwrap().max(start + late);
            looks += 1;
            if wheel.pop(next).is_some() {
                break next;
            }
        };
        prop_assert!(looks <= 11, "{looks} looks");
        prop_assert!(due <= found && found < due + TICK);
    }
}

#[test]
fn times_that_never_come_and_times_long_past_are_taken() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start + TICK * 1_000, TICK);
    let never = (0..64)
        .rev()
        .find_map(|bits| start.checked_add(Duration::from_secs(1 << bits)));
    wheel.insert(never.unwrap(), "never");
    wheel.insert(start, "long past");
    assert!(wheel.next().is_some());
    assert_eq!(wheel.pop(start), Some("long past"));
    assert_eq!(wheel.pop(start + Duration::from_secs(1 << 40)), None);
    assert!(wheel.next().is_some());
    assert_eq!(wheel.len(), 1);
}

#[test]
fn a_leap_over_centuries_passes_only_what_is_there() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start, Duration::from_nanos(1));
    let century = Duration::from_secs(100 * 365 * 86_400);
    for key in 0..100_u32 {
        wheel.insert(start + century / 100 * key, key);
    }
    let popped: Vec<_> = std::iter::from_fn(|| wheel.pop(start + century)).collect();
    assert_eq!(popped, (0..100).collect::<Vec<_>>());
}

#[test]
fn an_empty_slot_gives_back_the_room_of_a_storm() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start, TICK);
    for key in 0..10_000_u32 {
        wheel.insert(start + TICK, key);
    }
    while wheel.pop(start + TICK).is_some() {}
    let room = wheel.levels[0].slots.iter().map(Vec::capacity).max();
    assert!(room.unwrap() <= super::KEEP);
}
