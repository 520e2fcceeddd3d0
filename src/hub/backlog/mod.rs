//! Queued messages that a policy has moved out of the ring.
//!
//! While a client keeps up there is no backlog. A policy that evicts moves all that fills the ring
//! into it, in order, and the client receives the backlog before what is in the ring.
//!
//! ```text
//!   backlog                                    ring
//!   A1  C2  B3  ·  D5  A6                      B7  E8
//!   └── superseded by A6      · conflated      └── not yet looked at
//! ```
//!
//! # Promises
//!
//! * **Order**: messages are handed out in the order in which they came. Conflating removes
//!   messages and moves none (G3).
//! * **Freshness**: of each channel and key, the oldest queued message and the newest are kept, and
//!   those between are conflated. The oldest moves forward with each receive, however often the key
//!   changes: with room for two messages of each key, every key is handed out within as many
//!   receives as there is room for. Only where there is less room the oldest goes too: a message
//!   that has a successor is *superseded*, and is removed before any message is evicted.
//! * **Loss**: a message whose [`Class`] keeps it is neither conflated nor evicted. Of the others
//!   the one that has been queued longest is evicted, and only when nothing superseded is left.
//! * **Progress**: each operation takes constant time, amortised over the messages that came.
//!
//! Which of several superseded messages goes is drawn, from a sequence that is always the same:
//! by any fixed order, a feed that repeats in a fixed order would starve the same keys each time.

mod losses;

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::hub::cuts::Cut;
use crate::hub::cuts::Cuts;
use crate::hub::frame::Frame;
use crate::hub::policy::Class;
use crate::raw::ring::Beside;
use crate::raw::ring::Held;
use crate::raw::ring::MOST_MESSAGES;
use crate::raw::ring::Weigh;

pub(super) use self::losses::Loss;
pub(super) use self::losses::Losses;

/// What is queued beside the ring; part of the consumer's state.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// In order of arrival; a message that was taken out leaves a hole, but not at the front.
    slots: VecDeque<Slot>,
    /// Empty; its memory is used when holes are closed, so that making room allocates nothing.
    spare: VecDeque<Slot>,
    /// The number of the first slot; a number stands for the same slot until it is gone, or until
    /// holes are closed.
    front: usize,
    holes: usize,
    /// Where the messages of a channel and key are, by the hash that the frames bring along. Only
    /// of those that are conflated.
    keys: HashTable<Places>,
    /// The numbers of the messages that have a successor in here.
    superseded: Vec<usize>,
    /// How many of those have been drawn.
    draws: u32,
    /// No message before this number may be evicted.
    scanned: usize,
    /// What may be evicted, superseded messages included.
    yielding: Held,
    /// The class that the client's own policy gives to all its frames.
    own: Option<Class>,
    /// What the receiver has moved out of the ring, to look at it; after all the others.
    set_aside: VecDeque<Frame>,
    pub(super) losses: Losses,
    /// Memberships that have ended, of which something may still be in the ring.
    pub(super) cuts: Cuts,
}

#[derive(Debug)]
struct Slot {
    frame: Option<Frame>,
    /// Where in `superseded` it is.
    place: Option<u32>,
}

/// The oldest and the newest message of one channel and key; both are there.
#[derive(Debug)]
struct Places {
    first: usize,
    last: usize,
}

impl Beside for Backlog {
    /// Whether the client has nothing to be told of losses. What is queued in here counts as held
    /// by the ring.
    fn is_idle(&self) -> bool {
        self.losses.is_empty() && self.cuts.is_empty()
    }
}

impl Backlog {
    /// Sets the class that the client's own policy gives to its frames. Returns the messages that
    /// are conflated for it: none unless the class has changed.
    pub(super) fn set_own(&mut self, own: Option<Class>) -> Vec<Frame> {
        if self.own == own {
            return Vec::new();
        }
        self.own = own;
        let frames = std::mem::take(&mut self.slots);
        self.forget_places();
        let frames = frames.into_iter().filter_map(|slot| slot.frame);
        frames.filter_map(|frame| self.append(frame)).collect()
    }

    /// Takes up that a membership has ended. Returns the messages of it that are in here: they are
    /// not to be received, nor is the client to be told of its losses.
    pub(super) fn cut(&mut self, cut: Arc<Cut>) -> Vec<Frame> {
        let of = self.cuts.take_up(cut);
        self.losses.forget(of);
        let is_of_it = |frame: &Frame| frame.of() == of;
        if !self.frames().any(is_of_it) {
            return Vec::new();
        }
        let frames = std::mem::take(&mut self.slots);
        self.forget_places();
        let mut gone = Vec::new();
        for frame in frames.into_iter().filter_map(|slot| slot.frame) {
            if is_of_it(&frame) {
                gone.push(frame);
            } else {
                gone.extend(self.append(frame));
            }
        }
        for frame in std::mem::take(&mut self.set_aside) {
            if is_of_it(&frame) {
                gone.push(frame);
            } else {
                self.set_aside.push_back(frame);
            }
        }
        gone
    }

