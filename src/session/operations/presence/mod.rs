//! Operations about presence.

mod answers;
mod arguments;
mod update;

use std::time::Duration;

use crate::code::ErrorCode;
use crate::hub::Client;
use crate::layers::Actor;
use crate::layers::UserId;
use crate::layers::presence::Page;
use crate::layers::presence::Presence;
use crate::layers::presence::PresenceError;
use crate::layers::presence::PresenceFilter;
use crate::layers::presence::PresenceQuery;
use crate::layers::presence::Status;
use crate::layers::presence::UserPresence;
use crate::protocol::Fault;
use crate::protocol::invalid;
use crate::protocol::missing;
use crate::session::operations;
use crate::session::operations::Answer;
use crate::session::operations::Call;
use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::call::CONNECTION;
use crate::session::operations::disabled;
use crate::session::operations::page::AFTER;
use crate::session::operations::page::LIMIT;
use crate::time::millis;

use self::answers::Counts;
use self::answers::Devices;
use self::answers::Durations;
use self::answers::Presences;
use self::answers::StatusHistory;
use self::answers::Users;
use self::answers::Watchers;
use self::answers::Watching;
use self::arguments::A_DEVICE;
use self::arguments::ACTIVITY;
use self::arguments::ACTIVITY_DETAIL;
use self::arguments::AGO;
use self::arguments::AVAILABILITY;
use self::arguments::AVAILABLE;
use self::arguments::CUSTOM_STATUS;
use self::arguments::DETAILS;
use self::arguments::DEVICE;
use self::arguments::DEVICE_NAME;
use self::arguments::EMOJI;
use self::arguments::EXPIRES_IN;
use self::arguments::OF_ACTIVITY;
use self::arguments::OF_DEVICE;
use self::arguments::OF_STATUS;
use self::arguments::OF_STATUS_NOW;
use self::arguments::ROOM;
use self::arguments::STATUS;
use self::arguments::USER;
use self::arguments::USERS;
use self::arguments::WHICH;
use self::arguments::WHOSE;
use self::arguments::WINDOW;
use self::arguments::WITHIN;
use self::update::device;
use self::update::status;
use self::update::update;

