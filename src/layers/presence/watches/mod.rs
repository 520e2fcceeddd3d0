//! Who watches whom, and through which connections. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Bound;

use ahash::RandomState;
use hashbrown::HashMap;

use crate::id::ClientId;
use crate::layers::name::UserId;

/// Who watches whom, and through which connections.
///
/// # Memory
///
/// About 100 bytes for each pair of users, and 8 for each connection of the one that watches; a
/// user watches a bounded number of others, and is watched by any number.
#[derive(Debug, Default)]
pub(super) struct Watches {
    watching: HashMap<UserId, BTreeMap<UserId, BTreeSet<ClientId>>, RandomState>,
    /// Invariant: the same pairs, the other way round.
    watchers: HashMap<UserId, BTreeSet<UserId>, RandomState>,
}

/// The user watches as many others as it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Watches {
    /// Has `watcher` watch `user` through a connection of its own, unless that would be one user
    /// too many. Says whether it is new.
    pub(super) fn add(
        &mut self,
        watcher: &UserId,
        through: ClientId,
        user: &UserId,
        limit: usize,
    ) -> Result<bool, TooMany> {
        let watched = self.watching.get(watcher);
        let count = watched.map_or(0, BTreeMap::len);
        if count >= limit && watched.is_none_or(|watched| !watched.contains_key(user)) {
            return Err(TooMany);
        }
        let watched = self.watching.entry(watcher.clone()).or_default();
        let is_new = watched.entry(user.clone()).or_default().insert(through);
        let watchers = self.watchers.entry(user.clone()).or_default();
        watchers.insert(watcher.clone());
        Ok(is_new)
    }

    /// Has `watcher` watch `user` through this connection no longer; says whether it did.
    pub(super) fn remove(&mut self, watcher: &UserId, through: ClientId, user: &UserId) -> bool {
        let Some(watched) = self.watching.get_mut(watcher) else {
            return false;
        };
        let Some(connections) = watched.get_mut(user) else {
            return false;
        };
        let did = connections.remove(&through);
        if connections.is_empty() {
            watched.remove(user);
            if watched.is_empty() {
                self.watching.remove(watcher);
            }
            self.unlink(watcher, user);
        }
        did
    }

    /// A connection has gone; says whom it has watched.
    pub(super) fn remove_connection(
        &mut self,
        watcher: &UserId,
        connection: ClientId,
    ) -> Vec<UserId> {
        let mut through = self.watching(watcher);
        through.retain(|user| self.remove(watcher, connection, user));
        through
    }

    /// Whether `watcher` watches `user` through this connection.
    pub(super) fn has(&self, watcher: &UserId, through: ClientId, user: &UserId) -> bool {
        let watched = self.watching.get(watcher);
        let connections = watched.and_then(|watched| watched.get(user));
        connections.is_some_and(|connections| connections.contains(&through))
    }

    /// Whom this user watches, in the order of their names.
    pub(super) fn watching(&self, watcher: &UserId) -> Vec<UserId> {
        let watched = self.watching.get(watcher);
        watched.map_or_else(Vec::new, |watched| watched.keys().cloned().collect())
    }

    /// Who watches this user, in the order of their names: at most `most`, from after `after` on.
    pub(super) fn watchers(
        &self,
        user: &UserId,
        after: Option<&UserId>,
        most: usize,
    ) -> Vec<UserId> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let watchers = self.watchers.get(user).into_iter();
        let rest = watchers.flat_map(|users| users.range::<UserId, _>((after, Bound::Unbounded)));
        rest.take(most).cloned().collect()
    }

    /// Every watch that the user is part of: who watches, through which connections, and whom.
    pub(super) fn around(&self, user: &UserId) -> Vec<(UserId, ClientId, UserId)> {
        let watched = self.watching.get(user).into_iter().flatten();
        let own = watched.map(|(other, through)| (user, through, other));
        let watchers = self.watchers.get(user).into_iter().flatten();
        let others = watchers.filter(|watcher| *watcher != user);
        let others = others.filter_map(|watcher| {
            let through = self.watching.get(watcher)?.get(user)?;
            Some((watcher, through, user))
        });
        let all = own.chain(others).flat_map(|(watcher, through, user)| {
            let each = through.iter();
            each.map(|through| (watcher.clone(), *through, user.clone()))
        });
        all.collect()
    }

    fn unlink(&mut self, watcher: &UserId, user: &UserId) {
        if let Some(watchers) = self.watchers.get_mut(user) {
            watchers.remove(watcher);
            if watchers.is_empty() {
                self.watchers.remove(user);
            }
        }
    }
}
