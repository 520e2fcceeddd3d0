use std::sync::Arc;
use std::sync::Barrier;
use std::thread;

use super::Beside;
use super::Held;
use super::Line;
use super::Plain;
use super::Ring;
use super::Weigh;
use super::Why;
use super::word::MOST_BYTES;
use super::word::MOST_MESSAGES;
use super::word::Word;
use crate::raw::arena::Arena;
use crate::raw::shared::Shared;

struct Item(u64, u64);

impl Weigh for Item {
    fn weight(&self) -> u64 {
        self.1
    }
}

/// A state that is not idle while it is there.
struct Full;

impl Beside for Full {
    fn is_idle(&self) -> bool {
        false
    }
}

fn item(number: u64) -> Shared<Item> {
    Shared::new(Item(number, 1))
}

fn ring(messages: usize, bytes: u64) -> Arc<Ring<Item, ()>> {
    Arc::new(Ring::new(messages, bytes, false, ()))
}

#[test]
fn a_word_wraps_without_touching_its_neighbours() {
    let all_flags = Word(0b1111);
    let mut word = all_flags;
    for _ in 0..5 {
        word = word.forward((1 << 24) - 3, (1 << 36) - 5);
        assert_eq!(word.0 & 0b1111, 0b1111);
        let next = word.forward(7, 11);
        assert_eq!(
            next.since(word),
            Held {
                messages: 7,
                bytes: 11
            }
        );
        assert_eq!(next.back(7, 11), word);
    }
}

#[test]
fn a_line_is_a_cache_line() {
    assert_eq!(
        (size_of::<Line<Item>>(), align_of::<Line<Item>>()),
        (64, 64)
    );
    assert!(size_of::<Ring<Item, Option<Box<Full>>>>() <= 80);
}

#[test]
fn the_head_has_notes_that_do_not_count() {
    let head = Word(0).forward(3, 30).with(Word::BESIDE).with_high(4);
    let tail = head.forward(2, 20);
    assert_eq!(
        (head.high(), tail.since(head)),
        (
            4,
            Held {
                messages: 2,
                bytes: 20
            }
        )
    );
    let plain = Word(0).forward(5, 50).with(Word::CLOSED);
    assert_eq!(
        plain.since(head),
        Held {
            messages: 2,
            bytes: 20
        }
    );
    assert_eq!(head.with_high(2).high(), 2);
}

#[test]
fn plain_takes_take_in_order_and_keep_the_figures() {
    let ring = ring(64, 1 << 20);
    let mut receiver = ring.receiver().expect("first");
    let (mut pushed, mut taken) = (0, 0);
    for waiting in [1_usize, 4, 3, 5, 64, 2, 7] {
        for _ in 0..waiting {
            assert!(ring.push(item(pushed)).is_ok());
            pushed += 1;
        }
        assert!(ring.push(Shared::new(Item(0, 1 << 21))).is_err());
        ring.note_overflow();
        let in_order = |item: Shared<Item>| {
            assert_eq!(item.0, taken);
            taken += 1;
        };
        let count = ring.take_plainly(&mut receiver, usize::MAX, in_order);
        assert!(matches!(count, Plain::Took(taken) if taken == waiting));
        assert_eq!(ring.gone(), taken);
        assert!(!ring.is_overflown(), "it was emptied");
        assert_eq!(ring.held(), Held::default());
    }
    assert_eq!(ring.high_water(), 64);
    assert!(matches!(
        ring.take_plainly(&mut receiver, 1, drop),
        Plain::Idle(_)
    ));
    ring.note_overflow();
    assert!(matches!(
        ring.take_plainly(&mut receiver, 1, drop),
        Plain::Look
    ));
}

