//! Who is typing where: pure, and told the time.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use ahash::HashMap;
use ahash::HashSet;

use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::typing::config::TypingConfig;
use crate::layers::wheel::Wheel;

/// What a room is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) room: RoomId,
    pub(super) user: UserId,
    pub(super) is_typing: bool,
}

/// As many type in the room as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Who is typing in some rooms.
///
/// # Memory
///
/// Some 300 bytes for each user that types in a room, or did a moment ago.
#[derive(Debug)]
pub(super) struct State {
    config: TypingConfig,
    rooms: HashMap<RoomId, Room>,
    /// Where each user has a place.
    places: HashMap<UserId, HashSet<RoomId>>,
    /// Each place once.
    wheel: Wheel<(RoomId, UserId)>,
}

#[derive(Debug, Default)]
struct Room {
    /// Those who type, and those who have stopped and are still in the wheel.
    typists: BTreeMap<UserId, Typist>,
    typing: usize,
}

#[derive(Debug)]
struct Typist {
    is_typing: bool,
    until: Instant,
    told: Instant,
}

impl State {
    pub(super) fn new(start: Instant, config: TypingConfig) -> Self {
        Self {
            config,
            rooms: HashMap::default(),
            places: HashMap::default(),
            wheel: Wheel::new(start, TICK),
        }
    }

    /// A user types, from now on or still; gives what the room is to be told.
    pub(super) fn start(
        &mut self,
        now: Instant,
        room: &RoomId,
        user: &UserId,
    ) -> Result<Option<Change>, Full> {
        let until = now + self.config.expires;
        let throttle = self.config.throttle;
        let typists = self.rooms.get_mut(room);
        if let Some(typist) = typists.and_then(|room| room.typist(user)) {
            typist.until = until;
            let is_told = now.saturating_duration_since(typist.told) < throttle;
            if !is_told {
                typist.told = now;
            }
            return Ok((!is_told).then(|| change(room, user, true)));
        }
        let typing = self.rooms.get(room).map_or(0, |room| room.typing);
        if self.config.max_per_room.is_some_and(|max| typing >= max) {
            return Err(Full);
        }
        self.enter(room, user, now, until);
        Ok(Some(change(room, user, true)))
    }

    /// A user types no more in a room.
    pub(super) fn stop(&mut self, room: &RoomId, user: &UserId) -> Option<Change> {
        let of = self.rooms.get_mut(room)?;
        of.typist(user)?.is_typing = false;
        of.typing -= 1;
        Some(change(room, user, false))
    }

    /// A user types nowhere any more.
    pub(super) fn clear(&mut self, user: &UserId) -> Vec<Change> {
        let rooms = self.places.get(user);
        let rooms: Vec<_> = rooms.into_iter().flatten().cloned().collect();
        rooms
            .iter()
            .filter_map(|room| self.stop(room, user))
            .collect()
    }

    /// Nobody types in a room any more.
    pub(super) fn close(&mut self, room: &RoomId) -> Vec<Change> {
        let typists = self.rooms.get(room);
        let users = typists.into_iter().flat_map(|room| room.typists.keys());
        let users: Vec<_> = users.cloned().collect();
        users
            .iter()
            .filter_map(|user| self.stop(room, user))
            .collect()
    }

    /// Who types in a room at `now`, in the order of their ids.
    pub(super) fn list(&self, now: Instant, room: &RoomId) -> Vec<UserId> {
        let typists = self.rooms.get(room).into_iter();
        let typists = typists.flat_map(|room| room.typists.iter());
        let typing = typists.filter(|(_, typist)| typist.is_typing && typist.until > now);
        typing.map(|(user, _)| user.clone()).collect()
    }

    pub(super) fn is_typing(&self, now: Instant, room: &RoomId, user: &UserId) -> bool {
        let typist = self.rooms.get(room).and_then(|room| room.typists.get(user));
        typist.is_some_and(|typist| typist.is_typing && typist.until > now)
    }

    /// Looks at one place that may be over at `now`, and adds what its room is to be told; says
    /// whether there was such a place.
    pub(super) fn expire(&mut self, now: Instant, changes: &mut Vec<Change>) -> bool {
        let Some((room, user)) = self.wheel.pop(now) else {
            return false;
        };
        let of = self.rooms.get(&room);
        let typist = of.and_then(|of| of.typists.get(&user));
        match typist.filter(|typist| typist.is_typing && typist.until > now) {
            Some(typist) => self.wheel.insert(typist.until, (room, user)),
            None => {
                changes.extend(self.stop(&room, &user));
                self.leave(&room, &user);
            }
        }
        true
    }

    /// When to look again, if ever.
    pub(super) fn next(&self) -> Option<Instant> {
        self.wheel.next()
    }

    fn enter(&mut self, room: &RoomId, user: &UserId, now: Instant, until: Instant) {
        let typist = Typist {
            is_typing: true,
            until,
            told: now,
        };
        let of = self.rooms.entry(room.clone()).or_default();
        of.typing += 1;
        if of.typists.insert(user.clone(), typist).is_some() {
            // It has stopped a moment ago, and is in the wheel still.
            return;
        }
        let places = self.places.entry(user.clone()).or_default();
        places.insert(room.clone());
        self.wheel.insert(until, (room.clone(), user.clone()));
    }

    /// Forgets a place.
    fn leave(&mut self, room: &RoomId, user: &UserId) {
        if let Some(of) = self.rooms.get_mut(room) {
            of.typists.remove(user);
            if of.typists.is_empty() {
                self.rooms.remove(room);
            }
        }
        if let Some(places) = self.places.get_mut(user) {
            places.remove(room);
            if places.is_empty() {
                self.places.remove(user);
            }
        }
    }
}

impl Room {
    /// The user, if it is typing.
    fn typist(&mut self, user: &UserId) -> Option<&mut Typist> {
        self.typists.get_mut(user).filter(|typist| typist.is_typing)
    }
}

fn change(room: &RoomId, user: &UserId, is_typing: bool) -> Change {
    Change {
        room: room.clone(),
        user: user.clone(),
        is_typing,
    }
}

/// How exact times are.
const TICK: Duration = Duration::from_millis(10);
