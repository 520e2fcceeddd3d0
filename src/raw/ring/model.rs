//! loom models of the ring, each named for its race.
//!
//! # What was seen failing
//!
//! Seen before the ring's words, slots and role moved into one line, and not run again since. The
//! models of plain takes (`a_plain_take_..`) are newer, and no change has been seen failing in
//! them.
//!
//! Each change was made alone, and each model was run alone on it (preemption bound 3). A model is
//! red by a causality violation, a deadlock, an assertion, or a path without an end. The models
//! have short names here: *push*, *last* (`push_races_push..`), *deep*, *first* (`the_first_..`),
//! *park*, *slot* (`park_races_..`), *waker*, *close*, *shut* (`close_races_park`), *call*, *calls*
//! (`calls_race_their_answers`), *look*, *tail* (`an_old_tail_..`), *thief*
//! (`..races_the_receiver`), *room*, *share* (`a_wish..`), *place* (`a_thief_takes_..`), *sleep*
//! (`a_thief_races_park`), *kept*, *left*, and *owners* (in `shared/tests.rs`).
//!
//! | change | red |
//! |---|---|
//! | `push`: head by Acquire to Relaxed | room sleep tail slot first deep left |
//! | `push`: claim by Acquire to Relaxed | waker sleep park slot |
//! | `is_closed`: Acquire to Relaxed | look |
//! | `raise`: AcqRel to Release | call sleep calls shut slot |
//! | `raise`: AcqRel to Acquire | look calls |
//! | `raise`: AcqRel to Relaxed | call look sleep calls shut slot |
//! | `Many::put`: Acquire to Relaxed | deep |
//! | `put`: Release to Relaxed | waker sleep park slot first deep left |
//! | `Many::take`: Acquire to Relaxed | first |
//! | `take`: Acquire to Relaxed | waker sleep park slot first deep left |
//! | `allocate`: Release to Relaxed | first deep |
//! | `allocate`: Acquire (on failure) to Relaxed | deep |
//! | `answer`: Acquire to Relaxed | calls |
//! | `turn`: Acquire to Relaxed | sleep calls slot |
//! | `Consume::drop`: Release to Relaxed | room sleep tail slot first deep left |
//! | `park`: Acquire to Relaxed | sleep calls slot |
//! | `try_park`: Release to Relaxed | call waker sleep calls shut park slot |
//! | `notify`: Release to Relaxed | sleep calls slot |
//! | `begin_other`: FREE by Acquire to Relaxed | sleep thief share |
//! | `Role::steal`: FREE by Acquire to Relaxed | sleep share |
//! | `Role::end`: Release to Relaxed | sleep thief share |
//! | `try_park`: PARKED by `fetch_or` | call waker sleep calls shut park slot |
//! | `push`: leaves PARKED | sleep slot |
//! | `push`: does not notify | waker sleep park slot |
//! | `raise`: leaves PARKED | calls |
//! | `raise`: does not notify | call sleep calls shut slot |
//! | `push`: full without the second look at the tail | tail deep left |
//! | `take`: leaves the slot as it is | sleep thief share slot push first deep left |
//! | `push`: never deep | thief share tail push first deep left |
//! | `push`: deep one too late | thief share tail push first deep left |
//! | `surface`: although something is left | thief share push first deep left |
//! | `surface`: by `fetch_and` | deep |
//! | `Ring::take`: the few alone | thief share tail push first deep left |
//! | `notifying`: without NOTIFYING | sleep calls slot |
//! | `park`: although NOTIFYING | sleep calls slot |
//! | `pop`: gives the head back before it takes | room sleep tail slot first kept left |
//! | `begin_other`: takes a HELD part | sleep thief share |
//! | `Role::steal`: takes a HELD part | sleep share |
//! | `Role::steal`: takes an OWNED part | thief share |
//! | `Role::steal`: leaves a part FRESH | thief |
//! | `Role::end`: frees nothing | room sleep thief share kept |
//! | `Ring::drop`: drops nothing | kept left |
//! | `Ring::drop`: drops one too few | kept left |
//! | `park`: although something was pushed | waker park |
//! | `park`: although CALLED | call calls |
//! | `park`: although CLOSED | sleep shut slot |
//! | `try_park`: writes the cell while PARKED | call waker sleep calls shut park slot |
//! | `unpark`: PARKED taken back by `fetch_and` | call waker sleep calls shut park slot |
//! | `keep`: what is kept does not count | kept |
//! | `Consume::drop`: gives nothing back | room sleep kept |
//! | `push`: although CLOSED | close |
//! | `push`: a store instead of a compare-exchange | waker room sleep tail close park slot push last deep left |
//! | `allocate`: a second time | deep |
//! | the consumer answers after it acted | calls |
//! | `Shared::lower`: Release to Relaxed, or no fence | owners |
//!
//! Not yet weakened: `admit` and `claim_bytes`, which *place* is for.
//!
//! # What loom does not see
//!
//! * Time, so spinning is cut to two looks; and more than a few threads.
//! * A load that moves behind a later store of its thread. That `take` has read a slot before its
//!   place is claimed again rests on the Release of `Consume::drop` and the Acquire in `push`,
//!   which the old tail also needs; likewise the waker's cell on `notify` and `park`.
//! * Some orders of a load of one thread and a load and a compare-exchange of another: it compares
//!   each access with the last one only. Where that hid a race, one waits for the other.
//! * An old value, once the thread that has made or seen it yields. There the waiting one is a
//!   thread of its own.

