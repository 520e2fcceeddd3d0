//! Text without what does not count when it is compared: case, and characters that are invisible.

use std::ops::Range;

/// A text in lower case, without invisible characters, and where each of its bytes came from.
pub(super) struct Folded {
    text: String,
    /// For each byte, the place of its character in the text that was folded; empty if the places
    /// are the same.
    places: Vec<usize>,
}

impl Folded {
    pub(super) fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self {
                text: text.to_ascii_lowercase(),
                places: Vec::new(),
            };
        }
        let mut folded = Self {
            text: String::with_capacity(text.len()),
            places: Vec::with_capacity(text.len()),
        };
        for (place, c) in text.char_indices() {
            if is_invisible(c) {
                continue;
            }
            for lower in c.to_lowercase() {
                folded.text.push(lower);
                folded.places.resize(folded.text.len(), place);
            }
        }
        folded
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The range of the original text that these bytes of the folded text came from.
    pub(super) fn origin(&self, original: &str, range: Range<usize>) -> Range<usize> {
        let place = |at: usize| self.places.get(at).copied().unwrap_or(at);
        let last = place(range.end.saturating_sub(1));
        let rest = original.get(last..).unwrap_or_default();
        let width = rest.chars().next().map_or(0, char::len_utf8);
        place(range.start)..last + width
    }

    /// Whether neither end of the range is in the middle of a word.
    pub(super) fn is_whole(&self, range: &Range<usize>) -> bool {
        let before = self.text.get(..range.start).unwrap_or_default();
        let after = self.text.get(range.end..).unwrap_or_default();
        !before.chars().next_back().is_some_and(is_word)
            && !after.chars().next().is_some_and(is_word)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a character shows nothing: soft hyphens, zero-width and direction marks, variation
/// selectors.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{E0000}'..='\u{E01EF}'
    )
}
