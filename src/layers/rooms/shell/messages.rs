//! Messages, what is pinned, and what was read.

use serde_json::json;

use crate::hub::Delivery;
use crate::id::ClientId;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::role::Role;
use crate::layers::rooms::view::ReadView;
use crate::layers::stamp::MessageHeader;
use crate::message::Message;

use super::Rooms;

/// A message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The number that it has in its room; they count from 1.
    pub id: u64,
    /// What became of it.
    pub delivery: Delivery,
}

impl Rooms {
    /// Sends a message to a room, to all connections of all members but `except`. It is not stored,
    /// and ends no typing: [`Layers::send`](crate::Layers::send) does all that a message takes.
    ///
    /// What is attached to the message is replaced by a [`MessageHeader`] with the room, the sender
    /// and the message's id; one that is a stamp already keeps its event and
    /// its metadata.
    ///
    /// # Errors
    ///
    /// [`RoomError`] says what is in the way: `Archived`, `NotMember`, `Muted`, `SendDenied`,
    /// `SlowMode`, `Publish`. A message that the hub refuses has taken its number all the same.
    pub fn send(
        &self,
        actor: &Actor,
        room: &RoomId,
        message: Message,
        except: Option<ClientId>,
    ) -> Result<Sent, RoomError> {
        let cell = self.cell(room)?;
        let (id, room) = {
            let mut state = cell.state.lock();
            if state.is_gone {
                return Err(RoomError::UnknownRoom);
            }
            let id = state.room.unwatched().send(actor, self.now())?;
            self.sent(&cell, &mut state);
            (id, state.room.id.clone())
        };
        let message = stamped(message, actor, room, Some(id));
        let delivery = cell.channel.prepare(message).except(except).publish()?;
        Ok(Sent { id, delivery })
    }

    /// Sends a message to those members that have a role; gives how many connections have taken
    /// it. It is not kept, and has no number: it is none of the messages of the room. Costs a look
    /// at each member when the role is [`Role::Member`].
    ///
    /// # Errors
    ///
    /// As [`Rooms::send`].
    pub fn send_to_role(
        &self,
        actor: &Actor,
        room: &RoomId,
        role: Role,
        message: Message,
    ) -> Result<usize, RoomError> {
        let users = self.with(room, |cell, state, now| {
            state.room.unwatched().let_send(actor, now)?;
            self.sent(cell, state);
            let members = state.room.members_after(None, Some(role));
            let users: Vec<_> = members.map(|(user, _)| user.clone()).collect();
            Ok(users)
        })?;
        let message = stamped(message, actor, room.clone(), None);
        let mut taken = 0;
        for user in &users {
            for client in self.inner.connections.of(user) {
                taken += usize::from(client.send(message.clone()).is_ok());
            }
        }
        Ok(taken)
    }

    /// Whether a user may send to a room now.
    ///
    /// # Errors
    ///
    /// As [`Rooms::send`].
    pub fn check_send(&self, user: &UserId, room: &RoomId) -> Result<(), RoomError> {
        self.with(room, |_, state, now| {
            if state.room.archived {
                return Err(RoomError::Archived);
            }
            match state.room.check_send(user, now) {
                // Whoever has to wait may write meanwhile.
                Err(RoomError::SlowMode { .. }) => Ok(()),
                checked => checked,
            }
        })
    }

    /// Pins a message, for all members to see. Needs [`Permission::PinMessages`].
    ///
    /// [`Permission::PinMessages`]: crate::rooms::Permission::PinMessages
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownMessage`], [`RoomError::TooMany`], [`RoomError::PermissionDenied`].
    pub fn pin(&self, actor: &Actor, room: &RoomId, message: u64) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            if state.room.pin(actor, message, now)? {
                let data = json!({ "message_id": message.to_string() });
                self.tell(cell, state, "room.message_pinned", Some(actor), data);
            }
            Ok(())
        })
    }

    /// Takes a pinned message down. Needs [`Permission::PinMessages`].
    ///
    /// [`Permission::PinMessages`]: crate::rooms::Permission::PinMessages
    ///
    /// # Errors
    ///
    /// [`RoomError::UnknownMessage`], [`RoomError::PermissionDenied`].
    pub fn unpin(&self, actor: &Actor, room: &RoomId, message: u64) -> Result<(), RoomError> {
        self.with(room, |cell, state, now| {
            state.room.unpin(actor, message, now)?;
            let data = json!({ "message_id": message.to_string() });
            self.tell(cell, state, "room.message_unpinned", Some(actor), data);
            Ok(())
        })
    }

    /// Notes up to which message a member has read; never back. In small rooms the others are
    /// told. One that moves is a change of the room, which is kept as a whole: that costs as much
    /// as there are members, at most once in each
    /// [interval](crate::messages::MessagesConfig::save_interval).
    ///
    /// # Errors
    ///
    /// [`RoomError::NotMember`], [`RoomError::UnknownMessage`].
    pub fn mark_read(
        &self,
        user: &UserId,
        room: &RoomId,
        message: u64,
    ) -> Result<ReadView, RoomError> {
        self.with(room, |cell, state, _| {
            let (read, moved) = state.room.unwatched().mark_read(user, message)?;
            if moved {
                state.room.touch();
            }
            if moved && state.room.member_count() <= self.inner.config.batch_from {
                let data = json!({ "user_id": user, "message_id": read.to_string() });
                self.tell(cell, state, "room.read", None, data);
            }
            Ok(ReadView {
                user_id: user.clone(),
                message_id: read,
                unread: state.room.message_count() - read,
            })
        })
    }
}

/// The message with what the server says about it.
pub(crate) fn stamped(message: Message, actor: &Actor, room: RoomId, id: Option<u64>) -> Message {
    let mut stamp = MessageHeader::new("message").room(room);
    stamp.message_id = id;
    if let Some(given) = MessageHeader::of(&message) {
        stamp.event.clone_from(&given.event);
        stamp.metadata.clone_from(&given.metadata);
    }
    stamp.user = actor.user().cloned();
    stamp.attach_to(message)
}
