//! Parking and waking the consumer of a ring.
//!
//! The consumer parks by a compare-exchange of the tail that fails if anything was pushed or
//! raised since it looked. A producer's one compare-exchange sees PARKED, clears it, and so is the
//! only one to wake. Neither a second word nor a fence is needed, and no wake-up is lost:
//!
//! * if the push comes first, parking fails and the consumer looks again;
//! * if parking comes first, the push sees PARKED and wakes.
//!
//! A consumer is woken by the [`Waker`] that it has put into the cell, or, once the ring has a
//! [`Row`], by that: then the cell is not used, and NOTIFYING is never set.

use std::task::Waker;

use crate::quiet::quietly;
use crate::sync::atomic::Ordering;
use crate::sync::hint;

use crate::raw::bell::Bell;
#[cfg(any(feature = "ws", all(test, throng_loom)))]
use crate::raw::bell::Row;
use crate::raw::ring::Beside;
use crate::raw::ring::Line;
use crate::raw::ring::Receiver;
use crate::raw::ring::Ring;
use crate::raw::ring::Weigh;
use crate::raw::ring::consume::Seen;
use crate::raw::ring::word::Word;

/// How often the consumer looks again before it lets its executor run something else.
#[cfg(not(throng_loom))]
const SPINS: usize = 32;
#[cfg(throng_loom)]
const SPINS: usize = 2;

/// What came of trying to park.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Park {
    /// Something is there: look again.
    Look,
    /// The consumer is parked and will be woken.
    Parked,
    /// A producer is about to make something visible; the waker was woken to look again soon.
    Soon,
}

impl<T: Weigh, S: Beside> Ring<T, S> {
    /// Has the consumer woken by `row` from now on, instead of by wakers.
    ///
    /// # Panics
    ///
    /// If the consumer is parked, or has another row.
    #[cfg(any(feature = "ws", all(test, throng_loom)))]
    #[expect(clippy::needless_pass_by_ref_mut, reason = "not beside a turn")]
    pub(crate) fn set_row(&self, receiver: &mut Receiver, row: &Row) {
        receiver.check(self.line.address().addr().get());
        // Acquire: pairs with the Release in `notify`.
        let tail = Word(self.line.tail.load(Ordering::Acquire));
        let is_parked = tail.has(Word::PARKED) || tail.has(Word::NOTIFYING);
        assert!(!is_parked, "the consumer is parked");
        assert!(self.line.row.set(row), "the ring has another row");
    }

    /// Parks the consumer after a turn that took all it could and has `seen` the ring's end.
    /// A ring that has a row needs no waker.
    ///
    /// # Panics
    ///
    /// If there is neither a row nor a waker.
    pub(crate) fn park(&self, receiver: &mut Receiver, seen: Seen, waker: Option<&Waker>) -> Park {
        // SAFETY: the line is this ring's.
        unsafe { self.line.park(|| self, receiver, seen, waker) }
    }

    /// Has the consumer look again soon: wakes its row, or else `waker`.
    pub(crate) fn wake_soon(&self, waker: Option<&Waker>) {
        self.line.wake_soon(waker);
    }
}

impl<T> Line<T> {
    /// [`Ring::park`], which asks for the ring only to put a waker into its cell.
    ///
    /// # Panics
    ///
    /// If there is neither a row nor a waker.
    ///
    /// # Safety
    ///
    /// The line is that of `ring`.
    pub(super) unsafe fn park<'a, S: 'a>(
        &self,
        ring: impl Fn() -> &'a Ring<T, S>,
        receiver: &mut Receiver,
        seen: Seen,
        waker: Option<&Waker>,
    ) -> Park
    where
        T: 'a,
    {
        receiver.check(self.address());
        let mut tail = seen.tail;
        for _ in 0..SPINS {
            if tail.has(Word::CALLED) || tail.position() != seen.tail.position() {
                return Park::Look;
            }
            if seen.drained && tail.has(Word::CLOSED) {
                return Park::Look;
            }
            if seen.drained && !tail.has(Word::NOTIFYING) {
                // SAFETY: the caller's promise.
                let parked = unsafe { self.try_park(&ring, tail, waker) };
                if parked {
                    return Park::Parked;
                }
            }
            if !seen.drained {
                break;
            }
            hint::spin_loop();
            // Acquire: pairs with the Release in `notify`; when NOTIFYING is gone the cell is
            // the consumer's again.
            tail = Word(self.tail.load(Ordering::Acquire));
        }
        self.wake_soon(waker);
        Park::Soon
    }

    /// Has the consumer look again soon: wakes its row, or else `waker`.
    pub(super) fn wake_soon(&self, waker: Option<&Waker>) {
        if self.row.is_set() {
            self.row.wake().inspect(Bell::ring);
        } else if let Some(waker) = waker {
            waker.wake_by_ref();
        }
    }

    /// Puts the waker into the cell, unless the ring has a row, and PARKED into the tail, if that
    /// still is `tail`.
    ///
    /// # Safety
    ///
    /// The line is that of `ring`.
    unsafe fn try_park<'a, S: 'a>(
        &self,
        ring: impl Fn() -> &'a Ring<T, S>,
        tail: Word,
        waker: Option<&Waker>,
    ) -> bool
    where
        T: 'a,
    {
        let Some(tail) = self.unpark(tail) else {
            return false;
        };
        if !self.row.is_set() {
            assert!(waker.is_some(), "nothing could wake the consumer");
            // SAFETY: the tail has neither PARKED nor NOTIFYING, and only the consumer, which this
            // is, sets PARKED; so the cell is the consumer's (invariant 4).
            ring()
                .waker
                .with_mut(|cell| unsafe { *cell = waker.cloned() });
        }
        // Release: pairs with the Acquire of whoever clears PARKED, which then sees the waker, or
        // that there is a row.
        // Relaxed (on failure): nothing is read; the caller looks again.
        let parked = self.tail.compare_exchange(
            tail.0,
            tail.with(Word::PARKED).0,
            Ordering::Release,
            Ordering::Relaxed,
        );
        parked.is_ok()
    }

    /// Takes PARKED back after a poll that no push caused. `None` when a producer was faster.
    fn unpark(&self, tail: Word) -> Option<Word> {
        if !tail.has(Word::PARKED) {
            return Some(tail);
        }
        let awake = tail.without(Word::PARKED);
        // Relaxed: the cell was last written by the consumer itself.
        // Relaxed (on failure): nothing is read; the caller looks again.
        let taken =
            self.tail
                .compare_exchange(tail.0, awake.0, Ordering::Relaxed, Ordering::Relaxed);
        taken.is_ok().then_some(awake)
    }
}

impl<T, S> Ring<T, S> {
    /// Wakes the consumer; called by the producer that has cleared PARKED, once. `Some` means that
    /// a ring is owed at this bell.
    #[must_use = "a ring may be owed"]
    #[cold]
    #[inline(never)]
    pub(super) fn notify(&self) -> Option<Bell> {
        if self.line.row.is_set() {
            return self.line.row.wake();
        }
        // SAFETY: PARKED was turned into NOTIFYING by this caller, so the cell is its own until
        // the bit goes down (invariant 4).
        let waker = self.waker.with_mut(|cell| unsafe { (*cell).take() });
        // Release: pairs with the Acquire in `park`; the cell has been emptied before the
        // consumer fills it again.
        self.line
            .tail
            .fetch_and(!Word::NOTIFYING, Ordering::Release);
        if let Some(waker) = waker {
            // A fan-out may be in the middle of its work: a waker that panics must not end it.
            let _woken = quietly(|| waker.wake());
        }
        None
    }
}
