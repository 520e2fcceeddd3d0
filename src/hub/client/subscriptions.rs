//! The channels that a client is in, or about to be in.

use std::sync::Arc;
use std::sync::LazyLock;

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::hub::channel::Core;
use crate::hub::membership::Membership;

/// The memberships of a client, dense, in no order.
///
/// A look-up scans the list while it is short. Beyond [`FEW`] there is an index by the name of the
/// channel beside it, so that joining and leaving cost the same however many are held. A channel
/// that is held is not reclaimed, so a name stands for one channel.
#[derive(Default)]
pub(super) struct Subscriptions {
    all: SmallVec<[Arc<Membership>; 2]>,
    /// Memberships in channels that have a name.
    named: u32,
    /// The places in `all` of those that have a name, once there are many.
    places: Option<Box<HashTable<u32>>>,
}

/// How many are looked through without an index.
const FEW: usize = 16;

impl Subscriptions {
    /// How many there are in channels that have a name.
    pub(super) fn named(&self) -> usize {
        self.named as usize
    }

    pub(super) fn holds(&self, channel: &Arc<Core>) -> bool {
        match channel.name() {
            Some(name) => self.find(name).is_some(),
            None => self.all.iter().any(|held| held.name().is_none()),
        }
    }

    /// The membership in the channel of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Membership>> {
        self.find(name).and_then(|place| self.all.get(place))
    }

    /// The membership in the channel of all clients, which has no name.
    pub(super) fn unnamed(&self) -> Option<&Arc<Membership>> {
        // It is the first that a client has, and the last that goes.
        self.all.iter().find(|held| held.name().is_none())
    }

    pub(super) fn push(&mut self, membership: Arc<Membership>) {
        self.named += u32::from(membership.name().is_some());
        self.all.push(membership);
        if self.places.is_some() {
            self.enter(self.all.len() - 1);
        } else if self.all.len() > FEW {
            self.index();
        }
    }

    /// Takes a membership out, if it is there.
    pub(super) fn remove(&mut self, membership: &Arc<Membership>) -> Option<Arc<Membership>> {
        let is_it = |held: &&Arc<Membership>| Arc::ptr_eq(held, membership);
        let place = match membership.name() {
            Some(name) => self
                .find(name)
                .filter(|place| self.all.get(*place).as_ref().is_some_and(is_it))?,
            None => self.all.iter().position(|held| is_it(&held))?,
        };
        self.strike(place);
        let last = self.all.len() - 1;
        if place != last {
            self.strike(last);
        }
        let removed = self.all.swap_remove(place);
        if place != last {
            self.enter(place);
        }
        self.named -= u32::from(removed.name().is_some());
        // Not at once, so that one who goes back and forth does not make an index each time.
        if self.all.len() <= FEW / 2 {
            self.places = None;
        }
        Some(removed)
    }

    /// At most `most` that stand before `end`, and where they begin. Going on from there, each that
    /// is there all the time is seen; one may be seen twice if another was taken out meanwhile.
    pub(super) fn before(&self, end: usize, most: usize) -> (&[Arc<Membership>], usize) {
        let end = end.min(self.all.len());
        let begin = end.saturating_sub(most);
        (&self.all[begin..end], begin)
    }

    /// All of them.
    pub(super) fn into_all(self) -> impl Iterator<Item = Arc<Membership>> {
        self.all.into_iter()
    }

    fn find(&self, name: &str) -> Option<usize> {
        let is_it = |held: &Arc<Membership>| held.name().is_some_and(|held| **held == *name);
        let Some(places) = &self.places else {
            return self.all.iter().position(is_it);
        };
        let same = |place: &u32| self.all.get(*place as usize).is_some_and(is_it);
        let place = places.find(hash(name), same)?;
        Some(*place as usize)
    }

    /// Makes the index.
    fn index(&mut self) {
        self.places = Some(Box::default());
        for place in 0..self.all.len() {
            self.enter(place);
        }
    }

    /// Puts the one at this place into the index.
    fn enter(&mut self, place: usize) {
        let (Some(places), all) = (&mut self.places, &self.all) else {
            return;
        };
        let Some(name) = all.get(place).and_then(|held| held.name()) else {
            return;
        };
        let hash_of = |place: &u32| {
            let held = all.get(*place as usize);
            held.and_then(|held| held.name())
                .map_or(0, |name| hash(name))
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "nobody holds four thousand million channels"
        )]
        places.insert_unique(hash(name), place as u32, hash_of);
    }

    /// Takes the one at this place out of the index.
    fn strike(&mut self, at: usize) {
        let (Some(places), all) = (&mut self.places, &self.all) else {
            return;
        };
        let Some(name) = all.get(at).and_then(|held| held.name()) else {
            return;
        };
        if let Ok(entry) = places.find_entry(hash(name), |place| *place as usize == at) {
            entry.remove();
        }
    }
}

fn hash(name: &str) -> u64 {
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    HASHER.hash_one(name)
}
