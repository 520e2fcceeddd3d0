//! A timer wheel: what is to happen later, told the time.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

/// Keys, each with the time at which it is due. Pure: it is told the time.
///
/// A key may be in it several times; who wants to cancel ignores what comes out. Times are kept
/// to within a *tick*: never early, at most one tick late.
#[derive(Debug)]
pub(crate) struct Wheel<K> {
    start: Instant,
    tick: Duration,
    slots: BTreeMap<u64, Vec<K>>,
}

impl<K> Wheel<K> {
    /// An empty wheel that begins at `start` and is as exact as `tick`.
    pub(crate) fn new(start: Instant, tick: Duration) -> Self {
        Self {
            start,
            tick,
            slots: BTreeMap::new(),
        }
    }

    /// Has `key` come out once `due` is there.
    pub(crate) fn insert(&mut self, due: Instant, key: K) {
        let slot = self.tick_of(due).saturating_add(1);
        self.slots.entry(slot).or_default().push(key);
    }

    /// Takes out one key that is due at `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<K> {
        let present = self.tick_of(now);
        let mut first = self.slots.first_entry()?;
        if *first.key() > present {
            return None;
        }
        let key = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        key
    }

    /// When to look again: no later than the first key is due, give or take a tick.
    pub(crate) fn next(&self) -> Option<Instant> {
        let (slot, _) = self.slots.first_key_value()?;
        let slot = u32::try_from(*slot).unwrap_or(u32::MAX);
        Some(self.start + self.tick * slot)
    }

    /// How many keys are in it.
    pub(crate) fn len(&self) -> usize {
        self.slots.values().map(Vec::len).sum()
    }

    fn tick_of(&self, time: Instant) -> u64 {
        let elapsed = time.saturating_duration_since(self.start);
        u64::try_from(elapsed.as_nanos() / self.tick.as_nanos()).unwrap_or(u64::MAX)
    }
}
