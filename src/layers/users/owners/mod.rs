//! Whose connections there are, and which channels they take up. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use ahash::HashMap;
use ahash::HashSet;

use crate::id::ClientId;
use crate::layers::name::UserId;

/// Who has connections: a user, or a connection that is nobody's by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Owner {
    User(UserId),
    Nobody(ClientId),
}

/// Some owners, each with its connections; with each connection a handle to act on it.
///
/// # Memory
///
/// Nothing is kept of an owner without connections.
#[derive(Debug)]
pub(super) struct Owners<T> {
    records: BTreeMap<Owner, Record<T>>,
}

#[derive(Debug)]
struct Record<T> {
    /// Connections that are about to enter: they count, but are not there yet.
    reserved: usize,
    connections: BTreeMap<ClientId, Held<T>>,
    /// How many of the connections are in each channel; never none.
    channels: HashMap<Arc<str>, usize>,
}

#[derive(Debug)]
struct Held<T> {
    handle: T,
    channels: HashSet<Arc<str>>,
}

/// Why a channel cannot be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Unknown,
}

impl<T> Owners<T> {
    pub(super) fn new() -> Self {
        Self {
            records: BTreeMap::new(),
        }
    }

    /// Keeps a place for one more connection, unless there are `max`; says whether it did.
    pub(super) fn reserve(&mut self, owner: &Owner, max: Option<usize>) -> bool {
        let record = self.records.get(owner);
        let taken = record.map_or(0, |record| record.reserved + record.connections.len());
        if max.is_some_and(|max| taken >= max) {
            return false;
        }
        self.record(owner).reserved += 1;
        true
    }

    /// Gives a place up that was reserved.
    pub(super) fn cancel(&mut self, owner: &Owner) {
        let record = self.record(owner);
        record.reserved = record.reserved.saturating_sub(1);
        self.forget_if_empty(owner);
    }

    /// A connection takes the place that was reserved for it; says whether it is the only one.
    pub(super) fn enter(&mut self, owner: &Owner, id: ClientId, handle: T) -> bool {
        let record = self.record(owner);
        record.reserved = record.reserved.saturating_sub(1);
        let is_first = record.connections.is_empty();
        let channels = HashSet::default();
        record.connections.insert(id, Held { handle, channels });
        is_first
    }

    /// A connection goes, and with it what it took up; says whether it was the last, if it was
    /// there.
    pub(super) fn leave(&mut self, owner: &Owner, id: ClientId) -> Option<bool> {
        let record = self.records.get_mut(owner)?;
        let held = record.connections.remove(&id)?;
        for name in &held.channels {
            record.uncount(name);
        }
        let is_last = record.connections.is_empty();
        self.forget_if_empty(owner);
        Some(is_last)
    }

    /// A connection takes up a channel, unless its owner takes up `max` others. Doing so again
    /// changes nothing.
    pub(super) fn hold(
        &mut self,
        owner: &Owner,
        id: ClientId,
        name: &str,
        max: usize,
    ) -> Result<(), Refused> {
        let record = self.records.get_mut(owner).ok_or(Refused::Unknown)?;
        let held = record.connections.get_mut(&id).ok_or(Refused::Unknown)?;
        if held.channels.contains(name) {
            return Ok(());
        }
        let shared = record.channels.get_key_value(name);
        let name = match shared {
            Some((name, _)) => Arc::clone(name),
            None if record.channels.len() >= max => return Err(Refused::Full),
            None => Arc::from(name),
        };
        held.channels.insert(Arc::clone(&name));
        *record.channels.entry(name).or_insert(0) += 1;
        Ok(())
    }

    /// A connection gives a channel up; says whether it had it.
    pub(super) fn release(&mut self, owner: &Owner, id: ClientId, name: &str) -> bool {
        let Some(record) = self.records.get_mut(owner) else {
            return false;
        };
        let held = record.connections.get_mut(&id);
        let had = held.is_some_and(|held| held.channels.remove(name));
        if had {
            record.uncount(name);
        }
        had
    }

    /// The handles of the owner's connections, oldest first.
    pub(super) fn handles(&self, owner: &Owner) -> impl Iterator<Item = &T> {
        let record = self.records.get(owner).into_iter();
        record.flat_map(|record| record.connections.values().map(|held| &held.handle))
    }

    /// [`Self::handles`] of those that came after one.
    pub(super) fn handles_after(
        &self,
        owner: &Owner,
        after: Option<ClientId>,
    ) -> impl Iterator<Item = &T> {
        let record = self.records.get(owner).into_iter();
        let range = (
            after.map_or(Bound::Unbounded, Bound::Excluded),
            Bound::Unbounded,
        );
        record.flat_map(move |record| {
            record
                .connections
                .range(range)
                .map(|(_, held)| &held.handle)
        })
    }

    /// How many connections the owner has.
    pub(super) fn count(&self, owner: &Owner) -> usize {
        let record = self.records.get(owner);
        record.map_or(0, |record| record.connections.len())
    }

    /// How many channels the owner takes up.
    pub(super) fn channels(&self, owner: &Owner) -> usize {
        let record = self.records.get(owner);
        record.map_or(0, |record| record.channels.len())
    }

    /// The users that have connections, in the order of their ids, with how many.
    pub(super) fn users(&self, after: Option<&UserId>) -> impl Iterator<Item = (&UserId, usize)> {
        let after = after.map(|user| Owner::User(user.clone()));
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.records.range((from, Bound::Unbounded));
        let users = range.map_while(|(owner, record)| match owner {
            Owner::User(user) => Some((user, record.connections.len())),
            Owner::Nobody(_) => None,
        });
        users.filter(|(_, connections)| *connections > 0)
    }

    fn record(&mut self, owner: &Owner) -> &mut Record<T> {
        if !self.records.contains_key(owner) {
            self.records.insert(owner.clone(), Record::new());
        }
        let Some(record) = self.records.get_mut(owner) else {
            unreachable!("it is there or was put there");
        };
        record
    }

    fn forget_if_empty(&mut self, owner: &Owner) {
        let is_empty = |record: &Record<T>| record.reserved == 0 && record.connections.is_empty();
        if self.records.get(owner).is_some_and(is_empty) {
            self.records.remove(owner);
        }
    }
}

impl<T> Record<T> {
    fn new() -> Self {
        Self {
            reserved: 0,
            connections: BTreeMap::new(),
            channels: HashMap::default(),
        }
    }

    fn uncount(&mut self, name: &str) {
        if let Some(count) = self.channels.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                self.channels.remove(name);
            }
        }
    }
}
