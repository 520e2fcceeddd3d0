//! Why a store did not do what it was asked.

use std::error::Error;
use std::fmt;

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The message was deleted: it can be neither edited nor reacted to.
    Deleted,
    /// The store itself failed: what, in words for the operator. Nothing of the change is kept.
    Failed(Box<str>),
    /// The number asked for is not greater than all in the room, or above
    /// [`Draft::MAX_SEQUENCE`](crate::messages::Draft::MAX_SEQUENCE).
    Sequence,
    /// The message has, or the user has had, as many of these as may be.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
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
            Self::Sequence => f.write_str("the number is not greater than all in the room"),
            Self::TooMany { what, limit } => write!(f, "more than {limit} {what}"),
            Self::UnknownMessage => f.write_str("there is no such message"),
            Self::UnknownThread => f.write_str("there is no such thread"),
        }
    }
}

impl Error for StoreError {}
