//! The schema, and how older files are brought up to it.
//!
//! The file says whose it is (`application_id`) and how many of the steps it has been through
//! (`user_version`). A step that was released is never changed: what is to be different comes as
//! a further step.

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::types::FromSql;

/// "thrg", as the header of the file has it.
pub(super) const APPLICATION_ID: i32 = 0x7468_7267;

/// The steps from an empty file to the newest schema.
pub(super) const STEPS: &[&str] = &[V1, V2, V3];

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody's yet.
    Nobody,
    /// Another application's.
    Other,
    /// Ours, after so many steps.
    Throng(u32),
}

/// Says whose a file is, without changing it.
pub(super) fn owner(connection: &Connection) -> rusqlite::Result<Owner> {
    let application: i32 = pragma(connection, "application_id")?;
    let version: u32 = pragma(connection, "user_version")?;
    let objects: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match application {
        APPLICATION_ID => Owner::Throng(version),
        0 if version == 0 && objects == 0 => Owner::Nobody,
        _ => Owner::Other,
    })
}

/// Takes a file through the steps after its first `done`, each whole or not at all.
pub(super) fn migrate(
    connection: &mut Connection,
    steps: &[&str],
    done: u32,
) -> rusqlite::Result<()> {
    for (version, step) in (1_u32..).zip(steps) {
        if version <= done {
            continue;
        }
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

fn pragma<T: FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Rooms, users, messages, and what hangs on them.
///
/// - `messages.id` is never given again, which AUTOINCREMENT sees to; cursors are these ids.
/// - An index holds the id of its row as its last column, so that each of them also gives a scope
///   in the order of ids.
/// - A tally is a reaction of a message, as long as somebody has it. The order of the ids of
///   `reactions` is that of reacting.
/// - `words` has a row for each message that can be found: the token of its room (`r` and its
///   id), that of its user (`u` and its id), and its words, cut by us and joined by spaces. The
///   beginnings of one and two letters have lists of their own: they are those of many words.
/// - What is large comes last in its table: it need not be read for what stands before it.
const V1: &str = "
CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE snapshots (
    room INTEGER PRIMARY KEY REFERENCES rooms ON DELETE CASCADE,
    snapshot BLOB NOT NULL
) STRICT;

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    room INTEGER NOT NULL REFERENCES rooms,
    sequence INTEGER NOT NULL,
    user INTEGER REFERENCES users,
    thread INTEGER,
    at INTEGER NOT NULL,
    edited_at INTEGER,
    edits INTEGER NOT NULL DEFAULT 0,
    deleted_at INTEGER,
    deleted_by INTEGER REFERENCES users,
    replies INTEGER NOT NULL DEFAULT 0,
    last_reply_at INTEGER NOT NULL DEFAULT 0,
    tallies INTEGER NOT NULL DEFAULT 0,
    format INTEGER NOT NULL,
    metadata TEXT,
    payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_by_sequence ON messages (room, sequence);
CREATE INDEX messages_by_room ON messages (room);
CREATE INDEX messages_by_thread ON messages (room, thread);
CREATE INDEX messages_by_time ON messages (room, at);
CREATE INDEX messages_by_user ON messages (user, room) WHERE user IS NOT NULL;
CREATE INDEX messages_by_deleter ON messages (deleted_by) WHERE deleted_by IS NOT NULL;

CREATE TABLE editions (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    until INTEGER NOT NULL,
    editor INTEGER REFERENCES users,
    format INTEGER NOT NULL,
    metadata TEXT,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX editions_by_message ON editions (message);
CREATE INDEX editions_by_editor ON editions (editor) WHERE editor IS NOT NULL;

CREATE TABLE tallies (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    count INTEGER NOT NULL,
    reaction TEXT NOT NULL,
    UNIQUE (message, reaction)
) STRICT;

CREATE TABLE reactions (
    id INTEGER PRIMARY KEY,
    tally INTEGER NOT NULL REFERENCES tallies ON DELETE CASCADE,
    user INTEGER NOT NULL REFERENCES users,
    UNIQUE (tally, user)
) STRICT;
CREATE INDEX reactions_by_tally ON reactions (tally);
CREATE INDEX reactions_by_user ON reactions (user);

CREATE VIRTUAL TABLE words USING fts5 (
    room, user, text,
    content='', contentless_delete=1, tokenize='ascii', prefix='1 2'
);
";

/// What the file says about itself: `sync`, how what is in its log was written.
const V2: &str = "
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// The names that senders give to what their messages are. In `words`, the token of an event (`e`
/// and its name in hexadecimal) stands beside that of the user.
const V3: &str = "
ALTER TABLE messages ADD COLUMN event TEXT;
CREATE INDEX messages_by_event ON messages (room, event) WHERE event IS NOT NULL;
";
