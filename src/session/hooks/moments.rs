//! The moments at which hooks are called.

use std::fmt;
use std::ops::BitOr;

/// A set of moments at which a [`Hook`](super::Hook) is called.
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct Moments(u32);

/// Writes the constants and their names from one table.
macro_rules! moments {
    ($($(#[doc = $doc:literal])+ $name:ident = $bit:literal, $text:literal;)+) => {
        impl Moments {
            $($(#[doc = $doc])+ pub const $name: Self = Self(1 << $bit);)+

            /// All moments, those that decide and those of events.
            pub const ALL: Self = Self($(1 << $bit)|+);

            /// The name of each moment.
            const NAMES: &[(Self, &'static str)] = &[$((Self::$name, $text)),+];
        }
    };
}

moments! {
    /// A client asks to connect. A hook can refuse it.
    CONNECT = 0, "connect";
    /// Bytes of a client have arrived. A hook can change or refuse them.
    RAW = 1, "raw";
    /// A message is about to be published. A hook can change or refuse it.
    MESSAGE = 2, "message";
    /// A user asks to join a room. A hook can refuse it.
    JOIN = 3, "join";
    /// A user asks to create a room. A hook can refuse it.
    CREATE = 4, "create";
    /// A client was connected.
    CONNECTED = 8, "connected";
    /// A client was disconnected.
    DISCONNECTED = 9, "disconnected";
    /// Messages were written to the socket of a client.
    DELIVERED = 10, "delivered";
    /// A user became a member of a room.
    JOINED = 11, "joined";
    /// A user is no longer a member of a room.
    LEFT = 12, "left";
    /// A room was created.
    CREATED = 13, "created";
    /// A room was deleted.
    DELETED = 14, "deleted";
    /// The presence of a user changed.
    PRESENCE = 15, "presence";
    /// A user began or stopped typing in a room.
    TYPING = 16, "typing";
    /// A request that had passed the gate failed.
    ERROR = 17, "error";
    /// The gate refused a request.
    REFUSED = 18, "refused";
}

impl Moments {
    /// No moment: a hook that is never called.
    pub const NONE: Self = Self(0);

    /// Bit of schemas and filters: not a moment of hooks.
    pub(crate) const CONTENT: Self = Self(1 << 31);

    /// The moments at which a hook decides.
    pub(crate) const REQUESTS: Self =
        Self(Self::MESSAGE.0 | Self::JOIN.0 | Self::CREATE.0 | Self::CONTENT.0);

    /// The moments at which a hook is notified of a fault.
    pub(crate) const FAULTS: Self = Self(Self::ERROR.0 | Self::REFUSED.0);

    /// Returns the moments that are in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the moments that are not in `other`.
    #[must_use]
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns `true` if a moment is in both.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the names of the moments.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = Self::NAMES.iter();
        named
            .filter(move |(moment, _)| self.meets(*moment))
            .map(|(_, name)| *name)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl BitOr for Moments {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

impl fmt::Debug for Moments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
