use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;

use super::MOST;
use super::Reached;
use super::Turn;
use super::Turns;
use crate::limits::OutboxLimits;

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

/// The turns of a hub whose outboxes hold 8 messages or 1,000 bytes.
fn turns() -> Arc<Turns> {
    let outbox = OutboxLimits::new().messages(8).bytes(1_000);
    Arc::new(Turns::new(outbox))
}

fn reached(turns: &[&Turn]) -> Reached {
    let mut reached = Reached::NOBODY;
    for turn in turns {
        let number = turn.number.expect("it has a place");
        reached.add(1 << number);
    }
    reached
}

fn count(turns: &Turns, reached: Reached, messages: usize) {
    (0..messages).for_each(|_| turns.count(reached, 1));
}

#[test]
fn nobody_waits_until_a_task_is_half_an_outbox_behind() {
    let turns = turns();
    let (first, second) = (turns.register(), turns.register());
    let both = reached(&[&first, &second]);
    count(&turns, both, 3);
    assert!(turns.wait_for(both).is_none());
    turns.count(reached(&[&first]), 1);
    assert!(first.is_late() && !second.is_late());
    assert!(turns.wait_for(both).is_some());
    assert!(turns.wait_for(Reached::ANY).is_some());
    assert!(turns.wait_for(reached(&[&second])).is_none());
    assert!(turns.wait_for(Reached::NOBODY).is_none());
    assert_eq!(turns.stats(), (2, 0));
}

#[test]
fn bytes_count_as_messages_do() {
    let turns = turns();
    let task = turns.register();
    turns.count(reached(&[&task]), 499);
    assert!(!task.is_late());
    turns.count(reached(&[&task]), 1);
    assert!(task.is_late());
}

#[test]
fn wait_ends_with_a_pass_that_began_after_it() {
    let turns = turns();
    let task = turns.register();
    let reached = reached(&[&task]);
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    let cx = Context::from_waker(&waker);
    let early = task.begin();
    count(&turns, reached, 4);
    let mut wait = turns.wait_for(reached).expect("it is late");
    assert!(wait.poll(&cx).is_pending());
    task.end(early);
    assert_eq!(woken.get(), 1);
    assert!(wait.poll(&cx).is_pending(), "that pass had begun before");
    let pass = task.begin();
    // What others publish meanwhile does not keep it waiting.
    count(&turns, reached, 100);
    task.end(pass);
    assert_eq!(woken.get(), 2);
    assert_eq!(wait.poll(&cx), Poll::Ready(()));
    assert!(task.is_late(), "another pass is due");
}

#[test]
fn wait_ends_when_the_task_is_late_no_more() {
    let turns = turns();
    let task = turns.register();
    let reached = reached(&[&task]);
    count(&turns, reached, 3);
    let pass = task.begin();
    count(&turns, reached, 2);
    let mut wait = turns.wait_for(reached).expect("it is late");
    let cx = Context::from_waker(Waker::noop());
    assert!(wait.poll(&cx).is_pending());
    task.end(pass);
    assert!(!task.is_late(), "no further pass is due");
    assert!(wait.poll(&cx).is_ready());
}

#[test]
fn late_task_is_rung_by_publishers_and_by_waits() {
    let turns = turns();
    let task = turns.register();
    let reached = reached(&[&task]);
    let rung = Arc::new(Count::default());
    let bell = Waker::from(Arc::clone(&rung));
    task.bell().register(&bell);
    count(&turns, reached, 3);
    assert_eq!(rung.get(), 0);
    count(&turns, reached, 1);
    assert_eq!(rung.get(), 1);
    task.bell().register(&bell);
    let mut wait = turns.wait_for(reached).expect("it is late");
    let pending = wait.poll(&Context::from_waker(Waker::noop()));
    assert!(pending.is_pending());
    assert_eq!(rung.get(), 2);
}

#[test]
fn wait_ends_with_the_task() {
    let turns = turns();
    let task = turns.register();
    let reached = reached(&[&task]);
    count(&turns, reached, 4);
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    let cx = Context::from_waker(&waker);
    let mut wait = turns.wait_for(reached).expect("it is late");
    assert!(wait.poll(&cx).is_pending());
    drop(task);
    assert_eq!(woken.get(), 1);
    assert!(wait.poll(&cx).is_ready());
    assert!(turns.wait_for(reached).is_none());
    let next = turns.register();
    assert!(!next.is_late(), "what was published before is not its own");
}

#[test]
fn a_task_that_was_given_up_is_not_waited_for_until_it_has_made_a_pass() {
    let turns = turns();
    let task = turns.register();
    let reached = reached(&[&task]);
    count(&turns, reached, 4);
    turns.wait_for(reached).expect("it is late").give_up();
    assert_eq!(turns.stats(), (1, 1));
    count(&turns, reached, 4);
    assert!(turns.wait_for(reached).is_none());
    task.end(task.begin());
    count(&turns, reached, 4);
    assert!(turns.wait_for(reached).is_some());
}

#[test]
fn a_wait_tells_a_long_pass_from_none() {
    let turns = turns();
    let task = turns.register();
    let reached = reached(&[&task]);
    task.step();
    count(&turns, reached, 4);
    let mut wait = turns.wait_for(reached).expect("it is late");
    assert!(!wait.has_moved());
    task.step();
    assert!(wait.has_moved());
    assert!(!wait.has_moved());
}

#[test]
fn tasks_beyond_the_most_have_no_turns() {
    let turns = turns();
    let all: Vec<_> = (0..MOST).map(|_| turns.register()).collect();
    let further = turns.register();
    assert_eq!(further.number, None);
    turns.count(Reached::ANY, 1_000);
    assert!(all.iter().all(Turn::is_late));
    assert!(!further.is_late());
    further.end(further.begin());
    drop(all);
    assert!(turns.register().number.is_some());
}
