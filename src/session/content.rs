//! Schemas and filters, as the entrance and the operations see them.

use std::fmt;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::protocol::Fault;
use crate::session::hooks::CallerInfo;
use crate::session::hooks::Draft;

/// The schemas and the filters of a gateway.
pub(crate) trait Moderator: Send + Sync {
    /// Validates a message, filters it, and refuses it with a fault.
    fn check(&self, who: &CallerInfo, draft: &mut Draft) -> Result<(), Fault>;

    /// Sets the function that is called, at once and at every change, with whether there is any
    /// schema or filter.
    fn activity(&self, notify: Box<dyn Fn(bool) + Send + Sync>);

    /// Returns the filters in the order in which they are asked.
    fn filters(&self) -> Vec<FilterView>;

    /// Adds the filter that this object describes, or replaces the filter of the same name.
    fn add_filter(&self, filter: &RawValue) -> Result<(), Fault>;

    /// Removes a filter. Returns `false` if there is none of this name.
    fn remove_filter(&self, name: &str) -> bool;

    /// Returns the schemas in the order of their names.
    fn schemas(&self) -> Vec<SchemaView>;

    /// Adds a schema, or replaces the schema of the same name.
    fn add_schema(&self, schema: &RawValue) -> Result<(), Fault>;

    /// Removes a schema. Returns `false` if there is none of this name.
    fn remove_schema(&self, name: &str) -> bool;
}

impl fmt::Debug for dyn Moderator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moderator").finish_non_exhaustive()
    }
}

/// A content filter.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct FilterView {
    /// The name of the filter.
    pub(crate) name: String,
    /// The kind of the filter; `custom` for a filter of the application.
    pub(crate) kind: String,
    /// The priority: filters with a lower number are asked first.
    pub(crate) priority: i32,
    /// The number of messages that it was asked about.
    pub(crate) checked: u64,
    /// The number of messages that it blocked.
    pub(crate) blocked: u64,
    /// The number of messages that it changed.
    pub(crate) changed: u64,
    /// The number of messages that it flagged.
    pub(crate) flagged: u64,
}

/// A schema.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
pub(crate) struct SchemaView {
    /// The name of the schema.
    pub(crate) name: String,
    /// The patterns of the channels whose messages it validates.
    pub(crate) channels: Vec<String>,
    /// The categories of the rooms whose messages it validates.
    pub(crate) categories: Vec<String>,
    /// The events that it validates; all if there are none.
    pub(crate) events: Vec<String>,
    /// The number of messages that it was asked about.
    pub(crate) checked: u64,
    /// The number of messages that it refused.
    pub(crate) refused: u64,
}
