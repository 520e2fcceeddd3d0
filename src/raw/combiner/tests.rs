//! What the module promises, checked on one thread where that can be forced, and under load where
//! it cannot. The interleavings themselves are explored in `model`.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use super::*;
use crate::sync::hint;

/// Runs the operations, which are closures, and so can do whatever a test needs.
#[derive(Default)]
struct Script {
    applied: Vec<u64>,
}

type Line = Box<dyn FnOnce(&mut Script) -> u64 + Send>;

impl Machine for Script {
    type Op = Line;
    type Output = u64;

    fn apply(&mut self, op: Line) -> u64 {
        let number = op(self);
        self.applied.push(number);
        number
    }
}

fn line(number: u64) -> Line {
    Box::new(move |_| number)
}

fn poison() -> Line {
    Box::new(|_| std::panic::resume_unwind(Box::new("poison")))
}

fn is_idle<M: Machine>(combiner: &Combiner<M>) -> bool {
    combiner.word.load(Relaxed).is_null() && combiner.queued() == 0
}

#[track_caller]
fn applied<Op, Output>(run: Run<Op, Output>) -> Output {
    match run {
        Run::Applied(output) => output,
        Run::HandedOver => panic!("handed over"),
        Run::Refused(_) => panic!("refused"),
    }
}

#[test]
fn an_idle_combiner_applies_in_place_whatever_the_limit() {
    let mut combiner = Combiner::new(Script::default());
    assert_eq!(applied(combiner.run(line(7), 0)), 7);
    assert!(is_idle(&combiner));
    assert_eq!(combiner.get_mut().applied, [7]);
}

#[test]
fn posts_wait_and_are_applied_before_the_operation_of_the_next_caller() {
    let mut combiner = Combiner::new(Script::default());
    combiner.post(line(0));
    combiner.post(line(1));
    assert_eq!(combiner.queued(), 2);
    assert_eq!(applied(combiner.run(line(2), 0)), 2);
    assert!(is_idle(&combiner));
    assert_eq!(combiner.get_mut().applied, [0, 1, 2]);
}

#[test]
fn serve_applies_posts_and_does_nothing_when_idle() {
    let mut combiner = Combiner::new(Script::default());
    combiner.serve();
    assert!(is_idle(&combiner));
    combiner.post(line(0));
    combiner.serve();
    assert!(is_idle(&combiner));
    assert_eq!(combiner.get_mut().applied, [0]);
}

#[test]
fn a_full_queue_gives_the_operation_back() {
    let mut combiner = Combiner::new(Script::default());
    let turn = combiner.elect().unwrap();
    assert!(matches!(combiner.run(line(0), 2), Run::HandedOver));
    assert!(matches!(combiner.run(line(1), 2), Run::HandedOver));
    let Run::Refused(refused) = combiner.run(line(2), 2) else {
        panic!("not refused");
    };
    assert_eq!(combiner.queued(), 2);
    assert!(matches!(combiner.run(line(3), usize::MAX), Run::HandedOver));
    turn.leave();
    assert_eq!(applied(combiner.run(refused, 2)), 2);
    assert!(is_idle(&combiner));
    assert_eq!(combiner.get_mut().applied, [0, 1, 3, 2]);
}

#[test]
fn a_call_from_inside_apply_is_handed_over_and_applied_next() {
    let mut combiner = Arc::new(Combiner::new(Script::default()));
    let inner = Arc::downgrade(&combiner);
    let outer: Line = Box::new(move |script| {
        let combiner = inner.upgrade().unwrap();
        assert!(matches!(combiner.run(line(2), usize::MAX), Run::HandedOver));
        combiner.post(line(3));
        combiner.serve();
        assert_eq!(combiner.queued(), 2);
        assert!(script.applied.is_empty());
        1
    });
    assert_eq!(applied(combiner.run(outer, 0)), 1);
    assert!(is_idle(&combiner));
    let combiner = Arc::get_mut(&mut combiner).unwrap();
    assert_eq!(combiner.get_mut().applied, [1, 2, 3]);
}

