//! A key that verifies tokens.

use std::error::Error;
use std::fmt;

use ring::hmac;
use ring::signature;
use ring::signature::RsaParameters;
use ring::signature::RsaPublicKeyComponents;
use ring::signature::UnparsedPublicKey;
use ring::signature::VerificationAlgorithm;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use super::algorithm::Algorithm;
use super::algorithm::Family;
use super::der;
use super::der::PublicKey;

/// A key that verifies the signatures of tokens, for one algorithm.
///
/// ```
/// use throng::policy::jwt::{Algorithm, Key};
///
/// let key = Key::secret(Algorithm::Hs256, b"at least thirty-two bytes of
/// secret")?.with_id("2026"); assert_eq!(key.id(), Some("2026"));
/// assert!(Key::secret(Algorithm::Hs256, b"short").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    id: Option<Box<str>>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    /// An Ed25519 key, or a point on a curve.
    Public(Box<[u8]>),
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
    Secret(hmac::Key),
}

impl Key {
    /// The fewest bytes of a secret for HMAC.
    pub const MIN_SECRET: usize = 32;

    /// Creates the key of an HMAC algorithm.
    ///
    /// # Errors
    ///
    /// * [`InvalidKey::WrongKind`]: `algorithm` is not HMAC.
    /// * [`InvalidKey::ShortSecret`]: `secret` has less than [`Key::MIN_SECRET`] bytes.
    pub fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, InvalidKey> {
        let hmac = hmac(algorithm).ok_or(InvalidKey::WrongKind(algorithm))?;
        if secret.len() < Self::MIN_SECRET {
            return Err(InvalidKey::ShortSecret);
        }
        Ok(Self::of(
            algorithm,
            Material::Secret(hmac::Key::new(hmac, secret)),
        ))
    }

    /// Creates a key from the first section `PUBLIC KEY` of a PEM text.
    ///
    /// # Errors
    ///
    /// * [`InvalidKey::NotPem`]: there is no public key in `pem`.
    /// * [`InvalidKey::WrongKind`]: the key is not one for `algorithm`.
    /// * [`InvalidKey::SmallModulus`], [`InvalidKey::LargeModulus`]: the RSA key has less than
    ///   2,048 or more than 8,192 bits.
    pub fn pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, InvalidKey> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| InvalidKey::NotPem)?;
        match der::subject_public_key(&info) {
            Some(PublicKey::Bytes(family, key)) if family == algorithm.family() => {
                Self::public(algorithm, key)
            }
            Some(PublicKey::Rsa { n, e }) => Self::rsa(algorithm, n, e),
            _ => Err(InvalidKey::WrongKind(algorithm)),
        }
    }

    /// Sets the id, which the header of a token calls `kid`.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Returns the algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Creates the key of an Edwards curve, or a point on another one.
    pub(super) fn public(algorithm: Algorithm, key: &[u8]) -> Result<Self, InvalidKey> {
        let (length, first) = match algorithm.family() {
            Family::Ed25519 => (32, None),
            Family::P256 => (65, Some(UNCOMPRESSED)),
            Family::P384 => (97, Some(UNCOMPRESSED)),
            Family::Hmac | Family::Rsa => return Err(InvalidKey::WrongKind(algorithm)),
        };
        let begins = first.is_none() || key.first().copied() == first;
        if key.len() != length || !begins {
            return Err(InvalidKey::Malformed);
        }
        Ok(Self::of(algorithm, Material::Public(key.into())))
    }

    /// Creates an RSA key from its modulus and exponent, big endian.
    pub(super) fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Self, InvalidKey> {
        if algorithm.family() != Family::Rsa {
            return Err(InvalidKey::WrongKind(algorithm));
        }
        let [n, e] = [n, e].map(without_zeros);
        // `ring` verifies with no others.
        match n.len() {
            0..MIN_MODULUS => return Err(InvalidKey::SmallModulus),
            MIN_MODULUS..=MAX_MODULUS => {}
            _ => return Err(InvalidKey::LargeModulus),
        }
        if e.is_empty() || e.len() > 8 {
            return Err(InvalidKey::Malformed);
        }
        let (n, e) = (n.into(), e.into());
        Ok(Self::of(algorithm, Material::Rsa { n, e }))
    }

    /// Returns `true` if the signature is by this key and of this message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Public(key) => match self.curve() {
                Some(curve) => UnparsedPublicKey::new(curve, key).verify(message, signature),
                None => return false,
            },
            Material::Rsa { n, e } => match padding(self.algorithm) {
                Some(padding) => {
                    let (n, e) = (&n[..], &e[..]);
                    RsaPublicKeyComponents { n, e }.verify(padding, message, signature)
                }
                None => return false,
            },
            Material::Secret(key) => hmac::verify(key, message, signature),
        };
        verified.is_ok()
    }

    fn curve(&self) -> Option<&'static dyn VerificationAlgorithm> {
        match self.algorithm.family() {
            Family::Ed25519 => Some(&signature::ED25519),
            Family::P256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
            Family::P384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
            Family::Hmac | Family::Rsa => None,
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
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The first byte of an uncompressed point (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;
const MIN_MODULUS: usize = 2048 / 8;
const MAX_MODULUS: usize = 8192 / 8;

pub(super) fn hmac(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn padding(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        _ => None,
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// The error of a key that cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidKey {
    /// The modulus has more than 8,192 bits.
    LargeModulus,
    /// The key is not of the form that its kind has.
    Malformed,
    /// The text has no PEM section with a key that can be read.
    NotPem,
    /// The secret has less than [`Key::MIN_SECRET`] bytes.
    ShortSecret,
    /// The modulus has less than 2,048 bits.
    SmallModulus,
    /// The key is not one for this algorithm.
    WrongKind(Algorithm),
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LargeModulus => f.write_str("the RSA key has more than 8,192 bits"),
            Self::Malformed => f.write_str("the key is malformed"),
            Self::NotPem => f.write_str(
                "no key in PEM: expected `PUBLIC KEY` to verify, or `PRIVATE KEY` (PKCS #8) to sign",
            ),
            Self::ShortSecret => write!(
                f,
                "the secret is too short: HMAC needs at least {} bytes",
                Key::MIN_SECRET
            ),
            Self::SmallModulus => f.write_str("the RSA key has less than 2,048 bits"),
            Self::WrongKind(algorithm) => write!(f, "the key is not one for {algorithm}"),
        }
    }
}

impl Error for InvalidKey {}

#[cfg(all(test, feature = "jwks"))]
impl Key {
    /// Returns the key of an Edwards curve as a key set has it.
    pub(super) fn x(&self) -> Option<String> {
        match &self.material {
            Material::Public(key) => Some(data_encoding::BASE64URL_NOPAD.encode(key)),
            _ => None,
        }
    }
}
