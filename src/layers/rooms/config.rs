//! What can be set for rooms.

use std::time::Duration;

/// How rooms are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomsConfig {
    /// Up to how many members of a room each coming and going, and each change of presence, is
    /// told at once. Default 32. In larger rooms they are told together.
    pub batch_from: usize,
    /// How long they are gathered there. Default 100 ms.
    pub batch_window: Duration,
    /// Bans and mutes of one room, each. Default 10,000; about 150 bytes each.
    pub max_bans: usize,
    /// Direct rooms of one user. Default 1,000.
    pub max_directs_per_user: usize,
    /// Invites of one room. Default 100.
    pub max_invites: usize,
    /// Entries in the moderation log of one room; the oldest are forgotten. Default 1,000; about
    /// 150 bytes each.
    pub max_log: usize,
    /// Bytes of the metadata of a room, as JSON. Default 4,096.
    pub max_metadata: usize,
    /// Pinned messages of one room. Default 50.
    pub max_pins: usize,
    /// Rooms at a time. Default 1,000,000; about 2 KiB each, and some 400 bytes a member.
    pub max_rooms: usize,
    /// Rooms that one user is in, direct ones not counted. Default 50.
    pub max_rooms_per_user: usize,
}

impl RoomsConfig {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            batch_from: 32,
            batch_window: Duration::from_millis(100),
            max_bans: 10_000,
            max_directs_per_user: 1000,
            max_invites: 100,
            max_log: 1000,
            max_metadata: 4096,
            max_pins: 50,
            max_rooms: 1_000_000,
            max_rooms_per_user: 50,
        }
    }

    /// Sets [`Self::batch_from`].
    #[must_use]
    pub const fn batch_from(mut self, members: usize) -> Self {
        self.batch_from = members;
        self
    }

    /// Sets [`Self::batch_window`].
    #[must_use]
    pub const fn batch_window(mut self, window: Duration) -> Self {
        self.batch_window = window;
        self
    }

    /// Sets [`Self::max_bans`].
    #[must_use]
    pub const fn max_bans(mut self, bans: usize) -> Self {
        self.max_bans = bans;
        self
    }

    /// Sets [`Self::max_directs_per_user`].
    #[must_use]
    pub const fn max_directs_per_user(mut self, rooms: usize) -> Self {
        self.max_directs_per_user = rooms;
        self
    }

    /// Sets [`Self::max_invites`].
    #[must_use]
    pub const fn max_invites(mut self, invites: usize) -> Self {
        self.max_invites = invites;
        self
    }

    /// Sets [`Self::max_log`].
    #[must_use]
    pub const fn max_log(mut self, entries: usize) -> Self {
        self.max_log = entries;
        self
    }

    /// Sets [`Self::max_metadata`].
    #[must_use]
    pub const fn max_metadata(mut self, bytes: usize) -> Self {
        self.max_metadata = bytes;
        self
    }

    /// Sets [`Self::max_pins`].
    #[must_use]
    pub const fn max_pins(mut self, pins: usize) -> Self {
        self.max_pins = pins;
        self
    }

    /// Sets [`Self::max_rooms`].
    #[must_use]
    pub const fn max_rooms(mut self, rooms: usize) -> Self {
        self.max_rooms = rooms;
        self
    }

    /// Sets [`Self::max_rooms_per_user`].
    #[must_use]
    pub const fn max_rooms_per_user(mut self, rooms: usize) -> Self {
        self.max_rooms_per_user = rooms;
        self
    }
}

impl Default for RoomsConfig {
    fn default() -> Self {
        Self::new()
    }
}
