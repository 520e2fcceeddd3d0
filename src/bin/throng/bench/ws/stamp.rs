//! A text that says when it was published.

use std::fmt::Write;

/// The shortest payload with a stamp, in bytes.
pub(super) const LEAST: usize = 32;

/// A text of `size` bytes, published `nanos` after the start.
pub(super) fn write(nanos: u64, size: usize, text: &mut String) {
    text.clear();
    text.push_str(MARK);
    // Writing into a string cannot fail.
    let _written = write!(text, "{nanos:0DIGITS$x}");
    text.extend(std::iter::repeat_n('x', size.saturating_sub(text.len())));
}

/// Finds stamps in frames. All frames of a run look much alike, so it first looks where the last
/// stamp was.
#[derive(Default)]
pub(super) struct Finder {
    at: usize,
}

impl Finder {
    /// The nanoseconds of the stamp in `frame`, if there is one.
    pub(super) fn find(&mut self, frame: &[u8]) -> Option<u64> {
        let mark = MARK.as_bytes();
        let there = frame
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(mark));
        if !there {
            self.at = frame
                .windows(mark.len())
                .position(|window| window == mark)?;
        }
        let digits = frame.get(self.at + mark.len()..)?.get(..DIGITS)?;
        u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

/// What no other part of a frame contains.
const MARK: &str = "throng@";

/// Hexadecimal digits of a stamp.
const DIGITS: usize = 16;
