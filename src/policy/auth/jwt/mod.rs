//! Signed tokens: JSON Web Tokens (RFC 7519, RFC 8725).
//!
//! ```
//! use std::time::Duration;
//!
//! use throng::policy::jwt::{Algorithm, Jwt, Key};
//!
//! let key = Key::secret(Algorithm::Hs256, b"at least thirty-two bytes of secret")?;
//! let jwt = Jwt::keys(key)
//!     .audience("chat")
//!     .leeway(Duration::from_secs(30));
//! # let _ = jwt;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Claims
//!
//! | claim | type | meaning |
//! |---|---|---|
//! | `sub` | string | the user; required unless [`Jwt::guests`] |
//! | `exp` | seconds | the end of the token; required unless [`Jwt::without_expiry`] |
//! | `nbf` | seconds | the token is not valid before |
//! | `iat` | seconds | the time of issue, for revocation by user |
//! | `jti` | string | the id of the token, for revocation by id |
//! | `aud` | string or list | must name an audience of [`Jwt::audience`]; refused if none is set |
//! | `iss` | string | must be one of [`Jwt::issuer`], if any is set |
//! | `info` | any | shown to the members of presence channels |
//! | `channels` | list | channels and patterns that the server subscribes the connection to |
//! | `subs` | list or object | as `channels`; of an object the keys |
//! | `perms` | object | patterns by right: `sub`, `pub`, `read`, `rooms`, `admin` |
//!
//! A token without `perms` has all rights of a user, and none of the server's side. With `perms` it
//! has the rights that are named there and no others.
//!
//! # Security
//!
//! * An algorithm belongs to a key. A token whose header names another algorithm, or `none`, is
//!   refused before any signature is computed.
//! * Claims are read after the signature was verified.
//! * A reason for a refusal holds neither a part of the token nor of a key.

mod algorithm;
mod claims;
mod der;
mod jwks;
mod key;
mod keys;
#[cfg(feature = "jwks")]
mod remote;
mod signing;
mod token;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

#[cfg(feature = "jwks")]
use crate::code::ErrorCode;
use crate::layers::Timestamp;
use crate::layers::UserId;
use crate::session::Identity;
use crate::time::Clock;

use super::Authenticated;
use super::Authenticator;
use super::Credentials;
use super::Refusal;
use super::time::TimeOfDay;

use self::claims::Claims;
use self::claims::invalid;
use self::keys::Asked;
use self::keys::Found;
use self::token::Token;

pub use self::algorithm::Algorithm;
pub use self::algorithm::UnknownAlgorithm;
pub use self::jwks::InvalidJwks;
pub use self::key::InvalidKey;
pub use self::key::Key;
pub use self::keys::InvalidKeys;
pub use self::keys::Keys;
#[cfg(feature = "jwks")]
pub use self::remote::FetchError;
#[cfg(feature = "jwks")]
pub use self::remote::InvalidUrl;
#[cfg(feature = "jwks")]
pub use self::remote::JwksUrl;
pub use self::signing::SigningError;
pub use self::signing::SigningKey;

/// Authenticates by signed tokens. Clones share the keys.
///
/// Credentials that do not have the three parts of a token are unknown to it, so that other
/// authenticators are asked.
#[derive(Clone, Debug)]
pub struct Jwt {
    keys: Keys,
    rules: Arc<Rules>,
}

/// The demands on a token beside its signature.
#[derive(Clone, Debug)]
struct Rules {
    audiences: Vec<Box<str>>,
    expiry_required: bool,
    guests: bool,
    issuers: Vec<Box<str>>,
    leeway: Duration,
    max_bytes: usize,
    max_names: usize,
    time: TimeOfDay,
}

impl Jwt {
    /// Creates an authenticator of tokens that are signed with one of these keys.
    pub fn keys(keys: impl Into<Keys>) -> Self {
        let rules = Rules {
            audiences: Vec::new(),
            expiry_required: true,
            guests: false,
            issuers: Vec::new(),
            leeway: Duration::from_secs(5),
            max_bytes: 16 << 10,
            max_names: 256,
            time: TimeOfDay::default(),
        };
        Self {
            keys: keys.into(),
            rules: Arc::new(rules),
        }
    }

    /// Adds an audience of which tokens must name one. Default: none, and tokens that name any are
    /// refused.
    #[must_use]
    pub fn audience(self, name: impl Into<Box<str>>) -> Self {
        self.with(|rules| rules.audiences.push(name.into()))
    }

