//! Copies of one publication: a client that is subscribed to a channel, and by patterns to it as
//! well, is given each publication several times, and receives it once.
//!
//! The receiver of a client that has joined a [target](crate::Router::is_target) records, for each
//! life of a channel, which offsets it has received, and drops a publication that it has received
//! before. The record is exact: a publication that came by one way and was lost there, or was not
//! wanted there, is received by another way, however late it comes.
//!
//! A *replay* is received in any case: the client has asked for everything after a position.
//!
//! # Promises
//!
//! * **Once**: as long as the record suffices, no publication is received twice, but for a replay,
//!   and for one that was being published when the client joined its first target.
//! * **Loss**: none by itself.
//! * **Memory**: nothing for a client that has joined no target. A record of at most
//!   [`MOST_CHANNELS`] channels, the last ones, with at most [`MOST_RANGES`] ranges of offsets that
//!   were not received each. Beyond either, copies may be received.

use std::mem;

use ahash::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::hub::frame::Frame;

/// The most lives of channels that are recorded.
const MOST_CHANNELS: usize = 1024;

/// The most ranges that are recorded of one.
const MOST_RANGES: usize = 16;

/// The publications that a client has received.
///
/// In two halves: when the new one is full, the old one goes. A channel of which anything comes is
/// in the new one again.
#[derive(Default)]
pub(super) struct Copies {
    new: Lives,
    old: Lives,
}

type Lives = HashMap<u64, Received, RandomState>;

/// The publications of one life of a channel that were received.
#[derive(Debug, Default, PartialEq, Eq)]
struct Received {
    /// The last one.
    last: u64,
    /// Offsets before it that were not received, in order.
    missing: SmallVec<[Range; 1]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
}

impl Copies {
    /// Records that a frame is received. `false` if it was received before, and is no replay.
    pub(super) fn receive(&mut self, frame: &Frame) -> bool {
        if !has_place(frame) {
            return true;
        }
        let is_new = self.of(frame.epoch()).receive(frame.offset());
        is_new || frame.is_replay()
    }

    /// Takes back that a frame was received.
    pub(super) fn give_back(&mut self, frame: &Frame) {
        if has_place(frame) {
            self.of(frame.epoch()).give_back(frame.offset());
        }
    }

    fn of(&mut self, epoch: u64) -> &mut Received {
        if self.new.len() >= MOST_CHANNELS / 2 && !self.new.contains_key(&epoch) {
            self.old = mem::take(&mut self.new);
        }
        let old = &mut self.old;
        let received = self.new.entry(epoch);
        received.or_insert_with(|| old.remove(&epoch).unwrap_or_default())
    }
}

/// Whether a frame is a publication of a channel: others have no offset.
fn has_place(frame: &Frame) -> bool {
    frame.offset() > 0
}

impl Received {
    /// Records an offset; `false` if it was recorded before.
    fn receive(&mut self, offset: u64) -> bool {
        if offset > self.last {
            let (first, last) = (self.last + 1, offset - 1);
            if first <= last {
                self.missing.push(Range { first, last });
            }
            self.last = offset;
        } else {
            let at = self.missing.iter().rposition(|it| it.first <= offset);
            let Some((at, range)) = at.and_then(|at| Some((at, self.missing.get_mut(at)?))) else {
                return false;
            };
            if offset > range.last {
                return false;
            }
            let rest = Range {
                first: offset + 1,
                last: range.last,
            };
            range.last = offset - 1;
            if rest.first <= rest.last {
                self.missing.insert(at + 1, rest);
            }
            if self.missing.get(at).is_some_and(|it| it.first > it.last) {
                self.missing.remove(at);
            }
        }
        self.bound();
        true
    }

    /// Takes an offset back that was recorded.
    fn give_back(&mut self, offset: u64) {
        let at = self.missing.partition_point(|it| it.first <= offset);
        let before = at
            .checked_sub(1)
            .and_then(|before| self.missing.get(before));
        if before.is_some_and(|before| offset <= before.last) {
            // It was merged with others.
            return;
        }
        let range = Range {
            first: offset,
            last: offset,
        };
        self.missing.insert(at, range);
        self.bound();
    }

    /// Merges the oldest ranges where there are too many: what was received between them may be
    /// received again.
    fn bound(&mut self) {
        while self.missing.len() > MOST_RANGES {
            let first = self.missing.remove(0).first;
            if let Some(next) = self.missing.first_mut() {
                next.first = first;
            }
        }
    }
}

#[cfg(all(test, not(throng_loom)))]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Copies;
    use super::MOST_CHANNELS;
    use super::MOST_RANGES;
    use super::Received;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Receive(u64),
        GiveBack,
    }

    fn steps(offsets: u64) -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1..=offsets).prop_map(Step::Receive),
            1 => Just(Step::GiveBack),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// Runs the steps beside a set of all that was received. Returns how often an offset that was
    /// received before was taken for a new one; the other way round fails.
    fn compare(steps: Vec<Step>) -> usize {
        let mut received = Received::default();
        let (mut model, mut order, mut again) = (BTreeSet::new(), Vec::new(), 0);
        for step in steps {
            match step {
                Step::Receive(offset) => {
                    let is_new = received.receive(offset);
                    if model.insert(offset) {
                        assert!(is_new, "{offset} is lost");
                        order.push(offset);
                    } else {
                        again += usize::from(is_new);
                    }
                }
                Step::GiveBack => {
                    if let Some(offset) = order.pop() {
                        model.remove(&offset);
                        received.give_back(offset);
                    }
                }
            }
            assert!(received.missing.len() <= MOST_RANGES);
        }
        again
    }

    proptest! {
        #[test]
        fn what_the_ranges_suffice_for_is_exact(steps in steps(16)) {
            prop_assert_eq!(compare(steps), 0);
        }

        #[test]
        fn beyond_them_copies_may_come_and_nothing_is_lost(steps in steps(400)) {
            compare(steps);
        }
    }

    #[test]
    fn channels_are_bounded_and_the_last_ones_stay() {
        let mut copies = Copies::default();
        for epoch in 1..=3 * MOST_CHANNELS as u64 {
            assert!(copies.of(1).receive(epoch), "it is in use all the time");
            assert!(copies.of(epoch + 1).receive(1));
        }
        assert!(copies.new.len() + copies.old.len() <= MOST_CHANNELS);
        assert!(!copies.of(1).receive(1));
        assert!(!copies.of(3 * MOST_CHANNELS as u64 - 9).receive(1));
        assert!(copies.of(7).receive(1), "long ago");
    }
}
