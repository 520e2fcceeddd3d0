//! Revocation: tokens that are no longer accepted, although they have not expired.
//!
//! # Memory
//!
//! At most [`RevocationsConfig::max_entries`] entries; an entry goes when what it revokes has
//! expired anyway. A full table refuses the next call and never evicts: a revocation that was
//! acknowledged holds.
//!
//! # Durability
//!
//! With a folder, an entry is in a file and synced before the call returns. A file whose end was
//! cut off by a crash is read up to there; one that is damaged elsewhere is refused.

mod log;
mod table;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use parking_lot::RwLock;

use crate::code::ErrorCode;
use crate::layers::Timestamp;
use crate::layers::UserId;
use crate::session::Identity;
use crate::time::Clock;

use super::time::TimeOfDay;

use self::log::Log;
use self::table::Entry;
use self::table::Table;

/// Revoked tokens. Clones share them.
///
/// ```
/// use throng::UserId;
/// use throng::policy::{Revocations, RevocationsConfig};
/// use throng::session::Identity;
///
/// let revocations = Revocations::new(RevocationsConfig::new());
/// let ada = Identity::of(UserId::parse("ada")?).token_id("t1");
/// assert!(!revocations.is_revoked(&ada));
/// revocations.revoke_token("t1", None)?;
/// assert!(revocations.is_revoked(&ada));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Revocations {
    inner: Arc<Inner>,
}

struct Inner {
    config: RevocationsConfig,
    table: RwLock<Table>,
    /// Held through each revocation, so that the file and the table have one order.
    log: Mutex<Option<Log>>,
    observers: RwLock<Vec<Arc<Observer>>>,
}

type Observer = dyn Fn(&Revoked) + Send + Sync;

/// The most bytes in the id of a token.
const MAX_ID: usize = 256;

impl Revocations {
    /// Creates an empty table that lives in memory alone.
    #[must_use]
    pub fn new(config: RevocationsConfig) -> Self {
        Self::of(config, Table::default(), None)
    }

    /// Opens the table that is kept in a folder, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// * [`RevocationError::Store`]: the file cannot be read, written or synced, or another process
    ///   has it open.
    /// * [`RevocationError::Damaged`]: a line that is not at its end cannot be understood.
    pub fn open(folder: &Path, config: RevocationsConfig) -> Result<Self, RevocationError> {
        let (log, table) = Log::open(folder, config.time.now().millis())?;
        Ok(Self::of(config, table, Some(log)))
    }

    fn of(config: RevocationsConfig, table: Table, log: Option<Log>) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                table: RwLock::new(table),
                log: Mutex::new(log),
                observers: RwLock::default(),
            }),
        }
    }

    /// Revokes the token with this id (`jti`). `expires_at` is when it expires anyway, from when it
    /// is no longer stored; `None` stores it for ever.
    ///
    /// Blocks the current thread while the entry is synced to the file, if there is one. When it
    /// returns, [`Revocations::is_revoked`] holds and the observers have been called.
    ///
    /// # Errors
    ///
    /// * [`RevocationError::Full`]: the table is full.
    /// * [`RevocationError::InvalidId`]: `id` is empty or longer than 256 bytes.
    /// * [`RevocationError::Store`]: the entry could not be stored; nothing is revoked.
    pub fn revoke_token(
        &self,
        id: &str,
        expires_at: Option<Timestamp>,
    ) -> Result<(), RevocationError> {
        if id.is_empty() || id.len() > MAX_ID {
            return Err(RevocationError::InvalidId);
        }
        self.revoke(&Revoked::Token(id.into()), expires_at)
    }

    /// Revokes all tokens of a user that were issued before a time (`iat`), and those that do not
    /// say when. `iat` has whole seconds: a token that is issued in the second of `issued_before`
    /// is revoked as well. `expires_at` is when the last of these tokens expires anyway; `None`
    /// stores the entry for ever.
    ///
    /// Blocks as [`Revocations::revoke_token`] does.
    ///
    /// # Errors
    ///
    /// As [`Revocations::revoke_token`].
    pub fn revoke_user(
        &self,
        user: &UserId,
        issued_before: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<(), RevocationError> {
        let user = user.clone();
        let revoked = Revoked::User {
            user,
            issued_before,
        };
        self.revoke(&revoked, expires_at)
    }

    /// Returns whether the credentials of `identity` are revoked.
    #[must_use]
    pub fn is_revoked(&self, identity: &Identity) -> bool {
        let table = self.inner.table.read();
        if table.is_empty() {
            return false;
        }
        let by_id = identity.token().is_some_and(|id| table.has_token(id));
        let by_user = identity.user().and_then(|user| table.issued_before(user));
        by_id || by_user.is_some_and(|before| is_before(identity, before))
    }

    /// Calls `observer` after each revocation, on the thread that revoked, so that connections with
    /// such credentials can be closed. It must not revoke.
    pub fn on_revoked(&self, observer: impl Fn(&Revoked) + Send + Sync + 'static) {
        self.inner.observers.write().push(Arc::new(observer));
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.table.read().len()
    }

    /// Returns `true` if nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn revoke(
        &self,
        revoked: &Revoked,
        expires_at: Option<Timestamp>,
    ) -> Result<(), RevocationError> {
        let until = expires_at.map_or(FOREVER, Timestamp::millis);
        let now = self.inner.config.time.now().millis();
        let entry = Entry::of(revoked, until);
        let mut log = self.inner.log.lock();
        {
            let mut table = self.inner.table.write();
            table.remove_ended(now);
            let max = self.inner.config.max_entries;
            if table.len() >= max && !table.has(&entry) {
                return Err(RevocationError::Full(max));
            }
        }
        if until > now {
            if let Some(log) = log.as_mut() {
                log.append(&entry)?;
            }
            self.inner.table.write().insert(entry);
            if let Some(log) = log.as_mut() {
                // The entry is stored; what fails here is tried again by the next revocation.
                let _compacted = log.compact_if_long(&self.inner.table.read());
            }
        }
        drop(log);
        let observers = self.inner.observers.read().clone();
        for observer in observers {
            observer(revoked);
        }
        Ok(())
    }
}

