//! The pushes of the native protocol, as schemas.

use schemars::SchemaGenerator;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::code::ErrorCode;
use crate::layers::EventName;
use crate::layers::Metadata;
use crate::layers::RoomId;
use crate::layers::Timestamp;
use crate::layers::UserId;
use crate::layers::presence::UserPresence;
use crate::protocol::MemberView;
use crate::protocol::RequestId;

/// A kind of push.
pub(super) struct Pushed {
    pub(super) kind: &'static str,
    pub(super) about: &'static str,
    /// The schema of its `data`; any JSON without one.
    pub(super) data: Option<Value>,
}

/// All kinds of pushes but `ack`, whose `data` is that of an operation.
pub(super) fn all(generator: &mut SchemaGenerator) -> Vec<Pushed> {
    let mut pushes = of_connections(generator);
    pushes.extend(of_channels(generator));
    let event = |&(kind, about): &(&'static str, &'static str)| Pushed {
        kind,
        about,
        data: Some(json!({ "type": "object" })),
    };
    pushes.extend(EVENTS.iter().map(event));
    pushes
}

fn of_connections(generator: &mut SchemaGenerator) -> Vec<Pushed> {
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let code = generator.subschema_for::<ErrorCode>();
    vec![
        Pushed {
            kind: "connected",
            about: "The first push of a connection: its id, and the limits of the server.",
            data: Some(object(
                &[
                    ("client_id", text.clone()),
                    ("protocol", text.clone()),
                    ("ping_interval_ms", number.clone()),
                    ("pong_timeout_ms", number.clone()),
                    ("limits", json!({ "type": "object" })),
                ],
                &[
                    ("user", text.clone()),
                    ("session_id", text.clone()),
                    ("expires_in_ms", number.clone()),
                ],
            )),
        },
        Pushed {
            kind: "expiring",
            about: "The token of the connection is about to expire: refresh it.",
            data: Some(object(&[("expires_in_ms", number.clone())], &[])),
        },
        Pushed {
            kind: "disconnect",
            about: "The server is about to close the connection.",
            data: Some(object(
                &[
                    ("code", number.clone()),
                    ("reason", text.clone()),
                    ("reconnect", json!({ "type": "boolean" })),
                ],
                &[("retry_after_ms", number.clone())],
            )),
        },
        Pushed {
            kind: "error",
            about: "A command was refused.",
            data: Some(object(
                &[("code", code.into()), ("message", text.clone())],
                &[
                    ("field", text.clone()),
                    ("retry_after_ms", number),
                    ("reset_at", text),
                ],
            )),
        },
        Pushed {
            kind: "pong",
            about: "The answer to a ping.",
            data: None,
        },
    ]
}

fn of_channels(generator: &mut SchemaGenerator) -> Vec<Pushed> {
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let member: Value = generator.subschema_for::<MemberView>().into();
    let members = json!({ "type": "array", "items": member });
    let key = json!({ "anyOf": [text, object(&[("base64", text.clone())], &[])] });
    let flag = json!({ "type": "boolean" });
    vec![
        Pushed {
            kind: "gap",
            about: "Messages of a channel or a room were missed.",
            data: Some(object(
                &[
                    ("first", number.clone()),
                    ("last", number.clone()),
                    ("missed", number.clone()),
                ],
                &[
                    ("keys", json!({ "type": "array", "items": key })),
                    ("more", flag.clone()),
                ],
            )),
        },
        Pushed {
            kind: "joined",
            about: "The connection receives a channel, a room or a pattern from now on.",
            data: Some(object(
                &[
                    ("recovered", flag),
                    ("start", number),
                    ("members", members.clone()),
                ],
                &[],
            )),
        },
        Pushed {
            kind: "left",
            about: "The connection does not receive a channel, a room or a pattern any more.",
            data: Some(object(&[("reason", text)], &[])),
        },
        Pushed {
            kind: "member_added",
            about: "A member came into a presence channel.",
            data: Some(member.clone()),
        },
        Pushed {
            kind: "member_removed",
            about: "A member left a presence channel.",
            data: Some(member),
        },
        Pushed {
            kind: "message",
            about: "A message of a channel, of a room, or to a client.",
            data: Some(json!({ "description": "The payload, if it is JSON." })),
        },
        Pushed {
            kind: "presence",
            about: "The members of a channel, or the presence of a user that is watched.",
            data: Some(json!({ "anyOf": [
                object(&[("members", members)], &[]),
                generator.subschema_for::<UserPresence>(),
            ] })),
        },
    ]
}

/// The events of rooms.
const EVENTS: &[(&str, &str)] = &[
    ("message.deleted", "A message of a room was deleted."),
    ("message.edited", "A message of a room was edited."),
    ("message.reaction_added", "A user reacted to a message."),
    ("message.reaction_removed", "A user took a reaction back."),
    ("room.added", "The user was added to a room."),
    ("room.archived", "A room was archived."),
    ("room.deleted", "A room was deleted."),
    ("room.invited", "The user was invited to a room."),
    ("room.locked", "A room was locked."),
    ("room.member_banned", "A user was banned from a room."),
    ("room.member_kicked", "A member was removed from a room."),
    ("room.member_muted", "A member of a room was muted."),
    ("room.member_unbanned", "A user may come into a room again."),
    ("room.member_unmuted", "A member of a room may send again."),
    ("room.members", "Members of a room came, went, or changed."),
    ("room.message_pinned", "A message of a room was pinned."),
    ("room.message_unpinned", "A message of a room was unpinned."),
    ("room.owner_changed", "A room has another owner."),
    (
        "room.permissions_changed",
        "The permissions of a member changed.",
    ),
    ("room.read", "A member has read up to a message."),
    ("room.restored", "A room is out of the archive again."),
    ("room.role_changed", "The role of a member changed."),
    ("room.slow_mode", "The slow mode of a room changed."),
    (
        "room.unattached",
        "The connection does not receive a room: it has as many subscriptions as it may.",
    ),
    ("room.unlocked", "A room was unlocked."),
    ("room.updated", "The description of a room changed."),
    ("typing", "A user types in a room, or does no longer."),
];

/// The schema of a push of this kind.
pub(super) fn payload(kind: &str, data: Option<Value>, generator: &mut SchemaGenerator) -> Value {
    let digits = json!({ "type": "string", "pattern": "^[0-9]+$" });
    let text = json!({ "type": "string" });
    let mut payload = json!({
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": { "const": kind },
            "reply_to": generator.subschema_for::<RequestId>(),
            "message_id": digits,
            "channel_id": text,
            "pattern": text,
            "room_id": generator.subschema_for::<RoomId>(),
            "thread_id": digits,
            "user_id": generator.subschema_for::<UserId>(),
            "offset": { "type": "integer", "minimum": 0 },
            "epoch": digits,
            "key": text,
            "event": generator.subschema_for::<EventName>(),
            "text": text,
            "base64": { "type": "string", "contentEncoding": "base64" },
            "metadata": generator.subschema_for::<Metadata>(),
            "published_at": generator.subschema_for::<Timestamp>(),
        },
    });
    if let Some(data) = data {
        payload["properties"]["data"] = data;
    }
    payload
}

/// The schema of an object with these fields, and perhaps those.
fn object(needed: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let required: Vec<_> = needed.iter().map(|(name, _)| *name).collect();
    let all = needed.iter().chain(optional).cloned();
    let properties = all.map(|(name, schema)| (name.to_owned(), schema));
    json!({
        "type": "object",
        "required": required,
        "properties": properties.collect::<Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests;
