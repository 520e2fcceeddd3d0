//! loom models of the ring. Each is named for the race, and was seen to fail:
//!
//! TABLE
//!
//! What loom does not see: time, so spinning is cut to one look; and more than a few threads.

use std::future::poll_fn;
use std::task::Context;
use std::task::Poll;

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering;
use loom::thread;

use super::Park;
use super::Receiver;
use super::Ring;
use super::Weigh;
use crate::raw::shared::Shared;

type Items = Ring<Item, Vec<usize>>;

/// An item that is touched when pushed and when taken: unsynchronised, loom sees a race.
struct Item {
    number: usize,
    cell: loom::cell::UnsafeCell<usize>,
    drops: Arc<AtomicUsize>,
}

// SAFETY: the cell is written before the item is shared and only read after.
unsafe impl Sync for Item {}

impl Item {
    fn shared(number: usize, drops: &Arc<AtomicUsize>) -> Shared<Self> {
        let cell = loom::cell::UnsafeCell::new(0);
        // SAFETY: not shared yet.
        cell.with_mut(|cell| unsafe { *cell = number });
        Shared::new(Self {
            number,
            cell,
            drops: Arc::clone(drops),
        })
    }

    fn read(&self) -> usize {
        // SAFETY: nobody writes any more.
        assert_eq!(self.cell.with(|cell| unsafe { *cell }), self.number);
        self.number
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

impl Weigh for Item {
    fn weight(&self) -> u64 {
        1
    }
}

fn ring(limit: usize) -> (Arc<Items>, Receiver, Arc<AtomicUsize>) {
    let ring = Arc::new(Items::new(limit, 1 << 20, false, Vec::new()));
    let receiver = ring.receiver().expect("a new ring has its receiver");
    (ring, receiver, Arc::new(AtomicUsize::new(0)))
}

fn poll(ring: &Items, receiver: &mut Receiver, cx: &Context<'_>) -> Poll<Option<usize>> {
    loop {
        let Some(mut turn) = ring.consume(receiver) else {
            cx.waker().wake_by_ref();
            thread::yield_now();
            return Poll::Pending;
        };
        if turn.is_called() {
            ring.answer();
        }
        if let Some(item) = turn.pop() {
            return Poll::Ready(Some(item.read()));
        }
        if turn.is_closed() && turn.is_drained() {
            return Poll::Ready(None);
        }
        let seen = turn.finish();
        match ring.park(receiver, seen, cx.waker()) {
            Park::Look => {}
            Park::Parked => return Poll::Pending,
            Park::Soon => {
                thread::yield_now();
                return Poll::Pending;
            }
        }
    }
}

fn recv(ring: &Items, receiver: &mut Receiver) -> Option<usize> {
    block_on(poll_fn(|cx| poll(ring, receiver, cx)))
}

fn drain(ring: &Items, receiver: &mut Receiver) -> Vec<usize> {
    let mut taken = Vec::new();
    while let Some(mut turn) = ring.consume(receiver) {
        let Some(item) = turn.pop() else { break };
        taken.push(item.read());
    }
    taken
}

fn pushes(ring: &Arc<Items>, number: usize, drops: &Arc<AtomicUsize>) -> thread::JoinHandle<bool> {
    let (ring, drops) = (Arc::clone(ring), Arc::clone(drops));
    thread::spawn(move || ring.push(Item::shared(number, &drops)).is_ok())
}

#[test]
fn push_races_push() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(2);
        let other = pushes(&ring, 1, &drops);
        assert!(ring.push(Item::shared(2, &drops)).is_ok());
        assert!(other.join().expect("no panic"));
        let mut taken = drain(&ring, &mut receiver);
        taken.sort_unstable();
        assert_eq!(taken, [1, 2], "nothing is lost or doubled");
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn push_races_push_for_the_last_place() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(1);
        let other = pushes(&ring, 1, &drops);
        let mine = ring.push(Item::shared(2, &drops)).is_ok();
        let theirs = other.join().expect("no panic");
        assert!(
            mine ^ theirs,
            "the limit is strict, and the place is not wasted"
        );
        assert_eq!(drain(&ring, &mut receiver).len(), 1);
    });
}

