//! How what is kept is found.

use std::collections::BinaryHeap;
use std::convert::Infallible;
use std::ops::Range;
use std::slice;

use ahash::HashSet;
use bytes::Bytes;

use crate::layers::messages::error::StoreError;
use crate::layers::messages::memory::kept::Kept;
use crate::layers::messages::memory::room::Ids;
use crate::layers::messages::memory::room::List;
use crate::layers::messages::memory::room::Room;
use crate::layers::messages::memory::room::Slot;
use crate::layers::messages::memory::state::State;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Scope;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::terms::words_of;
use crate::layers::messages::walk::Walk;
use crate::layers::messages::walk::Way;
use crate::layers::meter;
use crate::layers::name::RoomId;

/// What a part of a search has come to.
pub(in super::super) struct Found {
    pub(in super::super) messages: Vec<StoredMessage>,
    /// Among which to go on; none at the end.
    pub(in super::super) next: Range<u64>,
}

impl State {
    /// How many bytes a search looks at before the lock is let go: less than a millisecond.
    const SEARCH: usize = 32 << 10;
    /// What a message costs a search besides its bytes.
    const MESSAGE: usize = 64;

    pub(in super::super) fn room(&self, room: &RoomId) -> Option<&Room> {
        self.rooms.get(room).map(Box::as_ref)
    }

    pub(in super::super) fn get(&self, name: &RoomId, sequence: u64) -> Option<StoredMessage> {
        let (slot, message) = self.rooms.get(name)?.get(sequence)?;
        Some(slot.stored(name, message))
    }

    pub(in super::super) fn kept(&self, room: &RoomId, sequence: u64) -> Result<&Kept, StoreError> {
        let room = self.rooms.get(room);
        let found = room.and_then(|room| room.get(sequence));
        found.map(|it| it.1).ok_or(StoreError::UnknownMessage)
    }

    pub(in super::super) fn snapshots(&self) -> Vec<(RoomId, Bytes)> {
        let rooms = self.rooms.iter();
        let kept = rooms.filter_map(|(id, room)| Some((id.clone(), room.snapshot.clone()?)));
        kept.collect()
    }

    pub(in super::super) fn page(&self, query: &MessageQuery) -> Page {
        let walk = Walk::of_page(query);
        let (rooms, list) = match &query.scope {
            Scope::Room(room) => (slice::from_ref(room), list_of(query)),
            Scope::Thread(room, thread) => (slice::from_ref(room), List::Thread(*thread)),
            Scope::User(user, rooms) => (&rooms[..], List::User(user)),
        };
        let among = |room: &Room| room.between(walk.ids(), query.from, query.until);
        let met = self.walk(rooms, list, walk.way(), among).filter(|met| {
            let user = query.user.as_ref();
            let is_by = user.is_none_or(|user| met.message.user.as_ref() == Some(user));
            let event = query.event.as_ref();
            let is_called = event.is_none_or(|event| met.message.event.as_ref() == Some(event));
            is_by && is_called && !(query.roots && met.message.thread.is_some())
        });
        let Ok(page) = walk.gather(met.map(|met| Ok::<_, Infallible>(met.stored())));
        page
    }

    /// The next messages that a search finds among these, at most `wanted`; it may stop before.
    pub(in super::super) fn search(
        &self,
        search: &MessageSearch,
        way: Way,
        among: Range<u64>,
        wanted: usize,
    ) -> Found {
        let list = search.user.as_ref().map_or(List::All, List::User);
        let mut found = Found {
            messages: Vec::new(),
            next: 0..0,
        };
        let mut cost = 0;
        for met in self.walk(&search.rooms, list, way, |_| among.clone()) {
            meter::examined(1);
            let message = met.message;
            let words = || words_of(&message.payload, message.format);
            let event = search.event.as_ref();
            let is_called = event.is_none_or(|event| message.event.as_ref() == Some(event));
            if message.deleted.is_none() && is_called && search.terms.are_in(&words()) {
                found.messages.push(met.stored());
            }
            cost += Self::MESSAGE + message.payload.len();
            if found.messages.len() == wanted {
                break;
            }
            if cost >= Self::SEARCH {
                found.next = match way {
                    Way::Newer => met.slot.id + 1..among.end,
                    Way::Older => among.start..met.slot.id,
                };
                break;
            }
        }
        found
    }

    /// The messages of a list in each of the rooms, in the order of the way.
    fn walk<'a>(
        &'a self,
        rooms: &[RoomId],
        list: List<'_>,
        way: Way,
        among: impl Fn(&Room) -> Range<u64>,
    ) -> Merge<'a> {
        let mut merge = Merge {
            way,
            heads: BinaryHeap::with_capacity(rooms.len()),
            lists: Vec::with_capacity(rooms.len()),
        };
        let mut seen = HashSet::default();
        for room in rooms {
            let known = self.rooms.get_key_value(room);
            if let Some((name, room)) = known.filter(|_| seen.insert(room)) {
                let ids = room.ids(list, among(room), way);
                merge.lists.push((name, room, ids));
                merge.advance(merge.lists.len() - 1);
            }
        }
        merge
    }
}

/// The shortest list that has all the messages of a room that are asked for.
fn list_of(query: &MessageQuery) -> List<'_> {
    match &query.user {
        Some(user) => List::User(user),
        None if query.roots => List::Roots,
        None => List::All,
    }
}

/// The messages of several lists, in one order.
struct Merge<'a> {
    way: Way,
    /// The next of each list, the first on top: how soon it comes, and which list it is of.
    heads: BinaryHeap<(u64, usize)>,
    lists: Vec<(&'a RoomId, &'a Room, Ids<'a>)>,
}

struct Met<'a> {
    name: &'a RoomId,
    slot: &'a Slot,
    message: &'a Kept,
}

impl Merge<'_> {
    fn advance(&mut self, list: usize) {
        if let Some(id) = self.lists[list].2.next() {
            let soon = match self.way {
                Way::Newer => !id,
                Way::Older => id,
            };
            self.heads.push((soon, list));
        }
    }
}

impl<'a> Iterator for Merge<'a> {
    type Item = Met<'a>;

    fn next(&mut self) -> Option<Met<'a>> {
        loop {
            let (soon, list) = self.heads.pop()?;
            self.advance(list);
            let id = match self.way {
                Way::Newer => !soon,
                Way::Older => soon,
            };
            let (name, room, _) = &self.lists[list];
            let (name, room): (&RoomId, &Room) = (name, room);
            if let Some((slot, message)) = room.find(id) {
                return Some(Met {
                    name,
                    slot,
                    message,
                });
            }
        }
    }
}

impl Met<'_> {
    fn stored(&self) -> StoredMessage {
        self.slot.stored(self.name, self.message)
    }
}
