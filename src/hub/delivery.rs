//! What became of a publish.

use crate::hub::frame::StreamPosition;

/// What became of one publish: `delivered + dropped = addressed`.
///
/// *Delivered* means: put into the client's outbox. Subscribers that are still given what they have
/// [missed](crate::SubscribeOptions::since) are not addressed: they get the message from the history,
/// and what becomes of it is in the figures of the channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a delivery says how much was lost"]
pub struct Delivery {
    pub(super) delivered: usize,
    pub(super) dropped: usize,
    pub(super) disconnected: usize,
    pub(super) evicted: usize,
    pub(super) position: Option<StreamPosition>,
    pub(super) handed_over: bool,
    pub(super) routed: usize,
}

impl Delivery {
    /// The report of a publish that another publisher carries out.
    pub(super) const fn of_another() -> Self {
        Self {
            handed_over: true,
            ..Self::nobody()
        }
    }

    /// The report of a publish that nobody was there for.
    pub(super) const fn nobody() -> Self {
        Self {
            delivered: 0,
            dropped: 0,
            disconnected: 0,
            evicted: 0,
            position: None,
            handed_over: false,
            routed: 0,
        }
    }

    /// With the counts of another, that was part of the same publish.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            dropped: self.dropped + other.dropped,
            disconnected: self.disconnected + other.disconnected,
            evicted: self.evicted + other.evicted,
            ..self
        }
    }

    /// Subscribers it was meant for.
    #[must_use]
    pub fn addressed(&self) -> usize {
        self.delivered + self.dropped
    }

    /// Outboxes it was put into.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    /// Outboxes that refused it.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Clients disconnected for it; they are among the [dropped](Self::dropped).
    #[must_use]
    pub fn disconnected(&self) -> usize {
        self.disconnected
    }

    /// Older messages that were dropped or conflated to make room for it.
    #[must_use]
    pub fn evicted(&self) -> usize {
        self.evicted
    }

    /// Further channels that it was handed to by a [`Router`](crate::Router), for patterns. Their
    /// subscribers are not counted here, but in the [stats](crate::Channel::stats) of those.
    #[must_use]
    pub fn routed(&self) -> usize {
        self.routed
    }

    /// Its position in the channel; `None` for a broadcast, if the channel did not exist, and while
    /// it is not known because the message was [handed over](Self::is_handed_over).
    #[must_use]
    pub fn position(&self) -> Option<StreamPosition> {
        self.position
    }

    /// Another publisher was in the middle of the channel and has taken this message over; it
    /// delivers it after its own. All counts are zero here; they go to the channel's
    /// [stats](crate::Channel::stats). [`Channel::publish_confirmed`] waits for them.
    ///
    /// [`Channel::publish_confirmed`]: crate::Channel::publish_confirmed
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.handed_over
    }
}
