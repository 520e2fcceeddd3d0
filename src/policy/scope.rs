//! The messages that a schema or a filter applies to.

use std::error::Error;
use std::fmt;

use serde::Deserialize;

use crate::layers::channels::Pattern;
use crate::session::Draft;

/// The messages that a schema or a filter applies to: all, unless something is given.
///
/// A message matches if it is to a channel that one of the patterns matches or to a room of one of
/// the categories, where any are given, and has one of the events, where any are given.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    channels: Vec<Pattern>,
    categories: Vec<Box<str>>,
    events: Vec<Box<str>>,
}

/// A [`Scope`] as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    pub(super) channels: Vec<String>,
    #[serde(default)]
    pub(super) categories: Vec<String>,
    #[serde(default)]
    pub(super) events: Vec<String>,
}

/// The error returned when a text is not a pattern of channels.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidScope {
    pattern: String,
    why: String,
}

impl Scope {
    /// Creates the scope of all messages.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Adds the channels that a pattern such as `orders.*` matches.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] if the pattern cannot be understood.
    pub fn channels(mut self, pattern: &str) -> Result<Self, InvalidScope> {
        let parsed = Pattern::parse(pattern).map_err(|error| InvalidScope {
            pattern: pattern.to_owned(),
            why: error.to_string(),
        })?;
        self.channels.push(parsed);
        Ok(self)
    }

    /// Adds the rooms of a category.
    #[must_use]
    pub fn category(mut self, category: impl Into<Box<str>>) -> Self {
        self.categories.push(category.into());
        self
    }

    /// Adds an event.
    #[must_use]
    pub fn event(mut self, event: impl Into<Box<str>>) -> Self {
        self.events.push(event.into());
        self
    }

    /// Returns `true` if it is the scope of all messages.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.channels.is_empty() && self.categories.is_empty() && self.events.is_empty()
    }

    /// Returns `true` if the message is in the scope.
    #[must_use]
    pub fn covers(&self, draft: &Draft) -> bool {
        self.covers_target(draft) && self.covers_event(draft.event())
    }

    fn covers_target(&self, draft: &Draft) -> bool {
        if self.channels.is_empty() && self.categories.is_empty() {
            return true;
        }
        if let Some(channel) = draft.channel() {
            return self.channels.iter().any(|it| it.matches(channel));
        }
        if self.categories.is_empty() {
            return false;
        }
        let category = draft.category();
        let is_among = |category: String| self.categories.iter().any(|it| **it == category);
        category.is_some_and(is_among)
    }

    fn covers_event(&self, event: Option<&str>) -> bool {
        let is_among = |event: &str| self.events.iter().any(|it| **it == *event);
        self.events.is_empty() || event.is_some_and(is_among)
    }

    /// Returns the patterns of channels.
    #[cfg(feature = "schema")]
    pub(super) fn patterns(&self) -> Vec<String> {
        let patterns = self.channels.iter();
        patterns.map(|pattern| pattern.text().to_owned()).collect()
    }

    #[cfg(feature = "schema")]
    pub(super) fn categories(&self) -> Vec<String> {
        self.categories.iter().map(ToString::to_string).collect()
    }

    #[cfg(feature = "schema")]
    pub(super) fn events(&self) -> Vec<String> {
        self.events.iter().map(ToString::to_string).collect()
    }
}

impl TryFrom<Written> for Scope {
    type Error = InvalidScope;

    fn try_from(written: Written) -> Result<Self, InvalidScope> {
        let mut scope = Self::all();
        for pattern in &written.channels {
            scope = scope.channels(pattern)?;
        }
        for category in written.categories {
            scope = scope.category(category);
        }
        for event in written.events {
            scope = scope.event(event);
        }
        Ok(scope)
    }
}

impl fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a pattern of channels: {}",
            self.pattern, self.why
        )
    }
}

impl Error for InvalidScope {}
