//! Where a page of messages begins: a place and a way, opaque to clients.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;

/// A place in what a store keeps, and which way to go from there. Printed, it has 12 characters
/// that fit into a URL; a client passes on what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two ways to go")]
pub enum Cursor {
    /// To messages with an id greater than this.
    Newer(u64),
    /// To messages with an id less than this.
    Older(u64),
}

/// How the bytes of the two begin.
const NEWER: u8 = 1;
const OLDER: u8 = 2;

/// How many bytes a cursor has: which way, and the place in big endian.
const LEN: usize = 9;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (way, id) = match self {
            Self::Newer(id) => (NEWER, id),
            Self::Older(id) => (OLDER, id),
        };
        let mut bytes = [way; LEN];
        bytes[1..].copy_from_slice(&id.to_be_bytes());
        f.write_str(&BASE64URL_NOPAD.encode(&bytes))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut bytes = [0; LEN];
        if BASE64URL_NOPAD.decode_len(text.len()) != Ok(LEN) {
            return Err(InvalidCursor);
        }
        let decoded = BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut bytes);
        decoded.map_err(|_| InvalidCursor)?;
        let [way, id @ ..] = bytes;
        let id = u64::from_be_bytes(id);
        match way {
            NEWER => Ok(Self::Newer(id)),
            OLDER => Ok(Self::Older(id)),
            _ => Err(InvalidCursor),
        }
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidCursor;

impl fmt::Display for InvalidCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cursor is what a page gave as `older` or `newer`")
    }
}

impl Error for InvalidCursor {}

#[cfg(test)]
mod tests;
