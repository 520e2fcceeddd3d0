//! Answers that are lost, and answers that were taken.

use std::pin::pin;
use std::thread;

use super::*;

type Answer = Result<u8, MessageError>;

fn poll<T>(pending: &mut Pending<T>) -> Poll<T> {
    pin!(pending).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_answer_that_is_lost_is_that_there_is_none() {
    let (giver, pending) = Pending::<Answer>::later();
    thread::spawn(move || drop(giver));
    assert!(matches!(pending.wait(), Err(MessageError::Store(_))));
    let (giver, mut pending) = Pending::<Answer>::later();
    assert!(poll(&mut pending).is_pending());
    giver.give(Ok(1));
    assert_eq!(poll(&mut pending), Poll::Ready(Ok(1)), "not twice");
}

#[test]
#[should_panic = "taken already"]
fn what_was_taken_is_not_waited_for() {
    let (giver, mut pending) = Pending::<Answer>::later();
    giver.give(Ok(1));
    assert!(poll(&mut pending).is_ready());
    let _never = pending.wait();
}

#[test]
#[should_panic = "taken already"]
fn what_was_taken_is_not_polled_for() {
    let (giver, mut pending) = Pending::<Answer>::later();
    giver.give(Ok(1));
    assert!(poll(&mut pending).is_ready());
    assert!(poll(&mut pending).is_pending());
}
