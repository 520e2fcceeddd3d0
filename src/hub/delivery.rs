//! What became of a publish.

use crate::hub::frame::StreamPosition;
use crate::hub::turns::Reached;

/// What became of one publish: `delivered + dropped = addressed`.
///
/// *Delivered* means: put into the client's outbox. Subscribers that are still given what they have
/// [missed](crate::SubscribeOptions::since) are not addressed: they get the message from the
/// history, and what becomes of it is in the figures of the channel.
///
/// A caller may ignore it: every loss is counted in [`ClientStats`](crate::ClientStats) and
/// [`ChannelStats`](crate::ChannelStats) as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub(super) delivered: usize,
    pub(super) dropped: usize,
    pub(super) disconnected: usize,
    pub(super) evicted: usize,
    pub(super) position: Option<StreamPosition>,
    pub(super) handed_over: bool,
    pub(super) routed: usize,
    /// Whether copies are still to be counted.
    pub(super) routes_handed_over: bool,
    /// Which tasks drain the outboxes that it was put into.
    pub(super) reached: Reached,
}

impl Delivery {
    /// The report of a publish that another publisher carries out.
    pub(super) const fn of_another() -> Self {
        Self {
            handed_over: true,
            reached: Reached::ANY,
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
            routes_handed_over: false,
            reached: Reached::NOBODY,
        }
    }

    /// With the counts of another, that was part of the same publish.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            dropped: self.dropped + other.dropped,
            disconnected: self.disconnected + other.disconnected,
            evicted: self.evicted + other.evicted,
            reached: self.reached.and(other.reached),
            ..self
        }
    }

    /// Adds what became of it in a channel that it was routed to; `None` if that is not known yet.
    pub(super) fn add_copies(&mut self, copies: Option<Self>) {
        match copies {
            Some(copies) => {
                self.routed += copies.delivered;
                self.reached = self.reached.and(copies.reached);
            }
            None => {
                self.routes_handed_over = true;
                self.reached = Reached::ANY;
            }
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

    /// Copies that were put into outboxes for patterns, which a [`Router`](crate::Router) has sent
    /// the message to. They are not among the [delivered](Self::delivered); a client that gets
    /// several receives the message once. What became of the others is in the
    /// [stats](crate::Channel::stats) of those channels.
    #[must_use]
    pub fn routed(&self) -> usize {
        self.routed
    }

    /// Its position in the channel; `None` for a broadcast, if the channel did not exist, and while
    /// it is not known because the message was [handed over](Self::is_deferred).
    #[must_use]
    pub fn position(&self) -> Option<StreamPosition> {
        self.position
    }

    #[cfg(feature = "ws")]
    pub(crate) fn reached(&self) -> Reached {
        self.reached
    }

    /// Whether some counts are not known yet, as another publisher delivers the message after its
    /// own. If it has a [position](Self::position), those of the [copies](Self::routed) for one
    /// pattern or more: they go to the [stats](crate::Channel::stats) of that channel. Otherwise
    /// all: they are zero here, and go to the stats of the channel.
    /// [`Publish::confirmed`](crate::Publish::confirmed) waits for those, not for the copies.
    #[must_use]
    pub fn is_deferred(&self) -> bool {
        self.handed_over || self.routes_handed_over
    }
}
