//! Rooms as they are listed and found.

use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::rooms::directory::Facts;
use crate::layers::rooms::directory::RoomQuery;
use crate::layers::rooms::room::Room;
use crate::layers::rooms::view::RoomView;

use super::Rooms;

/// The most rooms that are looked at for one page.
const MOST_LOOKED_AT: usize = 10_000;

/// The most rooms that are looked at while the directory is locked.
const PART: usize = 256;

impl Rooms {
    /// The rooms that a query wants, the newest first, at most `limit`, those before `before`; and
    /// before what to go on. A user is shown public rooms and those it is in. Direct rooms are in
    /// no list.
    ///
    /// A page ends early, with something to go on before, when many rooms had to be looked at.
    #[must_use]
    pub fn search(
        &self,
        actor: &Actor,
        query: &RoomQuery,
        before: Option<u64>,
        limit: usize,
    ) -> (Vec<RoomView>, Option<u64>) {
        let own = actor.user().map(|user| self.rooms_of(user));
        let visible = |id: &RoomId, facts: &Facts| match &own {
            Some(own) => !facts.private || own.contains(id),
            None => true,
        };
        let (mut ids, mut before, mut left) = (Vec::new(), before, MOST_LOOKED_AT);
        let next = loop {
            // Whoever changes a room, whom those wait for who join it, waits for one part at most.
            let wanted = limit.saturating_sub(ids.len());
            let directory = self.inner.directory.read();
            let part = directory.list(query, before, wanted, left.min(PART), visible);
            drop(directory);
            ids.extend(part.rooms);
            left = left.saturating_sub(part.looked_at);
            before = part.next;
            if before.is_none() || ids.len() >= limit || left == 0 {
                break before;
            }
        };
        let rooms = ids.iter();
        // One that has gone or become private meanwhile is left out.
        let rooms = rooms.filter_map(|id| {
            self.with(id, |_, state, _| {
                state.room.check_visible(actor)?;
                Ok(RoomView::of(&state.room))
            })
            .ok()
        });
        (rooms.collect(), next)
    }

    /// Has the directory know what a room says about itself. The room's lock is held.
    pub(super) fn enlist(&self, room: &Room) {
        if room.direct {
            return;
        }
        let facts = Facts {
            name: room.name.clone(),
            description: room.description.clone(),
            category: room.category.clone(),
            tags: room.tags.clone(),
            metadata: room.metadata.clone(),
            owner: room.owner.clone(),
            private: room.private,
            archived: room.archived,
        };
        self.inner.directory.write().put(&room.id, facts);
    }

    pub(super) fn delist(&self, room: &RoomId) {
        self.inner.directory.write().take(room);
    }
}
