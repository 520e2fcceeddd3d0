//! Names and numbers that identify things, parsed once.

use std::borrow::Borrow;
use std::fmt;
use std::num::ParseIntError;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

/// The number a hub gives to a client; never given twice by one hub.
///
/// It is guessable: it identifies, it does not authorise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u64);

impl ClientId {
    /// The id with this number, as [`ClientId::get`] gave it.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ClientId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The name of a channel: shared, so that a clone is one reference count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// Checks a name: not empty, at most `max_len` bytes, no control characters.
    pub(crate) fn parse(name: &str, max_len: usize) -> Result<Self, InvalidName> {
        Self::check(name, max_len).map(|()| Self(name.into()))
    }

    pub(crate) fn check(name: &str, max_len: usize) -> Result<(), InvalidName> {
        if name.is_empty() {
            return Err(InvalidName::Empty);
        }
        if name.len() > max_len {
            return Err(InvalidName::TooLong {
                len: name.len(),
                max: max_len,
            });
        }
        match name.char_indices().find(|(_, c)| c.is_control()) {
            Some((at, character)) => Err(InvalidName::ControlCharacter { at, character }),
            None => Ok(()),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the name's prefix says about the channel.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        ChannelKind::of(&self.0)
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Deref for ChannelName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ChannelName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Who may join a channel and whether it keeps a roster; read off the name's prefix, as Laravel
/// Echo and Pusher do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelKind {
    /// `presence-…`: joined by leave of the [`Authorizer`](crate::Authorizer); keeps a roster.
    Presence,
    /// `private-…`: joined by leave of the [`Authorizer`](crate::Authorizer).
    Private,
    /// Any other name: joined by anyone.
    Public,
}

impl ChannelKind {
    /// The kind of a channel of this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        if name.starts_with("presence-") {
            Self::Presence
        } else if name.starts_with("private-") {
            Self::Private
        } else {
            Self::Public
        }
    }

    /// `presence`, `private` or `public`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not the name of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidName {
    /// It has a control character.
    ControlCharacter {
        /// The byte at which it stands, counted from 0.
        at: usize,
        /// The character.
        character: char,
    },
    /// It has no characters.
    Empty,
    /// It has too many bytes.
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The most that is allowed.
        max: usize,
    },
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlCharacter { at, character } => write!(
                f,
                "the name has the control character U+{:04X} at byte {at}, none is allowed",
                u32::from(*character)
            ),
            Self::Empty => f.write_str("the name is empty, at least 1 byte is required"),
            Self::TooLong { len, max } => {
                write!(f, "the name has {len} bytes, at most {max} are allowed")
            }
        }
    }
}

impl std::error::Error for InvalidName {}
