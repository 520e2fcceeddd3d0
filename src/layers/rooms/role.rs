//! Roles, and what those who have them may do.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error;
use serde::ser::SerializeSeq;

/// What a member is in a room; each is above those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the five roles of a room")]
pub enum Role {
    /// Reads, and nothing else.
    Guest,
    /// Sends; in public rooms invites too.
    #[default]
    Member,
    /// Keeps order: invites, removes, mutes, bans, pins, deletes.
    Moderator,
    /// Everything but what is the owner's alone.
    Admin,
    /// Everything; one for each room.
    Owner,
}

impl Role {
    /// All roles, the lowest first.
    pub const ALL: [Self; 5] = [
        Self::Guest,
        Self::Member,
        Self::Moderator,
        Self::Admin,
        Self::Owner,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What those who have it may do, before anything was granted to them.
    #[must_use]
    pub const fn permissions(self, private: bool) -> Permissions {
        const MODERATOR: Permissions = Permissions::ALL
            .without(Permission::ManageRoom)
            .without(Permission::ManageRoles);
        const SEND: Permissions = Permissions::NONE.with(Permission::SendMessage);
        match self {
            Self::Guest => Permissions::NONE,
            Self::Member if private => SEND,
            Self::Member => SEND.with(Permission::InviteMembers),
            Self::Moderator => MODERATOR,
            Self::Admin | Self::Owner => Permissions::ALL,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| D::Error::custom("no role has this name"))
    }
}

/// One thing that a member may or may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Permission {
    /// Ban users.
    BanMembers,
    /// Delete messages of others.
    DeleteMessage,
    /// Add and invite users.
    InviteMembers,
    /// Change roles and grants.
    ManageRoles,
    /// Change the room: its name, who may come, whether it is locked or archived.
    ManageRoom,
    /// Mute users.
    MuteMembers,
    /// Pin messages.
    PinMessages,
    /// Take members out of the room.
    RemoveMembers,
    /// Send messages.
    SendMessage,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::BanMembers,
        Self::DeleteMessage,
        Self::InviteMembers,
        Self::ManageRoles,
        Self::ManageRoom,
        Self::MuteMembers,
        Self::PinMessages,
        Self::RemoveMembers,
        Self::SendMessage,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BanMembers => "ban_members",
            Self::DeleteMessage => "delete_message",
            Self::InviteMembers => "invite_members",
            Self::ManageRoles => "manage_roles",
            Self::ManageRoom => "manage_room",
            Self::MuteMembers => "mute_members",
            Self::PinMessages => "pin_messages",
            Self::RemoveMembers => "remove_members",
            Self::SendMessage => "send_message",
        }
    }

    /// The permission of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u16);

impl Permissions {
    /// All of them.
    pub const ALL: Self = Self((1 << Permission::ALL.len()) - 1);
    /// None.
    pub const NONE: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | 1 << permission as u16)
    }

    /// Without one.
    #[must_use]
    pub const fn without(self, permission: Permission) -> Self {
        Self(self.0 & !(1 << permission as u16))
    }

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether one is in it.
    #[must_use]
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & 1 << permission as u16 != 0
    }

    /// Those that are in it, by name.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |it| self.has(*it))
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names = serializer.serialize_seq(None)?;
        for permission in self.iter() {
            names.serialize_element(permission.as_str())?;
        }
        names.end()
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        names.iter().try_fold(Self::NONE, |all, name| {
            let permission = Permission::named(name);
            let permission = permission.map(|permission| all.with(permission));
            permission.ok_or_else(|| D::Error::custom("no permission has this name"))
        })
    }
}
