//! Why something about presence was refused.

use std::error::Error;
use std::fmt;

use crate::code::ErrorCode;
use crate::hub::ChannelError;
use crate::hub::SubscribeError;

/// Why something about presence was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceError {
    /// Whoever asks may not see the presence of this user.
    Denied,
    /// A field cannot be as it was given.
    InvalidField {
        /// Which one.
        field: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// No status has this name.
    InvalidStatus,
    /// The client could not be subscribed to the channel of the user it wants to watch.
    Subscribe(SubscribeError),
    /// A field is too large.
    TooLarge {
        /// Which one.
        field: &'static str,
        /// How large it may be.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// The user watches as many others as it may.
    TooManyWatches {
        /// [`PresenceConfig::max_watches`](crate::presence::PresenceConfig::max_watches).
        limit: usize,
    },
    /// Only a user can do that, and the client is nobody's.
    Unauthenticated,
    /// Nothing is known about this user.
    Unknown,
}

impl PresenceError {
    /// The code that it has on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Denied => ErrorCode::PresenceDenied,
            Self::InvalidField { .. } => ErrorCode::InvalidField,
            Self::InvalidStatus => ErrorCode::InvalidStatus,
            Self::Subscribe(error) => code(error),
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::TooManyWatches { .. } => ErrorCode::TooManyWatches,
            Self::Unauthenticated => ErrorCode::Unauthenticated,
            Self::Unknown => ErrorCode::UnknownPresence,
        }
    }

    /// The field that it is about, if it is about one.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidField { field, .. } | Self::TooLarge { field, .. } => Some(field),
            Self::InvalidStatus => Some("status"),
            Self::Denied | Self::Unknown => Some("user_id"),
            Self::Subscribe(_) | Self::TooManyWatches { .. } | Self::Unauthenticated => None,
        }
    }
}

fn code(error: &SubscribeError) -> ErrorCode {
    match error {
        SubscribeError::Channel(ChannelError::TooManyChannels { .. }) => ErrorCode::TooManyChannels,
        SubscribeError::Channel(ChannelError::Name(_)) => ErrorCode::InvalidField,
        SubscribeError::TooManySubscriptions { .. } => ErrorCode::TooManySubscriptions,
        SubscribeError::Backlogged => ErrorCode::Backlogged,
        _ => ErrorCode::Closed,
    }
}

impl fmt::Display for PresenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str(
                "the presence of this user is not for you to see: you share no room with it",
            ),
            Self::InvalidField { field, allowed } => write!(f, "`{field}` must be {allowed}"),
            Self::InvalidStatus => f.write_str(
                "`status` must be `online`, `away`, `busy`, `invisible` or `offline`, in lower case",
            ),
            Self::Subscribe(error) => error.fmt(f),
            Self::TooLarge { field, limit, unit } => {
                write!(f, "`{field}` is too large: at most {limit} {unit} are allowed")
            }
            Self::TooManyWatches { limit } => {
                write!(f, "a user may watch {limit} others at a time")
            }
            Self::Unauthenticated => f.write_str("the connection belongs to no user"),
            Self::Unknown => f.write_str("nothing is known about this user"),
        }
    }
}

impl Error for PresenceError {}
