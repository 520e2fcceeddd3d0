//! Which rooms each user is in.

use std::collections::BTreeMap;
use std::collections::HashMap;

use ahash::RandomState;
use parking_lot::Mutex;

use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::error::RoomError;

/// Which rooms each user is in, split so that few meet at one lock.
pub(super) struct Users {
    max_rooms: usize,
    max_directs: usize,
    hasher: RandomState,
    shards: Box<[Mutex<HashMap<UserId, Rooms, RandomState>>]>,
}

/// The rooms of a user, and with whom those are that are direct.
#[derive(Default)]
struct Rooms {
    rooms: BTreeMap<RoomId, ()>,
    directs: BTreeMap<UserId, RoomId>,
}

const SHARDS: usize = 64;

impl Users {
    pub(super) fn new(max_rooms: usize, max_directs: usize) -> Self {
        Self {
            max_rooms,
            max_directs,
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Notes that a user is in a room, if it may be in one more.
    pub(super) fn enter(&self, user: &UserId, room: &RoomId) -> Result<(), RoomError> {
        let mut shard = self.shard(user).lock();
        let rooms = shard.entry(user.clone()).or_default();
        let limit = self.max_rooms;
        if rooms.rooms.len() >= limit && !rooms.rooms.contains_key(room) {
            return Err(RoomError::RoomLimitReached { limit });
        }
        rooms.rooms.insert(room.clone(), ());
        Ok(())
    }

    /// Notes that a user is in a direct room with another, if it may be in one more; says whether
    /// it was in none with that other.
    pub(super) fn meet(
        &self,
        user: &UserId,
        other: &UserId,
        room: &RoomId,
    ) -> Result<bool, RoomError> {
        let mut shard = self.shard(user).lock();
        let rooms = shard.entry(user.clone()).or_default();
        if rooms.directs.contains_key(other) {
            return Ok(false);
        }
        let limit = self.max_directs;
        if rooms.directs.len() >= limit {
            return Err(RoomError::RoomLimitReached { limit });
        }
        rooms.directs.insert(other.clone(), room.clone());
        Ok(true)
    }

    /// Notes that a user is in a room, however many it may be in.
    pub(super) fn put(&self, user: &UserId, room: &RoomId) {
        let mut shard = self.shard(user).lock();
        let rooms = shard.entry(user.clone()).or_default();
        rooms.rooms.insert(room.clone(), ());
    }

    /// Notes that a user is in a direct room with another, however many it may be in; says whether
    /// it was in none with that other.
    pub(super) fn pair(&self, user: &UserId, other: &UserId, room: &RoomId) -> bool {
        let mut shard = self.shard(user).lock();
        let rooms = shard.entry(user.clone()).or_default();
        let is_new = !rooms.directs.contains_key(other);
        if is_new {
            rooms.directs.insert(other.clone(), room.clone());
        }
        is_new
    }

    pub(super) fn leave(&self, user: &UserId, room: &RoomId) {
        let mut shard = self.shard(user).lock();
        let Some(rooms) = shard.get_mut(user) else {
            return;
        };
        if rooms.rooms.remove(room).is_none() {
            rooms.directs.retain(|_, direct| direct != room);
        }
        if rooms.rooms.is_empty() && rooms.directs.is_empty() {
            shard.remove(user);
        }
    }

    /// The direct room of two users.
    pub(super) fn direct(&self, user: &UserId, other: &UserId) -> Option<RoomId> {
        let shard = self.shard(user).lock();
        shard.get(user)?.directs.get(other).cloned()
    }

    /// The direct rooms of a user, by the other.
    pub(super) fn directs(&self, user: &UserId) -> Vec<(UserId, RoomId)> {
        let shard = self.shard(user).lock();
        let Some(rooms) = shard.get(user) else {
            return Vec::new();
        };
        let directs = rooms.directs.iter();
        directs
            .map(|(other, room)| (other.clone(), room.clone()))
            .collect()
    }

    /// All rooms of a user, those that are direct last.
    pub(super) fn rooms(&self, user: &UserId) -> Vec<RoomId> {
        let shard = self.shard(user).lock();
        let Some(rooms) = shard.get(user) else {
            return Vec::new();
        };
        let direct = rooms.directs.values();
        rooms.rooms.keys().chain(direct).cloned().collect()
    }

    fn shard(&self, user: &UserId) -> &Mutex<HashMap<UserId, Rooms, RandomState>> {
        let hash = self.hasher.hash_one(user);
        // The table takes the low bits; these are the high ones.
        &self.shards[(hash >> 56) as usize % SHARDS]
    }
}
