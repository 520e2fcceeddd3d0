//! What can be read, and by whom: those who are in the room.

use std::slice::from_ref;

use crate::layers::messages::error::MessageError;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::pending::Pending;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Scope;
use crate::layers::messages::record::Revision;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::store::StoreStats;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::Permission;
use crate::layers::rooms::RoomError;

use super::Inner;
use super::Messages;

/// How many messages of a room a user has not read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// Which room.
    pub room: RoomId,
    /// The last message that it has read.
    pub read: u64,
    /// How many came after that, without its own and those that were deleted.
    pub count: u64,
    /// Whether there are more than were counted.
    pub more: bool,
}

impl Messages {
    /// One message, deleted or not.
    ///
    /// # Errors
    ///
    /// [`MessageError::Room`] when the actor is not in the room;
    /// [`StoreError::UnknownMessage`].
    pub fn get(
        &self,
        actor: &Actor,
        room: &RoomId,
        sequence: u64,
    ) -> Pending<Result<StoredMessage, MessageError>> {
        let stays = self.stays(from_ref(room));
        if let Err(error) = self.inner.rooms.check_reader(actor, room) {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        let room = room.clone();
        self.ask(stays, move |inner| inner.known(&room, sequence))
    }

    /// Reads a page of messages: see [`MessageQuery`]. Of a [user's](Scope::User), those in rooms
    /// that the actor is in: other rooms are left out, named or not, and are no error. A page has
    /// no more bytes than
    /// [`MessagesConfig::max_page_bytes`](crate::messages::MessagesConfig::max_page_bytes), however
    /// many messages are asked for.
    ///
    /// # Errors
    ///
    /// As [`Messages::get`].
    pub fn page(
        &self,
        actor: &Actor,
        mut query: MessageQuery,
    ) -> Pending<Result<Page, MessageError>> {
        let stays;
        let checked = match &mut query.scope {
            Scope::Room(room) | Scope::Thread(room, _) => {
                stays = self.stays(from_ref(room));
                self.inner.rooms.check_reader(actor, room)
            }
            Scope::User(user, rooms) => {
                if rooms.is_empty() {
                    *rooms = self.inner.rooms.rooms_of(user);
                }
                stays = self.stays(rooms);
                rooms.retain(|room| self.inner.rooms.check_reader(actor, room).is_ok());
                Ok(())
            }
        };
        if let Err(error) = checked {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        query.max_bytes = query.max_bytes.min(self.inner.config.max_page_bytes);
        // Whatever a second filter keeps out is walked past, however many that are.
        let is_filtered = query.user.is_some() || query.event.is_some();
        let read = move |inner: &Inner| inner.store.page(&query).map_err(MessageError::Store);
        if is_filtered {
            self.look_for(stays, read)
        } else {
            self.ask(stays, read)
        }
    }

    /// Finds messages by their words: see [`MessageSearch`]. Without rooms, it searches all rooms
    /// of the actor. A page has no more bytes than one of [`Messages::page`].
    ///
    /// # Errors
    ///
    /// As [`Messages::get`], of any of the rooms that are named; [`StoreError::TimedOut`].
    pub fn search(
        &self,
        actor: &Actor,
        mut search: MessageSearch,
    ) -> Pending<Result<Page, MessageError>> {
        let rooms = &self.inner.rooms;
        if let (true, Actor::User(user)) = (search.rooms.is_empty(), actor) {
            search.rooms = rooms.rooms_of(user);
            // One that was left or deleted a moment ago is simply none of them.
            search
                .rooms
                .retain(|room| rooms.check_reader(actor, room).is_ok());
        } else {
            for room in &search.rooms {
                if let Err(error) = rooms.check_reader(actor, room) {
                    return Pending::ready(Err(MessageError::Room(error)));
                }
            }
        }
        search.max_bytes = search.max_bytes.min(self.inner.config.max_page_bytes);
        let limits = [search.time_limit, self.inner.config.search_timeout];
        search.time_limit = limits.into_iter().flatten().min();
        let stays = self.stays(&search.rooms);
        self.look_for(stays, move |inner| {
            inner.store.search(&search).map_err(MessageError::Store)
        })
    }

    /// What a message said before its edits, the oldest first. Of one that was deleted, only for
    /// whoever has [`Permission::DeleteMessage`].
    ///
    /// These are the newest that have no more bytes than a [page](Messages::page); there are fewer
    /// of them than [`StoredMessage::edits`] where older ones are left out.
    ///
    /// # Errors
    ///
    /// As [`Messages::get`]; [`StoreError::Deleted`].
    pub fn revisions(
        &self,
        actor: &Actor,
        room: &RoomId,
        sequence: u64,
    ) -> Pending<Result<Vec<Revision>, MessageError>> {
        let (rooms, stays) = (&self.inner.rooms, self.stays(from_ref(room)));
        if let Err(error) = rooms.check_reader(actor, room) {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        let permitted = rooms.check_permission(actor, room, Permission::DeleteMessage);
        let (sees_deleted, room) = (permitted.is_ok(), room.clone());
        self.ask(stays, move |inner| {
            if inner.known(&room, sequence)?.deleted.is_some() && !sees_deleted {
                return Err(MessageError::Store(StoreError::Deleted));
            }
            let revisions = inner
                .store
                .revisions(&room, sequence, inner.config.max_page_bytes);
            revisions.map_err(MessageError::Store)
        })
    }

    /// Who has had a reaction, in order: at most `limit`, after that user.
    ///
    /// # Errors
    ///
    /// As [`Messages::get`].
    pub fn reactors(
        &self,
        actor: &Actor,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
        after: Option<&UserId>,
        limit: usize,
    ) -> Pending<Result<Vec<UserId>, MessageError>> {
        let stays = self.stays(from_ref(room));
        if let Err(error) = self.inner.rooms.check_reader(actor, room) {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        let (room, reaction, after) = (room.clone(), reaction.to_owned(), after.cloned());
        self.ask(stays, move |inner| {
            let store = &inner.store;
            let reactors = store.reactors(&room, sequence, &reaction, after.as_ref(), limit);
            reactors.map_err(MessageError::Store)
        })
    }

    /// How much a user has not read, in these rooms, or without any, in all that it is in.
    ///
    /// # Errors
    ///
    /// [`MessageError::Room`] when the user is not in one of the rooms that are named.
    pub fn unread(
        &self,
        user: &UserId,
        rooms: Vec<RoomId>,
    ) -> Pending<Result<Vec<Unread>, MessageError>> {
        let are_named = !rooms.is_empty();
        let rooms = if are_named {
            rooms
        } else {
            self.inner.rooms.rooms_of(user)
        };
        let stays = self.stays(&rooms);
        let markers = rooms.into_iter().map(|room| {
            let read = self.inner.rooms.read_marker(user, &room)?;
            Ok::<_, RoomError>((room, read))
        });
        // Of those not named, one that was left or deleted a moment ago is simply none of them.
        let markers = markers.filter(|marker| are_named || marker.is_ok());
        let markers = markers.collect::<Result<Vec<_>, _>>();
        let markers = match markers {
            Ok(markers) => markers,
            Err(error) => return Pending::ready(Err(MessageError::Room(error))),
        };
        let user = user.clone();
        self.ask(stays, move |inner| {
            let most = inner.config.max_unread;
            let counted = markers.into_iter().map(|(room, read)| {
                let count = inner
                    .store
                    .unread(&room, &user, read, most.saturating_add(1));
                let count = count.map_err(MessageError::Store)?;
                Ok(Unread {
                    room,
                    read,
                    count: count.min(most),
                    more: count > most,
                })
            });
            counted.collect()
        })
    }

    /// What is kept.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`].
    pub fn stats(&self) -> Pending<Result<StoreStats, MessageError>> {
        self.ask(Vec::new(), |inner| {
            inner.store.stats().map_err(MessageError::Store)
        })
    }
}
