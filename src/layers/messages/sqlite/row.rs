//! Messages as rows, and rows as messages.

use std::fmt::Display;

use bytes::Bytes;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::types::Type;

use crate::layers::messages::record::Deletion;
use crate::layers::messages::record::ReactionCount;
use crate::layers::messages::record::Replies;
use crate::layers::messages::record::Revision;
use crate::layers::messages::record::StoredMessage;
use crate::layers::messages::walk::Budget;
use crate::layers::metadata::Metadata;
use crate::layers::name::EventName;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::message::Format;

/// A message by its id.
pub(super) const MESSAGE: &str = "
    SELECT m.id, r.name, m.sequence, u.name, m.thread, m.at, m.edited_at, m.edits, m.deleted_at,
        d.name, m.replies, m.last_reply_at, m.tallies, m.format, m.metadata, m.payload,
        m.event
    FROM messages m JOIN rooms r ON r.id = m.room
    LEFT JOIN users u ON u.id = m.user LEFT JOIN users d ON d.id = m.deleted_by
    WHERE m.id = ?1";

/// The reactions of a message, in the order in which the first came of those who have them.
pub(super) const TALLIES: &str = "
    SELECT t.id, t.reaction, t.count,
        (SELECT min(x.id) FROM reactions x INDEXED BY reactions_by_tally WHERE x.tally = t.id)
    FROM tallies t WHERE t.message = ?1 ORDER BY 4";

/// Who has had a reaction, after the reaction with that id.
pub(super) const REACTORS: &str = "
    SELECT u.name FROM reactions x INDEXED BY reactions_by_tally JOIN users u ON u.id = x.user
    WHERE x.tally = ?1 AND x.id > ?2 ORDER BY x.id LIMIT ?3";

/// What a message said, the newest first.
pub(super) const REVISIONS: &str = "
    SELECT e.format, e.metadata, e.payload, e.until, u.name
    FROM editions e LEFT JOIN users u ON u.id = e.editor WHERE e.message = ?1 ORDER BY e.id DESC";

/// The id of a message.
pub(super) const FIND: &str = "
    SELECT m.id FROM rooms r JOIN messages m INDEXED BY messages_by_sequence
    ON m.room = r.id AND m.sequence = ?2 WHERE r.name = ?1";

/// The id of a room.
pub(super) const ROOM: &str = "SELECT id FROM rooms WHERE name = ?1";

/// The id of a user.
pub(super) const USER: &str = "SELECT id FROM users WHERE name = ?1";

