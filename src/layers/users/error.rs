//! Why something about users or connections was refused.

use std::error::Error;
use std::fmt;

use crate::code::ErrorCode;
use crate::disconnect::Disconnect;
use crate::hub::ConnectError;
use crate::id::InvalidName;

/// Why something about users or connections was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserError {
    /// The hub does not take the client.
    Connect(ConnectError),
    /// A cursor is not one that a page gave.
    InvalidCursor,
    /// The id of the user cannot be one.
    InvalidUser(InvalidName),
    /// The reason does not fit into a close frame.
    ReasonTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The user, or the connection if it is nobody's, is in as many channels as it may be.
    TooManyChannels {
        /// [`UsersConfig::max_channels`](crate::users::UsersConfig::max_channels).
        limit: usize,
    },
    /// There are as many connections as there may be.
    TooManyConnections {
        /// The connections that the limit counts.
        scope: ConnectionLimit,
        /// How many there may be.
        limit: usize,
    },
    /// No connection has this id, or it has left.
    UnknownClient,
    /// The user has no connection.
    UnknownUser,
}

/// Which connections a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionLimit {
    /// All connections.
    Total,
    /// Connections without a user.
    Anonymous,
    /// Connections of one user.
    PerUser,
}

impl UserError {
    /// The code that it has on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Connect(ConnectError::TooManyClients { .. })
            | Self::TooManyConnections { .. } => ErrorCode::ConnectionLimitReached,
            Self::Connect(ConnectError::Closed) => ErrorCode::Closed,
            Self::Connect(_) | Self::InvalidCursor | Self::InvalidUser(_) => {
                ErrorCode::InvalidField
            }
            Self::ReasonTooLong { .. } => ErrorCode::TooLarge,
            Self::TooManyChannels { .. } => ErrorCode::ChannelLimitReached,
            Self::UnknownClient => ErrorCode::UnknownClient,
            Self::UnknownUser => ErrorCode::UnknownUser,
        }
    }

    /// The field that it is about, if it is about one.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidCursor => Some("after"),
            Self::InvalidUser(_) | Self::UnknownUser => Some("user_id"),
            Self::ReasonTooLong { .. } => Some("reason"),
            Self::UnknownClient => Some("client_id"),
            Self::Connect(_) | Self::TooManyChannels { .. } | Self::TooManyConnections { .. } => {
                None
            }
        }
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::InvalidCursor => f.write_str("`after` must be the `next` of an earlier page"),
            Self::InvalidUser(error) => write!(f, "not the id of a user: {error}"),
            Self::ReasonTooLong { len } => write!(
                f,
                "`reason` has {len} bytes, at most {} are allowed",
                Disconnect::MAX_REASON
            ),
            Self::TooManyChannels { limit } => {
                write!(f, "a user may be in {limit} channels at a time")
            }
            Self::TooManyConnections { scope, limit } => match scope {
                ConnectionLimit::Total => write!(f, "there may be {limit} connections at a time"),
                ConnectionLimit::Anonymous => {
                    write!(f, "there may be {limit} anonymous connections at a time")
                }
                ConnectionLimit::PerUser => {
                    write!(f, "a user may have {limit} connections at a time")
                }
            },
            Self::UnknownClient => f.write_str("no client has this id"),
            Self::UnknownUser => f.write_str("this user has no connection"),
        }
    }
}

impl Error for UserError {}
