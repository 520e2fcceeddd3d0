//! An answer that may come later, for async code and for threads.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use parking_lot::Condvar;
use parking_lot::Mutex;

use crate::layers::messages::error::MessageError;
use crate::layers::messages::error::StoreError;
use crate::quiet::quietly;

/// An answer that may come later: a future, and [something to wait for](Pending::wait).
///
/// Dropping it loses the answer only: what was asked for is done all the same. It always comes to
/// an end: where a store panics, the answer is that it failed.
///
/// # Panics
///
/// When it is polled, or waited for, after the answer was taken.
#[must_use = "the change is made, but its outcome is not told"]
pub struct Pending<T>(Kind<T>);

enum Kind<T> {
    Ready(Option<T>),
    Later(Arc<Slot<T>>),
}

struct Slot<T> {
    state: Mutex<State<T>>,
    given: Condvar,
}

enum State<T> {
    Awaited(Option<Waker>),
    Given(T),
    Taken,
}

/// The end that gives the answer. It cannot be lost: one that is dropped, in a panic or with the
/// store, answers that there is none.
pub(super) struct Giver<T: Unanswered>(Arc<Slot<T>>);

/// What is answered where nobody else does.
pub(super) trait Unanswered {
    /// That there is no answer.
    fn unanswered() -> Self;
}

impl<T> Unanswered for Result<T, MessageError> {
    fn unanswered() -> Self {
        let why = "it did not answer";
        Err(MessageError::Store(StoreError::Failed(why.into())))
    }
}

impl Unanswered for () {
    fn unanswered() -> Self {}
}

impl<T, E> Pending<Result<T, E>> {
    /// Whether it has been refused at once.
    pub(in crate::layers) fn is_refused(&self) -> bool {
        matches!(&self.0, Kind::Ready(Some(Err(_))))
    }
}

impl<T> Pending<T> {
    /// One that is there already.
    pub(in crate::layers) fn ready(answer: T) -> Self {
        Self(Kind::Ready(Some(answer)))
    }

    /// One that is given later.
    pub(super) fn later() -> (Giver<T>, Self)
    where
        T: Unanswered,
    {
        let slot = Arc::new(Slot {
            state: Mutex::new(State::Awaited(None)),
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
                while matches!(*state, State::Awaited(_)) {
                    slot.given.wait(&mut state);
                }
                taken(state.take())
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

impl<T> State<T> {
    /// The answer, if it was given and not taken yet.
    fn take(&mut self) -> Option<T> {
        match mem::replace(self, Self::Taken) {
            Self::Given(answer) => Some(answer),
            Self::Awaited(_) | Self::Taken => None,
        }
    }
}

impl<T: Unanswered> Giver<T> {
    pub(super) fn give(self, answer: T) {
        self.0.give(answer);
    }
}

impl<T: Unanswered> Drop for Giver<T> {
    fn drop(&mut self) {
        let is_awaited = matches!(*self.0.state.lock(), State::Awaited(_));
        // Nobody else gives one.
        if is_awaited {
            self.0.give(T::unanswered());
        }
    }
}

impl<T> Slot<T> {
    fn give(&self, answer: T) {
        let before = mem::replace(&mut *self.state.lock(), State::Given(answer));
        self.given.notify_all();
        if let State::Awaited(Some(waker)) = before {
            // The writer answers many callers: a waker that panics must not end its thread.
            let _woken = quietly(|| waker.wake());
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
                if let State::Awaited(waker) = &mut *state {
                    *waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(taken(state.take()))
            }
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
