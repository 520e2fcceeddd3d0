//! What there is to set.

use std::time::Duration;

/// What there is to set about typing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypingConfig {
    /// How long after its last start a user is no longer typing. Default 3 s.
    pub expires: Duration,
    /// Within this time after a room was told that a user types, it is not told again. Default 1 s.
    pub throttle: Duration,
    /// Users that may type in a room at a time; `None` for any number. Default 10.
    pub max_per_room: Option<usize>,
}

impl TypingConfig {
    /// All the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            expires: Duration::from_secs(3),
            throttle: Duration::from_secs(1),
            max_per_room: Some(10),
        }
    }

    /// Sets [`Self::expires`].
    #[must_use]
    pub const fn expires(mut self, time: Duration) -> Self {
        self.expires = time;
        self
    }

    /// Sets [`Self::throttle`].
    #[must_use]
    pub const fn throttle(mut self, time: Duration) -> Self {
        self.throttle = time;
        self
    }

    /// Sets [`Self::max_per_room`].
    #[must_use]
    pub const fn max_per_room(mut self, users: Option<usize>) -> Self {
        self.max_per_room = users;
        self
    }
}

impl Default for TypingConfig {
    fn default() -> Self {
        Self::new()
    }
}
