//! What a store keeps of a message.

use bytes::Bytes;

use crate::layers::metadata::Metadata;
use crate::layers::name::EventName;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::message::Format;

/// A message that is to be kept.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NewMessage {
    /// Where.
    pub room: RoomId,
    /// Whose; `None` if the server's own.
    pub user: Option<UserId>,
    /// The first message of the thread that it answers in. One that answers an answer belongs to
    /// the thread of that.
    pub thread: Option<u64>,
    /// What it says.
    pub payload: Bytes,
    /// How the payload is to be read.
    pub format: Format,
    /// Its sender's name for what it is; no edit changes it.
    pub event: Option<EventName>,
    /// What its sender says about it.
    pub metadata: Option<Metadata>,
    /// When, in milliseconds since 1970. A store makes it no earlier than that of the message
    /// before it in the room.
    pub at: u64,
    /// The number that it is to have, which must be greater than all in its room; `None` to have
    /// it given one. For servers only: no client can ask for one.
    pub sequence: Option<u64>,
}

impl NewMessage {
    /// The greatest number that a message may have: the greatest that JSON numbers hold exactly.
    pub const MAX_SEQUENCE: u64 = (1 << 53) - 1;

    /// A text by nobody.
    #[must_use]
    pub fn text(room: RoomId, text: impl Into<Bytes>, at: u64) -> Self {
        Self {
            room,
            user: None,
            thread: None,
            payload: text.into(),
            format: Format::Text,
            event: None,
            metadata: None,
            at,
            sequence: None,
        }
    }
}

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StoredMessage {
    /// The number that the store knows it by: greater than those of all before it, in all rooms.
    pub id: u64,
    /// Where.
    pub room: RoomId,
    /// The number that it has in its room; they count from 1.
    pub sequence: u64,
    /// Whose; `None` if the server's own.
    pub user: Option<UserId>,
    /// The first message of the thread that it is an answer in.
    pub thread: Option<u64>,
    /// What it says; after a deletion what it said.
    pub payload: Bytes,
    /// How the payload is to be read.
    pub format: Format,
    /// Its sender's name for what it is; no edit changes it.
    pub event: Option<EventName>,
    /// What its sender says about it.
    pub metadata: Option<Metadata>,
    /// When, in milliseconds since 1970; never before those of lower numbers in its room.
    pub at: u64,
    /// When it was last edited, in milliseconds since 1970.
    pub edited_at: Option<u64>,
    /// How often it was edited.
    pub edits: u32,
    /// That it was deleted, if it was.
    pub deleted: Option<Deletion>,
    /// The answers in the thread that it began.
    pub replies: Replies,
    /// The reactions, in the order of their first.
    pub reactions: Vec<ReactionCount>,
}

impl StoredMessage {
    /// How many bytes it counts for in a page: its payload, shown or not, its metadata as JSON, and
    /// its reactions with those who are named with them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let users = |it: &ReactionCount| it.users.iter().map(|user| user.len()).sum::<usize>();
        let reactions = self.reactions.iter();
        let reactions = reactions.map(|it| it.reaction.len() + users(it));
        said(&self.payload, self.metadata.as_ref()) + reactions.sum::<usize>()
    }
}

/// The answers to a message; those that were deleted count no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replies {
    /// How many.
    pub count: u64,
    /// When the last one came, in milliseconds since 1970; zero if none has. A deletion leaves it.
    pub last_at: u64,
}

/// A reaction and how many users have had it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReactionCount {
    /// Typically an emoji.
    pub reaction: Box<str>,
    /// How many users.
    pub count: u64,
    /// The first of them, in order, at most [`ReactionCount::USERS`].
    pub users: Vec<UserId>,
}

impl ReactionCount {
    /// How many users are named with a message.
    pub const USERS: usize = 16;
}

/// Who has deleted a message, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deletion {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Who; `None` if the server.
    pub by: Option<UserId>,
}

/// What a message said before an edit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Revision {
    /// What it said.
    pub payload: Bytes,
    /// How the payload is to be read.
    pub format: Format,
    /// What was said about it.
    pub metadata: Option<Metadata>,
    /// When the edit came that replaced this, in milliseconds since 1970.
    pub until: u64,
    /// Who replaced it; `None` if the server.
    pub by: Option<UserId>,
}

impl Revision {
    /// How many bytes it counts for among others: its payload, and its metadata as JSON.
    #[must_use]
    pub fn bytes(&self) -> usize {
        said(&self.payload, self.metadata.as_ref())
    }
}

fn said(payload: &Bytes, metadata: Option<&Metadata>) -> usize {
    payload.len() + metadata.map_or(0, Metadata::json_bytes)
}
