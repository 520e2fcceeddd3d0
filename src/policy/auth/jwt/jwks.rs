//! JSON Web Key Sets (RFC 7517, RFC 7518, RFC 8037).

use std::error::Error;
use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::algorithm::Algorithm;
use super::algorithm::Family;
use super::key::InvalidKey;
use super::key::Key;
use super::keys::InvalidKeys;
use super::keys::KeySet;

/// The trust in where a key set comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trust {
    /// A file of this machine, which may have secrets.
    File,
    /// A published document: a secret in it would be known to everyone.
    #[cfg(feature = "jwks")]
    Published,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// The fields of a key that matter here; those of other kinds of keys are absent.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    crv: Option<String>,
    e: Option<String>,
    k: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Reads a key set: the keys that can verify tokens.
///
/// An id that a key before it has is not an error: identity providers publish one key under
/// several algorithms. The first counts.
pub(super) fn read(json: &[u8], trust: Trust) -> Result<KeySet, InvalidKeys> {
    let set: Set = serde_json::from_slice(json).map_err(|_| InvalidJwks::NotASet)?;
    let mut keys: Vec<Key> = Vec::new();
    for (index, jwk) in set.keys.iter().enumerate() {
        let key = match jwk.key(trust) {
            Ok(Some(key)) => key,
            Ok(None) => continue,
            Err(error) if trust == Trust::File => {
                return Err(InvalidJwks::Key(index, error).into());
            }
            // An odd key of a provider must not lock out the users of its others.
            Err(_) => continue,
        };
        if key.id().is_none() || keys.iter().all(|known| known.id() != key.id()) {
            keys.push(key);
        }
    }
    KeySet::new(keys)
}

impl Jwk {
    /// Returns the key; `None` if it is none that could verify tokens here.
    fn key(&self, trust: Trust) -> Result<Option<Key>, InvalidKey> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Ok(None);
        }
        let Some(algorithm) = self.algorithm() else {
            return Ok(None);
        };
        let key = match algorithm.family() {
            Family::Ed25519 => Key::public(algorithm, &bytes(&self.x)?)?,
            Family::Hmac if trust == Trust::File => Key::secret(algorithm, &bytes(&self.k)?)?,
            Family::Hmac => return Ok(None),
            Family::P256 | Family::P384 => {
                let point = [vec![4], bytes(&self.x)?, bytes(&self.y)?].concat();
                Key::public(algorithm, &point)?
            }
            Family::Rsa => Key::rsa(algorithm, &bytes(&self.n)?, &bytes(&self.e)?)?,
        };
        Ok(Some(match &self.kid {
            Some(id) => key.with_id(id.as_str()),
            None => key,
        }))
    }

    /// Returns the algorithm that the key names, or the only one of its kind.
    fn algorithm(&self) -> Option<Algorithm> {
        let family = match (&*self.kty, self.crv.as_deref()) {
            ("EC", Some("P-256")) => Family::P256,
            ("EC", Some("P-384")) => Family::P384,
            ("OKP", Some("Ed25519")) => Family::Ed25519,
            ("RSA", _) => Family::Rsa,
            ("oct", _) => Family::Hmac,
            _ => return None,
        };
        let algorithm = match (self.alg.as_deref(), family) {
            // The name of RFC 9864 for the same.
            (Some("Ed25519"), Family::Ed25519) | (None, Family::Ed25519) => Algorithm::EdDsa,
            (None, Family::P256) => Algorithm::Es256,
            (None, Family::P384) => Algorithm::Es384,
            (None, Family::Rsa) => Algorithm::Rs256,
            (None, Family::Hmac) => Algorithm::Hs256,
            (Some(name), _) => name.parse().ok()?,
        };
        (algorithm.family() == family).then_some(algorithm)
    }
}

fn bytes(field: &Option<String>) -> Result<Vec<u8>, InvalidKey> {
    let text = field.as_deref().ok_or(InvalidKey::Malformed)?;
    let decoded = BASE64URL_NOPAD.decode(text.as_bytes());
    decoded.map_err(|_| InvalidKey::Malformed)
}

/// The error of a text that is no JSON Web Key Set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidJwks {
    /// The key at this place, counted from 0, cannot be used.
    Key(usize, InvalidKey),
    /// It is not a JSON object with a list of `keys`.
    NotASet,
}

impl fmt::Display for InvalidJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(index, error) => write!(f, "key {index} of the key set: {error}"),
            Self::NotASet => {
                f.write_str("not a JSON Web Key Set: expected an object with a list of `keys`")
            }
        }
    }
}

impl Error for InvalidJwks {}