use std::future::poll_fn;
use std::task::Context;
use std::task::Poll;

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering;
use loom::thread;

use super::Beside;
use super::Park;
use super::Plain;
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

impl Beside for Vec<usize> {
    fn is_idle(&self) -> bool {
        self.is_empty()
    }
}

fn ring(limit: usize) -> (Arc<Items>, Receiver, Arc<AtomicUsize>) {
    let ring = Arc::new(Items::new(limit, 1 << 20, false, Vec::new()));
    let receiver = ring.receiver().expect("a new ring has its receiver");
    (ring, receiver, Arc::new(AtomicUsize::new(0)))
}

/// What a receiver hears.
#[derive(Debug, PartialEq)]
enum Heard {
    Call,
    Close,
    Item(usize),
}

fn poll(ring: &Items, receiver: &mut Receiver, cx: &Context<'_>) -> Poll<Heard> {
    loop {
        let Some(mut turn) = ring.consume(receiver) else {
            cx.waker().wake_by_ref();
            thread::yield_now();
            return Poll::Pending;
        };
        if turn.is_called() {
            drop(turn);
            ring.answer();
            return Poll::Ready(Heard::Call);
        }
        if let Some(item) = turn.pop() {
            return Poll::Ready(Heard::Item(item.read()));
        }
        if turn.is_closed() && turn.is_drained() {
            return Poll::Ready(Heard::Close);
        }
        let seen = turn.finish();
        match ring.park(receiver, seen, Some(cx.waker())) {
            Park::Look => {}
            Park::Parked => return Poll::Pending,
            Park::Soon => {
                thread::yield_now();
                return Poll::Pending;
            }
        }
    }
}

fn hear(ring: &Items, receiver: &mut Receiver) -> Heard {
    block_on(poll_fn(|cx| poll(ring, receiver, cx)))
}

fn recv(ring: &Items, receiver: &mut Receiver) -> Option<usize> {
    loop {
        match hear(ring, receiver) {
            Heard::Call => {}
            Heard::Close => return None,
            Heard::Item(number) => return Some(number),
        }
    }
}

fn drain(ring: &Items, receiver: &mut Receiver) -> Vec<usize> {
    let mut taken = Vec::new();
    while let Some(mut turn) = ring.consume(receiver) {
        let Some(item) = turn.pop() else { break };
        taken.push(item.read());
    }
    taken
}

/// As [`drain`], by the shortest way, which looks at the line alone.
fn drain_plainly(ring: &Items, receiver: &mut Receiver) -> Vec<usize> {
    let mut taken = Vec::new();
    let mut put = |item: Shared<Item>| taken.push(item.read());
    while let Plain::Took(_) = ring.take_plainly(receiver, 2, &mut put) {}
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
fn the_first_deep_pushes_race() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(4);
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        let other = pushes(&ring, 2, &drops);
        assert!(ring.push(Item::shared(3, &drops)).is_ok());
        let mut taken = drain(&ring, &mut receiver);
        assert!(other.join().expect("no panic"));
        taken.append(&mut drain(&ring, &mut receiver));
        assert_eq!(taken[0], 1, "the few come before the many");
        taken.sort_unstable();
        assert_eq!(taken, [1, 2, 3], "nothing is lost or doubled");
    });
}

