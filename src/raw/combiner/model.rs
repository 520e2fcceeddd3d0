//! Every interleaving of a few callers, explored by loom.
//!
//! The machine stands in a loom cell, so an owner that is not alone, or does not see what the last
//! one did, is found. Each operation carries a loom cell that its caller wrote, so a node that is
//! not published is found, and a loom `Arc`, so one that is never dropped is.
//!
//! # What was seen failing
//!
//! Each change was made alone, and each model was run alone on it (preemption bound 4). A model is
//! red by a causality violation, an assertion, or an abort when the violation is followed by one
//! in a drop.
//!
//! | change | red |
//! |---|---|
//! | `claim`: Acquire to Relaxed | two three hand pass post seen panic |
//! | `push`: Release to Relaxed | two three hand pass post seen panic |
//! | `release`: Release to Relaxed | two three hand pass post panic |
//! | `Turn::drop`: Release to Relaxed | hand pass panic |
//! | `gather`: Acquire to Relaxed | two three pass post seen panic |
//! | `release`: a store of 0, without the re-check | two three hand pass post seen panic limit |
//! | `gather`: a load and a store | two three hand |
//! | `claim`: forgets the list it takes | hand pass post seen left panic |
//! | `elect`: claims an owned word too | two three hand pass post panic limit |
//! | `append`: does not turn the list round | two hand pass seen |
//! | `Turn::run`: its own operation before the older | hand pass |
//! | `offer`: goes on without claiming | hand pass |
//! | `offer`: never claims back | hand pass |
//! | `Turn::drop`: always to 0 | hand pass panic |
//! | `Turn::drop`: forgets the list | hand pass left panic |
//! | `hand_over`: pushes on a word nobody owns | two three hand pass post panic |
//! | `hand_over`: does not give its place back | two three hand pass post panic |
//! | `reserve`: a load and a store | two three hand pass post limit |
//! | `Combiner::drop`: forgets the list | left end |
//! | `Backlog::drop`: drops nothing | left end |
//!
//! The remaining orderings are Relaxed: the counter's, and loads whose value a compare-exchange
//! confirms.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::panic::resume_unwind;
use std::sync::Arc as Plain;
use std::sync::atomic::AtomicUsize as PlainUsize;
use std::sync::atomic::Ordering::Relaxed;

use loom::model::Builder;

use super::*;
use crate::sync::Arc;
use crate::sync::thread;

/// Notes the operations in the order they are applied.
struct Journal {
    /// `(caller, number)` of each.
    seen: Vec<(u8, u8)>,
}

impl Machine for Journal {
    type Op = Note;
    type Output = usize;

    fn apply(&mut self, op: Note) -> usize {
        let written = op.written.with(|number| {
            // SAFETY: loom reports it if the caller's write is not before this.
            unsafe { *number }
        });
        if written == POISON {
            resume_unwind(Box::new(POISON));
        }
        self.seen.push((op.caller, written));
        self.seen.len()
    }
}

struct Note {
    caller: u8,
    written: UnsafeCell<u8>,
    /// Loom reports it if this outlives the model.
    _alive: Arc<()>,
    tally: Plain<PlainUsize>,
}

impl Note {
    fn new(tally: &Plain<PlainUsize>, caller: u8, number: u8) -> Self {
        let written = UnsafeCell::new(0);
        written.with_mut(|cell| {
            // SAFETY: nobody else knows of the cell yet.
            unsafe { *cell = number };
        });
        Self {
            caller,
            written,
            _alive: Arc::new(()),
            tally: Plain::clone(tally),
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.tally.fetch_add(1, Relaxed);
    }
}

/// What the callers of one model share.
#[derive(Clone)]
struct World {
    combiner: Arc<Combiner<Journal>>,
    /// Notes dropped, whether applied or not.
    dropped: Plain<PlainUsize>,
}

impl World {
    fn new() -> Self {
        Self {
            combiner: Arc::new(Combiner::new(Journal { seen: Vec::new() })),
            dropped: Plain::default(),
        }
    }

    fn run(&self, caller: u8, number: u8, limit: usize) -> Run<Note, usize> {
        self.combiner.run(self.note(caller, number), limit)
    }

    fn post(&self, caller: u8, number: u8) {
        self.combiner.post(self.note(caller, number));
    }

    fn note(&self, caller: u8, number: u8) -> Note {
        Note::new(&self.dropped, caller, number)
    }

    fn spawn(&self, caller: impl FnOnce(&Self) + 'static) -> thread::JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || caller(&world))
    }

