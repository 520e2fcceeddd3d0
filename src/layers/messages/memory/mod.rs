//! A store that keeps messages in memory.

mod kept;
mod limits;
mod reactions;
mod room;
mod state;

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::layers::messages::error::StoreError;
use crate::layers::messages::memory::state::Overdue;
use crate::layers::messages::memory::state::State;
use crate::layers::messages::query::MessageQuery;
use crate::layers::messages::query::MessageSearch;
use crate::layers::messages::query::Page;
use crate::layers::messages::record::Revision;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::CleanupOutcome;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Retention;
use crate::layers::messages::store::StoreStats;
use crate::layers::messages::store::Written;
use crate::layers::messages::walk::Budget;
use crate::layers::messages::walk::Walk;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::time::Clock;
use crate::time::SystemClock;

pub use self::limits::MemoryLimits;

/// Keeps messages in memory: they end with the process.
///
/// ```
/// use throng::RoomId;
/// use throng::messages::{Change, MemoryLimits, MemoryStore, MessageStore};
/// use throng::messages::{MessageQuery, NewMessage};
///
/// let store = MemoryStore::new(MemoryLimits::new().max_messages(10_000));
/// let lobby = RoomId::parse("lobby")?;
/// let hello = NewMessage::text(lobby.clone(), "hello", 1_700_000_000_000);
/// let welcome = NewMessage::text(lobby.clone(), "welcome", 1_700_000_001_000);
/// store.write(vec![Change::Save(hello), Change::Save(welcome)]);
///
/// let page = store.page(&MessageQuery::room(lobby))?;
/// assert_eq!(page.messages[0].sequence, 2);
/// assert_eq!(page.messages[1].payload, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Memory
///
/// Bounded by its [`MemoryLimits`]: beyond them the oldest messages, of whatever room, are removed
/// for good. That is no failure of the change that came too much, and nobody is told; what
/// [cleaning](MessageStore::clean) leaves should fit. Numbers survive it. Payloads are copied, so
/// that a small one never keeps the large buffer that it came in.
///
/// # Progress
///
/// One lock, and no call waits for anything else. A change, a message, a page without filters, and
/// what is unread cost about the logarithm of what the room holds, and what they give or remove; a
/// page with filters goes through the shortest list that has all it asks for, of the room, the
/// thread, or the user. A search goes through the texts of its rooms until it has a page, and
/// cleaning through the rooms: both let the lock go again and again, so what changes meanwhile
/// they may see or not.
pub struct MemoryStore {
    state: RwLock<State>,
}

impl MemoryStore {
    /// How many messages cleaning removes before the lock is let go.
    const CLEAN: usize = 1024;

    /// A store with nothing in it.
    #[must_use]
    pub fn new(limits: MemoryLimits) -> Self {
        Self {
            state: RwLock::new(State::new(limits)),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(MemoryLimits::new())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.state.read().stats();
        f.debug_tuple("MemoryStore").field(&stats).finish()
    }
}

impl MessageStore for MemoryStore {
    fn write(&self, changes: Vec<Change>) -> Vec<Result<Written, StoreError>> {
        let mut state = self.state.write();
        let changes = changes.into_iter();
        changes.map(|change| state.apply(change)).collect()
    }

    fn get(&self, room: &RoomId, sequence: u64) -> Result<Option<StoredMessage>, StoreError> {
        Ok(self.state.read().get(room, sequence))
    }

    fn page(&self, query: &MessageQuery) -> Result<Page, StoreError> {
        Ok(self.state.read().page(query))
    }

    fn search(&self, search: &MessageSearch) -> Result<Page, StoreError> {
        let walk = Walk::of_search(search);
        let mut messages = Vec::new();
        let mut among = walk.ids();
        let until = search
            .time_limit
            .and_then(|limit| SystemClock::new().now().checked_add(limit));
        while !among.is_empty() {
            if until.is_some_and(|until| SystemClock::new().now() >= until) {
                return Err(StoreError::TimedOut);
            }
            let wanted = walk.length() - messages.len();
            let found = self.state.read().search(search, walk.way(), among, wanted);
            messages.extend(found.messages);
            among = found.next;
        }
        walk.gather(messages.into_iter().map(Ok))
    }

    fn revisions(
        &self,
        room: &RoomId,
        sequence: u64,
        max_bytes: usize,
    ) -> Result<Vec<Revision>, StoreError> {
        let state = self.state.read();
        let revisions = &state.kept(room, sequence)?.revisions;
        let mut budget = Budget::new(max_bytes);
        let newest = revisions.iter().rev();
        let count = newest.take_while(|it| budget.takes(it.bytes())).count();
        Ok(revisions[revisions.len() - count..].to_vec())
    }

    fn reactors(
        &self,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let state = self.state.read();
        let reactions = &state.kept(room, sequence)?.reactions;
        Ok(reactions.reactors(reaction, after, limit))
    }

    fn unread(
        &self,
        room: &RoomId,
        user: &UserId,
        after: u64,
        most: u64,
    ) -> Result<u64, StoreError> {
        let state = self.state.read();
        let unread = state.room(room).map_or(0, |room| room.unread(user, after));
        Ok(unread.min(most))
    }

    fn last_sequence(&self, room: &RoomId) -> Result<u64, StoreError> {
        Ok(self.state.read().room(room).map_or(0, |room| room.last))
    }

    fn clean(
        &self,
        now: u64,
        retention: &Retention,
        budget: usize,
    ) -> Result<CleanupOutcome, StoreError> {
        let overdue = Overdue::of(now, retention);
        let mut rest = Range {
            start: 0,
            end: self.state.read().last_id() + 1,
        };
        let mut cleaned = CleanupOutcome::default();
        let mut left = budget;
        loop {
            let turn = left.min(Self::CLEAN);
            let swept = self.state.write().sweep(rest.clone(), overdue, turn);
            left -= swept.removed;
            cleaned.messages += swept.removed as u64;
            cleaned.more = swept.is_short && left == 0;
            match swept.next {
                Some(next) if !cleaned.more => rest.start = next,
                Some(_) | None => return Ok(cleaned),
            }
        }
    }

    fn rooms(&self) -> Result<Vec<(RoomId, Bytes)>, StoreError> {
        Ok(self.state.read().snapshots())
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        Ok(self.state.read().stats())
    }

    fn blocks(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