    /// Sets the clock. Default: that of the operating system.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        self.with(|rules| rules.time = TimeOfDay::new(Arc::new(clock)))
    }

    /// Accepts tokens without `sub`, as of anonymous callers. Default: they are refused.
    #[must_use]
    pub fn guests(self, accepted: bool) -> Self {
        self.with(|rules| rules.guests = accepted)
    }

    /// Adds an issuer, of which tokens must be by one. Default: none, and `iss` is not looked at.
    #[must_use]
    pub fn issuer(self, name: impl Into<Box<str>>) -> Self {
        self.with(|rules| rules.issuers.push(name.into()))
    }

    /// Sets by how much the clock of the issuer may differ: for so long a token is valid beyond
    /// `exp`, and before `nbf`. Default: 5 s.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        self.with(|rules| rules.leeway = leeway)
    }

    /// Sets the most bytes of a token. Default: 16,384. Longer ones are refused unread.
    #[must_use]
    pub fn max_bytes(self, bytes: usize) -> Self {
        self.with(|rules| rules.max_bytes = bytes)
    }

    /// Sets the most channels and patterns that a token may name, in `channels`, `subs` and `perms`
    /// together. Default: 256. A token with more is refused.
    #[must_use]
    pub fn max_names(self, names: usize) -> Self {
        self.with(|rules| rules.max_names = names)
    }

    /// Accepts tokens without `exp`, which never expire. Default: they are refused.
    #[must_use]
    pub fn without_expiry(self, accepted: bool) -> Self {
        self.with(|rules| rules.expiry_required = !accepted)
    }

    fn with(mut self, set: impl FnOnce(&mut Rules)) -> Self {
        set(Arc::make_mut(&mut self.rules));
        self
    }

    /// Checks a token, as an embedder may that has one in hand. Keys from a URL must have been
    /// fetched before.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with the reason.
    pub fn check(&self, token: &str) -> Result<Identity, Refusal> {
        let parsed = self.parse(token)?;
        match self.keys.find(parsed.key_id()) {
            Asked::Now(found) => self.claims(&parsed, found)?.identity(),
            #[cfg(feature = "jwks")]
            Asked::Later(_) => Err(unavailable()),
        }
    }

    /// Checks a token for one subscription.
    pub(super) fn check_subscription(
        &self,
        text: &str,
        user: Option<&UserId>,
        channel: &str,
    ) -> Result<Option<Timestamp>, Refusal> {
        let token = self.parse(text)?;
        match self.keys.find(token.key_id()) {
            Asked::Now(found) => self.claims(&token, found)?.subscription(user, channel),
            #[cfg(feature = "jwks")]
            Asked::Later(_) => Err(unavailable()),
        }
    }

    fn parse<'a>(&self, text: &'a str) -> Result<Token<'a>, Refusal> {
        if text.len() > self.rules.max_bytes {
            let max = self.rules.max_bytes;
            return Err(invalid(format!("the token has more than {max} bytes")));
        }
        Token::parse(text).map_err(invalid)
    }

    /// Verifies a token with the key that was found.
    fn claims(&self, token: &Token<'_>, found: Found) -> Result<Claims<'_>, Refusal> {
        let key = match found {
            Found::Key(key) => key,
            Found::Unknown => return Err(invalid("no key has the id in the token (`kid`)")),
            Found::Unnamed => return Err(invalid("the token names no key (`kid`)")),
            #[cfg(feature = "jwks")]
            Found::Unavailable => return Err(unavailable()),
        };
        let claims = token.claims(&key).map_err(invalid)?;
        Claims::check(claims, &self.rules)
    }

    fn identity(&self, token: &Token<'_>, found: Found) -> Result<Authenticated, Refusal> {
        let identity = self.claims(token, found)?.identity()?;
        Ok(Authenticated::Is(Box::new(identity)))
    }

    fn decide(&self, text: &str) -> Result<Authenticated, Refusal> {
        let token = self.parse(text)?;
        match self.keys.find(token.key_id()) {
            Asked::Now(found) => self.identity(&token, found),
            #[cfg(feature = "jwks")]
            Asked::Later(later) => {
                let (jwt, text) = (self.clone(), Box::<str>::from(text));
                Ok(Authenticated::later(async move {
                    let found = later.found().await;
                    let token = jwt.parse(&text);
                    let decided = token.and_then(|token| jwt.identity(&token, found));
                    decided.unwrap_or_else(Authenticated::Refused)
                }))
            }
        }
    }
}

/// Returns the header and the claims of a token, of which nothing is verified: to look at, never to
/// decide by.
///
/// # Errors
///
/// [`Malformed`]: it does not have the form of a token.
pub fn unverified(token: &str) -> Result<(Value, Value), Malformed> {
    token::unverified(token).ok_or(Malformed)
}

/// The error of a text that does not have the form of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a token: expected three parts in base64url, the first two JSON objects")
    }
}

impl Error for Malformed {}

#[cfg(feature = "jwks")]
fn unavailable() -> Refusal {
    let why = "the keys that tokens are verified with cannot be fetched now; try again later";
    Refusal::new(ErrorCode::AuthUnavailable, why)
}

impl Authenticator for Jwt {
    fn name(&self) -> &str {
        "jwt"
    }

    fn authenticate(&self, credentials: &Credentials<'_>) -> Authenticated {
        match credentials.secret.filter(|text| Token::looks_like(text)) {
            Some(text) => self.decide(text).unwrap_or_else(Authenticated::Refused),
            None => Authenticated::Unknown,
        }
    }
}
