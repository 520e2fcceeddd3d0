//! What rooms are still to be told, and what they know.

use std::collections::VecDeque;

use ahash::HashMap;
use ahash::HashSet;

use crate::id::ClientId;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::typing::state::Change;

/// News that one thread at a time tells: of each user in a room the latest, in order.
///
/// # Memory
///
/// An entry for each user in a room that is shown to type or that there are news of.
#[derive(Debug, Default)]
pub(super) struct News {
    latest: HashMap<Place, Latest>,
    order: VecDeque<Place>,
    /// Those whom their room has been told to be typing.
    shown: HashSet<Place>,
    is_told: bool,
}

type Place = (RoomId, UserId);

#[derive(Debug)]
struct Latest {
    is_typing: bool,
    from: Option<ClientId>,
}

impl News {
    /// Leaves a change to be told to all but `from`.
    pub(super) fn push(&mut self, change: Change, from: Option<ClientId>) {
        let place = (change.room, change.user);
        let is_typing = change.is_typing;
        let before = self
            .latest
            .insert(place.clone(), Latest { is_typing, from });
        if before.is_none() {
            self.order.push_back(place);
        }
    }

    /// Whether the caller is to tell: nobody is about it, and there is something.
    pub(super) fn begin(&mut self) -> bool {
        let begins = !self.is_told && !self.order.is_empty();
        self.is_told |= begins;
        begins
    }

    /// What to tell next; with `None` the caller is done. A stop of which the start was never told
    /// is left out.
    pub(super) fn pop(&mut self) -> Option<(Change, Option<ClientId>)> {
        while let Some(place) = self.order.pop_front() {
            let Some(Latest { is_typing, from }) = self.latest.remove(&place) else {
                continue;
            };
            let was_shown = self.shown.remove(&place);
            if is_typing {
                self.shown.insert(place.clone());
            }
            if is_typing || was_shown {
                let (room, user) = place;
                let change = Change {
                    room,
                    user,
                    is_typing,
                };
                return Some((change, from));
            }
        }
        self.is_told = false;
        None
    }
}
