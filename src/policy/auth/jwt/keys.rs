//! The keys that tokens are verified with.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;

use super::algorithm::Algorithm;
use super::jwks;
use super::jwks::InvalidJwks;
use super::key::InvalidKey;
use super::key::Key;
#[cfg(feature = "jwks")]
use super::remote::FetchError;
#[cfg(feature = "jwks")]
use super::remote::InvalidUrl;
#[cfg(feature = "jwks")]
use super::remote::JwksUrl;
#[cfg(feature = "jwks")]
use super::remote::Later;
#[cfg(feature = "jwks")]
use super::remote::Remote;

/// The keys that tokens are verified with. Clones share them.
///
/// # Memory
///
/// At most [`Keys::MAX`] keys, from a file of at most 1 MiB. Tokens never add a key nor remove one.
#[derive(Clone)]
pub struct Keys(Place);

#[derive(Clone)]
enum Place {
    Here(Arc<Inner>),
    #[cfg(feature = "jwks")]
    Remote(Remote),
}

struct Inner {
    source: Source,
    keys: RwLock<Arc<KeySet>>,
}

/// The origin of the keys, from which they are read again.
enum Source {
    Given,
    Jwks(PathBuf),
    Pem(PathBuf, Algorithm),
    Secret(PathBuf, Algorithm),
}

/// Keys of which each can be found by an id, if there is more than one.
pub(super) struct KeySet {
    keys: Box<[Arc<Key>]>,
}

/// The answer to which key a token was signed with.
pub(super) enum Found {
    Key(Arc<Key>),
    /// No key has this id.
    Unknown,
    /// There is more than one key, and the token names none.
    Unnamed,
    /// The keys could not be fetched.
    #[cfg(feature = "jwks")]
    Unavailable,
}

/// The answer, or the fetch that it waits for.
pub(super) enum Asked {
    Now(Found),
    #[cfg(feature = "jwks")]
    Later(Later),
}

impl Keys {
    /// The most keys in a set.
    pub const MAX: usize = 64;

    /// Creates a set of keys. If there is more than one, each needs an id of its own, and tokens
    /// name theirs in `kid`.
    ///
    /// # Errors
    ///
    /// [`InvalidKeys`]: there is no key, there are more than [`Keys::MAX`], or one of several has
    /// no id or that of another one.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, InvalidKeys> {
        Ok(Self::of(Source::Given, KeySet::new(keys)?))
    }

    /// Creates a set from a JSON Web Key Set (RFC 7517). Keys for encryption and of kinds that are
    /// not supported are left out. An RSA key without `alg` is one for RS256.
    ///
    /// # Errors
    ///
    /// [`InvalidKeys`]: it is not a key set, a key is malformed, or no key is left; and as
    /// [`Keys::new`].
    pub fn from_jwks(json: &[u8]) -> Result<Self, InvalidKeys> {
        Ok(Self::of(
            Source::Given,
            jwks::read(json, jwks::Trust::File)?,
        ))
    }

    /// Reads a JSON Web Key Set from a file, which [`Keys::reload`] reads again.
    ///
    /// # Errors
    ///
    /// [`InvalidKeys`]: the file cannot be read; and as [`Keys::from_jwks`].
    pub fn from_jwks_file(path: impl Into<PathBuf>) -> Result<Self, InvalidKeys> {
        Self::read(Source::Jwks(path.into()))
    }

    /// Reads a public key in PEM from a file, which [`Keys::reload`] reads again.
    ///
    /// # Errors
    ///
    /// [`InvalidKeys`]: the file cannot be read; and as [`Key::pem`].
    pub fn from_pem_file(
        path: impl Into<PathBuf>,
        algorithm: Algorithm,
    ) -> Result<Self, InvalidKeys> {
        Self::read(Source::Pem(path.into(), algorithm))
    }

    /// Reads a secret for HMAC from a file, which [`Keys::reload`] reads again. White space at its
    /// end is not part of the secret.
    ///
    /// # Errors
    ///
    /// [`InvalidKeys`]: the file cannot be read; and as [`Key::secret`].
    pub fn from_secret_file(
        path: impl Into<PathBuf>,
        algorithm: Algorithm,
    ) -> Result<Self, InvalidKeys> {
        Self::read(Source::Secret(path.into(), algorithm))
    }

    /// Creates a set of the keys that a provider publishes at a URL. They are fetched when the
    /// first token needs them, unless [`Keys::refresh`] has fetched them before.
    ///
    /// # Errors
    ///
    /// [`InvalidUrl`]: the certificates to trust cannot be used.
    #[cfg(feature = "jwks")]
    pub fn from_url(url: JwksUrl) -> Result<Self, InvalidUrl> {
        Ok(Self(Place::Remote(Remote::new(url)?)))
    }

    /// Fetches the keys now, if they are from a URL, so that a wrong one is noticed at the start.
    /// Needs the runtime of tokio.
    ///
    /// # Errors
    ///
    /// [`FetchError`]: they could not be fetched. Keys that were fetched before stay in force.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the fetch goes on in a task of its own.
    #[cfg(feature = "jwks")]
    pub async fn refresh(&self) -> Result<(), Arc<FetchError>> {
        match &self.0 {
            Place::Here(_) => Ok(()),
            Place::Remote(remote) => remote.refresh().await,
        }
    }

    /// Reads the keys again, if they are from a file. On an error the old ones stay in force.
    ///
    /// # Errors
    ///
    /// [`InvalidKeys`], as when they were read first.
    pub fn reload(&self) -> Result<(), InvalidKeys> {
        match &self.0 {
            Place::Here(inner) => {
                if let Some(keys) = inner.source.read()? {
                    *inner.keys.write() = Arc::new(keys);
                }
            }
            #[cfg(feature = "jwks")]
            Place::Remote(_) => {}
        }
        Ok(())
    }

    fn read(source: Source) -> Result<Self, InvalidKeys> {
        match source.read()? {
            Some(keys) => Ok(Self::of(source, keys)),
            None => Err(InvalidKeys::None),
        }
    }

    fn of(source: Source, keys: KeySet) -> Self {
        let keys = RwLock::new(Arc::new(keys));
        Self(Place::Here(Arc::new(Inner { source, keys })))
    }

    /// Returns the key that a token names.
    pub(super) fn find(&self, id: Option<&str>) -> Asked {
        match &self.0 {
            Place::Here(inner) => Asked::Now(inner.keys.read().find(id)),
            #[cfg(feature = "jwks")]
            Place::Remote(remote) => remote.find(id),
        }
    }
}

