//! Who has the consumer's part of a ring.
//!
//! ```text
//!           receiver begins                thief asks
//!   FRESH ─────────────────▶ OWNED ───────────────────────▶ ASKED
//!     │                        (receiver keeps it, at no cost)  │ receiver begins or ends a turn
//!     │ thief                                                   ▼
//!     └──────────────▶ HELD ◀──────────────────────────────── FREE
//!                        └──────────── end of a turn ───────────▶
//! ```
//!
//! A receiver that nobody wants to steal from owns its part for good: beginning a turn is one
//! load. From the first wish to steal on, every turn begins with a compare-exchange and ends with
//! a store. The price of that bargain: a receiver which has begun once and never begins again
//! can't be stolen from. So a ring whose policy is known to evict starts as FREE, and a receiver
//! that is not going to begin for a while may offer its part, which then is FREE as well.
//!
//! The state shares a word with the limits of the ring, which never change:
//!
//! ```text
//!  63                               29 28              8 7      0
//! ┌───────────────────────────────────┬─────────────────┬────────┐
//! │ bytes                             │ messages        │ state  │
//! └───────────────────────────────────┴─────────────────┴────────┘
//! ```

use crate::raw::ring::word::Held;
use crate::raw::ring::word::MOST_BYTES;
use crate::raw::ring::word::MOST_MESSAGES;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// Nobody has begun yet.
const FRESH: u64 = 0;
/// The receiver has it for good.
const OWNED: u64 = 1;
/// The receiver has it and is asked to share.
const ASKED: u64 = 2;
/// Shared; nobody has it now.
const FREE: u64 = 3;
/// Shared; somebody has it now.
const HELD: u64 = 4;

const MESSAGES_SHIFT: u32 = 8;
const BYTES_SHIFT: u32 = 29;
const STATE_MASK: u64 = (1 << MESSAGES_SHIFT) - 1;

const _: () = assert!(
    MOST_MESSAGES < 1 << (BYTES_SHIFT - MESSAGES_SHIFT) && MOST_BYTES < 1 << (64 - BYTES_SHIFT),
    "the limits must fit their places"
);

/// What a ring may hold, packed.
#[derive(Clone, Copy)]
pub(super) struct Limits(u64);

impl Limits {
    /// # Panics
    ///
    /// When a limit is zero or above [`MOST_MESSAGES`] or [`MOST_BYTES`].
    pub(super) fn new(messages: usize, bytes: u64) -> Self {
        assert!(
            (1..=MOST_MESSAGES).contains(&messages),
            "message limit out of range"
        );
        assert!((1..=MOST_BYTES).contains(&bytes), "byte limit out of range");
        Self((messages as u64) << MESSAGES_SHIFT | bytes << BYTES_SHIFT)
    }

    #[inline(always)]
    pub(super) const fn messages(self) -> usize {
        (self.0 << (64 - BYTES_SHIFT) >> (64 - BYTES_SHIFT + MESSAGES_SHIFT)) as usize
    }

    #[inline(always)]
    pub(super) const fn bytes(self) -> u64 {
        self.0 >> BYTES_SHIFT
    }

    /// Whether one more item fits beside what is held.
    #[inline(always)]
    pub(super) const fn admit(self, held: Held, weight: u64) -> bool {
        held.messages < self.messages() && held.bytes + weight <= self.bytes()
    }
}

/// Who has the consumer's part; and the limits.
pub(super) struct Role {
    word: AtomicU64,
    /// For a model each look at an atomic is a step, and a look at what never changes tells
    /// nothing.
    #[cfg(throng_loom)]
    limits: Limits,
}

/// How a turn was begun, and so how it must end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Owned,
    Shared,
    /// Of a thief that changes nothing, before the receiver has begun: it is as if it had not been.
    Fresh,
}

/// What a would-be thief got.
pub(super) enum Theft {
    /// The part: a turn of the shared kind.
    Held,
    /// Nothing, and the receiver should be woken so that it learns that sharing is wanted.
    Asked,
    /// Nothing just now.
    Busy,
}

impl Role {
    pub(super) fn new(limits: Limits, stealable: bool) -> Self {
        let state = if stealable { FREE } else { FRESH };
        Self {
            word: AtomicU64::new(limits.0 | state),
            #[cfg(throng_loom)]
            limits,
        }
    }

