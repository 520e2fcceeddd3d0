//! loom models of publishers that wait for a task's passes. A wait without an end is found as a
//! deadlock.
//!
//! # What was seen failing
//!
//! Each change was made alone (preemption bound 3).
//!
//! | change | red |
//! |---|---|
//! TURNS_TABLE

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use loom::model::Builder;

use super::Reached;
use super::Turn;
use super::Turns;
use crate::limits::OutboxLimits;
use crate::sync::block_on;
use crate::sync::thread;

/// The turns of a hub whose outboxes hold so many messages.
fn turns(messages: usize) -> Arc<Turns> {
    Arc::new(Turns::new(OutboxLimits::new().messages(messages)))
}

/// Explores with so few preemptions that it ends within a minute.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

fn reached(task: &Turn) -> Reached {
    let mut reached = Reached::NOBODY;
    reached.add(1 << task.number.expect("it has a place"));
    reached
}

fn publish(turns: &Arc<Turns>, reached: Reached) {
    turns.count(reached, 1);
    if let Some(mut wait) = turns.wait_for(reached) {
        block_on(poll_fn(|cx| wait.poll(cx)));
    }
}

/// A flusher without rows: makes a pass whenever it is late, so often, and ends.
fn run(task: &Turn, passes: usize) {
    for _ in 0..passes {
        block_on(poll_fn(|cx| {
            if !task.is_late() {
                task.bell().register(cx.waker());
                if !task.is_late() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        }));
        let mark = task.begin();
        task.end(mark);
    }
}

#[test]
fn a_wait_races_the_pass() {
    explore(1, || {
        let turns = turns(2);
        let task = turns.register();
        let reached = reached(&task);
        let flusher = thread::spawn(move || run(&task, 1));
        publish(&turns, reached);
        flusher.join().unwrap();
        assert!(turns.wait_for(reached).is_none());
    });
}

#[test]
fn two_waits_race_the_passes() {
    explore(1, || {
        let turns = turns(2);
        let task = turns.register();
        let reached = reached(&task);
        let publisher = thread::spawn({
            let turns = Arc::clone(&turns);
            move || publish(&turns, reached)
        });
        let flusher = thread::spawn(move || run(&task, 1));
        publish(&turns, reached);
        // The flusher ends after one pass, whichever publications that covers.
        flusher.join().unwrap();
        publisher.join().unwrap();
    });
}

/// The publication that the pass does not cover leaves the task on time.
#[test]
fn a_wait_ends_when_the_task_is_late_no_more() {
    explore(1, || {
        let turns = turns(4);
        let task = turns.register();
        let reached = reached(&task);
        turns.count(reached, 1);
        turns.count(reached, 1);
        let flusher = thread::spawn(move || {
            run(&task, 1);
            task
        });
        publish(&turns, reached);
        drop(flusher.join().unwrap());
    });
}

#[test]
fn a_wait_races_the_end_of_the_task() {
    loom::model(|| {
        let turns = turns(2);
        let task = turns.register();
        let reached = reached(&task);
        let flusher = thread::spawn(move || drop(task));
        publish(&turns, reached);
        flusher.join().unwrap();
    });
}

#[test]
fn a_wait_races_another_that_gives_up() {
    loom::model(|| {
        let turns = turns(2);
        let task = turns.register();
        let reached = reached(&task);
        turns.count(reached, 1);
        let impatient = turns.wait_for(reached).expect("it is late");
        let other = thread::spawn(move || impatient.give_up());
        if let Some(mut wait) = turns.wait_for(reached) {
            block_on(poll_fn(|cx| wait.poll(cx)));
        }
        other.join().unwrap();
    });
}
