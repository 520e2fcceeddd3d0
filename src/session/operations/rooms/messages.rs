//! Messages, what is pinned, and what was read.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::hub::Client;
use crate::layers::UserId;
use crate::layers::messages::OutgoingMessage;
use crate::layers::rooms::PinView;
use crate::layers::rooms::ReadView;
use crate::layers::rooms::Sent;
use crate::protocol::DeliveryReport;
use crate::protocol::Fault;
use crate::protocol::Payload;
use crate::protocol::invalid;
use crate::protocol::missing;
use crate::session::operations::Answer;
use crate::session::operations::Argument;
use crate::session::operations::Call;
use crate::session::operations::Kind;
use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::answers;
use crate::session::operations::call::EVENT;
use crate::session::operations::messages::later;
use crate::session::operations::page;
use crate::session::operations::verbs::BASE64;
use crate::session::operations::verbs::DATA;
use crate::session::operations::verbs::METADATA;
use crate::session::operations::verbs::TEXT;

use super::ROLE;
use super::ROOM;
use super::after_user;
use super::fault;
use super::message_id;
use super::role;
use super::rooms;

const MESSAGE: Argument = Argument::needed("message_id", Kind::Text, "Which message.");

pub(in crate::session::operations) const TABLE: &[Operation] = &[
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
            EVENT,
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
        run: &send,
    },
    Operation {
        name: "room.send_to_role",
        method: Method::Post,
        path: "/rooms/{room_id}/messages/to_role",
        summary: "Sends a message to those members of a room that have a role.",
        who: Who::Anyone,
        arguments: &[ROOM, ROLE, DATA, TEXT, BASE64, EVENT, METADATA],
        run: &send_to_role,
    },
    Operation {
        name: "room.pins",
        method: Method::Get,
        path: "/rooms/{room_id}/pins",
        summary: "What is pinned in a room, in the order in which it was.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &|call: &Call<'_>| {
            let pins = rooms(call)?.pins(&call.actor()?, &call.room()?);
            Ok(Answer::of(Pins {
                pins: pins.map_err(fault)?,
            }))
        },
    },
    Operation {
        name: "room.pin",
        method: Method::Put,
        path: "/rooms/{room_id}/pins/{message_id}",
        summary: "Pins a message, for all members to see; needs `pin_messages`.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE],
        run: &|call: &Call<'_>| {
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
        run: &|call: &Call<'_>| {
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
        run: &|call: &Call<'_>| {
            let message = message_id(call)?;
            let read = rooms(call)?.mark_read(&call.user()?, &call.room()?, message);
            Ok(Answer::of(read.map_err(fault)?))
        },
    },
    Operation {
        name: "room.read_markers",
        method: Method::Get,
        path: "/rooms/{room_id}/read",
        summary: "Up to where the members of a room have read, and how many numbers came since: `message.unread` \
                  counts what there is to read.",
        who: Who::Anyone,
        arguments: &[ROOM, page::LIMIT, page::AFTER],
        run: &|call: &Call<'_>| {
            let (limit, after) = call.page()?;
            let after = after_user(after.as_deref())?;
            let page = rooms(call)?.reads(&call.actor()?, &call.room()?, after.as_ref(), limit);
            let (reads, next) = page.map_err(fault)?;
            Ok(Answer::of(Reads { reads, next }))
        },
    },
];

fn send(call: &Call<'_>) -> Result<Answer<SentView>, Fault> {
    let room = call.room()?;
    let message = call.stamped(Payload::of(call.arguments)?.into_message(None))?;
    let echo = call.arguments.flag("echo")?.unwrap_or(true);
    let actor = call.actor()?;
    let sender = call.caller.client().filter(|_| !echo);
    let except = sender.map(Client::id);
    let outgoing = OutgoingMessage::new(message)
        .thread(thread(call)?)
        .except(except);
    let pending = call.layers()?.send(&actor, &room, outgoing);
    Ok(later(pending, sent))
}

fn sent(sent: Sent) -> SentView {
    SentView {
        message_id: sent.id.to_string(),
        delivery: DeliveryReport::of(&sent.delivery),
    }
}

/// The message that `thread_id` names.
fn thread(call: &Call<'_>) -> Result<Option<u64>, Fault> {
    let text = call.arguments.text("thread_id", usize::MAX)?;
    let thread = text.map(|text| text.parse()).transpose();
    thread.map_err(|_| invalid("thread_id", "the id of a message, a string of digits"))
}

fn send_to_role(call: &Call<'_>) -> Result<Answer<DeliveredView>, Fault> {
    let role = role(call)?.ok_or_else(|| missing("role"))?;
    let message = call.stamped(Payload::of(call.arguments)?.into_message(None))?;
    let sent = rooms(call)?.send_to_role(&call.actor()?, &call.room()?, role, message);
    Ok(Answer::of(DeliveredView {
        delivered: sent.map_err(fault)?,
    }))
}

answers! {
    /// A message of a room that was sent.
    struct SentView {
        /// Its id: the digits of its number in the room.
        message_id: String,
        /// What became of it.
        delivery: DeliveryReport,
    }

    /// A message to a role that was sent.
    struct DeliveredView {
        /// How many connections have taken it.
        delivered: usize,
    }

    /// The pinned messages of a room.
    struct Pins {
        /// The pins, in the order in which they were made.
        pins: Vec<PinView>,
    }

    /// A page of the read markers of a room.
    struct Reads {
        /// The markers, by user.
        reads: Vec<ReadView>,
        /// The `after` of the next page; the last page has none.
        next: Option<UserId>,
    }
}
