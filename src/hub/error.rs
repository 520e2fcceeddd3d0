//! Errors, one type per operation. What could not be sent is given back.
//!
//! `Display` is complete by itself: it names the limit or the part that is at fault, and what is
//! allowed. An error inside another is part of the text and of the variant, so `source` is `None`,
//! and a report that walks the sources says nothing twice.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::disconnect::Disconnect;
use crate::id::InvalidName;
use crate::message::Message;

/// Why a hub could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildError {
    /// The setting that is wrong.
    pub setting: &'static str,
    /// What it is.
    pub value: u128,
    /// What is allowed.
    pub allowed: AllowedValues,
}

/// What a setting may be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllowedValues {
    /// At least another setting, which has this value.
    AtLeast(&'static str, u128),
    /// From the first number to the second.
    Range(u128, u128),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            value,
            allowed,
        } = self;
        match allowed {
            AllowedValues::AtLeast(other, least) => write!(
                f,
                "{setting} is {value}, at least {other} ({least}) is required: raise {setting} or \
                 lower {other}"
            ),
            AllowedValues::Range(least, most) => {
                write!(f, "{setting} is {value}, {least} to {most} are allowed")
            }
        }
    }
}

impl Error for BuildError {}

/// Why a client could not connect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The hub is closed.
    Closed,
    /// The outbox limits of the options are out of range or too small for the hub's payloads.
    Outbox(BuildError),
    /// The hub has as many clients as it may.
    TooManyClients {
        /// [`Limits::max_clients`](crate::Limits::max_clients).
        limit: usize,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(CLOSED),
            Self::Outbox(error) => write!(f, "outbox limits of the client: {error}"),
            Self::TooManyClients { limit } => {
                write!(f, "client limit reached (Limits::max_clients, {limit})")
            }
        }
    }
}

impl Error for ConnectError {}

/// Why a channel could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelError {
    /// The hub is closed.
    Closed,
    /// The name is not one.
    Name(InvalidName),
    /// The hub has as many channels as it may.
    TooManyChannels {
        /// [`Limits::max_channels`](crate::Limits::max_channels).
        limit: usize,
    },
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(CLOSED),
            Self::Name(error) => not_a_name(f, error),
            Self::TooManyChannels { limit } => too_many_channels(f, *limit),
        }
    }
}

impl Error for ChannelError {}

/// Why a client could not join a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// It is in the channel, or about to be.
    AlreadySubscribed,
    /// The application's callbacks are behind by
    /// [`Limits::max_backlog`](crate::Limits::max_backlog) events, so no presence channel lets
    /// anybody in just now.
    Backlogged,
    /// The channel could not be had.
    Channel(ChannelError),
    /// The client was disconnected.
    Closed(Disconnect),
    /// The member that the authorizer named is too large for the limits of the hub.
    Member {
        /// `id` or `info`.
        field: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// The presence channel has as many members as it may.
    TooManyMembers {
        /// [`Limits::max_members`](crate::Limits::max_members).
        limit: usize,
    },
    /// The client has as many subscriptions as it may.
    TooManySubscriptions {
        /// [`Limits::max_subscriptions`](crate::Limits::max_subscriptions).
        limit: usize,
    },
    /// The authorizer denied it, or there is none and the channel needs one.
    Unauthorized {
        /// What the authorizer said.
        reason: Arc<str>,
    },
    /// The client was taken off the channel before it had joined.
    Unsubscribed,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadySubscribed => {
                f.write_str("the client is already subscribed to the channel, or is joining it")
            }
            Self::Backlogged => f.write_str(
                "presence callbacks are behind by Limits::max_backlog events: join again later",
            ),
            Self::Channel(error) => error.fmt(f),
            Self::Closed(why) => write!(f, "the client was disconnected: {why}"),
            Self::Member { field, len, max } => write!(
                f,
                "the member's {field} has {len} bytes, at most {max} are allowed \
                 (Limits::max_member_{field})"
            ),
            Self::TooManyMembers { limit } => {
                write!(f, "member limit reached (Limits::max_members, {limit})")
            }
            Self::TooManySubscriptions { limit } => write!(
                f,
                "subscription limit reached (Limits::max_subscriptions, {limit})"
            ),
            Self::Unauthorized { reason } => write!(f, "unauthorized: {reason}"),
            Self::Unsubscribed => f.write_str("the client was unsubscribed before it had joined"),
        }
    }
}

