//! loom models of the budget: whatever races, the last to tell tells the truth.

use loom::sync::Arc;
use loom::thread;

use super::Budget;
use super::Lag;
use crate::raw::arena::Arena;
use crate::raw::ring::Plain;
use crate::raw::ring::Receiver;
use crate::raw::ring::Ring;
use crate::raw::ring::Weigh;
use crate::raw::shared::Shared;

/// An item of one unit.
struct One;

impl Weigh for One {
    fn weight(&self) -> u64 {
        64
    }
}

type Ones = Ring<One, ()>;

fn ring(budget: &Arc<Budget>) -> (Arc<Ones>, Receiver) {
    let lines = Arena::new();
    let ring = Arc::new(Ones::new_in(
        &lines,
        Some(budget.clone()),
        4,
        1 << 20,
        false,
        (),
    ));
    let receiver = ring.receiver().expect("a new ring has its receiver");
    (ring, receiver)
}

fn push(ring: &Ones) -> bool {
    ring.push(Shared::new(One)).is_ok()
}

fn lag(rings: u64, items: u64) -> Lag {
    Lag {
        rings,
        bytes: items * 64,
    }
}

#[test]
fn pushes_race_the_receiver() {
    loom::model(|| {
        let budget = Budget::new(1 << 20);
        let (ring, mut receiver) = ring(&budget);
        assert!(push(&ring));
        let producer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || assert!(push(&ring)))
        };
        let mut take = || match ring.take_plainly(&mut receiver, 8, drop) {
            Plain::Took(taken) => taken,
            Plain::Idle(_) | Plain::Look => 0,
        };
        let first = take();
        producer.join().expect("no panic");
        assert_eq!(first + take(), 2);
        assert_eq!(budget.lag(), lag(0, 0));
    });
}

#[test]
fn pushes_race_each_other() {
    loom::model(|| {
        let budget = Budget::new(1 << 20);
        let (ring, _receiver) = ring(&budget);
        assert!(push(&ring));
        let producer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || assert!(push(&ring)))
        };
        assert!(push(&ring));
        producer.join().expect("no panic");
        assert_eq!(budget.lag(), lag(1, 3));
    });
}
