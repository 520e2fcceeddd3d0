//! Patterns: many channels by one name.

mod index;

use std::error::Error;
use std::fmt;

use crate::id::InvalidName;
use crate::id::check_characters;

pub(super) use self::index::Index;

/// Many channels by one name.
///
/// ```
/// use throng::channels::Pattern;
///
/// let live = Pattern::parse("sport.*.live")?;
/// assert!(live.matches("sport.tennis.live"));
/// assert!(!live.matches("sport.tennis.junior.live"), "one segment for each star");
/// assert!(Pattern::parse("sport.>")?.matches("sport.tennis.junior.live"));
/// assert!(Pattern::prefix("spo")?.matches("sport"));
/// assert!(Pattern::suffix(".live")?.matches("sport.live"));
/// # Ok::<(), throng::channels::InvalidPattern>(())
/// ```
///
/// Segments stand between dots. `*` is any one segment, and `>`, as the last one, any one or more;
/// neither is special inside a segment. The syntax is that of NATS subjects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    kind: Kind,
    text: Box<str>,
}

/// How the text of a pattern is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Prefix,
    Segments,
    Suffix,
}

impl Pattern {
    /// The most bytes of a pattern.
    pub const MAX_LEN: usize = 128;
    /// The most segments of a pattern.
    pub const MAX_SEGMENTS: usize = 16;

    /// A pattern by segments.
    ///
    /// # Errors
    ///
    /// [`InvalidPattern`] when it is empty, too long, has too many segments, an empty one, a `>`
    /// that is not the last, or a character that no name has.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        check(text)?;
        let mut segments = text.split('.').peekable();
        let mut count = 0;
        while let Some(segment) = segments.next() {
            count += 1;
            if segment.is_empty() {
                return Err(InvalidPattern::EmptySegment);
            }
            if segment == ">" && segments.peek().is_some() {
                return Err(InvalidPattern::RestNotLast);
            }
        }
        if count > Self::MAX_SEGMENTS {
            return Err(InvalidPattern::TooManySegments);
        }
        Ok(Self::of(Kind::Segments, text))
    }

    /// All channels whose names begin so.
    ///
    /// # Errors
    ///
    /// [`InvalidPattern`] when it is empty, too long or has a control character.
    pub fn prefix(text: &str) -> Result<Self, InvalidPattern> {
        check(text)?;
        Ok(Self::of(Kind::Prefix, text))
    }

    /// All channels whose names end so.
    ///
    /// # Errors
    ///
    /// As [`Pattern::prefix`].
    pub fn suffix(text: &str) -> Result<Self, InvalidPattern> {
        check(text)?;
        Ok(Self::of(Kind::Suffix, text))
    }

    /// The pattern that [`Display`](fmt::Display) has written.
    ///
    /// # Errors
    ///
    /// As for the pattern itself.
    pub fn from_canonical(text: &str) -> Result<Self, InvalidPattern> {
        match text.split_at_checked(2) {
            Some(("p:", rest)) => Self::prefix(rest),
            Some(("s:", rest)) => Self::parse(rest),
            Some(("x:", rest)) => Self::suffix(rest),
            _ => Err(InvalidPattern::Empty),
        }
    }

    /// Whether a channel of this name is one of them. Channels of the layers never are.
    #[must_use]
    pub fn matches(&self, channel: &str) -> bool {
        match self.kind {
            Kind::Prefix => channel.starts_with(&*self.text),
            Kind::Segments => matches_segments(&self.text, channel),
            Kind::Suffix => channel.ends_with(&*self.text),
        }
    }

    /// Whether every channel that `other` can match is one of them. It may be `false` of patterns
    /// that are made with [`Pattern::prefix`] or [`Pattern::suffix`] though it is so.
    ///
    /// ```
    /// use throng::channels::Pattern;
    ///
    /// let news = Pattern::parse("news.>")?;
    /// assert!(news.covers(&Pattern::parse("news.*.live")?));
    /// assert!(!news.covers(&Pattern::parse("*.today")?));
    /// # Ok::<(), throng::channels::InvalidPattern>(())
    /// ```
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self.kind, other.kind) {
            (Kind::Segments, _) if *self.text == *">" => true,
            (Kind::Segments, Kind::Segments) => covers_segments(&self.text, &other.text),
            (Kind::Segments, Kind::Prefix) => covers_prefix(&self.text, &other.text),
            (Kind::Prefix, Kind::Prefix) => other.text.starts_with(&*self.text),
            (Kind::Suffix, Kind::Suffix) => other.text.ends_with(&*self.text),
            _ => false,
        }
    }

    /// The text that it was made of.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// How the names begin that it can match.
    pub(super) fn literal_prefix(&self) -> &str {
        match self.kind {
            Kind::Prefix => &self.text,
            Kind::Suffix => "",
            Kind::Segments => {
                let wild = self
                    .text
                    .split_inclusive('.')
                    .take_while(|segment| !matches!(segment.trim_end_matches('.'), "*" | ">"))
                    .map(str::len)
                    .sum();
                &self.text[..wild]
            }
        }
    }

    fn of(kind: Kind, text: &str) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}

