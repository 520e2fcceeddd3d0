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
//! can't be stolen from. So a ring whose policy is known to evict starts as FREE.

use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::AtomicU8;
use crate::sync::atomic::Ordering;

/// Nobody has begun yet.
const FRESH: u8 = 0;
/// The receiver has it for good.
const OWNED: u8 = 1;
/// The receiver has it and is asked to share.
const ASKED: u8 = 2;
/// Shared; nobody has it now.
const FREE: u8 = 3;
/// Shared; somebody has it now.
const HELD: u8 = 4;

/// Who has the consumer's part.
pub(super) struct Role {
    state: AtomicU8,
    /// Whether the one [`Receiver`] has been given out.
    received: AtomicBool,
}

/// How a turn was begun, and so how it must end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Owned,
    Shared,
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
    pub(super) fn new(stealable: bool) -> Self {
        Self {
            state: AtomicU8::new(if stealable { FREE } else { FRESH }),
            received: AtomicBool::new(false),
        }
    }

    /// Begins the receiver's turn, unless a thief is in the middle of one.
    #[inline(always)]
    pub(super) fn begin(&self) -> Option<Turn> {
        // Relaxed: in OWNED the receiver itself wrote all that it is going to read.
        if self.state.load(Ordering::Relaxed) == OWNED {
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

    /// Ends a turn.
    #[inline(always)]
    pub(super) fn end(&self, turn: Turn) {
        if turn == Turn::Shared {
            // Release: pairs with the Acquire of whoever begins next.
            self.state.store(FREE, Ordering::Release);
        }
    }

    fn change(&self, from: u8, to: u8, success: Ordering) -> bool {
        // Relaxed (on failure): nothing is read then.
        self.state
            .compare_exchange(from, to, success, Ordering::Relaxed)
            .is_ok()
    }

    fn receive(&self) -> bool {
        // Relaxed: only uniqueness matters; a read-modify-write gives it.
        !self.received.swap(true, Ordering::Relaxed)
    }
}

/// The right to be the consumer of the ring at this address: there is one for each.
///
/// It does not borrow the ring, so that both can be kept side by side; every use is checked
/// against the address instead.
#[derive(Debug)]
pub(crate) struct Receiver {
    ring: usize,
}

impl Receiver {
    /// The receiver of the ring at `address`, unless it was given out before.
    pub(super) fn claim(role: &Role, address: usize) -> Option<Self> {
        role.receive().then_some(Self { ring: address })
    }

    #[inline(always)]
    pub(super) fn check(&self, address: usize) {
        assert!(
            self.ring == address,
            "this receiver belongs to another ring"
        );
    }
}
