//! An API key, as the server has it.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;

use data_encoding::BASE64URL_NOPAD;
use data_encoding::HEXLOWER;
use ring::digest;
use serde::Deserialize;
use serde::Serialize;
use subtle::ConstantTimeEq;

use crate::layers::Timestamp;
use crate::session::Identity;
use crate::session::Permissions;

/// An API key, without its secret.
#[derive(Clone)]
pub struct ApiKey {
    stored: Stored,
    permissions: Permissions,
    expires_at: Option<Timestamp>,
    hashes: Vec<Hash>,
}

/// An API key that was just made, and what its holder needs.
#[non_exhaustive]
pub struct NewApiKey {
    /// The key as the server has it.
    pub key: ApiKey,
    /// The whole key, to be shown once.
    pub secret: String,
}

/// A key as it is in the file.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    id: String,
    hashes: Vec<StoredHash>,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<NonZeroU32>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredHash {
    sha256: String,
    /// The end of a secret that was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

#[derive(Clone)]
struct Hash {
    sha256: [u8; 32],
    until: Option<Timestamp>,
}

/// The answer to whether a key is this one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Matched {
    /// The secret is right, but its time is over.
    Expired,
    No,
    Yes,
}

/// The beginning of every key.
pub(super) const PREFIX: &str = "thr_";

/// The most bytes in an id.
const MAX_ID: usize = 32;
/// The bytes of randomness in a secret.
const RANDOM: usize = 32;
/// The most hashes: that of the secret, and that of the one before.
const MAX_HASHES: usize = 2;
const MAX_SCOPES: usize = 64;

impl ApiKey {
    /// Makes a key with this id, and its secret. It has no scope yet.
    ///
    /// # Errors
    ///
    /// * [`ApiKeyError::Id`]: the id is not 1 to 32 of the characters `a-z`, `0-9` and `-`.
    /// * [`ApiKeyError::NoRandomness`]: the system has no randomness.
    pub fn generate(id: &str) -> Result<NewApiKey, ApiKeyError> {
        check_id(id)?;
        let secret = secret(id)?;
        let stored = Stored {
            id: id.to_owned(),
            hashes: vec![StoredHash::of(&secret)],
            scopes: Vec::new(),
            expires_at: None,
            rate: None,
        };
        let key = Self::try_from(stored)?;
        Ok(NewApiKey { key, secret })
    }

    /// Makes a key with an id of its own making; otherwise as [`ApiKey::generate`].
    ///
    /// # Errors
    ///
    /// [`ApiKeyError::NoRandomness`]: the system has no randomness.
    pub fn generate_any() -> Result<NewApiKey, ApiKeyError> {
        let mut random = [0; 5];
        getrandom::fill(&mut random).map_err(|_| ApiKeyError::NoRandomness)?;
        Self::generate(&HEXLOWER.encode(&random))
    }

    /// Adds a scope: the name of an operation, `room.*` for all of a kind, `*` for all, or `actor`.
    ///
    /// # Errors
    ///
    /// [`ApiKeyError::Scope`]: it is none of these, or there are 64 already.
    pub fn scope(mut self, scope: &str) -> Result<Self, ApiKeyError> {
        self.stored.scopes.push(scope.to_owned());
        Self::try_from(self.stored)
    }

    /// Sets when the key expires. Default: never.
    #[must_use]
    pub fn expires_at(mut self, time: Timestamp) -> Self {
        self.stored.expires_at = Some(time.to_string());
        self.expires_at = Some(time);
        self
    }

    /// Sets the requests that the key allows in a second. Default: as many as every caller.
    #[must_use]
    pub fn rate(mut self, per_second: NonZeroU32) -> Self {
        self.stored.rate = Some(per_second);
        self
    }

    /// Replaces the secret, and returns the new whole key. The old secret is valid until a time, or
    /// no longer.
    ///
    /// # Errors
    ///
    /// [`ApiKeyError::NoRandomness`]: the system has no randomness.
    pub fn rotate(&mut self, old_until: Option<Timestamp>) -> Result<String, ApiKeyError> {
        let secret = secret(self.id())?;
        let mut stored = self.stored.clone();
        stored.hashes.truncate(1);
        match old_until {
            Some(until) => {
                for hash in &mut stored.hashes {
                    hash.until = Some(until.to_string());
                }
            }
            None => stored.hashes.clear(),
        }
        stored.hashes.insert(0, StoredHash::of(&secret));
        *self = Self::try_from(stored)?;
        Ok(secret)
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.stored.id
    }

