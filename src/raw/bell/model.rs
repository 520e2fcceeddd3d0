//! loom models of wake-ups by index, with the ring that they wake for.
//!
//! The listener is a flusher in small: it takes the rows that were woken, drains the ring of each
//! and parks it, and waits. An item that is left behind is found as a deadlock.
//!
//! # What was seen failing
//!
//! Each change was made alone (preemption bound 3). A model is red by a deadlock, an assertion, a
//! causality violation, or a path without an end.
//!
//! | change | red |
//! |---|---|
//! | `wake`: AcqRel to Acquire | `what_was_written_..` |
//! | `take`: the bits by AcqRel to Release | `what_was_written_..` |
//! | `push`: Release to Relaxed | `a_fan_out_..`, two chunks |
//! | `take`: the stack by Acquire to Relaxed | all but the close |
//! | `take`: a load and a store of the bits, no swap | pushes through one chunk |
//! | `take`: `next` read after the swap of the bits | `what_was_written_..` |
//! | `push`: never owes a ring, or `wake` does not pay it | all |
//! | `Rings`: dropped without paying | `a_fan_out_..` |
//! | the listener registers and does not look again | all |
//!
//! # What loom does not see
//!
//! A load that moves behind a later store of its thread. That `take` has read `next` before it is
//! written again rests on the Release of its swap and the Acquire of `wake`. And green was `waking`
//! without its fence, by which a producer that has seen PARKED also sees the row that was set
//! before.

use std::future::poll_fn;
use std::task::Poll;
use std::task::Waker;

use super::Bell;
use super::Rings;
use super::Row;
use crate::raw::ring::Park;
use crate::raw::ring::Receiver;
use crate::raw::ring::Ring;
use crate::raw::ring::Weigh;
use crate::raw::shared::Shared;
use crate::sync::Arc;
use crate::sync::UnsafeCell;
use crate::sync::block_on;
use crate::sync::thread;

struct Item;

impl Weigh for Item {
    fn weight(&self) -> u64 {
        1
    }
}

type Items = Ring<Item, ()>;

/// A ring that the listener serves.
struct Client {
    ring: Arc<Items>,
    receiver: Receiver,
    row: Row,
    received: usize,
}

impl Client {
    /// A client whose ring is parked, with the row that comes next.
    fn new(bell: &Bell) -> Self {
        Self::of(bell, Arc::new(Items::new(4, 64, false, ())))
    }

    fn of(bell: &Bell, ring: Arc<Items>) -> Self {
        let receiver = ring.receiver().expect("the ring is new");
        let row = bell.row();
        let mut client = Self {
            ring,
            receiver,
            row,
            received: 0,
        };
        client.ring.set_row(&mut client.receiver, &client.row);
        client.drain();
        client
    }

    /// Takes all there is, and parks.
    fn drain(&mut self) {
        loop {
            let mut turn = self
                .ring
                .consume(&mut self.receiver)
                .expect("nobody steals");
            while turn.pop().is_some() {
                self.received += 1;
            }
            let seen = turn.finish();
            match self.ring.park(&mut self.receiver, seen, None) {
                Park::Look => {}
                Park::Parked | Park::Soon => return,
            }
        }
    }
}

/// Serves the clients until they have received `items` in all.
fn listen(bell: &Bell, clients: &mut [Client], items: usize) {
    let mut woken = Vec::new();
    while clients.iter().map(|client| client.received).sum::<usize>() < items {
        block_on(poll_fn(|cx| wait(bell, cx.waker())));
        bell.take(&mut woken);
        for number in woken.drain(..).flatten() {
            let mut clients = clients.iter_mut();
            if let Some(client) = clients.find(|client| client.row.number() == number) {
                client.drain();
            }
        }
        // A client whose publisher has not finished has woken its own row.
        thread::yield_now();
    }
}

fn wait(bell: &Bell, waker: &Waker) -> Poll<()> {
    if bell.is_woken() {
        return Poll::Ready(());
    }
    bell.register(waker);
    if bell.is_woken() {
        return Poll::Ready(());
    }
    Poll::Pending
}

fn push(ring: &Items) {
    assert!(ring.push(Shared::new(Item)).is_ok(), "there is room");
}

/// Pushes to all of them, and rings afterwards.
fn fan_out(rings: &[Arc<Items>]) {
    let mut owed = Rings::default();
    for ring in rings {
        let pushed = ring.push_with(Shared::new(Item), &mut owed);
        assert!(pushed.is_ok(), "there is room");
    }
}

