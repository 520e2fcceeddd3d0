//! A table of states by key, whose size never changes.
//!
//! A key belongs to one set, which has room for eight. When more than eight keys that are in use
//! meet in a set, the one that is unused soonest, which is the one that has used least, loses its
//! state: that is counted. So a flood of keys can loosen a limit for keys that have used little of
//! it; it tightens it for none, and takes no memory.
//!
//! Keys are 64-bit hashes that no client can compute. Two keys with the same hash would share
//! a state: with a million keys in use that happens to one pair in 37 million tables.

use std::num::NonZeroU64;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::Rate;

/// States by key.
#[derive(Debug)]
pub(super) struct Table {
    sets: Box<[Mutex<Set>]>,
    evicted: AtomicU64,
}

type Set = [Slot; WAYS];

/// The state of one key. Empty if the key is 0.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u64,
    state: u64,
}

const WAYS: usize = 8;

impl Table {
    pub(super) fn new(keys: NonZeroUsize) -> Self {
        let sets = keys.get().div_ceil(WAYS);
        Self {
            sets: (0..sets).map(|_| Mutex::default()).collect(),
            evicted: AtomicU64::new(0),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    pub(super) fn evicted(&self) -> u64 {
        // Relaxed: a figure for people.
        self.evicted.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self, key: NonZeroU64, rate: &Rate, now: u64) -> Result<(), u64> {
        let mut set = self.set(key).lock();
        if let Some(slot) = find(&mut set, key) {
            slot.state = rate.take(slot.state, now)?;
            return Ok(());
        }
        let state = rate.take(0, now)?;
        let busy_for = |slot: &Slot| rate.busy_for(slot.state, now);
        let Some(slot) = set.iter_mut().min_by_key(|slot| busy_for(slot)) else {
            return Ok(());
        };
        if busy_for(slot) > 0 {
            // Relaxed: a figure for people.
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
        *slot = Slot {
            key: key.get(),
            state,
        };
        Ok(())
    }

    pub(super) fn give_back(&self, key: NonZeroU64, rate: &Rate, now: u64) {
        let mut set = self.set(key).lock();
        if let Some(slot) = find(&mut set, key) {
            slot.state = rate.give_back(slot.state, now);
        }
    }

    pub(super) fn state(&self, key: NonZeroU64) -> u64 {
        let mut set = self.set(key).lock();
        find(&mut set, key).map_or(0, |slot| slot.state)
    }

    /// Removes a key; returns its state.
    pub(super) fn remove(&self, key: NonZeroU64) -> u64 {
        let mut set = self.set(key).lock();
        find(&mut set, key).map_or(0, |slot| std::mem::take(slot).state)
    }

    fn set(&self, key: NonZeroU64) -> &Mutex<Set> {
        // The high bits, evenly over any number of sets.
        let wide = u128::from(key.get()) * self.sets.len() as u128;
        let index = usize::try_from(wide >> u64::BITS).unwrap_or(0);
        &self.sets[index]
    }
}

fn find(set: &mut Set, key: NonZeroU64) -> Option<&mut Slot> {
    set.iter_mut().find(|slot| slot.key == key.get())
}
