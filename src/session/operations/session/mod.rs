//! Sessions: going on where a connection was lost.

#[cfg(fuzzing)]
pub mod fuzzing;
mod notes;
mod resume;
mod said;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::code::ErrorCode;
use crate::protocol::Fault;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;

pub(crate) use self::notes::Notes;
pub(crate) use self::resume::Asked;
pub(crate) use self::resume::Restored;

/// The command that goes on where a connection was lost.
pub(crate) const RESUME: &str = "session.resume";

pub(super) const TABLE: &[Operation] = &[Operation {
    name: RESUME,
    method: Method::Post,
    path: "/sessions/resume",
    summary: "Goes on where another connection of the client was lost: as the first command, over \
              a connection whose URL has `?resume=SESSION_ID`, or `?resume`. What was subscribed to \
              is subscribed to again, and what was missed since the positions given comes.",
    who: Who::Connection,
    arguments: &[
        Argument::optional(
            "session_id",
            Kind::Text,
            "As `connected` told it over the other connection; good once, for 30 s unless set.",
        ),
        Argument::optional(
            "channels",
            Kind::Object,
            "By channel, what was received last: `{\"offset\": 41, \"epoch\": \"1763\"}`.",
        ),
        Argument::optional("rooms", Kind::Object, "The same by room."),
    ],
    // One that comes in time is taken before it gets here.
    run: &too_late,
}];

fn too_late(_: &Call<'_>) -> Result<Answer<ResumedView>, Fault> {
    let why = "this has to be the first command of a connection that was asked for with ?resume";
    Err(Fault::new(ErrorCode::InvalidField, why).field("type"))
}

answers! {
    /// The resumption of a session.
    struct ResumedView {
        /// Whether the session was resumed.
        resumed: bool,
        /// How many commands are carried out again.
        restored: usize,
        /// Whether the session had more commands than it could retain.
        #[serde(skip_serializing_if = "Option::is_none")]
        incomplete: Option<bool>,
        /// The commands that are carried out again: their replies have the ids `restore:0`,
        /// `restore:1` and so on.
        #[serde(skip_serializing_if = "Option::is_none")]
        commands: Option<Vec<Map<String, Value>>>,
        /// The code of the error, if there is no such session.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<ErrorCode>,
        /// The error, for people.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    }
}
