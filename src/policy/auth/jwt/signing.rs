//! Making tokens, for those who issue them and for tests.

use std::error::Error;
use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair as RsaKeyPair;
use ring::signature;
use ring::signature::EcdsaKeyPair;
use ring::signature::EcdsaSigningAlgorithm;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair;
use ring::signature::RsaEncoding;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde_json::json;

use super::algorithm::Algorithm;
use super::algorithm::Family;
use super::der;
use super::der::PublicKey;
use super::key;
use super::key::InvalidKey;
use super::key::Key;

/// A key that signs tokens.
///
/// ```
/// use serde_json::json;
/// use throng::policy::jwt::{Algorithm, SigningKey};
///
/// let key = SigningKey::secret(Algorithm::Hs256, b"at least thirty-two bytes of secret")?;
/// let token = key.sign(&json!({"sub": "ada", "exp": 1_900_000_000}))?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SigningKey {
    algorithm: Algorithm,
    id: Option<Box<str>>,
    material: Material,
}

enum Material {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
    /// Once to sign with, once to verify with.
    Secret(hmac::Key, Key),
}

impl SigningKey {
    /// Creates the key of an HMAC algorithm.
    ///
    /// # Errors
    ///
    /// As [`Key::secret`].
    pub fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, InvalidKey> {
        let verifies = Key::secret(algorithm, secret)?;
        let hmac = key::hmac(algorithm).ok_or(InvalidKey::WrongKind(algorithm))?;
        let material = Material::Secret(hmac::Key::new(hmac, secret), verifies);
        Ok(Self::of(algorithm, material))
    }

    /// Creates a key from the first private key in a PEM text: `PRIVATE KEY` (PKCS #8), or for RSA
    /// `RSA PRIVATE KEY` as well.
    ///
    /// # Errors
    ///
    /// * [`InvalidKey::NotPem`]: there is no such key in `pem`.
    /// * [`InvalidKey::WrongKind`]: the key is not one for `algorithm`.
    pub fn pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, InvalidKey> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| InvalidKey::NotPem)?;
        let material = match (&der, algorithm.family()) {
            (PrivateKeyDer::Pkcs8(der), Family::Ed25519) => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
                pair.map(Material::Ed)
            }
            (PrivateKeyDer::Pkcs8(der), Family::P256 | Family::P384) => {
                let curve = curve(algorithm).ok_or(InvalidKey::WrongKind(algorithm))?;
                let der = der.secret_pkcs8_der();
                EcdsaKeyPair::from_pkcs8(curve, der, &SystemRandom::new()).map(Material::Ec)
            }
            (PrivateKeyDer::Pkcs8(der), Family::Rsa) => {
                let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der());
                pair.map(|pair| Material::Rsa(Box::new(pair)))
            }
            (PrivateKeyDer::Pkcs1(der), Family::Rsa) => {
                let pair = RsaKeyPair::from_der(der.secret_pkcs1_der());
                pair.map(|pair| Material::Rsa(Box::new(pair)))
            }
            (PrivateKeyDer::Sec1(_), Family::P256 | Family::P384) => {
                return Err(InvalidKey::NotPem);
            }
            _ => return Err(InvalidKey::WrongKind(algorithm)),
        };
        let material = material.map_err(|_| InvalidKey::WrongKind(algorithm))?;
        Ok(Self::of(algorithm, material))
    }

    /// Sets the id, which is written into the header of each token as `kid`.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Returns the key that verifies what this one signs.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`]: tokens cannot be verified with it, as with an RSA key of less than 2,048
    /// bits.
    pub fn verifying_key(&self) -> Result<Key, InvalidKey> {
        let key = match &self.material {
            Material::Ec(pair) => Key::public(self.algorithm, pair.public_key().as_ref())?,
            Material::Ed(pair) => Key::public(self.algorithm, pair.public_key().as_ref())?,
            Material::Rsa(pair) => match der::rsa_public_key(pair.public().as_ref()) {
                Some(PublicKey::Rsa { n, e }) => Key::rsa(self.algorithm, n, e)?,
                _ => return Err(InvalidKey::Malformed),
            },
            Material::Secret(_, key) => key.clone(),
        };
        Ok(match &self.id {
            Some(id) => key.with_id(id.clone()),
            None => key,
        })
    }

    /// Signs claims, and returns the token.
    ///
    /// # Errors
    ///
    /// [`SigningError`]: the claims cannot be written as JSON, or the system has no randomness.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, SigningError> {
        let header = match &self.id {
            Some(id) => json!({"typ": "JWT", "alg": self.algorithm.as_str(), "kid": id}),
            None => json!({"typ": "JWT", "alg": self.algorithm.as_str()}),
        };
        let claims = serde_json::to_vec(claims).map_err(|_| SigningError)?;
        let mut token = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
        token.push('.');
        BASE64URL_NOPAD.encode_append(&claims, &mut token);
        let signature = self.signature(token.as_bytes()).ok_or(SigningError)?;
        token.push('.');
        BASE64URL_NOPAD.encode_append(&signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.material {
            Material::Ec(pair) => {
                let signature = pair.sign(&random, message).ok()?;
                Some(signature.as_ref().into())
            }
            Material::Ed(pair) => Some(pair.sign(message).as_ref().into()),
            Material::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let encoding = encoding(self.algorithm)?;
                pair.sign(encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Material::Secret(key, _) => Some(hmac::sign(key, message).as_ref().into()),
        }
    }

    const fn of(algorithm: Algorithm, material: Material) -> Self {
        Self {
            algorithm,
            id: None,
            material,
        }
    }
}

/// Hides the key itself.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn curve(algorithm: Algorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm {
        Algorithm::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        _ => None,
    }
}

fn encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        Algorithm::Ps256 => Some(&signature::RSA_PSS_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_SHA512),
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_SHA512),
        _ => None,
    }
}

/// The error of claims that cannot be signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SigningError;

impl fmt::Display for SigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims cannot be signed: no JSON, or no randomness")
    }
}

impl Error for SigningError {}
