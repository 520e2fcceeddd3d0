//! What can be read, and by whom: those who are in the room.

use crate::layers::messages::error::MessageError;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::pending::Pending;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Query;
use crate::layers::messages::query::Scope;
use crate::layers::messages::query::Search;
use crate::layers::messages::record::Edition;
use crate::layers::messages::record::Stored;
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
    ) -> Pending<Result<Stored, MessageError>> {
        if let Err(error) = self.inner.rooms.check_reader(actor, room) {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        let room = room.clone();
        self.ask(move |inner| inner.known(&room, sequence))
    }

    /// Some messages: see [`Query`]. Of a user's, those in rooms that the actor is in.
    ///
    /// # Errors
    ///
    /// As [`Messages::get`].
    pub fn page(&self, actor: &Actor, mut query: Query) -> Pending<Result<Page, MessageError>> {
        let checked = match &mut query.scope {
            Scope::Room(room) | Scope::Thread(room, _) => {
                self.inner.rooms.check_reader(actor, room)
            }
            Scope::User(user, rooms) => {
                if rooms.is_empty() {
                    *rooms = self.inner.rooms.rooms_of(user);
                }
                rooms.retain(|room| self.inner.rooms.check_reader(actor, room).is_ok());
                Ok(())
            }
        };
        if let Err(error) = checked {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        // Whatever a second filter keeps out is walked past, however many that are.
        let is_filtered = query.user.is_some();
        let read = move |inner: &Inner| inner.store.page(&query).map_err(MessageError::Store);
        if is_filtered {
            self.look_for(read)
        } else {
            self.ask(read)
        }
    }

    /// Messages with some words: see [`Search`]. Without rooms, in all that the actor is in.
    ///
    /// # Errors
    ///
    /// As [`Messages::get`], of any of the rooms.
    pub fn search(&self, actor: &Actor, mut search: Search) -> Pending<Result<Page, MessageError>> {
        if let (true, Actor::User(user)) = (search.rooms.is_empty(), actor) {
            search.rooms = self.inner.rooms.rooms_of(user);
        }
        for room in &search.rooms {
            if let Err(error) = self.inner.rooms.check_reader(actor, room) {
                return Pending::ready(Err(MessageError::Room(error)));
            }
        }
        self.look_for(move |inner| inner.store.search(&search).map_err(MessageError::Store))
    }

    /// What a message said before its edits, the oldest first. Of one that was deleted, only for
    /// whoever has [`Permission::DeleteMessage`].
    ///
    /// # Errors
    ///
    /// As [`Messages::get`]; [`StoreError::Deleted`].
    pub fn editions(
        &self,
        actor: &Actor,
        room: &RoomId,
        sequence: u64,
    ) -> Pending<Result<Vec<Edition>, MessageError>> {
        let rooms = &self.inner.rooms;
        if let Err(error) = rooms.check_reader(actor, room) {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        let permitted = rooms.check_permission(actor, room, Permission::DeleteMessage);
        let (sees_deleted, room) = (permitted.is_ok(), room.clone());
        self.ask(move |inner| {
            if inner.known(&room, sequence)?.deleted.is_some() && !sees_deleted {
                return Err(MessageError::Store(StoreError::Deleted));
            }
            let editions = inner.store.editions(&room, sequence);
            editions.map_err(MessageError::Store)
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
        if let Err(error) = self.inner.rooms.check_reader(actor, room) {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        let (room, reaction, after) = (room.clone(), reaction.to_owned(), after.cloned());
        self.ask(move |inner| {
            let store = &inner.store;
            let reactors = store.reactors(&room, sequence, &reaction, after.as_ref(), limit);
            reactors.map_err(MessageError::Store)
        })
    }

    /// How much a user has not read, in these rooms, or without any, in all that it is in.
    ///
    /// # Errors
    ///
    /// [`MessageError::Room`] when the user is in none of one of the rooms.
    pub fn unread(
        &self,
        user: &UserId,
        rooms: Vec<RoomId>,
    ) -> Pending<Result<Vec<Unread>, MessageError>> {
        let rooms = if rooms.is_empty() {
            self.inner.rooms.rooms_of(user)
        } else {
            rooms
        };
        let read = rooms.into_iter().map(|room| {
            let read = self.inner.rooms.read_marker(user, &room)?;
            Ok::<_, RoomError>((room, read))
        });
        let markers = match read.collect::<Result<Vec<_>, _>>() {
            Ok(markers) => markers,
            Err(error) => return Pending::ready(Err(MessageError::Room(error))),
        };
        let user = user.clone();
        self.ask(move |inner| {
            let most = inner.config.max_unread;
            let counted = markers.into_iter().map(|(room, read)| {
                let count = inner.store.unread(&room, &user, read, most + 1);
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
        self.ask(|inner| inner.store.stats().map_err(MessageError::Store))
    }
}
