//! A hash table that is read through a little at a time.
//!
//! Entries lie in slots that do not move, so a scan may let go of the lock between one
//! [chunk](Table::chunk) and the next: it sees each entry that is there all the time, once. One
//! that comes or goes meanwhile it sees or not.

use std::borrow::Borrow;
use std::hash::Hash;

use ahash::RandomState;
use hashbrown::HashTable;

/// A hash table with stable places.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    places: HashTable<u32>,
    slots: Vec<Option<(K, V)>>,
    /// Slots that are empty.
    free: Vec<u32>,
    hasher: RandomState,
}

/// The most slots that are read while a lock is held.
pub(super) const CHUNK: usize = 256;

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            places: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            hasher: RandomState::new(),
        }
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self
            .places
            .find(self.hasher.hash_one(key), is(&self.slots, key))?;
        let (_, value) = self.slots.get(*place as usize)?.as_ref()?;
        Some(value)
    }

    /// Enters what is not there yet.
    pub(super) fn insert(&mut self, key: K, value: V) {
        debug_assert!(self.get(&key).is_none(), "the key is there already");
        let hash = self.hasher.hash_one(&key);
        let entry = Some((key, value));
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = entry;
                place
            }
            None => {
                self.slots.push(entry);
                #[expect(clippy::cast_possible_truncation, reason = "a table has fewer entries")]
                let place = (self.slots.len() - 1) as u32;
                place
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        let hash_of = |place: &u32| {
            let entry = slots.get(*place as usize).and_then(Option::as_ref);
            entry.map_or(0, |(key, _)| hasher.hash_one(key))
        };
        self.places.insert_unique(hash, place, hash_of);
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let is = is(&self.slots, key);
        let (place, _) = self.places.find_entry(hash, is).ok()?.remove();
        let (_, value) = self.slots.get_mut(place as usize)?.take()?;
        self.free.push(place);
        if self.places.is_empty() {
            self.slots = Vec::new();
            self.free = Vec::new();
            self.places = HashTable::new();
        }
        Some(value)
    }

    /// What is in the slots from `from` on, [`CHUNK`] of them at most, and where to go on.
    pub(super) fn chunk(&self, from: usize) -> (impl Iterator<Item = &V>, Option<usize>) {
        let end = self.slots.len().min(from.saturating_add(CHUNK));
        let some = self.slots.get(from..end).unwrap_or_default();
        let values = some.iter().flatten().map(|(_, value)| value);
        (values, (end < self.slots.len()).then_some(end))
    }
}

/// Whether the entry in a slot has this key.
fn is<K: Borrow<Q>, V, Q: Eq + ?Sized>(slots: &[Option<(K, V)>], key: &Q) -> impl Fn(&u32) -> bool {
    move |place| {
        let entry = slots.get(*place as usize).and_then(Option::as_ref);
        entry.is_some_and(|(it, _)| it.borrow() == key)
    }
}

#[cfg(all(test, not(throng_loom)))]
mod tests {
    use std::collections::HashSet;

    use super::CHUNK;
    use super::Table;

    /// Of a scan with a change after each chunk: all that stay are seen once, and a chunk is
    /// bounded.
    #[test]
    fn a_scan_in_chunks_sees_what_stays_once() {
        let mut table = Table::default();
        for key in 0_u32..10_000 {
            table.insert(key, key);
        }
        let mut seen = HashSet::new();
        let (mut from, mut step) = (Some(0), 0);
        while let Some(at) = from {
            let (some, next) = table.chunk(at);
            let some: Vec<_> = some.copied().collect();
            assert!(some.len() <= CHUNK);
            for key in some {
                assert!(seen.insert(key), "{key} was seen twice");
            }
            from = next;
            // Between two chunks whoever needs the lock has it.
            assert_eq!(table.remove(&(3 * step)), Some(3 * step));
            table.insert(100_000 + step, 100_000 + step);
            step += 1;
        }
        assert!(step >= 39, "{step} chunks");
        for key in (0..10_000).filter(|key| key % 3 != 0 || *key >= 3 * step) {
            assert!(seen.contains(&key), "{key} was passed over");
        }
    }

    #[test]
    fn what_is_entered_is_found_until_it_is_removed() {
        let mut table = Table::default();
        for round in 0_u64..3 {
            for key in 0_u64..1_000 {
                assert_eq!(table.get(&key), None);
                table.insert(key, key + round);
            }
            for key in 0..1_000 {
                assert_eq!(table.get(&key), Some(&(key + round)));
                assert_eq!(table.remove(&key), Some(key + round));
                assert_eq!(table.remove(&key), None);
            }
            assert_eq!(table.chunk(0).0.count(), 0);
        }
    }
}