/// The end of an entry that has none.
const FOREVER: u64 = u64::MAX;

fn is_before(identity: &Identity, millis: u64) -> bool {
    let issued = identity.issue();
    issued.is_none_or(|at| at.millis() < millis)
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("config", &self.inner.config)
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

impl Default for Revocations {
    fn default() -> Self {
        Self::new(RevocationsConfig::new())
    }
}

/// The limits of [`Revocations`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevocationsConfig {
    /// Entries at a time. Default 100,000. Beyond it, revoking returns [`RevocationError::Full`].
    pub max_entries: usize,
    time: TimeOfDay,
}

impl RevocationsConfig {
    /// Creates the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self {
            max_entries: 100_000,
            time: TimeOfDay::default(),
        }
    }

    /// Sets [`Self::max_entries`].
    #[must_use]
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// Sets the clock. Default: that of the operating system.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.time = TimeOfDay::new(Arc::new(clock));
        self
    }
}

impl Default for RevocationsConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// A revocation that [`Revocations::on_revoked`] reports.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Revoked {
    /// The token with this id.
    Token(Box<str>),
    /// All tokens of a user that were issued before a time.
    User {
        /// The user whose tokens they are.
        user: UserId,
        /// Tokens that were issued before this, or do not say when, are revoked.
        issued_before: Timestamp,
    },
}

impl Revoked {
    /// Returns whether the credentials of `identity` are among those revoked.
    #[must_use]
    pub fn matches(&self, identity: &Identity) -> bool {
        match self {
            Self::Token(id) => identity.token() == Some(id),
            Self::User {
                user,
                issued_before,
            } => identity.user() == Some(user) && is_before(identity, issued_before.millis()),
        }
    }
}

/// The error of a revocation that was not carried out.
#[derive(Debug)]
#[non_exhaustive]
pub enum RevocationError {
    /// The line with this number of the file, counted from 1, cannot be understood.
    Damaged(usize),
    /// The table has as many entries as it may have.
    Full(usize),
    /// The id of a token is empty or too long.
    InvalidId,
    /// The file could not be read or written.
    Store(io::Error),
}

impl RevocationError {
    /// Returns the code by which a client is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Full(_) => ErrorCode::TooManyRevocations,
            Self::InvalidId => ErrorCode::InvalidField,
            Self::Damaged(_) | Self::Store(_) => ErrorCode::StoreFailed,
        }
    }
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(line) => write!(
                f,
                "{} is damaged in line {line}: a revoked token could be accepted again; restore the \
                 file from a backup, or remove it and revoke anew",
                log::FILE
            ),
            Self::Full(max) => write!(f, "revocation limit reached ({max})"),
            Self::InvalidId => write!(f, "the id of a token has 1 to {MAX_ID} bytes"),
            Self::Store(error) => write!(f, "{} could not be stored: {error}", log::FILE),
        }
    }
}

impl Error for RevocationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for RevocationError {
    fn from(error: io::Error) -> Self {
        Self::Store(error)
    }
}
