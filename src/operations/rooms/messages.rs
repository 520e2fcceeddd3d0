//! Messages, what is pinned, and what was read.

use serde_json::json;

use crate::hub::Client;
use crate::layers::Actor;
use crate::layers::messages::Outgoing;
use crate::layers::rooms::Sent;
use crate::operations::Answer;
use crate::operations::Argument;
use crate::operations::Call;
use crate::operations::Caller;
use crate::operations::Kind;
use crate::operations::Method;
use crate::operations::Operation;
use crate::operations::Who;
use crate::operations::disabled;
use crate::operations::messages::later;
use crate::operations::page;
use crate::protocol::Fault;
use crate::protocol::Payload;
use crate::protocol::Report;
use crate::protocol::invalid;
use crate::protocol::missing;

use super::ROLE;
use super::ROOM;
use super::after_user;
use super::fault;
use super::message_id;
use super::role;
use super::rooms;

const MESSAGE: Argument = Argument::needed("message_id", Kind::Text, "Which message.");

const DATA: Argument = Argument::optional("data", Kind::Any, "What to send, as JSON.");
const TEXT: Argument = Argument::optional("text", Kind::Text, "Or as a text.");
const BASE64: Argument = Argument::optional("base64", Kind::Text, "Or as bytes, in padded base64.");

pub(in crate::operations) const TABLE: &[Operation] = &[
    Operation {
        name: "room.send",
        method: Method::Post,
        path: "/rooms/{room_id}/messages",
        summary: "Sends a message to a room: one of `data`, `text` and `base64`.",
        who: Who::Anyone,
        arguments: &[
            ROOM,
            DATA,
            TEXT,
            BASE64,
            Argument::optional(
                "metadata",
                Kind::Object,
                "What the sender says about it; passed on as it is. At most 4 KiB.",
            ),
            Argument::optional(
                "thread_id",
                Kind::Text,
                "The message that it answers: it belongs to the thread of that.",
            ),
            Argument::optional(
                "echo",
                Kind::Flag,
                "`false`: the connection that sends does not get its own message.",
            ),
        ],
        run: send,
    },
    Operation {
        name: "room.send_to_role",
        method: Method::Post,
        path: "/rooms/{room_id}/messages/to_role",
        summary: "Sends a message to those members of a room that have a role.",
        who: Who::Anyone,
        arguments: &[ROOM, ROLE, DATA, TEXT, BASE64],
        run: send_to_role,
    },
    Operation {
        name: "room.pins",
        method: Method::Get,
        path: "/rooms/{room_id}/pins",
        summary: "What is pinned in a room, in the order in which it was.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: |call| {
            let pins = rooms(call)?.pins(&call.actor()?, &call.room()?);
            Ok(Answer::of(&json!({ "pins": pins.map_err(fault)? })))
        },
    },
    Operation {
        name: "room.pin",
        method: Method::Put,
        path: "/rooms/{room_id}/pins/{message_id}",
        summary: "Pins a message, for all members to see; needs `pin_messages`.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE],
        run: |call| {
            let message = message_id(call)?;
            let done = rooms(call)?.pin(&call.actor()?, &call.room()?, message);
            done.map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.unpin",
        method: Method::Delete,
        path: "/rooms/{room_id}/pins/{message_id}",
        summary: "Takes a pinned message down; needs `pin_messages`.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE],
        run: |call| {
            let message = message_id(call)?;
            let done = rooms(call)?.unpin(&call.actor()?, &call.room()?, message);
            done.map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.mark_read",
        method: Method::Put,
        path: "/rooms/{room_id}/read",
        summary: "Notes up to which message the user has read; never back.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE],
        run: |call| {
            let message = message_id(call)?;
            let read = rooms(call)?.mark_read(&call.user()?, &call.room()?, message);
            Ok(Answer::of(&read.map_err(fault)?))
        },
    },
    Operation {
        name: "room.reads",
        method: Method::Get,
        path: "/rooms/{room_id}/read",
        summary: "Up to where the members of a room have read, and how many numbers came since: `message.unread` \
                  counts what there is to read.",
        who: Who::Anyone,
        arguments: &[ROOM, page::LIMIT, page::AFTER],
        run: |call| {
            let (limit, after) = call.page()?;
            let after = after_user(after.as_deref())?;
            let page = rooms(call)?.reads(&call.actor()?, &call.room()?, after.as_ref(), limit);
            let (reads, next) = page.map_err(fault)?;
            Ok(Answer::of(&json!({ "reads": reads, "next": next })))
        },
    },
];

fn send(call: &Call<'_>) -> Result<Answer, Fault> {
    let room = call.room()?;
    let message = call.stamped(Payload::of(call.arguments)?.into_message(None))?;
    let echo = call.arguments.flag("echo")?.unwrap_or(true);
    let actor = call.actor()?;
    let except = match call.caller {
        Caller::Client(client) if !echo => Some(Client::id(client)),
        _ => None,
    };
    let thread = thread(call)?;
    let answer = match call.layers.messages() {
        Some(messages) => {
            let outgoing = Outgoing::new(message).thread(thread).except(except);
            later(messages.send(&actor, &room, outgoing), sent)
        }
        None if thread.is_some() => return Err(disabled("the keeping of messages")),
        None => {
            let done = rooms(call)?.send(&actor, &room, message, except);
            sent(done.map_err(fault)?)
        }
    };
    if let Actor::User(user) = &actor {
        call.layers.has_sent(user, &room);
    }
    Ok(answer)
}

fn sent(sent: Sent) -> Answer {
    Answer::of(&json!({
        "message_id": sent.id.to_string(),
        "delivery": Report::of(&sent.delivery),
    }))
}

/// The message that `thread_id` names.
fn thread(call: &Call<'_>) -> Result<Option<u64>, Fault> {
    let text = call.arguments.text("thread_id", usize::MAX)?;
    let thread = text.map(|text| text.parse()).transpose();
    thread.map_err(|_| invalid("thread_id", "the id of a message, a string of digits"))
}

fn send_to_role(call: &Call<'_>) -> Result<Answer, Fault> {
    let role = role(call)?.ok_or_else(|| missing("role"))?;
    let message = Payload::of(call.arguments)?.into_message(None);
    let sent = rooms(call)?.send_to_role(&call.actor()?, &call.room()?, role, message);
    Ok(Answer::of(&json!({ "delivered": sent.map_err(fault)? })))
}
