//! Changes that are to be told, in their order.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use ahash::RandomState;
use hashbrown::HashMap;

use crate::layers::name::UserId;
use crate::layers::presence::state::Change;

/// Changes that are to be told: in their order for each user, by one at a time.
///
/// Whoever finds nobody telling them does so until none is left; all others leave theirs here and
/// go. What changes again before it was told is told once, so that there is at most one change for
/// each user, and what came to nothing is not told at all.
#[derive(Debug, Default)]
pub(super) struct News {
    order: VecDeque<UserId>,
    /// Invariant: of the users in `order`, each once.
    changes: HashMap<UserId, Change, RandomState>,
    /// Whether somebody is telling them.
    is_told: bool,
}

impl News {
    pub(super) fn push(&mut self, change: Change) {
        if let Some(waiting) = self.changes.get_mut(&change.user) {
            waiting.now = change.now;
            return;
        }
        self.order.push_back(change.user.clone());
        self.changes.insert(change.user.clone(), change);
    }

    /// Whether the one who asks is to tell them, with [`News::pop`], until there is none.
    pub(super) fn begin(&mut self) -> bool {
        let is_mine = !self.is_told && !self.order.is_empty();
        self.is_told |= is_mine;
        is_mine
    }

    /// The next change to tell; with `None`, whoever told them is done.
    pub(super) fn pop(&mut self) -> Option<Change> {
        while let Some(user) = self.order.pop_front() {
            let change = self.changes.remove(&user);
            let change = change.filter(|change| !change.before.is_like(&change.now));
            if change.is_some() {
                return change;
            }
        }
        self.is_told = false;
        None
    }
}
