//! The built-in filters, as they are written in a file or in a request.

use std::error::Error;
use std::fmt;

use serde::Deserialize;

use crate::policy::scope::Scope;
use crate::policy::scope::Written;

use super::BuiltIn;

/// A built-in filter as it is written: a table of TOML, or an object of JSON.
///
/// ```
/// use throng::policy::{ContentFilter, FilterConfig};
///
/// let filter: FilterConfig = serde_json::from_str(
///     r#"{"name": "profanity", "kind": "words", "words": ["spam"], "action": "replace"}"#,
/// )?;
/// assert_eq!(filter.build()?.name(), "profanity");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FilterConfig {
    /// Name of the filter: 1 to 64 bytes.
    pub name: String,
    /// Kind of the filter.
    pub kind: FilterKind,
    /// Consequence for a message that the filter finds something in. Default: it is blocked.
    #[serde(default)]
    pub action: Action,
    /// Text in the place of what was found. Default `***`; `...` for `size`, none for `security`.
    #[serde(default)]
    pub with: Option<String>,
    /// Priority: filters with a lower number are asked first. Default 0.
    #[serde(default)]
    pub priority: i32,
    /// Patterns of the channels that it applies to. Default: all.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Categories of the rooms that it applies to. Default: all.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Events that it applies to. Default: all.
    #[serde(default)]
    pub events: Vec<String>,
    /// `words`: the words, in any case. At most 10,000 of at most 128 bytes.
    #[serde(default)]
    pub words: Vec<String>,
    /// `words`: whether a word counts only if it stands alone. Default true.
    #[serde(default)]
    pub whole_words: Option<bool>,
    /// `patterns`: regular expressions. At most 100; each at most 1 MiB when compiled.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// `links`: domains that links may lead to, with their subdomains. Default: all.
    #[serde(default)]
    pub allow: Vec<String>,
    /// `links` and `security`: domains that must not occur, nor their subdomains.
    #[serde(default)]
    pub deny: Vec<String>,
    /// `links`, `mentions`, `emojis`, `repeats`: the most of them in a string.
    #[serde(default)]
    pub max: Option<usize>,
    /// `size`: the most bytes of a payload, or of each string where it truncates.
    #[serde(default)]
    pub max_bytes: Option<usize>,
    /// `trim`: whether white space inside a string is replaced by single spaces. Default false.
    #[serde(default)]
    pub collapse: Option<bool>,
    /// `security`: whether scripts and elements of HTML that load something are found. Default
    /// true.
    #[serde(default)]
    pub scripts: Option<bool>,
    /// `security`: schemes of links that are found. Default `javascript`, `vbscript` and `data`.
    #[serde(default)]
    pub schemes: Option<Vec<String>>,
    /// `security`: keys of objects that are found. Default `__proto__`, `constructor` and
    /// `prototype`.
    #[serde(default)]
    pub keys: Option<Vec<String>>,
}

/// The kinds of built-in filters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FilterKind {
    /// More emojis than `max` in a string.
    Emojis,
    /// Links beyond `max`, to domains of `deny`, or to domains that are not in `allow`.
    Links,
    /// More mentions, such as `@ada`, than `max` in a string.
    Mentions,
    /// Text that a regular expression matches.
    Patterns,
    /// A character more than `max` times in a row.
    Repeats,
    /// Scripts, schemes of links, domains and keys that are a danger to pages and programs.
    Security,
    /// Payloads of more than `max_bytes`.
    Size,
    /// White space around strings, which is removed.
    Trim,
    /// Words of a list.
    Words,
}

impl FilterKind {
    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Emojis => "emojis",
            Self::Links => "links",
            Self::Mentions => "mentions",
            Self::Patterns => "patterns",
            Self::Repeats => "repeats",
            Self::Security => "security",
            Self::Size => "size",
            Self::Trim => "trim",
            Self::Words => "words",
        }
    }
}

/// The consequence of what a filter finds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// The message is refused.
    #[default]
    Block,
    /// The message is published, marked with the name of the filter.
    Flag,
    /// The found text is replaced; for `size`, strings are truncated.
    #[serde(alias = "truncate")]
    Replace,
}

