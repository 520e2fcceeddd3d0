//! An answer that somebody else may give: set once, awaited once.

use std::future::poll_fn;
use std::task::Context;
use std::task::Poll;

use crate::raw::ring::Park;
use crate::raw::ring::Receiver;
use crate::raw::ring::Ring;
use crate::raw::ring::Weigh;
use crate::raw::shared::Shared;
use crate::sync::Arc;
use crate::sync::block_on;

/// The giving end. Giving never waits.
pub(crate) struct Reply<T> {
    slot: Arc<Slot<T>>,
}

/// The waiting end.
pub(crate) struct Awaited<T> {
    slot: Arc<Slot<T>>,
    receiver: Receiver,
}

type Slot<T> = Ring<Parcel<T>, ()>;

struct Parcel<T>(T);

impl<T> Weigh for Parcel<T> {
    fn weight(&self) -> u64 {
        1
    }
}

impl<T: Clone + Send + Sync> Reply<T> {
    pub(crate) fn new() -> (Self, Awaited<T>) {
        let slot = Arc::new(Ring::new(1, 1, false, ()));
        #[expect(clippy::expect_used, reason = "the ring was made on the line above")]
        // A ring gives its receiver out once, and nobody else has seen this one.
        let receiver = slot.receiver().expect("a new ring has its receiver");
        (
            Self {
                slot: Arc::clone(&slot),
            },
            Awaited { slot, receiver },
        )
    }

    pub(crate) fn give(self, value: T) {
        // A reply is given once, so the ring has room.
        let _given = self.slot.push(Shared::new(Parcel(value)));
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        let _first = self.slot.close();
    }
}

impl<T: Clone + Send + Sync> Awaited<T> {
    /// The answer; `None` if it is never going to be given.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the answer stays until it is taken.
    pub(crate) async fn wait(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// [`Awaited::wait`], parking the thread.
    pub(crate) fn wait_blocking(&mut self) -> Option<T> {
        block_on(self.wait())
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        loop {
            let Some(mut turn) = self.slot.consume(&mut self.receiver) else {
                continue;
            };
            if let Some(parcel) = turn.pop() {
                return Poll::Ready(Some(parcel.0.clone()));
            }
            if turn.is_closed() && turn.is_drained() {
                return Poll::Ready(None);
            }
            let seen = turn.finish();
            match self.slot.park(&mut self.receiver, seen, Some(cx.waker())) {
                Park::Look => {}
                Park::Parked | Park::Soon => return Poll::Pending,
            }
        }
    }
}
