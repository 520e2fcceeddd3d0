//! The content of answers about messages. It holds JSON as it was sent, which may be such that it
//! cannot be read into numbers, maps and strings; so it is written as it is, and never read.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::messages::MessageView;
use crate::layers::messages::Page;
use crate::layers::messages::Revision;
use crate::layers::messages::RevisionView;
use crate::layers::messages::Unread;
use crate::session::operations::answers;

answers! {
    /// A page of messages.
    struct PageView {
        /// The messages, in the order asked for.
        messages: Vec<MessageView>,
        /// The cursor of older messages, if there are some.
        older: Option<String>,
        /// The cursor of newer messages, even if there are none yet.
        newer: Option<String>,
    }

    /// The former contents of a message.
    struct RevisionsView {
        /// The contents, the oldest first.
        revisions: Vec<RevisionView>,
    }

    /// A page of the users who have a reaction to a message.
    struct Reactors {
        /// Their ids, in the order in which they reacted.
        users: Vec<UserId>,
        /// The `after` of the next page; the last page has none.
        next: Option<UserId>,
    }

    /// The unread messages of a room.
    struct UnreadView {
        /// The room.
        room_id: RoomId,
        /// The id of the last message that was read; `0` for none.
        read: String,
        /// How many there are to read.
        unread: u64,
        /// Whether there are more than were counted.
        more: bool,
    }

    /// The unread messages of a user.
    struct UnreadRooms {
        /// The rooms.
        rooms: Vec<UnreadView>,
    }

    /// The messages that are stored.
    struct MessageStats {
        /// How many messages.
        messages: u64,
        /// How many rooms have some.
        rooms: u64,
        /// How many bytes that takes, about.
        bytes: u64,
        /// How many changes wait to be stored.
        waiting: usize,
    }
}

impl PageView {
    pub(super) fn of(page: Page) -> Self {
        Self {
            messages: page.messages.into_iter().map(MessageView::of).collect(),
            older: page.older.map(|cursor| cursor.to_string()),
            newer: page.newer.map(|cursor| cursor.to_string()),
        }
    }
}

impl RevisionsView {
    pub(super) fn of(revisions: Vec<Revision>) -> Self {
        Self {
            revisions: revisions.into_iter().map(RevisionView::of).collect(),
        }
    }
}

impl UnreadView {
    pub(super) fn of(unread: Unread) -> Self {
        Self {
            room_id: unread.room,
            read: unread.read.to_string(),
            unread: unread.count,
            more: unread.more,
        }
    }
}
