//! Edits, deletions and reactions: who may, and who is told.

use std::slice::from_ref;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::layers::messages::error::MessageError;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::pending::Pending;
use crate::layers::messages::record::Stored;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Written;
use crate::layers::messages::view::MessageView;
use crate::layers::metadata::Metadata;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::Permission;
use crate::message::Message;

use super::Inner;
use super::Messages;

impl Messages {
    /// Replaces what a message says; what it said is kept. Its sender may, as long as it may send,
    /// and the server. The room is told, with `message.edited`.
    ///
    /// # Errors
    ///
    /// [`MessageError::NotYours`], [`MessageError::TooLate`], [`MessageError::Room`];
    /// [`StoreError::UnknownMessage`], [`StoreError::Deleted`], [`StoreError::TooMany`].
    pub fn edit(
        &self,
        actor: &Actor,
        room: &RoomId,
        sequence: u64,
        message: Message,
    ) -> Pending<Result<Stored, MessageError>> {
        let (rooms, stay) = (&self.inner.rooms, self.stays(from_ref(room)));
        let checked = rooms.check_size(&message);
        let checked = checked.and_then(|()| rooms.check_writer(actor, room));
        let now = match checked {
            Ok(now) => now,
            Err(error) => return Pending::ready(Err(MessageError::Room(error))),
        };
        let (actor, room) = (actor.clone(), room.clone());
        self.later(move |inner, giver| {
            if let Err(error) = inner.check_editable(&actor, &room, sequence, now) {
                return giver.give(Err(error));
            }
            let change = Change::Edit {
                room: room.clone(),
                sequence,
                payload: message.payload().clone(),
                format: message.format(),
                metadata: Metadata::of(&message).cloned(),
                by: actor.user().cloned(),
                at: now,
                max_editions: inner.config.max_edits,
            };
            let rooms = inner.rooms.clone();
            inner.write(
                change,
                Box::new(move |written| {
                    let stored = written.and_then(message_of);
                    if let Ok(stored) = &stored {
                        let view = serde_json::to_value(MessageView::of(stored.clone()));
                        rooms.announce(&room, "message.edited", &actor, view.unwrap_or_default());
                    }
                    drop(stay);
                    giver.give(stored.map_err(MessageError::Store));
                }),
            );
        })
    }

