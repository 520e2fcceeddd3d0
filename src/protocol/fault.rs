//! What is wrong with a request, in a form that a program can read.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::code::ErrorCode;

use super::Quota;
use super::RequestId;

/// Why a request was refused: a stable code for programs, a sentence for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    code: ErrorCode,
    message: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    quota: Option<Box<Quota>>,
    reply_to: Option<RequestId>,
    details: Option<Box<Details>>,
}

/// The parts of a fault that few faults have.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Details {
    violations: Vec<Violation>,
    reason: Option<Box<str>>,
}

/// A rule that a message breaks.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct Violation {
    /// The place in the message, as a JSON pointer; empty for the message itself.
    pub path: Box<str>,
    /// The rule: a keyword of JSON Schema, such as `maxLength`.
    pub rule: Box<str>,
}

impl Violation {
    /// Creates a violation of `rule` at `path`.
    pub fn new(path: impl Into<Box<str>>, rule: impl Into<Box<str>>) -> Self {
        Self {
            path: path.into(),
            rule: rule.into(),
        }
    }
}

impl Fault {
    /// A fault that concerns the whole request.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            retry_after: None,
            quota: None,
            reply_to: None,
            details: None,
        }
    }

    /// Names the field that is at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says after how long the same request may succeed.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Sets the rate limit that refused the request.
    #[must_use]
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quota = Some(Box::new(quota));
        self
    }

    /// Adds what was wrong in particular.
    #[must_use]
    pub fn because(mut self, error: &impl Error) -> Self {
        let separator = if self.message.is_empty() { "" } else { ": " };
        self.message = format!("{}{separator}{error}", self.message).into();
        self
    }

    /// Names the request that is at fault; `None` when its id could not be read.
    #[must_use]
    pub fn reply_to(mut self, id: Option<RequestId>) -> Self {
        self.reply_to = id;
        self
    }

    /// Lists the rules that the message breaks; those beyond 16 are left out.
    #[must_use]
    pub fn violations(mut self, violations: impl IntoIterator<Item = Violation>) -> Self {
        let details = self.details.get_or_insert_default();
        details.violations = violations.into_iter().take(MOST_VIOLATIONS).collect();
        self
    }

    /// Sets a reason of the application's own, for programs: a stable word such as
    /// `insufficient_funds`.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Box<str>>) -> Self {
        self.details.get_or_insert_default().reason = Some(reason.into());
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What went wrong, for people; its wording may change.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The field at fault, when one is.
    #[must_use]
    pub fn at(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// After how long the same request may succeed, when that is known.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the rate limit that refused the request, if one has.
    #[must_use]
    pub fn limit(&self) -> Option<&Quota> {
        self.quota.as_deref()
    }

    /// The request at fault, when its id is known.
    #[must_use]
    pub fn request(&self) -> Option<&RequestId> {
        self.reply_to.as_ref()
    }
}

impl Fault {
    /// Returns the rules that the message breaks.
    #[must_use]
    pub fn errors(&self) -> &[Violation] {
        let details = self.details.as_deref();
        details.map_or(&[], |details| &details.violations)
    }

    /// Returns the application's own reason, if it gave one.
    #[must_use]
    pub fn own_reason(&self) -> Option<&str> {
        self.details.as_deref()?.reason.as_deref()
    }
}

/// The most violations that a fault lists.
const MOST_VIOLATIONS: usize = 16;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Error for Fault {}
