//! The connections of each user, and the channels that they take up. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::users::small::SmallMap;

/// Some users, each with its connections and the channels that those take up; with each connection
/// a handle to act on it.
///
/// # Memory
///
/// Nothing is kept of a user without connections. A user with one takes some 200 bytes; a channel
/// takes 16 bytes for each connection that is in it, 24 more for the user, and its name once.
#[derive(Debug)]
pub(super) struct Owners<T> {
    /// Boxed, because the nodes of the tree are up to half empty.
    users: BTreeMap<UserId, Box<Record<T>>>,
}

#[derive(Debug)]
struct Record<T> {
    /// Connections that are about to enter: they count, but are not there yet.
    reserved: usize,
    connections: SmallMap<ClientId, Held<T>>,
    /// How many of the connections are in each channel; never none.
    channels: SmallMap<Arc<str>, usize>,
}

#[derive(Debug)]
struct Held<T> {
    handle: T,
    channels: Names,
}

/// The names of the channels that a connection takes up.
#[derive(Debug)]
pub(super) struct Names(SmallMap<Arc<str>, ()>);

/// Why a channel cannot be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Unknown,
}

impl<T> Owners<T> {
    pub(super) fn new() -> Self {
        Self {
            users: BTreeMap::new(),
        }
    }

    /// Keeps a place for one more connection, unless there are `max`; says whether it did.
    pub(super) fn reserve(&mut self, user: &UserId, max: Option<usize>) -> bool {
        let record = self.users.get(user);
        let taken = record.map_or(0, |record| record.reserved + record.connections.len());
        if max.is_some_and(|max| taken >= max) {
            return false;
        }
        self.record(user).reserved += 1;
        true
    }

    /// Gives a place up that was reserved.
    pub(super) fn cancel(&mut self, user: &UserId) {
        let record = self.record(user);
        record.reserved = record.reserved.saturating_sub(1);
        self.forget_if_empty(user);
    }

    /// A connection takes the place that was reserved for it; says whether it is the only one of
    /// its user.
    pub(super) fn enter(&mut self, user: &UserId, id: ClientId, handle: T) -> bool {
        let channels = Names::new();
        let record = self.record(user);
        record.reserved = record.reserved.saturating_sub(1);
        let is_first = record.connections.is_empty();
        record.connections.insert(id, Held { handle, channels });
        is_first
    }

    /// A connection goes, and with it what it took up; says whether it was the last of its user,
    /// if it was there.
    pub(super) fn leave(&mut self, user: &UserId, id: ClientId) -> Option<bool> {
        let record = self.users.get_mut(user)?;
        let held = record.connections.remove(&id)?;
        for name in held.channels.0.keys() {
            record.uncount(name);
        }
        let is_last = record.connections.is_empty();
        self.forget_if_empty(user);
        Some(is_last)
    }

    /// A connection takes up a channel, unless its user takes up `max` others. Doing so again
    /// changes nothing.
    pub(super) fn hold(
        &mut self,
        user: &UserId,
        id: ClientId,
        name: &str,
        max: usize,
    ) -> Result<(), Refused> {
        let record = self.users.get_mut(user).ok_or(Refused::Unknown)?;
        let held = record.connections.get_mut(&id).ok_or(Refused::Unknown)?;
        let Names(own) = &mut held.channels;
        if own.key(name).is_some() {
            return Ok(());
        }
        if let Some(shared) = record.channels.key(name) {
            own.insert(Arc::clone(shared), ());
            record.count(name);
        } else {
            check_room(record.channels.len(), max)?;
            let name: Arc<str> = Arc::from(name);
            own.insert(Arc::clone(&name), ());
            record.channels.insert(name, 1);
        }
        Ok(())
    }

    /// A connection gives a channel up; says whether it had it.
    pub(super) fn release(&mut self, user: &UserId, id: ClientId, name: &str) -> bool {
        let Some(record) = self.users.get_mut(user) else {
            return false;
        };
        let held = record.connections.get_mut(&id);
        let had = held.is_some_and(|held| held.channels.release(name));
        if had {
            record.uncount(name);
        }
        had
    }

    /// The handles of the user's connections, oldest first.
    pub(super) fn handles(&self, user: &UserId) -> impl Iterator<Item = &T> {
        self.handles_after(user, None)
    }

    /// [`Self::handles`] of those that came after one.
    pub(super) fn handles_after(
        &self,
        user: &UserId,
        after: Option<ClientId>,
    ) -> impl Iterator<Item = &T> {
        let record = self.users.get(user).into_iter();
        record.flat_map(move |record| {
            let connections = record.connections.after(after.as_ref());
            connections.map(|(_, held)| &held.handle)
        })
    }

    /// How many connections the user has.
    pub(super) fn count(&self, user: &UserId) -> usize {
        let record = self.users.get(user);
        record.map_or(0, |record| record.connections.len())
    }

    /// How many channels the user takes up.
    pub(super) fn channels(&self, user: &UserId) -> usize {
        let record = self.users.get(user);
        record.map_or(0, |record| record.channels.len())
    }

    /// The users that have connections, in the order of their ids, with how many.
    pub(super) fn users(&self, after: Option<&UserId>) -> impl Iterator<Item = (&UserId, usize)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let users = self.users.range::<UserId, _>((from, Bound::Unbounded));
        let users = users.map(|(user, record)| (user, record.connections.len()));
        users.filter(|(_, connections)| *connections > 0)
    }

    fn record(&mut self, user: &UserId) -> &mut Record<T> {
        if !self.users.contains_key(user) {
            self.users.insert(user.clone(), Box::new(Record::new()));
        }
        let Some(record) = self.users.get_mut(user) else {
            unreachable!("it is there or was put there");
        };
        record
    }

    fn forget_if_empty(&mut self, user: &UserId) {
        let is_empty = |record: &Record<T>| record.reserved == 0 && record.connections.is_empty();
        if self.users.get(user).is_some_and(|record| is_empty(record)) {
            self.users.remove(user);
        }
    }
}

impl Names {
    pub(super) const fn new() -> Self {
        Self(SmallMap::new())
    }

    /// An anonymous connection takes up a channel, unless it takes up `max` others. Doing so again
    /// changes nothing.
    pub(super) fn hold(&mut self, name: &str, max: usize) -> Result<(), Refused> {
        if self.0.key(name).is_none() {
            check_room(self.0.len(), max)?;
            self.0.insert(Arc::from(name), ());
        }
        Ok(())
    }

    /// A connection gives a channel up; returns whether it had it.
    pub(super) fn release(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }
}

fn check_room(held: usize, max: usize) -> Result<(), Refused> {
    if held >= max {
        return Err(Refused::Full);
    }
    Ok(())
}

impl<T> Record<T> {
    fn new() -> Self {
        Self {
            reserved: 0,
            connections: SmallMap::new(),
            channels: SmallMap::new(),
        }
    }

    fn count(&mut self, name: &str) {
        if let Some(count) = self.channels.get_mut(name) {
            *count += 1;
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
