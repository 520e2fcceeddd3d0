//! A look into what a channel remembers.

use crate::hub::frame::Frame;
use crate::hub::frame::StreamPosition;

/// Which publications of a channel's history are wanted; see
/// [`Channel::history`](crate::Channel::history).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryQuery {
    /// Only those with a greater offset.
    pub after: Option<u64>,
    /// Only those with a lower offset.
    pub before: Option<u64>,
    /// How many at most. Default 100; 1 to [`HistoryQuery::MAX_LIMIT`], others count as the
    /// nearest of these.
    pub limit: usize,
    /// Whether the newest come first. Default: the oldest do.
    pub newest_first: bool,
}

impl HistoryQuery {
    /// The most publications of one page.
    pub const MAX_LIMIT: usize = 1000;

    /// The oldest hundred.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            after: None,
            before: None,
            limit: 100,
            newest_first: false,
        }
    }

    /// Sets [`Self::after`].
    #[must_use]
    pub const fn after(mut self, offset: u64) -> Self {
        self.after = Some(offset);
        self
    }

    /// Sets [`Self::before`].
    #[must_use]
    pub const fn before(mut self, offset: u64) -> Self {
        self.before = Some(offset);
        self
    }

    /// Sets [`Self::limit`].
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The newest first.
    #[must_use]
    pub const fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self::new()
    }
}

/// A part of what a channel remembers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HistoryPage {
    /// The publications, in the order asked for. With their offsets, the next page is asked for:
    /// after the last one's, or with the newest first, before it.
    pub frames: Vec<Frame>,
    /// Whether there are more in this direction.
    pub more: bool,
    /// Where the channel is now.
    pub position: StreamPosition,
    /// Everything after this offset is remembered, but for what was ephemeral. The channel's
    /// position if it has no history.
    pub floor: u64,
}
