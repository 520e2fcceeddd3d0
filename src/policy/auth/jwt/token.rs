//! The compact form of a signed token (RFC 7515, section 7.1).

use data_encoding::BASE64URL_NOPAD;
use serde_json::Map;
use serde_json::Value;

use super::key::Key;

/// A token that was taken apart. Nothing in it is to be trusted until
/// [`Token::claims`] has returned.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    /// The header and the claims as they were signed.
    message: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
    algorithm: String,
    key_id: Option<String>,
}

/// The error of a token that is refused before its claims are looked at, with the reason.
pub(super) type Invalid = &'static str;

/// The JSON object in a header or in claims.
pub(super) type Object = Map<String, Value>;

/// The most bytes in the id of a key.
const MAX_KEY_ID: usize = 256;

impl<'a> Token<'a> {
    /// Returns `true` if a text has three parts, as signed tokens have.
    pub(super) fn looks_like(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Takes a token apart.
    pub(super) fn parse(text: &'a str) -> Result<Self, Invalid> {
        let (message, signature) = text.rsplit_once('.').ok_or("a token has three parts")?;
        let (header, claims) = message.split_once('.').ok_or("a token has three parts")?;
        let header =
            object(header).ok_or("the token's header is not a JSON object in base64url")?;
        if header.contains_key("crit") {
            return Err("the token's header demands an extension (`crit`) that is not supported");
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(name)) if name.eq_ignore_ascii_case("none") => {
                return Err("the token is not signed");
            }
            Some(Value::String(name)) => name.clone(),
            _ => return Err("the token's header names no algorithm (`alg`)"),
        };
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= MAX_KEY_ID => Some(id.clone()),
            Some(_) => return Err("`kid` in the token's header must be a string of 256 bytes"),
        };
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes());
        Ok(Self {
            message,
            claims,
            signature: signature.map_err(|_| "the token's signature is not base64url")?,
            algorithm,
            key_id,
        })
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Verifies the signature by a key and its algorithm, and returns the claims.
    pub(super) fn claims(&self, key: &Key) -> Result<Object, Invalid> {
        if self.algorithm != key.algorithm().as_str() {
            return Err("the token's algorithm is not that of the key");
        }
        if !key.verifies(self.message.as_bytes(), &self.signature) {
            return Err("the token's signature does not match");
        }
        object(self.claims).ok_or("the token's claims are not a JSON object in base64url")
    }
}

/// Returns the header and the claims, of which nothing is verified.
pub(super) fn unverified(text: &str) -> Option<(Value, Value)> {
    let (message, _) = text.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    Some((object(header)?.into(), object(claims)?.into()))
}

fn object(part: &str) -> Option<Object> {
    let json = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
    serde_json::from_slice(&json).ok()
}
