//! Operations about typing.

use std::collections::BTreeMap;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

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
use super::Kind;
use super::Method;
use super::Operation;
use super::Who;
use super::answers;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: "typing.start",
        method: Method::Put,
        path: "/rooms/{room_id}/typing",
        summary: "Shows a room that the user who asks is typing; ends by itself unless repeated.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &start,
    },
    Operation {
        name: "typing.stop",
        method: Method::Delete,
        path: "/rooms/{room_id}/typing",
        summary: "Shows a room that the user who asks is typing no more.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &stop,
    },
    Operation {
        name: "typing.list",
        method: Method::Get,
        path: "/rooms/{room_id}/typing",
        summary: "Who is typing in a room.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &list,
    },
    Operation {
        name: "typing.list_many",
        method: Method::Get,
        path: "/typing",
        summary: "Who is typing in each of several rooms.",
        who: Who::Anyone,
        arguments: &[ROOMS],
        run: &list_many,
    },
    Operation {
        name: "typing.clear",
        method: Method::Delete,
        path: "/users/{user_id}/typing",
        summary: "Ends the typing of a user in every room: of the own user, or, for the server, of any.",
        who: Who::Anyone,
        arguments: &[USER],
        run: &clear,
    },
];

fn start(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let (user, room) = (call.user()?, call.room()?);
    let layer = typing(call)?;
    let started = layer.start(&user, &room, origin(call).map(Client::id));
    started.map(|()| Answer::done()).map_err(fault)
}

fn stop(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let (user, room) = (call.user()?, call.room()?);
    let layer = typing(call)?;
    layer.stop(&user, &room, origin(call).map(Client::id));
    Ok(Answer::done())
}

fn list(call: &Call<'_>) -> Result<Answer<UserIds>, Fault> {
    let room = call.room()?;
    Ok(Answer::of(UserIds {
        user_ids: seen(call, &room)?,
    }))
}

fn list_many(call: &Call<'_>) -> Result<Answer<TypingRooms>, Fault> {
    let ids = call
        .arguments
        .texts("room_ids", MOST_ROOMS, RoomId::MAX_LEN)?;
    let mut rooms = BTreeMap::new();
    for id in ids.ok_or_else(|| missing("room_ids"))? {
        let room = RoomId::parse(&id);
        let room = room.map_err(|error| invalid("room_ids", "ids of rooms").because(&error))?;
        call.check_known(&room)?;
        let typing = seen(call, &room)?;
        rooms.insert(id, typing);
    }
    Ok(Answer::of(TypingRooms { rooms }))
}

fn clear(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let user = call.own_user("user_id")?;
    typing(call)?.clear(&user);
    Ok(Answer::done())
}

/// Who is typing in a room, as far as whoever asks may know.
fn seen(call: &Call<'_>, room: &RoomId) -> Result<Vec<UserId>, Fault> {
    if let (Actor::User(user), Some(rooms)) = (call.actor()?, call.layers()?.rooms())
        && !rooms.is_member(&user, room)
    {
        let error = RoomError::NotMember;
        return Err(super::fault(error.code(), error.field(), &error));
    }
    Ok(typing(call)?.list(room))
}

fn typing<'a>(call: &Call<'a>) -> Result<&'a Typing, Fault> {
    call.layers()?
        .typing()
        .ok_or_else(|| super::disabled("typing"))
}

/// The connection that asks, which is not told what it has said.
fn origin<'a>(call: &Call<'a>) -> Option<&'a Client> {
    call.caller.client()
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

answers! {
    /// Users that type.
    struct UserIds {
        /// Their ids.
        user_ids: Vec<UserId>,
    }

    /// Users that type, by room.
    struct TypingRooms {
        /// The ids of the users, by the id of the room.
        rooms: BTreeMap<String, Vec<UserId>>,
    }
}
