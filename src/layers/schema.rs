//! The schemas of types that write themselves.

use std::borrow::Cow;

use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use schemars::json_schema;
use serde_json::Value;
use serde_json::json;

use crate::code::ErrorCode;
use crate::layers::EventName;
use crate::layers::Metadata;
use crate::layers::RoomId;
use crate::layers::Timestamp;
use crate::layers::UserId;
use crate::layers::presence::Status;
use crate::layers::rooms::Permission;
use crate::layers::rooms::Permissions;
use crate::layers::rooms::Role;

/// Implements `JsonSchema` by name and value.
macro_rules! schemas {
    ($($kind:ty = $name:literal, $schema:expr;)+) => {$(
        impl JsonSchema for $kind {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )+};
}

schemas! {
    ErrorCode = "ErrorCode", json_schema!({
        "type": "string",
        "description": "What went wrong, for programs. A code never changes its meaning; new ones may be added.",
        "examples": ErrorCode::ALL,
    });
    EventName = "EventName", name("The application's name for what a message is.");
    Metadata = "Metadata", json_schema!({
        "type": "object",
        "description": "What the sender says about a message; at most 4 KiB.",
    });
    Permissions = "Permissions", json_schema!({
        "type": "array",
        "description": "What a member of a room may do.",
        "items": { "type": "string", "enum": texts(Permission::ALL.map(Permission::as_str)) },
    });
    Role = "Role", json_schema!({
        "type": "string",
        "description": "The role of a member of a room.",
        "enum": texts(Role::ALL.map(Role::as_str)),
    });
    RoomId = "RoomId", name("The id of a room.");
    Status = "Status", json_schema!({
        "type": "string",
        "description": "The presence of a user.",
        "enum": texts(Status::ALL.map(Status::as_str)),
    });
    Timestamp = "Timestamp", json_schema!({
        "type": "string",
        "format": "date-time",
        "description": "A moment, UTC, in milliseconds.",
    });
    UserId = "UserId", name("The id of a user.");
}

/// A name of 1 to 128 bytes. JSON Schema counts characters: bytes are checked by the server.
fn name(about: &str) -> Schema {
    json_schema!({
        "type": "string",
        "description": format!("{about} 1 to 128 bytes, no control characters."),
        "minLength": 1,
        "maxLength": UserId::MAX_LEN,
    })
}

fn texts<const N: usize>(names: [&str; N]) -> Value {
    json!(&names[..])
}
