//! Who comes in, who goes, what they are.

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

use crate::layers::Actor;
use crate::layers::Layers;
use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::presence::UserPresence;
use crate::layers::rooms::InviteOptions;
use crate::layers::rooms::InviteView;
use crate::layers::rooms::MemberView;
use crate::layers::rooms::Role;
use crate::layers::rooms::RoomView;
use crate::layers::rooms::Rooms;
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
use crate::session::operations::page;
use crate::session::operations::view::Refusal;

use super::PERMISSION;
use super::ROLE;
use super::ROOM;
use super::USER;
use super::after_user;
use super::fault;
use super::manage::RoomAndMember;
use super::permission;
use super::removed;
use super::role;
use super::rooms;

const INVITE: Argument = Argument::needed("invite", Kind::Text, "The invite, as it was given.");

pub(in crate::session::operations) const TABLE: &[Operation] = &[
    Operation {
        name: "room.join",
        method: Method::Post,
        path: "/rooms/{room_id}/join",
        summary: "Comes into a room; all connections of the user receive it from then on.",
        who: Who::Anyone,
        arguments: &[
            ROOM,
            Argument::optional("invite", Kind::Text, "An invite, for a private room."),
        ],
        run: &join,
    },
    Operation {
        name: "room.leave",
        method: Method::Post,
        path: "/rooms/{room_id}/leave",
        summary: "Leaves a room; an owner only as the last one, and the room is then deleted.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &|call: &Call<'_>| {
            let room = call.room()?;
            rooms(call)?.leave(&call.user()?, &room).map_err(fault)?;
            // The last to leave is the end of it.
            Ok(removed(call, &room))
        },
    },
    Operation {
        name: "room.members",
        method: Method::Get,
        path: "/rooms/{room_id}/members",
        summary: "The members of a room, by their ids, with role, permissions and presence.",
        who: Who::Anyone,
        arguments: &[
            ROOM,
            Argument::optional("role", Kind::Text, "Only those of this role."),
            page::LIMIT,
            page::AFTER,
        ],
        run: &members,
    },
    Operation {
        name: "room.member",
        method: Method::Get,
        path: "/rooms/{room_id}/members/{user_id}",
        summary: "One member of a room.",
        who: Who::Anyone,
        arguments: &[ROOM, USER],
        run: &|call: &Call<'_>| {
            let user = call.user_named("user_id")?;
            let member = rooms(call)?.member(&call.actor()?, &call.room()?, &user);
            Ok(Answer::of(member.map_err(fault)?))
        },
    },
    Operation {
        name: "room.add_member",
        method: Method::Put,
        path: "/rooms/{room_id}/members/{user_id}",
        summary: "Brings a user in; needs `invite_members`, and for a role `manage_roles`.",
        who: Who::Anyone,
        arguments: &[
            ROOM,
            USER,
            Argument::optional("role", Kind::Text, "As what; `member` if not given."),
        ],
        run: &add_member,
    },
    Operation {
        name: "room.bulk_join",
        method: Method::Post,
        path: "/rooms/{room_id}/members",
        summary: "Brings several users in, and says for each what came of it.",
        who: Who::Anyone,
        arguments: &[
            ROOM,
            Argument::needed("user_ids", Kind::List, "Which users: at most 1,000."),
        ],
        run: &bulk_join,
    },
    Operation {
        name: "room.set_role",
        method: Method::Put,
        path: "/rooms/{room_id}/members/{user_id}/role",
        summary: "Makes a member something else; needs `manage_roles` and a role above both.",
        who: Who::Anyone,
        arguments: &[ROOM, USER, ROLE],
        run: &set_role,
    },
    Operation {
        name: "room.grant",
        method: Method::Post,
        path: "/rooms/{room_id}/members/{user_id}/grant",
        summary: "Grants a member a permission beyond its role; needs `manage_roles`.",
        who: Who::Anyone,
        arguments: &[ROOM, USER, PERMISSION],
        run: &|call: &Call<'_>| {
            let (user, permission) = (call.user_named("user_id")?, permission(call)?);
            let done = rooms(call)?.grant(&call.actor()?, &call.room()?, &user, permission);
            done.map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "room.revoke",
        method: Method::Post,
        path: "/rooms/{room_id}/members/{user_id}/revoke",
        summary: "Takes back what was granted to a member; needs `manage_roles`.",
        who: Who::Anyone,
        arguments: &[ROOM, USER, PERMISSION],
        run: &|call: &Call<'_>| {
            let (user, permission) = (call.user_named("user_id")?, permission(call)?);
            let done = rooms(call)?.revoke(&call.actor()?, &call.room()?, &user, permission);
            done.map_err(fault)?;
            Ok(Answer::done())
        },
    },
    Operation {
        name: "invite.create",
        method: Method::Post,
        path: "/rooms/{room_id}/invites",
        summary: "Makes an invite; needs `invite_members`.",
        who: Who::Anyone,
        arguments: &[
            ROOM,
            Argument::optional(
                "max_uses",
                Kind::Number,
                "How often; 0, the default, for no limit.",
            ),
            Argument::optional(
                "expires_in_ms",
                Kind::Number,
                "For how many milliseconds; for good if not given.",
            ),
            Argument::optional("user_id", Kind::Text, "A user that is told of it."),
        ],
        run: &create_invite,
    },
    Operation {
        name: "invite.list",
        method: Method::Get,
        path: "/rooms/{room_id}/invites",
        summary: "The invites of a room that can still be used; needs `invite_members`.",
        who: Who::Anyone,
        arguments: &[ROOM],
        run: &|call: &Call<'_>| {
            let invites = rooms(call)?.invites(&call.actor()?, &call.room()?);
            Ok(Answer::of(Invites {
                invites: invites.map_err(fault)?,
            }))
        },
    },
    Operation {
        name: "invite.get",
        method: Method::Get,
        path: "/invites/{invite}",
        summary: "An invite that can be used, and the room that it leads to.",
        who: Who::Anyone,
        arguments: &[INVITE],
        run: &|call: &Call<'_>| {
            let invite = call.text("invite", MAX_INVITE)?;
            let (invite, room) = rooms(call)?.check_invite(&invite).map_err(fault)?;
            Ok(Answer::of(InviteAndRoom { invite, room }))
        },
    },
    Operation {
        name: "invite.accept",
        method: Method::Post,
        path: "/invites/{invite}/accept",
        summary: "Comes into the room that an invite leads to.",
        who: Who::Anyone,
        arguments: &[INVITE],
        run: &accept_invite,
    },
    Operation {
        name: "invite.revoke",
        method: Method::Delete,
        path: "/invites/{invite}",
        summary: "Revokes an invite; allowed to its maker and with `manage_room`.",
        who: Who::Anyone,
        arguments: &[INVITE],
        run: &|call: &Call<'_>| {
            let invite = call.text("invite", MAX_INVITE)?;
            let room = Rooms::room_of_invite(&invite).map_err(fault)?;
            let done = rooms(call)?.revoke_invite(&call.actor()?, &room, &invite);
            done.map_err(fault)?;
            Ok(Answer::done())
        },
    },
];

