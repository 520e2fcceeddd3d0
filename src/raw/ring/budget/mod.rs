//! A bound on the bytes that rings hold together while their consumers lag.
//!
//! A ring *lags* while more than four items wait in it. What a lagging ring holds is counted here,
//! so a consumer that keeps up costs nothing: it never comes here.
//!
//! # Promise
//!
//! - While lagging rings hold no more than half of the budget, the limits of each ring decide
//!   alone.
//! - In the second half, a push to a lagging ring is refused as full if the ring would then hold
//!   more than its share: the first half divided by the number of lagging rings. So those that hold
//!   most are refused first, and one that has just begun to lag still has room.
//! - When the budget is used up, every push to a lagging ring is refused as full.
//!
//! # Accuracy
//!
//! Counted are whole units of 64 bytes for each ring. A ring tells its amount after each push and
//! each turn, so each producer that is between its push and its telling may be one item beyond the
//! budget, and the total is exact when none is. A producer whose push raced a take may tell too
//! much; the next turn of the receiver mends that.
//!
//! A ring tells by a swap of what it told before, and adds the difference: so the total is the sum
//! of what the rings have told last, in whatever order they tell. And the last to tell tells the
//! truth: a thread that has told looks at its ring again, and by the swap sees all that was done
//! before the tellings that came first.

use crossbeam_utils::CachePadded;

use crate::raw::ring::Ring;
use crate::raw::ring::slots::FEW;
use crate::raw::ring::word::Held;
use crate::sync::Arc;
use crate::sync::atomic::AtomicU32;
use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering;

/// Bytes of a unit.
const UNIT: u64 = 64;

/// How often what was told is looked at again, while others change it.
const LOOKS: usize = 4;

/// How much may be held, and how much is.
pub(crate) struct Budget {
    /// In units.
    most: u64,
    now: CachePadded<Now>,
}

struct Now {
    /// In units.
    held: AtomicU64,
    rings: AtomicU64,
}

/// The rings that lag at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    pub(crate) rings: u64,
    pub(crate) bytes: u64,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Arc<Self> {
        let now = Now {
            held: AtomicU64::new(0),
            rings: AtomicU64::new(0),
        };
        Arc::new(Self {
            most: bytes.div_ceil(UNIT),
            now: CachePadded::new(now),
        })
    }

    /// The rings that lag now.
    pub(crate) fn lag(&self) -> Lag {
        Lag {
            // Relaxed: figures for people.
            rings: self.now.rings.load(Ordering::Relaxed),
            // Relaxed: as above.
            bytes: self.now.held.load(Ordering::Relaxed) * UNIT,
        }
    }

    /// Whether a ring that lags may come to hold so many bytes.
    fn affords(&self, bytes: u64) -> bool {
        // Relaxed: a bound; see the module's word on accuracy.
        let held = self.now.held.load(Ordering::Relaxed);
        let half = self.most / 2;
        if held <= half {
            return true;
        }
        // Relaxed: as above.
        let rings = self.now.rings.load(Ordering::Relaxed);
        held < self.most && bytes.div_ceil(UNIT) * rings <= half
    }
}

/// The amount that one ring has told last, in units; never more than 2^28.
#[derive(Default)]
pub(super) struct Told(AtomicU32);

impl Told {
    fn tell(&self, budget: &Budget, units: u32) {
        // AcqRel: a later telling sees the ends of the ring that this one has seen or moved.
        let before = self.0.swap(units, Ordering::AcqRel);
        let add = |to: &AtomicU64, before: u32, units: u32| {
            let more = u64::from(units).wrapping_sub(u64::from(before));
            // Relaxed: a sum, and the order of its parts does not matter; it wraps on the way.
            to.fetch_add(more, Ordering::Relaxed);
        };
        add(&budget.now.held, before, units);
        add(&budget.now.rings, before.min(1), units.min(1));
    }
}

impl<T, S> Ring<T, S> {
    /// Tells the budget how much this ring holds, if it lags and has a budget.
    #[inline]
    pub(super) fn tell(&self) {
        if let Some(budget) = &self.budget {
            self.tell_budget(budget);
        }
    }

    #[inline(never)]
    fn tell_budget(&self, budget: &Budget) {
        let mut units = self.lag();
        for _ in 0..LOOKS {
            self.told.tell(budget, units);
            let now = self.lag();
            if now == units {
                break;
            }
            units = now;
        }
    }

    /// How many units this ring holds, if it lags.
    fn lag(&self) -> u32 {
        let held = self.held();
        if held.messages <= FEW {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a ring holds at most 2^34 bytes"
        )]
        let units = held.bytes.div_ceil(UNIT) as u32;
        units
    }

    /// Whether the budget has room for `weight` more beside what is held.
    #[inline]
    pub(super) fn affords(&self, held: Held, weight: u64) -> bool {
        let Some(budget) = &self.budget else {
            return true;
        };
        held.messages < FEW || budget.affords(held.bytes + weight)
    }

    /// Nothing is held any more.
    pub(super) fn tell_gone(&self) {
        if let Some(budget) = &self.budget {
            self.told.tell(budget, 0);
        }
    }
}

#[cfg(all(test, throng_loom))]
mod model;
