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

    /// Returns the number of the client.
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
    /// Checks a name: not empty, at most `max_len` bytes, and no characters that
    /// [mislead](check_characters).
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
        check_characters(name)
    }

    /// Returns the name of the channel.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the kind that the name's prefix gives the channel.
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

/// The kind of a channel: who may join it, and whether it keeps a roster. Read off the name's
/// prefix, as Laravel Echo and Pusher do.
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

/// Checks the characters of a text that identifies a user or a thing: two that look alike must be
/// equal, and a text must read as it is written.
///
/// Refused are control characters; spaces at either end, and other spaces than U+0020 and U+3000
/// anywhere; characters that cannot be seen, such as U+200B; and those that reorder the text
/// around them, such as U+202E. Variation selectors and joiners are allowed where they are part of
/// an emoji. Letters of different scripts may still look alike.
pub(crate) fn check_characters(text: &str) -> Result<(), InvalidName> {
    let edges = [text.chars().next(), text.chars().next_back()];
    let space = edges.into_iter().flatten().find(|c| c.is_whitespace());
    if let Some(character) = space.filter(|c| !c.is_control()) {
        return Err(InvalidName::EdgeSpace { character });
    }
    let mut before = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character.is_control() {
            return Err(InvalidName::ControlCharacter { at, character });
        }
        if !character.is_ascii() {
            let after = characters.peek().map(|(_, after)| *after);
            if misleads(before, character, after) {
                return Err(InvalidName::Misleading { at, character });
            }
        }
        before = Some(character);
    }
    Ok(())
}

fn misleads(before: Option<char>, character: char, after: Option<char>) -> bool {
    let is_symbol = |c: Option<char>| {
        c.is_some_and(|c| !c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace())
    };
    match character {
        // Variation selectors.
        '\u{FE00}'..='\u{FE0F}' => !is_symbol(before),
        // The joiner.
        '\u{200D}' => !is_symbol(before) || !is_symbol(after),
        '\u{3000}' => false,
        // Soft hyphen, grapheme joiner, Arabic letter mark, Hangul and Khmer fillers.
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' => {
            true
        }
        // Mongolian selectors, zero-width characters, marks and overrides of direction.
        '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' => true,
        // Invisible operators, isolates, deprecated format characters, fillers.
        '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' => true,
        // Annotations, shorthand and musical format characters, tags and further selectors.
        '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' => true,
        '\u{E0000}'..='\u{E0FFF}' => true,
        character => character.is_whitespace(),
    }
}

/// The error returned for a text that is not a name.
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
    /// It begins or ends with a space.
    EdgeSpace {
        /// The space.
        character: char,
    },
    /// It has no characters.
    Empty,
    /// It has a character that cannot be seen, or that changes how those around it are read.
    Misleading {
        /// The byte at which it stands, counted from 0.
        at: usize,
        /// The character.
        character: char,
    },
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
            Self::EdgeSpace { character } => write!(
                f,
                "the name begins or ends with the space U+{:04X}, none is allowed there",
                u32::from(*character)
            ),
            Self::Empty => f.write_str("the name is empty, at least 1 byte is required"),
            Self::Misleading { at, character } => write!(
                f,
                "the name has the character U+{:04X} at byte {at}, which cannot be seen or changes \
                 how others are read",
                u32::from(*character)
            ),
            Self::TooLong { len, max } => {
                write!(f, "the name has {len} bytes, at most {max} are allowed")
            }
        }
    }
}

impl std::error::Error for InvalidName {}

#[cfg(test)]
mod tests;