impl From<Key> for Keys {
    fn from(key: Key) -> Self {
        let keys = Box::new([Arc::new(key)]);
        Self::of(Source::Given, KeySet { keys })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Here(inner) => {
                let keys = Arc::clone(&inner.keys.read());
                f.debug_list().entries(keys.keys.iter()).finish()
            }
            #[cfg(feature = "jwks")]
            Place::Remote(remote) => remote.fmt(f),
        }
    }
}

impl Source {
    /// Reads the keys; `None` if they were given.
    fn read(&self) -> Result<Option<KeySet>, InvalidKeys> {
        let keys = match self {
            Self::Given => return Ok(None),
            Self::Jwks(path) => jwks::read(&contents(path)?, jwks::Trust::File)?,
            Self::Pem(path, algorithm) => KeySet::new([Key::pem(*algorithm, &contents(path)?)?])?,
            Self::Secret(path, algorithm) => {
                let contents = contents(path)?;
                let secret = contents.trim_ascii_end();
                KeySet::new([Key::secret(*algorithm, secret)?])?
            }
        };
        Ok(Some(keys))
    }
}

impl KeySet {
    pub(super) fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, InvalidKeys> {
        // One more than there may be is enough to see that there are too many.
        let keys: Box<[_]> = keys.into_iter().take(Keys::MAX + 1).map(Arc::new).collect();
        match keys.len() {
            0 => return Err(InvalidKeys::None),
            1 => {}
            2..=Keys::MAX => {
                let mut ids = HashSet::new();
                for key in &keys {
                    let id = key.id().ok_or(InvalidKeys::Unnamed)?;
                    if !ids.insert(id) {
                        return Err(InvalidKeys::Twice(id.into()));
                    }
                }
            }
            _ => return Err(InvalidKeys::TooMany),
        }
        Ok(Self { keys })
    }

    pub(super) fn find(&self, id: Option<&str>) -> Found {
        let found = match (&*self.keys, id) {
            ([key], None) => Some(key),
            // The id of a token says nothing about a key that has none.
            ([key], Some(_)) if key.id().is_none() => Some(key),
            (_, None) => return Found::Unnamed,
            (keys, id) => keys.iter().find(|key| key.id() == id),
        };
        found.map_or(Found::Unknown, |key| Found::Key(Arc::clone(key)))
    }
}

/// The most bytes of keys, from a file or a URL.
pub(super) const MAX_BYTES: usize = 1 << 20;

fn contents(path: &Path) -> Result<Vec<u8>, InvalidKeys> {
    let read = || -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        let file = File::open(path)?;
        let most = u64::try_from(MAX_BYTES + 1).unwrap_or(u64::MAX);
        file.take(most).read_to_end(&mut contents)?;
        Ok(contents)
    };
    let contents = read().map_err(|error| InvalidKeys::Unreadable(path.into(), error))?;
    if contents.len() > MAX_BYTES {
        return Err(InvalidKeys::TooLarge);
    }
    Ok(contents)
}

/// The error of keys that cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum InvalidKeys {
    /// The text is not a JSON Web Key Set.
    Jwks(InvalidJwks),
    /// A key cannot be used.
    Key(InvalidKey),
    /// There is no key.
    None,
    /// There are more than 1 MiB.
    TooLarge,
    /// There are more than [`Keys::MAX`] keys.
    TooMany,
    /// Two keys have this id.
    Twice(Box<str>),
    /// There is more than one key, and one of them has no id.
    Unnamed,
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
}

impl fmt::Display for InvalidKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jwks(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::None => f.write_str("there is no key that tokens could be verified with"),
            Self::TooLarge => write!(f, "the keys have more than {MAX_BYTES} bytes"),
            Self::TooMany => write!(f, "there are more than {} keys", Keys::MAX),
            Self::Twice(id) => write!(f, "two keys have the id `{id}`"),
            Self::Unnamed => f.write_str("of several keys each needs an id (`kid`)"),
            Self::Unreadable(path, error) => write!(f, "cannot read {}: {error}", path.display()),
        }
    }
}

impl Error for InvalidKeys {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            _ => None,
        }
    }
}

impl From<InvalidKey> for InvalidKeys {
    fn from(error: InvalidKey) -> Self {
        Self::Key(error)
    }
}

impl From<InvalidJwks> for InvalidKeys {
    fn from(error: InvalidJwks) -> Self {
        Self::Jwks(error)
    }
}
