//! What there is to set.

use std::time::Duration;

/// What there is to set about users and their connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsersConfig {
    /// Connections that a user may have at a time; `None` for any number. Default 5.
    pub max_per_user: Option<usize>,
    /// Connections that are nobody's, in all; `None` for any number. Default 1,000.
    pub max_anonymous: Option<usize>,
    /// Connections in all; `None` for as many as the hub takes. Default `None`.
    pub max_total: Option<usize>,
    /// How long a connection may ask for nothing before it is closed with
    /// [`Disconnect::IDLE`](crate::Disconnect::IDLE). Default `None`: for ever.
    pub idle_after: Option<Duration>,
    /// Different channels that a user may be in over all of its connections, and a connection that
    /// is nobody's by itself. Default 100.
    pub max_channels: usize,
}

impl UsersConfig {
    /// All the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_per_user: Some(5),
            max_anonymous: Some(1000),
            max_total: None,
            idle_after: None,
            max_channels: 100,
        }
    }

    /// Sets [`Self::max_per_user`].
    #[must_use]
    pub const fn max_per_user(mut self, connections: Option<usize>) -> Self {
        self.max_per_user = connections;
        self
    }

    /// Sets [`Self::max_anonymous`].
    #[must_use]
    pub const fn max_anonymous(mut self, connections: Option<usize>) -> Self {
        self.max_anonymous = connections;
        self
    }

    /// Sets [`Self::max_total`].
    #[must_use]
    pub const fn max_total(mut self, connections: Option<usize>) -> Self {
        self.max_total = connections;
        self
    }

    /// Sets [`Self::idle_after`].
    #[must_use]
    pub const fn idle_after(mut self, time: Option<Duration>) -> Self {
        self.idle_after = time;
        self
    }

    /// Sets [`Self::max_channels`].
    #[must_use]
    pub const fn max_channels(mut self, channels: usize) -> Self {
        self.max_channels = channels;
        self
    }
}

impl Default for UsersConfig {
    fn default() -> Self {
        Self::new()
    }
}
