//! API keys: credentials of programs, for the server's side of the API.
//!
//! A key is `thr_<id>_<secret>`. The secret has 256 random bits and is shown once; the server
//! stores its SHA-256. A key allows the operations that its scopes name, and nothing of what a user
//! may do; with the scope `actor` it may act for users.

mod file;
mod key;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::code::ErrorCode;
use crate::session::Identity;
use crate::time::Clock;

use super::Authenticated;
use super::Authenticator;
use super::Credentials;
use super::Refusal;
use super::time::TimeOfDay;

use self::key::Matched;

pub use self::file::ApiKeyFile;
pub use self::file::InvalidApiKeys;
pub use self::file::LineError;
pub use self::key::ApiKey;
pub use self::key::ApiKeyError;
pub use self::key::NewApiKey;

/// Authenticates by API keys. Clones share them.
///
/// ```
/// use throng::policy::{ApiKey, ApiKeys};
///
/// let made = ApiKey::generate("billing")?;
/// assert!(made.secret.starts_with("thr_billing_"), "to be shown once");
/// let keys = ApiKeys::new([made.key.scope("publish")?])?;
/// # let _ = keys;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Memory
///
/// At most [`ApiKeys::MAX`] keys.
#[derive(Clone)]
pub struct ApiKeys {
    keys: Arc<RwLock<Table>>,
    file: Option<Arc<PathBuf>>,
    time: TimeOfDay,
}

type Table = HashMap<Box<str>, Arc<ApiKey>>;

impl ApiKeys {
    /// The most keys.
    pub const MAX: usize = 10_000;

    /// Creates an authenticator with these keys.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKeys`]: there are more than [`ApiKeys::MAX`], or two have the same id.
    pub fn new(keys: impl IntoIterator<Item = ApiKey>) -> Result<Self, InvalidApiKeys> {
        Ok(Self::of(table(keys)?, None))
    }

    /// Reads the keys from a file, as `throng key` writes it; [`ApiKeys::reload`] reads it again.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKeys`]: the file cannot be read, or one of its lines; and as [`ApiKeys::new`].
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, InvalidApiKeys> {
        let path = path.into();
        let keys = ApiKeyFile::read(&path)?.into_keys();
        Ok(Self::of(table(keys)?, Some(path)))
    }

    /// Sets the clock. Default: that of the operating system.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.time = TimeOfDay::new(Arc::new(clock));
        self
    }

    /// Reads the keys again, if they are from a file. On an error the old ones stay in force.
    ///
    /// # Errors
    ///
    /// As [`ApiKeys::from_file`].
    pub fn reload(&self) -> Result<(), InvalidApiKeys> {
        if let Some(path) = &self.file {
            let keys = table(ApiKeyFile::read(path)?.into_keys())?;
            *self.keys.write() = keys;
        }
        Ok(())
    }

    /// Returns the number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.read().len()
    }

    /// Returns `true` if there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks a key, as an embedder may that has one in hand.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with the reason.
    pub fn check(&self, secret: &str) -> Result<Identity, Refusal> {
        let unknown = || Refusal::new(ErrorCode::TokenInvalid, "no API key is like this one");
        let id = key::id_of(secret).ok_or_else(unknown)?;
        let found = self.keys.read().get(id).cloned();
        let key = found.ok_or_else(unknown)?;
        match key.matches(secret, self.time.now()) {
            Matched::Yes => Ok(key.identity()),
            Matched::Expired => {
                let why = "the API key has expired";
                Err(Refusal::new(ErrorCode::TokenExpired, why))
            }
            Matched::No => Err(unknown()),
        }
    }

    fn of(keys: Table, file: Option<PathBuf>) -> Self {
        Self {
            keys: Arc::new(RwLock::new(keys)),
            file: file.map(Arc::new),
            time: TimeOfDay::default(),
        }
    }
}

impl Authenticator for ApiKeys {
    fn name(&self) -> &str {
        "api keys"
    }

    fn authenticate(&self, credentials: &Credentials<'_>) -> Authenticated {
        match credentials.secret {
            Some(secret) if secret.starts_with(key::PREFIX) => match self.check(secret) {
                Ok(identity) => Authenticated::Is(Box::new(identity)),
                Err(refusal) => Authenticated::Refused(refusal),
            },
            _ => Authenticated::Unknown,
        }
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.read().clone();
        let mut ids: Vec<_> = keys.keys().collect();
        ids.sort();
        f.debug_tuple("ApiKeys").field(&ids).finish()
    }
}

fn table(keys: impl IntoIterator<Item = ApiKey>) -> Result<Table, InvalidApiKeys> {
    let mut table = Table::new();
    for key in keys {
        if table.len() >= ApiKeys::MAX {
            return Err(InvalidApiKeys::TooMany);
        }
        let id = key.id();
        if let Some(other) = table.insert(id.into(), Arc::new(key)) {
            return Err(InvalidApiKeys::Twice(other.id().into()));
        }
    }
    Ok(table)
}
