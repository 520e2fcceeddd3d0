//! A bounded queue of many producers and one consumer, with the wake-up folded in.
//!
//! The bounded array queue of Dmitry Vyukov ("Bounded MPMC queue", 1024cores.net), changed in
//! four ways: slots hold pointers and no stamp, and there are few of them while the consumer keeps
//! up ([`slots`]); the bound is in messages *and* bytes, both kept in one word ([`word`]); that
//! word also says whether the consumer is parked, so that the one compare-exchange of a push learns
//! whether to wake it; and the consumer's part can be taken, for a moment, by a producer that
//! wants to make room ([`role`]).
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
//! Two cache lines, until more than eight items wait at a time; from then on also 8 bytes for each
//! message of the limit, rounded up to a power of two.
//!
//! # Invariants
//!
//! 1. `head` ≤ `read` ≤ `tail`, and `tail − head` is within the limits.
//! 2. A position is claimed by the compare-exchange that moves the tail over it, and filled by
//!    that producer alone. It is claimed only when the item that had its slot before was taken.
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
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU32;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

use crate::raw::prefetch::prefetch;
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
use self::slots::FEW;
use self::slots::Few;
use self::slots::Many;
use self::slots::Shape;
use self::word::Word;

/// How many bytes of a ring's limit an item takes.
pub(crate) trait Weigh {
    /// Always the same for the same item, and at least 1.
    fn weight(&self) -> u64;
}

/// The queue. `S` is a state that goes with the consumer's part.
///
/// Whoever embeds it aligns it to 64 bytes, so that its first two cache lines are two and not
/// three; it does not do so itself, for then it would end in padding.
#[repr(C)]
pub(crate) struct Ring<T, S> {
    // One cache line, and the next: all that a push or a drain touches while the few slots do.
    // Producers and consumer share them on purpose: an outbox is served by one of them at a time,
    // and with many outboxes the number of lines counts, not who had them last.
    tail: AtomicU64,
    head: AtomicU64,
    many: Many,
    max_bytes: u64,
    local: UnsafeCell<Local<S>>,
    max_messages: u32,
    high_water: AtomicU32,
    laps: AtomicU32,
    shape: Shape,
    overflown: AtomicBool,
    role: Role,
    few: Few,
    // Touched only when the consumer parks.
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
            many: Many::new(),
            max_bytes,
            local: UnsafeCell::new(Local::new(state)),
            high_water: AtomicU32::new(0),
            laps: AtomicU32::new(0),
            shape: Shape::of(max_messages),
            overflown: AtomicBool::new(false),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "at most 2^20, asserted above"
            )]
            max_messages: max_messages as u32,
            role: Role::new(stealable),
            few: Few::new(),
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
        let claimed = loop {
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
            let mut next = tail.forward(1, weight);
            if held.messages >= FEW {
                next = next.with(Word::DEEP);
            }
            if next.has(Word::PARKED) {
                next = notifying(next);
            }
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
                Ok(_) => break next,
                Err(now) => tail = Word(now),
            }
        };
        let position = tail.position();
        if claimed.has(Word::DEEP) {
            // SAFETY: the compare-exchange claimed this position in the many (invariant 2).
            unsafe { self.many.put(self.shape, position, item) };
        } else {
            // SAFETY: the compare-exchange claimed this position in the few (invariant 2).
            unsafe { self.few.put(position, item) };
        }
        if tail.has(Word::PARKED) {
            self.notify();
        }
        Ok(())
    }

    /// Asks the processor to fetch what a push is going to touch.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        prefetch(self, 1);
        prefetch(&self.few, 1);
    }

    /// Notes that something did not fit; forgotten when the receiver has emptied the ring.
    pub(crate) fn note_overflow(&self) {
        // Release: who sees the note sees when it was made.
        self.overflown.store(true, Ordering::Release);
    }

    /// Whether something did not fit since the receiver had last emptied the ring.
    pub(crate) fn is_overflown(&self) -> bool {
        // Acquire: pairs with the Release in `note_overflow`.
        self.overflown.load(Ordering::Acquire)
    }

    /// The most that waited at a time, as the consumer found it. Exact, since what waits becomes
    /// less only by the consumer, and it looks before it takes.
    pub(crate) fn high_water(&self) -> usize {
        // Relaxed: a figure for people.
        self.high_water.load(Ordering::Relaxed) as usize
    }

    /// How many items have come and gone again: taken and not kept.
    pub(crate) fn gone(&self) -> u64 {
        loop {
            // Relaxed: a figure for people. A lap that ends meanwhile is looked at again; for the
            // moment between its two stores, the figure is a lap too high.
            let laps = self.laps.load(Ordering::Relaxed);
            // Relaxed: as above.
            let head = Word(self.head.load(Ordering::Relaxed));
            // Relaxed: as above.
            if self.laps.load(Ordering::Relaxed) == laps {
                return u64::from(laps) << word::POSITION_BITS | head.position() as u64;
            }
        }
    }

    /// Whether an item of this weight would fit if the ring were empty.
    pub(crate) fn could_hold(&self, weight: u64) -> bool {
        weight <= self.max_bytes
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

    /// Whether half of what may wait waits already.
    pub(crate) fn is_half_full(&self) -> bool {
        let held = self.held();
        held.messages * 2 > self.max_messages as usize || held.bytes > self.max_bytes / 2
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

/// The word of a producer that takes a parked consumer's waker.
const fn notifying(parked: Word) -> Word {
    parked.without(Word::PARKED).with(Word::NOTIFYING)
}

impl<T, S> Drop for Ring<T, S> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` is handed over by whatever made it exclusive.
        let tail = Word(self.tail.load(Ordering::Relaxed));
        // SAFETY: `&mut self`, so nobody has the consumer's part.
        let mut read = self.local.with(|local| unsafe { (*local).read });
        while read.position() != tail.position() {
            // SAFETY: every producer has finished, and the consumer got no further than `read`.
            let item: Option<Shared<T>> = unsafe { self.take(read.position(), tail) };
            drop(item);
            read = read.forward(1, 0);
        }
        self.many.free(self.shape);
    }
}

impl<T, S> Ring<T, S> {
    /// Takes the item of `position`, unless its producer has not finished.
    ///
    /// # Safety
    ///
    /// The caller has the consumer's part, `position` is before `tail`, a tail seen in this turn,
    /// and has not been taken, and all before it have.
    #[inline(always)]
    unsafe fn take(&self, position: usize, tail: Word) -> Option<Shared<T>> {
        // SAFETY: the caller's promise.
        let item = unsafe { self.few.take(position) };
        if item.is_some() || !tail.has(Word::DEEP) {
            return item;
        }
        // What is not in the few is in the many, or not yet put anywhere.
        // SAFETY: the caller's promise, and the ring's one shape.
        unsafe { self.many.take(self.shape, position) }
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