    /// Whether a new one would do what this one does.
    pub(super) fn is_as_new(&self) -> bool {
        let is_empty = self.is_idle() && self.frames().next().is_none();
        is_empty && self.draws == 0
    }

    /// Appends a message. Returns the message of its key that was between the oldest and this one.
    pub(super) fn append(&mut self, frame: Frame) -> Option<Frame> {
        let between = self.supersede(&frame);
        self.push(frame);
        between
    }

    /// Prepares for `frame`, which is pushed next: notes that the message of its key is superseded,
    /// or takes out and returns the newer one if there are two.
    pub(super) fn supersede(&mut self, frame: &Frame) -> Option<Frame> {
        let (first, last) = self.places_of(frame)?;
        if first != last {
            return self.take_out(last);
        }
        let place = u32::try_from(self.superseded.len()).ok();
        let slot = self.slots.get_mut(first - self.front)?;
        if slot.place.is_none() {
            slot.place = place;
            self.superseded.push(first);
        }
        None
    }

    /// Appends a message that was [prepared](Self::supersede) for.
    pub(super) fn push(&mut self, frame: Frame) {
        let number = self.front + self.slots.len();
        if self.class_of(&frame) != Class::Keeps {
            self.yielding.messages += 1;
            self.yielding.bytes += weight(&frame);
        }
        let hash = self.conflated_by(&frame);
        self.slots.push_back(Slot {
            frame: Some(frame),
            place: None,
        });
        let Some(hash) = hash else { return };
        let (slots, front) = (&self.slots, self.front);
        let frame = frame_at(slots, number - front);
        let same = |places: &Places| is_same_key(frame_at(slots, places.last - front), frame);
        if let Some(places) = self.keys.find_mut(hash, same) {
            places.last = number;
            return;
        }
        let hash_of = |places: &Places| hash_at(slots, places.first - front);
        let places = Places {
            first: number,
            last: number,
        };
        self.keys.insert_unique(hash, places, hash_of);
    }

    /// Takes out the next message to hand out.
    pub(super) fn next(&mut self) -> Option<Frame> {
        let Some(frame) = self.take_out(self.front) else {
            return self.set_aside.pop_front();
        };
        if self.slots.is_empty() && self.slots.capacity() > SPARE {
            self.slots = VecDeque::new();
            self.spare = VecDeque::new();
            self.keys = HashTable::new();
            self.superseded = Vec::new();
        }
        Some(frame)
    }

    /// Puts a message that was taken out and is not wanted in front of all others.
    pub(super) fn give_back(&mut self, frame: Frame) {
        if self.slots.is_empty() {
            // It may never have been in the slots, so the policy is not looked at now.
            self.set_aside.push_front(frame);
        } else {
            self.push_front(frame);
        }
    }

    /// Puts a message back in its slot, which was the one before the first.
    fn push_front(&mut self, frame: Frame) {
        self.front -= 1;
        let number = self.front;
        self.scanned = self.scanned.min(number);
        if self.class_of(&frame) != Class::Keeps {
            self.yielding.messages += 1;
            self.yielding.bytes += weight(&frame);
        }
        let hash = self.conflated_by(&frame);
        self.slots.push_front(Slot {
            frame: Some(frame),
            place: None,
        });
        let Some(hash) = hash else { return };
        let slots = &self.slots;
        let frame = frame_at(slots, 0);
        let same = |places: &Places| is_same_key(frame_at(slots, places.last - number), frame);
        if let Some(places) = self.keys.find_mut(hash, same) {
            places.first = number;
            self.slots[0].place = u32::try_from(self.superseded.len()).ok();
            self.superseded.push(number);
            return;
        }
        let hash_of = |places: &Places| hash_at(slots, places.last - number);
        let places = Places {
            first: number,
            last: number,
        };
        self.keys.insert_unique(hash, places, hash_of);
    }

    /// Appends a message that no room is made for: it is not conflated.
    pub(super) fn set_aside(&mut self, frame: Frame) {
        self.set_aside.push_back(frame);
    }

    /// Takes back the first message that was set aside.
    pub(super) fn take_set_aside(&mut self) -> Option<Frame> {
        self.set_aside.pop_front()
    }

