//! Reads that are no pages: counts and rooms.

use bytes::Bytes;
use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::layers::messages::sqlite::row;
use crate::layers::messages::store::StoreStats;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

pub(super) fn unread(
    db: &Connection,
    room: &RoomId,
    user: &UserId,
    after: u64,
    most: u64,
) -> rusqlite::Result<u64> {
    let Some(room) = row::id(db, row::ROOM, room)? else {
        return Ok(0);
    };
    // Nobody's id is 0.
    let user = row::id(db, row::USER, user)?.unwrap_or(0);
    let mut statement = db.prepare_cached(UNREAD)?;
    let values = (room, row::int(after), user, row::int(most));
    statement.query_row(values, |row| row.get(0)).map(row::nat)
}

pub(super) fn last_sequence(db: &Connection, room: &RoomId) -> rusqlite::Result<u64> {
    let mut statement = db.prepare_cached(LAST)?;
    let last = statement.query_row([room.as_str()], |row| row.get(0));
    Ok(last.optional()?.map_or(0, row::nat))
}

pub(super) fn rooms(db: &Connection) -> rusqlite::Result<Vec<(RoomId, Bytes)>> {
    let mut statement = db.prepare_cached(SNAPSHOTS)?;
    let rooms = statement.query_map([], |row| {
        let room = row::parsed(row, 0, RoomId::stored)?;
        Ok((room, Bytes::from(row.get::<_, Vec<u8>>(1)?)))
    })?;
    rooms.collect()
}

pub(super) fn stats(db: &Connection) -> rusqlite::Result<StoreStats> {
    let number = |sql| {
        let mut statement = db.prepare_cached(sql)?;
        statement.query_row([], |row| row.get(0)).map(row::nat)
    };
    let pages = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
    let bytes = pages * number("PRAGMA page_size")?;
    let mut statement = db.prepare_cached(STATS)?;
    statement.query_row([], |row| {
        Ok(StoreStats {
            messages: row::nat(row.get(0)?),
            rooms: row::nat(row.get(1)?),
            bytes,
        })
    })
}

pub(super) const UNREAD: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM messages INDEXED BY messages_by_sequence
        WHERE room = ?1 AND sequence > ?2 AND user IS NOT ?3 AND deleted_at IS NULL LIMIT ?4
    )";

const LAST: &str = "SELECT last_sequence FROM rooms WHERE name = ?1";

const SNAPSHOTS: &str = "
    SELECT r.name, s.snapshot FROM snapshots s JOIN rooms r ON r.id = s.room ORDER BY s.room";

/// The rooms are counted one by one, their messages are not.
pub(super) const STATS: &str =
    "SELECT coalesce(sum(messages), 0), count(*) FROM rooms WHERE messages > 0";
