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

use std::collections::VecDeque;

use hashbrown::HashTable;

use crate::hub::frame::Frame;
use crate::hub::frame::Gap;
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
    /// Where in `pending` the message of a key is, in the numbers of `front`. A place is found by
    /// the hash that the frame brings along, so that no key is hashed or copied here.
    places: HashTable<usize>,
    /// Evicted publications that the client is still to be told of, by channel and epoch.
    losses: Vec<(u64, Gap)>,
}

impl Backlog {
    /// Appends a message, and returns the older one of its key, if there is one.
    pub(super) fn conflate(&mut self, frame: Frame) -> Option<Frame> {
        let older = self.supersede(&frame);
        let (place, front) = (self.front + self.pending.len(), self.front);
        let hash = frame.key_hash();
        self.pending.push_back(Some(frame));
        if let Some(hash) = hash {
            let pending = &self.pending;
            let hash_of = |place: &usize| hash_at(pending, place - front);
            self.places.insert_unique(hash, place, hash_of);
        }
        older
    }

    /// Takes out the pending message of `frame`'s key, which `frame` is going to follow.
    pub(super) fn supersede(&mut self, frame: &Frame) -> Option<Frame> {
        let place = self.forget(frame)?;
        let older = self.pending.get_mut(place)?.take();
        self.holes += usize::from(older.is_some());
        self.close_holes();
        older
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
        while let Some(oldest) = self.pending.front() {
            // Found by its key while it still is in its place.
            if let Some(frame) = oldest.clone() {
                self.forget(&frame);
            } else {
                self.holes -= 1;
            }
            self.front += 1;
            let Some(frame) = self.pending.pop_front()? else {
                continue;
            };
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

    /// Forgets the place of `frame`'s key, and says which it was, counted from the front.
    fn forget(&mut self, frame: &Frame) -> Option<usize> {
        let (hash, front, pending) = (frame.key_hash()?, self.front, &self.pending);
        let same = |place: &usize| {
            let there = pending.get(place - front).and_then(Option::as_ref);
            there.is_some_and(|there| there.has_key_of(frame))
        };
        let place = self.places.find_entry(hash, same).ok()?.remove().0;
        Some(place - front)
    }

    /// Renumbers when more than half of `pending` is holes, so that it stays within twice what
    /// it holds.
    fn close_holes(&mut self) {
        if self.holes <= 32 || self.holes * 2 <= self.pending.len() {
            return;
        }
        self.pending.retain(Option::is_some);
        self.holes = 0;
        self.front = 0;
        self.places.clear();
        let pending = &self.pending;
        for place in 0..pending.len() {
            if let Some(hash) = pending[place].as_ref().and_then(Frame::key_hash) {
                let hash_of = |place: &usize| hash_at(pending, *place);
                self.places.insert_unique(hash, place, hash_of);
            }
        }
    }
}

/// The hash by which the message in a place is found.
fn hash_at(pending: &VecDeque<Option<Frame>>, place: usize) -> u64 {
    let frame = pending.get(place).and_then(Option::as_ref);
    frame.and_then(Frame::key_hash).unwrap_or_default()
}

/// How much of the outbox's limits `frame` takes.
pub(super) fn weight(frame: &Frame) -> u64 {
    frame.0.weight()
}
