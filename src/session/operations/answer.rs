//! Answers of operations: typed where they are made, JSON where they are sent.

use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
#[cfg(feature = "openapi")]
use schemars::Schema;
#[cfg(feature = "openapi")]
use schemars::SchemaGenerator;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::value::to_raw_value;

use crate::protocol::Fault;
use crate::session::Reply;

use super::Call;

/// The content of an answer: the `data` of an `ack`, or the body of a response. `()` is no content.
#[cfg(feature = "openapi")]
pub(crate) trait View: Serialize + JsonSchema + 'static {}

#[cfg(feature = "openapi")]
impl<T: Serialize + JsonSchema + 'static> View for T {}

/// The content of an answer: the `data` of an `ack`, or the body of a response. `()` is no content.
#[cfg(not(feature = "openapi"))]
pub(crate) trait View: Serialize + 'static {}

#[cfg(not(feature = "openapi"))]
impl<T: Serialize + 'static> View for T {}

/// The answer of an operation, now or [later](Answer::later).
pub(crate) struct Answer<T>(Kind<T>);

enum Kind<T> {
    Now(T),
    Later(Later<T>),
}

/// Content that comes later. Dropped early, the operation is carried out all the same.
type Later<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

impl Answer<()> {
    /// The answer without content.
    pub(crate) const fn done() -> Self {
        Self(Kind::Now(()))
    }
}

impl<T> Answer<T> {
    /// An answer that is there at once.
    pub(crate) const fn of(content: T) -> Self {
        Self(Kind::Now(content))
    }

    /// An answer that has to be waited for.
    pub(crate) fn later(future: impl Future<Output = Result<T, Fault>> + Send + 'static) -> Self {
        Self(Kind::Later(Box::pin(future)))
    }
}

/// Carries an operation out. Implemented by functions from a [`Call`] to a typed [`Answer`], so
/// that the schema in the table is that of the answer.
pub(crate) trait Run: Sync {
    /// Begins the operation. Never waits.
    fn run(&self, call: &Call<'_>) -> Result<Started, Fault>;

    /// The schema of the answer; `None` if it has no content.
    #[cfg(feature = "openapi")]
    fn schema(&self, generator: &mut SchemaGenerator) -> Option<Schema>;
}

/// A reply, or the future of one.
pub(crate) enum Started {
    Done(Reply),
    Answering(Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>),
}

impl<F, T> Run for F
where
    F: for<'a, 'b> Fn(&'a Call<'b>) -> Result<Answer<T>, Fault> + Sync,
    T: View,
{
    fn run(&self, call: &Call<'_>) -> Result<Started, Fault> {
        Ok(match self(call)?.0 {
            Kind::Now(content) => Started::Done(reply(&content)),
            Kind::Later(later) => {
                Started::Answering(Box::pin(async move { Ok(reply(&later.await?)) }))
            }
        })
    }

    #[cfg(feature = "openapi")]
    fn schema(&self, generator: &mut SchemaGenerator) -> Option<Schema> {
        (!is_empty::<T>()).then(|| generator.subschema_for::<T>())
    }
}

/// The reply with this content.
pub(crate) fn reply<T: View>(content: &T) -> Reply {
    if is_empty::<T>() {
        return Reply::Done;
    }
    match json(content) {
        Some(json) => Reply::Data(json),
        None => Reply::Done,
    }
}

fn json(content: &impl Serialize) -> Option<Box<RawValue>> {
    let json = to_raw_value(content);
    debug_assert!(json.is_ok(), "views have names for keys");
    json.ok()
}

fn is_empty<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Now(_) => "Now",
            Kind::Later(_) => "Later",
        })
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Answering(_) => "Answering",
        })
    }
}

/// Declares structs that are the content of answers: written as JSON, described by a schema.
macro_rules! answers {
    ($($(#[$about:meta])* struct $name:ident {
        $($(#[$of_field:meta])* $field:ident: $kind:ty,)+
    })+) => {$(
        $(#[$about])*
        #[derive(Debug, Serialize)]
        #[cfg_attr(feature = "openapi", derive(JsonSchema))]
        pub(crate) struct $name {
            $($(#[$of_field])* pub(crate) $field: $kind,)+
        }
    )+};
}

pub(super) use answers;
