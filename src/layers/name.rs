//! The ids of users and rooms, and the names of events, parsed once.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error;

use crate::id::ChannelName;
use crate::id::InvalidName;

/// The most bytes in the id of a user or of a room, and in the name of an event.
const MAX_LEN: usize = 128;

/// Writes what these names have in common.
macro_rules! shared_name {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most bytes in it.
            pub const MAX_LEN: usize = MAX_LEN;

            /// Checks a name: not empty, at most [`Self::MAX_LEN`] bytes, and no characters that
            /// cannot be seen or change how others are read: no control characters, no spaces at
            /// either end, nothing of zero width, nothing that changes the direction of a text.
            ///
            /// # Errors
            ///
            /// [`InvalidName`] says which of these it is not.
            pub fn parse(id: &str) -> Result<Self, InvalidName> {
                ChannelName::check(id, MAX_LEN).map(|()| Self(id.into()))
            }

            /// Takes a name that was stored: the rule about characters is younger.
            pub(crate) fn stored(id: &str) -> Result<Self, InvalidName> {
                match Self::parse(id) {
                    Err(InvalidName::EdgeSpace { .. } | InvalidName::Misleading { .. }) => {
                        Ok(Self(id.into()))
                    }
                    parsed => parsed,
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(id: &str) -> Result<Self, Self::Err> {
                Self::parse(id)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let id = String::deserialize(deserializer)?;
                Self::stored(&id).map_err(D::Error::custom)
            }
        }
    };
}

shared_name! {
    /// Who somebody is, over all of their connections. A clone is one reference count.
    UserId
}

shared_name! {
    /// Which room. A clone is one reference count.
    RoomId
}

shared_name! {
    /// An application's name for what a message is, such as `order.placed`. A clone is one
    /// reference count.
    EventName
}

impl RoomId {
    /// The channel of the hub that carries the room.
    #[must_use]
    pub fn channel(&self) -> String {
        format!("{ROOM_PREFIX}{}", self.as_str())
    }

    /// The room that a channel of the hub carries, if it carries one.
    #[must_use]
    pub fn of_channel(name: &str) -> Option<&str> {
        name.strip_prefix(ROOM_PREFIX)
    }
}

const ROOM_PREFIX: &str = "$room:";

/// Whether a channel of this name is a layer's own, and not for clients to name.
#[must_use]
pub fn is_reserved(channel: &str) -> bool {
    channel.starts_with('$')
}

/// What a channel of the hub stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelTarget<'a> {
    /// Itself.
    Channel(&'a str),
    /// All channels that match a pattern.
    Pattern(&'a str),
    /// What is known about a user.
    Presence(&'a str),
    /// A room.
    Room(&'a str),
}

impl<'a> ChannelTarget<'a> {
    /// What the channel of this name stands for.
    #[must_use]
    pub fn of(channel: &'a str) -> Self {
        if !is_reserved(channel) {
            return Self::Channel(channel);
        }
        let rest = |prefix| channel.strip_prefix(prefix);
        if let Some(room) = rest(ROOM_PREFIX) {
            Self::Room(room)
        } else if let Some(pattern) = rest(PATTERN_PREFIX) {
            Self::Pattern(pattern)
        } else if let Some(user) = rest(PRESENCE_PREFIX) {
            Self::Presence(user)
        } else {
            Self::Channel(channel)
        }
    }
}

/// How the channel of a pattern begins.
pub(crate) const PATTERN_PREFIX: &str = "$pattern:";

/// How the channel of a user's presence begins.
pub(crate) const PRESENCE_PREFIX: &str = "$presence:";

/// On whose behalf something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a user or the server")]
pub enum Actor {
    /// The application or the operator: it may do everything.
    Server,
    /// A user, who may do what their role allows.
    User(UserId),
}

impl Actor {
    /// The user, if it is one.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::Server => None,
            Self::User(user) => Some(user),
        }
    }
}
