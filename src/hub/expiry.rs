//! Messages that are worth nothing after a while: dropped where they would be received.
//!
//! # Order
//!
//! A client that asked for gap notices gets the notice of what has expired before any message that
//! was queued behind it.
//!
//! # Loss
//!
//! A message that has [expired](crate::Message::expires_after) when the receiver takes it is
//! dropped and counted.
//!
//! # Memory
//!
//! Until then it counts against the limits of the outbox, like any other that is queued. Notices
//! are bounded like those of other losses: one gap for each channel that the client may be in.
//!
//! # Progress
//!
//! A message that does not expire costs a comparison. The clock is read at most once in a receive,
//! and only if a message in it may expire.

use crate::hub::backlog::Losses;
use crate::hub::client::ClientCore;
use crate::hub::common::Common;
use crate::hub::copies::Copies;
use crate::hub::frame::Frame;
use crate::hub::queue::Counters;
use crate::hub::stats::add;
use crate::hub::taking::Sink;
use crate::hub::taking::notice;

/// Records of a receiver that few have.
#[derive(Default)]
pub(super) struct Late {
    /// Expired messages that the client has not been notified of, by channel and epoch.
    expired: Option<Box<Losses>>,
    /// Publications that were received, of a client that may get copies.
    copies: Option<Box<Copies>>,
}

impl Late {
    /// Returns the number of notices that are pending.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.expired.as_ref().map_or(0, |expired| expired.len())
    }

    /// Puts at most `max` notices, and returns how many.
    #[inline(always)]
    pub(super) fn tell(&mut self, into: &mut impl Sink, max: usize, common: &Common) -> usize {
        if self.expired.is_none() {
            return 0;
        }
        self.tell_some(into, max, common)
    }

    #[cold]
    fn tell_some(&mut self, into: &mut impl Sink, max: usize, common: &Common) -> usize {
        let Some(expired) = &mut self.expired else {
            return 0;
        };
        let notices = expired.len().min(max);
        for _ in 0..notices {
            let Some(loss) = expired.take() else { break };
            into.put(notice(loss.into_gap(), common));
        }
        if expired.is_empty() {
            self.expired = None;
        }
        notices
    }
}

/// A receive: hands out what has not expired.
pub(super) struct Fresh<'a> {
    core: &'a ClientCore,
    late: &'a mut Late,
    now: Option<u64>,
    has_copies: bool,
}

impl<'a> Fresh<'a> {
    #[inline(always)]
    pub(super) fn new(core: &'a ClientCore, late: &'a mut Late) -> Self {
        Self {
            core,
            late,
            now: None,
            has_copies: core.has_copies(),
        }
    }

    /// Puts a frame, unless it has expired, behind the notices that are pending. Returns how many
    /// frames were put: no more than were passed to this receive, as each notice stands for one.
    #[inline(always)]
    pub(super) fn put(&mut self, into: &mut impl Sink, frame: Frame) -> usize {
        if self.has_copies && self.drop_copy(&frame) {
            return 0;
        }
        if frame.expires() && self.drop_expired(&frame) {
            return 0;
        }
        let notices = self.late.tell(into, usize::MAX, &self.core.common);
        into.put(frame);
        notices + 1
    }

    /// Puts at most `max` of the notices that are pending, and returns how many.
    #[inline(always)]
    pub(super) fn tell(&mut self, into: &mut impl Sink, max: usize) -> usize {
        self.late.tell(into, max, &self.core.common)
    }

    /// Returns the settings and the clock of the hub.
    pub(super) fn common(&self) -> &'a Common {
        &self.core.common
    }

    /// Returns the counters of the client.
    pub(super) fn counters(&self) -> &'a Counters {
        &self.core.queue.counters
    }

    /// Returns the number of notices that are pending.
    #[inline(always)]
    pub(super) fn pending(&self) -> usize {
        self.late.len()
    }

    /// Counts a frame and returns `true` if the client has received it before.
    #[inline(never)]
    fn drop_copy(&mut self, frame: &Frame) -> bool {
        let is_copy = !self.late.copies.get_or_insert_default().receive(frame);
        if is_copy {
            self.core.queue.cuts.count_copy();
        }
        is_copy
    }

    /// Takes back that a frame was received.
    #[inline(always)]
    pub(super) fn give_back(&mut self, frame: &Frame) {
        if let Some(copies) = &mut self.late.copies {
            copies.give_back(frame);
        }
    }

    /// Counts a frame and returns `true` if it has expired.
    #[cold]
    fn drop_expired(&mut self, frame: &Frame) -> bool {
        let common = &self.core.common;
        let now = *self.now.get_or_insert_with(|| common.millis());
        if !frame.has_expired(|| now) {
            return false;
        }
        let queue = &self.core.queue;
        // Only the receiver adds to it.
        add(&queue.counters.expired, 1);
        common.counters.expire();
        if queue.wants_gap_notices() {
            let expired = self.late.expired.get_or_insert_default();
            let _loss = expired.add(frame, frame.epoch(), queue.max_losses());
        }
        true
    }
}
