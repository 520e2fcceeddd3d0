//! What can be read of messages.

use crate::layers::RoomId;
use crate::layers::Timestamp;
use crate::layers::messages::Cursor;
use crate::layers::messages::MessageQuery;
use crate::layers::messages::MessageSearch;
use crate::layers::messages::MessageView;
use crate::layers::messages::Order;
use crate::layers::messages::Scope;
use crate::layers::messages::Terms;
use crate::layers::messages::Unread;
use crate::protocol::Fault;
use crate::protocol::invalid;
use crate::session::operations::Answer;
use crate::session::operations::Argument;
use crate::session::operations::Call;
use crate::session::operations::Kind;
use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::page;
use crate::session::operations::rooms::after_user;
use crate::session::operations::rooms::message_id;

use super::MESSAGE;
use super::REACTION;
use super::ROOM;
use super::later;
use super::messages;
use super::view::MessageStats;
use super::view::PageView;
use super::view::Reactors;
use super::view::RevisionsView;
use super::view::UnreadRooms;
use super::view::UnreadView;

const CURSOR: Argument = Argument::optional(
    "cursor",
    Kind::Text,
    "Where to go on: `older` or `newer` of another page.",
);
const LIMIT: Argument = Argument::optional(
    "limit",
    Kind::Number,
    "How many messages at most: 1 to 500, default 50. A page ends early at 1 MiB.",
);
const ORDER: Argument = Argument::optional(
    "order",
    Kind::Text,
    "`newest_first`, which is the default, or `oldest_first`.",
);
const FROM: Argument = Argument::optional(
    "from",
    Kind::Text,
    "Only those from this moment on, such as `2026-01-31T12:00:00Z`.",
);
const UNTIL: Argument = Argument::optional(
    "until",
    Kind::Text,
    "Only those until this moment, which is included.",
);
const BY: Argument = Argument::optional("user_id", Kind::Text, "Only those by this user.");
const CALLED: Argument = Argument::optional(
    "event",
    Kind::Text,
    "Only those that their senders call so.",
);
const ROOTS: Argument = Argument::optional(
    "roots",
    Kind::Flag,
    "`true`: only those that are no answers in a thread.",
);

pub(in crate::session::operations) const TABLE: &[Operation] = &[
    Operation {
        name: "message.history",
        method: Method::Get,
        path: "/rooms/{room_id}/messages",
        summary: "The messages of a room, page by page, both ways.",
        who: Who::Anyone,
        arguments: &[ROOM, CURSOR, LIMIT, ORDER, FROM, UNTIL, BY, CALLED, ROOTS],
        run: &|call: &Call<'_>| read(call, Scope::Room(call.room()?)),
    },
    Operation {
        name: "message.thread",
        method: Method::Get,
        path: "/rooms/{room_id}/messages/{message_id}/thread",
        summary: "The answers in the thread that a message began.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE, CURSOR, LIMIT, ORDER, FROM, UNTIL, BY, CALLED],
        run: &|call: &Call<'_>| read(call, Scope::Thread(call.room()?, message_id(call)?)),
    },
    Operation {
        name: "user.messages",
        method: Method::Get,
        path: "/users/{user_id}/messages",
        summary: "The messages of a user in the rooms that both are in.",
        who: Who::Anyone,
        arguments: &[
            Argument::needed("user_id", Kind::Text, "Whose."),
            CURSOR,
            LIMIT,
            ORDER,
            FROM,
            UNTIL,
            CALLED,
            ROOTS,
        ],
        run: &|call: &Call<'_>| {
            let user = call.user_named("user_id")?;
            read(call, Scope::User(user, Vec::new()))
        },
    },
    Operation {
        name: "message.get",
        method: Method::Get,
        path: "/rooms/{room_id}/messages/{message_id}",
        summary: "One message.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE],
        run: &|call: &Call<'_>| {
            let (actor, room) = (call.actor()?, call.room()?);
            let pending = messages(call)?.get(&actor, &room, message_id(call)?);
            Ok(later(pending, MessageView::of))
        },
    },
    Operation {
        name: "message.search",
        method: Method::Get,
        path: "/messages/search",
        summary: "Messages with some words, the newest first: words, `\"a phrase\"`, `beginni*`, \
                  `-without`.",
        who: Who::Anyone,
        arguments: &[
            Argument::needed("query", Kind::Text, "What to look for; at most 256 bytes."),
            Argument::optional(
                "room_id",
                Kind::Text,
                "In which room; in all rooms of the user if not given.",
            ),
            BY,
            CALLED,
            CURSOR,
            LIMIT,
        ],
        run: &search,
    },
    Operation {
        name: "message.revisions",
        method: Method::Get,
        path: "/rooms/{room_id}/messages/{message_id}/revisions",
        summary: "What a message said before its edits, the oldest first: the newest that fit in 1 MiB, \
                  fewer than its `edits` where older ones do not.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE],
        run: &|call: &Call<'_>| {
            let (actor, room) = (call.actor()?, call.room()?);
            let pending = messages(call)?.revisions(&actor, &room, message_id(call)?);
            Ok(later(pending, RevisionsView::of))
        },
    },
    Operation {
        name: "message.reactions",
        method: Method::Get,
        path: "/rooms/{room_id}/messages/{message_id}/reactions/{reaction}",
        summary: "Who has had a reaction to a message, in order.",
        who: Who::Anyone,
        arguments: &[ROOM, MESSAGE, REACTION, page::LIMIT, page::AFTER],
        run: &reactors,
    },
    Operation {
        name: "message.unread",
        method: Method::Get,
        path: "/messages/unread",
        summary: "How much the user has not read, by room.",
        who: Who::Anyone,
        arguments: &[Argument::optional(
            "room_id",
            Kind::Text,
            "In which room; in all rooms of the user if not given.",
        )],
        run: &|call: &Call<'_>| {
            let rooms = call.known_room()?.into_iter().collect();
            let pending = messages(call)?.unread(&call.user()?, rooms);
            Ok(later(pending, |unread: Vec<Unread>| UnreadRooms {
                rooms: unread.into_iter().map(UnreadView::of).collect(),
            }))
        },
    },
    Operation {
        name: "message.stats",
        method: Method::Get,
        path: "/messages/stats",
        summary: "How much is kept.",
        who: Who::Server,
        arguments: &[],
        run: &|call: &Call<'_>| {
            let messages = messages(call)?;
            let waiting = messages.waiting();
            Ok(later(messages.stats(), move |stats| MessageStats {
                messages: stats.messages,
                rooms: stats.rooms,
                bytes: stats.bytes,
                waiting,
            }))
        },
    },
];

