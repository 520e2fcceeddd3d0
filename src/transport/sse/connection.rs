//! What a stream is called by those who may change it.

use std::fmt;

/// 128 bits that nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ConnectionId(u128);

impl ConnectionId {
    /// `None` when the operating system has no random numbers to give.
    pub(super) fn random() -> Option<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(u128::from_le_bytes(bytes)))
    }

    /// The id that [`ConnectionId`] shows as this text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 32 && text.bytes().all(is_digit);
        is_one.then(|| u128::from_str_radix(text, 16).ok().map(Self))?
    }
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