#[test]
fn the_most_that_waited_is_known_whether_few_or_many() {
    let ring = ring(64, 1 << 20);
    let mut receiver = ring.receiver().expect("first");
    for (waiting, most) in [(1, 1), (3, 3), (2, 3), (4, 4), (6, 6), (1, 6), (9, 9)] {
        for number in 0..waiting {
            assert!(ring.push(item(number)).is_ok());
        }
        while let Plain::Took(_) = ring.take_plainly(&mut receiver, 2, drop) {}
        assert_eq!(ring.high_water(), most);
    }
}

#[test]
fn a_plain_take_leaves_what_is_called_for_or_kept_beside() {
    let ring: Ring<Item, Option<Box<Full>>> = Ring::new(9, 100, true, None);
    let mut receiver = ring.receiver().expect("first");
    assert!(ring.push(item(1)).is_ok());
    ring.call();
    assert!(
        matches!(ring.take_plainly(&mut receiver, 9, drop), Plain::Look),
        "called"
    );
    ring.answer();
    let mut turn = ring.steal().expect("it is shared");
    let kept = turn.pop().expect("one is there");
    turn.keep(1);
    drop(turn);
    assert!(ring.push(item(2)).is_ok());
    assert!(
        matches!(ring.take_plainly(&mut receiver, 9, drop), Plain::Look),
        "one is kept"
    );
    let mut turn = ring.steal().expect("it is shared");
    turn.settle(1);
    turn.state(|state| *state = Some(Box::new(Full)));
    drop((turn, kept));
    assert!(
        matches!(ring.take_plainly(&mut receiver, 9, drop), Plain::Look),
        "the state is not idle"
    );
    let mut turn = ring.consume(&mut receiver).expect("nobody steals now");
    turn.state(|state| *state = None);
    drop(turn);
    assert!(matches!(
        ring.take_plainly(&mut receiver, 9, drop),
        Plain::Took(1)
    ));
    assert!(matches!(
        ring.take_plainly(&mut receiver, 9, drop),
        Plain::Idle(_)
    ));
    ring.close();
    assert!(matches!(
        ring.take_plainly(&mut receiver, 9, drop),
        Plain::Look
    ));
}

#[test]
fn rings_in_an_arena_leave_nothing_behind() {
    let arena = Arena::new();
    let rings: Vec<_> = (0..100)
        .map(|_| Ring::<Item, ()>::new_in(&arena, None, 9, 100, false, ()))
        .collect();
    let one = item(1);
    for ring in &rings {
        for _ in 0..6 {
            assert!(ring.push(one.clone()).is_ok());
        }
    }
    drop(rings);
    assert_eq!(Arc::strong_count(&arena), 1);
}

#[test]
fn both_limits_are_strict() {
    let ring = ring(3, 10);
    assert!(ring.push(Shared::new(Item(0, 9))).is_ok());
    let refused = ring
        .push(Shared::new(Item(1, 2)))
        .expect_err("9 + 2 bytes exceed 10");
    assert_eq!((refused.item.0, refused.why), (1, Why::Full));
    assert!(ring.push(item(2)).is_ok());
    assert_eq!(
        ring.held(),
        Held {
            messages: 2,
            bytes: 10
        }
    );

    let ring = self::ring(3, 100);
    for number in 0..3 {
        assert!(ring.push(item(number)).is_ok());
    }
    assert!(
        ring.push(item(3)).is_err(),
        "a limit that is no power of two holds too"
    );
}

#[test]
fn order_is_kept_over_many_laps() {
    let ring = ring(3, 100);
    let mut receiver = ring.receiver().expect("first");
    assert!(ring.receiver().is_none(), "there is one receiver");
    let mut expected = 0;
    for number in 0..1000_u64 {
        assert!(ring.push(item(number)).is_ok());
        if number % 3 == 2 {
            let mut turn = ring.consume(&mut receiver).expect("nobody steals");
            while let Some(item) = turn.pop() {
                assert_eq!(item.0, expected);
                expected += 1;
            }
        }
    }
    assert_eq!(expected, 999);
}

