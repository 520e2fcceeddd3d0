//! The few structures of DER that hold a public key (RFC 5280, RFC 8017).

use super::algorithm::Family;

/// A public key, taken out of its container.
pub(super) enum PublicKey<'a> {
    /// An Ed25519 key or a point on a curve, as `ring` takes it.
    Bytes(Family, &'a [u8]),
    Rsa {
        n: &'a [u8],
        e: &'a [u8],
    },
}

const BIT_STRING: u8 = 0x03;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// Reads a `SubjectPublicKeyInfo`; `None` if it is malformed or of another kind.
pub(super) fn subject_public_key(der: &[u8]) -> Option<PublicKey<'_>> {
    let (info, rest) = value(der, SEQUENCE)?;
    if !rest.is_empty() {
        return None;
    }
    let (algorithm, info) = value(info, SEQUENCE)?;
    let (bits, rest) = value(info, BIT_STRING)?;
    // The first byte counts unused bits, of which a key has none.
    let key = bits.strip_prefix(&[0]).filter(|_| rest.is_empty())?;
    let (oid, parameters) = value(algorithm, OID)?;
    match oid {
        ED25519 => Some(PublicKey::Bytes(Family::Ed25519, key)),
        EC_PUBLIC_KEY => match value(parameters, OID)?.0 {
            P256 => Some(PublicKey::Bytes(Family::P256, key)),
            P384 => Some(PublicKey::Bytes(Family::P384, key)),
            _ => None,
        },
        RSA_ENCRYPTION => rsa_public_key(key),
        _ => None,
    }
}

/// Reads an `RSAPublicKey` of PKCS #1.
pub(super) fn rsa_public_key(der: &[u8]) -> Option<PublicKey<'_>> {
    let (key, rest) = value(der, SEQUENCE)?;
    if !rest.is_empty() {
        return None;
    }
    let (n, key) = value(key, INTEGER)?;
    let (e, rest) = value(key, INTEGER)?;
    rest.is_empty().then_some(PublicKey::Rsa { n, e })
}

/// Splits off the value of the first element, which must have this tag.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // More than 65,535 bytes are no key.
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            let big_endian = |length: usize, byte: &u8| length << 8 | usize::from(*byte);
            (bytes.iter().fold(0, big_endian), rest)
        }
        _ => return None,
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}
