//! Why a file could not be opened.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a [`SqliteStore`](super::SqliteStore) could not be opened.
///
/// Its text says the cause and what to do about it. Nothing was changed in the file unless it is
/// an [`OpenError::Io`] or [`OpenError::Failed`].
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The file is damaged.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: Box<str>,
    },
    /// `SQLite` could not open or prepare it.
    Failed {
        /// The file.
        path: PathBuf,
        /// What `SQLite` says.
        what: Box<str>,
    },
    /// It is open already, in this process or in another one.
    InUse {
        /// The file whose lock is held.
        path: PathBuf,
    },
    /// The directory or the lock could not be made or opened.
    Io {
        /// What could not be.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A newer version of this program has written it.
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        version: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// It is no database, or that of another application.
    NotOurs {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { path, what } => write!(
                f,
                "the message store {p} is damaged ({what}): stop everything that uses it, keep a \
                 copy of {p} and {p}-wal, then put back a backup, or save what can be read with \
                 `sqlite3 {p} .recover | sqlite3 recovered.db`",
                p = path.display()
            ),
            Self::Failed { path, what } => {
                write!(
                    f,
                    "the message store {} cannot be opened: {what}",
                    path.display()
                )
            }
            Self::InUse { path } => write!(
                f,
                "the message store is in use: {} is locked by another process, or opened twice \
                 by this one; each needs a directory of its own",
                path.display()
            ),
            Self::Io { path, error } => {
                write!(f, "{} cannot be opened: {error}", path.display())
            }
            Self::Newer {
                path,
                version,
                known,
            } => write!(
                f,
                "the message store {} has version {version}, and this program knows up to \
                 {known}: use the newer program that wrote it",
                path.display()
            ),
            Self::NotOurs { path } => write!(
                f,
                "{} is not a message store of throng, or its beginning is damaged: move it \
                 away, or choose another directory",
                path.display()
            ),
        }
    }
}

impl Error for OpenError {}
