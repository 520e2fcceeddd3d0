//! Pairs of texts in one block of memory.
//!
//! For the few keys and values that are held per client and hardly ever read: a pair costs its own
//! bytes and two more, four if one of its texts has 64 bytes or more, and all pairs share one
//! allocation.
//!
//! # Memory
//!
//! Up to 512 bytes the block is as large as the pairs need; beyond that it grows by doubling, so
//! that adding a pair takes amortized constant time.

#[cfg(test)]
mod tests;

use std::fmt;

/// Pairs of texts, in the order in which they were added. Keys may repeat.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// For each pair, the length of the key and of the value as [`push_length`] writes them, then
    /// both.
    text: String,
}

impl Pairs {
    /// Adds a pair at the end.
    pub(crate) fn push(&mut self, key: &str, value: &str) {
        let more = length_bytes(key.len()) + length_bytes(value.len()) + key.len() + value.len();
        if self.text.len() + more <= EXACT {
            self.text.reserve_exact(more);
        } else {
            self.text.reserve(more);
        }
        push_length(key.len(), &mut self.text);
        push_length(value.len(), &mut self.text);
        self.text.push_str(key);
        self.text.push_str(value);
    }

    /// Returns the pairs in the order in which they were added.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.text }
    }

    /// Returns the bytes on the heap.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.text.capacity()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Pairs {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut all = Self::default();
        for (key, value) in pairs {
            all.push(key, value);
        }
        all
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The pairs that are still to come.
pub(crate) struct Iter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let key = take_length(&mut self.rest);
        let value = take_length(&mut self.rest);
        let (pair, rest) = self.rest.split_at(key + value);
        self.rest = rest;
        Some(pair.split_at(key))
    }
}

/// The longest block that is no larger than its pairs need.
const EXACT: usize = 512;

/// Bits of a length in each byte. The next bit is set if more bytes follow, and the highest never
/// is, so that a length is text as well.
const BITS: u32 = 6;

const MORE: u8 = 1 << BITS;

/// Writes a length, its lowest bits first.
fn push_length(mut length: usize, text: &mut String) {
    while length >> BITS > 0 {
        text.push(char::from(low(length) | MORE));
        length >>= BITS;
    }
    text.push(char::from(low(length)));
}

/// Takes a length off the front of a text.
fn take_length(text: &mut &str) -> usize {
    let mut length = 0;
    for (at, byte) in text.bytes().enumerate() {
        length |= usize::from(byte & !MORE) << (BITS as usize * at);
        if byte & MORE == 0 {
            *text = &text[at + 1..];
            break;
        }
    }
    length
}

fn length_bytes(length: usize) -> usize {
    let bits = usize::BITS - length.leading_zeros();
    bits.div_ceil(BITS).max(1) as usize
}

fn low(length: usize) -> u8 {
    (length & usize::from(MORE - 1)).to_le_bytes()[0]
}