    /// Deletes a message: it stays as one that was deleted. Its sender may, whoever has
    /// [`Permission::DeleteMessage`], and the server. The room is told, with `message.deleted`.
    ///
    /// # Errors
    ///
    /// [`MessageError::NotYours`], [`MessageError::Room`]; [`StoreError::UnknownMessage`].
    pub fn delete(
        &self,
        actor: &Actor,
        room: &RoomId,
        sequence: u64,
    ) -> Pending<Result<(), MessageError>> {
        let stay = self.stays(from_ref(room));
        if let Err(error) = self.inner.rooms.check_reader(actor, room) {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        let (actor, room) = (actor.clone(), room.clone());
        self.later(move |inner, giver| {
            let at = match inner.check_deletable(&actor, &room, sequence) {
                Ok(at) => at,
                Err(error) => return giver.give(Err(error)),
            };
            let change = Change::Delete {
                room: room.clone(),
                sequence,
                by: actor.user().cloned(),
                at,
            };
            let rooms = inner.rooms.clone();
            inner.change(change, giver, move |written| {
                if matches!(written, Written::Message(_)) {
                    let data = json!({ "message_id": sequence.to_string() });
                    rooms.announce(&room, "message.deleted", &actor, data);
                }
                drop(stay);
            });
        })
    }

    /// Adds a reaction of a user to a message; gives how many have it now. Whoever may send may
    /// react. The room is told, with `message.reaction_added`, unless it was there already.
    ///
    /// # Errors
    ///
    /// [`MessageError::Room`], [`MessageError::InvalidReaction`]; [`StoreError::UnknownMessage`],
    /// [`StoreError::Deleted`], [`StoreError::TooMany`].
    pub fn react(
        &self,
        user: &UserId,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
    ) -> Pending<Result<Option<u64>, MessageError>> {
        let change = Change::React {
            room: room.clone(),
            sequence,
            user: user.clone(),
            reaction: reaction.into(),
            max_reactions: self.inner.config.max_reactions,
        };
        self.reaction(
            user,
            room,
            sequence,
            reaction,
            "message.reaction_added",
            change,
        )
    }

    /// Takes a reaction of a user back; gives how many have it now. The room is told, with
    /// `message.reaction_removed`, unless it was not there.
    ///
    /// # Errors
    ///
    /// As [`Messages::react`].
    pub fn unreact(
        &self,
        user: &UserId,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
    ) -> Pending<Result<Option<u64>, MessageError>> {
        let change = Change::Unreact {
            room: room.clone(),
            sequence,
            user: user.clone(),
            reaction: reaction.into(),
        };
        self.reaction(
            user,
            room,
            sequence,
            reaction,
            "message.reaction_removed",
            change,
        )
    }

    fn reaction(
        &self,
        user: &UserId,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
        kind: &'static str,
        change: Change,
    ) -> Pending<Result<Option<u64>, MessageError>> {
        let limit = self.inner.config.max_reaction;
        if reaction.is_empty() || reaction.len() > limit || reaction.chars().any(char::is_control) {
            return Pending::ready(Err(MessageError::InvalidReaction { limit }));
        }
        let (actor, stay) = (Actor::User(user.clone()), self.stays(from_ref(room)));
        if let Err(error) = self.inner.rooms.check_writer(&actor, room) {
            return Pending::ready(Err(MessageError::Room(error)));
        }
        let (giver, pending) = Pending::later();
        let (rooms, room) = (self.inner.rooms.clone(), room.clone());
        let mut data = json!({
            "message_id": sequence.to_string(),
            "user_id": user,
            "reaction": reaction,
        });
        self.inner.change(change, giver, move |written| {
            let _until_told = stay;
            let Written::Reaction(count) = written else {
                return None;
            };
            if let Value::Object(data) = &mut data {
                data.insert("count".to_owned(), count.into());
            }
            rooms.announce(&room, kind, &actor, data);
            Some(count)
        });
        pending
    }

    /// Removes everything that a user has sent, in all rooms, for good; gives how much that was.
    /// Nobody is told. For the server's side: who may ask for it, it knows. What is much goes in
    /// parts of [`MessagesConfig::cleanup_most`](crate::messages::MessagesConfig::cleanup_most), and
    /// others have their turn between them; when this answers, nothing of it can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`]: some of it may be removed.
    pub fn forget_user(&self, user: &UserId) -> Pending<Result<u64, MessageError>> {
        let user = user.clone();
        self.keep_up(move |inner: &Arc<Inner>, giver| {
            let removed = match inner.forget_most(&user) {
                Ok(removed) => removed,
                Err(error) => return giver.give(Err(error)),
            };
            let change = Change::ForgetUser(user);
            inner.change(change, giver, move |written| match written {
                Written::Removed(messages) => removed + messages,
                Written::Message(_) | Written::Nothing | Written::Reaction(_) => removed,
            });
        })
    }
}

fn message_of(written: Written) -> Result<Stored, StoreError> {
    match written {
        Written::Message(stored) => Ok(*stored),
        Written::Nothing | Written::Reaction(_) | Written::Removed(_) => {
            Err(StoreError::Failed("it did not give the message".into()))
        }
    }
}

impl Inner {
    /// Removes what a user has sent, part by part, but for what comes meanwhile.
    fn forget_most(&self, user: &UserId) -> Result<u64, MessageError> {
        let mut removed = 0;
        loop {
            let part = self
                .store
                .forget_part(user, self.config.cleanup_most.max(1));
            let part = part.map_err(MessageError::Store)?;
            removed += part.messages;
            if !part.more {
                return Ok(removed);
            }
        }
    }

    fn check_editable(
        self: &Arc<Self>,
        actor: &Actor,
        room: &RoomId,
        sequence: u64,
        now: u64,
    ) -> Result<(), MessageError> {
        let Actor::User(user) = actor else {
            return Ok(());
        };
        let stored = self.known(room, sequence)?;
        if stored.user.as_ref() != Some(user) {
            return Err(MessageError::NotYours);
        }
        match self.config.edit_window {
            Some(window) if u128::from(now.saturating_sub(stored.at)) > window.as_millis() => {
                Err(MessageError::TooLate)
            }
            _ => Ok(()),
        }
    }

    /// Whether the actor may delete a message; gives the time.
    fn check_deletable(
        &self,
        actor: &Actor,
        room: &RoomId,
        sequence: u64,
    ) -> Result<u64, MessageError> {
        let permitted = self
            .rooms
            .check_permission(actor, room, Permission::DeleteMessage);
        if let Ok(now) = permitted {
            return Ok(now);
        }
        let stored = self.known(room, sequence)?;
        if stored.user.as_ref() != actor.user() {
            return Err(MessageError::NotYours);
        }
        self.rooms
            .check_writer(actor, room)
            .map_err(MessageError::Room)
    }

    pub(super) fn known(&self, room: &RoomId, sequence: u64) -> Result<Stored, MessageError> {
        let stored = self
            .store
            .get(room, sequence)
            .map_err(MessageError::Store)?;
        stored.ok_or(MessageError::Store(StoreError::UnknownMessage))
    }
}
