//! The connections by number, and by how long they have asked for nothing. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::ops::Bound;

use crate::id::ClientId;

/// What can be asked when it last did something.
pub(super) trait Active {
    /// In milliseconds of a clock that begins at one; it never goes back.
    fn last_active(&self) -> u64;
}

/// Where a connection is in the order of idleness: when it was last active, and which it is.
pub(super) type Place = (u64, ClientId);

/// Some connections.
///
/// Who is active only notes the time with itself; where it is in the order is put right when
/// somebody looks there. So activity takes no lock, and a look moves each connection at most once.
#[derive(Debug)]
pub(super) struct Roster<T> {
    slots: BTreeMap<ClientId, Slot<T>>,
    /// Invariant: a slot's `noted`, if any, is in here once, and no later than it was last active.
    order: BTreeSet<Place>,
}

#[derive(Debug)]
struct Slot<T> {
    handle: T,
    noted: Option<NonZeroU64>,
}

/// What a look at the idle has found.
#[derive(Debug)]
pub(super) struct Idle<T> {
    /// Longest idle first.
    pub(super) found: Vec<(Place, T)>,
    /// How far it has looked, if not to the end.
    pub(super) stopped: Option<Place>,
}

/// What several looks have found, as one: as far as all of them have looked, and `limit` at most.
pub(super) fn merged<T>(looks: impl Iterator<Item = Idle<T>>, limit: usize) -> Idle<T> {
    let mut found = Vec::new();
    let mut stopped: Option<Place> = None;
    for look in looks {
        found.extend(look.found);
        stopped = stopped.into_iter().chain(look.stopped).min();
    }
    found.sort_unstable_by_key(|(place, _)| *place);
    found.retain(|(place, _)| stopped.is_none_or(|stopped| *place <= stopped));
    if found.len() > limit {
        found.truncate(limit);
        stopped = found.last().map(|(place, _)| *place);
    }
    Idle { found, stopped }
}

/// Before all places.
pub(super) const START: Place = (0, ClientId::new(0));

impl<T: Active + Clone> Roster<T> {
    pub(super) fn new() -> Self {
        Self {
            slots: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }

    pub(super) fn insert(&mut self, id: ClientId, handle: T) {
        let noted = NonZeroU64::new(handle.last_active());
        self.order.extend(noted.map(|at| (at.get(), id)));
        self.slots.insert(id, Slot { handle, noted });
    }

    pub(super) fn remove(&mut self, id: ClientId) -> Option<T> {
        let slot = self.slots.remove(&id)?;
        if let Some(noted) = slot.noted {
            self.order.remove(&(noted.get(), id));
        }
        Some(slot.handle)
    }

    pub(super) fn get(&self, id: ClientId) -> Option<&T> {
        self.slots.get(&id).map(|slot| &slot.handle)
    }

    /// Those after this one, in the order of their numbers.
    pub(super) fn after(&self, id: Option<ClientId>) -> impl Iterator<Item = (ClientId, &T)> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.slots.range((from, Bound::Unbounded));
        range.map(|(id, slot)| (*id, &slot.handle))
    }

    /// At most `limit` that come after `after` and were not active after `until`. It looks at
    /// `LOOKS` more at most.
    pub(super) fn idle(&mut self, after: Place, until: u64, limit: usize) -> Idle<T> {
        let mut found = Vec::new();
        let mut last = after;
        for _ in 0..limit.saturating_add(LOOKS) {
            let Some(place) = self.next(last).filter(|(noted, _)| *noted <= until) else {
                return Idle {
                    found,
                    stopped: None,
                };
            };
            if found.len() == limit {
                break;
            }
            if let Some(handle) = self.settle(place) {
                found.push((place, handle));
                last = place;
            }
        }
        Idle {
            found,
            stopped: Some(last),
        }
    }

    /// Never finds a connection to be idle again.
    pub(super) fn dismiss(&mut self, id: ClientId) {
        let noted = self.slots.get_mut(&id).and_then(|slot| slot.noted.take());
        if let Some(noted) = noted {
            self.order.remove(&(noted.get(), id));
        }
    }

    /// The time before which none was last active.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.order.first().map(|(noted, _)| *noted)
    }

    fn next(&self, after: Place) -> Option<Place> {
        let from = (Bound::Excluded(after), Bound::Unbounded);
        self.order.range(from).next().copied()
    }

    /// The handle of what is at a place, or if it was active since, moves it to where it belongs.
    fn settle(&mut self, place: Place) -> Option<T> {
        let (noted, id) = place;
        let slot = self.slots.get_mut(&id)?;
        let active = slot.handle.last_active();
        if active <= noted {
            return Some(slot.handle.clone());
        }
        slot.noted = NonZeroU64::new(active);
        self.order.remove(&place);
        self.order.insert((active, id));
        None
    }
}

/// Connections that have been active and are moved in one look.
const LOOKS: usize = 1024;