    /// All that is in here, in order.
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        let slots = self.slots.iter().filter_map(|slot| slot.frame.as_ref());
        slots.chain(&self.set_aside)
    }

    /// Returns the message that has been queued longest.
    pub(super) fn first(&self) -> Option<Frame> {
        self.frames().next().cloned()
    }

    /// Takes out a superseded message.
    pub(super) fn take_superseded(&mut self) -> Option<Frame> {
        let count = self.superseded.len();
        if count == 0 {
            return None;
        }
        let number = self.superseded[draw(self.draws) % count];
        self.draws = self.draws.wrapping_add(1);
        self.take_out(number)
    }

    /// Takes out the message that has been queued longest of those that may be evicted.
    pub(super) fn evict(&mut self) -> Option<Frame> {
        let from = self.scanned.saturating_sub(self.front);
        let found = (from..self.slots.len()).find(|&index| {
            let frame = self.slots[index].frame.as_ref();
            frame.is_some_and(|frame| self.class_of(frame) != Class::Keeps)
        });
        let number = self.front + found.unwrap_or(self.slots.len());
        self.scanned = number;
        self.take_out(number)
    }

    /// Returns the next message to hand out.
    pub(super) fn front(&self) -> Option<&Frame> {
        frame_at(&self.slots, 0)
    }

    /// Returns the weight of the newest message of `frame`'s key.
    pub(super) fn weight_of_key(&self, frame: &Frame) -> Option<u64> {
        let (_, last) = self.places_of(frame)?;
        frame_at(&self.slots, last - self.front).map(weight)
    }

    /// Returns how much may be taken out to make room.
    pub(super) fn yielding(&self) -> Held {
        self.yielding
    }

    fn class_of(&self, frame: &Frame) -> Class {
        self.own.unwrap_or_else(|| frame.class())
    }

    /// The hash by which `frame` is conflated, if it is.
    fn conflated_by(&self, frame: &Frame) -> Option<u64> {
        let conflates = self.class_of(frame) == Class::Conflates;
        frame.key_hash().filter(|_| conflates)
    }

    /// The numbers of the oldest and the newest message of `frame`'s key.
    fn places_of(&self, frame: &Frame) -> Option<(usize, usize)> {
        let hash = self.conflated_by(frame)?;
        let (slots, front) = (&self.slots, self.front);
        let same = |places: &Places| is_same_key(frame_at(slots, places.last - front), Some(frame));
        let places = self.keys.find(hash, same)?;
        Some((places.first, places.last))
    }

    fn take_out(&mut self, number: usize) -> Option<Frame> {
        let slot = self.slots.get_mut(number.checked_sub(self.front)?)?;
        let frame = slot.frame.take()?;
        if let Some(place) = slot.place.take() {
            self.superseded.swap_remove(place as usize);
            if let Some(&moved) = self.superseded.get(place as usize)
                && let Some(slot) = self.slots.get_mut(moved - self.front)
            {
                slot.place = Some(place);
            }
        }
        if self.class_of(&frame) != Class::Keeps {
            self.yielding.messages -= 1;
            self.yielding.bytes -= weight(&frame);
        }
        if let Some(hash) = self.conflated_by(&frame) {
            self.forget_place(hash, number);
        }
        self.holes += 1;
        self.close_holes();
        Some(frame)
    }

    /// Notes that the message at `number` has been taken out.
    fn forget_place(&mut self, hash: u64, number: usize) {
        let of_it = |places: &Places| places.first == number || places.last == number;
        let Ok(mut entry) = self.keys.find_entry(hash, of_it) else {
            return;
        };
        let places = entry.get_mut();
        if places.first == places.last {
            entry.remove();
        } else if places.first == number {
            places.first = places.last;
        } else {
            places.last = places.first;
        }
    }

    /// Removes the holes at the front; and all, when more than half of the slots are holes, so that
    /// the slots stay within twice what is queued.
    fn close_holes(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.frame.is_none()) {
            self.slots.pop_front();
            self.front += 1;
            self.holes -= 1;
        }
        if self.holes <= SPARE || self.holes * 2 <= self.slots.len() {
            return;
        }
        let superseded = std::mem::take(&mut self.superseded);
        let spare = std::mem::take(&mut self.spare);
        let mut slots = std::mem::replace(&mut self.slots, spare);
        self.forget_places();
        self.superseded = superseded;
        for slot in slots.drain(..) {
            let (Some(frame), index) = (slot.frame, self.slots.len()) else {
                continue;
            };
            self.push(frame);
            if let Some(place) = slot.place {
                self.superseded[place as usize] = self.front + index;
                self.slots[index].place = Some(place);
            }
        }
        self.spare = slots;
    }

    /// Begins the numbers anew; the slots are empty.
    fn forget_places(&mut self) {
        self.front = FIRST;
        self.holes = 0;
        self.scanned = 0;
        self.keys.clear();
        self.superseded.clear();
        self.yielding = Held::default();
    }
}

/// The first number: slots that were taken out may be given back in front of it.
const FIRST: usize = MOST_MESSAGES;

/// So many empty slots cost less than they are worth.
const SPARE: usize = 32;

/// The number after `draws` others of a sequence that has no pattern: a Weyl sequence, mixed as in
/// SplitMix64.
fn draw(draws: u32) -> usize {
    let mut number = u64::from(draws).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (number >> 33) as usize
}

fn frame_at(slots: &VecDeque<Slot>, index: usize) -> Option<&Frame> {
    slots.get(index)?.frame.as_ref()
}

fn is_same_key(one: Option<&Frame>, other: Option<&Frame>) -> bool {
    one.zip(other)
        .is_some_and(|(one, other)| one.has_key_of(other))
}

/// The hash by which the message in a slot is found.
fn hash_at(slots: &VecDeque<Slot>, index: usize) -> u64 {
    let frame = frame_at(slots, index);
    frame.and_then(Frame::key_hash).unwrap_or_default()
}

/// How much of the outbox's limits `frame` takes.
pub(super) fn weight(frame: &Frame) -> u64 {
    frame.0.weight()
}
