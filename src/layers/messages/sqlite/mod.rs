//! Messages that are kept in a file.
//!
//! The file is a `SQLite` database, `throng.db`; `SQLite` itself is compiled in. One connection
//! writes, others read what was committed, and neither waits for the other.

mod count;
mod error;
mod kept;
mod known;
mod migrations;
mod open;
mod options;
mod page;
mod pool;
mod react;
mod remove;
mod row;
mod save;
mod search;
mod wal;
mod write;

#[cfg(test)]
mod tests;

pub use self::error::OpenError;
pub use self::options::Durability;
pub use self::options::SqliteOptions;

use std::fmt;
use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use parking_lot::Mutex;
use parking_lot::MutexGuard;
use rusqlite::Connection;
use rusqlite::ErrorCode;

use crate::layers::messages::error::StoreError;
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
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::time::Clock;
use crate::time::SystemClock;

use self::pool::Pool;
use self::write::Fault;
use self::write::Work;
use self::write::Writer;

/// After how many steps a search looks at the clock. They are few, as the index goes through
/// thousands of entries in one.
const STEPS_BETWEEN: i32 = 16;

/// How many messages one transaction removes: others write between two.
const AT_ONCE: usize = 256;

/// Keeps messages in a file.
///
/// # Durability
///
/// What was reported as made survives the end of the process, and with [`Durability::Full`] that of
/// the power. Whenever it ends, the next [`open`](Self::open) finds the changes of each `write` all
/// or none; there is nothing to repair by hand.
///
/// # Damage
///
/// A file in which bits have changed is refused where what it is built of, or what messages are
/// found by, is no more what it was ([`SqliteOptions::check`]); where that happens later, what
/// cannot be read is answered with [`StoreError::Failed`]. What a message says has no checksum: a
/// bit that has changed in a text, in what is said about it, in how often it was edited, or in the
/// numbers that a room counts with goes unnoticed.
///
/// # Sharing
///
/// A directory belongs to one store at a time, which a lock sees to. It must be on a local disk.
/// Others may read the file with tools of `SQLite` meanwhile; `sqlite3 throng.db ".backup copy.db"`
/// makes a backup while it is in use.
///
/// # Space
///
/// What is removed leaves room in the file that is used again; the file itself does not shrink.
///
/// # Progress
///
/// Writes wait for each other and for the disk. Reads wait for one of the
/// [connections for them](SqliteOptions::readers), and never for writes; each sees what was
/// committed when it began. Searches wait for each other, and cleaning does: they have a connection
/// each.
pub struct SqliteStore {
    readers: Pool,
    /// For searches, which may take long.
    searcher: Pool,
    /// For what is removed, which is looked for in all rooms.
    keeper: Pool,
    writer: Mutex<Writer>,
    /// Locked as long as it is open; dropped last.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store of a directory. Both are made if they are missing.
    ///
    /// What the end of a process or of the power has left is taken up: what was committed is
    /// there, what was not is gone. A file of an older version is brought up to this one.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is wrong with the file, and what to do.
    pub fn open(dir: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let opened = open::open(dir, options)?;
        Ok(Self {
            readers: Pool::new(opened.readers),
            searcher: Pool::new(vec![opened.searcher]),
            keeper: Pool::new(vec![opened.keeper]),
            writer: Mutex::new(Writer::new(opened.writer)),
            _lock: opened.lock,
        })
    }

    /// Reads what is committed now, and nothing that comes meanwhile.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        Ok(read_of(&self.readers.lend(), read)?)
    }

    /// Removes of the messages that `find` gives as many as the budget allows. It is asked for
    /// one more than that.
    fn remove(
        &self,
        budget: usize,
        find: impl FnOnce(&Connection, usize) -> rusqlite::Result<Vec<i64>>,
    ) -> Result<CleanupOutcome, StoreError> {
        let keeper = self.keeper.lend();
        let mut found = read_of(&keeper, |db| Ok(find(db, budget.saturating_add(1))?))?;
        let more = found.len() > budget;
        found.truncate(budget);
        let mut messages = 0;
        for some in found.chunks(AT_ONCE) {
            messages += self.transact(|work| work.remove(some))?;
        }
        Ok(CleanupOutcome { messages, more })
    }

    /// Does something in the file, and lets others have their turn then.
    fn transact<T>(
        &self,
        work: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock();
        let done = writer.transact(work).map_err(Fault::Store);
        // Else it would be ours again before they have noticed.
        MutexGuard::unlock_fair(writer);
        Ok(done?)
    }
}

impl MessageStore for SqliteStore {
    fn write(&self, changes: Vec<Change>) -> Vec<Result<Written, StoreError>> {
        let count = changes.len();
        let written = self.writer.lock().write(changes);
        written.unwrap_or_else(|error| vec![Err(Fault::Store(error).into()); count])
    }

