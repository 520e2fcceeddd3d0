//! The table itself, without a lock or a file.

use std::collections::BTreeSet;
use std::collections::HashMap;

use serde::Deserialize;
use serde::Serialize;

use crate::layers::UserId;

use super::FOREVER;
use super::Revoked;

/// An entry, as it is in the file. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Token {
        id: Box<str>,
        until: u64,
    },
    User {
        user: UserId,
        before: u64,
        until: u64,
    },
}

#[derive(Default)]
pub(super) struct Table {
    tokens: HashMap<Box<str>, u64>,
    /// The time before which tokens were issued, and the end of the entry.
    users: HashMap<UserId, (u64, u64)>,
    /// The ends of all entries that have one.
    ends: BTreeSet<(u64, Key)>,
}

#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
enum Key {
    Token(Box<str>),
    User(UserId),
}

impl Entry {
    pub(super) fn of(revoked: &Revoked, until: u64) -> Self {
        match revoked {
            Revoked::Token(id) => Self::Token {
                id: id.clone(),
                until,
            },
            Revoked::User {
                user,
                issued_before,
            } => Self::User {
                user: user.clone(),
                before: issued_before.millis(),
                until,
            },
        }
    }
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.tokens.len() + self.users.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.users.is_empty()
    }

    pub(super) fn has_token(&self, id: &str) -> bool {
        self.tokens.contains_key(id)
    }

    /// Returns the time before which tokens of this user were issued that are revoked.
    pub(super) fn issued_before(&self, user: &UserId) -> Option<u64> {
        self.users.get(user).map(|(before, _)| *before)
    }

    /// Returns whether the table has an entry of this key, which an insertion replaces.
    pub(super) fn has(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Token { id, .. } => self.tokens.contains_key(id),
            Entry::User { user, .. } => self.users.contains_key(user),
        }
    }

    /// Inserts an entry. Of one that is there already the later times count.
    pub(super) fn insert(&mut self, entry: Entry) {
        let (key, old, new) = match entry {
            Entry::Token { id, until } => {
                let old = self.tokens.get(&id).copied();
                let new = until.max(old.unwrap_or(0));
                self.tokens.insert(id.clone(), new);
                (Key::Token(id), old, new)
            }
            Entry::User {
                user,
                before,
                until,
            } => {
                let old = self.users.get(&user).copied();
                let (old_before, old_until) = old.unwrap_or((0, 0));
                let new = until.max(old_until);
                self.users
                    .insert(user.clone(), (before.max(old_before), new));
                (Key::User(user), old.map(|(_, until)| until), new)
            }
        };
        if let Some(old) = old {
            self.ends.remove(&(old, key.clone()));
        }
        if new != FOREVER {
            self.ends.insert((new, key));
        }
    }

    /// Removes the entries of tokens that have expired.
    pub(super) fn remove_ended(&mut self, now: u64) {
        while self.ends.first().is_some_and(|(end, _)| *end <= now) {
            let Some((_, key)) = self.ends.pop_first() else {
                break;
            };
            match key {
                Key::Token(id) => drop(self.tokens.remove(&id)),
                Key::User(user) => drop(self.users.remove(&user)),
            }
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let tokens = self.tokens.iter().map(|(id, until)| Entry::Token {
            id: id.clone(),
            until: *until,
        });
        let users = self
            .users
            .iter()
            .map(|(user, (before, until))| Entry::User {
                user: user.clone(),
                before: *before,
                until: *until,
            });
        tokens.chain(users)
    }
}