#[test]
fn an_owner_past_its_budget_offers_the_rest_and_whoever_calls_takes_over() {
    let mut combiner = Combiner::new(Script::default());
    let last = BUDGET as u64 + 2;
    for number in 0..=BUDGET as u64 {
        combiner.post(line(number));
    }
    let mut turn = combiner.elect().unwrap();
    while turn.spent < BUDGET {
        turn.apply_next();
    }
    combiner.post(line(last - 1));

    // The first half of `offer`; then another caller comes by.
    drop(turn);
    assert!(is_offered(combiner.word.load(Relaxed)));
    assert_eq!(combiner.queued(), 2);
    assert_eq!(applied(combiner.run(line(last), 0)), last);

    // The second half: the first owner finds that it is rid of it.
    let word = combiner.word.load(Relaxed);
    assert!(combiner.claim(word, is_offered).is_none());
    assert!(is_idle(&combiner));
    assert!(combiner.get_mut().applied.iter().copied().eq(0..=last));
}

#[test]
fn an_offer_that_nobody_takes_is_taken_back() {
    let mut combiner = Combiner::new(Script::default());
    let posts = 3 * BUDGET as u64 + 1;
    for number in 0..posts {
        combiner.post(line(number));
    }
    combiner.serve();
    assert!(is_idle(&combiner));
    assert!(combiner.get_mut().applied.iter().copied().eq(0..posts));
}

/// An owner whose work never ends is set free by the other caller, and only by it.
#[test]
fn endless_work_is_handed_over_to_another_caller() {
    struct Endless {
        combiner: Weak<Combiner<Self>>,
        first: thread::ThreadId,
    }

    impl Machine for Endless {
        type Op = ();
        type Output = ();

        fn apply(&mut self, (): ()) {
            if thread::current().id() == self.first {
                self.combiner.upgrade().unwrap().run((), usize::MAX);
            }
        }
    }

    let combiner = Arc::new_cyclic(|combiner| {
        Combiner::new(Endless {
            combiner: Weak::clone(combiner),
            first: thread::current().id(),
        })
    });
    let free = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !free.load(Relaxed) {
                combiner.serve();
                hint::spin_loop();
            }
        });
        combiner.run((), usize::MAX);
        free.store(true, Relaxed);
    });
    assert!(is_idle(&combiner));
}

#[test]
fn a_panic_of_ones_own_operation_leaves_the_combiner_idle() {
    let mut combiner = Combiner::new(Script::default());
    let fallen = catch_unwind(AssertUnwindSafe(|| combiner.run(poison(), 0)));
    assert!(fallen.is_err());
    assert!(is_idle(&combiner));
    assert_eq!(applied(combiner.run(line(1), 0)), 1);
    assert_eq!(combiner.get_mut().applied, [1]);
}

#[test]
fn a_panic_leaves_the_rest_to_the_next_caller() {
    let mut combiner = Combiner::new(Script::default());
    combiner.post(line(0));
    combiner.post(poison());
    combiner.post(line(1));
    combiner.post(poison());
    combiner.post(line(2));
    for left in [3, 1] {
        let fallen = catch_unwind(AssertUnwindSafe(|| combiner.serve()));
        assert!(fallen.is_err());
        assert_eq!(combiner.queued(), left);
    }
    assert_eq!(applied(combiner.run(line(3), 0)), 3);
    assert!(is_idle(&combiner));
    assert_eq!(combiner.get_mut().applied, [0, 1, 2, 3]);
}