pub(super) const TABLE: &[Operation] = &[
    Operation {
        name: "presence.set",
        method: Method::Put,
        path: "/presence",
        summary: "Sets what a user says about itself; what is not named stays as it is.",
        who: Who::Anyone,
        arguments: &[
            WHOSE,
            STATUS,
            CUSTOM_STATUS,
            EMOJI,
            EXPIRES_IN,
            ACTIVITY,
            ACTIVITY_DETAIL,
            AVAILABILITY,
            AVAILABLE,
            DEVICE,
            DEVICE_NAME,
            DETAILS,
        ],
        run: &set,
    },
    Operation {
        name: "presence.set_many",
        method: Method::Put,
        path: "/presence/many",
        summary: "Sets the same of several users.",
        who: Who::Server,
        arguments: &[
            USERS,
            STATUS,
            CUSTOM_STATUS,
            EMOJI,
            EXPIRES_IN,
            ACTIVITY,
            ACTIVITY_DETAIL,
            AVAILABILITY,
            AVAILABLE,
            DEVICE,
            DEVICE_NAME,
            DETAILS,
        ],
        run: &set_many,
    },
    Operation {
        name: "presence.touch",
        method: Method::Post,
        path: "/presence/touch",
        summary: "Says that a user is active; that changes no status.",
        who: Who::Anyone,
        arguments: &[WHOSE],
        run: &touch,
    },
    Operation {
        name: "presence.forget",
        method: Method::Delete,
        path: "/users/{user_id}/presence",
        summary: "Forgets all that is known about a user but that it is connected.",
        who: Who::Server,
        arguments: &[USER],
        run: &forget,
    },
    Operation {
        name: "presence.get",
        method: Method::Get,
        path: "/users/{user_id}/presence",
        summary: "The presence of a user.",
        who: Who::Anyone,
        arguments: &[USER],
        run: &get,
    },
    Operation {
        name: "presence.get_many",
        method: Method::Get,
        path: "/presence",
        summary: "The presence of several users; one about whom nothing is known is offline.",
        who: Who::Anyone,
        arguments: &[USERS],
        run: &get_many,
    },
    Operation {
        name: "presence.online",
        method: Method::Get,
        path: "/presence/online",
        summary: "Who is online, away or busy, newest change first.",
        who: Who::Anyone,
        arguments: &[OF_DEVICE, OF_ACTIVITY, AGO, LIMIT, AFTER],
        run: &online,
    },
    Operation {
        name: "presence.by_status",
        method: Method::Get,
        path: "/presence/statuses/{status}",
        summary: "Who has this status, newest change first.",
        who: Who::Anyone,
        arguments: &[WHICH, OF_DEVICE, OF_ACTIVITY, AGO, LIMIT, AFTER],
        run: &by_status,
    },
    Operation {
        name: "presence.recent",
        method: Method::Get,
        path: "/presence/recent",
        summary: "Who has become online, or what `status` says, of late; newest first.",
        who: Who::Anyone,
        arguments: &[OF_STATUS, WITHIN, LIMIT, AFTER],
        run: &recent,
    },
    Operation {
        name: "presence.count",
        method: Method::Get,
        path: "/presence/count",
        summary: "How many users there are of each status, and the peak and average of 24 hours.",
        who: Who::Anyone,
        arguments: &[],
        run: &count,
    },
    Operation {
        name: "presence.history",
        method: Method::Get,
        path: "/users/{user_id}/presence/history",
        summary: "The last changes of a user's status, newest first.",
        who: Who::Anyone,
        arguments: &[USER],
        run: &history,
    },
    Operation {
        name: "presence.durations",
        method: Method::Get,
        path: "/users/{user_id}/presence/durations",
        summary: "How long a user has been what, as far as its history reaches.",
        who: Who::Anyone,
        arguments: &[USER, WINDOW],
        run: &durations,
    },
    Operation {
        name: "presence.devices",
        method: Method::Get,
        path: "/presence/devices",
        summary: "With what a user is there: its connections, and the devices that were said.",
        who: Who::Anyone,
        arguments: &[WHOSE],
        run: &devices,
    },
    Operation {
        name: "presence.remove_device",
        method: Method::Delete,
        path: "/presence/devices",
        summary: "Takes a device away that was said without a connection.",
        who: Who::Anyone,
        arguments: &[WHOSE, A_DEVICE, DEVICE_NAME],
        run: &remove_device,
    },
    Operation {
        name: "presence.in_room",
        method: Method::Get,
        path: "/rooms/{room_id}/presence",
        summary: "The presence of the members of a room, in the order of their ids.",
        who: Who::Anyone,
        arguments: &[ROOM, OF_STATUS_NOW, OF_DEVICE, OF_ACTIVITY, LIMIT, AFTER],
        run: &in_room,
    },
    Operation {
        name: "presence.watch",
        method: Method::Post,
        path: "/presence/watches",
        summary: "Has a connection be told when the presence of a user changes.",
        who: Who::Anyone,
        arguments: &[USER, CONNECTION],
        run: &watch,
    },
    Operation {
        name: "presence.unwatch",
        method: Method::Delete,
        path: "/presence/watches",
        summary: "Has a connection be told of a user no longer.",
        who: Who::Anyone,
        arguments: &[USER, CONNECTION],
        run: &unwatch,
    },
    Operation {
        name: "presence.watching",
        method: Method::Get,
        path: "/presence/watching",
        summary: "Whom a user watches, over all of its connections.",
        who: Who::Anyone,
        arguments: &[WHOSE],
        run: &watching,
    },
    Operation {
        name: "presence.watchers",
        method: Method::Get,
        path: "/presence/watchers",
        summary: "Who watches a user.",
        who: Who::Anyone,
        arguments: &[WHOSE, LIMIT, AFTER],
        run: &watchers,
    },
];