#[test]
fn park_races_push() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(1);
        let producer = pushes(&ring, 1, &drops);
        assert_eq!(recv(&ring, &mut receiver), Some(1), "no wake-up is lost");
        assert!(producer.join().expect("no panic"));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn park_races_two_pushes_through_one_slot() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(1);
        let producer = {
            let (ring, drops) = (Arc::clone(&ring), Arc::clone(&drops));
            thread::spawn(move || {
                let first = ring.push(Item::shared(1, &drops)).is_ok();
                let second = ring.push(Item::shared(2, &drops)).is_ok();
                assert!(ring.close());
                (first, second)
            })
        };
        let mut taken = Vec::new();
        while let Some(number) = recv(&ring, &mut receiver) {
            taken.push(number);
        }
        let (first, second) = producer.join().expect("no panic");
        assert!(first);
        assert_eq!(taken, if second { vec![1, 2] } else { vec![1] });
    });
}

#[test]
fn a_new_waker_races_push() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(1);
        let producer = pushes(&ring, 1, &drops);
        // A poll whose waker is not the one that waits afterwards.
        let early = block_on(poll_fn(|_| {
            let cx = Context::from_waker(std::task::Waker::noop());
            Poll::Ready(poll(&ring, &mut receiver, &cx))
        }));
        if early.is_pending() {
            assert_eq!(
                recv(&ring, &mut receiver),
                Some(1),
                "the last waker is woken"
            );
        }
        assert!(producer.join().expect("no panic"));
    });
}

#[test]
fn close_races_push() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(1);
        let producer = pushes(&ring, 1, &drops);
        assert!(ring.close());
        let accepted = producer.join().expect("no panic");
        let mut taken = Vec::new();
        while let Some(number) = recv(&ring, &mut receiver) {
            taken.push(number);
        }
        assert_eq!(
            taken.len(),
            usize::from(accepted),
            "what was accepted arrives, no more"
        );
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn close_races_park() {
    loom::model(|| {
        let (ring, mut receiver, _drops) = ring(1);
        let closer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || ring.close())
        };
        assert_eq!(
            recv(&ring, &mut receiver),
            None,
            "a parked consumer hears of the close"
        );
        assert!(closer.join().expect("no panic"));
    });
}

#[test]
fn a_call_races_park() {
    loom::model(|| {
        let (ring, mut receiver, _drops) = ring(1);
        let beside = Arc::new(AtomicUsize::new(0));
        let caller = {
            let (ring, beside) = (Arc::clone(&ring), Arc::clone(&beside));
            thread::spawn(move || {
                // Relaxed: published by the call.
                beside.store(7, Ordering::Relaxed);
                ring.call();
            })
        };
        let heard = block_on(poll_fn(|cx| {
            let called = ring
                .consume(&mut receiver)
                .is_some_and(|turn| turn.is_called());
            if called {
                ring.answer();
                // Relaxed: published by the call.
                return Poll::Ready(beside.load(Ordering::Relaxed));
            }
            poll(&ring, &mut receiver, cx).map(|_| beside.load(Ordering::Relaxed))
        }));
        // `poll` answers calls itself, and then goes on waiting: only the first look counts here.
        assert_eq!(heard, 7);
        caller.join().expect("no panic");
    });
}

#[test]
fn a_thief_races_the_receiver() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(2);
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        assert!(ring.push(Item::shared(2, &drops)).is_ok());
        let thief = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                let mut turn = ring.steal()?;
                let stolen = turn.pop().map(|item| item.read());
                turn.state(|state| state.extend(stolen));
                stolen
            })
        };
        let mine = ring
            .consume(&mut receiver)
            .and_then(|mut turn| turn.pop().map(|i| i.read()));
        let stolen = thief.join().expect("no panic");
        let rest = drain(&ring, &mut receiver);
        let mut all: Vec<_> = mine.into_iter().chain(stolen).chain(rest).collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2], "each item goes to one of them");
    });
}

#[test]
fn a_thief_makes_room_while_another_pushes() {
    loom::model(|| {
        let ring = Arc::new(Items::new(1, 1 << 20, true, Vec::new()));
        let mut receiver = ring.receiver().expect("a new ring has its receiver");
        let drops = Arc::new(AtomicUsize::new(0));
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        let other = pushes(&ring, 2, &drops);
        if let Some(mut turn) = ring.steal() {
            drop(turn.pop());
        }
        let mine = ring.push(Item::shared(3, &drops)).is_ok();
        let theirs = other.join().expect("no panic");
        assert!(!(mine && theirs), "the limit is strict");
        assert!(mine || theirs, "the room was used");
        assert_eq!(drain(&ring, &mut receiver).len(), 1);
        drop(ring);
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn what_is_left_is_dropped_once() {
    loom::model(|| {
        let (ring, _receiver, drops) = ring(2);
        let other = pushes(&ring, 1, &drops);
        assert!(ring.push(Item::shared(2, &drops)).is_ok());
        assert!(other.join().expect("no panic"));
        drop(ring);
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    });
}
