//! Channels that belong to one user each, by their names.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::pattern::InvalidPattern;
use super::pattern::Kind;
use super::pattern::Pattern;

/// Channels that belong to the user whom a segment of their name names.
///
/// ```
/// use throng::channels::PrivateChannels;
///
/// let private = PrivateChannels::parse("user.{user}.>")?;
/// assert_eq!(private.owner("user.ada.inbox").as_deref(), Some("ada"));
/// assert_eq!(private.owner("news.ada.inbox"), None);
/// assert_eq!(PrivateChannels::segment("ada@x.org"), "ada@x%2Eorg");
/// # Ok::<(), throng::channels::InvalidPrivateChannels>(())
/// ```
///
/// Only its owner may subscribe to such a channel, publish to it and read about it; a pattern
/// matches it only if the whole pattern is within the channels of that user. The server's side may
/// do everything.
///
/// In the segment for the user, a dot of the id is written as `%2E` and a percent sign as `%25`
/// ([`PrivateChannels::segment`]), so that `user.a.b` is a channel of `a` and never of `a.b`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PrivateChannels {
    /// The rule, with `*` in place of the user.
    pattern: Pattern,
    /// The number of segments before the one of the user.
    before: usize,
}

/// The segment that stands for the user in a rule.
const USER: &str = "{user}";

impl PrivateChannels {
    /// Reads a rule: a pattern by segments, in which one segment is `{user}`.
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateChannels`]: it is no pattern, or not exactly one segment is `{user}`.
    pub fn parse(rule: &str) -> Result<Self, InvalidPrivateChannels> {
        let mut users = rule.split('.').enumerate();
        let before = users.find(|(_, segment)| *segment == USER);
        let (before, _) = before.ok_or(InvalidPrivateChannels::NoUser)?;
        if users.any(|(_, segment)| segment == USER) {
            return Err(InvalidPrivateChannels::TwoUsers);
        }
        let pattern = Pattern::parse(&rule.replacen(USER, "*", 1));
        let pattern = pattern.map_err(InvalidPrivateChannels::Pattern)?;
        Ok(Self { pattern, before })
    }

    /// Returns the user to whom a channel belongs, if it belongs to one.
    #[must_use]
    pub fn owner<'a>(&self, channel: &'a str) -> Option<Cow<'a, str>> {
        if !self.pattern.matches(channel) {
            return None;
        }
        channel.split('.').nth(self.before).map(user_of)
    }

    /// Returns the user to whom all channels belong that a pattern can match, if there is one.
    #[must_use]
    pub fn owner_of_pattern<'a>(&self, pattern: &'a Pattern) -> Option<Cow<'a, str>> {
        if !self.pattern.covers(pattern) {
            return None;
        }
        let whole = match pattern.kind() {
            Kind::Segments => pattern.text(),
            // The last segment of a prefix may go on.
            Kind::Prefix => pattern.text().rsplit_once('.')?.0,
            Kind::Suffix => return None,
        };
        let segment = whole.split('.').nth(self.before)?;
        (!matches!(segment, "*" | ">")).then(|| user_of(segment))
    }

    /// Returns the segment that stands for a user in the name of a channel.
    #[must_use]
    pub fn segment(user: &str) -> Cow<'_, str> {
        if !user.contains(['.', '%']) {
            return Cow::Borrowed(user);
        }
        Cow::Owned(user.replace('%', "%25").replace('.', "%2E"))
    }
}

/// The user that a segment stands for.
fn user_of(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    Cow::Owned(segment.replace("%2E", ".").replace("%25", "%"))
}

/// The rules of a gateway. A cheap clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllPrivate(Arc<[PrivateChannels]>);

impl AllPrivate {
    #[cfg(feature = "ws")]
    pub(crate) fn new(rules: Vec<PrivateChannels>) -> Self {
        Self(rules.into())
    }

    #[cfg(feature = "ws")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the user to whom a channel belongs by the first rule that it matches.
    pub(crate) fn owner<'a>(&self, channel: &'a str) -> Option<Cow<'a, str>> {
        self.0.iter().find_map(|rule| rule.owner(channel))
    }

    /// Returns the user to whom all channels of a pattern belong.
    pub(crate) fn owner_of_pattern<'a>(&self, pattern: &'a Pattern) -> Option<Cow<'a, str>> {
        let mut rules = self.0.iter();
        rules.find_map(|rule| rule.owner_of_pattern(pattern))
    }
}

/// The error returned when a rule for private channels is not understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidPrivateChannels {
    /// No segment is `{user}`.
    NoUser,
    /// It is no pattern.
    Pattern(InvalidPattern),
    /// More than one segment is `{user}`.
    TwoUsers,
}

impl fmt::Display for InvalidPrivateChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUser => f.write_str("one segment of the rule must be `{user}`"),
            Self::Pattern(error) => write!(f, "{error}"),
            Self::TwoUsers => f.write_str("only one segment of the rule may be `{user}`"),
        }
    }
}

impl Error for InvalidPrivateChannels {}

#[cfg(test)]
mod tests;
