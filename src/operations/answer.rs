//! What an operation comes to.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::value::to_raw_value;

use crate::protocol::Fault;

/// What an operation comes to, as JSON: the `data` of an `ack`, or the body of a response; now or
/// [later](Answer::later).
pub(crate) struct Answer(Kind);

enum Kind {
    Now(Option<Box<RawValue>>),
    Later(Later),
}

/// An answer that comes later. Dropped early, what was asked for is done all the same.
pub(crate) type Later = Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send>>;

impl Answer {
    /// Done, and there is nothing to say about it.
    pub(crate) const fn done() -> Self {
        Self(Kind::Now(None))
    }

    /// Done, and this is what came of it.
    pub(crate) fn of(data: &impl Serialize) -> Self {
        let json = to_raw_value(data);
        debug_assert!(json.is_ok(), "views have names for keys");
        Self(Kind::Now(json.ok()))
    }

    /// What somebody else is still at.
    pub(crate) fn later(
        future: impl Future<Output = Result<Self, Fault>> + Send + 'static,
    ) -> Self {
        Self(Kind::Later(Box::pin(future)))
    }

    /// The answer, or what it is to be waited for.
    pub(crate) fn settled(self) -> Result<Self, Later> {
        match self.0 {
            Kind::Now(_) => Ok(self),
            Kind::Later(later) => Err(later),
        }
    }

    /// The JSON, if there is any.
    pub(crate) fn json(&self) -> Option<&RawValue> {
        match &self.0 {
            Kind::Now(json) => json.as_deref(),
            Kind::Later(_) => None,
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Now(json) => f.debug_tuple("Answer").field(json).finish(),
            Kind::Later(_) => f.write_str("Answer(later)"),
        }
    }
}
