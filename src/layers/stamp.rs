//! What a layer says about a message besides its payload.

use std::sync::Arc;

use crate::layers::metadata::Metadata;
use crate::layers::name::EventName;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::message::Message;

/// What a layer says about a message besides its payload; attached to it, opaque to the hub, and
/// written by the protocol into the envelope around the payload.
///
/// All of it comes from the server: no client can set any of it but the event and the metadata.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MessageHeader {
    /// What kind of push it is: `message`, or an event such as `room.members`, whose payload is
    /// then JSON.
    pub kind: &'static str,
    /// The room that it concerns.
    pub room: Option<RoomId>,
    /// Whose message it is, or whom the event concerns.
    pub user: Option<UserId>,
    /// The id of a message of a room.
    pub message_id: Option<u64>,
    /// The first message of the thread that it is an answer in.
    pub thread: Option<u64>,
    /// The sender's name for what the message is.
    pub event: Option<EventName>,
    /// What the sender says about the message, and filters look at.
    pub metadata: Option<Metadata>,
    /// Whether it means nothing later: who comes late is not told.
    pub ephemeral: bool,
}

impl MessageHeader {
    /// A stamp that says nothing but what kind of push it is.
    #[must_use]
    pub const fn new(kind: &'static str) -> Self {
        Self {
            kind,
            room: None,
            user: None,
            message_id: None,
            thread: None,
            event: None,
            metadata: None,
            ephemeral: false,
        }
    }

    /// Of this room.
    #[must_use]
    pub fn room(mut self, room: RoomId) -> Self {
        self.room = Some(room);
        self
    }

    /// By or about this user.
    #[must_use]
    pub fn user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// With the sender's name for what it is.
    #[must_use]
    pub fn event(mut self, event: Option<EventName>) -> Self {
        self.event = event;
        self
    }

    /// With what the sender says about it.
    #[must_use]
    pub fn metadata(mut self, metadata: Option<Metadata>) -> Self {
        self.metadata = metadata;
        self
    }

    /// With this message id.
    #[must_use]
    pub fn message_id(mut self, id: u64) -> Self {
        self.message_id = Some(id);
        self
    }

    /// An answer in this thread.
    #[must_use]
    pub fn thread(mut self, thread: u64) -> Self {
        self.thread = Some(thread);
        self
    }

    /// That means nothing later.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// The stamp on a message.
    #[must_use]
    pub fn of(message: &Message) -> Option<&Self> {
        message.attachment()
    }

    /// Puts the stamp on a message.
    #[must_use]
    pub fn attach_to(self, message: Message) -> Message {
        let message = if self.ephemeral {
            message.ephemeral()
        } else {
            message
        };
        let bytes = self.bytes();
        message.attach_sized(Arc::new(self), bytes)
    }

    /// How much memory it takes.
    fn bytes(&self) -> usize {
        let metadata = self.metadata.as_ref().map_or(0, Metadata::memory);
        let room = self.room.as_ref().map_or(0, |room| room.len());
        let user = self.user.as_ref().map_or(0, |user| user.len());
        let event = self.event.as_ref().map_or(0, |event| event.len());
        size_of::<Self>() + metadata + room + user + event
    }
}
