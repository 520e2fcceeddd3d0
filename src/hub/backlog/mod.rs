//! What an evicting policy has taken out of a ring and not thrown away.
//!
//! While a client keeps up there is no backlog. [`SlowConsumer::KeepLatest`] moves what fills the
//! ring into it, keeping the last message of each channel and key, and the client then gets the
//! backlog before what is in the ring.
//!
//! ```text
//!   ready ── handed out next ──┐   pending ── conflated ──┐   ring ── not yet looked at
//!   A1 C2                      │   B5 D6 A7               │   B8 E9
//! ```
//!
//! Conflating takes the older message out and appends the newer one, so what remains is in the
//! order of the publications (G3). That alone would let a key that changes often be put back for
//! ever; so when the client comes, all that is pending becomes *ready* at once, and ready messages
//! are not conflated any more.
//!
//! [`SlowConsumer::KeepLatest`]: crate::SlowConsumer::KeepLatest

use std::collections::HashMap;
use std::collections::VecDeque;

use ahash::RandomState;
use bytes::Bytes;

use crate::hub::frame::Frame;
use crate::hub::frame::Gap;
use crate::id::ChannelName;
use crate::raw::ring::Weigh;

/// What waits beside the ring; part of the consumer's state.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    ready: VecDeque<Frame>,
    /// In order of arrival; a conflated message leaves a hole.
    pending: VecDeque<Option<Frame>>,
    /// Holes in `pending`.
    holes: usize,
    /// The number of `pending`'s front, counted since the backlog was made.
    front: usize,
    /// Where in `pending` the message of a key is, in the numbers of `front`.
    places: HashMap<Key, usize, RandomState>,
    /// Evicted publications that the client is still to be told of, by channel and epoch.
    losses: Vec<(u64, Gap)>,
}

/// Messages of one channel with one key are conflated.
type Key = (ChannelName, Bytes);

fn key_of(frame: &Frame) -> Option<Key> {
    Some((frame.channel()?.clone(), frame.key()?.clone()))
}

impl Backlog {
    /// Appends a message, and returns the older one of its key, if there is one.
    pub(super) fn conflate(&mut self, frame: Frame) -> Option<Frame> {
        let key = key_of(&frame);
        let older = key.as_ref().and_then(|key| self.forget(key));
        if let Some(key) = key {
            self.places.insert(key, self.front + self.pending.len());
        }
        self.pending.push_back(Some(frame));
        older
    }

    /// Takes out the pending message of `frame`'s key, which `frame` is going to follow.
    pub(super) fn supersede(&mut self, frame: &Frame) -> Option<Frame> {
        key_of(frame).and_then(|key| self.forget(&key))
    }

    /// The next message to hand out.
    pub(super) fn next(&mut self) -> Option<Frame> {
        if self.ready.is_empty() {
            self.front += self.pending.len();
            self.ready.extend(self.pending.drain(..).flatten());
            self.places.clear();
            self.holes = 0;
        }
        self.ready.pop_front()
    }

    /// The oldest message, to be dropped.
    pub(super) fn evict(&mut self) -> Option<Frame> {
        if let Some(frame) = self.ready.pop_front() {
            return Some(frame);
        }
        while let Some(place) = self.pending.pop_front() {
            self.front += 1;
            let Some(frame) = place else {
                self.holes -= 1;
                continue;
            };
            if let Some(key) = key_of(&frame) {
                self.places.remove(&key);
            }
            return Some(frame);
        }
        None
    }

    /// Remembers that `frame` was evicted, so that the client can be told. At most `channels`
    /// channels are remembered; beyond that the oldest memory goes.
    pub(super) fn note_loss(&mut self, frame: &Frame, channels: usize) {
        let (Some(channel), offset) = (frame.channel(), frame.offset()) else {
            return;
        };
        let epoch = frame.epoch();
        let mut known = self.losses.iter_mut();
        // Offsets of two lives of a channel make no range.
        if let Some((_, gap)) = known.find(|(of, gap)| *of == epoch && gap.channel == *channel) {
            gap.last = offset;
            gap.missed += 1;
            return;
        }
        if self.losses.len() >= channels {
            self.losses.remove(0);
        }
        let channel = channel.clone();
        let gap = Gap {
            channel,
            first: offset,
            last: offset,
            missed: 1,
        };
        self.losses.push((epoch, gap));
    }

    /// A loss to tell the client of.
    pub(super) fn take_loss(&mut self) -> Option<Gap> {
        (!self.losses.is_empty()).then(|| self.losses.remove(0).1)
    }

    fn forget(&mut self, key: &Key) -> Option<Frame> {
        let place = self.places.remove(key)? - self.front;
        let frame = self.pending.get_mut(place)?.take();
        self.holes += usize::from(frame.is_some());
        self.close_holes();
        frame
    }

    /// Renumbers when more than half of `pending` is holes, so that it stays within twice what
    /// it holds.
    fn close_holes(&mut self) {
        if self.holes <= 32 || self.holes * 2 <= self.pending.len() {
            return;
        }
        self.front += self.pending.len();
        self.pending.retain(Option::is_some);
        self.holes = 0;
        for (index, frame) in self.pending.iter().enumerate() {
            if let Some(key) = frame.as_ref().and_then(key_of) {
                self.places.insert(key, self.front + index);
            }
        }
    }
}

/// How much of the outbox's limits `frame` takes.
pub(super) fn weight(frame: &Frame) -> u64 {
    frame.0.weight()
}