fn set(call: &Call<'_>) -> Result<Answer<UserPresence>, Fault> {
    let user = whose(call)?;
    let update = update(call)?;
    let through = call.caller.client().map(Client::id);
    let presence = presence(call)?;
    presence.set(&user, through, &update);
    let own = presence.get(&Actor::User(user.clone()), &user);
    own.map(Answer::of).map_err(fault)
}

fn set_many(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let users = call.users("user_ids", MOST_USERS)?;
    let update = update(call)?;
    presence(call)?.set_many(&users, &update);
    Ok(Answer::done())
}

fn touch(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let user = whose(call)?;
    let through = call.caller.client().map(Client::id);
    let touched = presence(call)?.touch(&user, through);
    touched.map(|()| Answer::done()).map_err(fault)
}

fn forget(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    presence(call)?.forget(&call.user_named("user_id")?);
    Ok(Answer::done())
}

fn get(call: &Call<'_>) -> Result<Answer<UserPresence>, Fault> {
    let user = call.user_named("user_id")?;
    let seen = presence(call)?.get(&call.actor()?, &user);
    seen.map(Answer::of).map_err(fault)
}

fn get_many(call: &Call<'_>) -> Result<Answer<Presences>, Fault> {
    let users = call.users("user_ids", MOST_USERS)?;
    let many = presence(call)?.get_many(&call.actor()?, &users);
    Ok(Answer::of(Presences {
        users: many.presences,
        denied: many.denied,
    }))
}

fn online(call: &Call<'_>) -> Result<Answer<Users>, Fault> {
    page(call, PresenceQuery::new())
}

fn by_status(call: &Call<'_>) -> Result<Answer<Users>, Fault> {
    let status = status(call)?.ok_or_else(|| missing("status"))?;
    page(call, PresenceQuery::new().status(status))
}

fn recent(call: &Call<'_>) -> Result<Answer<Users>, Fault> {
    let status = status(call)?.unwrap_or(Status::Online);
    let within = call.arguments.millis("within_ms")?.unwrap_or(RECENTLY);
    let query = PresenceQuery::new().status(status);
    page(call, query.changed_within(within))
}

fn count(call: &Call<'_>) -> Result<Answer<Counts>, Fault> {
    let counts = presence(call)?.counts();
    let is_server = call.actor()? == Actor::Server;
    Ok(Answer::of(Counts::of(counts, is_server)))
}

fn history(call: &Call<'_>) -> Result<Answer<StatusHistory>, Fault> {
    let user = call.user_named("user_id")?;
    let history = presence(call)?.history(&call.actor()?, &user);
    Ok(Answer::of(StatusHistory {
        history: history.map_err(fault)?,
    }))
}

fn durations(call: &Call<'_>) -> Result<Answer<Durations>, Fault> {
    let user = call.user_named("user_id")?;
    let window = call.arguments.millis("window_ms")?.unwrap_or(EVER);
    let durations = presence(call)?.durations(&call.actor()?, &user, window);
    let each = durations.map_err(fault)?.into_iter();
    let each = each.map(|(status, time)| (status.to_string(), millis(time)));
    Ok(Answer::of(Durations {
        durations_ms: each.collect(),
    }))
}

fn devices(call: &Call<'_>) -> Result<Answer<Devices>, Fault> {
    let devices = presence(call)?.devices(&whose(call)?);
    Ok(Answer::of(Devices {
        devices: devices.map_err(fault)?,
    }))
}

fn remove_device(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let user = whose(call)?;
    let device = device(call)?.ok_or_else(|| missing("device"))?;
    presence(call)?.remove_device(&user, &device);
    Ok(Answer::done())
}

