//! What can be asked about typing.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::hub::Client;
use crate::layers::Actor;
use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::rooms::RoomError;
use crate::layers::typing::Typing;
use crate::layers::typing::TypingError;
use crate::protocol::Fault;
use crate::protocol::invalid;
use crate::protocol::missing;

use super::Answer;
use super::Argument;
use super::Call;
use super::Caller;
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: "typing.start",
        method: Method::Put,
        path: "/rooms/{room_id}/typing",
        summary: "Shows a room that the user who asks is typing; ends by itself unless repeated.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: start,
    },
    Operation {
        name: "typing.stop",
        method: Method::Delete,
        path: "/rooms/{room_id}/typing",
        summary: "Shows a room that the user who asks is typing no more.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: stop,
    },
    Operation {
        name: "typing.list",
        method: Method::Get,
        path: "/rooms/{room_id}/typing",
        summary: "Who is typing in a room.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: list,
    },
    Operation {
        name: "typing.list_many",
        method: Method::Get,
        path: "/typing",
        summary: "Who is typing in each of several rooms.",
        who: Who::Anyone,
        arguments: &[ROOMS],
        run: list_many,
    },
    Operation {
        name: "typing.clear",
        method: Method::Delete,
        path: "/users/{user_id}/typing",
        summary: "Shows everywhere that a user is typing no more: oneself, or for the server anybody.",
        who: Who::Anyone,
        arguments: &[USER],
        run: clear,
    },
];

fn start(call: &Call<'_>) -> Result<Answer, Fault> {
    let (user, room) = (call.user()?, call.room()?);
    let layer = typing(call)?;
    let started = layer.start(&user, &room, origin(call).map(Client::id));
    started.map(|()| Answer::done()).map_err(fault)
}

fn stop(call: &Call<'_>) -> Result<Answer, Fault> {
    let (user, room) = (call.user()?, call.room()?);
    let layer = typing(call)?;
    layer.stop(&user, &room, origin(call).map(Client::id));
    Ok(Answer::done())
}

fn list(call: &Call<'_>) -> Result<Answer, Fault> {
    let room = call.room()?;
    Ok(Answer::of(&json!({ "user_ids": seen(call, &room)? })))
}

fn list_many(call: &Call<'_>) -> Result<Answer, Fault> {
    let ids = call
        .arguments
        .texts("room_ids", MOST_ROOMS, RoomId::MAX_LEN)?;
    let mut rooms = Map::new();
    for id in ids.ok_or_else(|| missing("room_ids"))? {
        let room = RoomId::parse(&id);
        let room = room.map_err(|error| invalid("room_ids", "ids of rooms").because(&error))?;
        let typing = seen(call, &room)?;
        rooms.insert(id, Value::from_iter(typing.iter().map(UserId::as_str)));
    }
    Ok(Answer::of(&json!({ "rooms": rooms })))
}

fn clear(call: &Call<'_>) -> Result<Answer, Fault> {
    let user = call.own_user("user_id")?;
    typing(call)?.clear(&user);
    Ok(Answer::done())
}

/// Who is typing in a room, as far as whoever asks may know.
fn seen(call: &Call<'_>, room: &RoomId) -> Result<Vec<UserId>, Fault> {
    if let (Actor::User(user), Some(rooms)) = (call.actor()?, call.layers.rooms())
        && !rooms.is_member(&user, room)
    {
        let error = RoomError::NotMember;
        return Err(super::fault(error.code(), error.field(), &error));
    }
    Ok(typing(call)?.list(room))
}

fn typing<'a>(call: &Call<'a>) -> Result<&'a Typing, Fault> {
    call.layers
        .typing()
        .ok_or_else(|| super::disabled("typing"))
}

/// The connection that asks, which is not told what it has said.
fn origin<'a>(call: &Call<'a>) -> Option<&'a Client> {
    match call.caller {
        Caller::Client(client) => Some(client),
        Caller::Api(_) => None,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn fault(error: TypingError) -> Fault {
    super::fault(error.code(), error.field(), &error)
}

/// Rooms that may be named at once.
const MOST_ROOMS: usize = 100;

const ROOM: Argument = Argument::needed("room_id", Kind::Text, "The room.");
const ROOMS: Argument = Argument::needed("room_ids", Kind::List, "The rooms, 100 at most.");
const USER: Argument = Argument::needed("user_id", Kind::Text, "The user.");
