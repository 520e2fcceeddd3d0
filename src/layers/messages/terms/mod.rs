//! What a search looks for, and how texts are cut into words: the same for every store.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::message::Format;

/// What a search looks for: every term must be in a message.
///
/// Written as people write it: words, `"a phrase"` in quotes, `beginni*` with a star, `-without`
/// with a minus. Upper and lower case are the same; punctuation separates words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms(Vec<Term>);

/// One thing looked for: words that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Term {
    /// The words, as [`words`] gives them; at least one.
    pub words: Vec<String>,
    /// Whether the last word may go on.
    pub is_prefix: bool,
    /// Whether it must not be there.
    pub is_excluded: bool,
}

impl Terms {
    /// The most bytes that they may be written with.
    pub const MAX_BYTES: usize = 256;
    /// The most words that may be looked for.
    pub const MAX_WORDS: usize = 16;

    /// The terms; at least one of them is not excluded.
    #[must_use]
    pub fn list(&self) -> &[Term] {
        &self.0
    }

    /// Whether a text, cut into words, has what is looked for.
    #[must_use]
    pub fn are_in(&self, words: &[String]) -> bool {
        let mut terms = self.0.iter();
        terms.all(|term| term.is_in(words) != term.is_excluded)
    }
}

impl Term {
    fn is_in(&self, text: &[String]) -> bool {
        let Some((last, first)) = self.words.split_last() else {
            return true;
        };
        text.windows(self.words.len()).any(|run| {
            let Some((run_last, run_first)) = run.split_last() else {
                return false;
            };
            let ends = if self.is_prefix {
                run_last.starts_with(last.as_str())
            } else {
                run_last == last
            };
            ends && run_first == first
        })
    }
}

impl FromStr for Terms {
    type Err = InvalidTerms;

    fn from_str(text: &str) -> Result<Self, InvalidTerms> {
        if text.len() > Self::MAX_BYTES {
            return Err(InvalidTerms::TooLong);
        }
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let is_excluded = rest.starts_with('-');
            let body = rest.strip_prefix('-').unwrap_or(rest);
            let (written, after, quoted) = piece(body)?;
            let words = words(written);
            if !words.is_empty() {
                terms.push(Term {
                    words,
                    is_prefix: !quoted && written.ends_with('*'),
                    is_excluded,
                });
            }
            rest = after.trim_start();
        }
        if terms.iter().map(|term| term.words.len()).sum::<usize>() > Self::MAX_WORDS {
            return Err(InvalidTerms::TooManyWords);
        }
        if terms.iter().all(|term| term.is_excluded) {
            return Err(InvalidTerms::Nothing);
        }
        Ok(Self(terms))
    }
}

/// The next piece of what was written, what comes after it, and whether it was in quotes.
fn piece(text: &str) -> Result<(&str, &str, bool), InvalidTerms> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (phrase, rest) = quoted.split_once('"').ok_or(InvalidTerms::OpenQuote)?;
        return Ok((phrase, rest, true));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    Ok((word, rest, false))
}

/// Why a text is no search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTerms {
    /// It looks for nothing: no word in it, or only excluded ones.
    Nothing,
    /// A quote is not closed.
    OpenQuote,
    /// It has more than [`Terms::MAX_BYTES`] bytes.
    TooLong,
    /// It has more than [`Terms::MAX_WORDS`] words.
    TooManyWords,
}

impl fmt::Display for InvalidTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("a search needs a word to look for"),
            Self::OpenQuote => f.write_str("a quote is not closed"),
            Self::TooLong => write!(f, "more than {} bytes", Terms::MAX_BYTES),
            Self::TooManyWords => write!(f, "more than {} words", Terms::MAX_WORDS),
        }
    }
}

impl Error for InvalidTerms {}

/// The most words of a message that can be found.
const MOST_WORDS: usize = 4096;

/// Cuts a text into words: runs of letters and digits, in lower case. Scripts that are written
/// without spaces between words are cut at every letter.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for letter in text.chars() {
        let alone = stands_alone(letter);
        if (alone || !letter.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if alone {
            words.push(letter.to_string());
        } else if letter.is_alphanumeric() {
            // Of İ there is a mark left, which is no letter.
            word.extend(letter.to_lowercase().filter(|it| it.is_alphanumeric()));
        }
        if words.len() >= MOST_WORDS {
            return words;
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Whether a letter is of a script without spaces between words: Thai to Khmer, kana, Han.
fn stands_alone(letter: char) -> bool {
    matches!(letter, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        && letter.is_alphanumeric()
}

/// The words of a message: of its text, or of all texts in its JSON but the names of fields; none
/// of a binary one.
#[must_use]
pub fn words_of(payload: &[u8], format: Format) -> Vec<String> {
    if format == Format::Binary {
        return Vec::new();
    }
    let Ok(text) = std::str::from_utf8(payload) else {
        return Vec::new();
    };
    match serde_json::from_str(text) {
        Ok(Value::String(text)) => words(&text),
        Ok(value @ (Value::Array(_) | Value::Object(_))) => {
            let mut found = String::new();
            collect(&value, &mut found);
            words(&found)
        }
        Ok(_) | Err(_) => words(text),
    }
}

fn collect(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => {
            into.push_str(text);
            into.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