    /// Returns the scopes.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.stored.scopes.iter().map(String::as_str)
    }

    /// Returns when the key expires.
    #[must_use]
    pub const fn expiry(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Returns the requests that the key allows in a second, if it has a limit of its own.
    #[must_use]
    pub const fn max_rate(&self) -> Option<NonZeroU32> {
        self.stored.rate
    }

    /// Returns until when the secret before the present one is valid, if there is one.
    #[must_use]
    pub fn old_secret_until(&self) -> Option<Timestamp> {
        self.hashes.iter().find_map(|hash| hash.until)
    }

    /// Returns whether `secret` is this key. Takes as long for a wrong secret as for the right one.
    pub(super) fn matches(&self, secret: &str, now: Timestamp) -> Matched {
        let digest = digest::digest(&digest::SHA256, secret.as_bytes());
        let mut matched = Matched::No;
        for hash in &self.hashes {
            if bool::from(hash.sha256.ct_eq(digest.as_ref())) {
                let ends = [hash.until, self.expires_at];
                let is_over = ends.into_iter().flatten().any(|end| end <= now);
                matched = if is_over {
                    Matched::Expired
                } else {
                    Matched::Yes
                };
            }
        }
        matched
    }

    pub(super) fn identity(&self) -> Identity {
        let identity = Identity::of_api_key(self.id()).permissions(self.permissions.clone());
        let identity = match self.expires_at {
            Some(time) => identity.expires_at(time),
            None => identity,
        };
        match self.stored.rate {
            Some(rate) => identity.rate(rate),
            None => identity,
        }
    }

    pub(super) const fn stored(&self) -> &Stored {
        &self.stored
    }
}

impl TryFrom<Stored> for ApiKey {
    type Error = ApiKeyError;

    fn try_from(stored: Stored) -> Result<Self, ApiKeyError> {
        check_id(&stored.id)?;
        if stored.scopes.len() > MAX_SCOPES {
            return Err(ApiKeyError::Scope);
        }
        let mut permissions = Permissions::none();
        for scope in &stored.scopes {
            let allowed = permissions.allow_scope(scope);
            permissions = allowed.map_err(|_| ApiKeyError::Scope)?;
        }
        if stored.hashes.is_empty() || stored.hashes.len() > MAX_HASHES {
            return Err(ApiKeyError::Hash);
        }
        let hashes = stored.hashes.iter().map(StoredHash::parse);
        Ok(Self {
            permissions,
            expires_at: time(stored.expires_at.as_deref())?,
            hashes: hashes.collect::<Result<_, _>>()?,
            stored,
        })
    }
}

impl StoredHash {
    fn of(secret: &str) -> Self {
        let digest = digest::digest(&digest::SHA256, secret.as_bytes());
        Self {
            sha256: HEXLOWER.encode(digest.as_ref()),
            until: None,
        }
    }

    fn parse(&self) -> Result<Hash, ApiKeyError> {
        let bytes = HEXLOWER.decode(self.sha256.as_bytes());
        let bytes = bytes.map_err(|_| ApiKeyError::Hash)?;
        Ok(Hash {
            sha256: bytes.try_into().map_err(|_| ApiKeyError::Hash)?,
            until: time(self.until.as_deref())?,
        })
    }
}

/// Returns the id that a key names.
pub(super) fn id_of(secret: &str) -> Option<&str> {
    let (id, _) = secret.strip_prefix(PREFIX)?.split_once('_')?;
    check_id(id).ok().map(|()| id)
}

fn secret(id: &str) -> Result<String, ApiKeyError> {
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random).map_err(|_| ApiKeyError::NoRandomness)?;
    Ok(format!("{PREFIX}{id}_{}", BASE64URL_NOPAD.encode(&random)))
}

fn check_id(id: &str) -> Result<(), ApiKeyError> {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    match (1..=MAX_ID).contains(&id.len()) && id.bytes().all(is_allowed) {
        true => Ok(()),
        false => Err(ApiKeyError::Id),
    }
}

fn time(text: Option<&str>) -> Result<Option<Timestamp>, ApiKeyError> {
    let time = text.map(str::parse).transpose();
    time.map_err(|_| ApiKeyError::Time)
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.stored.id)
            .field("scopes", &self.stored.scopes)
            .field("expires_at", &self.stored.expires_at)
            .finish_non_exhaustive()
    }
}

/// Hides the secret.
impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        f.debug_struct("NewApiKey")
            .field("key", key)
            .finish_non_exhaustive()
    }
}

/// The error of an API key that cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// There is no hash, there are more than two, or one is not a SHA-256 in hexadecimal.
    Hash,
    /// The id is not 1 to 32 of the characters `a-z`, `0-9` and `-`.
    Id,
    /// The system has no randomness.
    NoRandomness,
    /// A scope is no operation, or there are more than 64.
    Scope,
    /// A time is not one of RFC 3339 in UTC.
    Time,
}

impl fmt::Display for ApiKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash => "a key needs one or two SHA-256 hashes in lower case hexadecimal",
            Self::Id => "the id of a key has 1 to 32 of the characters a-z, 0-9 and -",
            Self::NoRandomness => "the system has no randomness",
            Self::Scope => {
                "a scope is the name of an operation such as `publish`, a kind such as `room.*`, \
                 `*` or `actor`; at most 64"
            }
            Self::Time => "a time must be RFC 3339 in UTC, such as 2027-01-31T12:00:00Z",
        })
    }
}

impl Error for ApiKeyError {}
