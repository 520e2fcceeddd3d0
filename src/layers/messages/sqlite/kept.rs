//! How what is in the log was written, as the file says.
//!
//! It stands in the file itself, not in the log: that is read before anything in the log is
//! believed. So whenever it changes, all that was in the log is taken over into the file first.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;

use crate::layers::messages::sqlite::options::Durability;

/// What the file says, without its log; `None` if it says nothing that we know.
pub(super) fn recorded(path: &Path) -> Option<Durability> {
    // As if nobody could change it, which has the log left alone.
    let uri = format!("file:{}?immutable=1", escaped(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(uri, flags).ok()?;
    let value = file.query_row(GET, [], |row| row.get(0)).optional();
    // A file that cannot be read is looked at more closely by others.
    let value: Option<String> = value.ok()?;
    match value.as_deref()? {
        "full" => Some(Durability::Full),
        "normal" => Some(Durability::Normal),
        _ => None,
    }
}

/// Has the file say how its log is written from now on. There is nothing in the log then.
pub(super) fn record(writer: &Connection, sync: Durability) -> rusqlite::Result<()> {
    let value = match sync {
        Durability::Full => "full",
        Durability::Normal => "normal",
    };
    writer.execute(SET, [value])?;
    let is_busy: bool =
        writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy {
        // Somebody reads the file: what it says is not in it yet.
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None));
    }
    Ok(())
}

/// The path as part of a URI.
fn escaped(path: &Path) -> String {
    use std::fmt::Write;
    let mut escaped = String::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // An error: there is none for a text.
            let _done = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

const GET: &str = "SELECT value FROM settings WHERE name = 'sync'";

const SET: &str = "INSERT OR REPLACE INTO settings (name, value) VALUES ('sync', ?1)";
