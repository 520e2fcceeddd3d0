//! How peers on tungstenite can be told to be.

use std::env;

/// Whether this word is among the arguments.
pub(crate) fn told(word: &str) -> bool {
    env::args().any(|argument| argument == word)
}

/// Bytes of tungstenite's read buffer, which it fills with zeros each time it looks whether there
/// is something to read: few, unless an argument is `defaults`.
pub(crate) fn read_buffer() -> usize {
    if told("defaults") { 128 << 10 } else { 4 << 10 }
}
