use std::collections::HashSet;
use std::mem::ManuallyDrop;
use std::thread;

use super::Arena;
use super::SEATS;
use super::Seat;
use super::chunk_of;
use crate::sync::Arc;

/// As large as the lines of rings, so that a chunk is a page.
#[derive(Debug, PartialEq)]
#[repr(align(64))]
struct Value(usize);

fn chunks(seats: &[Seat<Value>]) -> usize {
    let chunks = seats.iter().map(|seat| chunk_of(seat.address()));
    chunks.collect::<HashSet<_>>().len()
}

fn place(arena: &Arc<Arena<Value>>, values: usize) -> Vec<Seat<Value>> {
    (0..values)
        .map(|value| Arena::place(arena, Value(value)))
        .collect()
}

#[test]
fn values_stand_side_by_side_in_the_order_in_which_they_came() {
    let arena = Arena::new();
    let seats = place(&arena, SEATS);
    assert_eq!(chunks(&seats), 1);
    for pair in seats.windows(2) {
        assert_eq!(
            pair[1].address().addr().get() - pair[0].address().addr().get(),
            64
        );
    }
}

#[test]
fn a_chunk_is_freed_with_its_last_value() {
    let arena = Arena::new();
    assert_eq!(Arc::strong_count(&arena), 1);
    let mut seats = place(&arena, 3 * SEATS);
    assert_eq!(
        Arc::strong_count(&arena),
        1 + 3,
        "each chunk owns the arena"
    );
    seats.truncate(1);
    assert_eq!(Arc::strong_count(&arena), 1 + 1);
    drop(arena);
    assert_eq!(
        *seats[0],
        Value(0),
        "a value outlives the handle to its arena"
    );
}

#[test]
fn the_fullest_chunk_is_filled_first() {
    let arena = Arena::new();
    let mut seats = place(&arena, 3 * SEATS);
    // One free seat in the second chunk, ten in the first and in the third.
    let mut kept: Vec<_> = seats.drain(..10).collect();
    kept.clear();
    let fullest = chunk_of(seats[SEATS].address());
    seats.remove(SEATS);
    seats.truncate(seats.len() - 10);
    let next = Arena::place(&arena, Value(7));
    assert_eq!(chunk_of(next.address()), fullest);
}

#[test]
fn whatever_comes_and_goes_each_value_has_its_own_seat_and_nothing_stays() {
    let arena = Arena::new();
    let mut seats: Vec<Seat<Value>> = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_usize;
    let steps = if cfg!(miri) { 500 } else { 50_000 };
    for step in 0..steps {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Grows for a while, then shrinks, over and over.
        let grows = step / 200 % 2 == 0;
        if seats.is_empty() || random.is_multiple_of(3) != grows {
            seats.push(Arena::place(&arena, Value(step)));
        } else {
            let index = (random >> 8) % seats.len();
            drop(seats.swap_remove(index));
        }
        assert_eq!(
            Arc::strong_count(&arena),
            1 + chunks(&seats),
            "no chunk is empty"
        );
        if step % 97 == 0 {
            let values: HashSet<_> = seats.iter().map(|seat| seat.0).collect();
            assert_eq!(values.len(), seats.len(), "no two share a seat");
            let addresses: HashSet<_> = seats.iter().map(Seat::address).collect();
            assert_eq!(addresses.len(), seats.len());
        }
    }
    seats.clear();
    assert_eq!(Arc::strong_count(&arena), 1);
}

#[test]
fn what_remains_after_a_crowd_has_gone_is_a_chunk_for_each_value_at_most() {
    const CROWD: usize = if cfg!(miri) { 1_000 } else { 100_000 };
    let arena = Arena::new();
    let mut index = 0;
    let mut seats = place(&arena, CROWD);
    assert_eq!(chunks(&seats), CROWD.div_ceil(SEATS));
    seats.retain(|_| {
        index += 1;
        index % 64 == 0
    });
    let left = chunks(&seats);
    assert!(
        left <= seats.len(),
        "{left} chunks for {} values",
        seats.len()
    );
    assert_eq!(Arc::strong_count(&arena), 1 + left);
    // Those who come later use what is there.
    let room = left * SEATS - seats.len();
    seats.extend(place(&arena, room));
    assert_eq!(chunks(&seats), left);
}

#[test]
fn values_come_and_go_on_many_threads() {
    const EACH: usize = if cfg!(miri) { 50 } else { 5_000 };
    let arena = Arena::new();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                let mut seats = Vec::new();
                for number in 0..EACH {
                    seats.push(Arena::place(&arena, Value(thread << 32 | number)));
                    if number % 3 == 2 {
                        seats.swap_remove(seats.len() / 2);
                    }
                }
                let mine = seats
                    .iter()
                    .all(|seat: &Seat<Value>| seat.0 >> 32 == thread);
                assert!(mine, "a seat was given out twice");
                seats
            })
        })
        .collect();
    let seats: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"))
        .collect();
    assert_eq!(
        seats.iter().map(Vec::len).sum::<usize>(),
        4 * (EACH - EACH / 3)
    );
    drop(seats);
    assert_eq!(Arc::strong_count(&arena), 1);
}

#[test]
fn a_value_alone_is_dropped_once() {
    let value = Arc::new(());
    drop(Seat::alone(Arc::clone(&value)));
    assert_eq!(Arc::strong_count(&value), 1);
    let seat = ManuallyDrop::new(Seat::alone(7));
    assert_eq!(**seat, 7);
    drop(ManuallyDrop::into_inner(seat));
}
