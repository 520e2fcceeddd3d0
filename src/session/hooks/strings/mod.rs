//! The strings in a JSON text: found, decoded and replaced, the rest of the text byte for byte.
//!
//! # Cost
//!
//! One pass over the text. A string without escapes is borrowed; a text in which no string is
//! replaced is not copied.

use std::borrow::Cow;
use std::ops::Range;

/// A string of a JSON text.
struct Found {
    /// The bytes between its quotes.
    inside: Range<usize>,
    /// Whether it is the key of an object.
    is_key: bool,
}

/// Finds the next string at or after `from`. `json` is well formed.
fn next(json: &str, from: usize) -> Option<Found> {
    let bytes = json.as_bytes();
    let begin = from + bytes.get(from..)?.iter().position(|byte| *byte == b'"')? + 1;
    let mut end = begin;
    loop {
        match bytes.get(end)? {
            b'"' => break,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    let mut rest = bytes.get(end + 1..)?.iter();
    let after = rest.find(|byte| !byte.is_ascii_whitespace());
    Some(Found {
        inside: begin..end,
        is_key: after == Some(&b':'),
    })
}

/// Calls `visit` with each string of `json` that is a value and replaces those for which it
/// returns another text. Returns `None` if it replaced none.
pub(super) fn rewrite(json: &str, mut visit: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut rewritten: Option<String> = None;
    let (mut from, mut copied) = (0, 0);
    while let Some(found) = next(json, from) {
        from = found.inside.end + 1;
        if found.is_key {
            continue;
        }
        let raw = json.get(found.inside.clone()).unwrap_or_default();
        let Some(replaced) = visit(&decode(raw)) else {
            continue;
        };
        let rewritten = rewritten.get_or_insert_with(|| String::with_capacity(json.len()));
        rewritten.push_str(json.get(copied..found.inside.start - 1).unwrap_or_default());
        rewritten.push_str(&serde_json::Value::from(replaced).to_string());
        copied = found.inside.end + 1;
    }
    let mut rewritten = rewritten?;
    rewritten.push_str(json.get(copied..).unwrap_or_default());
    Some(rewritten)
}

/// Returns `true` if `wanted` returns `true` for a key of an object in `json`.
pub(super) fn has_key(json: &str, mut wanted: impl FnMut(&str) -> bool) -> bool {
    let mut from = 0;
    while let Some(found) = next(json, from) {
        from = found.inside.end + 1;
        let raw = json.get(found.inside).unwrap_or_default();
        if found.is_key && wanted(&decode(raw)) {
            return true;
        }
    }
    false
}

/// Decodes the inside of a string. Half of a surrogate pair, which JSON allows and Unicode does
/// not, becomes U+FFFD.
fn decode(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        text.push(match rest.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => unicode(&mut rest),
            Some(other) => other,
            None => char::REPLACEMENT_CHARACTER,
        });
    }
    Cow::Owned(text)
}

/// The character of the four digits at the front of `rest`, and of those of the second half of a
/// pair.
fn unicode(rest: &mut std::str::Chars<'_>) -> char {
    let first = digits(rest);
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    let mut ahead = rest.clone();
    if (ahead.next(), ahead.next()) != (Some('\\'), Some('u')) {
        return char::REPLACEMENT_CHARACTER;
    }
    let second = digits(&mut ahead);
    if !(0xDC00..0xE000).contains(&second) {
        return char::REPLACEMENT_CHARACTER;
    }
    *rest = ahead;
    let pair = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn digits(rest: &mut std::str::Chars<'_>) -> u32 {
    let four = rest.by_ref().take(4);
    four.fold(0, |value, c| value << 4 | c.to_digit(16).unwrap_or(0))
}

#[cfg(test)]
mod tests;
