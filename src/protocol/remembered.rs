//! A publication as a history has it.

#[cfg(feature = "openapi")]
use std::borrow::Cow;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
#[cfg(feature = "openapi")]
use schemars::Schema;
#[cfg(feature = "openapi")]
use schemars::SchemaGenerator;
#[cfg(feature = "openapi")]
use schemars::json_schema;
use serde::Serialize;
use serde::Serializer;

use crate::hub::Frame;
#[cfg(feature = "openapi")]
use crate::layers::EventName;
#[cfg(feature = "openapi")]
use crate::layers::Metadata;
#[cfg(feature = "openapi")]
use crate::layers::Timestamp;
#[cfg(feature = "openapi")]
use crate::layers::UserId;

use super::envelope::Envelope;

/// A publication as a history has it: what its push says, but for what all those of one channel
/// have in common.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a wrapper that says how its content is written"
)]
pub struct HistoryEntry(pub Frame);

impl Serialize for HistoryEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let envelope = Envelope {
            channel_id: None,
            epoch: None,
            ..Envelope::of(&self.0)
        };
        envelope.serialize(serializer)
    }
}

#[cfg(feature = "openapi")]
impl JsonSchema for HistoryEntry {
    fn schema_name() -> Cow<'static, str> {
        "HistoryEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let user = generator.subschema_for::<UserId>();
        let event = generator.subschema_for::<EventName>();
        let metadata = generator.subschema_for::<Metadata>();
        let time = generator.subschema_for::<Timestamp>();
        json_schema!({
            "type": "object",
            "description": "A publication, as its push was; the payload is one of `data`, `text` and `base64`.",
            "required": ["type", "offset", "published_at"],
            "properties": {
                "type": { "enum": ["message", "member_added", "member_removed"] },
                "offset": { "type": "integer", "minimum": 1 },
                "user_id": user,
                "key": { "type": "string", "description": "The conflation key." },
                "event": event,
                "data": { "description": "The payload, or the member, as JSON." },
                "text": { "type": "string" },
                "base64": { "type": "string", "contentEncoding": "base64" },
                "metadata": metadata,
                "published_at": time,
            },
        })
    }
}
