//! A bounded queue of many producers and one consumer, with the wake-up folded in.
//!
//! The bounded array queue of Dmitry Vyukov ("Bounded MPMC queue", 1024cores.net), changed in
//! four ways: slots hold tagged pointers and no stamp of their own ([`slots`]); the bound is in
//! messages *and* bytes, both kept in one word ([`word`]); that word also says whether the
//! consumer is parked, so that the one compare-exchange of a push learns whether to wake it; and
//! the consumer's part can be taken, for a moment, by a producer that wants to make room.
//!
//! ```text
//!            head ── what the consumer has given back            tail ── next to be claimed
//!              ▼                                                   ▼
//!   ┌─────┬─────┬─────┬─────┬─────┬─────┬─────┬─────┐
//!   │ old │ kept│  A  │  B  │  C  │ ... │     │     │    used = tail − head ≤ limits
//!   └─────┴─────┴─────┴─────┴─────┴─────┴─────┴─────┘
//!                 ▲ read: known to the consumer alone
//! ```
//!
//! # Order
//!
//! Items are taken in the order in which their pushes claimed their positions. Pushes of one
//! thread claim in program order.
//!
//! # Progress
//!
//! A push takes no lock. It retries only because another push, the consumer or a flag changed
//! the tail in between: lock-free. A producer that stops between claiming a position and filling
//! it holds back what was pushed after it to *this* ring, and nothing else. The consumer waits
//! for nobody either, except for a producer that holds its part ([`Ring::steal`]).
//!
//! # Closing
//!
//! After [`Ring::close`] every push is refused; what was accepted before is still taken.
//!
//! # Memory
//!
//! 8 bytes a message, rounded up to a power of two of messages, from the first push on.
//!
//! # Invariants
//!
//! 1. `head` ≤ `read` ≤ `tail`, and `tail − head` is within the limits.
//! 2. A position is claimed by the compare-exchange that moves the tail over it, and filled by
//!    that producer alone. It is claimed only when its slot's previous item was taken, since
//!    the slots are at least as many as the message limit.
//! 3. The consumer's part (`read`, `owed`, the state beside them, and taking slots) belongs to
//!    whom [`role`] says, to one at a time.
//! 4. The waker cell belongs to the consumer while the tail has neither PARKED nor NOTIFYING;
//!    while PARKED it belongs to nobody; whoever clears PARKED sets NOTIFYING, unless it is the
//!    consumer itself, and owns the cell until it clears NOTIFYING.

mod consume;
mod park;
mod role;
mod slots;
mod word;

use std::task::Waker;

use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

use crate::raw::shared::Shared;

pub(crate) use self::consume::Consume;
pub(crate) use self::consume::Seen;
pub(crate) use self::park::Park;
pub(crate) use self::role::Receiver;
pub(crate) use self::word::Held;
pub(crate) use self::word::MOST_BYTES;
pub(crate) use self::word::MOST_MESSAGES;

use self::consume::Local;
use self::role::Role;
use self::slots::Slots;
use self::word::Word;

/// How many bytes of a ring's limit an item takes.
pub(crate) trait Weigh {
    /// Always the same for the same item, and at least 1.
    fn weight(&self) -> u64;
}

/// The queue. `S` is a state that goes with the consumer's part.
#[repr(C, align(64))]
pub(crate) struct Ring<T, S> {
    // One cache line: all that a push or a drain touches besides the slot.
    tail: AtomicU64,
    head: AtomicU64,
    slots: Slots,
    max_bytes: u64,
    max_messages: u32,
    role: Role,
    // The consumer's.
    local: UnsafeCell<Local<S>>,
    waker: UnsafeCell<Option<Waker>>,
    _items: std::marker::PhantomData<Shared<T>>,
}

/// Why a push did not happen; the item comes back.
pub(crate) struct Refused<T> {
    pub(crate) item: Shared<T>,
    pub(crate) why: Why,
}

/// Why a push did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Closed,
    Full,
}

