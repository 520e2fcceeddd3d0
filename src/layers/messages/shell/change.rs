//! Edits, deletions and reactions: who may, and who is told.

use std::borrow::Cow;
use std::slice::from_ref;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::layers::messages::error::MessageError;
use crate::layers::messages::error::StoreError;
use crate::layers::messages::pending::Pending;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Written;
use crate::layers::messages::view::MessageView;
use crate::layers::messages::view::timestamp;
use crate::layers::metadata::Metadata;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::Permission;
use crate::layers::rooms::RoomError;
use crate::layers::rooms::Rooms;
use crate::layers::stamp::MessageHeader;
use crate::message::Message;
use crate::time::millis;

use super::Inner;
use super::Messages;

impl Messages {
    /// Replaces what a message says; what it said is kept. Its sender may, as long as it may send,
    /// and the server. The room is told, with `message.edited`: the message as it is now, or where
    /// that is larger than [`Limits::max_payload`](crate::Limits::max_payload), which it is.
    ///
    /// # Errors
    ///
    /// [`MessageError::NotYours`], [`MessageError::TooLate`], [`MessageError::Room`];
    /// [`StoreError::UnknownMessage`], [`StoreError::Deleted`], [`StoreError::TooMany`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is kept, as what is sent is"
    )]
    pub fn edit(
        &self,
        actor: &Actor,
        room: &RoomId,
        sequence: u64,
        message: Message,
    ) -> Pending<Result<StoredMessage, MessageError>> {
        let (rooms, stay) = (&self.inner.rooms, self.stays(from_ref(room)));
        let checked = rooms.check_size(&message);
        let checked = checked.and_then(|()| rooms.check_writer(actor, room));
        let now = match checked {
            Ok(now) => now,
            Err(error) => return Pending::ready(Err(MessageError::Room(error))),
        };
        let inner = &self.inner;
        let window = inner.config.edit_window;
        let window = window.map(millis);
        // What is decided by the message itself is decided where changes are made one after the
        // other, so that what comes first is done first.
        let change = Change::Edit {
            room: room.clone(),
            sequence,
            payload: message.payload().clone(),
            format: message.format(),
            metadata: Metadata::of(&message).cloned(),
            by: actor.user().cloned(),
            at: now,
            max_revisions: inner.config.max_edits,
            only_by: actor.user().cloned(),
            sent_since: actor.user().and(window).map(|ago| now.saturating_sub(ago)),
        };
        let (giver, pending) = Pending::later();
        let (rooms, actor, room) = (rooms.clone(), actor.clone(), room.clone());
        inner.write(
            change,
            Box::new(move |written| {
                let stored = written.and_then(message_of);
                if let Ok(stored) = &stored {
                    tell_edited(&rooms, &room, &actor, stored);
                }
                drop(stay);
                giver.give(stored.map_err(MessageError::of_change));
            }),
        );
        pending
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
        let inner = &self.inner;
        let checked = inner.rooms.check_reader(actor, room);
        let checked = checked.and_then(|()| inner.check_deleter(actor, room));
        let (only_by, at) = match checked {
            Ok(checked) => checked,
            Err(error) => return Pending::ready(Err(MessageError::Room(error))),
        };
        let change = Change::Delete {
            room: room.clone(),
            sequence,
            by: actor.user().cloned(),
            at,
            only_by,
        };
        let (giver, pending) = Pending::later();
        let (rooms, actor, room) = (inner.rooms.clone(), actor.clone(), room.clone());
        inner.change(change, giver, move |written| {
            if let Written::Message(stored) = written {
                let at = stored
                    .deleted
                    .as_ref()
                    .map(|deletion| timestamp(deletion.at));
                let data = json!({ "message_id": sequence.to_string(), "at": at });
                rooms.retract(&room, |message| is_of(message, sequence));
                rooms.announce(&room, "message.deleted", &actor, data);
            }
            drop(stay);
        });
        pending
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
    /// parts of [`MessagesConfig::cleanup_batch`](crate::messages::MessagesConfig::cleanup_batch),
    /// and others have their turn between them; when this answers, nothing of it can be read.
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
            let change = Change::ForgetUser(user.clone());
            let rooms = inner.rooms.clone();
            inner.change(change, giver, move |written| {
                // Where it is not a member any more, channels forget it in their own time.
                for room in rooms.rooms_of(&user) {
                    rooms.retract(&room, |message| is_by(message, &user));
                }
                match written {
                    Written::Removed(messages) => removed + messages,
                    Written::Message(_) | Written::Nothing | Written::Reaction(_) => removed,
                }
            });
        })
    }
}

