//! The rate limits, as the operations see them: the policies stand above this room.

use std::fmt;
use std::net::IpAddr;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::id::ClientId;
use crate::protocol::Fault;

/// Rate limits that are shown and changed at run time.
pub(crate) trait Limiting: Send + Sync + fmt::Debug {
    /// Counts the requests of API keys that have a rate of their own, from now on.
    fn count_own_rates(&self);

    /// Returns all limits.
    fn list(&self) -> Vec<LimitView>;

    /// Adds a limit, or replaces that of the same name.
    fn add(&self, draft: &LimitDraft) -> Result<LimitView, Fault>;

    /// Removes a limit.
    fn remove(&self, name: &str) -> Result<(), Fault>;

    /// Returns what is left of a limit. Counts nothing.
    fn status(&self, name: &str, values: &KeyValues) -> Result<LimitStatusView, Fault>;

    /// Clears what a limit has counted.
    fn reset(&self, name: &str, values: &KeyValues) -> Result<WasReset, Fault>;
}

/// A limit that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct LimitDraft {
    pub(crate) name: String,
    pub(crate) per: Vec<String>,
    pub(crate) actions: Vec<String>,
    pub(crate) requests: u64,
    pub(crate) period_ms: u64,
    pub(crate) burst: Option<u64>,
    pub(crate) algorithm: Option<String>,
    pub(crate) max_keys: Option<u64>,
    pub(crate) server: bool,
}

/// The values of the keys that a limit counts by.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyValues {
    pub(crate) action: Option<String>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) api_key: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) client: Option<ClientId>,
    pub(crate) room: Option<String>,
    pub(crate) user: Option<String>,
}

/// A rate limit, and what it has counted.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct LimitView {
    pub(crate) name: String,
    /// The keys by which it counts; none: all callers together.
    pub(crate) per: Vec<&'static str>,
    /// The kinds of requests and the operations that it counts.
    pub(crate) actions: Vec<String>,
    /// Requests that pass in each period.
    pub(crate) requests: u32,
    pub(crate) period_ms: u64,
    /// `token_bucket` or `sliding_window`.
    pub(crate) algorithm: &'static str,
    /// Requests that pass at once; a sliding window has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) burst: Option<u32>,
    /// The number of keys that there is room for.
    pub(crate) max_keys: usize,
    /// Whether it counts requests of the server's side.
    pub(crate) server: bool,
    /// Requests that it has refused.
    pub(crate) refused: u64,
    /// Keys that lost their counts because there was no room.
    pub(crate) evicted: u64,
}

/// The part of a rate limit that is left to a key.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct LimitStatusView {
    pub(crate) name: String,
    /// Whether a request would pass now.
    pub(crate) allowed: bool,
    /// Requests that pass at once when nothing was used.
    pub(crate) quota: u32,
    /// Requests that would pass now.
    pub(crate) remaining: u32,
    /// Milliseconds until a request passes; 0 if one passes now.
    pub(crate) retry_after_ms: u64,
    /// The time at which nothing of it is used, if there are no more requests.
    pub(crate) reset_at: String,
}

/// The answer to a reset.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct WasReset {
    /// Whether anything was counted.
    pub(crate) reset: bool,
}
