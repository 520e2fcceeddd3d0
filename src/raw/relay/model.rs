//! Every interleaving of those who ask, one who visits and one who is in, explored by loom.
//!
//! What is asked for is a loom cell that the asker wrote before; a visit that does not see it is
//! found as a race or as work left undone.
//!
//! # What was seen failing
//!
//! Each change was made alone (preemption bound 3).
//!
//! | change | red |
//! |---|---|
//! | `ask`: Release to Relaxed | found |
//! | `visit`: Acquire to Relaxed | found |
//! | `visit`: no second try | passed |
//! | `visit`: leaves no note | passed |
//! | `visit`: no fence | passed |
//! | `enter`: no fence | passed |
//! | `enter`: never says that a visit was missed | passed |
//!
//! *passed* is `a_visit_is_made_or_passed_on`, *found* is
//! `who_finds_a_visit_asked_for_is_served_by_it`.

use super::*;
use crate::sync::Arc;
use crate::sync::atomic::AtomicUsize;
use crate::sync::thread;

/// Work that is put in without the lock of the relay, as into an outbox.
#[derive(Default)]
struct Desk {
    relay: Relay<usize>,
    /// Pieces of work put in.
    put: AtomicUsize,
    /// Visits arranged and not made.
    due: AtomicUsize,
}

impl Desk {
    fn put(&self) {
        // Relaxed: the relay is what is to make it visible.
        self.put.fetch_add(1, Ordering::Relaxed);
        if self.relay.ask() {
            self.due.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes the visits that are due.
    fn visit(&self) {
        while self.due.load(Ordering::Relaxed) > 0 {
            self.due.fetch_sub(1, Ordering::Relaxed);
            self.relay.visit(|done| self.work(done));
        }
    }

    fn enter(&self) {
        let ((), missed) = self.relay.enter(|done| self.work(done));
        if missed {
            self.due.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn work(&self, done: &mut usize) {
        *done = self.put.load(Ordering::Relaxed).max(*done);
    }

    /// All have gone home but one, who makes the visits that are still due.
    fn check(&self, put: usize) {
        self.visit();
        assert_eq!(self.relay.enter(|done| *done).0, put, "work was left");
    }
}

#[test]
fn a_visit_is_made_or_passed_on() {
    loom::model(|| {
        let desk = Arc::new(Desk::default());
        let visitor = thread::spawn({
            let desk = Arc::clone(&desk);
            move || {
                desk.put();
                desk.visit();
            }
        });
        desk.enter();
        visitor.join().unwrap();
        desk.check(1);
    });
}

#[test]
fn who_finds_a_visit_asked_for_is_served_by_it() {
    loom::model(|| {
        let desk = Arc::new(Desk::default());
        let asker = thread::spawn({
            let desk = Arc::clone(&desk);
            move || desk.put()
        });
        let visitor = thread::spawn({
            let desk = Arc::clone(&desk);
            move || {
                desk.put();
                desk.visit();
            }
        });
        asker.join().unwrap();
        visitor.join().unwrap();
        desk.check(2);
    });
}
