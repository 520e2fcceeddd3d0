//! Opening a file: whose it is, whether it is whole, and up to the newest schema.

use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::path;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use crate::layers::messages::sqlite::error::OpenError;
use crate::layers::messages::sqlite::kept;
use crate::layers::messages::sqlite::migrations;
use crate::layers::messages::sqlite::migrations::Owner;
use crate::layers::messages::sqlite::migrations::STEPS;
use crate::layers::messages::sqlite::options::Durability;
use crate::layers::messages::sqlite::options::SqliteOptions;
use crate::layers::messages::sqlite::wal;

/// The file, in its directory.
pub(super) const FILE: &str = "throng.db";
/// Its log.
const LOG: &str = "throng.db-wal";
/// What is locked as long as it is open. It has nothing in it.
pub(super) const LOCK: &str = "throng.lock";

/// What opening gives.
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) readers: Vec<Connection>,
    pub(super) searcher: Connection,
    pub(super) keeper: Connection,
    pub(super) lock: File,
}

/// Opens the file in `dir`, which is made if it is missing.
pub(super) fn open(dir: &Path, options: SqliteOptions) -> Result<Opened, OpenError> {
    // A path that is not absolute might be taken for a URI.
    let dir = path::absolute(dir).map_err(|error| io_error(dir, error))?;
    fs::create_dir_all(&dir).map_err(|error| io_error(&dir, error))?;
    let lock = lock(&dir.join(LOCK))?;
    let path = dir.join(FILE);
    let recorded = kept::recorded(&path);
    check_log(&path, &dir.join(LOG), options, recorded)?;
    let failed = |error| classify(&path, &error);
    let mut writer = connect(&path, options).map_err(failed)?;
    let done = accept(&path, &writer, options)?;
    prepare(&mut writer, done).map_err(failed)?;
    if recorded != Some(options.durability) {
        switch(&writer, options).map_err(failed)?;
    }
    let reader = || {
        let reader = connect(&path, options)?;
        reader.pragma_update(None, "query_only", true)?;
        Ok(reader)
    };
    let readers = (0..options.readers.max(1)).map(|_| reader());
    let readers = readers.collect::<rusqlite::Result<_>>().map_err(failed)?;
    Ok(Opened {
        writer,
        readers,
        searcher: reader().map_err(failed)?,
        keeper: reader().map_err(failed)?,
        lock,
    })
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let open = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = open.map_err(|error| io_error(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.into() }),
        Err(TryLockError::Error(error)) => Err(io_error(path, error)),
    }
}

/// A connection as each of ours is; nothing is read yet.
fn connect(path: &Path, options: SqliteOptions) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let set = |name, value: i64| connection.pragma_update(None, name, value);
    set("foreign_keys", 1)?;
    set("mmap_size", 0)?;
    set("trusted_schema", 0)?;
    set("cell_size_check", 1)?;
    survive(&connection, options.durability)?;
    Ok(connection)
}

fn survive(connection: &Connection, sync: Durability) -> rusqlite::Result<()> {
    let set = |name, value: i64| connection.pragma_update(None, name, value);
    let is_full = sync == Durability::Full;
    set("synchronous", if is_full { FULL } else { NORMAL })?;
    // Where a sync alone leaves it in the memory of the drive.
    set("fullfsync", i64::from(is_full))?;
    set("checkpoint_fullfsync", i64::from(is_full))
}

/// Has the log written in another way from now on, and the file say so before.
fn switch(writer: &Connection, options: SqliteOptions) -> rusqlite::Result<()> {
    survive(writer, Durability::Full)?;
    match kept::record(writer, options.durability) {
        // Whoever does not look for damage takes what there is.
        Err(error)
            if !options.check && error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {}
        recorded => recorded?,
    }
    survive(writer, options.durability)
}

/// How many steps the file has been through, if it is ours, whole, and not newer than we are.
fn accept(path: &Path, writer: &Connection, options: SqliteOptions) -> Result<u32, OpenError> {
    // What is refused is left as it is.
    let quiet = writer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    let owner = quiet.and_then(|_| migrations::owner(writer));
    let known = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    let done = match owner.map_err(|error| classify(path, &error))? {
        Owner::Nobody => 0,
        Owner::Other => return Err(OpenError::NotOurs { path: path.into() }),
        Owner::Throng(version) if version > known => {
            return Err(OpenError::Newer {
                path: path.into(),
                version,
                known,
            });
        }
        Owner::Throng(version) => version,
    };
    if options.check && done > 0 {
        check(path, writer)?;
    }
    Ok(done)
}

/// Where only the process may end, the end of the power may leave a log as damage does.
/// So it is judged by how it was written, and by how it is to be if nobody knows.
fn check_log(
    path: &Path,
    log: &Path,
    options: SqliteOptions,
    recorded: Option<Durability>,
) -> Result<(), OpenError> {
    if !options.check || recorded.unwrap_or(options.durability) != Durability::Full {
        return Ok(());
    }
    match wal::damage(log).map_err(|error| io_error(log, error))? {
        None => Ok(()),
        Some(what) => Err(OpenError::Corrupt {
            path: path.into(),
            what: what.into(),
        }),
    }
}

fn check(path: &Path, writer: &Connection) -> Result<(), OpenError> {
    // The quick one holds no index against its table: a flipped bit in one hides any number of
    // messages, and it finds nothing.
    let found = writer.query_row("PRAGMA integrity_check(1)", [], |row| {
        row.get::<_, String>(0)
    });
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(OpenError::Corrupt {
            path: path.into(),
            what: found.lines().collect::<Vec<_>>().join(" ").into(),
        }),
        Err(error) => Err(classify(path, &error)),
    }
}

/// What is only done to a file that was accepted.
fn prepare(writer: &mut Connection, done: u32) -> rusqlite::Result<()> {
    writer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    let check = |mode: String| {
        let is_wal = mode == "wal";
        is_wal.then_some(()).ok_or(rusqlite::Error::InvalidQuery)
    };
    writer.pragma_update_and_check(None, "journal_mode", "wal", |row| {
        row.get(0).and_then(check)
    })?;
    writer.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    writer.pragma_update(None, "journal_size_limit", MOST_IDLE_WAL)?;
    migrations::migrate(writer, STEPS, done)
}

fn classify(path: &Path, error: &rusqlite::Error) -> OpenError {
    let what = error.to_string().into();
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotOurs { path },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { path, what },
        _ => OpenError::Failed { path, what },
    }
}

fn io_error(path: &Path, error: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        error,
    }
}

/// How long a statement waits for somebody else's lock, such as that of the `sqlite3` shell.
const BUSY: Duration = Duration::from_secs(5);
/// More than there are different statements.
const STATEMENTS: usize = 128;
/// The values of `synchronous`.
const FULL: i64 = 2;
const NORMAL: i64 = 1;
/// After how many pages the log is taken over into the file: 4 MB.
const CHECKPOINT_PAGES: i64 = 1000;
/// What is left of a log that a long read has let grow: 64 MB.
const MOST_IDLE_WAL: i64 = 64 << 20;
