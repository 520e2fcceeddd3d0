//! What a channel remembers: its last publications, bounded by count, bytes and age.
//!
//! ```text
//!   floor       what is kept                     position
//!     │  ┌────┬────┬────┬────┬────┬────┐            │
//!     ▼  │ 41 │ 42 │    │ 44 │ 45 │ 46 │ ◀── push   ▼
//!    40  └────┴────┴────┴────┴────┴────┘            46
//!          ▲              43 was ephemeral: nobody misses it
//!          └── trimmed from this side, and the floor rises
//! ```
//!
//! Everything after the *floor* that is not ephemeral is here. So whoever has everything up to some
//! position at or above the floor can be given all that it lacks, and whoever asks for less can be
//! told exactly from where on something may be missing.

mod budget;
mod options;
mod page;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::hub::agenda::NEVER;
#[cfg(not(throng_loom))]
use crate::hub::frame::Body;
use crate::hub::frame::Frame;
use crate::id::ClientId;
use crate::raw::ring::Weigh;
#[cfg(not(throng_loom))]
use crate::raw::shared::Shared;
use crate::time::millis;

pub(super) use self::budget::Budget;
pub use self::options::HistoryMode;
pub use self::options::HistoryOptions;
pub use self::page::HistoryPage;
pub use self::page::HistoryQuery;

/// What one channel remembers. Plain data, told the time.
pub(super) struct History {
    options: HistoryOptions,
    max_age_ms: u64,
    entries: VecDeque<Entry>,
    /// What all entries weigh.
    bytes: usize,
    /// Everything after this number that is kept at all is here.
    floor: u64,
    /// What is counted in the budget of the hub.
    counted: u64,
    budget: Arc<Budget>,
}

/// A publication that is remembered.
pub(super) struct Entry {
    /// The number that it has here.
    pub(super) number: u64,
    /// When it came, in milliseconds since the hub began.
    at: u64,
    /// Who was not to get it.
    pub(super) except: Option<ClientId>,
    pub(super) frame: Frame,
}

/// What an entry is reckoned to take besides its payload, key and attachment, in bytes.
const OVERHEAD: usize = 648;

/// What it takes in fact: the frame; its place in the queue, which may be a quarter full; two
/// `Bytes`, of the payload and the key, that have been cloned, with their counts; and what the
/// allocator and an attachment's `Arc` keep for themselves.
#[cfg(not(throng_loom))]
const _: () = assert!(
    Shared::<Body>::SIZE + 4 * size_of::<Entry>() + 2 * (24 + 2 * 16) + 3 * 16 <= OVERHEAD,
    "more memory is taken than is counted"
);

impl History {
    pub(super) fn new(options: HistoryOptions, floor: u64, budget: Arc<Budget>) -> Self {
        Self {
            max_age_ms: millis(options.max_age),
            options,
            entries: VecDeque::new(),
            bytes: 0,
            floor,
            counted: 0,
            budget,
        }
    }

    /// Sets other bounds, which hold at once.
    pub(super) fn set(&mut self, options: HistoryOptions, now: u64) {
        self.max_age_ms = millis(options.max_age);
        self.options = options;
        while self.is_too_much() {
            self.pop();
        }
        self.expire(now);
    }

    pub(super) fn options(&self) -> &HistoryOptions {
        &self.options
    }

    pub(super) fn mode(&self) -> HistoryMode {
        self.options.mode
    }

    /// For how long something is remembered, in milliseconds.
    pub(super) fn max_age_ms(&self) -> u64 {
        self.max_age_ms
    }

    /// When what comes at `now` is too old.
    pub(super) fn forgets_at(&self, now: u64) -> u64 {
        now.saturating_add(self.max_age_ms)
    }

    /// When the oldest entry is too old; never if there is none.
    pub(super) fn ages_at(&self) -> u64 {
        let oldest = self.entries.front();
        oldest.map_or(NEVER, |oldest| self.forgets_at(oldest.at))
    }

