//! One list of changes, one transaction.

use std::mem;

use data_encoding::HEXLOWER;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::TransactionBehavior;

use crate::layers::messages::error::StoreError;
use crate::layers::messages::sqlite::known::Known;
use crate::layers::messages::sqlite::row;
use crate::layers::messages::store::Change;
use crate::layers::messages::store::Written;
use crate::layers::messages::terms;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::message::Format;

/// The connection that writes, and what it knows without asking.
pub(super) struct Writer {
    pub(super) connection: Connection,
    known: Known,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            known: Known::default(),
        }
    }

    /// Makes all of the changes that can be made, or fails and makes none.
    pub(super) fn write(
        &mut self,
        changes: Vec<Change>,
    ) -> rusqlite::Result<Vec<Result<Written, StoreError>>> {
        self.transact(|work| {
            let answers = changes.into_iter().map(|change| work.settle(change));
            answers.collect()
        })
    }

    /// Does all of `work`, durably, or nothing of it.
    pub(super) fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        // What is known comes back when it is true: once it is committed.
        let known = mem::take(&mut self.known);
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut inside = Work {
            db: &transaction,
            known,
        };
        let done = work(&mut inside)?;
        let known = inside.known;
        transaction.commit()?;
        self.known = known;
        Ok(done)
    }
}

/// A transaction that writes.
pub(super) struct Work<'a> {
    pub(super) db: &'a Connection,
    pub(super) known: Known,
}

/// Why a change is not made.
pub(super) enum Fault {
    /// It may not be, and nothing was written for it: all is asked before anything is written,
    /// so that there is nothing to take back. The others can be made.
    Refused(StoreError),
    /// The file failed. None is made.
    Store(rusqlite::Error),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

/// A message that is to be changed.
pub(super) struct Target {
    pub(super) id: i64,
    pub(super) room: i64,
    pub(super) user: Option<i64>,
    pub(super) event: Option<String>,
    pub(super) thread: Option<i64>,
    pub(super) at: u64,
    pub(super) is_deleted: bool,
    pub(super) edits: u64,
    pub(super) tallies: u64,
}

/// A message that is to be changed.
pub(super) const TARGET: &str = "
    SELECT m.id, m.room, m.user, m.thread, m.at, m.deleted_at IS NOT NULL, m.edits, m.tallies,
        m.event
    FROM rooms r JOIN messages m INDEXED BY messages_by_sequence
    ON m.room = r.id AND m.sequence = ?2 WHERE r.name = ?1";

impl Work<'_> {
    fn settle(&mut self, change: Change) -> rusqlite::Result<Result<Written, StoreError>> {
        let before = self.db.total_changes();
        match self.apply(change) {
            Ok(written) => Ok(Ok(written)),
            Err(Fault::Store(error)) => Err(error),
            Err(Fault::Refused(error)) => {
                debug_assert_eq!(before, self.db.total_changes(), "{error}");
                Ok(Err(error))
            }
        }
    }

    fn apply(&mut self, change: Change) -> Result<Written, Fault> {
        match change {
            Change::Save(draft) => self.save(draft),
            Change::Edit {
                room,
                sequence,
                payload,
                format,
                metadata,
                by,
                at,
                max_revisions,
                only_by,
                sent_since,
            } => {
                let target = self.target(&room, sequence)?;
                self.check_by(&target, only_by.as_ref())?;
                check_editable(&target, sent_since, max_revisions)?;
                self.edit(
                    &target,
                    (&payload, format),
                    metadata.as_ref(),
                    by.as_ref(),
                    at,
                )
            }
            Change::Delete {
                room,
                sequence,
                by,
                at,
                only_by,
            } => {
                let target = self.target(&room, sequence)?;
                self.check_by(&target, only_by.as_ref())?;
                self.delete(&target, by.as_ref(), at)
            }
            Change::React {
                room,
                sequence,
                user,
                reaction,
                max_reactions,
            } => self.react(&room, sequence, &user, &reaction, max_reactions),
            Change::Unreact {
                room,
                sequence,
                user,
                reaction,
            } => self.unreact(&room, sequence, &user, &reaction),
            Change::Room { room, snapshot } => match snapshot {
                Some(snapshot) => self.keep_room(&room, &snapshot),
                None => self.forget_room(&room),
            },
            Change::ForgetUser(user) => self.forget_user(&user),
        }
    }

    pub(super) fn target(&self, room: &RoomId, sequence: u64) -> Result<Target, Fault> {
        let mut statement = self.db.prepare_cached(TARGET)?;
        let found = statement.query_row((room.as_str(), row::int(sequence)), |row| {
            Ok(Target {
                id: row.get(0)?,
                room: row.get(1)?,
                user: row.get(2)?,
                thread: row.get(3)?,
                at: row::nat(row.get(4)?),
                is_deleted: row.get(5)?,
                edits: row::nat(row.get(6)?),
                tallies: row::nat(row.get(7)?),
                event: row.get(8)?,
            })
        });
        found
            .optional()?
            .ok_or_else(|| StoreError::UnknownMessage.into())
    }

    /// Refuses a message of somebody else.
    fn check_by(&mut self, target: &Target, only_by: Option<&UserId>) -> Result<(), Fault> {
        let Some(user) = only_by else {
            return Ok(());
        };
        // Whoever is not known has sent nothing.
        let id = self.user(user)?;
        if id.is_none() || id != target.user {
            return Err(StoreError::NotBy.into());
        }
        Ok(())
    }

    /// The message as it is now.
    pub(super) fn changed(&self, id: i64) -> Result<Written, Fault> {
        let message = row::load(self.db, id)?;
        let message = message.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        Ok(Written::Message(Box::new(message)))
    }

    /// Lets a message be found by its words, among those by its user and of its event.
    pub(super) fn index(
        &self,
        id: i64,
        room: i64,
        (user, event): (Option<i64>, Option<&str>),
        (payload, format): (&[u8], Format),
    ) -> rusqlite::Result<()> {
        let words = terms::words_of(payload, format);
        if words.is_empty() {
            return Ok(());
        }
        let room = format!("r{room}");
        let user = user.map(|user| format!("u{user}"));
        let marks: Vec<_> = user.into_iter().chain(event.map(event_token)).collect();
        let marks = (!marks.is_empty()).then(|| marks.join(" "));
        self.execute(INDEX, (id, room, marks, words.join(" ")))?;
        Ok(())
    }

    /// Lets it be found no more.
    pub(super) fn unindex(&self, id: i64) -> rusqlite::Result<()> {
        self.execute("DELETE FROM words WHERE rowid = ?1", [id])?;
        Ok(())
    }

    /// How many rows a statement has changed.
    pub(super) fn execute(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> rusqlite::Result<usize> {
        self.db.prepare_cached(sql)?.execute(values)
    }
}

/// The token of an event: no character of its name separates tokens any more.
pub(super) fn event_token(event: &str) -> String {
    format!("e{}", HEXLOWER.encode(event.as_bytes()))
}

fn check_editable(target: &Target, since: Option<u64>, most: usize) -> Result<(), StoreError> {
    if since.is_some_and(|since| target.at < since) {
        return Err(StoreError::TooOld);
    }
    if target.is_deleted {
        return Err(StoreError::Deleted);
    }
    if usize::try_from(target.edits).is_ok_and(|edits| edits >= most) {
        let (what, limit) = ("revisions", most);
        return Err(StoreError::TooMany { what, limit });
    }
    Ok(())
}

const INDEX: &str = "INSERT INTO words (rowid, room, user, text) VALUES (?1, ?2, ?3, ?4)";
