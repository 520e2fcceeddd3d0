//! What is removed for good: rooms, all of a user, and what was kept for long enough.

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::layers::messages::sqlite::row;
use crate::layers::messages::sqlite::write::Fault;
use crate::layers::messages::sqlite::write::Work;
use crate::layers::messages::store::Retention;
use crate::layers::messages::store::Written;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::time::millis;

impl Work<'_> {
    pub(super) fn keep_room(&mut self, name: &RoomId, snapshot: &[u8]) -> Result<Written, Fault> {
        let room = self.make_room(name)?;
        self.execute(SNAPSHOT, (room.id, snapshot))?;
        Ok(Written::Nothing)
    }

    pub(super) fn forget_room(&mut self, name: &RoomId) -> Result<Written, Fault> {
        if let Some(room) = self.room(name)? {
            // However many messages there are, nobody finds them from now on: see `tidy`.
            self.execute(UNKEEP, [room.id])?;
            self.execute(BURY, [room.id])?;
            self.known.drop_room(name);
        }
        Ok(Written::Nothing)
    }

    pub(super) fn forget_user(&mut self, name: &UserId) -> Result<Written, Fault> {
        let Some(user) = self.user(name)? else {
            return Ok(Written::Removed(0));
        };
        let removed = self.remove(&ids(self.db, BY_USER, (user, -1))?)?;
        self.withdraw_all(user, &ids(self.db, REACTED_BY, (user, -1))?)?;
        // Nobody asks who it was in a room that is gone.
        self.execute(UNNAME_DELETER, [user])?;
        self.execute(UNNAME_EDITOR, [user])?;
        self.execute(FORGET, [user])?;
        self.known.drop_user(name);
        Ok(Written::Removed(removed))
    }

    /// Takes these reactions of a user back.
    pub(super) fn withdraw_all(&self, user: i64, tallies: &[i64]) -> rusqlite::Result<()> {
        for &tally in tallies {
            self.withdraw(tally, user)?;
        }
        Ok(())
    }

    /// Removes these messages of a room that is gone, and the room if there are none.
    pub(super) fn tidy(&self, room: i64, messages: &[i64]) -> rusqlite::Result<()> {
        for &id in messages {
            self.unindex(id)?;
            self.execute("DELETE FROM messages WHERE id = ?1", [id])?;
        }
        if messages.is_empty() {
            self.execute("DELETE FROM rooms WHERE id = ?1", [room])?;
        }
        Ok(())
    }

    /// How many of these messages were there to be removed, in rooms that are there.
    pub(super) fn remove(&self, messages: &[i64]) -> rusqlite::Result<u64> {
        let mut removed = 0;
        for &id in messages {
            self.unindex(id)?;
            let mut statement = self.db.prepare_cached(REMOVE)?;
            let gone = statement.query_row([id], |row| {
                Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?, row.get(2)?))
            });
            let Some((room, thread, was_deleted)) = gone.optional()? else {
                continue;
            };
            if self.execute(UNCOUNT, [room])? == 0 {
                continue;
            }
            if let (Some(thread), false) = (thread, was_deleted) {
                self.unanswer(room, thread)?;
            }
            removed += 1;
        }
        Ok(removed)
    }
}

/// A room that is gone, and the first of its messages, at most so many.
pub(super) fn buried(db: &Connection, most: usize) -> rusqlite::Result<Option<(i64, Vec<i64>)>> {
    let mut statement = db.prepare_cached(BURIED)?;
    let room = statement.query_row([], |row| row.get(0)).optional()?;
    room.map(|room| Ok((room, ids(db, OLDEST, (room, limit(most)))?)))
        .transpose()
}

/// Some of what there is of a user.
pub(super) struct Part {
    pub(super) user: i64,
    pub(super) messages: Vec<i64>,
    /// What it has reacted to, and how.
    pub(super) tallies: Vec<i64>,
}

/// The first of the messages and of the reactions of a user, at most so many of each.
pub(super) fn of_user(
    db: &Connection,
    name: &UserId,
    most: usize,
) -> rusqlite::Result<Option<Part>> {
    let Some(user) = row::id(db, row::USER, name)? else {
        return Ok(None);
    };
    Ok(Some(Part {
        user,
        messages: ids(db, BY_USER, (user, limit(most)))?,
        tallies: ids(db, REACTED_BY, (user, limit(most)))?,
    }))
}