impl<T: Weigh, S> Ring<T, S> {
    /// An empty ring. When `stealable`, producers may [`steal`](Ring::steal) from the start;
    /// else a receiver that has begun must first learn that somebody wants to.
    ///
    /// # Panics
    ///
    /// When a limit is zero or above [`MOST_MESSAGES`] or [`MOST_BYTES`].
    pub(crate) fn new(max_messages: usize, max_bytes: u64, stealable: bool, state: S) -> Self {
        assert!(
            (1..=MOST_MESSAGES).contains(&max_messages),
            "message limit out of range"
        );
        assert!(
            (1..=MOST_BYTES).contains(&max_bytes),
            "byte limit out of range"
        );
        Self {
            tail: AtomicU64::new(0),
            head: AtomicU64::new(0),
            slots: Slots::new(max_messages),
            max_bytes,
            #[expect(
                clippy::cast_possible_truncation,
                reason = "at most 2^20, asserted above"
            )]
            max_messages: max_messages as u32,
            role: Role::new(stealable),
            local: UnsafeCell::new(Local::new(state)),
            waker: UnsafeCell::new(None),
            _items: std::marker::PhantomData,
        }
    }

    /// Appends `item` and wakes the consumer if it is parked.
    ///
    /// # Errors
    ///
    /// Gives the item back when the ring is closed, or when a limit would be exceeded.
    #[inline(always)]
    pub(crate) fn push(&self, item: Shared<T>) -> Result<(), Refused<T>> {
        let weight = item.weight();
        // Relaxed: only a guess; the compare-exchange below settles it.
        let mut tail = Word(self.tail.load(Ordering::Relaxed));
        loop {
            if tail.has(Word::CLOSED) {
                return Err(Refused {
                    item,
                    why: Why::Closed,
                });
            }
            // Acquire: pairs with the Release in `Consume::drop`; the slots before this head have
            // been read for the last time (invariant 2).
            let head = Word(self.head.load(Ordering::Acquire));
            let held = tail.since(head);
            if held.messages >= self.max_messages as usize || held.bytes + weight > self.max_bytes {
                // Relaxed: the tail alone is of interest. If it has not moved since before the
                // head was read, both were true at once, and the ring is full.
                let again = Word(self.tail.load(Ordering::Relaxed));
                if again == tail {
                    return Err(Refused {
                        item,
                        why: Why::Full,
                    });
                }
                tail = again;
                continue;
            }
            let next = tail.forward(1, weight);
            let next = if next.has(Word::PARKED) {
                notifying(next)
            } else {
                next
            };
            // Acquire: pairs with the Release in `Ring::park`; whoever clears PARKED sees the
            // waker. The item itself is published by its slot, not by this word.
            // Relaxed (on failure): again only a guess.
            let claim = self.tail.compare_exchange_weak(
                tail.0,
                next.0,
                Ordering::Acquire,
                Ordering::Relaxed,
            );
            match claim {
                Ok(_) => break,
                Err(now) => tail = Word(now),
            }
        }
        // SAFETY: the compare-exchange claimed this position (invariant 2).
        unsafe { self.slots.fill(tail.position(), item) };
        if tail.has(Word::PARKED) {
            self.notify();
        }
        Ok(())
    }

    /// Asks the processor to fetch what a push is going to touch.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        prefetch(std::ptr::from_ref(self).cast());
    }

    /// How much waits, as the limits count it.
    pub(crate) fn held(&self) -> Held {
        // Relaxed: a figure for people; the head first, so that it is not ahead of the tail.
        let head = Word(self.head.load(Ordering::Relaxed));
        // Relaxed: as above. A tail read too early is counted as empty.
        let held = Word(self.tail.load(Ordering::Relaxed)).since(head);
        if held.messages > self.max_messages as usize {
            Held::default()
        } else {
            held
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release of `raise`; what the closer did before is visible.
        Word(self.tail.load(Ordering::Acquire)).has(Word::CLOSED)
    }

    /// Refuses every push from now on and wakes the consumer. Says whether it was open.
    pub(crate) fn close(&self) -> bool {
        !self.raise(Word::CLOSED).has(Word::CLOSED)
    }

    /// Makes the consumer look beside the ring: its next turn [says so](Consume::is_called).
    pub(crate) fn call(&self) {
        self.raise(Word::CALLED);
    }

    /// Sets a flag of the tail, wakes the consumer if it is parked, and returns the old tail.
    fn raise(&self, flag: u64) -> Word {
        // Relaxed: only a guess, as in `push`.
        let mut tail = Word(self.tail.load(Ordering::Relaxed));
        loop {
            let next = if tail.has(Word::PARKED) {
                notifying(tail)
            } else {
                tail
            }
            .with(flag);
            // AcqRel: Acquire for the waker, as in `push`; Release so that whoever sees the flag
            // sees what was done before it was raised.
            // Relaxed (on failure): again only a guess.
            let set = self.tail.compare_exchange_weak(
                tail.0,
                next.0,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            match set {
                Ok(_) => break,
                Err(now) => tail = Word(now),
            }
        }
        if tail.has(Word::PARKED) {
            self.notify();
        }
        tail
    }
}

/// Asks the processor to fetch a cache line that is going to be written; a hint without effect on
/// what the program does.
#[inline(always)]
fn prefetch(line: *const i8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is allowed; it does not fault.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// The word of a producer that takes a parked consumer's waker.
const fn notifying(parked: Word) -> Word {
    parked.without(Word::PARKED).with(Word::NOTIFYING)
}

impl<T, S> Drop for Ring<T, S> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` is handed over by whatever made it exclusive.
        let tail = Word(self.tail.load(Ordering::Relaxed));
        // SAFETY: `&mut self`, so nobody has the consumer's part.
        let read = self.local.with(|local| unsafe { (*local).read });
        let mut left = tail.since(read).messages;
        let mut position = read;
        while left > 0 {
            // SAFETY: every producer has finished, and the consumer got no further than `read`.
            let item: Option<Shared<T>> = unsafe { self.slots.take(position.position()) };
            drop(item);
            position = position.forward(1, 0);
            left -= 1;
        }
    }
}

// SAFETY:
// - `T: Send + Sync`, for items are shared owners that leave on another thread than they came.
// - `S: Send`, for whoever has the consumer's part uses it by `&mut`, on any thread. `S: Sync` is
//   not needed: it is never shared.
unsafe impl<T: Send + Sync, S: Send> Sync for Ring<T, S> {}

// SAFETY: as for `Sync`: owning the ring is owning its items and its state.
unsafe impl<T: Send + Sync, S: Send> Send for Ring<T, S> {}

#[cfg(all(test, throng_loom))]
mod model;
#[cfg(all(test, not(throng_loom)))]
mod tests;
