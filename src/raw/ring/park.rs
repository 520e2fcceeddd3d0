//! Parking and waking the consumer of a ring.
//!
//! The consumer parks by a compare-exchange of the tail that fails if anything was pushed or
//! raised since it looked. A producer's one compare-exchange sees PARKED, clears it, and so is the
//! only one to wake. Neither a second word nor a fence is needed, and no wake-up is lost:
//!
//! * if the push comes first, parking fails and the consumer looks again;
//! * if parking comes first, the push sees PARKED and wakes.

use std::task::Waker;

use crate::sync::atomic::Ordering;
use crate::sync::hint;

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

impl<T: Weigh, S> Ring<T, S> {
    /// Parks the consumer after a turn that took all it could and has `seen` the ring's end.
    pub(crate) fn park(&self, receiver: &mut Receiver, seen: Seen, waker: &Waker) -> Park {
        receiver.check(std::ptr::from_ref(self).addr());
        let mut tail = seen.tail;
        for _ in 0..SPINS {
            if tail.has(Word::CALLED) || tail.position() != seen.tail.position() {
                return Park::Look;
            }
            if seen.drained && tail.has(Word::CLOSED) {
                return Park::Look;
            }
            if seen.drained && !tail.has(Word::NOTIFYING) && self.try_park(tail, waker) {
                return Park::Parked;
            }
            if !seen.drained {
                break;
            }
            hint::spin_loop();
            // Acquire: pairs with the Release in `notify`; when NOTIFYING is gone the cell is
            // the consumer's again.
            tail = Word(self.tail.load(Ordering::Acquire));
        }
        waker.wake_by_ref();
        Park::Soon
    }

    /// Puts the waker into the cell and PARKED into the tail, if that still is `tail`.
    fn try_park(&self, tail: Word, waker: &Waker) -> bool {
        let Some(tail) = self.unpark(tail) else {
            return false;
        };
        // SAFETY: the tail has neither PARKED nor NOTIFYING, and only the consumer, which this
        // is, sets PARKED; so the cell is the consumer's (invariant 4).
        self.waker
            .with_mut(|cell| unsafe { *cell = Some(waker.clone()) });
        // Release: pairs with the Acquire of whoever clears PARKED, which then sees the waker.
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

    /// Wakes the consumer; called by whoever has turned PARKED into NOTIFYING, once.
    #[cold]
    #[inline(never)]
    pub(super) fn notify(&self) {
        // SAFETY: PARKED was turned into NOTIFYING by this caller, so the cell is its own until
        // the bit goes down (invariant 4).
        let waker = self.waker.with_mut(|cell| unsafe { (*cell).take() });
        // Release: pairs with the Acquire in `park`; the cell has been emptied before the
        // consumer fills it again.
        self.tail.fetch_and(!Word::NOTIFYING, Ordering::Release);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