/// The messages that are older than they may be, at most so many, the oldest of a room first.
pub(super) fn too_old(
    db: &Connection,
    now: u64,
    retention: &Retention,
    most: usize,
) -> rusqlite::Result<Vec<i64>> {
    let Some(age) = retention.max_age else {
        return Ok(Vec::new());
    };
    let age = millis(age);
    // Nothing is from before 1970.
    let since = row::int(now.saturating_sub(age));
    let mut found = Vec::new();
    for room in ids(db, AGED_ROOMS, [since])? {
        let left = limit(most - found.len());
        found.extend(ids(db, AGED, (room, since, left))?);
        if found.len() == most {
            break;
        }
    }
    Ok(found)
}

/// The messages that are more than a room may have, at most so many, the oldest first.
pub(super) fn too_many(
    db: &Connection,
    retention: &Retention,
    most: usize,
) -> rusqlite::Result<Vec<i64>> {
    let Some(most_of_room) = retention.max_per_room else {
        return Ok(Vec::new());
    };
    let most_of_room = row::int(most_of_room);
    let mut statement = db.prepare_cached(FULL_ROOMS)?;
    let rooms = statement.query_map([most_of_room], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut found = Vec::new();
    for room in rooms {
        let (room, beyond): (i64, i64) = room?;
        let left = limit(most - found.len()).min(beyond);
        found.extend(ids(db, OLDEST, (room, left))?);
        if found.len() == most {
            break;
        }
    }
    Ok(found)
}

fn ids(db: &Connection, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<Vec<i64>> {
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(values, |row| row.get(0))?;
    found.collect()
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

const SNAPSHOT: &str = "
    INSERT INTO snapshots (room, snapshot) VALUES (?1, ?2)
    ON CONFLICT (room) DO UPDATE SET snapshot = excluded.snapshot";

pub(super) const UNKEEP: &str = "DELETE FROM snapshots WHERE room = ?1";

/// The name is none that a room can have: they have no control characters. What they begin with is
/// less than any character that a name begins with.
pub(super) const BURY: &str = "UPDATE rooms SET name = char(1) || id, messages = 0 WHERE id = ?1";

pub(super) const BURIED: &str =
    "SELECT id FROM rooms WHERE name > char(1) AND name < char(2) LIMIT 1";

pub(super) const BY_USER: &str = "
    SELECT id FROM messages INDEXED BY messages_by_user WHERE user = ?1 ORDER BY room, id
    LIMIT ?2";

pub(super) const REACTED_BY: &str = "SELECT tally FROM reactions WHERE user = ?1 LIMIT ?2";

pub(super) const UNNAME_DELETER: &str = "
    UPDATE messages SET deleted_by = NULL WHERE deleted_by = ?1
    AND EXISTS (SELECT 1 FROM rooms WHERE rooms.id = room AND name < char(2))";

pub(super) const UNNAME_EDITOR: &str = "
    UPDATE editions SET editor = NULL WHERE editor = ?1
    AND EXISTS (SELECT 1 FROM messages m JOIN rooms r ON r.id = m.room
        WHERE m.id = message AND r.name < char(2))";

/// A user whose name still stands somewhere, as that of who edited or deleted, stays.
pub(super) const FORGET: &str = "
    DELETE FROM users WHERE id = ?1
    AND NOT EXISTS (SELECT 1 FROM messages WHERE deleted_by = ?1)
    AND NOT EXISTS (SELECT 1 FROM editions WHERE editor = ?1)";

pub(super) const REMOVE: &str = "
    DELETE FROM messages WHERE id = ?1 RETURNING room, thread, deleted_at IS NOT NULL";

/// A room that is gone has no messages.
const UNCOUNT: &str = "UPDATE rooms SET messages = messages - 1 WHERE id = ?1 AND messages > 0";

pub(super) const AGED_ROOMS: &str = "
    SELECT r.id FROM rooms r WHERE r.messages > 0 AND EXISTS
    (SELECT 1 FROM messages m INDEXED BY messages_by_time WHERE m.room = r.id AND m.at < ?1)";

pub(super) const AGED: &str = "
    SELECT id FROM messages INDEXED BY messages_by_time WHERE room = ?1 AND at < ?2
    ORDER BY at, id LIMIT ?3";

pub(super) const FULL_ROOMS: &str =
    "SELECT id, messages - ?1 FROM rooms WHERE messages > ?1 ORDER BY id";

pub(super) const OLDEST: &str = "
    SELECT id FROM messages INDEXED BY messages_by_room WHERE room = ?1 ORDER BY id LIMIT ?2";