/// The error returned when a filter cannot be built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidFilter {
    name: String,
    field: &'static str,
    why: String,
}

impl InvalidFilter {
    /// Returns the field that is at fault.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

impl FilterConfig {
    /// Creates the description of a filter that has only a name and a kind.
    pub fn new(name: impl Into<String>, kind: FilterKind) -> Self {
        Self {
            name: name.into(),
            kind,
            action: Action::Block,
            with: None,
            priority: 0,
            channels: Vec::new(),
            categories: Vec::new(),
            events: Vec::new(),
            words: Vec::new(),
            whole_words: None,
            patterns: Vec::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            max: None,
            max_bytes: None,
            collapse: None,
            scripts: None,
            schemes: None,
            keys: None,
        }
    }

    /// Creates the description of a filter that blocks words.
    pub fn words<W: Into<String>>(
        name: impl Into<String>,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
            ..Self::new(name, FilterKind::Words)
        }
    }

    /// Sets [`Self::action`].
    #[must_use]
    pub const fn action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// Sets [`Self::with`].
    #[must_use]
    pub fn with(mut self, text: impl Into<String>) -> Self {
        self.with = Some(text.into());
        self
    }

    /// Builds the filter.
    ///
    /// # Errors
    ///
    /// [`InvalidFilter`] names the field that is missing, too large, cannot be understood, or has
    /// no meaning for this kind.
    pub fn build(&self) -> Result<BuiltIn, InvalidFilter> {
        if self.name.is_empty() || self.name.len() > MAX_NAME {
            return Err(self.invalid("name", "must have 1 to 64 bytes"));
        }
        self.check_fields()?;
        let written = Written {
            channels: self.channels.clone(),
            categories: self.categories.clone(),
            events: self.events.clone(),
        };
        let scope = Scope::try_from(written);
        let scope = scope.map_err(|error| self.invalid("channels", &error.to_string()))?;
        BuiltIn::new(self, scope)
    }

    /// Refuses a field that its kind does not have.
    fn check_fields(&self) -> Result<(), InvalidFilter> {
        use FilterKind as Kind;
        let of = |kinds: &[FilterKind]| kinds.contains(&self.kind);
        let counted = of(&[Kind::Emojis, Kind::Links, Kind::Mentions, Kind::Repeats]);
        let fields = [
            ("words", !self.words.is_empty(), of(&[Kind::Words])),
            (
                "whole_words",
                self.whole_words.is_some(),
                of(&[Kind::Words]),
            ),
            ("patterns", !self.patterns.is_empty(), of(&[Kind::Patterns])),
            ("allow", !self.allow.is_empty(), of(&[Kind::Links])),
            (
                "deny",
                !self.deny.is_empty(),
                of(&[Kind::Links, Kind::Security]),
            ),
            ("max", self.max.is_some(), counted),
            ("max_bytes", self.max_bytes.is_some(), of(&[Kind::Size])),
            ("collapse", self.collapse.is_some(), of(&[Kind::Trim])),
            ("scripts", self.scripts.is_some(), of(&[Kind::Security])),
            ("schemes", self.schemes.is_some(), of(&[Kind::Security])),
            ("keys", self.keys.is_some(), of(&[Kind::Security])),
        ];
        let foreign = fields.iter().find(|(_, given, known)| *given && !known);
        foreign.map_or(Ok(()), |(field, ..)| {
            let why = format!("is not a field of kind `{}`", self.kind.as_str());
            Err(self.invalid(field, &why))
        })
    }

    pub(super) fn invalid(&self, field: &'static str, why: &str) -> InvalidFilter {
        InvalidFilter {
            name: self.name.clone(),
            field,
            why: why.to_owned(),
        }
    }

    /// Returns a count that the kind needs.
    pub(super) fn needed(
        &self,
        field: &'static str,
        value: Option<usize>,
    ) -> Result<usize, InvalidFilter> {
        value.ok_or_else(|| self.invalid(field, "is needed"))
    }
}

/// The most bytes in the name of a filter.
const MAX_NAME: usize = 64;

impl fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter `{}`: `{}` {}", self.name, self.field, self.why)
    }
}

impl Error for InvalidFilter {}
