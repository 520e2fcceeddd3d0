//! What can be set for messages.

use std::time::Duration;

use crate::layers::messages::store::Retention;

/// How messages are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessagesConfig {
    /// How often what is too old, or too much, is removed. Default 1 hour, and while more is to be
    /// removed, every second. [`Duration::MAX`] for never.
    pub cleanup_interval: Duration,
    /// How many messages one cleanup removes before others have their turn. Default 10,000.
    pub cleanup_batch: usize,
    /// For how long after it was sent a message may be edited by its sender; for ever without it,
    /// which is the default.
    pub edit_window: Option<Duration>,
    /// Bytes of one reaction. Default 64.
    pub max_reaction: usize,
    /// Different reactions to one message. Default 32.
    pub max_reactions: usize,
    /// How often one message may be edited: each keeps what it said before. Default 100.
    pub max_edits: usize,
    /// Bytes of a page: payloads, metadata and reactions, as
    /// [`StoredMessage::bytes`](crate::messages::StoredMessage::bytes) counts them, and so of the
    /// revisions of a message. Default 1 MiB. A message that is larger is a page of its own. As
    /// JSON it is larger, six times at most, where it is all of characters that are escaped; so
    /// many pages are in memory as readers wait for them.
    pub max_page_bytes: usize,
    /// Changes, and questions, that may wait for a store that blocks, each. Default 65,536; beyond
    /// it they are refused.
    pub max_pending: usize,
    /// Bytes of payloads, and of rooms that are kept, that may wait for a store that blocks.
    /// Default 64 MiB; beyond it changes are refused, but for one that is larger alone. What is
    /// being written comes on top: as much as comes together until it is 8 MiB.
    pub max_pending_bytes: usize,
    /// Threads that read from a store that blocks, besides one for searches and one that cleans.
    /// Default 2. A store may let fewer read at a time: see
    /// `SqliteOptions::readers`, which is to be the same.
    pub readers: usize,
    /// For how long messages are kept, and how many of a room.
    pub retention: Retention,
    /// How long after a change of a room it is kept in a store that blocks, unless more changes
    /// than it can write. Default 1 s. Each time the room is written as a whole, members and all.
    pub save_interval: Duration,
    /// How long after a message was sent that is noted of its room, which is written as a whole
    /// then: who has sent when and so read how far. Default 30 s. The message itself is kept before
    /// it is acknowledged; [`Messages::flush`](crate::messages::Messages::flush) notes all at once.
    pub read_marker_save_interval: Duration,
    /// For how long a search may look before it is given up as
    /// [`StoreError::TimedOut`](crate::messages::StoreError::TimedOut); as long as it takes without
    /// it. Default 5 s. Searches are made one after the other, on a thread of their own: those that
    /// wait are not counted.
    pub search_timeout: Option<Duration>,
    /// How many unread messages are counted. Default 1,000: beyond it, "more than that". The
    /// greatest number is no bound.
    pub max_unread: u64,
}

impl MessagesConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            cleanup_interval: Duration::from_secs(3600),
            cleanup_batch: 10_000,
            edit_window: None,
            max_reaction: 64,
            max_reactions: 32,
            max_edits: 100,
            max_page_bytes: 1 << 20,
            max_pending: 65_536,
            max_pending_bytes: 64 << 20,
            readers: 2,
            retention: Retention::default(),
            save_interval: Duration::from_secs(1),
            read_marker_save_interval: Duration::from_secs(30),
            search_timeout: Some(Duration::from_secs(5)),
            max_unread: 1000,
        }
    }

    /// Sets [`Self::cleanup_interval`].
    #[must_use]
    pub fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.cleanup_interval = interval;
        self
    }

    /// Sets [`Self::cleanup_batch`].
    #[must_use]
    pub fn cleanup_batch(mut self, messages: usize) -> Self {
        self.cleanup_batch = messages;
        self
    }

    /// Sets [`Self::edit_window`].
    #[must_use]
    pub fn edit_window(mut self, window: Option<Duration>) -> Self {
        self.edit_window = window;
        self
    }

    /// Sets [`Self::max_reaction`].
    #[must_use]
    pub fn max_reaction(mut self, bytes: usize) -> Self {
        self.max_reaction = bytes;
        self
    }

    /// Sets [`Self::max_reactions`].
    #[must_use]
    pub fn max_reactions(mut self, reactions: usize) -> Self {
        self.max_reactions = reactions;
        self
    }

    /// Sets [`Self::max_edits`].
    #[must_use]
    pub fn max_edits(mut self, edits: usize) -> Self {
        self.max_edits = edits;
        self
    }

    /// Sets [`Self::max_page_bytes`].
    #[must_use]
    pub fn max_page_bytes(mut self, bytes: usize) -> Self {
        self.max_page_bytes = bytes;
        self
    }

    /// Sets [`Self::max_pending`].
    #[must_use]
    pub fn max_pending(mut self, changes: usize) -> Self {
        self.max_pending = changes;
        self
    }

    /// Sets [`Self::readers`].
    #[must_use]
    pub fn readers(mut self, threads: usize) -> Self {
        self.readers = threads;
        self
    }

    /// Sets [`Self::retention`].
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Sets [`Self::save_interval`].
    #[must_use]
    pub fn save_interval(mut self, interval: Duration) -> Self {
        self.save_interval = interval;
        self
    }

    /// Sets [`Self::max_unread`].
    #[must_use]
    pub fn max_unread(mut self, messages: u64) -> Self {
        self.max_unread = messages;
        self
    }
}

impl Default for MessagesConfig {
    fn default() -> Self {
        Self::new()
    }
}
