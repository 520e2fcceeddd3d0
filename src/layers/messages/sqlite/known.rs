//! What the writing side knows without asking the file.

use std::hash::Hash;

use ahash::HashMap;
use rusqlite::OptionalExtension;

use crate::layers::messages::sqlite::row;
use crate::layers::messages::sqlite::write::Work;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;

/// Rooms and users as they are in the file. Never more than [`MOST`] of each.
#[derive(Default)]
pub(super) struct Known {
    rooms: HashMap<RoomId, Room>,
    users: HashMap<UserId, i64>,
}

/// A room as it is in the file.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) id: i64,
    pub(super) last_sequence: u64,
    pub(super) last_at: u64,
}

impl Known {
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.rooms.len(), self.users.len())
    }

    pub(super) fn put_room(&mut self, name: &RoomId, room: Room) {
        put(&mut self.rooms, name, room);
    }

    pub(super) fn drop_room(&mut self, name: &RoomId) {
        self.rooms.remove(name);
    }

    pub(super) fn drop_user(&mut self, name: &UserId) {
        self.users.remove(name);
    }
}

/// How many are known. Beyond, all are forgotten, and asked for again.
pub(super) const MOST: usize = 8192;

fn put<K: Clone + Eq + Hash, V>(known: &mut HashMap<K, V>, key: &K, value: V) {
    if let Some(old) = known.get_mut(key) {
        *old = value;
        return;
    }
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(key.clone(), value);
}

/// A room.
pub(super) const ROOM: &str = "SELECT id, last_sequence, last_at FROM rooms WHERE name = ?1";

impl Work<'_> {
    /// The room, if it is there.
    pub(super) fn room(&mut self, name: &RoomId) -> rusqlite::Result<Option<Room>> {
        if let Some(room) = self.known.rooms.get(name) {
            return Ok(Some(*room));
        }
        let mut statement = self.db.prepare_cached(ROOM)?;
        let found = statement.query_row([name.as_str()], |row| {
            Ok(Room {
                id: row.get(0)?,
                last_sequence: row::nat(row.get(1)?),
                last_at: row::nat(row.get(2)?),
            })
        });
        let found = found.optional()?;
        if let Some(room) = found {
            self.known.put_room(name, room);
        }
        Ok(found)
    }

    /// The room, which is made if it is not there.
    pub(super) fn make_room(&mut self, name: &RoomId) -> rusqlite::Result<Room> {
        if let Some(room) = self.room(name)? {
            return Ok(room);
        }
        self.execute("INSERT INTO rooms (name) VALUES (?1)", [name.as_str()])?;
        let room = Room {
            id: self.db.last_insert_rowid(),
            last_sequence: 0,
            last_at: 0,
        };
        self.known.put_room(name, room);
        Ok(room)
    }

    /// The user, if there is something of theirs.
    pub(super) fn user(&mut self, name: &UserId) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.known.users.get(name) {
            return Ok(Some(*id));
        }
        let found = row::id(self.db, row::USER, name)?;
        if let Some(id) = found {
            put(&mut self.known.users, name, id);
        }
        Ok(found)
    }

    /// The user, who is made known if need be.
    pub(super) fn make_user(&mut self, name: &UserId) -> rusqlite::Result<i64> {
        if let Some(id) = self.user(name)? {
            return Ok(id);
        }
        self.execute("INSERT INTO users (name) VALUES (?1)", [name.as_str()])?;
        let id = self.db.last_insert_rowid();
        put(&mut self.known.users, name, id);
        Ok(id)
    }

    /// Whoever it is, if it is not the server.
    pub(super) fn make_anyone(&mut self, name: Option<&UserId>) -> rusqlite::Result<Option<i64>> {
        name.map(|name| self.make_user(name)).transpose()
    }
}
