//! What goes wrong over HTTP, on the wire: problem details, RFC 9457.

use std::time::Duration;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use super::ErrorCode;
use super::Timestamp;
use super::Violation;
use super::envelope::whole_millis;

/// The body of a response that says what went wrong.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Problem"))]
pub(crate) struct ProblemDetails<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status.
    title: &'a str,
    status: u16,
    code: ErrorCode,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// The time at which nothing of the rate limit is used that refused the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    reset_at: Option<Timestamp>,
    /// The application's own reason, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The rules that the message breaks, at most 16.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Violation],
}

impl<'a> ProblemDetails<'a> {
    /// The media type of [`Self::to_json`].
    pub(crate) const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem that its status says the kind of.
    pub(crate) fn new(
        (status, title): (u16, &'a str),
        code: ErrorCode,
        detail: &'a str,
        field: Option<&'a str>,
        retry_after: Option<Duration>,
    ) -> Self {
        Self {
            kind: "about:blank",
            title,
            status,
            code,
            detail,
            field,
            retry_after_ms: retry_after.map(whole_millis),
            reset_at: None,
            reason: None,
            errors: &[],
        }
    }

    /// With the time at which nothing of a rate limit is used any more.
    pub(crate) fn reset_at(self, time: Option<Timestamp>) -> Self {
        Self {
            reset_at: time,
            ..self
        }
    }

    /// Adds the application's own reason and the rules that the message breaks.
    pub(crate) fn because(self, reason: Option<&'a str>, errors: &'a [Violation]) -> Self {
        Self {
            reason,
            errors,
            ..self
        }
    }

    pub(crate) fn to_json(self) -> Vec<u8> {
        serde_json::to_vec(&self).unwrap_or_default()
    }
}
