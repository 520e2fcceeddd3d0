//! A text that says which message it is and when it was published.

use std::fmt::Write;
use std::iter;

/// The shortest payload with a stamp, in bytes.
pub(in crate::bench) const LEAST: usize = 32;

/// Which message it is, and when it was published.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::bench) struct MessageHeader {
    /// Counted from 0 by the pacer.
    pub(in crate::bench) number: u32,
    /// From the start of the load generator.
    pub(in crate::bench) nanos: u64,
}

impl MessageHeader {
    /// Makes `text` a text of `size` bytes with this stamp.
    pub(in crate::bench) fn write(self, size: usize, text: &mut String) {
        let Self { number, nanos } = self;
        text.clear();
        // Writing into a string cannot fail.
        let _written = write!(text, "{MARK}{number:0NUMBER$x}{nanos:0NANOS$x}");
        text.extend(iter::repeat_n('x', size.saturating_sub(text.len())));
    }
}

/// Finds stamps in frames. All frames of a run look much alike, so it first looks where the last
/// stamp was.
#[derive(Default)]
pub(in crate::bench) struct Finder {
    at: usize,
}

impl Finder {
    /// The stamp in `frame`, if there is one.
    pub(in crate::bench) fn find(&mut self, frame: &[u8]) -> Option<MessageHeader> {
        let mark = MARK.as_bytes();
        let there = |at: usize| frame.get(at..).is_some_and(|rest| rest.starts_with(mark));
        if !there(self.at) {
            self.at = (0..frame.len()).find(|&at| there(at))?;
        }
        let digits = frame.get(self.at + mark.len()..)?.get(..NUMBER + NANOS)?;
        let (number, nanos) = str::from_utf8(digits).ok()?.split_at_checked(NUMBER)?;
        Some(MessageHeader {
            number: u32::from_str_radix(number, 16).ok()?,
            nanos: u64::from_str_radix(nanos, 16).ok()?,
        })
    }
}

/// What no other part of a frame contains.
const MARK: &str = "throng@";

/// Hexadecimal digits of the parts of a stamp.
const NUMBER: usize = 8;
const NANOS: usize = 16;

const _: () = assert!(MARK.len() + NUMBER + NANOS <= LEAST);

#[cfg(test)]
mod tests;
