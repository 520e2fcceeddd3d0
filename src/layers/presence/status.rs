//! The statuses.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::Serializer;

use crate::layers::presence::error::PresenceError;

/// What a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// There, but not at it; said by the user.
    Away,
    /// There, and not to be disturbed; said by the user.
    Busy,
    /// There, and [`Status::Offline`] to everybody else.
    Invisible,
    /// Not there; or there and saying so.
    Offline,
    /// There.
    Online,
}

impl Status {
    /// All of them, by name.
    pub const ALL: [Self; 5] = [
        Self::Away,
        Self::Busy,
        Self::Invisible,
        Self::Offline,
        Self::Online,
    ];

    /// The status as it is on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Invisible => "invisible",
            Self::Offline => "offline",
            Self::Online => "online",
        }
    }

    /// What others see of it.
    #[must_use]
    pub const fn shown(self) -> Self {
        match self {
            Self::Invisible => Self::Offline,
            Self::Away | Self::Busy | Self::Offline | Self::Online => self,
        }
    }

    /// Whether others see somebody there: online, away or busy.
    #[must_use]
    pub const fn is_present(self) -> bool {
        matches!(self, Self::Online | Self::Away | Self::Busy)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = PresenceError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|status| status.as_str() == name)
            .ok_or(PresenceError::InvalidStatus)
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
