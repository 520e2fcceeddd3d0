//! What can be done with messages.

use serde_json::json;

use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::messages::MessageView;
use crate::operations::Answer;
use crate::operations::Argument;
use crate::operations::Call;
use crate::operations::Kind;
use crate::operations::Method;
use crate::operations::Operation;
use crate::operations::Who;
use crate::operations::rooms::message_id;
use crate::protocol::Fault;
use crate::protocol::Payload;

use super::MESSAGE;
use super::REACTION;
use super::ROOM;
use super::later;
use super::messages;

const DATA: Argument = Argument::optional("data", Kind::Any, "What it is to say, as JSON.");
const TEXT: Argument = Argument::optional("text", Kind::Text, "Or as a text.");
const BASE64: Argument = Argument::optional("base64", Kind::Text, "Or as bytes, in padded base64.");
const METADATA: Argument = Argument::optional(
    "metadata",
    Kind::Object,
    "What is said about it from now on; what was said stays if not given. At most 4 KiB.",
);

pub(in crate::operations) const TABLE: &[Operation] = &[
    Operation {
        name: "message.edit",
        method: Method::Patch,
        path: "/rooms/{room_id}/messages/{message_id}",
        summary: "Replaces what a message says; its sender may. What it said is kept.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE, DATA, TEXT, BASE64, METADATA],
        run: |call| {
            let (actor, room) = (call.actor()?, call.room()?);
            let message = call.stamped(Payload::of(call.arguments)?.into_message(None))?;
            let sequence = message_id(call)?;
            let pending = messages(call)?.edit(&actor, &room, sequence, message);
            Ok(later(pending, |stored| {
                Answer::of(&MessageView::of(stored))
            }))
        },
    },
    Operation {
        name: "message.delete",
        method: Method::Delete,
        path: "/rooms/{room_id}/messages/{message_id}",
        summary: "Deletes a message: its sender may, and who has `delete_message`. It stays as one \
                  that was deleted.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE],
        run: |call| {
            let (actor, room) = (call.actor()?, call.room()?);
            let pending = messages(call)?.delete(&actor, &room, message_id(call)?);
            Ok(later(pending, |()| Answer::done()))
        },
    },
    Operation {
        name: "message.react",
        method: Method::Put,
        path: "/rooms/{room_id}/messages/{message_id}/reactions/{reaction}",
        summary: "Adds the user's reaction to a message.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE, REACTION],
        run: |call| {
            let (user, room, reaction) = reaction(call)?;
            let sequence = message_id(call)?;
            let pending = messages(call)?.react(&user, &room, sequence, &reaction);
            Ok(later(pending, counted))
        },
    },
    Operation {
        name: "message.unreact",
        method: Method::Delete,
        path: "/rooms/{room_id}/messages/{message_id}/reactions/{reaction}",
        summary: "Takes the user's reaction to a message back.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE, REACTION],
        run: |call| {
            let (user, room, reaction) = reaction(call)?;
            let sequence = message_id(call)?;
            let pending = messages(call)?.unreact(&user, &room, sequence, &reaction);
            Ok(later(pending, counted))
        },
    },
    Operation {
        name: "message.forget_user",
        method: Method::Delete,
        path: "/users/{user_id}/messages",
        summary: "Removes everything that a user has sent, in all rooms, for good.",
        who: Who::Server,
        arguments: &[Argument::needed("user_id", Kind::Text, "Whose.")],
        run: |call| {
            let user = call.user_named("user_id")?;
            let pending = messages(call)?.forget_user(&user);
            Ok(later(pending, |removed| {
                Answer::of(&json!({ "removed": removed }))
            }))
        },
    },
];

fn reaction(call: &Call<'_>) -> Result<(UserId, RoomId, String), Fault> {
    Ok((
        call.user()?,
        call.room()?,
        call.text("reaction", usize::MAX)?,
    ))
}

/// How many users have the reaction now; nothing if nothing has changed.
fn counted(count: Option<u64>) -> Answer {
    match count {
        Some(count) => Answer::of(&json!({ "changed": true, "count": count })),
        None => Answer::of(&json!({ "changed": false })),
    }
}
