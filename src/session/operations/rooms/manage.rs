//! Rooms themselves: made, changed, put away.

use std::time::Duration;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::rooms::MemberView;
use crate::layers::rooms::RoomOptions;
use crate::layers::rooms::RoomPatch;
use crate::layers::rooms::RoomView;
use crate::protocol::Fault;
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

use super::ROOM;
use super::USER;
use super::fault;
use super::removed;
use super::rooms;

const DESCRIPTION: Argument = Argument::optional(
    "description",
    Kind::Text,
    "What it is about; at most 1,024 bytes.",
);
const CATEGORY: Argument = Argument::optional(
    "category",
    Kind::Text,
    "What kind of room it is; at most 64 bytes.",
);
const TAGS: Argument = Argument::optional(
    "tags",
    Kind::List,
    "Words to find it by: at most 16 of at most 64 bytes.",
);
const METADATA: Argument = Argument::optional(
    "metadata",
    Kind::Object,
    "What the application notes about it; at most 4,096 bytes.",
);
const PRIVATE: Argument = Argument::optional(
    "private",
    Kind::Flag,
    "Whether only those come in who were invited or added.",
);
const MAX_MEMBERS: Argument = Argument::optional(
    "max_members",
    Kind::Number,
    "How many members it may have; 0 for no limit.",
);
const SLOW_MODE: Argument = Argument::optional(
    "slow_mode_ms",
    Kind::Number,
    "How long each member has to wait between two messages; 0 for not at all.",
);

pub(in crate::session::operations) const TABLE: &[Operation] = &[
    Operation {
        name: "room.create",
        method: Method::Post,
        path: "/rooms",
        summary: "Makes a room; a user that makes one is its owner and its first member.",
        who: Who::Anyone,
        arguments: &[
            Argument::needed("name", Kind::Text, "Its name: 1 to 128 bytes."),
            Argument::optional("room_id", Kind::Text, "Its id; made if not given."),
            DESCRIPTION,
            CATEGORY,
            TAGS,
            METADATA,
            PRIVATE,
            MAX_MEMBERS,
            SLOW_MODE,
        ],
        run: &create,
    },
    Operation {
        name: "room.get",
        method: Method::Get,
        path: "/rooms/{room_id}",
        summary: "What a room says about itself; a private one says it to members only.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &get,
    },
    Operation {
        name: "room.update",
        method: Method::Patch,
        path: "/rooms/{room_id}",
        summary: "Changes what a room says about itself; needs `manage_room`.",
        who: Who::Anyone,
        arguments: &[
            ROOM,
            Argument::optional("name", Kind::Text, "Its name: 1 to 128 bytes."),
            DESCRIPTION,
            CATEGORY,
            TAGS,
            METADATA,
            PRIVATE,
            MAX_MEMBERS,
        ],
        run: &update,
    },
    Operation {
        name: "room.delete",
        method: Method::Delete,
        path: "/rooms/{room_id}",
        summary: "Deletes a room, and what was sent to it: its owner may, and the server.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &|call: &Call<'_>| {
            let room = call.room()?;
            rooms(call)?.delete(&call.actor()?, &room).map_err(fault)?;
            Ok(removed(call, &room))
        },
    },
    Operation {
        name: "room.archive",
        method: Method::Post,
        path: "/rooms/{room_id}/archive",
        summary: "Archives a room: it can only be read; needs `manage_room`.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &|call: &Call<'_>| {
            rooms(call)?
                .archive(&call.actor()?, &call.room()?)
                .map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.restore",
        method: Method::Post,
        path: "/rooms/{room_id}/restore",
        summary: "Takes a room out of the archive; needs `manage_room`.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &|call: &Call<'_>| {
            rooms(call)?
                .restore(&call.actor()?, &call.room()?)
                .map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.lock",
        method: Method::Post,
        path: "/rooms/{room_id}/lock",
        summary: "Locks a room: users that are no members cannot join; needs `manage_room`.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &|call: &Call<'_>| {
            rooms(call)?
                .lock(&call.actor()?, &call.room()?)
                .map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.unlock",
        method: Method::Post,
        path: "/rooms/{room_id}/unlock",
        summary: "Has a room let users in again; needs `manage_room`.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &|call: &Call<'_>| {
            rooms(call)?
                .unlock(&call.actor()?, &call.room()?)
                .map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.slow_mode",
        method: Method::Put,
        path: "/rooms/{room_id}/slow_mode",
        summary: "Says how long members wait between two messages; needs `manage_room`.",
        who: Who::Anyone,
        arguments: &[
            ROOM,
            Argument::needed("slow_mode_ms", Kind::Number, "How long; 0 for not at all."),
        ],
        run: &slow_mode,
    },
    Operation {
        name: "room.transfer",
        method: Method::Put,
        path: "/rooms/{room_id}/owner",
        summary: "Makes another member the owner: the owner may, and the server.",
        who: Who::Anyone,
        arguments: &[ROOM, USER],
        run: &|call: &Call<'_>| {
            let user = call.user_named("user_id")?;
            let done = rooms(call)?.transfer_ownership(&call.actor()?, &call.room()?, &user);
            done.map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.stats",
        method: Method::Get,
        path: "/rooms/{room_id}/stats",
        summary: "What is counted of a room: members, connections, messages.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &|call: &Call<'_>| {
            let stats = rooms(call)?.stats(&call.actor()?, &call.room()?);
            Ok(Answer::of(stats.map_err(fault)?))
        },
    },
    Operation {
        name: "room.direct",
        method: Method::Put,
        path: "/users/{user_id}/direct/{other_id}",
        summary: "The direct room of two users, made if it is not there; both are in it.",
        who: Who::Anyone,
        arguments: &[
            Argument::needed("user_id", Kind::Text, "The one."),
            Argument::needed("other_id", Kind::Text, "The other."),
        ],
        run: &direct,
    },
    Operation {
        name: "room.list_direct",
        method: Method::Get,
        path: "/users/{user_id}/directs",
        summary: "The direct rooms of a user, with whom each is; a user's own, or any to the server.",
        who: Who::Anyone,
        arguments: &[USER],
        run: &directs,
    },
    Operation {
        name: "user.rooms",
        method: Method::Get,
        path: "/users/{user_id}/rooms",
        summary: "The rooms that a user is in; a user's own, or any to the server.",
        who: Who::Anyone,
        arguments: &[USER],
        run: &list_of,
    },
    Operation {
        name: "room.common",
        method: Method::Get,
        path: "/users/{user_id}/common/{other_id}",
        summary: "The rooms that both users are in; with a user's own, or any to the server.",
        who: Who::Anyone,
        arguments: &[
            Argument::needed("user_id", Kind::Text, "The one."),
            Argument::needed("other_id", Kind::Text, "The other."),
        ],
        run: &common,
    },
];

