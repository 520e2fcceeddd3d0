//! The two words of a ring: where its ends are, in messages and in bytes.
//!
//! ```text
//!  63                              29 28                6  5  4  3  2  1  0
//! ┌──────────────────────────────────┬───────────────────┬──┬──┬──┬──┬──┬──┐
//! │ bytes ever pushed, modulo 2^35   │ messages, mod 2^23│ O│ D│ C│ L│ N│ P│  tail
//! ├──────────────────────────────────┼───────────────────┼──┼──┼──┴──┴──┼──┤
//! │ bytes ever given back            │ messages          │  │  │  high  │ B│  head
//! └──────────────────────────────────┴───────────────────┴──┴──┴────────┴──┘
//!  O: OVERFLOWN  D: DEEP  C: CALLED  L: CLOSED  N: NOTIFYING  P: PARKED
//!  B: BESIDE     high: the most that waited at a time, while that is no more than the few
//! ```
//!
//! Both halves count up for ever and wrap; only differences are meaningful. They fit because a
//! ring holds at most 2^20 messages and 2^34 bytes. When the messages wrap, they carry one into the
//! bytes; so it is with the other end, and the difference of the two is exact all the same. So
//! an end moves by one addition, and two ends differ by one subtraction.
//!
//! # A word that comes back
//!
//! A producer that stops between reading the tail and its compare-exchange could in theory find
//! the same word again after others have gone once round: exactly a multiple of 2^23 messages
//! later, with just so many bytes that the sum is a multiple of 2^64. An empty payload weighs one
//! byte, so that takes at least 32 GiB, or 2^35 messages, through this one client, during one
//! stall, and then an exact hit.

use crate::raw::ring::slots::FEW;

/// The most messages a ring may hold.
pub(crate) const MOST_MESSAGES: usize = 1 << 20;
/// The most bytes a ring may hold.
pub(crate) const MOST_BYTES: u64 = 1 << 34;

const POSITION_SHIFT: u32 = 6;
/// After so many bits of messages, positions begin again.
pub(super) const POSITION_BITS: u32 = 23;
const POSITION_MASK: u64 = (1 << POSITION_BITS) - 1;
const BYTES_SHIFT: u32 = POSITION_SHIFT + POSITION_BITS;
const BYTES_BITS: u32 = 64 - BYTES_SHIFT;

/// The bits below the position.
const FLAGS: u64 = (1 << POSITION_SHIFT) - 1;
const HIGH_SHIFT: u32 = 1;
const HIGH_MASK: u64 = 0b111;

const _: () = assert!(
    MOST_MESSAGES < 1 << POSITION_BITS,
    "positions must not run into each other"
);
const _: () = assert!(
    MOST_BYTES < 1 << BYTES_BITS,
    "byte counts must not run into each other"
);

const _: () = assert!(
    (FEW as u64) <= HIGH_MASK,
    "the few must fit the note in the head"
);

/// One end of a ring, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    /// The consumer is parked, its waker in the cell: whoever clears this bit wakes it.
    pub(super) const PARKED: u64 = 1;
    /// A producer is moving the waker out of the cell: the consumer may not put one in.
    pub(super) const NOTIFYING: u64 = 1 << 1;
    /// No further push succeeds.
    pub(super) const CLOSED: u64 = 1 << 2;
    /// Somebody wants the consumer to look beside the ring.
    pub(super) const CALLED: u64 = 1 << 3;
    /// Pushes go to the many slots, since the few were full: see [`slots`](super::slots).
    pub(super) const DEEP: u64 = 1 << 4;
    /// Something did not fit since the receiver had last emptied the ring.
    pub(super) const OVERFLOWN: u64 = 1 << 5;

    /// In the head: something is kept beside the ring, or the state beside it is not idle.
    pub(super) const BESIDE: u64 = 1;

    pub(super) const fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    pub(super) const fn with(self, flag: u64) -> Self {
        Self(self.0 | flag)
    }

    pub(super) const fn without(self, flag: u64) -> Self {
        Self(self.0 & !flag)
    }

    /// Whether this tail asks nothing of the consumer but to take what is there.
    #[inline(always)]
    pub(super) const fn is_quiet(self) -> bool {
        !self.has(Self::CALLED | Self::CLOSED | Self::DEEP | Self::OVERFLOWN)
    }

    /// In the head: the most that waited at a time, as far as it was noted here.
    #[inline(always)]
    pub(super) const fn high(self) -> usize {
        (self.0 >> HIGH_SHIFT & HIGH_MASK) as usize
    }

    /// The head with a note that so many waited at a time, [`FEW`](super::slots::FEW) at most.
    #[inline(always)]
    pub(super) const fn with_high(self, waited: usize) -> Self {
        Self(self.0 & !(HIGH_MASK << HIGH_SHIFT) | (waited as u64) << HIGH_SHIFT)
    }

    /// The number of the next message, modulo 2^23.
    #[inline(always)]
    pub(super) const fn position(self) -> usize {
        (self.0 >> POSITION_SHIFT & POSITION_MASK) as usize
    }

    /// This end after `messages` more messages of together `bytes`; flags stay.
    #[inline(always)]
    pub(super) const fn forward(self, messages: usize, bytes: u64) -> Self {
        Self(self.0.wrapping_add(step(messages, bytes)))
    }

    /// This end before `messages` messages of together `bytes` came; flags stay.
    #[inline(always)]
    pub(super) const fn back(self, messages: usize, bytes: u64) -> Self {
        Self(self.0.wrapping_sub(step(messages, bytes)))
    }

    /// What lies between `head` and this end.
    #[inline(always)]
    pub(super) const fn since(self, head: Self) -> Held {
        let between = Self(self.0.wrapping_sub(head.0 & !FLAGS));
        Held {
            messages: between.position(),
            bytes: between.0 >> BYTES_SHIFT,
        }
    }
}

#[inline(always)]
const fn step(messages: usize, bytes: u64) -> u64 {
    ((messages as u64) << POSITION_SHIFT).wrapping_add(bytes << BYTES_SHIFT)
}

/// Whether one position comes before another, of two that are less than half of all apart.
pub(crate) const fn is_before(one: usize, other: usize) -> bool {
    let ahead = (other as u64).wrapping_sub(one as u64) & POSITION_MASK;
    ahead != 0 && ahead <= 1 << (POSITION_BITS - 1)
}

/// How much a ring holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) messages: usize,
    pub(crate) bytes: u64,
}
