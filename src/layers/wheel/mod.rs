//! A hierarchical timing wheel: what is to happen later, told the time.
//!
//! Source: G. Varghese and A. Lauck, *Hashed and Hierarchical Timing Wheels: Data Structures for
//! the Efficient Implementation of a Timer Facility*, SOSP 1987 (scheme 7).
//!
//! ```text
//!   level 2   ░░░░░▓░░  one slot = 64 × 64 ticks     a key is in the level of the highest digit in
//!                  │                                 which its tick differs from the present one
//!   level 1   ░░░▓░░░░  one slot = 64 ticks
//!                │      when time enters a slot, its keys move down
//!   level 0   ░▓░░░░░░  one slot = one tick          here they come out
//! ```
//!
//! A tick is a number with digits of six bits. Every key of a level agrees with the present in all
//! higher digits, so all of it is due before any key of a higher level, and no slot ever stands
//! for two rounds: the first bit of the lowest level in use is what is due next.

#[cfg(test)]
mod tests;

use std::array;
use std::mem;
use std::time::Duration;
use std::time::Instant;

/// Keys, each with the time at which it is due. Pure: it is told the time.
///
/// A key may be in it several times; who wants to cancel ignores what comes out. Times are kept
/// to within a *tick*: never early, less than one tick late. Any time may be said, also one that
/// is past or never comes; all that is 2⁶⁴ ticks away or more is one time. What is due comes out
/// tick by tick; within a tick in no order.
///
/// # Progress
///
/// An insert is constant work. A key moves down at most once for each level, eleven of them in all,
/// and only slots that hold keys are ever looked at: the work of a pop after a leap of time,
/// however great, is that of the keys it passes. A single pop may move all the keys of one slot.
///
/// # Memory
///
/// A key and eight bytes for each entry. 1.5 KiB for each level in use, where *n* levels reach
/// 64ⁿ ticks: three reach over three days with a tick of a second, and none is given back. Slots
/// keep room for a few keys; those that have grown larger give it back when they are empty.
#[derive(Debug)]
pub(crate) struct Wheel<K> {
    start: Instant,
    tick: Duration,
    /// Up to where time was taken notice of. Nothing is in a slot before it.
    present: u64,
    levels: Vec<Level<K>>,
    len: usize,
}

impl<K> Wheel<K> {
    /// An empty wheel that begins at `start` and is as exact as `tick`.
    pub(crate) fn new(start: Instant, tick: Duration) -> Self {
        Self {
            start,
            tick: tick.max(Duration::from_nanos(1)),
            present: 0,
            levels: Vec::new(),
            len: 0,
        }
    }

    /// Has `key` come out once `due` is there.
    pub(crate) fn insert(&mut self, due: Instant, key: K) {
        let elapsed = due.saturating_duration_since(self.start).as_nanos();
        let at = narrow(elapsed.div_ceil(self.tick.as_nanos()));
        self.len += 1;
        self.put(at.max(self.present), key);
    }

    /// Takes out one key that is due at `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<K> {
        let now = self.tick_of(now);
        while let Some((level, slot, begins)) = self.first()
            && begins <= now
        {
            self.present = begins;
            if level == 0 {
                self.len -= 1;
                return self.levels[0].pop(slot);
            }
            for (at, key) in self.levels[level].take(slot) {
                self.put(at, key);
            }
        }
        // Whatever is left is in slots that begin later, so it keeps its place.
        self.present = self.present.max(now);
        None
    }

    /// When to look again: no later than a tick after the first key is due, if there is one.
    ///
    /// It may be earlier, when keys are to move down; that is so at most once for each level.
    pub(crate) fn next(&self) -> Option<Instant> {
        let (_, _, begins) = self.first()?;
        let nanos = u128::from(begins) * self.tick.as_nanos();
        let seconds = narrow(nanos / NANOS_PER_SECOND);
        let rest = u32::try_from(nanos % NANOS_PER_SECOND).unwrap_or_default();
        let after = self.start.checked_add(Duration::new(seconds, rest));
        Some(after.unwrap_or_else(|| self.start + FAR))
    }

    /// How many keys are in it.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first slot that holds keys: its level, its index, and the tick at which it begins.
    fn first(&self) -> Option<(usize, usize, u64)> {
        let mut levels = self.levels.iter().enumerate();
        let (level, slot) = levels.find_map(|(index, level)| Some((index, level.first()?)))?;
        let shift = level * DIGIT;
        let digits = self.present >> shift;
        let begins = (digits & !MASK | slot as u64) << shift;
        Some((level, slot, begins))
    }

    /// Puts a key where it belongs as seen from the present, which it is not before.
    fn put(&mut self, at: u64, key: K) {
        let differs = (at ^ self.present) | 1;
        let level = differs.ilog2() as usize / DIGIT;
        let slot = (at >> (level * DIGIT)) & MASK;
        while self.levels.len() <= level {
            self.levels.push(Level::new());
        }
        self.levels[level].put(slot as usize, at, key);
    }

    fn tick_of(&self, time: Instant) -> u64 {
        let elapsed = time.saturating_duration_since(self.start).as_nanos();
        narrow(elapsed / self.tick.as_nanos())
    }
}

/// The slots for one digit.
#[derive(Debug)]
struct Level<K> {
    /// Invariant: bit *n* is set if and only if slot *n* holds keys.
    used: u64,
    slots: Box<[Slot<K>; SLOTS]>,
}

/// Keys, each with its tick.
type Slot<K> = Vec<(u64, K)>;

impl<K> Level<K> {
    fn new() -> Self {
        Self {
            used: 0,
            slots: Box::new(array::from_fn(|_| Vec::new())),
        }
    }

    fn put(&mut self, slot: usize, at: u64, key: K) {
        self.used |= 1 << slot;
        self.slots[slot].push((at, key));
    }

    fn pop(&mut self, slot: usize) -> Option<K> {
        let keys = &mut self.slots[slot];
        let key = keys.pop();
        if keys.is_empty() {
            self.used &= !(1 << slot);
            keys.shrink_to(KEEP);
        }
        key.map(|(_, key)| key)
    }

    fn take(&mut self, slot: usize) -> Slot<K> {
        self.used &= !(1 << slot);
        mem::take(&mut self.slots[slot])
    }

    fn first(&self) -> Option<usize> {
        (self.used != 0).then(|| self.used.trailing_zeros() as usize)
    }
}

fn narrow(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Bits in a digit.
const DIGIT: usize = 6;

/// Slots in a level, one for each value of a digit.
const SLOTS: usize = 1 << DIGIT;

/// The lowest digit of a tick.
const MASK: u64 = SLOTS as u64 - 1;

/// The keys that an empty slot keeps room for.
const KEEP: usize = 16;

/// Where a time beyond what the clock can say is looked for: in a hundred years.
const FAR: Duration = Duration::from_secs(100 * 365 * 86_400);

const NANOS_PER_SECOND: u128 = 1_000_000_000;