/// The receiver takes while the slots are made.
#[test]
fn the_first_deep_push_races_the_receiver() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(4);
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        let other = pushes(&ring, 2, &drops);
        let mut taken = drain(&ring, &mut receiver);
        while taken.len() < 2 {
            thread::yield_now();
            taken.append(&mut drain(&ring, &mut receiver));
        }
        assert!(other.join().expect("no panic"));
        assert_eq!(taken, [1, 2]);
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
        let late = ring.push(Item::shared(2, &drops));
        assert!(late.is_err(), "nothing is accepted after the close");
        drop(late);
        assert_eq!(drops.load(Ordering::Relaxed), 2);
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
        assert_eq!(
            hear(&ring, &mut receiver),
            Heard::Call,
            "a parked consumer hears of it"
        );
        // Relaxed: published by the call.
        assert_eq!(
            beside.load(Ordering::Relaxed),
            7,
            "and sees what it was called for"
        );
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

/// The late push waits in a way that orders nothing, so that it may see the tail as it was.
#[test]
fn an_old_tail_races_a_new_head() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(2);
        let taken = Arc::new(AtomicUsize::new(0));
        let late = {
            let (ring, drops, taken) = (Arc::clone(&ring), Arc::clone(&drops), Arc::clone(&taken));
            thread::spawn(move || {
                // Relaxed: orders nothing, on purpose.
                while taken.load(Ordering::Relaxed) == 0 {
                    thread::yield_now();
                }
                ring.push(Item::shared(2, &drops)).is_ok()
            })
        };
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        assert_eq!(drain(&ring, &mut receiver), [1]);
        // Relaxed: orders nothing, on purpose.
        taken.store(1, Ordering::Relaxed);
        assert!(late.join().expect("no panic"), "there was room");
        assert_eq!(drain(&ring, &mut receiver), [2]);
    });
}

#[test]
fn a_look_races_close() {
    loom::model(|| {
        let (ring, _receiver, _drops) = ring(1);
        let beside = Arc::new(AtomicUsize::new(0));
        let looker = {
            let (ring, beside) = (Arc::clone(&ring), Arc::clone(&beside));
            thread::spawn(move || {
                while !ring.is_closed() {
                    thread::yield_now();
                }
                // Relaxed: published by the close.
                beside.load(Ordering::Relaxed)
            })
        };
        // Relaxed: published by the close.
        beside.store(7, Ordering::Relaxed);
        assert!(ring.close());
        let why = looker.join().expect("no panic");
        assert_eq!(why, 7, "why it was closed is seen");
    });
}

#[test]
fn calls_race_their_answers() {
    loom::model(|| {
        let (ring, mut receiver, _drops) = ring(1);
        let beside = Arc::new(AtomicUsize::new(0));
        let caller = {
            let (ring, beside) = (Arc::clone(&ring), Arc::clone(&beside));
            thread::spawn(move || {
                for note in 1..=2 {
                    // Relaxed: published by the call.
                    beside.store(note, Ordering::Relaxed);
                    ring.call();
                }
            })
        };
        let mut seen = 0;
        while seen < 2 {
            assert_eq!(hear(&ring, &mut receiver), Heard::Call);
            // Relaxed: published by the call.
            seen = beside.load(Ordering::Relaxed);
        }
        caller.join().expect("no panic");
    });
}

#[test]
fn a_wish_to_share_races_the_owner() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(2);
        drop(ring.consume(&mut receiver));
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        assert!(ring.push(Item::shared(2, &drops)).is_ok());
        assert!(ring.steal().is_none(), "it is asked to share");
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
            .and_then(|mut turn| turn.pop().map(|item| item.read()));
        let again = ring
            .consume(&mut receiver)
            .and_then(|mut turn| turn.pop().map(|item| item.read()));
        let stolen = thief.join().expect("no panic");
        let rest = drain(&ring, &mut receiver);
        let all = mine.into_iter().chain(again).chain(stolen).chain(rest);
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2], "each item goes to one of them");
    });
}

