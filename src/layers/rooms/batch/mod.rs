//! Who has come and gone and changed in a room, gathered to be told together.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::layers::name::UserId;
use crate::layers::rooms::role::Role;

/// What is still to be told, the latest state of each user.
#[derive(Debug, Default)]
pub(super) struct Batch {
    joined: BTreeMap<UserId, Role>,
    left: BTreeMap<UserId, &'static str>,
    presence: BTreeMap<UserId, Box<RawValue>>,
    /// Whether somebody is going to come for it.
    pub(super) is_awaited: bool,
}

/// The payload of `room.members`: what has happened to members since the last one.
#[derive(Debug, Default, Serialize)]
pub(super) struct MembersEvent {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    joined: Vec<JoinedEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: Vec<LeftEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    presence: Vec<Box<RawValue>>,
    /// How many members there are now.
    members: usize,
}

#[derive(Debug, Serialize)]
struct JoinedEntry {
    user_id: UserId,
    role: Role,
}

#[derive(Debug, Serialize)]
struct LeftEntry {
    user_id: UserId,
    reason: &'static str,
}

impl Batch {
    pub(super) fn joined(&mut self, user: &UserId, role: Role) {
        self.left.remove(user);
        self.joined.insert(user.clone(), role);
    }

    pub(super) fn left(&mut self, user: &UserId, reason: &'static str) {
        self.joined.remove(user);
        self.presence.remove(user);
        self.left.insert(user.clone(), reason);
    }

    pub(super) fn presence(&mut self, user: &UserId, entry: Box<RawValue>) {
        self.presence.insert(user.clone(), entry);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty() && self.presence.is_empty()
    }

    /// The next event of what is to be told: at most `most` entries.
    pub(super) fn take(&mut self, most: usize, members: usize) -> Option<MembersEvent> {
        if self.is_empty() {
            return None;
        }
        let mut event = MembersEvent {
            members,
            ..MembersEvent::default()
        };
        let mut room = most;
        while room > 0 {
            if let Some((user_id, reason)) = self.left.pop_first() {
                event.left.push(LeftEntry { user_id, reason });
            } else if let Some((user_id, role)) = self.joined.pop_first() {
                event.joined.push(JoinedEntry { user_id, role });
            } else if let Some((_, entry)) = self.presence.pop_first() {
                event.presence.push(entry);
            } else {
                break;
            }
            room -= 1;
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests;