/// Writes the canonical form: `s:sport.*`, `p:spo` or `x:.live`.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Prefix => 'p',
            Kind::Segments => 's',
            Kind::Suffix => 'x',
        };
        write!(f, "{kind}:{}", self.text)
    }
}

fn matches_segments(pattern: &str, channel: &str) -> bool {
    let mut names = channel.split('.');
    for segment in pattern.split('.') {
        match (segment, names.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (segment, Some(name)) if segment == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

/// Whether the segments of one pattern match all that those of another do.
fn covers_segments(pattern: &str, other: &str) -> bool {
    let mut others = other.split('.');
    for segment in pattern.split('.') {
        match (segment, others.next()) {
            (">", Some(_)) => return true,
            (_, Some(">")) | (_, None) => return false,
            ("*", Some(_)) => {}
            (segment, Some(other)) if segment == other => {}
            _ => return false,
        }
    }
    others.next().is_none()
}

/// Whether segments match all names that begin so: the last segment of the prefix may go on, and
/// others may follow.
fn covers_prefix(pattern: &str, prefix: &str) -> bool {
    let mut whole = prefix.split('.');
    whole.next_back();
    for segment in pattern.split('.') {
        match (segment, whole.next()) {
            (">", _) => return true,
            ("*", Some(_)) => {}
            (segment, Some(other)) if segment == other => {}
            _ => return false,
        }
    }
    false
}

fn check(text: &str) -> Result<(), InvalidPattern> {
    if text.is_empty() {
        return Err(InvalidPattern::Empty);
    }
    if text.len() > Pattern::MAX_LEN {
        return Err(InvalidPattern::TooLong);
    }
    check_characters(text).map_err(InvalidPattern::Character)
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidPattern {
    /// It has a character that no name has.
    Character(InvalidName),
    /// It is empty.
    Empty,
    /// There is nothing between two dots, or before the first or after the last.
    EmptySegment,
    /// A `>` is not the last segment.
    RestNotLast,
    /// It has more than [`Pattern::MAX_LEN`] bytes.
    TooLong,
    /// It has more than [`Pattern::MAX_SEGMENTS`] segments.
    TooManySegments,
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(error) => write!(f, "as that of a channel, {error}"),
            Self::Empty => f.write_str("a pattern is not empty"),
            Self::EmptySegment => f.write_str("a pattern has no empty segments"),
            Self::RestNotLast => f.write_str("`>` is the last segment of a pattern"),
            Self::TooLong => write!(f, "a pattern has at most {} bytes", Pattern::MAX_LEN),
            Self::TooManySegments => {
                write!(
                    f,
                    "a pattern has at most {} segments",
                    Pattern::MAX_SEGMENTS
                )
            }
        }
    }
}

impl Error for InvalidPattern {}

#[cfg(test)]
mod tests;
