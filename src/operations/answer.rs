//! What an operation comes to.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::value::to_raw_value;

/// What an operation comes to, as JSON: the `data` of an `ack`, or the body of a response.
#[derive(Debug)]
pub(crate) struct Answer(Option<Box<RawValue>>);

impl Answer {
    /// Done, and there is nothing to say about it.
    pub(crate) const fn done() -> Self {
        Self(None)
    }

    /// Done, and this is what came of it.
    pub(crate) fn of(data: &impl Serialize) -> Self {
        let json = to_raw_value(data);
        debug_assert!(json.is_ok(), "views have names for keys");
        Self(json.ok())
    }

    /// The JSON, if there is any.
    pub(crate) fn json(&self) -> Option<&RawValue> {
        self.0.as_deref()
    }
}
