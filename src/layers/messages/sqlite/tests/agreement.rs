//! The contract, kept by a store in a directory that goes with it.

use super::*;
use crate::layers::messages::Cleaned;
use crate::layers::messages::Edition;
use crate::layers::messages::Query;
use crate::layers::messages::Retention;
use crate::layers::messages::StoreStats;
use crate::layers::messages::contract::contract;

contract!(Temporary::new);

/// A store, and after it its directory.
struct Temporary {
    store: SqliteStore,
    _dir: Dir,
}

impl Temporary {
    fn new() -> Self {
        let dir = Dir::new();
        Self {
            store: dir.open(),
            _dir: dir,
        }
    }
}

impl MessageStore for Temporary {
    fn write(&self, changes: Vec<Change>) -> Vec<Result<Written, StoreError>> {
        self.store.write(changes)
    }

    fn get(&self, room: &RoomId, sequence: u64) -> Result<Option<Stored>, StoreError> {
        self.store.get(room, sequence)
    }

    fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.store.page(query)
    }

    fn search(&self, search: &Search) -> Result<Page, StoreError> {
        self.store.search(search)
    }

    fn editions(&self, room: &RoomId, sequence: u64) -> Result<Vec<Edition>, StoreError> {
        self.store.editions(room, sequence)
    }

    fn reactors(
        &self,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.store.reactors(room, sequence, reaction, after, limit)
    }

    fn unread(
        &self,
        room: &RoomId,
        user: &UserId,
        after: u64,
        most: u64,
    ) -> Result<u64, StoreError> {
        self.store.unread(room, user, after, most)
    }

    fn last_sequence(&self, room: &RoomId) -> Result<u64, StoreError> {
        self.store.last_sequence(room)
    }

    fn clean(&self, now: u64, retention: &Retention, budget: usize) -> Result<Cleaned, StoreError> {
        self.store.clean(now, retention, budget)
    }

    fn rooms(&self) -> Result<Vec<(RoomId, Bytes)>, StoreError> {
        self.store.rooms()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        self.store.stats()
    }

    fn blocks(&self) -> bool {
        self.store.blocks()
    }
}
