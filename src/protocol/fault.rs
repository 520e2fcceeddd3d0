//! What is wrong with a request, in a form that a program can read.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use super::RequestId;

/// Why a request was refused: a stable code for programs, a sentence for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    code: ErrorCode,
    message: Cow<'static, str>,
    field: Option<&'static str>,
    reply_to: Option<RequestId>,
}

impl Fault {
    /// A fault that concerns the whole request.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            reply_to: None,
        }
    }

    /// Names the field that is at fault.
    #[must_use]
    pub fn field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// Names the request that is at fault; `None` when its id could not be read.
    #[must_use]
    pub fn reply_to(mut self, id: Option<RequestId>) -> Self {
        self.reply_to = id;
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What went wrong, for people; its wording may change.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The field at fault, when one is.
    #[must_use]
    pub fn at(&self) -> Option<&'static str> {
        self.field
    }

    /// The request at fault, when its id is known.
    #[must_use]
    pub fn request(&self) -> Option<&RequestId> {
        self.reply_to.as_ref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Error for Fault {}

/// The stable codes of errors on the wire. New ones may be added; none changes its meaning.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The client is subscribed to this channel already.
    AlreadySubscribed,
    /// Too many publications wait in this channel; try again later.
    Backlogged,
    /// The hub or the client is closing.
    Closed,
    /// This server does not let clients publish.
    Forbidden,
    /// The channel's name is empty, too long, or has characters that are not allowed.
    InvalidChannel,
    /// A field has the wrong type or an impossible value.
    InvalidField,
    /// The frame is not one JSON object.
    InvalidJson,
    /// A field that this command needs is missing.
    MissingField,
    /// The channel has no members to list: its name does not start with `presence-`.
    NotPresence,
    /// The client is not subscribed to this channel.
    NotSubscribed,
    /// Too many commands; try again later.
    RateLimited,
    /// Objects and arrays are nested too deeply.
    TooDeep,
    /// A field or a payload is larger than its limit.
    TooLarge,
    /// The hub has as many channels as it may have.
    TooManyChannels,
    /// The channel has as many members as it may have.
    TooManyMembers,
    /// The client has as many subscriptions as it may have.
    TooManySubscriptions,
    /// The channel may not be joined with what this client has shown.
    Unauthorized,
    /// No command has this type.
    UnknownType,
    /// Commands are JSON in text frames; this was a binary frame.
    UnsupportedFrame,
}

impl ErrorCode {
    /// The code as it is on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadySubscribed => "already_subscribed",
            Self::Backlogged => "backlogged",
            Self::Closed => "closed",
            Self::Forbidden => "forbidden",
            Self::InvalidChannel => "invalid_channel",
            Self::InvalidField => "invalid_field",
            Self::InvalidJson => "invalid_json",
            Self::MissingField => "missing_field",
            Self::NotPresence => "not_presence",
            Self::NotSubscribed => "not_subscribed",
            Self::RateLimited => "rate_limited",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::TooManyChannels => "too_many_channels",
            Self::TooManyMembers => "too_many_members",
            Self::TooManySubscriptions => "too_many_subscriptions",
            Self::Unauthorized => "unauthorized",
            Self::UnknownType => "unknown_type",
            Self::UnsupportedFrame => "unsupported_frame",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
