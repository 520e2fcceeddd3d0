//! Why something about channels was refused.

use std::error::Error;
use std::fmt;

use crate::code::ErrorCode;
use crate::hub::ChannelError;
use crate::hub::SubscribeError;
use crate::id::InvalidName;
use crate::layers::channels::filter::InvalidFilter;
use crate::layers::channels::pattern::InvalidPattern;

/// Why something about channels was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelsError {
    /// The client is subscribed to the pattern already.
    AlreadySubscribed,
    /// A channel of this name is declared.
    Exists,
    /// It is no filter.
    Filter(InvalidFilter),
    /// It is no name of a channel.
    Name(InvalidName),
    /// The client is not subscribed to the pattern.
    NotSubscribed,
    /// It is no pattern.
    Pattern(InvalidPattern),
    /// Names that begin with `$` are the layers' own.
    Reserved,
    /// The hub refused.
    Subscribe(SubscribeError),
    /// A field is too large.
    TooLarge {
        /// Which one.
        field: &'static str,
        /// How many bytes it may have.
        limit: usize,
    },
    /// As many channels are declared as may be.
    TooManyDeclared {
        /// How many that is.
        limit: usize,
    },
    /// The client has as many patterns as it may.
    TooManyPatterns {
        /// How many that is.
        limit: usize,
    },
    /// No channel of this name is there, or is declared.
    Unknown,
}

impl ChannelsError {
    /// The code that it has on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::AlreadySubscribed => ErrorCode::AlreadySubscribed,
            Self::Exists => ErrorCode::ChannelExists,
            Self::Filter(_) => ErrorCode::InvalidFilter,
            Self::Name(_) | Self::Reserved => ErrorCode::InvalidChannel,
            Self::NotSubscribed => ErrorCode::NotSubscribed,
            Self::Pattern(_) => ErrorCode::InvalidPattern,
            Self::Subscribe(error) => subscribe_code(error),
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::TooManyDeclared { .. } => ErrorCode::TooManyChannels,
            Self::TooManyPatterns { .. } => ErrorCode::TooManyPatterns,
            Self::Unknown => ErrorCode::UnknownChannel,
        }
    }

    /// The field at fault, when one is.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Filter(_) => Some("filter"),
            Self::Exists | Self::Name(_) | Self::Reserved | Self::Unknown => Some("channel_id"),
            Self::Pattern(_) | Self::AlreadySubscribed | Self::NotSubscribed => Some("pattern"),
            Self::TooLarge { field, .. } => Some(field),
            Self::Subscribe(_) | Self::TooManyDeclared { .. } | Self::TooManyPatterns { .. } => {
                None
            }
        }
    }
}

fn subscribe_code(error: &SubscribeError) -> ErrorCode {
    match error {
        SubscribeError::AlreadySubscribed => ErrorCode::AlreadySubscribed,
        SubscribeError::Channel(ChannelError::TooManyChannels { .. }) => ErrorCode::TooManyChannels,
        SubscribeError::Channel(ChannelError::Name(_)) => ErrorCode::InvalidPattern,
        SubscribeError::TooManySubscriptions { .. } => ErrorCode::TooManySubscriptions,
        _ => ErrorCode::Closed,
    }
}

impl fmt::Display for ChannelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadySubscribed => f.write_str("the client is subscribed to this already"),
            Self::Exists => f.write_str("a channel of this name is declared already"),
            Self::Filter(error) => error.fmt(f),
            Self::Name(error) => error.fmt(f),
            Self::NotSubscribed => f.write_str("the client is not subscribed to this"),
            Self::Pattern(error) => error.fmt(f),
            Self::Reserved => f.write_str("names that begin with `$` are the server's own"),
            Self::Subscribe(error) => error.fmt(f),
            Self::TooLarge { field, limit } => write!(f, "`{field}` has at most {limit} bytes"),
            Self::TooManyDeclared { limit } => {
                write!(f, "{limit} channels are declared, as many as may be")
            }
            Self::TooManyPatterns { limit } => {
                write!(f, "the client has {limit} patterns, as many as it may")
            }
            Self::Unknown => f.write_str("no channel has this name"),
        }
    }
}

impl Error for ChannelsError {}

impl From<InvalidFilter> for ChannelsError {
    fn from(error: InvalidFilter) -> Self {
        Self::Filter(error)
    }
}

impl From<InvalidPattern> for ChannelsError {
    fn from(error: InvalidPattern) -> Self {
        Self::Pattern(error)
    }
}
