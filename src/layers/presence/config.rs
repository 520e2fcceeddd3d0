//! What there is to set.

use std::time::Duration;

/// What there is to set about presence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresenceConfig {
    /// How long a user is still there after its last connection has gone. Default 5 s; zero for
    /// not at all. A page that is loaded anew is back within it, and nobody is told anything.
    pub grace: Duration,
    /// How long the presence lasts that was set for a user without connections, unless it is
    /// touched or set again. Default 5 min.
    pub timeout: Duration,
    /// Changes of status that are kept for each user. Default 20; each is 24 bytes.
    pub history: usize,
    /// How long it is known of a user without connections when it was last there, and what else it
    /// said about itself. Default 24 h.
    pub remember: Duration,
    /// Users without connections about whom anything is known, in all; beyond them the one that is
    /// gone the longest is forgotten. Default 100,000; each is about 500 bytes, 1 KiB with a full
    /// history, and what its user has said.
    pub max_offline_users: usize,
    /// Others that a user may watch at a time, over all of its connections. Default 100.
    pub max_watches: usize,
    /// Who may see whom. Default [`Visibility::SharedRooms`].
    pub visibility: Visibility,
    /// Parts that the users are spread over, each with its own lock. Default 8; zero counts as one.
    /// With more of them more cores can be at it; a page of a list asks each, so it costs more.
    pub shards: usize,
}

impl PresenceConfig {
    /// All the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            grace: Duration::from_secs(5),
            timeout: Duration::from_secs(300),
            history: 20,
            remember: Duration::from_secs(86_400),
            max_offline_users: 100_000,
            max_watches: 100,
            visibility: Visibility::SharedRooms,
            shards: 8,
        }
    }

    /// Sets [`Self::grace`].
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets [`Self::timeout`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`Self::history`].
    #[must_use]
    pub const fn history(mut self, changes: usize) -> Self {
        self.history = changes;
        self
    }

    /// Sets [`Self::remember`].
    #[must_use]
    pub const fn remember(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }

    /// Sets [`Self::max_offline_users`].
    #[must_use]
    pub const fn max_offline_users(mut self, users: usize) -> Self {
        self.max_offline_users = users;
        self
    }

    /// Sets [`Self::max_watches`].
    #[must_use]
    pub const fn max_watches(mut self, watches: usize) -> Self {
        self.max_watches = watches;
        self
    }

    /// Sets [`Self::visibility`].
    #[must_use]
    pub const fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// Sets [`Self::shards`].
    #[must_use]
    pub const fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }
}

impl Default for PresenceConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Who may see the presence of whom. Everybody may see their own, the server that of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Visibility {
    /// Everybody.
    Everyone,
    /// Who shares a room with the user. Where there are no rooms, everybody.
    #[default]
    SharedRooms,
}
