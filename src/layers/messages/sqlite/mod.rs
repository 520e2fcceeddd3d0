//! Messages that are kept in a file.
//!
//! The file is a `SQLite` database, `throng.db`; `SQLite` itself is compiled in. One connection
//! writes, others read what was committed, and neither waits for the other.

mod count;
mod error;
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
pub use self::options::SqliteOptions;
pub use self::options::Sync;

use std::fmt;
use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::Connection;

use crate::layers::messages::error::StoreError;
use crate::layers::messages::query::Page;
use crate::layers::messages::query::Query;
use crate::layers::messages::query::Search;
use crate::layers::messages::record::Edition;
use crate::layers::messages::record::Stored;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Cleaned;
use crate::layers::messages::store::MessageStore;
use crate::layers::messages::store::Retention;
use crate::layers::messages::store::StoreStats;
use crate::layers::messages::store::Written;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

use self::pool::Pool;
use self::write::Fault;
use self::write::Writer;

/// Keeps messages in a file.
///
/// # Durability
///
/// What was reported as made survives the end of the process, and with [`Sync::Full`] that of the
/// power. Whenever it ends, the next [`open`](Self::open) finds the changes of each `write` all
/// or none; there is nothing to repair by hand.
///
/// # Damage
///
/// A file in which bits have changed is refused where what it is built of, or what messages are
/// found by, is no more what it was ([`SqliteOptions::check`]); where that happens later, what cannot
/// be read is answered with [`StoreError::Failed`]. What a message says has no checksum: a bit that
/// has changed in a text, in what is said about it, in how often it was edited, or in the numbers that
/// a room counts with goes unnoticed.
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
/// committed when it began.
pub struct SqliteStore {
    readers: Pool,
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
            writer: Mutex::new(Writer::new(opened.writer)),
            _lock: opened.lock,
        })
    }

    /// Reads what is committed now, and nothing that comes meanwhile.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        let connection = self.readers.lend();
        let snapshot = connection.unchecked_transaction().map_err(Fault::Store)?;
        Ok(read(&snapshot)?)
    }

    /// Removes of the messages that `find` gives as many as the budget allows. It is asked for
    /// one more than that.
    fn remove(
        &self,
        budget: usize,
        find: impl FnOnce(&Connection, usize) -> rusqlite::Result<Vec<i64>>,
    ) -> Result<Cleaned, StoreError> {
        let mut found = self.read(|db| Ok(find(db, budget.saturating_add(1))?))?;
        let more = found.len() > budget;
        found.truncate(budget);
        let messages = if found.is_empty() {
            0
        } else {
            let mut writer = self.writer.lock();
            let removed = writer.transact(|work| work.remove(&found));
            removed.map_err(Fault::Store)?
        };
        Ok(Cleaned { messages, more })
    }
}

impl MessageStore for SqliteStore {
    fn write(&self, changes: Vec<Change>) -> Vec<Result<Written, StoreError>> {
        let count = changes.len();
        let written = self.writer.lock().write(changes);
        written.unwrap_or_else(|error| vec![Err(Fault::Store(error).into()); count])
    }

    fn get(&self, room: &RoomId, sequence: u64) -> Result<Option<Stored>, StoreError> {
        self.read(|db| match row::find(db, room, sequence)? {
            Some(id) => Ok(row::load(db, id)?),
            None => Ok(None),
        })
    }

    fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.read(|db| Ok(page::page(db, query)?))
    }

    fn search(&self, search: &Search) -> Result<Page, StoreError> {
        self.read(|db| Ok(search::search(db, search)?))
    }

    fn editions(
        &self,
        room: &RoomId,
        sequence: u64,
        max_bytes: usize,
    ) -> Result<Vec<Edition>, StoreError> {
        self.read(|db| {
            let id = row::find(db, room, sequence)?.ok_or(StoreError::UnknownMessage)?;
            Ok(row::editions(db, id, max_bytes)?)
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

    fn clean(&self, now: u64, retention: &Retention, budget: usize) -> Result<Cleaned, StoreError> {
        let old = self.remove(budget, |db, most| remove::too_old(db, now, retention, most))?;
        if old.more {
            return Ok(old);
        }
        let removed = usize::try_from(old.messages).unwrap_or(budget);
        let left = budget.saturating_sub(removed);
        let many = self.remove(left, |db, most| remove::too_many(db, retention, most))?;
        Ok(Cleaned {
            messages: old.messages + many.messages,
            more: many.more,
        })
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

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Store(error) => Self::Failed(error.to_string().into()),
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
