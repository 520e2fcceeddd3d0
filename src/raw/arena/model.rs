//! loom models of the arena, each named for its race.
//!
//! No change has been seen failing in these yet: they are new, and were not run with mutations.

use loom::cell::UnsafeCell;
use loom::thread;

use super::Arena;
use crate::sync::Arc;

/// A value that is touched when placed and when dropped: unsynchronised, loom sees a race.
#[repr(align(64))]
struct Value(UnsafeCell<usize>);

// SAFETY: the cell is written by the one who has the seat.
unsafe impl Sync for Value {}

impl Value {
    fn new(number: usize) -> Self {
        Self(UnsafeCell::new(number))
    }

    fn read(&self) -> usize {
        // SAFETY: nobody writes while the seat is there.
        self.0.with(|number| unsafe { *number })
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: the seat is this one's alone.
        self.0.with_mut(|number| unsafe { *number = 0 });
    }
}

fn comes_and_goes(arena: &Arc<Arena<Value>>, number: usize) -> thread::JoinHandle<()> {
    let arena = Arc::clone(arena);
    thread::spawn(move || {
        let seat = Arena::place(&arena, Value::new(number));
        assert_eq!(seat.read(), number);
    })
}

#[test]
fn model_two_come_and_go() {
    loom::model(|| {
        let arena = Arena::new();
        let other = comes_and_goes(&arena, 1);
        let seat = Arena::place(&arena, Value::new(2));
        assert_eq!(seat.read(), 2, "no two share a seat");
        drop(seat);
        other.join().expect("no panic");
        assert_eq!(Arc::strong_count(&arena), 1, "no chunk is left");
    });
}

/// The last to go frees the chunk, and the arena with it.
#[test]
fn model_the_last_two_of_a_chunk_go_at_once() {
    loom::model(|| {
        let arena = Arena::new();
        let (a, b) = (
            Arena::place(&arena, Value::new(1)),
            Arena::place(&arena, Value::new(2)),
        );
        drop(arena);
        let other = thread::spawn(move || drop(a));
        assert_eq!(b.read(), 2);
        drop(b);
        other.join().expect("no panic");
    });
}

#[test]
fn model_one_comes_while_the_last_of_its_chunk_goes() {
    loom::model(|| {
        let arena = Arena::new();
        let last = Arena::place(&arena, Value::new(1));
        let other = thread::spawn(move || drop(last));
        let seat = Arena::place(&arena, Value::new(2));
        assert_eq!(seat.read(), 2);
        other.join().expect("no panic");
        assert_eq!(seat.read(), 2, "its chunk was not freed");
    });
}