/// The id that `sql` gives for a name.
pub(super) fn id(db: &Connection, sql: &str, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = db.prepare_cached(sql)?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// The id of the message with this number.
pub(super) fn find(db: &Connection, room: &str, sequence: u64) -> rusqlite::Result<Option<i64>> {
    let mut statement = db.prepare_cached(FIND)?;
    let found = statement.query_row((room, int(sequence)), |row| row.get(0));
    found.optional()
}

/// The message with this id, reactions included.
pub(super) fn load(db: &Connection, id: i64) -> rusqlite::Result<Option<StoredMessage>> {
    let mut statement = db.prepare_cached(MESSAGE)?;
    let found = statement.query_row([id], |row| {
        let tallies: i64 = row.get(12)?;
        Ok((message(row)?, tallies))
    });
    let Some((mut message, tallies)) = found.optional()? else {
        return Ok(None);
    };
    if tallies > 0 {
        message.reactions = reactions(db, id)?;
    }
    Ok(Some(message))
}

fn message(row: &Row<'_>) -> rusqlite::Result<StoredMessage> {
    let deleted_by = user(row, 9)?;
    Ok(StoredMessage {
        id: nat(row.get(0)?),
        room: parsed(row, 1, RoomId::stored)?,
        sequence: nat(row.get(2)?),
        user: user(row, 3)?,
        thread: row.get::<_, Option<_>>(4)?.map(nat),
        payload: Bytes::from(row.get::<_, Vec<u8>>(15)?),
        format: format(row, 13)?,
        event: event(row, 16)?,
        metadata: metadata(row, 14)?,
        at: nat(row.get(5)?),
        edited_at: row.get::<_, Option<_>>(6)?.map(nat),
        edits: row.get(7)?,
        deleted: row.get::<_, Option<_>>(8)?.map(|at| Deletion {
            at: nat(at),
            by: deleted_by,
        }),
        replies: Replies {
            count: nat(row.get(10)?),
            last_at: nat(row.get(11)?),
        },
        reactions: Vec::new(),
    })
}

fn reactions(db: &Connection, message: i64) -> rusqlite::Result<Vec<ReactionCount>> {
    let mut statement = db.prepare_cached(TALLIES)?;
    let tallies = statement.query_map([message], |row| {
        let reaction: String = row.get(1)?;
        Ok(ReactionCount {
            users: reactors(db, row.get(0)?, 0, ReactionCount::USERS)?,
            reaction: reaction.into(),
            count: nat(row.get(2)?),
        })
    })?;
    tallies.collect()
}

/// Who has had a reaction, in order, after the reaction with that id.
pub(super) fn reactors(
    db: &Connection,
    tally: i64,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<UserId>> {
    let mut statement = db.prepare_cached(REACTORS)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let users = statement.query_map((tally, after, limit), |row| parsed(row, 0, UserId::stored))?;
    users.collect()
}

/// What a message said before its edits: the newest that have so many bytes, the oldest first.
pub(super) fn revisions(
    db: &Connection,
    message: i64,
    max_bytes: usize,
) -> rusqlite::Result<Vec<Revision>> {
    let mut statement = db.prepare_cached(REVISIONS)?;
    let newest = statement.query_map([message], |row| {
        Ok(Revision {
            format: format(row, 0)?,
            metadata: metadata(row, 1)?,
            payload: Bytes::from(row.get::<_, Vec<u8>>(2)?),
            until: nat(row.get(3)?),
            by: user(row, 4)?,
        })
    })?;
    let mut budget = Budget::new(max_bytes);
    let mut revisions = Vec::new();
    for revision in newest {
        let revision = revision?;
        if !budget.takes(revision.bytes()) {
            break;
        }
        revisions.push(revision);
    }
    revisions.reverse();
    Ok(revisions)
}

fn user(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UserId>> {
    let name: Option<String> = row.get(column)?;
    name.map(|name| UserId::stored(&name).map_err(|error| invalid(column, error)))
        .transpose()
}

fn event(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<EventName>> {
    let name: Option<String> = row.get(column)?;
    name.map(|name| EventName::stored(&name).map_err(|error| invalid(column, error)))
        .transpose()
}

/// A text that was checked before it was kept.
pub(super) fn parsed<T, E: Display>(
    row: &Row<'_>,
    column: usize,
    parse: impl Fn(&str) -> Result<T, E>,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).map_err(|error| invalid(column, error))
}

fn metadata(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Metadata>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else {
        return Ok(None);
    };
    let object = serde_json::from_str(&text).map_err(|error| invalid(column, error))?;
    let metadata = Metadata::new(object).map_err(|error| invalid(column, error))?;
    Ok(Some(metadata))
}

fn invalid(column: usize, error: impl Display) -> rusqlite::Error {
    let error = error.to_string().into();
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error)
}

fn format(row: &Row<'_>, column: usize) -> rusqlite::Result<Format> {
    match row.get(column)? {
        BINARY => Ok(Format::Binary),
        TEXT => Ok(Format::Text),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}

/// How a format is kept.
pub(super) fn kept(format: Format) -> i64 {
    match format {
        Format::Binary => BINARY,
        Format::Text => TEXT,
    }
}

const BINARY: i64 = 0;
const TEXT: i64 = 1;

/// A number as it is kept. What is beyond the greatest counts as that: no time and no number is.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that was kept; none is less than zero.
pub(super) fn nat(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