fn read(call: &Call<'_>, scope: Scope) -> Result<Answer<PageView>, Fault> {
    let is_of_user = matches!(scope, Scope::User(..));
    let mut query = MessageQuery::new(scope);
    if !is_of_user {
        query.user = call.optional_user("user_id")?;
    }
    query.event = call.event()?;
    query.cursor = cursor(call)?;
    query.limit = limit(call)?;
    query.order = order(call)?;
    query.from = moment(call, "from")?;
    query.until = moment(call, "until")?;
    query.roots = call.arguments.flag("roots")?.unwrap_or(false);
    let pending = messages(call)?.page(&call.actor()?, query);
    Ok(later(pending, PageView::of))
}

fn search(call: &Call<'_>) -> Result<Answer<PageView>, Fault> {
    let text = call.text("query", usize::MAX)?;
    let terms: Terms = text.parse().map_err(|error| {
        let wanted = "words, \"a phrase\", beginni* or -without";
        invalid("query", wanted).because(&error)
    })?;
    let rooms: Vec<RoomId> = call.known_room()?.into_iter().collect();
    let actor = call.actor()?;
    if rooms.is_empty() && actor.user().is_none() {
        return Err(invalid("room_id", "the id of a room, where no user asks"));
    }
    let mut search = MessageSearch::new(terms, rooms);
    search.user = call.optional_user("user_id")?;
    search.event = call.event()?;
    search.cursor = cursor(call)?;
    search.limit = limit(call)?;
    let pending = messages(call)?.search(&actor, search);
    Ok(later(pending, PageView::of))
}

fn reactors(call: &Call<'_>) -> Result<Answer<Reactors>, Fault> {
    let (actor, room) = (call.actor()?, call.room()?);
    let reaction = call.text("reaction", usize::MAX)?;
    let (limit, after) = call.page()?;
    let after = after_user(after.as_deref())?;
    let sequence = message_id(call)?;
    let messages = messages(call)?;
    let pending = messages.reactors(&actor, &room, sequence, &reaction, after.as_ref(), limit);
    Ok(later(pending, move |users| {
        let next = (users.len() == limit).then(|| users.last().cloned());
        Reactors {
            users,
            next: next.flatten(),
        }
    }))
}

fn cursor(call: &Call<'_>) -> Result<Option<Cursor>, Fault> {
    let text = call.arguments.text("cursor", usize::MAX)?;
    let cursor = text.map(|text| text.parse()).transpose();
    cursor.map_err(|error| invalid("cursor", "`older` or `newer` of a page").because(&error))
}

fn limit(call: &Call<'_>) -> Result<usize, Fault> {
    let limit = call
        .arguments
        .number("limit", 1, MessageQuery::MAX_LIMIT as u64)?;
    Ok(limit.map_or(MessageQuery::LIMIT, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    }))
}

fn order(call: &Call<'_>) -> Result<Order, Fault> {
    match call.arguments.text("order", usize::MAX)?.as_deref() {
        None | Some("newest_first") => Ok(Order::NewestFirst),
        Some("oldest_first") => Ok(Order::OldestFirst),
        Some(_) => Err(invalid("order", "`newest_first` or `oldest_first`")),
    }
}

/// A moment, in milliseconds since 1970.
fn moment(call: &Call<'_>, name: &'static str) -> Result<Option<u64>, Fault> {
    let Some(text) = call.arguments.text(name, usize::MAX)? else {
        return Ok(None);
    };
    let moment: Result<Timestamp, _> = text.parse();
    moment
        .map(|moment| Some(moment.millis()))
        .map_err(|error| invalid(name, "a moment, such as 2026-01-31T12:00:00Z").because(&error))
}