/// The most bytes of an invite: the longest id of a room, encoded, and what nobody guesses.
const MAX_INVITE: usize = 256;

fn join(call: &Call<'_>) -> Result<Answer<RoomAndMember>, Fault> {
    let invite = call.arguments.text("invite", MAX_INVITE)?;
    enter(call, &call.room()?, invite.as_deref())
}

fn accept_invite(call: &Call<'_>) -> Result<Answer<RoomAndMember>, Fault> {
    let invite = call.text("invite", MAX_INVITE)?;
    let room = Rooms::room_of_invite(&invite).map_err(fault)?;
    enter(call, &room, Some(&invite))
}

fn enter(
    call: &Call<'_>,
    id: &RoomId,
    invite: Option<&str>,
) -> Result<Answer<RoomAndMember>, Fault> {
    let rooms = rooms(call)?;
    let user = call.user()?;
    let room = rooms.join(&user, id, invite).map_err(fault)?;
    let member = rooms.member(&Actor::Server, id, &user).ok();
    Ok(Answer::of(RoomAndMember { room, member }))
}

fn members(call: &Call<'_>) -> Result<Answer<Members>, Fault> {
    let (limit, after) = call.page()?;
    let after = after_user(after.as_deref())?;
    let actor = call.actor()?;
    let page = rooms(call)?.members(&actor, &call.room()?, role(call)?, after.as_ref(), limit);
    let (members, next) = page.map_err(fault)?;
    let members: Vec<_> = members
        .into_iter()
        .map(|member| {
            let presence = call.entrance.layers().and_then(Layers::presence);
            let presence = presence.and_then(|it| it.get(&actor, &member.user_id).ok());
            PresentMember { member, presence }
        })
        .collect();
    Ok(Answer::of(Members { members, next }))
}