/// What a thief does for a policy that conflates: it keeps what it finds beside the ring, and
/// pushes the newer in its place.
#[test]
fn a_thief_races_park() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let ring = Arc::new(Items::new(1, 1 << 20, true, Vec::new()));
        let mut receiver = ring.receiver().expect("a new ring has its receiver");
        let drops = Arc::new(AtomicUsize::new(0));
        let producer = {
            let (ring, drops) = (Arc::clone(&ring), Arc::clone(&drops));
            thread::spawn(move || {
                assert!(ring.push(Item::shared(1, &drops)).is_ok());
                if let Some(mut turn) = ring.steal()
                    && let Some(item) = turn.pop()
                {
                    turn.state(|state| state.push(item.read()));
                }
                let second = ring.push(Item::shared(2, &drops)).is_ok();
                assert!(ring.close());
                second
            })
        };
        let mut taken = Vec::new();
        while let Some(number) = recv(&ring, &mut receiver) {
            let mut turn = loop {
                match ring.consume(&mut receiver) {
                    Some(turn) => break turn,
                    None => thread::yield_now(),
                }
            };
            turn.state(|state| taken.append(state));
            taken.push(number);
        }
        let second = producer.join().expect("no panic");
        assert_eq!(taken, if second { vec![1, 2] } else { vec![1] });
    });
}

/// A receiver that offers its part races a thief: one has it at a time, and nothing is lost.
#[test]
fn an_offer_races_a_thief() {
    loom::model(|| {
        let ring = Arc::new(Items::new(2, 1 << 20, false, Vec::new()));
        let mut receiver = ring.receiver().expect("a new ring has its receiver");
        let drops = Arc::new(AtomicUsize::new(0));
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        assert!(ring.push(Item::shared(2, &drops)).is_ok());
        let mut turn = ring.consume(&mut receiver).expect("nobody steals yet");
        let thief = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                let mut turn = ring.steal()?;
                assert_eq!(turn.state(|state| state.pop()), Some(1));
                turn.peek().map(|item| item.read())
            })
        };
        assert_eq!(turn.pop().map(|item| item.read()), Some(1));
        turn.state(|state| state.push(1));
        drop(turn);
        ring.offer(&mut receiver);
        let mut taken = drain(&ring, &mut receiver);
        let seen = thief.join().expect("no panic");
        assert!(seen.is_none_or(|seen| seen == 2), "{seen:?}");
        taken.append(&mut drain(&ring, &mut receiver));
        assert_eq!(taken, [2], "what was looked at is still taken");
    });
}

#[test]
fn what_a_thief_keeps_races_push() {
    loom::model(|| {
        let ring = Arc::new(Items::new(1, 1 << 20, true, Vec::new()));
        let mut receiver = ring.receiver().expect("a new ring has its receiver");
        let drops = Arc::new(AtomicUsize::new(0));
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        let other = pushes(&ring, 2, &drops);
        let mut turn = ring.steal().expect("nobody else steals");
        let kept = turn.pop().expect("it was pushed before");
        turn.keep(1);
        drop(turn);
        assert!(!other.join().expect("no panic"), "what is kept counts on");
        let mut turn = ring.consume(&mut receiver).expect("nobody steals");
        turn.settle(1);
        drop(turn);
        drop(kept);
        assert!(ring.push(Item::shared(3, &drops)).is_ok());
    });
}

