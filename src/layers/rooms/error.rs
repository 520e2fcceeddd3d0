//! Why something about a room was refused.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::code::ErrorCode;
use crate::hub::ChannelError;
use crate::hub::PublishError;
use crate::id::InvalidName;
use crate::layers::name::RoomId;
use crate::layers::rooms::role::Permission;

/// Why something about a room was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomError {
    /// The room is private, and the user has no invite.
    AccessDenied,
    /// The user is a member already.
    AlreadyMember,
    /// The room is archived.
    Archived,
    /// The user is banned.
    Banned {
        /// For how many milliseconds yet; `None` for good.
        for_ms: Option<u64>,
    },
    /// The hub could not make the channel that carries the room.
    Channel(ChannelError),
    /// A room with this id exists.
    Exists,
    /// The room has as many members as it may have.
    Full {
        /// How many that is.
        limit: usize,
    },
    /// The role of the actor is too low, or not above that of the other.
    InsufficientRole,
    /// A field cannot be as it was given.
    InvalidField {
        /// Which one.
        field: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A field names something, and has a character that misleads.
    InvalidName {
        /// The field.
        field: &'static str,
        /// The character.
        error: InvalidName,
    },
    /// No permission has this name.
    InvalidPermission,
    /// This cannot be done with this room.
    InvalidRoom(&'static str),
    /// The role cannot be given so.
    InvalidRole(&'static str),
    /// The invite was used as often as it may be.
    InviteExhausted,
    /// The invite is too old.
    InviteExpired,
    /// The room lets nobody in.
    Locked,
    /// The user is muted.
    Muted {
        /// For how many milliseconds yet; `None` for good.
        for_ms: Option<u64>,
    },
    /// The user is not banned.
    NotBanned,
    /// The user is not a member.
    NotMember,
    /// The user is not muted.
    NotMuted,
    /// The owner leaves only after another has become the owner.
    OwnerCannotLeave,
    /// The actor lacks a permission.
    PermissionDenied(Permission),
    /// The hub refused the message.
    Publish {
        /// With which code.
        code: ErrorCode,
        /// Why.
        why: Box<str>,
    },
    /// The application said no.
    Refused(Box<str>),
    /// The user is in as many rooms as it may be.
    RoomLimitReached {
        /// How many that is.
        limit: usize,
    },
    /// The user may not send.
    SendDenied,
    /// The room is in slow mode.
    SlowMode {
        /// After how many milliseconds the user may send again.
        retry_after_ms: u64,
    },
    /// A field is too large.
    TooLarge {
        /// Which one.
        field: &'static str,
        /// How large it may be, in bytes or entries.
        limit: usize,
    },
    /// The room has as many of these as it may have.
    TooMany {
        /// Of what: `invites`, `pins`, `rooms`, `bans`.
        what: &'static str,
        /// How many that is.
        limit: usize,
    },
    /// No invite has this code.
    UnknownInvite,
    /// The room has had no message of this id.
    UnknownMessage,
    /// No room has this id.
    UnknownRoom,
}

impl RoomError {
    /// After how long the same may be tried again, when that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Banned { for_ms } | Self::Muted { for_ms } => for_ms.map(Duration::from_millis),
            Self::SlowMode { retry_after_ms } => Some(Duration::from_millis(*retry_after_ms)),
            _ => None,
        }
    }

    /// The code that it has on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::AccessDenied | Self::Refused(_) => ErrorCode::RoomAccessDenied,
            Self::AlreadyMember => ErrorCode::AlreadyMember,
            Self::Archived => ErrorCode::RoomArchived,
            Self::Banned { .. } => ErrorCode::Banned,
            Self::Channel(ChannelError::Closed) => ErrorCode::Closed,
            Self::Channel(ChannelError::Name(_)) => ErrorCode::InvalidField,
            Self::Channel(ChannelError::TooManyChannels { .. }) => ErrorCode::TooManyChannels,
            Self::Exists => ErrorCode::RoomExists,
            Self::Full { .. } => ErrorCode::RoomFull,
            Self::InsufficientRole => ErrorCode::InsufficientRole,
            Self::InvalidField { .. } | Self::InvalidName { .. } => ErrorCode::InvalidField,
            Self::InvalidPermission => ErrorCode::InvalidPermission,
            Self::InvalidRoom(_) => ErrorCode::InvalidRoom,
            Self::InvalidRole(_) => ErrorCode::InvalidRole,
            Self::InviteExhausted => ErrorCode::InviteExhausted,
            Self::InviteExpired => ErrorCode::InviteExpired,
            Self::Locked => ErrorCode::RoomLocked,
            Self::Muted { .. } => ErrorCode::Muted,
            Self::NotBanned => ErrorCode::NotBanned,
            Self::NotMember => ErrorCode::NotMember,
            Self::NotMuted => ErrorCode::NotMuted,
            Self::OwnerCannotLeave => ErrorCode::OwnerCannotLeave,
            Self::PermissionDenied(_) => ErrorCode::PermissionDenied,
            Self::Publish { code, .. } => *code,
            Self::RoomLimitReached { .. } => ErrorCode::RoomLimitReached,
            Self::SendDenied => ErrorCode::SendDenied,
            Self::SlowMode { .. } => ErrorCode::SlowMode,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::TooMany {
                what: "invites", ..
            } => ErrorCode::TooManyInvites,
            Self::TooMany { what: "pins", .. } => ErrorCode::TooManyPins,
            Self::TooMany { .. } => ErrorCode::TooManyRooms,
            Self::UnknownInvite => ErrorCode::UnknownInvite,
            Self::UnknownMessage => ErrorCode::UnknownMessage,
            Self::UnknownRoom => ErrorCode::UnknownRoom,
        }
    }

    /// The field at fault, when one is.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidField { field, .. }
            | Self::InvalidName { field, .. }
            | Self::TooLarge { field, .. } => Some(field),
            Self::InvalidPermission => Some("permission"),
            Self::InvalidRole(_) => Some("role"),
            Self::InviteExhausted | Self::InviteExpired | Self::UnknownInvite => Some("invite"),
            Self::NotBanned | Self::NotMuted => Some("user_id"),
            Self::UnknownMessage => Some("message_id"),
            Self::UnknownRoom | Self::Exists => Some("room_id"),
            _ => None,
        }
    }
}