#[test]
fn a_push_races_the_listener() {
    loom::model(|| {
        let bell = Bell::new(0);
        let mut clients = [Client::new(&bell)];
        let ring = Arc::clone(&clients[0].ring);
        let publisher = thread::spawn(move || {
            push(&ring);
            push(&ring);
        });
        listen(&bell, &mut clients, 2);
        publisher.join().unwrap();
    });
}

#[test]
fn a_row_is_set_while_another_thread_pushes() {
    loom::model(|| {
        let bell = Bell::new(0);
        let ring = Arc::new(Items::new(4, 64, false, ()));
        let publisher = thread::spawn({
            let ring = Arc::clone(&ring);
            move || push(&ring)
        });
        let mut clients = [Client::of(&bell, ring)];
        listen(&bell, &mut clients, 1);
        publisher.join().unwrap();
    });
}

#[test]
fn two_pushes_race_through_one_chunk() {
    loom::model(|| {
        let bell = Bell::new(0);
        let mut clients = [Client::new(&bell), Client::new(&bell)];
        let publishers = [0, 1].map(|at| {
            let ring = Arc::clone(&clients[at].ring);
            thread::spawn(move || push(&ring))
        });
        listen(&bell, &mut clients, 2);
        for publisher in publishers {
            publisher.join().unwrap();
        }
    });
}

#[test]
fn two_pushes_race_through_two_chunks() {
    loom::model(|| {
        let bell = Bell::new(0);
        let [first, _between, second] = [(); 3].map(|()| Client::new(&bell));
        let mut clients = [first, second];
        let publishers = [0, 1].map(|at| {
            let ring = Arc::clone(&clients[at].ring);
            thread::spawn(move || push(&ring))
        });
        listen(&bell, &mut clients, 2);
        for publisher in publishers {
            publisher.join().unwrap();
        }
    });
}

#[test]
fn a_fan_out_rings_after_it() {
    loom::model(|| {
        let bell = Bell::new(0);
        let mut clients = [(); 3].map(|()| Client::new(&bell));
        let rings = clients.each_ref().map(|client| Arc::clone(&client.ring));
        let publisher = thread::spawn(move || fan_out(&rings));
        listen(&bell, &mut clients, 3);
        publisher.join().unwrap();
    });
}

#[test]
fn a_reused_row_loses_nothing() {
    loom::model(|| {
        let bell = Bell::new(0);
        let former = Client::new(&bell);
        let old = Arc::clone(&former.ring);
        bell.free(former.row.number());
        let mut clients = [Client::new(&bell)];
        assert_eq!(clients[0].row.number(), former.row.number());
        let late = thread::spawn(move || push(&old));
        let ring = Arc::clone(&clients[0].ring);
        let publisher = thread::spawn(move || push(&ring));
        listen(&bell, &mut clients, 1);
        late.join().unwrap();
        publisher.join().unwrap();
    });
}

/// Written before its row is woken, read after the row was taken: unsynchronised, loom sees a race.
struct Cells([UnsafeCell<bool>; 3]);

// SAFETY: each cell is written by one thread, and read after the wake-up that follows.
unsafe impl Sync for Cells {}

#[test]
fn what_was_written_before_a_wake_up_is_seen() {
    loom::model(|| {
        let bell = Bell::new(0);
        let rows = [(); 3].map(|()| bell.row());
        let cells = Arc::new(Cells([(); 3].map(|()| UnsafeCell::new(false))));
        let writers = [vec![2, 0], vec![1]].map(|numbers| {
            let (rows, cells) = (rows.clone(), Arc::clone(&cells));
            thread::spawn(move || {
                for number in numbers {
                    // SAFETY: see `Cells`.
                    cells.0[number].with_mut(|cell| unsafe { *cell = true });
                    rows[number].wake();
                }
            })
        });
        let mut seen = 0;
        let mut woken = Vec::new();
        while seen < rows.len() {
            block_on(poll_fn(|cx| wait(&bell, cx.waker())));
            bell.take(&mut woken);
            for number in woken.drain(..).flatten() {
                // SAFETY: see `Cells`.
                assert!(cells.0[number as usize].with(|cell| unsafe { *cell }));
                seen += 1;
            }
            thread::yield_now();
        }
        for writer in writers {
            writer.join().unwrap();
        }
    });
}

#[test]
fn a_close_wakes_the_row() {
    loom::model(|| {
        let bell = Bell::new(0);
        let client = Client::new(&bell);
        let ring = Arc::clone(&client.ring);
        let closer = thread::spawn(move || ring.close());
        block_on(poll_fn(|cx| wait(&bell, cx.waker())));
        bell.take(&mut Vec::new());
        assert!(client.ring.is_closed(), "the row is woken by the close");
        closer.join().unwrap();
    });
}
