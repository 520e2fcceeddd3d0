//! What is shown of rooms: copies, as JSON writes them.

use std::borrow::Cow;

#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::role::Permissions;
use crate::layers::rooms::role::Role;
use crate::layers::rooms::room::Invite;
use crate::layers::rooms::room::LogEntry;
use crate::layers::rooms::room::Member;
use crate::layers::rooms::room::Pin;
use crate::layers::rooms::room::Restriction;
use crate::layers::rooms::room::Room;
use crate::layers::timestamp::Timestamp;

/// What a room says about itself.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct RoomView {
    /// Its id.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// What it is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// `room` or `direct`.
    pub kind: &'static str,
    /// What kind of room it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What the application notes about it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    /// Whether only those come in who were invited or added.
    pub private: bool,
    /// Whether it can only be read.
    pub archived: bool,
    /// Whether it lets nobody in.
    pub locked: bool,
    /// How many members it may have; 0 for no limit.
    pub max_members: usize,
    /// How many it has.
    pub members: usize,
    /// How long each member has to wait between two messages.
    pub slow_mode_ms: u64,
    /// The id of the last message, and so how many there were.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    #[serde(serialize_with = "digits")]
    pub last_message_id: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When somebody last came or sent.
    pub last_activity: Timestamp,
}

impl RoomView {
    pub(super) fn of(room: &Room) -> Self {
        Self {
            id: room.id.clone(),
            name: room.name.to_string(),
            description: room.description.to_string(),
            kind: if room.direct { "direct" } else { "room" },
            category: room.category.as_ref().map(ToString::to_string),
            tags: room.tags.iter().map(ToString::to_string).collect(),
            metadata: room.metadata.clone(),
            owner: room.owner.clone(),
            private: room.private,
            archived: room.archived,
            locked: room.locked,
            max_members: room.max_members,
            members: room.member_count(),
            slow_mode_ms: room.slow_mode_ms,
            last_message_id: room.message_count(),
            created_at: date(room.created_at),
            updated_at: date(room.updated_at),
            last_activity: date(room.last_activity),
        }
    }
}

/// A user in a room.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(
    feature = "openapi",
    derive(JsonSchema),
    schemars(rename = "RoomMember")
)]
#[non_exhaustive]
pub struct MemberView {
    /// Who.
    pub user_id: UserId,
    /// What it is there.
    pub role: Role,
    /// What it may do, by its role and by grants.
    pub permissions: Permissions,
    /// Since when.
    pub joined_at: Timestamp,
    /// Whether it is muted.
    pub muted: bool,
}

impl MemberView {
    pub(super) fn of(room: &Room, user: &UserId, member: &Member, now: u64) -> Self {
        Self {
            user_id: user.clone(),
            role: member.role,
            permissions: room.permissions(user),
            joined_at: date(member.joined_at),
            muted: room.check_not_muted(user, now).is_err(),
        }
    }
}

/// A user who may not come in.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct BanView {
    /// Who.
    pub user_id: UserId,
    /// By whom; nobody when it was the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Until when; for good if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A member who may not send.
pub type MuteView = BanView;

impl BanView {
    pub(super) fn of(user: &UserId, it: &Restriction) -> Self {
        Self {
            user_id: user.clone(),
            by: it.by.clone(),
            reason: it.reason.as_ref().map(ToString::to_string),
            since: date(it.since),
            until: it.until.map(date),
        }
    }
}

/// A code that lets its bearers in.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct InviteView {
    /// The code: whoever has it may use it.
    pub invite: String,
    /// Where it leads.
    pub room_id: RoomId,
    /// Who made it; nobody when it was the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be used; for good if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How often it may be used; 0 for no limit.
    pub max_uses: u32,
    /// How often it was.
    pub uses: u32,
}

impl InviteView {
    pub(super) fn of(room: &Room, code: &str, invite: &Invite) -> Self {
        Self {
            invite: code.to_owned(),
            room_id: room.id.clone(),
            by: invite.by.clone(),
            created_at: date(invite.created_at),
            expires_at: invite.expires_at.map(date),
            max_uses: invite.max_uses,
            uses: invite.uses,
        }
    }
}

/// Something that a moderator did.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct LogEntryView {
    /// When.
    pub at: Timestamp,
    /// What: `ban`, `kick`, `set_role` and so on.
    pub action: Cow<'static, str>,
    /// Who; nobody when it was the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<UserId>,
    /// To whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Why, or what exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl LogEntryView {
    pub(super) fn of(entry: &LogEntry) -> Self {
        Self {
            at: date(entry.at),
            action: entry.action.clone(),
            actor: entry.actor.clone(),
            user_id: entry.target.clone(),
            reason: entry.reason.as_ref().map(ToString::to_string),
        }
    }
}

/// A message that is pinned.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct PinView {
    /// Which.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    #[serde(serialize_with = "digits")]
    pub message_id: u64,
    /// By whom; nobody when it was the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<UserId>,
    /// When.
    pub at: Timestamp,
}

impl PinView {
    pub(super) fn of(pin: &Pin) -> Self {
        Self {
            message_id: pin.message,
            by: pin.by.clone(),
            at: date(pin.at),
        }
    }
}

/// Up to where a member has read.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct ReadView {
    /// Who.
    pub user_id: UserId,
    /// The last message that was read; 0 for none.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    #[serde(serialize_with = "digits")]
    pub message_id: u64,
    /// How many numbers were given since: own messages, those that were deleted and those that came
    /// to nothing are among them. What there is to read, messages that are kept tell:
    /// [`Messages::unread`](crate::messages::Messages::unread).
    pub unread: u64,
}

/// What is counted of a room.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema))]
#[non_exhaustive]
pub struct RoomStats {
    /// Members now.
    pub members: usize,
    /// The most there have been at a time.
    pub peak_members: usize,
    /// Connections that receive the room.
    pub clients: usize,
    /// Messages ever.
    pub messages: u64,
    /// Messages since midnight, UTC.
    pub messages_today: u64,
    /// Messages for each day since the room was made.
    pub messages_per_day: f64,
    /// Bans.
    pub bans: usize,
    /// Mutes.
    pub mutes: usize,
    /// Invites.
    pub invites: usize,
    /// Pinned messages.
    pub pins: usize,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody last came or sent.
    pub last_activity: Timestamp,
}

impl RoomStats {
    pub(super) fn of(room: &Room, clients: usize, now: u64) -> Self {
        const DAY_MS: f64 = 86_400_000.0;
        let days = (now.saturating_sub(room.created_at) as f64 / DAY_MS).max(1.0);
        Self {
            members: room.member_count(),
            peak_members: room.peak_members(),
            clients,
            messages: room.message_count(),
            messages_today: room.messages_today(now),
            messages_per_day: room.message_count() as f64 / days,
            bans: room.ban_count(),
            mutes: room.mute_count(),
            invites: room.invite_count(),
            pins: room.pins().len(),
            created_at: date(room.created_at),
            last_activity: date(room.last_activity),
        }
    }
}

/// A time in milliseconds since 1970.
pub(super) fn date(millis: u64) -> Timestamp {
    Timestamp::since_unix_epoch(std::time::Duration::from_millis(millis))
}

/// An id, which programs are not to count with.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn digits<S: serde::Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}
