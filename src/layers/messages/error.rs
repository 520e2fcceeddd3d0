//! Why a store did not do what it was asked.

use std::error::Error;
use std::fmt;
use std::io;

use crate::code::ErrorCode;
use crate::layers::rooms::LoadError;
use crate::layers::rooms::RoomError;

/// Why something about a message was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// A layer that this needs is turned off.
    Disabled {
        /// The layer.
        layer: &'static str,
    },
    /// A reaction is a text of 1 to so many bytes, without control characters.
    InvalidReaction {
        /// How many bytes it may have.
        limit: usize,
    },
    /// Only its sender may do that.
    NotYours,
    /// The room does not let the actor, or is not there.
    Room(RoomError),
    /// The store did not do it.
    Store(StoreError),
    /// It was sent too long ago to be edited.
    TooLate,
}

impl MessageError {
    /// Why a change was refused by the store, in words for who asked for it.
    pub(super) fn of_change(error: StoreError) -> Self {
        match error {
            StoreError::NotBy => Self::NotYours,
            StoreError::TooOld => Self::TooLate,
            other => Self::Store(other),
        }
    }

    /// The code that it has on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Disabled { .. } => ErrorCode::FeatureDisabled,
            Self::InvalidReaction { .. } => ErrorCode::InvalidField,
            Self::NotYours => ErrorCode::PermissionDenied,
            Self::Room(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::TooLate => ErrorCode::EditWindowOver,
        }
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled { layer } => write!(f, "this server has {layer} turned off"),
            Self::InvalidReaction { limit } => write!(
                f,
                "a reaction is a text of 1 to {limit} bytes, without control characters"
            ),
            Self::NotYours => f.write_str("only its sender may do that"),
            Self::Room(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::TooLate => f.write_str("the message was sent too long ago to be edited"),
        }
    }
}

impl Error for MessageError {}

impl StoreError {
    /// The code that it has on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Deleted => ErrorCode::MessageDeleted,
            Self::Failed(_) | Self::Sequence => ErrorCode::StoreFailed,
            Self::TimedOut => ErrorCode::SearchTimedOut,
            Self::NotBy => ErrorCode::PermissionDenied,
            Self::TooOld => ErrorCode::EditWindowOver,
            Self::TooMany { what, .. } => match *what {
                "revisions" => ErrorCode::TooManyEdits,
                "reactions" => ErrorCode::TooManyReactions,
                _ => ErrorCode::TooLarge,
            },
            Self::UnknownMessage => ErrorCode::UnknownMessage,
            Self::UnknownThread => ErrorCode::UnknownThread,
        }
    }
}

/// Why messages cannot be kept in a store.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// A room that it has cannot be loaded.
    Rooms(LoadError),
    /// It cannot be read.
    Store(StoreError),
    /// The threads that wait for it cannot be started.
    Threads(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rooms(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Threads(error) => write!(f, "the threads of the store do not start: {error}"),
        }
    }
}

impl Error for OpenError {}

impl From<LoadError> for OpenError {
    fn from(error: LoadError) -> Self {
        Self::Rooms(error)
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Threads(error)
    }
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The message was deleted: it can be neither edited nor reacted to.
    Deleted,
    /// The store itself failed: what, in words for the operator. Nothing of the change is kept.
    Failed(Box<str>),
    /// The message was not sent by the user who was to have sent it.
    NotBy,
    /// The number asked for is not greater than all in the room, or above
    /// [`NewMessage::MAX_SEQUENCE`](crate::messages::NewMessage::MAX_SEQUENCE).
    Sequence,
    /// The search took longer than [it may](crate::messages::MessageSearch::time_limit).
    TimedOut,
    /// The message has as many of these as it may have, or would have more.
    TooMany {
        /// Of what: `bytes`, `revisions`, `reactions`.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The message was sent before the time from which on it was to have been sent.
    TooOld,
    /// There is no such message, or it is no longer kept.
    UnknownMessage,
    /// The thread's first message is not there, is no longer kept, or was deleted.
    UnknownThread,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("the message was deleted"),
            Self::Failed(why) => write!(f, "the message store failed: {why}"),
            Self::NotBy => f.write_str("the message was sent by another user"),
            Self::Sequence => f.write_str("the number is not greater than all in the room"),
            Self::TooMany { what, limit } => write!(f, "more than {limit} {what}"),
            Self::TooOld => f.write_str("the message was sent too long ago"),
            Self::TimedOut => {
                f.write_str("the search took too long: ask for rarer words, or fewer rooms")
            }
            Self::UnknownMessage => f.write_str("there is no such message"),
            Self::UnknownThread => f.write_str("there is no such thread"),
        }
    }
}

impl Error for StoreError {}
