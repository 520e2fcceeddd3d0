//! Keeping order.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::layers::UserId;
use crate::layers::rooms::BanView;
use crate::layers::rooms::LogEntryView;
use crate::layers::rooms::MuteView;
use crate::protocol::Fault;
use crate::session::operations::Answer;
use crate::session::operations::Argument;
use crate::session::operations::Call;
use crate::session::operations::Kind;
use crate::session::operations::Method;
use crate::session::operations::Operation;
use crate::session::operations::Who;
use crate::session::operations::answers;
use crate::session::operations::page;

use super::DURATION;
use super::REASON;
use super::ROOM;
use super::USER;
use super::after_user;
use super::fault;
use super::reason;
use super::rooms;

pub(in crate::session::operations) const TABLE: &[Operation] = &[
    Operation {
        name: "room.kick",
        method: Method::Delete,
        path: "/rooms/{room_id}/members/{user_id}",
        summary: "Takes a member out, who may come back; needs `remove_members`.",
        who: Who::Anyone,
        arguments: &[ROOM, USER, REASON],
        run: &kick,
    },
    Operation {
        name: "room.ban",
        method: Method::Post,
        path: "/rooms/{room_id}/bans",
        summary: "Takes a user out and does not let it in again; needs `ban_members`.",
        who: Who::Anyone,
        arguments: &[ROOM, USER, REASON, DURATION],
        run: &ban,
    },
    Operation {
        name: "room.unban",
        method: Method::Delete,
        path: "/rooms/{room_id}/bans/{user_id}",
        summary: "Lets a banned user come in again; needs `ban_members`.",
        who: Who::Anyone,
        arguments: &[ROOM, USER],
        run: &|call: &Call<'_>| {
            let user = call.user_named("user_id")?;
            let done = rooms(call)?.unban(&call.actor()?, &call.room()?, &user);
            done.map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.bans",
        method: Method::Get,
        path: "/rooms/{room_id}/bans",
        summary: "Who is banned, by their ids; needs `ban_members`.",
        who: Who::Anyone,
        arguments: &[ROOM, page::LIMIT, page::AFTER],
        run: &|call: &Call<'_>| {
            let (limit, after) = call.page()?;
            let after = after_user(after.as_deref())?;
            let page = rooms(call)?.bans(&call.actor()?, &call.room()?, after.as_ref(), limit);
            let (bans, next) = page.map_err(fault)?;
            Ok(Answer::of(Bans { bans, next }))
        },
    },
    Operation {
        name: "room.mute",
        method: Method::Post,
        path: "/rooms/{room_id}/mutes",
        summary: "Does not let a member send; needs `mute_members`.",
        who: Who::Anyone,
        arguments: &[ROOM, USER, REASON, DURATION],
        run: &mute,
    },
    Operation {
        name: "room.unmute",
        method: Method::Delete,
        path: "/rooms/{room_id}/mutes/{user_id}",
        summary: "Lets a muted member send again; needs `mute_members`.",
        who: Who::Anyone,
        arguments: &[ROOM, USER],
        run: &|call: &Call<'_>| {
            let user = call.user_named("user_id")?;
            let done = rooms(call)?.unmute(&call.actor()?, &call.room()?, &user);
            done.map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.mutes",
        method: Method::Get,
        path: "/rooms/{room_id}/mutes",
        summary: "Who is muted, by their ids; needs `mute_members`.",
        who: Who::Anyone,
        arguments: &[ROOM, page::LIMIT, page::AFTER],
        run: &|call: &Call<'_>| {
            let (limit, after) = call.page()?;
            let after = after_user(after.as_deref())?;
            let page = rooms(call)?.mutes(&call.actor()?, &call.room()?, after.as_ref(), limit);
            let (mutes, next) = page.map_err(fault)?;
            Ok(Answer::of(Mutes { mutes, next }))
        },
    },
    Operation {
        name: "room.log",
        method: Method::Get,
        path: "/rooms/{room_id}/log",
        summary: "What moderators did, the last first; needs `remove_members`.",
        who: Who::Anyone,
        arguments: &[
            ROOM,
            Argument::optional("limit", Kind::Number, "How many: 1 to 1,000, default 50."),
        ],
        run: &|call: &Call<'_>| {
            let (limit, _) = call.page()?;
            let log = rooms(call)?.log(&call.actor()?, &call.room()?, limit);
            Ok(Answer::of(ModerationLog {
                log: log.map_err(fault)?,
            }))
        },
    },
];

fn kick(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let user = call.user_named("user_id")?;
    let reason = reason(call)?;
    let done = rooms(call)?.kick(&call.actor()?, &call.room()?, &user, reason.as_deref());
    done.map_err(fault)?;
    Ok(Answer::done())
}

fn ban(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let user = call.user_named("user_id")?;
    let reason = reason(call)?;
    let lasting = call.arguments.millis("duration_ms")?;
    let done = rooms(call)?.ban(
        &call.actor()?,
        &call.room()?,
        &user,
        reason.as_deref(),
        lasting,
    );
    done.map_err(fault)?;
    Ok(Answer::done())
}

fn mute(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let user = call.user_named("user_id")?;
    let reason = reason(call)?;
    let lasting = call.arguments.millis("duration_ms")?;
    let done = rooms(call)?.mute(
        &call.actor()?,
        &call.room()?,
        &user,
        reason.as_deref(),
        lasting,
    );
    done.map_err(fault)?;
    Ok(Answer::done())
}

answers! {
    /// A page of the users who are banned from a room.
    struct Bans {
        /// The bans, by user.
        bans: Vec<BanView>,
        /// The `after` of the next page; the last page has none.
        next: Option<UserId>,
    }

    /// A page of the users who are muted in a room.
    struct Mutes {
        /// The mutes, by user.
        mutes: Vec<MuteView>,
        /// The `after` of the next page; the last page has none.
        next: Option<UserId>,
    }

    /// The actions of the moderators of a room.
    struct ModerationLog {
        /// The actions, the last first.
        log: Vec<LogEntryView>,
    }
}