fn create(call: &Call<'_>) -> Result<Answer<RoomAnswer>, Fault> {
    let arguments = call.arguments;
    let mut options = RoomOptions::new(call.text("name", usize::MAX)?)
        .private(arguments.flag("private")?.unwrap_or_default())
        .max_members(max_members(call)?.unwrap_or_default())
        .slow_mode(arguments.millis("slow_mode_ms")?.unwrap_or(Duration::ZERO));
    if let Some(id) = call.optional_room()? {
        options = options.id(id);
    }
    if let Some(description) = arguments.text("description", usize::MAX)? {
        options = options.description(description);
    }
    if let Some(category) = arguments.text("category", usize::MAX)? {
        options = options.category(category);
    }
    if let Some(tags) = tags(call)? {
        options = options.tags(tags);
    }
    if let Some(metadata) = metadata(call)? {
        options = options.metadata(metadata);
    }
    let room = rooms(call)?.create(&call.actor()?, options);
    Ok(Answer::of(RoomAnswer {
        room: room.map_err(fault)?,
    }))
}

fn get(call: &Call<'_>) -> Result<Answer<RoomAndMember>, Fault> {
    let actor = call.actor()?;
    let id = call.room()?;
    let rooms = rooms(call)?;
    let room = rooms.get(&actor, &id).map_err(fault)?;
    let member = actor
        .user()
        .and_then(|user| rooms.member(&actor, &id, user).ok());
    Ok(Answer::of(RoomAndMember { room, member }))
}

