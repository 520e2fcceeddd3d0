//! When those who have left had sent last: whoever comes back waits no less than whoever stays.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::layers::name::UserId;

/// When users had sent last, those of the longest ago first to be forgotten.
#[derive(Debug, Default)]
pub(super) struct Recent {
    by_user: BTreeMap<UserId, u64>,
    by_time: BTreeSet<(u64, UserId)>,
}

impl Recent {
    /// Notes when a user had sent last. Forgets what was up to `over`, and then the oldest, until
    /// there are at most `most`.
    pub(super) fn put(&mut self, user: &UserId, sent: u64, over: u64, most: usize) {
        self.take(user);
        self.by_user.insert(user.clone(), sent);
        self.by_time.insert((sent, user.clone()));
        while let Some((oldest, _)) = self.by_time.first()
            && (*oldest <= over || self.by_user.len() > most)
            && let Some((_, user)) = self.by_time.pop_first()
        {
            self.by_user.remove(&user);
        }
    }

    /// When a user had sent last, if that is still known; it is not any more after this.
    pub(super) fn take(&mut self, user: &UserId) -> Option<u64> {
        let sent = self.by_user.remove(user)?;
        self.by_time.remove(&(sent, user.clone()));
        Some(sent)
    }

    /// When which users had sent last.
    pub(super) fn all(&self) -> &BTreeMap<UserId, u64> {
        &self.by_user
    }

    /// What was noted so.
    pub(super) fn of(by_user: BTreeMap<UserId, u64>) -> Self {
        let by_time = by_user.iter().map(|(user, sent)| (*sent, user.clone()));
        Self {
            by_time: by_time.collect(),
            by_user,
        }
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
