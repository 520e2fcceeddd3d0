//! An answer that may come later, for async code and for threads.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use parking_lot::Condvar;
use parking_lot::Mutex;

/// An answer that may come later: a future, and [something to wait for](Pending::wait).
///
/// Dropping it loses the answer only: what was asked for is done all the same.
#[must_use = "what was asked for is done, but nobody learns what came of it"]
pub struct Pending<T>(Kind<T>);

enum Kind<T> {
    Ready(Option<T>),
    Later(Arc<Slot<T>>),
}

struct Slot<T> {
    state: Mutex<State<T>>,
    given: Condvar,
}

struct State<T> {
    answer: Option<T>,
    waker: Option<Waker>,
}

/// The end that gives the answer. Given or not, it must not be lost: a store that is dropped in the
/// middle answers that it failed.
pub(super) struct Giver<T>(Arc<Slot<T>>);

impl<T> Pending<T> {
    /// One that is there already.
    pub(super) fn ready(answer: T) -> Self {
        Self(Kind::Ready(Some(answer)))
    }

    /// One that is given later.
    pub(super) fn later() -> (Giver<T>, Self) {
        let slot = Arc::new(Slot {
            state: Mutex::new(State {
                answer: None,
                waker: None,
            }),
            given: Condvar::new(),
        });
        (Giver(Arc::clone(&slot)), Self(Kind::Later(slot)))
    }

    /// Waits for the answer, parking the thread.
    ///
    /// # Panics
    ///
    /// When the answer was taken already, by polling.
    pub fn wait(self) -> T {
        match self.0 {
            Kind::Ready(answer) => taken(answer),
            Kind::Later(slot) => {
                let mut state = slot.state.lock();
                loop {
                    if let Some(answer) = state.answer.take() {
                        return answer;
                    }
                    slot.given.wait(&mut state);
                }
            }
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "polled again after it was ready, as futures panic"
)]
fn taken<T>(answer: Option<T>) -> T {
    // Only a future that has ended is without one.
    answer.expect("the answer was taken already")
}

impl<T> Giver<T> {
    pub(super) fn give(self, answer: T) {
        let mut state = self.0.state.lock();
        state.answer = Some(answer);
        let waker = state.waker.take();
        drop(state);
        self.0.given.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Unpin for Pending<T> {}

impl<T> Future for Pending<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            Kind::Ready(answer) => Poll::Ready(taken(answer.take())),
            Kind::Later(slot) => {
                let mut state = slot.state.lock();
                match state.answer.take() {
                    Some(answer) => Poll::Ready(answer),
                    None => {
                        state.waker = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            }
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
