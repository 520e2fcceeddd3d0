use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Wake;
use std::task::Waker;

use super::Bell;
use super::ROWS;
use super::Rings;
use super::Row;
use super::RowCell;

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        // Relaxed: one thread.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    fn get(&self) -> usize {
        // Relaxed: one thread.
        self.0.load(Ordering::Relaxed)
    }
}

fn taken(bell: &Bell) -> Vec<u32> {
    let mut woken = Vec::new();
    bell.take(&mut woken);
    woken.into_iter().flatten().collect()
}

fn rows(bell: &Bell, count: u32) -> Vec<Row> {
    (0..count).map(|_| bell.row()).collect()
}

#[test]
fn woken_rows_are_taken_once_oldest_chunk_first() {
    let bell = Bell::new(0);
    let rows = rows(&bell, 3 * ROWS);
    for number in [130, 3, 70, 3, 131, 0] {
        rows[number].wake();
    }
    assert!(bell.is_woken());
    assert_eq!(taken(&bell), [130, 131, 0, 3, 70]);
    assert!(!bell.is_woken());
    assert!(taken(&bell).is_empty());
}

#[test]
fn one_of_many_wake_ups_rings() {
    let bell = Bell::new(0);
    let rows = rows(&bell, 3 * ROWS);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    for pass in 1..4 {
        bell.register(&waker);
        rows.iter().for_each(Row::wake);
        assert_eq!(count.get(), pass);
        assert_eq!(taken(&bell).len(), rows.len());
    }
}

#[test]
fn owed_rings_are_paid_once_and_when_dropped() {
    let bell = Bell::new(0);
    let count = Arc::new(Count::default());
    bell.register(&Waker::from(Arc::clone(&count)));
    let rows = rows(&bell, 2 * ROWS);
    let cells: Vec<_> = rows.iter().map(|_| RowCell::default()).collect();
    let mut rings = Rings::default();
    for (cell, row) in cells.iter().zip(&rows) {
        assert!(cell.wake().is_none(), "no row is set");
        assert!(cell.set(row));
        if let Some(bell) = cell.wake() {
            rings.owe(bell);
        }
    }
    assert_eq!(count.get(), 0, "the ring is owed");
    drop(rings);
    assert_eq!(count.get(), 1);
    assert_eq!(taken(&bell).len(), rows.len());
}

#[test]
fn freed_row_is_handed_out_again_lowest_first() {
    let bell = Bell::new(0);
    let rows = rows(&bell, ROWS + 1);
    assert_eq!(rows.last().map(Row::number), Some(ROWS));
    bell.free(9);
    bell.free(4);
    assert_eq!(bell.row().number(), 4);
    let again = bell.row();
    assert_eq!(again.number(), 9);
    rows[9].wake();
    assert_eq!(taken(&bell), [9], "its former holder wakes it in vain");
    again.wake();
    assert_eq!(taken(&bell), [9]);
}

#[test]
fn cell_takes_one_row_and_keeps_its_bell_alive() {
    let bell = Bell::new(0);
    let (first, second) = (bell.row(), bell.row());
    let cell = RowCell::default();
    assert!(cell.set(&first));
    assert!(!cell.set(&second));
    drop((bell, first, second));
    let bell = cell.wake().expect("the first wake-up owes a ring");
    assert_eq!(taken(&bell), [0]);
    drop(bell);
    assert!(cell.wake().is_some());
}