fn in_room(call: &Call<'_>) -> Result<Answer<Users>, Fault> {
    let (limit, after) = call.page()?;
    let after = after.as_deref().map(UserId::parse).transpose();
    let after = after.map_err(|_| invalid("after", "`next` of the page before"))?;
    let mut filter = filter(call)?;
    if let Some(status) = status(call)? {
        filter = filter.status(status);
    }
    let rooms = call.layers()?.rooms();
    let rooms = rooms.ok_or_else(|| disabled("rooms"))?;
    let actor = call.actor()?;
    let page = rooms.members(&actor, &call.room()?, None, after.as_ref(), limit);
    let (members, next) =
        page.map_err(|error| operations::fault(error.code(), error.field(), &error))?;
    let members: Vec<_> = members.into_iter().map(|member| member.user_id).collect();
    Ok(Answer::of(Users {
        users: presence(call)?.among(&actor, &members, &filter),
        next: next.map(|user| user.to_string()),
    }))
}

fn watch(call: &Call<'_>) -> Result<Answer<UserPresence>, Fault> {
    let user = call.user_named("user_id")?;
    let seen = presence(call)?.watch(&call.connection()?, &user);
    seen.map(Answer::of).map_err(fault)
}

fn unwatch(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let user = call.user_named("user_id")?;
    presence(call)?.unwatch(&call.connection()?, &user);
    Ok(Answer::done())
}

fn watching(call: &Call<'_>) -> Result<Answer<Watching>, Fault> {
    let user_ids = presence(call)?.watching(&whose(call)?);
    Ok(Answer::of(Watching { user_ids }))
}

fn watchers(call: &Call<'_>) -> Result<Answer<Watchers>, Fault> {
    let user = whose(call)?;
    let (limit, after) = call.page()?;
    let page = presence(call)?.watchers(&user, after.as_deref(), limit);
    let Page { items, next, .. } = page.map_err(fault)?;
    Ok(Answer::of(Watchers {
        user_ids: items,
        next,
    }))
}

fn page(call: &Call<'_>, query: PresenceQuery) -> Result<Answer<Users>, Fault> {
    let (limit, after) = call.page()?;
    let mut query = query.limit(limit).filter(filter(call)?);
    if let Some(after) = after {
        query = query.after(after);
    }
    if let Some(ago) = call.arguments.millis("ago_ms")? {
        query = query.ago(ago);
    }
    let page = presence(call)?.page(&call.actor()?, &query);
    let Page { items, next, .. } = page.map_err(fault)?;
    Ok(Answer::of(Users { users: items, next }))
}

fn filter(call: &Call<'_>) -> Result<PresenceFilter, Fault> {
    let mut filter = PresenceFilter::new();
    if let Some(kind) = call.arguments.text("device", MAX_TEXT)? {
        filter = filter.device(&kind);
    }
    if let Some(kind) = call.arguments.text("activity", MAX_TEXT)? {
        filter = filter.activity(&kind);
    }
    Ok(filter)
}

/// Whose presence it is about: the one that the argument names, or that of the user who asks. A
/// user can name itself alone.
fn whose(call: &Call<'_>) -> Result<UserId, Fault> {
    let named = call.optional_user("user_id")?;
    match (call.actor()?, named) {
        (Actor::Server, named) => named.ok_or_else(|| missing("user_id")),
        (Actor::User(user), None) => Ok(user),
        (Actor::User(user), Some(named)) if user == named => Ok(user),
        (Actor::User(_), Some(_)) => {
            let why = "that is for the user itself and for the server";
            Err(Fault::new(ErrorCode::PresenceDenied, why).field("user_id"))
        }
    }
}

fn presence<'a>(call: &Call<'a>) -> Result<&'a Presence, Fault> {
    let presence = call.layers()?.presence();
    presence.ok_or_else(|| disabled("presence"))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn fault(error: PresenceError) -> Fault {
    let fault = Fault::new(error.code(), error.to_string());
    match error.field() {
        Some(field) => fault.field(field),
        None => fault,
    }
}

/// Users that may be named at once.
const MOST_USERS: usize = 1000;

/// Bytes that are read of a text; its own limit is in characters.
const MAX_TEXT: usize = 4096;

/// What is recent unless it is said.
const RECENTLY: Duration = Duration::from_secs(3600);

/// As far as there is a history.
const EVER: Duration = Duration::from_secs(100 * 365 * 86_400);