/// Of an edit that was told: which message it is about, and whose that is.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    message_id: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Option<Cow<'a, str>>,
}

impl<'a> Told<'a> {
    fn of(message: &'a Message) -> Option<Self> {
        // Looked at first: of all others, nothing is to be read.
        MessageHeader::of(message).filter(|stamp| stamp.kind == EDITED)?;
        serde_json::from_slice(message.payload()).ok()
    }
}

/// Whether this is the message of this number, or tells what it says now.
fn is_of(message: &Message, sequence: u64) -> bool {
    let id = sequence.to_string();
    MessageHeader::of(message).is_some_and(|stamp| stamp.message_id == Some(sequence))
        || Told::of(message).is_some_and(|told| told.message_id == id)
}

/// Whether this is a message of a user, or tells what one says now.
fn is_by(message: &Message, user: &UserId) -> bool {
    let is_own =
        |stamp: &MessageHeader| stamp.message_id.is_some() && stamp.user.as_ref() == Some(user);
    MessageHeader::of(message).is_some_and(is_own)
        || Told::of(message).is_some_and(|told| told.user_id.as_deref() == Some(user.as_str()))
}

/// The push that tells of an edit.
const EDITED: &str = "message.edited";

/// What is told of an edit: JSON as it was sent, which is written as it is and never read.
#[derive(Serialize)]
struct Edited<'a> {
    #[serde(flatten)]
    message: MessageView,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a UserId>,
}

fn tell_edited(rooms: &Rooms, room: &RoomId, actor: &Actor, stored: &StoredMessage) {
    let by = actor.user();
    // As it has more to it than what was sent, and escapes, it may not fit where that did.
    let too_large = || {
        let mut data = json!({ "message_id": stored.sequence.to_string(), "truncated": true });
        if let (Some(user), Some(data)) = (by, data.as_object_mut()) {
            data.insert("by".to_owned(), user.as_str().into());
        }
        data.to_string()
    };
    let message = MessageView::of(stored.clone());
    let json = serde_json::to_string(&Edited { message, by });
    debug_assert!(json.is_ok(), "views have names for keys");
    let json = json.unwrap_or_else(|_| too_large());
    rooms.announce_json(room, EDITED, json, too_large);
}

fn message_of(written: Written) -> Result<StoredMessage, StoreError> {
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
                .forget_part(user, self.config.cleanup_batch.max(1));
            let part = part.map_err(MessageError::Store)?;
            removed += part.messages;
            if !part.more {
                return Ok(removed);
            }
        }
    }

    /// Whether the actor may delete messages, and if only its own, who that is; gives the time.
    fn check_deleter(
        &self,
        actor: &Actor,
        room: &RoomId,
    ) -> Result<(Option<UserId>, u64), RoomError> {
        let permission = Permission::DeleteMessage;
        let permitted = self.rooms.check_permission(actor, room, permission);
        match (permitted, actor) {
            (Ok(now), _) => Ok((None, now)),
            (Err(_), Actor::User(user)) => {
                let now = self.rooms.check_writer(actor, room)?;
                Ok((Some(user.clone()), now))
            }
            (Err(error), Actor::Server) => Err(error),
        }
    }

    pub(super) fn known(
        &self,
        room: &RoomId,
        sequence: u64,
    ) -> Result<StoredMessage, MessageError> {
        let stored = self
            .store
            .get(room, sequence)
            .map_err(MessageError::Store)?;
        stored.ok_or(MessageError::Store(StoreError::UnknownMessage))
    }
}