fn update(call: &Call<'_>) -> Result<Answer<RoomAnswer>, Fault> {
    let arguments = call.arguments;
    let mut patch = RoomPatch::new();
    if let Some(name) = arguments.text("name", usize::MAX)? {
        patch = patch.name(name);
    }
    if let Some(description) = arguments.text("description", usize::MAX)? {
        patch = patch.description(description);
    }
    if arguments.has("category") {
        patch = patch.category(arguments.text("category", usize::MAX)?);
    }
    if let Some(tags) = tags(call)? {
        patch = patch.tags(tags);
    }
    if let Some(metadata) = metadata(call)? {
        patch = patch.metadata(metadata);
    }
    if let Some(private) = arguments.flag("private")? {
        patch = patch.private(private);
    }
    if let Some(members) = max_members(call)? {
        patch = patch.max_members(members);
    }
    let room = rooms(call)?.update(&call.actor()?, &call.room()?, patch);
    Ok(Answer::of(RoomAnswer {
        room: room.map_err(fault)?,
    }))
}

fn slow_mode(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let wait = call.arguments.millis("slow_mode_ms")?;
    let wait = wait.ok_or_else(|| missing("slow_mode_ms"))?;
    let done = rooms(call)?.set_slow_mode(&call.actor()?, &call.room()?, wait);
    done.map_err(fault)?;
    Ok(Answer::done())
}

fn direct(call: &Call<'_>) -> Result<Answer<RoomAnswer>, Fault> {
    let one = call.user_named("user_id")?;
    let other = call.user_named("other_id")?;
    let room = rooms(call)?.direct(&call.actor()?, &one, &other);
    Ok(Answer::of(RoomAnswer {
        room: room.map_err(fault)?,
    }))
}

fn directs(call: &Call<'_>) -> Result<Answer<DirectRooms>, Fault> {
    let user = call.own_user("user_id")?;
    let directs = rooms(call)?.directs(&user).into_iter();
    let directs = directs.map(|(user_id, room_id)| DirectRoom { user_id, room_id });
    Ok(Answer::of(DirectRooms {
        directs: directs.collect(),
    }))
}

fn list_of(call: &Call<'_>) -> Result<Answer<RoomList>, Fault> {
    let user = call.own_user("user_id")?;
    let rooms = rooms(call)?;
    let ids = rooms.rooms_of(&user);
    Ok(Answer::of(RoomList {
        rooms: views(call, &ids)?,
    }))
}

fn common(call: &Call<'_>) -> Result<Answer<RoomList>, Fault> {
    let user = call.own_user("user_id")?;
    let other = call.user_named("other_id")?;
    let ids = rooms(call)?.common(&user, &other);
    Ok(Answer::of(RoomList {
        rooms: views(call, &ids)?,
    }))
}

/// What the rooms say about themselves, those that are still there and may be seen.
pub(in crate::session::operations) fn views(
    call: &Call<'_>,
    ids: &[RoomId],
) -> Result<Vec<RoomView>, Fault> {
    let (rooms, actor) = (rooms(call)?, call.actor()?);
    Ok(ids
        .iter()
        .filter_map(|id| rooms.get(&actor, id).ok())
        .collect())
}

fn tags(call: &Call<'_>) -> Result<Option<Vec<String>>, Fault> {
    call.arguments.texts("tags", 16, 64)
}

fn metadata(call: &Call<'_>) -> Result<Option<Map<String, Value>>, Fault> {
    call.arguments.json("metadata", "an object")
}

fn max_members(call: &Call<'_>) -> Result<Option<usize>, Fault> {
    let members = call.arguments.number("max_members", 0, u64::MAX)?;
    let members = members.map(usize::try_from).transpose();
    members.map_err(|_| invalid("max_members", "a number of members"))
}

answers! {
    /// A room.
    struct RoomAnswer {
        /// The room.
        room: RoomView,
    }

    /// A room, and the user in it.
    struct RoomAndMember {
        /// The room.
        room: RoomView,
        /// The user that asks, if it is a member.
        member: Option<MemberView>,
    }

    /// A direct room of a user.
    struct DirectRoom {
        /// The other user.
        user_id: UserId,
        /// The room.
        room_id: RoomId,
    }

    /// The direct rooms of a user.
    struct DirectRooms {
        /// The rooms.
        directs: Vec<DirectRoom>,
    }

    /// Some rooms.
    struct RoomList {
        /// The rooms.
        rooms: Vec<RoomView>,
    }
}