fn add_member(call: &Call<'_>) -> Result<Answer<AddedView>, Fault> {
    let user = call.user_named("user_id")?;
    let role = role(call)?.unwrap_or(Role::Member);
    let added = rooms(call)?.add_member(&call.actor()?, &call.room()?, &user, role);
    Ok(Answer::of(AddedView {
        added: added.map_err(fault)?,
    }))
}

fn bulk_join(call: &Call<'_>) -> Result<Answer<AddedMany>, Fault> {
    let users = call.users("user_ids", 1000)?;
    let room = call.room()?;
    let rooms = rooms(call)?;
    let actor = call.actor()?;
    // One that nobody sees is wrong for all of them.
    rooms.get(&actor, &room).map_err(fault)?;
    let results = rooms.add_members(&actor, &room, &users);
    let results: Vec<_> = users
        .iter()
        .zip(results)
        .map(|(user, result)| {
            let error = result.as_ref().err().cloned();
            AddedUser {
                user_id: user.clone(),
                added: result.ok(),
                error: error.map(|error| Refusal::of(&fault(error))),
            }
        })
        .collect();
    Ok(Answer::of(AddedMany { results }))
}

fn set_role(call: &Call<'_>) -> Result<Answer<()>, Fault> {
    let user = call.user_named("user_id")?;
    let role = role(call)?.ok_or_else(|| missing("role"))?;
    let done = rooms(call)?.set_role(&call.actor()?, &call.room()?, &user, role);
    done.map_err(fault)?;
    Ok(Answer::done())
}

fn create_invite(call: &Call<'_>) -> Result<Answer<InviteView>, Fault> {
    let uses = call.arguments.number("max_uses", 0, u64::from(u32::MAX))?;
    let uses = uses.and_then(|uses| u32::try_from(uses).ok());
    let mut options = InviteOptions::new().max_uses(uses.unwrap_or_default());
    if let Some(time) = call.arguments.millis("expires_in_ms")? {
        if time.is_zero() {
            return Err(invalid("expires_in_ms", "at least 1"));
        }
        options = options.expires_in(time);
    }
    let to = call.optional_user("user_id")?;
    let invite = rooms(call)?.create_invite(&call.actor()?, &call.room()?, options, to.as_ref());
    Ok(Answer::of(invite.map_err(fault)?))
}

answers! {
    /// A member of a room, with its presence.
    struct PresentMember {
        #[serde(flatten)]
        member: MemberView,
        /// Its presence, as far as the user that asks may see it.
        presence: Option<UserPresence>,
    }

    /// A page of the members of a room.
    struct Members {
        /// The members, by user.
        members: Vec<PresentMember>,
        /// The `after` of the next page; the last page has none.
        next: Option<UserId>,
    }

    /// Whether a user was added to a room.
    struct AddedView {
        /// `false`: it is a member already.
        added: bool,
    }

    /// The result for one of several users.
    struct AddedUser {
        /// The user.
        user_id: UserId,
        /// Whether it was added; `false`: it is a member already.
        #[serde(skip_serializing_if = "Option::is_none")]
        added: Option<bool>,
        /// The error, if it could not be added.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Refusal>,
    }

    /// The results for several users.
    struct AddedMany {
        /// The results, in the order of the request.
        results: Vec<AddedUser>,
    }

    /// The invites of a room.
    struct Invites {
        /// The invites that can still be used.
        invites: Vec<InviteView>,
    }

    /// An invite, and the room that it leads to.
    struct InviteAndRoom {
        /// The invite.
        invite: InviteView,
        /// The room.
        room: RoomView,
    }
}
