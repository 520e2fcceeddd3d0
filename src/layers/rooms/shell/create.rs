//! Rooms that come to be, and rooms that are no more.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use data_encoding::BASE32_NOPAD;
use parking_lot::Mutex;
use serde_json::json;

use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::rooms::batch::Batch;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::options::RoomOptions;
use crate::layers::rooms::room::Room;
use crate::layers::rooms::view::RoomView;

use super::Cell;
use super::JoinRequest;
use super::RoomChange;
use super::Rooms;
use super::State;
use super::Stay;
use super::changes::Known;
use super::changes::Watched;
use super::direct::is_direct;
use super::told::signed;

impl Rooms {
    /// Makes a room. A user that makes one is its owner and its first member; a room that the
    /// server makes has no owner until the ownership is [given](Rooms::transfer_ownership).
    ///
    /// # Errors
    ///
    /// [`RoomError::Exists`], also as long as messages of a room that had the id are not removed;
    /// [`RoomError::RoomLimitReached`], [`RoomError::TooMany`], [`RoomError::Refused`] by the
    /// hook, and what is wrong with the options.
    pub fn create(&self, actor: &Actor, options: RoomOptions) -> Result<RoomView, RoomError> {
        options.check(&self.inner.config)?;
        self.ask(&JoinRequest::Create {
            actor,
            name: &options.name,
        })?;
        let id = match &options.id {
            Some(id) if is_direct(id) => {
                return Err(RoomError::InvalidField {
                    field: "room_id",
                    allowed: "an id that does not begin as those of direct rooms do",
                });
            }
            Some(id) => id.clone(),
            None => random_id()?,
        };
        let now = self.now();
        let room = Room::new(id.clone(), options, &self.inner.config, now);
        let cell = self.cell_of(room)?;
        let mut state = cell.state.lock();
        self.insert(&id, &cell, self.inner.config.max_rooms)?;
        if let Actor::User(user) = actor {
            if let Err(error) = self.inner.users.enter(user, &id) {
                state.is_gone = true;
                self.take_out(&id);
                return Err(error);
            }
            state.room.found(user, now);
            self.attach_all(user, &id);
        }
        self.changed(&cell, &mut state);
        self.enlist(&state.room);
        self.observed(&RoomChange::Created(id));
        if let Actor::User(user) = actor {
            self.tell_joined(&cell, &mut state, user);
        }
        Ok(RoomView::of(&state.room))
    }

    /// Deletes a room: its owner may, and the server. Its members are told, and out. Where its
    /// messages are kept, its id is not to be had before they are
    /// [removed](crate::messages::Messages::removed).
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownRoom`], [`RoomError::InsufficientRole`].
    pub fn delete(&self, actor: &Actor, room: &RoomId) -> Result<(), RoomError> {
        self.with(room, |cell, state, _| {
            state.room.check_delete(actor)?;
            self.remove(cell, state, Some(actor));
            Ok(())
        })
    }

    /// How many rooms there are, direct ones too.
    #[must_use]
    pub fn count(&self) -> usize {
        // Relaxed: a figure for people.
        self.inner.count.load(Ordering::Relaxed)
    }

    pub(super) fn remove(&self, cell: &Cell, state: &mut State, actor: Option<&Actor>) {
        let id = state.room.id.clone();
        let data = signed(actor, json!({}));
        // Members are told alone: what is queued of a channel does not reach who has left it.
        for user in state.room.members() {
            self.inner.users.leave(user, &id);
            self.detach_all(user, &id, "deleted");
        }
        self.tell_json(cell, state, "room.deleted", data.to_string());
        state.is_gone = true;
        for user in state.room.members() {
            self.tell_user(user, "room.deleted", &id, &data);
            self.observed(&RoomChange::Left(id.clone(), user.clone()));
        }
        self.inner.changes.deleted(&id);
        // Before another one may have the id.
        self.observed(&RoomChange::Deleted(id.clone()));
        self.delist(&id);
        self.leave_behind(state);
    }

    pub(super) fn cell_of(&self, room: Room) -> Result<Arc<Cell>, RoomError> {
        let channel = self.inner.hub.channel(&room.id.channel());
        let channel = channel.map_err(RoomError::Channel)?;
        Ok(Arc::new(Cell {
            channel,
            state: Mutex::new(State {
                room: Watched::new(room),
                batch: Batch::default(),
                purge_at: None,
                is_gone: false,
                is_changed: false,
                is_sent: false,
                waits_as_sent: false,
                stay: Stay::default(),
                known: Known::No,
            }),
            is_unkept: AtomicBool::new(false),
        }))
    }

    /// Puts a room into the table, if there may be one more. The room's lock is held.
    pub(super) fn insert(
        &self,
        id: &RoomId,
        cell: &Arc<Cell>,
        limit: usize,
    ) -> Result<(), RoomError> {
        let mut shard = self.shard(id).write();
        if shard.contains_key(&**id) {
            return Err(RoomError::Exists);
        }
        // Relaxed: a bound by count; the read-modify-write alone makes it strict.
        if self.inner.count.fetch_add(1, Ordering::Relaxed) >= limit {
            // Relaxed: as above.
            self.inner.count.fetch_sub(1, Ordering::Relaxed);
            return Err(RoomError::TooMany {
                what: "rooms",
                limit,
            });
        }
        shard.insert(id.clone(), Arc::clone(cell));
        Ok(())
    }

    pub(super) fn take_out(&self, id: &RoomId) {
        let cell = self.shard(id).write().remove(&**id);
        if cell.is_some() {
            // Relaxed: see `insert`.
            self.inner.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// An id that no room has, and nobody guesses.
pub(super) fn random_id() -> Result<RoomId, RoomError> {
    let id = random_text::<10>()?.to_ascii_lowercase();
    RoomId::parse(&id).map_err(|_| RoomError::InvalidField {
        field: "room_id",
        allowed: "the id of a room",
    })
}

/// As many random bytes as text.
pub(super) fn random_text<const BYTES: usize>() -> Result<String, RoomError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|_| RoomError::InvalidRoom("no random numbers can be had"))?;
    Ok(BASE32_NOPAD.encode(&bytes))
}