#[test]
fn kept_items_count_until_they_are_settled() {
    let ring = ring(2, 100);
    let mut receiver = ring.receiver().expect("first");
    assert!(ring.push(item(1)).is_ok());
    assert!(ring.push(item(2)).is_ok());
    let mut turn = ring.consume(&mut receiver).expect("nobody steals");
    let kept = turn.pop().expect("two are there");
    turn.keep(1);
    drop(turn);
    assert!(ring.push(item(3)).is_err(), "one waits and one is kept");
    let mut turn = ring.consume(&mut receiver).expect("nobody steals");
    turn.settle(1);
    drop(turn);
    drop(kept);
    assert!(ring.push(item(3)).is_ok());
}

#[test]
fn a_receiver_that_began_learns_that_sharing_is_wanted() {
    let ring = ring(2, 100);
    let mut receiver = ring.receiver().expect("first");
    drop(ring.consume(&mut receiver));
    assert!(ring.steal().is_none(), "it has its part for good");
    let turn = ring.consume(&mut receiver).expect("its own");
    assert!(turn.is_called(), "it is told");
    drop(turn);
    assert!(ring.steal().is_some(), "from now on it shares");
}

#[test]
#[should_panic(expected = "another ring")]
fn a_receiver_of_another_ring_is_refused() {
    let (a, b) = (ring(1, 1), ring(1, 1));
    let mut receiver = a.receiver().expect("first");
    drop(b.consume(&mut receiver));
}

#[test]
fn the_largest_ring_works() {
    let ring = ring(MOST_MESSAGES, MOST_BYTES);
    let mut receiver = ring.receiver().expect("first");
    let one = item(1);
    for _ in 0..MOST_MESSAGES {
        assert!(ring.push(one.clone()).is_ok());
    }
    assert!(ring.push(one).is_err());
    let mut turn = ring.consume(&mut receiver).expect("nobody steals");
    let mut taken = 0;
    while turn.pop().is_some() {
        taken += 1;
    }
    assert_eq!(taken, MOST_MESSAGES);
}

#[test]
fn producers_thieves_and_receiver_share_out_everything_once() {
    const PRODUCERS: usize = 3;
    const EACH: u64 = if cfg!(miri) { 100 } else { 20_000 };
    let ring = ring(16, 1 << 20);
    let start = Arc::new(Barrier::new(PRODUCERS + 2));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (ring, start) = (Arc::clone(&ring), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                let mut accepted = 0_u64;
                for number in 0..EACH {
                    accepted +=
                        u64::from(ring.push(item((producer as u64) << 32 | number)).is_ok());
                    thread::yield_now();
                }
                accepted
            })
        })
        .collect();
    let thief = {
        let (ring, start) = (Arc::clone(&ring), Arc::clone(&start));
        thread::spawn(move || {
            start.wait();
            let mut stolen = 0_u64;
            while !ring.is_closed() {
                if let Some(mut turn) = ring.steal() {
                    stolen += u64::from(turn.pop().is_some());
                }
                thread::yield_now();
            }
            stolen
        })
    };
    let mut receiver = ring.receiver().expect("first");
    start.wait();
    let mut last = [None; PRODUCERS];
    let mut received = 0_u64;
    let mut receive = || {
        let Some(mut turn) = ring.consume(&mut receiver) else {
            return;
        };
        if turn.is_called() {
            ring.answer();
        }
        while let Some(item) = turn.pop() {
            let producer = usize::try_from(item.0 >> 32).expect("below PRODUCERS");
            let number = item.0 & 0xffff_ffff;
            assert!(
                last[producer] < Some(number),
                "the order of a producer is kept"
            );
            last[producer] = Some(number);
            received += 1;
        }
    };
    while !producers.iter().all(thread::JoinHandle::is_finished) {
        receive();
        thread::yield_now();
    }
    let accepted: u64 = producers
        .into_iter()
        .map(|p| p.join().expect("no panic"))
        .sum();
    ring.close();
    let stolen = thief.join().expect("no panic");
    receive();
    assert_eq!(received + stolen, accepted);
}
