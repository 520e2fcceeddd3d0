//! Every interleaving of a thread that puts work in and visits, and one that is in.
//!
//! Wake-ups stand for the row of a [bell](crate::raw::bell), whose own models are beside it: a
//! visit is arranged by setting a bit, and made by the thread that has taken the bit.
//!
//! # What was seen failing
//!
//! Each change was made alone (preemption bound 3): `visit` without the second try, without the
//! note, or without the fence; `enter` without the fence, or if it never reports a missed visit.
//! `a_visit_is_made_or_passed_on` was red each time.

use super::*;
use crate::sync::Arc;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicUsize;
use crate::sync::thread;

/// Work that is put in without the lock of the relay, as into an outbox.
#[derive(Default)]
struct Desk {
    relay: Relay<usize>,
    /// Pieces of work put in.
    put: AtomicUsize,
    /// A visit is arranged and not made.
    due: AtomicBool,
}

impl Desk {
    fn put(&self) {
        // Relaxed: the bit is what makes it visible.
        self.put.fetch_add(1, Ordering::Relaxed);
        self.arrange();
    }

    fn arrange(&self) {
        // Release: pairs with the Acquire in `visit`.
        self.due.swap(true, Ordering::Release);
    }

    /// Makes the visits that are due.
    fn visit(&self) {
        // Acquire: pairs with the Release in `arrange`.
        while self.due.swap(false, Ordering::Acquire) {
            self.relay.visit(|done| self.work(done));
        }
    }

    fn enter(&self) {
        let ((), missed) = self.relay.enter(|done| self.work(done));
        if missed {
            self.arrange();
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