impl From<PublishError> for RoomError {
    fn from(error: PublishError) -> Self {
        let code = match &error {
            PublishError::Backlogged(_) => ErrorCode::Backlogged,
            PublishError::Closed(_) => ErrorCode::Closed,
            PublishError::TooLarge { .. } => ErrorCode::TooLarge,
            PublishError::Name(..) => ErrorCode::InvalidField,
            PublishError::TooManyChannels { .. } => ErrorCode::TooManyChannels,
        };
        Self::Publish {
            code,
            why: error.to_string().into(),
        }
    }
}

impl fmt::Display for RoomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessDenied => f.write_str("the room is private: an invite is needed"),
            Self::AlreadyMember => f.write_str("the user is a member already"),
            Self::Archived => f.write_str("the room is archived: it can only be read"),
            Self::Banned { for_ms } => lasting(f, "banned from this room", *for_ms),
            Self::Channel(error) => error.fmt(f),
            Self::Exists => f.write_str("a room with this id exists already"),
            Self::Full { limit } => write!(f, "the room is full: {limit} members"),
            Self::InsufficientRole => {
                f.write_str("the role of the user is too low, or not above that of the other")
            }
            Self::InvalidField { field, allowed } => write!(f, "`{field}` must be {allowed}"),
            Self::InvalidName { field, error } => write!(f, "`{field}`: {error}"),
            Self::InvalidPermission => f.write_str("no permission has this name"),
            Self::InvalidRoom(why) | Self::InvalidRole(why) => f.write_str(why),
            Self::InviteExhausted => f.write_str("the invite was used as often as it may be"),
            Self::InviteExpired => f.write_str("the invite is too old"),
            Self::Locked => f.write_str("the room is locked: no user can join"),
            Self::Muted { for_ms } => lasting(f, "muted in this room", *for_ms),
            Self::NotBanned => f.write_str("the user is not banned"),
            Self::NotMember => f.write_str("the user is not a member of the room"),
            Self::NotMuted => f.write_str("the user is not muted"),
            Self::OwnerCannotLeave => {
                f.write_str("the owner leaves only after another has become the owner")
            }
            Self::PermissionDenied(permission) => write!(f, "this needs `{permission}`"),
            Self::Publish { why, .. } => f.write_str(why),
            Self::Refused(why) => f.write_str(why),
            Self::RoomLimitReached { limit } => {
                write!(f, "the user is in {limit} rooms, as many as it may be")
            }
            Self::SendDenied => f.write_str("the user may not send to this room"),
            Self::SlowMode { retry_after_ms } => {
                write!(f, "slow mode: send again in {retry_after_ms} ms")
            }
            Self::TooLarge { field, limit } => write!(f, "`{field}` may have {limit} at most"),
            Self::TooMany { what, limit } => {
                write!(f, "there are {limit} {what}, as many as may be")
            }
            Self::UnknownInvite => f.write_str("no invite has this code"),
            Self::UnknownMessage => f.write_str("the room has had no message of this id"),
            Self::UnknownRoom => f.write_str("no room has this id"),
        }
    }
}

fn lasting(f: &mut fmt::Formatter<'_>, what: &str, for_ms: Option<u64>) -> fmt::Result {
    match for_ms {
        Some(ms) => write!(f, "the user is {what}, for {ms} ms yet"),
        None => write!(f, "the user is {what}"),
    }
}

impl Error for RoomError {}

/// Why bytes are no snapshot of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSnapshot {
    /// It contradicts itself: in what.
    Contradicts(&'static str),
    /// It is not what a snapshot of this version looks like: where and why.
    Malformed(Box<str>),
    /// It is of a version that is not known here: it was written by a newer program.
    Version(u64),
}

impl fmt::Display for InvalidSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradicts(what) => write!(f, "the snapshot contradicts itself: {what}"),
            Self::Malformed(why) => write!(f, "the snapshot cannot be read: {why}"),
            Self::Version(version) => write!(f, "the snapshot is of the unknown version {version}"),
        }
    }
}

impl Error for InvalidSnapshot {}

/// Why a room could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// The room is good, but has no place here.
    Room {
        /// Which.
        room: RoomId,
        /// Why.
        why: RoomError,
    },
    /// What was given is no room.
    Snapshot {
        /// Of which room it was to be.
        room: RoomId,
        /// Why it is none.
        why: InvalidSnapshot,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room { room, why } => write!(f, "room `{room}`: {why}"),
            Self::Snapshot { room, why } => write!(f, "room `{room}`: {why}"),
        }
    }
}

impl Error for LoadError {}
