//! A map that most often has one entry or none.

#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::iter;
use std::mem;
use std::ops::Bound;

/// A map in the order of its keys.
///
/// # Memory
///
/// 24 bytes; nothing else while it is empty, and up to eight entries the bytes of its entries in
/// one block. A B-tree or a hash table takes several hundred bytes for the first entry.
#[derive(Debug)]
pub(super) enum SmallMap<K, V> {
    /// Sorted by key.
    Few(Vec<(K, V)>),
    #[expect(clippy::box_collection, reason = "a box fits where the vector is")]
    Many(Box<BTreeMap<K, V>>),
}

/// The most entries that are kept in a vector. A map that has become larger returns to a vector at
/// half of that, so that one entry that comes and goes does not move all others each time.
const FEW: usize = 8;

impl<K: Ord, V> SmallMap<K, V> {
    pub(super) const fn new() -> Self {
        Self::Few(Vec::new())
    }

    /// Sets the value of a key; returns the value that it had.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Self::Few(few) => match few.binary_search_by(|(held, _)| held.cmp(&key)) {
                Ok(at) => Some(mem::replace(&mut few[at].1, value)),
                Err(at) if few.len() < FEW => {
                    few.reserve_exact(1);
                    few.insert(at, (key, value));
                    None
                }
                Err(_) => {
                    let all = mem::take(few).into_iter();
                    let all = all.chain(iter::once((key, value)));
                    *self = Self::Many(Box::new(all.collect()));
                    None
                }
            },
            Self::Many(many) => many.insert(key, value),
        }
    }

    /// Removes a key; returns the value that it had.
    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Few(few) => {
                let at = place(few, key).ok()?;
                let (_, value) = few.remove(at);
                few.shrink_to_fit();
                Some(value)
            }
            Self::Many(many) => {
                let value = many.remove(key)?;
                if many.len() <= FEW / 2 {
                    *self = Self::Few(mem::take(&mut **many).into_iter().collect());
                }
                Some(value)
            }
        }
    }

    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Few(few) => place(few, key).ok().map(|at| &mut few[at].1),
            Self::Many(many) => many.get_mut(key),
        }
    }

    /// Returns the key that is held, if it is.
    pub(super) fn key<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&K>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Few(few) => place(few, key).ok().map(|at| &few[at].0),
            Self::Many(many) => many.get_key_value(key).map(|(key, _)| key),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.after(None).map(|(key, _)| key)
    }

    /// Returns the entries after this key, or all, in the order of the keys.
    pub(super) fn after<'a>(
        &'a self,
        key: Option<&K>,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
        let (few, many) = match self {
            Self::Few(few) => (&few[..], None),
            Self::Many(many) => (&[][..], Some(many)),
        };
        let first = key.map_or(0, |key| few.partition_point(|(held, _)| held <= key));
        let few = few[first..].iter().map(|(key, value)| (key, value));
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let many = many.map(|many| many.range((from, Bound::Unbounded)));
        few.chain(many.into_iter().flatten())
    }
}

fn place<K: Borrow<Q>, V, Q: Ord + ?Sized>(few: &[(K, V)], key: &Q) -> Result<usize, usize> {
    few.binary_search_by(|(held, _)| held.borrow().cmp(key))
}