    #[cfg(not(throng_loom))]
    #[inline(always)]
    pub(super) fn limits(&self) -> Limits {
        // Relaxed: they never change.
        Limits(self.word.load(Ordering::Relaxed) & !STATE_MASK)
    }

    #[cfg(throng_loom)]
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Begins the receiver's turn, unless a thief is in the middle of one.
    #[inline(always)]
    pub(super) fn begin(&self) -> Option<Turn> {
        // Relaxed: in OWNED the receiver itself wrote all that it is going to read.
        if self.word.load(Ordering::Relaxed) & STATE_MASK == OWNED {
            return Some(Turn::Owned);
        }
        self.begin_other()
    }

    #[inline]
    fn begin_other(&self) -> Option<Turn> {
        // Acquire: pairs with the Release in `end`; the last holder's writes are visible.
        if self.change(FREE, HELD, Ordering::Acquire) {
            return Some(Turn::Shared);
        }

        // Relaxed (on failure, here and below): the next attempt decides.
        // Relaxed: FRESH says that nobody has written anything yet.
        if self.change(FRESH, OWNED, Ordering::Relaxed) {
            return Some(Turn::Owned);
        }
        // Relaxed: in ASKED the receiver still has the part, and wrote all itself.
        self.change(ASKED, HELD, Ordering::Relaxed)
            .then_some(Turn::Shared)
    }

    /// Tries to begin a thief's turn.
    pub(super) fn steal(&self) -> Theft {
        // Relaxed: as in `begin`.
        if self.change(FRESH, HELD, Ordering::Relaxed) {
            return Theft::Held;
        }
        // Acquire: pairs with the Release in `end`.
        if self.change(FREE, HELD, Ordering::Acquire) {
            return Theft::Held;
        }
        // Relaxed: a wish; nothing is read on the strength of it.
        if self.change(OWNED, ASKED, Ordering::Relaxed) {
            Theft::Asked
        } else {
            Theft::Busy
        }
    }

    /// Begins a thief's turn that only looks, if that asks nothing of the receiver.
    pub(super) fn glance(&self) -> Option<Turn> {
        // Relaxed: as in `steal`; the receiver has written nothing.
        if self.change(FRESH, HELD, Ordering::Relaxed) {
            return Some(Turn::Fresh);
        }
        // Acquire: as in `steal`.
        let free = self.change(FREE, HELD, Ordering::Acquire);
        free.then_some(Turn::Shared)
    }

    /// Ends a turn.
    #[inline(always)]
    pub(super) fn end(&self, turn: Turn) {
        let state = match turn {
            Turn::Owned => return,
            Turn::Shared => FREE,
            Turn::Fresh => FRESH,
        };
        // Release: pairs with the Acquire of whoever begins next.
        self.word.store(self.limits().0 | state, Ordering::Release);
    }

    /// Shares the part from now on, as if a thief had asked. For the receiver, between two turns.
    #[cfg(any(feature = "ws", all(test, throng_loom)))]
    pub(super) fn offer(&self) {
        // Relaxed: as in `begin`.
        let state = self.word.load(Ordering::Relaxed) & STATE_MASK;
        if state == OWNED || state == ASKED {
            // Release: as in `end`. A thief that asks at this moment has its answer.
            self.word.store(self.limits().0 | FREE, Ordering::Release);
        }
    }

    fn change(&self, from: u64, to: u64, success: Ordering) -> bool {
        let limits = self.limits().0;
        // Relaxed (on failure): nothing is read then.
        self.word
            .compare_exchange(limits | from, limits | to, success, Ordering::Relaxed)
            .is_ok()
    }
}

/// The right to be the consumer of the ring whose line is at this address: there is one for each.
///
/// It does not borrow the ring, so that both can be kept side by side; every use is checked
/// against the address instead.
#[derive(Debug)]
pub(crate) struct Receiver {
    line: usize,
}

impl Receiver {
    /// The receiver of the ring whose line is at `address`, unless it was given out before.
    pub(super) fn claim(received: &AtomicBool, address: usize) -> Option<Self> {
        // Relaxed: only uniqueness matters; a read-modify-write gives it.
        let first = !received.swap(true, Ordering::Relaxed);
        first.then_some(Self { line: address })
    }

    #[inline(always)]
    pub(super) fn check(&self, address: usize) {
        assert!(
            self.line == address,
            "this receiver belongs to another ring"
        );
    }
}