    fn get(&self, room: &RoomId, sequence: u64) -> Result<Option<StoredMessage>, StoreError> {
        self.read(|db| match row::find(db, room, sequence)? {
            Some(id) => Ok(row::load(db, id)?),
            None => Ok(None),
        })
    }

    fn page(&self, query: &MessageQuery) -> Result<Page, StoreError> {
        self.read(|db| Ok(page::page(db, query)?))
    }

    fn search(&self, search: &MessageSearch) -> Result<Page, StoreError> {
        let mut connection = self.searcher.lend();
        let clock = SystemClock::new();
        let until = search.time_limit;
        let until = until.and_then(|limit| clock.now().checked_add(limit));
        let is_over = move || until.is_some_and(|until| clock.now() >= until);
        let watch = connection.progress_handler(STEPS_BETWEEN, Some(is_over));
        watch.map_err(Fault::Store)?;
        let found = read_of(&connection, |db| Ok(search::search(db, search)?));
        let unwatch = connection.progress_handler(0, None::<fn() -> bool>);
        unwatch.map_err(Fault::Store)?;
        Ok(found?)
    }

    fn revisions(
        &self,
        room: &RoomId,
        sequence: u64,
        max_bytes: usize,
    ) -> Result<Vec<Revision>, StoreError> {
        self.read(|db| {
            let id = row::find(db, room, sequence)?.ok_or(StoreError::UnknownMessage)?;
            Ok(row::revisions(db, id, max_bytes)?)
        })
    }

    fn reactors(
        &self,
        room: &RoomId,
        sequence: u64,
        reaction: &str,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.read(|db| {
            let id = row::find(db, room, sequence)?.ok_or(StoreError::UnknownMessage)?;
            Ok(react::reactors(db, id, reaction, after, limit)?)
        })
    }

    fn unread(
        &self,
        room: &RoomId,
        user: &UserId,
        after: u64,
        most: u64,
    ) -> Result<u64, StoreError> {
        self.read(|db| Ok(count::unread(db, room, user, after, most)?))
    }

    fn last_sequence(&self, room: &RoomId) -> Result<u64, StoreError> {
        self.read(|db| Ok(count::last_sequence(db, room)?))
    }

    fn clean(
        &self,
        now: u64,
        retention: &Retention,
        budget: usize,
    ) -> Result<CleanupOutcome, StoreError> {
        let old = self.remove(budget, |db, most| remove::too_old(db, now, retention, most))?;
        if old.more {
            return Ok(old);
        }
        let removed = usize::try_from(old.messages).unwrap_or(budget);
        let left = budget.saturating_sub(removed);
        let many = self.remove(left, |db, most| remove::too_many(db, retention, most))?;
        Ok(CleanupOutcome {
            messages: old.messages + many.messages,
            more: many.more,
        })
    }

    fn forget_part(&self, user: &UserId, budget: usize) -> Result<CleanupOutcome, StoreError> {
        let mut cleaned = CleanupOutcome::default();
        let mut left = budget;
        loop {
            let turn = left.min(AT_ONCE);
            let found = read_of(&self.keeper.lend(), |db| {
                Ok(remove::of_user(db, user, turn.saturating_add(1))?)
            })?;
            let Some(mut part) = found else {
                return Ok(cleaned);
            };
            cleaned.more = part.messages.len() > turn || part.tallies.len() > turn;
            part.messages.truncate(turn);
            part.tallies.truncate(turn);
            cleaned.messages += self.transact(|work| {
                work.withdraw_all(part.user, &part.tallies)?;
                work.remove(&part.messages)
            })?;
            left -= turn;
            if !cleaned.more || left == 0 {
                return Ok(cleaned);
            }
        }
    }

    fn tidy(&self, budget: usize) -> Result<bool, StoreError> {
        let mut left = budget;
        loop {
            let turn = left.min(AT_ONCE);
            let Some((room, messages)) =
                read_of(&self.keeper.lend(), |db| Ok(remove::buried(db, turn)?))?
            else {
                return Ok(false);
            };
            if left == 0 {
                return Ok(true);
            }
            self.transact(|work| work.tidy(room, &messages))?;
            left -= messages.len();
        }
    }

    fn rooms(&self) -> Result<Vec<(RoomId, Bytes)>, StoreError> {
        self.read(|db| Ok(count::rooms(db)?))
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        self.read(|db| Ok(count::stats(db)?))
    }

    fn blocks(&self) -> bool {
        true
    }
}

/// Reads what is committed now, and nothing that comes meanwhile.
fn read_of<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let snapshot = connection.unchecked_transaction()?;
    read(&snapshot)
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Store(error)
                if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
            {
                Self::TimedOut
            }
            Fault::Store(error) => Self::Failed(error.to_string().into()),
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