impl Error for SubscribeError {}

/// The client was not subscribed to the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotSubscribed;

impl fmt::Display for NotSubscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client is not subscribed to the channel")
    }
}

impl Error for NotSubscribed {}

/// The hub has no such client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownClient;

impl fmt::Display for UnknownClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no client of this id is connected")
    }
}

impl Error for UnknownClient {}

/// Why a message was not published; the message comes back with
/// [`PublishError::into_message`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// As many publications as may wait already wait for the publisher that is in the middle of
    /// the channel: see [`Limits::max_backlog`](crate::Limits::max_backlog).
    Backlogged(Message),
    /// The hub is closed.
    Closed(Message),
    /// The name of the channel is not one.
    Name(Message, InvalidName),
    /// The payload is larger than the hub allows.
    TooLarge {
        /// The message.
        message: Message,
        /// [`Limits::max_payload`](crate::Limits::max_payload).
        limit: usize,
    },
    /// The channel is to remember what is published to it, or to pass it on, but is not there, and
    /// the hub has as many channels as it may.
    TooManyChannels {
        /// The message.
        message: Message,
        /// [`Limits::max_channels`](crate::Limits::max_channels).
        limit: usize,
    },
}

impl PublishError {
    /// The message that was not published.
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self::Backlogged(message)
            | Self::Closed(message)
            | Self::Name(message, _)
            | Self::TooLarge { message, .. }
            | Self::TooManyChannels { message, .. } => message,
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backlogged(_) => f.write_str(
                "backlog of the channel is full (Limits::max_backlog): publish again later",
            ),
            Self::Closed(_) => f.write_str(CLOSED),
            Self::Name(_, error) => not_a_name(f, error),
            Self::TooLarge { message, limit } => too_large(f, message, *limit),
            Self::TooManyChannels { limit, .. } => too_many_channels(f, *limit),
        }
    }
}

impl Error for PublishError {}

/// Why a message was not sent to a client; the message comes back with
/// [`SendError::into_message`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The client was disconnected, perhaps for this message.
    Closed(Message),
    /// The client's outbox is full, and its policy drops the new message.
    Full(Message),
    /// The payload is larger than the hub allows.
    TooLarge {
        /// The message.
        message: Message,
        /// [`Limits::max_payload`](crate::Limits::max_payload).
        limit: usize,
    },
    /// The hub has no such client.
    UnknownClient(Message),
}

impl SendError {
    /// The message that was not sent.
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self::Closed(message)
            | Self::Full(message)
            | Self::TooLarge { message, .. }
            | Self::UnknownClient(message) => message,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => f.write_str("the client was disconnected"),
            Self::Full(_) => f.write_str("the client's outbox is full (OutboxLimits)"),
            Self::TooLarge { message, limit } => too_large(f, message, *limit),
            Self::UnknownClient(_) => UnknownClient.fmt(f),
        }
    }
}

impl Error for SendError {}

/// The client was disconnected, and everything it was still to get has been received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed(pub(super) Disconnect);

impl Closed {
    /// Why.
    #[must_use]
    pub fn disconnect(&self) -> &Disconnect {
        &self.0
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "disconnected: {}", self.0)
    }
}

impl Error for Closed {}

/// Why nothing was received at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryRecvError {
    /// The client was disconnected, and everything it was still to get has been received.
    Closed(Closed),
    /// Nothing is there now.
    Empty,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closed) => closed.fmt(f),
            Self::Empty => f.write_str("the outbox is empty"),
        }
    }
}

impl Error for TryRecvError {}

const CLOSED: &str = "the hub is closed";

fn too_large(f: &mut fmt::Formatter<'_>, message: &Message, limit: usize) -> fmt::Result {
    let len = message.payload().len();
    write!(
        f,
        "payload has {len} bytes, at most {limit} are allowed (Limits::max_payload)"
    )
}

fn not_a_name(f: &mut fmt::Formatter<'_>, error: &InvalidName) -> fmt::Result {
    write!(f, "not the name of a channel: {error}")
}

fn too_many_channels(f: &mut fmt::Formatter<'_>, limit: usize) -> fmt::Result {
    write!(f, "channel limit reached (Limits::max_channels, {limit})")
}
