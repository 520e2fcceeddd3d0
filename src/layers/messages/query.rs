//! What can be asked of a store.

use std::time::Duration;

use crate::layers::messages::cursor::Cursor;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::terms::Terms;
use crate::layers::name::EventName;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

/// Which messages, from where, and how many. Deleted ones are among them, as such.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MessageQuery {
    /// Of what.
    pub scope: Scope,
    /// Only those by this user.
    pub user: Option<UserId>,
    /// Only those that their senders call so.
    pub event: Option<EventName>,
    /// Only those from this moment on, in milliseconds since 1970.
    pub from: Option<u64>,
    /// Only those until this moment, which is included, in milliseconds since 1970.
    pub until: Option<u64>,
    /// Only those that begin a thread or belong to none.
    pub roots: bool,
    /// From where, and which way from there; without one, from the end that the order begins with.
    pub cursor: Option<Cursor>,
    /// In which order they are given, whichever way was gone.
    pub order: Order,
    /// How many at most; 1 to [`MessageQuery::MAX_LIMIT`], others count as the nearest of these.
    pub limit: usize,
    /// How many [bytes](StoredMessage::bytes) at most, all messages together; the first is given
    /// however large it is. A page that ends early for it has an end that leads on, as one that
    /// ends for its limit has. No bound unless set; [`Messages`](crate::messages::Messages) bounds
    /// it by [`MessagesConfig::max_page_bytes`](crate::messages::MessagesConfig::max_page_bytes).
    pub max_bytes: usize,
}

impl MessageQuery {
    /// How many unless it is said.
    pub const LIMIT: usize = 50;
    /// How many at most.
    pub const MAX_LIMIT: usize = 500;

    /// The newest messages of a scope.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            user: None,
            event: None,
            from: None,
            until: None,
            roots: false,
            cursor: None,
            order: Order::NewestFirst,
            limit: Self::LIMIT,
            max_bytes: usize::MAX,
        }
    }

    /// The newest messages of a room.
    #[must_use]
    pub fn room(room: RoomId) -> Self {
        Self::new(Scope::Room(room))
    }

    /// The limit that holds.
    #[must_use]
    pub fn bounded(&self) -> usize {
        self.limit.clamp(1, Self::MAX_LIMIT)
    }
}

/// Of what messages are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Of a room.
    Room(RoomId),
    /// The answers of a thread: the room, and the number of its first message, which is not
    /// among them.
    Thread(RoomId, u64),
    /// Of a user, in these rooms; [`Messages`](crate::messages::Messages) takes none for all that
    /// the user is in, and leaves those out that who asks is not in.
    User(UserId, Vec<RoomId>),
}

/// In which order messages are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// A search: the newest first, without those that were deleted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MessageSearch {
    /// What is looked for.
    pub terms: Terms,
    /// In which rooms.
    pub rooms: Vec<RoomId>,
    /// Only those by this user.
    pub user: Option<UserId>,
    /// Only those that their senders call so.
    pub event: Option<EventName>,
    /// From where, and which way.
    pub cursor: Option<Cursor>,
    /// How many at most; as [`MessageQuery::limit`].
    pub limit: usize,
    /// How many bytes at most; as [`MessageQuery::max_bytes`].
    pub max_bytes: usize,
    /// For how long may be looked, about, before the search is given up as
    /// [`StoreError::TimedOut`](crate::messages::StoreError::TimedOut); for as long as it takes
    /// without it, which is the default.
    pub time_limit: Option<Duration>,
}

impl MessageSearch {
    /// A search of these rooms.
    #[must_use]
    pub fn new(terms: Terms, rooms: Vec<RoomId>) -> Self {
        Self {
            terms,
            rooms,
            user: None,
            event: None,
            cursor: None,
            limit: MessageQuery::LIMIT,
            max_bytes: usize::MAX,
            time_limit: None,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The messages, in the order asked for.
    pub messages: Vec<StoredMessage>,
    /// Where older ones go on; `None` if there are none.
    pub older: Option<Cursor>,
    /// Where newer ones go on, even if there are none yet; `None` only when no message was found
    /// and no cursor was given.
    pub newer: Option<Cursor>,
}
