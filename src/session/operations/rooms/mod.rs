//! Rooms.

pub(super) mod directory;
pub(super) mod manage;
pub(super) mod members;
pub(super) mod messages;
pub(super) mod moderation;

use crate::code::ErrorCode;
use crate::layers::Layers;
use crate::layers::RoomId;
use crate::layers::UserId;
use crate::layers::rooms::Permission;
use crate::layers::rooms::Role;
use crate::layers::rooms::RoomError;
use crate::layers::rooms::Rooms;
use crate::protocol::Fault;
use crate::protocol::invalid;
use crate::protocol::missing;

use super::Answer;
use super::Argument;
use super::Call;
use super::Kind;
use super::messages::later;

const ROOM: Argument = Argument::needed("room_id", Kind::Text, "Which room.");

const USER: Argument = Argument::needed("user_id", Kind::Text, "Which user.");

const REASON: Argument = Argument::optional(
    "reason",
    Kind::Text,
    "Why; members are told. At most 512 bytes.",
);

const DURATION: Argument = Argument::optional(
    "duration_ms",
    Kind::Number,
    "For how many milliseconds; for good if not given.",
);

const ROLE: Argument = Argument::needed(
    "role",
    Kind::Text,
    "`guest`, `member`, `moderator` or `admin`.",
);

const PERMISSION: Argument = Argument::needed(
    "permission",
    Kind::Text,
    "`send_message`, `delete_message`, `invite_members`, `remove_members`, `mute_members`, \
     `ban_members`, `pin_messages`, `manage_room` or `manage_roles`.",
);

fn rooms<'a>(call: &Call<'a>) -> Result<&'a Rooms, Fault> {
    call.layers()?
        .rooms()
        .ok_or_else(|| super::disabled("rooms"))
}

/// Done, once what was sent to a room is removed, if that room is no more.
fn removed(call: &Call<'_>, room: &RoomId) -> Answer<()> {
    match call.entrance.layers().and_then(Layers::messages) {
        Some(messages) => later(messages.removed(room), |()| ()),
        None => Answer::done(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn fault(error: RoomError) -> Fault {
    super::waiting(super::fault(error.code(), error.field(), &error), &error)
}

fn reason(call: &Call<'_>) -> Result<Option<String>, Fault> {
    call.arguments.text("reason", MAX_REASON)
}

const MAX_REASON: usize = 512;

fn role(call: &Call<'_>) -> Result<Option<Role>, Fault> {
    let Some(name) = call.arguments.text("role", usize::MAX)? else {
        return Ok(None);
    };
    let role = Role::named(&name);
    role.map(Some).ok_or_else(|| {
        let why = "`role` must be guest, member, moderator or admin";
        Fault::new(ErrorCode::InvalidRole, why).field("role")
    })
}

fn permission(call: &Call<'_>) -> Result<Permission, Fault> {
    let name = call.text("permission", usize::MAX)?;
    Permission::named(&name).ok_or_else(|| fault(RoomError::InvalidPermission))
}

/// The message that `message_id` names: the digits of its number.
pub(super) fn message_id(call: &Call<'_>) -> Result<u64, Fault> {
    let text = call.arguments.text("message_id", usize::MAX);
    let text = match text {
        // A number is as good.
        Err(_) => call
            .arguments
            .number("message_id", 1, u64::MAX)?
            .map(|id| id.to_string()),
        text => text?,
    };
    let text = text.ok_or_else(|| missing("message_id"))?;
    text.parse()
        .map_err(|_| invalid("message_id", "the id of a message, a string of digits"))
}

/// The user after whom a page goes on.
pub(super) fn after_user(after: Option<&str>) -> Result<Option<UserId>, Fault> {
    let after = after.map(UserId::parse).transpose();
    after.map_err(|_| invalid("after", "`next` of the page before"))
}
