//! The file of API keys: a JSON object in each line.
//!
//! ```text
//! # billing, asked for by Ada
//! {"id":"billing","hashes":[{"sha256":"9f86d0..."}],"scopes":["publish","room.*"]}
//! ```

use std::error::Error;
use std::fmt;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use super::key::ApiKey;
use super::key::ApiKeyError;
use super::key::Stored;

/// The keys in a file, to be changed. Empty lines and those that begin with `#` stay as they are.
#[derive(Debug)]
pub struct ApiKeyFile {
    lines: Vec<Line>,
    /// The folder, locked against others who change the file as long as this lives.
    lock: Option<File>,
    path: PathBuf,
}

#[derive(Debug)]
enum Line {
    Key(Box<ApiKey>),
    Other(String),
}

/// The most bytes of the file.
const MAX_BYTES: u64 = 8 << 20;

impl ApiKeyFile {
    /// Opens a file to change it; one that does not exist is empty. Blocks the current thread while
    /// another process has it open so.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKeys`]: the file cannot be read, or one of its lines.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, InvalidApiKeys> {
        let path = path.into();
        let unreadable = |error| InvalidApiKeys::Unreadable(path.clone(), error);
        let lock = File::open(folder(&path)).map_err(unreadable)?;
        lock.lock().map_err(unreadable)?;
        let mut file = match Self::read(&path) {
            Err(InvalidApiKeys::Unreadable(_, error))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                Self {
                    lines: Vec::new(),
                    lock: None,
                    path,
                }
            }
            read => read?,
        };
        file.lock = Some(lock);
        Ok(file)
    }

    /// Reads a file that must exist.
    pub(super) fn read(path: &Path) -> Result<Self, InvalidApiKeys> {
        let read = || {
            let mut text = String::new();
            let file = File::open(path)?;
            file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
            Ok(text)
        };
        let text = read().map_err(|error| InvalidApiKeys::Unreadable(path.into(), error))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(InvalidApiKeys::TooMany);
        }
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            lines.push(match line.trim() {
                other if other.is_empty() || other.starts_with('#') => Line::Other(line.into()),
                json => {
                    let wrong = |error| InvalidApiKeys::Line(index + 1, error);
                    let stored = serde_json::from_str::<Stored>(json);
                    let stored = stored.map_err(|error| wrong(LineError::Json(error.column())))?;
                    let key = ApiKey::try_from(stored);
                    Line::Key(Box::new(key.map_err(|error| wrong(LineError::Key(error)))?))
                }
            });
        }
        Ok(Self {
            lines,
            lock: None,
            path: path.into(),
        })
    }

    pub(super) fn into_keys(self) -> impl Iterator<Item = ApiKey> {
        self.lines.into_iter().filter_map(|line| match line {
            Line::Key(key) => Some(*key),
            Line::Other(_) => None,
        })
    }

    /// Returns the keys.
    pub fn keys(&self) -> impl Iterator<Item = &ApiKey> {
        self.lines.iter().filter_map(|line| match line {
            Line::Key(key) => Some(&**key),
            Line::Other(_) => None,
        })
    }

    /// Returns the key with this id, to be changed.
    pub fn key_mut(&mut self, id: &str) -> Option<&mut ApiKey> {
        self.lines.iter_mut().find_map(|line| match line {
            Line::Key(key) if key.id() == id => Some(&mut **key),
            _ => None,
        })
    }

    /// Adds a key.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKeys::Twice`]: the file has a key with this id. [`InvalidApiKeys::TooMany`]:
    /// there are [`ApiKeys::MAX`](super::ApiKeys::MAX).
    pub fn insert(&mut self, key: ApiKey) -> Result<(), InvalidApiKeys> {
        if self.keys().any(|other| other.id() == key.id()) {
            return Err(InvalidApiKeys::Twice(key.id().into()));
        }
        if self.keys().count() >= super::ApiKeys::MAX {
            return Err(InvalidApiKeys::TooMany);
        }
        self.lines.push(Line::Key(Box::new(key)));
        Ok(())
    }

    /// Removes the key with this id, and returns whether there was one.
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.lines.len();
        self.lines
            .retain(|line| !matches!(line, Line::Key(key) if key.id() == id));
        self.lines.len() < before
    }

    /// Writes the file, as a whole or not at all. A new file can be read by its owner alone.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKeys::Unwritten`]: it cannot be written; the old one is as it was.
    pub fn save(&self) -> Result<(), InvalidApiKeys> {
        let written = self.write();
        written.map_err(|error| InvalidApiKeys::Unwritten(self.path.clone(), error))
    }

    fn write(&self) -> io::Result<()> {
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Key(key) => text.push_str(&serde_json::to_string(key.stored())?),
                Line::Other(line) => text.push_str(line),
            }
            text.push('\n');
        }
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let mut file = create_private(Path::new(&new))?;
        file.write_all(text.as_bytes())?;
        if let Ok(old) = fs::metadata(&self.path) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Creates a file that its owner alone can read.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The error of API keys that cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum InvalidApiKeys {
    /// The line with this number, counted from 1, is not a key.
    Line(usize, LineError),
    /// There are more than [`ApiKeys::MAX`](super::ApiKeys::MAX) keys.
    TooMany,
    /// Two keys have this id.
    Twice(Box<str>),
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// The file cannot be written.
    Unwritten(PathBuf, io::Error),
}

/// The error of a line that is not a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LineError {
    /// It is not JSON with the fields of a key, as far as this column shows.
    Json(usize),
    /// A field cannot be used.
    Key(ApiKeyError),
}

impl fmt::Display for InvalidApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line, LineError::Json(column)) => write!(
                f,
                "line {line}, column {column} of the API keys: expected an object with `id`, \
                 `hashes` and `scopes`, perhaps `expires_at` and `rate`"
            ),
            Self::Line(line, LineError::Key(error)) => {
                write!(f, "line {line} of the API keys: {error}")
            }
            Self::TooMany => write!(f, "there are more than {} API keys", super::ApiKeys::MAX),
            Self::Twice(id) => write!(f, "two API keys have the id `{id}`"),
            Self::Unreadable(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Unwritten(path, error) => write!(f, "cannot write {}: {error}", path.display()),
        }
    }
}

impl Error for InvalidApiKeys {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(_, error) | Self::Unwritten(_, error) => Some(error),
            _ => None,
        }
    }
}