    /// Checks that nothing is left, and that the `expected` notes are all there, once each and in
    /// the order of each caller.
    #[track_caller]
    fn finish(self, expected: &[(u8, u8)]) {
        let Self { combiner, dropped } = self;
        assert_eq!(combiner.queued(), 0);
        assert_eq!(dropped.load(Relaxed), expected.len());
        let mut combiner = Arc::try_unwrap(combiner).ok().unwrap();
        let mut seen = std::mem::take(&mut combiner.get_mut().seen);
        drop(combiner);
        seen.sort_by_key(|(caller, _)| *caller);
        assert_eq!(seen, expected);
        assert_eq!(dropped.load(Relaxed), expected.len());
    }
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(4);
    builder.check(model);
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Model `two`.
#[test]
fn two_callers_race_and_each_note_is_applied_once_in_its_callers_order() {
    check(|| {
        let world = World::new();
        let other = world.spawn(|world| {
            world.run(1, 0, usize::MAX);
            world.run(1, 1, usize::MAX);
        });
        world.run(0, 0, usize::MAX);
        world.run(0, 1, usize::MAX);
        join([other]);
        world.finish(&[(0, 0), (0, 1), (1, 0), (1, 1)]);
    });
}

/// Model `three`.
#[test]
fn three_callers_race() {
    check(|| {
        let world = World::new();
        let others = [1, 2].map(|caller| {
            world.spawn(move |world| {
                world.run(caller, 0, usize::MAX);
            })
        });
        world.run(0, 0, usize::MAX);
        join(others);
        world.finish(&[(0, 0), (1, 0), (2, 0)]);
    });
}

/// Model `hand`.
#[test]
fn an_owner_past_its_budget_hands_over() {
    let (taken, kept) = (
        Plain::new(PlainUsize::new(0)),
        Plain::new(PlainUsize::new(0)),
    );
    let counts = (Plain::clone(&taken), Plain::clone(&kept));
    check(move || {
        let world = World::new();
        for number in 0..4 {
            world.post(0, number);
        }
        let other = world.spawn(|world| {
            world.run(1, 0, usize::MAX);
            world.run(1, 1, usize::MAX);
        });
        // Applies two, then offers the other two.
        if let Some(mut turn) = world.combiner.elect() {
            while turn.spent < BUDGET && !turn.backlog_is_empty() {
                turn.apply_next();
            }
            match turn.offer() {
                Some(turn) => {
                    kept.fetch_add(1, Relaxed);
                    turn.leave();
                }
                None => {
                    taken.fetch_add(1, Relaxed);
                }
            }
        }
        join([other]);
        world.finish(&[(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]);
    });
    assert_ne!(counts.0.load(Relaxed), 0, "no execution took over");
    assert_ne!(counts.1.load(Relaxed), 0, "no execution kept the ownership");
}

/// Model `pass`.
#[test]
fn servers_and_callers_pass_a_long_backlog_around() {
    check(|| {
        let world = World::new();
        for number in 0..5 {
            world.post(0, number);
        }
        let other = world.spawn(|world| world.combiner.serve());
        world.combiner.serve();
        world.run(0, 5, usize::MAX);
        join([other]);
        world.finish(&[(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
    });
}

/// Model `post`.
#[test]
fn a_post_and_its_serve_race_with_a_run() {
    check(|| {
        let world = World::new();
        let other = world.spawn(|world| {
            world.post(1, 0);
            world.combiner.serve();
        });
        world.run(0, 0, usize::MAX);
        join([other]);
        world.finish(&[(0, 0), (1, 0)]);
    });
}

/// Model `seen`.
#[test]
fn a_post_seen_by_another_is_served_by_it() {
    check(|| {
        let world = World::new();
        let other = world.spawn(|world| world.combiner.serve());
        world.post(0, 0);
        world.post(0, 1);
        join([other]);
        // Served by the other, or not yet.
        world.combiner.serve();
        world.finish(&[(0, 0), (0, 1)]);
    });
}

/// Model `end`.
#[test]
fn what_is_queued_at_the_end_is_dropped_once() {
    check(|| {
        let World { combiner, dropped } = World::new();
        let world = World {
            combiner: Arc::clone(&combiner),
            dropped: Plain::clone(&dropped),
        };
        let other = world.spawn(|world| world.post(1, 0));
        world.post(0, 0);
        drop(world);
        drop(combiner);
        join([other]);
        assert_eq!(dropped.load(Relaxed), 2);
    });
}

/// Model `left`.
#[test]
fn what_an_offer_left_in_the_backlog_is_dropped_once() {
    check(|| {
        let world = World::new();
        for number in 0..3 {
            world.post(0, number);
        }
        let other = world.spawn(|world| {
            // Applies one, and leaves without a successor, as an unwinding owner does.
            if let Some(mut turn) = world.combiner.elect() {
                turn.apply_next();
            }
        });
        world.post(1, 0);
        join([other]);
        let World { combiner, dropped } = world;
        assert_eq!(dropped.load(Relaxed), 1);
        drop(combiner);
        assert_eq!(dropped.load(Relaxed), 4);
    });
}

/// Model `panic`.
#[test]
fn a_panic_leaves_the_rest_to_the_next_caller() {
    check(|| {
        let world = World::new();
        let other = world.spawn(|world| {
            fall(|| drop(world.run(1, POISON, usize::MAX)));
        });
        let fallen = fall(|| drop(world.run(0, 0, usize::MAX)));
        join([other]);
        world.combiner.serve();
        let World { combiner, dropped } = world;
        assert_eq!(combiner.queued(), 0);
        assert_eq!(dropped.load(Relaxed), 2);
        let mut combiner = Arc::try_unwrap(combiner).ok().unwrap();
        // Mine is lost only if the panic came to me before it.
        assert!(combiner.get_mut().seen == [(0, 0)] || fallen);
        assert!(combiner.word.load(Relaxed).is_null());
    });

    /// Runs `f`, and tells whether it fell over the poison.
    fn fall(f: impl FnOnce()) -> bool {
        let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
            return false;
        };
        if payload.downcast_ref() != Some(&POISON) {
            resume_unwind(payload);
        }
        true
    }
}

/// Model `limit`.
#[test]
fn the_limit_is_strict() {
    check(|| {
        let world = World::new();
        let turn = world.combiner.elect().unwrap();
        let other = world.spawn(|world| check_handed_over(world, 1));
        check_handed_over(&world, 0);
        join([other]);
        assert_eq!(world.combiner.queued(), 1);
        assert_eq!(world.dropped.load(Relaxed), 1);
        turn.leave();
        assert_eq!(world.dropped.load(Relaxed), 2);
    });

    fn check_handed_over(world: &World, caller: u8) {
        match world.run(caller, 0, 1) {
            Run::Applied(_) => panic!("the machine was owned"),
            Run::HandedOver => {}
            Run::Refused(note) => assert_eq!(note.caller, caller),
        }
    }
}

/// A note with this number makes the machine panic.
const POISON: u8 = u8::MAX;