#[test]
fn an_operation_handed_over_before_a_panic_is_kept() {
    let mut combiner = Arc::new(Combiner::new(Script::default()));
    let inner = Arc::downgrade(&combiner);
    let outer: Line = Box::new(move |_| {
        inner.upgrade().unwrap().run(line(1), usize::MAX);
        std::panic::resume_unwind(Box::new("poison"));
    });
    let fallen = catch_unwind(AssertUnwindSafe(|| combiner.run(outer, 0)));
    assert!(fallen.is_err());
    assert_eq!(combiner.queued(), 1);
    combiner.serve();
    assert!(is_idle(&combiner));
    let combiner = Arc::get_mut(&mut combiner).unwrap();
    assert_eq!(combiner.get_mut().applied, [1]);
}

#[test]
fn queued_operations_are_dropped_with_the_combiner_once_each() {
    let alive = Arc::new(());
    let combiner = Combiner::new(Script::default());
    let held = || -> Line {
        let alive = Arc::clone(&alive);
        Box::new(move |_| {
            drop(alive);
            0
        })
    };
    for _ in 0..3 {
        combiner.post(held());
    }
    // Two stay in the backlog, one more comes to the list.
    let mut turn = combiner.elect().unwrap();
    turn.apply_next();
    drop(turn);
    combiner.post(held());
    assert_eq!(Arc::strong_count(&alive), 4);
    drop(combiner);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_machine_that_is_not_sync_can_be_shared() {
    struct Cellular(Cell<u8>);

    impl Machine for Cellular {
        type Op = Cell<u8>;
        type Output = std::rc::Rc<u8>;

        fn apply(&mut self, op: Cell<u8>) -> Self::Output {
            self.0.set(self.0.get() + op.get());
            std::rc::Rc::new(self.0.get())
        }
    }

    let combiner = Combiner::new(Cellular(Cell::new(1)));
    thread::scope(|scope| {
        scope.spawn(|| drop(combiner.run(Cell::new(2), usize::MAX)));
    });
    assert_eq!(*applied(combiner.run(Cell::new(3), 0)), 6);
}

/// Notes `(caller, number)` in the order of application.
#[derive(Default)]
struct Journal {
    seen: Vec<(usize, usize)>,
}

impl Machine for Journal {
    type Op = (usize, usize);
    type Output = usize;

    fn apply(&mut self, op: (usize, usize)) -> usize {
        self.seen.push(op);
        self.seen.len()
    }
}

/// The dull twin of a combiner, as an oracle: it notes what a lock would.
struct Locked(Mutex<Journal>);

#[test]
fn many_callers_lose_nothing_and_keep_each_callers_order() {
    let mut combiner = Combiner::new(Journal::default());
    let locked = Locked(Mutex::default());
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (combiner, locked) = (&combiner, &locked);
            scope.spawn(move || {
                for number in 0..ROUNDS {
                    match number % 4 {
                        0 => combiner.post((caller, number)),
                        1 => combiner.serve(),
                        _ => drop(combiner.run((caller, number), usize::MAX)),
                    }
                    if number % 4 != 1 {
                        locked.0.lock().unwrap().apply((caller, number));
                    }
                }
            });
        }
    });
    combiner.serve();
    assert!(is_idle(&combiner));
    assert_eq!(
        by_caller(&combiner.get_mut().seen),
        by_caller(&locked.0.into_inner().unwrap().seen)
    );
}

#[test]
fn under_load_each_operation_is_applied_or_given_back() {
    let mut combiner = Combiner::new(Journal::default());
    let kept: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let combiner = &combiner;
                scope.spawn(move || {
                    let kept = |number: &usize| {
                        !matches!(combiner.run((caller, *number), 2), Run::Refused(_))
                    };
                    (0..ROUNDS).filter(kept).collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().map(|c| c.join().unwrap()).collect()
    });
    assert!(is_idle(&combiner));
    assert_eq!(by_caller(&combiner.get_mut().seen), kept);
}

fn by_caller(seen: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut numbers = vec![Vec::new(); CALLERS];
    for &(caller, number) in seen {
        numbers[caller].push(number);
    }
    numbers
}

const CALLERS: usize = 4;

/// Under Miri few enough to end.
const ROUNDS: usize = if cfg!(miri) { 40 } else { 50_000 };
