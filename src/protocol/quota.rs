//! The part of a rate limit that is left, as clients are told it.

use std::time::Duration;

use crate::layers::Timestamp;

/// A rate limit, and what of it is left to a caller.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "policies of applications make them"
)]
pub struct Quota {
    /// The name of the limit.
    pub name: Box<str>,
    /// The most requests that pass at once.
    pub requests: u32,
    /// The time in which as many pass again.
    pub window: Duration,
    /// The requests that would pass now.
    pub remaining: u32,
    /// The time until nothing of it is used, if there are no more requests.
    pub reset: Duration,
    /// The same as a time of day: `reset_at` in errors.
    pub reset_at: Timestamp,
    /// Whether responses over HTTP announce it in `RateLimit` and `RateLimit-Policy`.
    pub is_announced: bool,
}

impl Quota {
    /// Returns the values of the headers `RateLimit-Policy` and `RateLimit`
    /// (draft-ietf-httpapi-ratelimit-headers); `None` if they are turned off.
    #[must_use]
    pub fn headers(&self) -> Option<(String, String)> {
        if !self.is_announced {
            return None;
        }
        let name: String = self.name.chars().filter(|c| is_plain(*c)).collect();
        let window = whole_seconds(self.window).max(1);
        let reset = whole_seconds(self.reset);
        Some((
            format!("\"{name}\";q={};w={window}", self.requests),
            format!("\"{name}\";r={};t={reset}", self.remaining),
        ))
    }
}

/// Whether a structured field may have it in a string as it is.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\')
}

/// Whole seconds, rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