/// A thief puts an item beside the ring in the place of the one it takes out, while another pushes:
/// nobody else gets the room, in messages or in bytes.
#[test]
fn a_thief_takes_the_place_of_what_it_settles() {
    loom::model(|| {
        // Two places, and bytes for one light item more.
        let ring = Arc::new(Items::new(2, 3, true, Vec::new()));
        let mut receiver = ring.receiver().expect("a new ring has its receiver");
        let drops = Arc::new(AtomicUsize::new(0));
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        let other = pushes(&ring, 2, &drops);
        let mut turn = ring.steal().expect("nobody else steals");
        assert!(!turn.admit(1), "nothing was given back");
        drop(turn.pop());
        // One of its two bytes comes from what was given back.
        assert!(turn.admit(2), "a byte is free, whoever comes first");
        turn.state(|kept| kept.push(3));
        drop(turn);
        assert!(other.join().expect("no panic"), "a place is free");
        assert!(ring.push(Item::shared(4, &drops)).is_err(), "all is taken");
        assert_eq!(ring.held().messages, 2);
        assert_eq!(ring.held().bytes, 3);
        if let Some(mut turn) = ring.consume(&mut receiver) {
            assert_eq!(turn.state(std::mem::take), [3]);
            turn.settle(2);
        }
        assert_eq!(drain(&ring, &mut receiver), [2]);
        assert_eq!(ring.held().messages, 0);
        assert_eq!(ring.held().bytes, 0);
    });
}

#[test]
fn what_is_left_is_dropped_once() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(2);
        let other = pushes(&ring, 1, &drops);
        assert!(ring.push(Item::shared(2, &drops)).is_ok());
        let taken = ring
            .consume(&mut receiver)
            .and_then(|mut turn| turn.pop().map(|item| item.read()));
        assert!(other.join().expect("no panic"));
        // Relaxed: the others have been joined.
        let dropped = drops.load(Ordering::Relaxed);
        assert_eq!(dropped, usize::from(taken.is_some()));
        drop(ring);
        // Relaxed: as above.
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_plain_take_races_deep_pushes() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(3);
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        let producer = {
            let (ring, drops) = (Arc::clone(&ring), Arc::clone(&drops));
            thread::spawn(move || {
                assert!(ring.push(Item::shared(2, &drops)).is_ok());
                assert!(ring.push(Item::shared(3, &drops)).is_ok());
            })
        };
        let mut taken = drain_plainly(&ring, &mut receiver);
        taken.append(&mut drain_plainly(&ring, &mut receiver));
        producer.join().expect("no panic");
        taken.append(&mut drain_plainly(&ring, &mut receiver));
        assert_eq!(taken, [1, 2, 3], "in order, nothing lost or doubled");
        assert_eq!(ring.gone(), 3);
    });
}

/// Room that a plain take gives back is used by a push that had found none.
#[test]
fn a_plain_take_races_push_for_its_slot() {
    loom::model(|| {
        let (ring, mut receiver, drops) = ring(1);
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        let producer = pushes(&ring, 2, &drops);
        let mut taken = drain_plainly(&ring, &mut receiver);
        let second = producer.join().expect("no panic");
        taken.append(&mut drain_plainly(&ring, &mut receiver));
        assert_eq!(taken, if second { vec![1, 2] } else { vec![1] });
    });
}

/// What a thief keeps beside the ring comes before what is in it, so a plain take takes nothing
/// while something is kept.
#[test]
fn a_plain_take_races_a_thief_that_keeps() {
    loom::model(|| {
        let ring = Arc::new(Items::new(2, 1 << 20, true, Vec::new()));
        let mut receiver = ring.receiver().expect("a new ring has its receiver");
        let drops = Arc::new(AtomicUsize::new(0));
        assert!(ring.push(Item::shared(1, &drops)).is_ok());
        let thief = {
            let (ring, drops) = (Arc::clone(&ring), Arc::clone(&drops));
            thread::spawn(move || {
                if let Some(mut turn) = ring.steal()
                    && let Some(item) = turn.pop()
                {
                    turn.state(|state| state.push(item.read()));
                    turn.keep(1);
                }
                assert!(ring.push(Item::shared(2, &drops)).is_ok());
            })
        };
        let mut taken = drain_plainly(&ring, &mut receiver);
        thief.join().expect("no panic");
        let mut turn = ring.consume(&mut receiver).expect("nobody steals now");
        let kept = turn.state(std::mem::take);
        kept.iter().for_each(|_| turn.settle(1));
        taken.extend(kept);
        drop(turn);
        taken.append(&mut drain_plainly(&ring, &mut receiver));
        assert_eq!(taken, [1, 2], "in order, nothing lost or doubled");
        assert_eq!(ring.held().messages, 0, "all was given back");
    });
}