    /// Remembers a publication, and forgets what is beyond the bounds.
    pub(super) fn push(&mut self, number: u64, frame: Frame, except: Option<ClientId>, now: u64) {
        self.bytes += weight(&frame);
        frame.enter_history(&self.budget);
        self.entries.push_back(Entry {
            number,
            at: now,
            except,
            frame,
        });
        while self.is_too_much() {
            self.pop();
        }
        self.forget_old(now);
        self.count();
        while self.budget.is_exceeded() && !self.entries.is_empty() {
            self.pop();
            self.count();
        }
    }

    /// Forgets what is too old.
    pub(super) fn expire(&mut self, now: u64) {
        self.forget_old(now);
        self.count();
    }

    fn forget_old(&mut self, now: u64) {
        while let Some(oldest) = self.entries.front()
            && now.saturating_sub(oldest.at) > self.max_age_ms
        {
            self.pop();
        }
    }

    fn is_too_much(&self) -> bool {
        self.entries.len() > self.options.kept() || self.bytes > self.options.max_bytes
    }

    fn pop(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes -= weight(&oldest.frame);
            oldest.frame.leave_history();
            self.floor = oldest.number;
        }
        let (kept, room) = (self.entries.len(), self.entries.capacity());
        if kept * 4 < room && room > 64 {
            self.entries.shrink_to(kept * 2);
        }
    }

    /// Forgets one publication as if it had never been remembered: nobody misses it.
    pub(super) fn retract(&mut self, number: u64) {
        let at = self
            .entries
            .binary_search_by_key(&number, |entry| entry.number);
        if let Some(entry) = at.ok().and_then(|at| self.entries.remove(at)) {
            self.bytes -= weight(&entry.frame);
            entry.frame.leave_history();
            self.count();
        }
    }

    /// Tells the budget of the hub what is kept now, if that has changed.
    fn count(&mut self) {
        let now = (self.bytes + self.entries.len() * OVERHEAD) as u64;
        self.budget.change(self.counted, now);
        self.counted = now;
    }

    /// Everything after this number that is kept at all is here.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// The entries after `number`, the oldest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|entry| entry.number <= number);
        self.entries.range(first..)
    }

    /// Returns the frame of `entry` for a replay. While the budget of the hub is exceeded, it is a
    /// copy, whose encodings end with the replay.
    pub(super) fn replayed(&self, entry: &Entry) -> Frame {
        if self.budget.is_exceeded() {
            entry.frame.unencoded()
        } else {
            entry.frame.clone()
        }
    }

    /// The newest entry.
    pub(super) fn newest(&self) -> Option<&Entry> {
        self.entries.back()
    }

    /// How many publications are kept, and what they weigh.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// Some of the entries that have not expired: the frames, and whether there are more that way.
    pub(super) fn page(&self, query: &HistoryQuery, now: impl Fn() -> u64) -> (Vec<Frame>, bool) {
        let after = query.after.unwrap_or(0);
        let before = query.before.unwrap_or(u64::MAX);
        let first = self.entries.partition_point(|entry| entry.number <= after);
        let end = self.entries.partition_point(|entry| entry.number < before);
        let range = self.entries.range(first.min(end)..end);
        let limit = query.limit.clamp(1, HistoryQuery::MAX_LIMIT);
        let frames = range
            .map(|entry| &entry.frame)
            .filter(|frame| !frame.has_expired(&now));
        let mut frames: Vec<_> = if query.newest_first {
            frames.rev().take(limit + 1).cloned().collect()
        } else {
            frames.take(limit + 1).cloned().collect()
        };
        let more = frames.len() > limit;
        frames.truncate(limit);
        (frames, more)
    }
}

impl Drop for History {
    fn drop(&mut self) {
        for entry in &self.entries {
            entry.frame.leave_history();
        }
        self.budget.change(self.counted, 0);
    }
}

/// What a publication takes besides [`OVERHEAD`], in bytes; at least 1.
fn weight(frame: &Frame) -> usize {
    let payload = usize::try_from(frame.0.weight()).unwrap_or(usize::MAX);
    let besides = frame.message().map_or(0, |message| {
        let key = message.conflation_key().map_or(0, |key| key.len());
        key.saturating_add(message.attached_bytes())
    });
    payload.saturating_add(besides)
}

#[cfg(all(test, not(throng_loom)))]
mod tests;
