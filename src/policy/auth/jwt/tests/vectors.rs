//! Tokens that another implementation has made (Python's `cryptography`), and those of RFC 7515 and
//! RFC 8037.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use serde_json::json;

use super::super::Algorithm;
use super::super::Asked;
use super::super::Found;
use super::super::InvalidKey;
use super::super::Jwt;
use super::super::Key;
use super::super::Keys;
use super::super::SigningKey;
use super::LATER;
use super::ada;
use super::decided;
use super::forged;
use super::reason;

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

fn algorithm(vector: &Value) -> Algorithm {
    text(vector, "alg").parse().unwrap()
}

fn key(vector: &Value) -> Key {
    match vector["secret"].as_str() {
        Some(secret) => Key::secret(algorithm(vector), secret.as_bytes()).unwrap(),
        None => Key::pem(algorithm(vector), text(vector, "public").as_bytes()).unwrap(),
    }
}

fn signing(vector: &Value) -> SigningKey {
    match vector["secret"].as_str() {
        Some(secret) => SigningKey::secret(algorithm(vector), secret.as_bytes()).unwrap(),
        None => SigningKey::pem(algorithm(vector), text(vector, "private").as_bytes()).unwrap(),
    }
}

#[test]
fn every_algorithm_verifies_a_token_of_another_implementation() {
    let vectors = vectors();
    assert_eq!(vectors.len(), Algorithm::ALL.len());
    for vector in &vectors {
        let identity = decided(&Jwt::keys(key(vector)), text(vector, "token")).unwrap();
        let id = text(vector, "alg").to_lowercase();
        assert_eq!(identity.token(), Some(&*id));
        assert_eq!(identity.expiry().unwrap().millis(), (LATER + 5) * 1000);
    }
}

#[test]
fn every_algorithm_verifies_what_it_signs() {
    for vector in vectors() {
        let signer = signing(&vector).with_id("k");
        let token = signer.sign(&ada()).unwrap();
        for key in [key(&vector), signer.verifying_key().unwrap()] {
            assert!(decided(&Jwt::keys(key), &token).is_ok(), "{token}");
        }
    }
}

#[test]
fn a_key_set_has_keys_of_every_algorithm() {
    let jwks: Vec<_> = vectors()
        .iter()
        .map(|vector| vector["jwk"].clone())
        .collect();
    let keys = Keys::from_jwks(json!({"keys": jwks}).to_string().as_bytes()).unwrap();
    let jwt = Jwt::keys(keys);
    for vector in vectors() {
        assert!(decided(&jwt, text(&vector, "token")).is_ok(), "{vector}");
    }
}

#[test]
fn a_key_verifies_by_its_own_algorithm_alone() {
    let vectors = vectors();
    for of_key in &vectors {
        let jwt = Jwt::keys(key(of_key));
        for of_token in vectors.iter().filter(|other| *other != of_key) {
            let why = reason(&jwt, text(of_token, "token"));
            assert_eq!(why, "the token's algorithm is not that of the key");
        }
    }
}

/// The classic confusion: a public key, which everyone has, as the secret of HMAC.
#[test]
fn a_public_key_is_no_secret() {
    for vector in vectors().iter().filter(|vector| vector["secret"].is_null()) {
        let pem = text(vector, "public");
        let jwt = Jwt::keys(key(vector));
        for hmac in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            let forger = SigningKey::secret(hmac, pem.as_bytes()).unwrap();
            let token = forger.sign(&ada()).unwrap();
            assert_eq!(
                reason(&jwt, &token),
                "the token's algorithm is not that of the key"
            );
            // Its header rewritten to the algorithm of the key.
            let (message, signature) = token.rsplit_once('.').unwrap();
            let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
            assert!(!message.is_empty());
            let token = forged(&json!({"alg": text(vector, "alg")}), &ada(), &signature);
            assert_eq!(reason(&jwt, &token), "the token's signature does not match");
        }
    }
}

#[test]
fn a_key_is_one_for_its_algorithm() {
    for of_key in vectors().iter().filter(|vector| vector["secret"].is_null()) {
        let pem = text(of_key, "public").as_bytes();
        for other in Algorithm::ALL {
            let fits = other.family() == algorithm(of_key).family();
            assert_eq!(Key::pem(*other, pem).is_ok(), fits, "{other} {of_key}");
            let private = text(of_key, "private").as_bytes();
            assert_eq!(SigningKey::pem(*other, private).is_ok(), fits, "{other}");
        }
        assert_eq!(Key::secret(algorithm(of_key), &[1; 64]).unwrap_err(), {
            InvalidKey::WrongKind(algorithm(of_key))
        });
        for cut in [0, 10, pem.len() / 2] {
            assert!(Key::pem(algorithm(of_key), &pem[..cut]).is_err());
        }
    }
}

#[test]
fn weak_keys_are_refused() {
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let short = Key::secret(algorithm, &[1; 31]);
        assert_eq!(short.unwrap_err(), InvalidKey::ShortSecret);
        assert!(Key::secret(algorithm, &[1; 32]).is_ok());
    }
    let file: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let small = Key::pem(Algorithm::Rs256, text(&file, "small_rsa").as_bytes());
    assert_eq!(small.unwrap_err(), InvalidKey::SmallModulus);
}

#[test]
fn key_sets_leave_out_what_cannot_verify_and_refuse_what_is_broken() {
    let good = vectors()[0]["jwk"].clone();
    let with = |other: Value| json!({"keys": [other, good]}).to_string();
    for other in [
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "a"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "AA", "kid": "a"}),
        json!({"kty": "RSA", "use": "enc", "n": "AA", "e": "AQAB", "kid": "a"}),
        json!({"kty": "RSA", "alg": "RSA-OAEP", "n": "AA", "e": "AQAB", "kid": "a"}),
        json!({"kty": "EC", "crv": "P-256", "alg": "RS256", "kid": "a"}),
        json!({"kty": "future", "kid": "a"}),
    ] {
        assert!(Keys::from_jwks(with(other).as_bytes()).is_ok());
    }
    for (other, expected) in [
        (
            json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            "malformed",
        ),
        (json!({"kty": "EC", "crv": "P-256", "x": "AA"}), "malformed"),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": "+/+/"}),
            "malformed",
        ),
        (
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
            "2,048 bits",
        ),
        (json!({"kty": "oct", "k": "c2hvcnQ"}), "too short"),
    ] {
        let error = Keys::from_jwks(with(other).as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("key 0 of the key set") && error.contains(expected),
            "{error}"
        );
    }
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys": {}}"#,
        r#"{"keys": [7]}"#,
        r#"{"keys": [{}]}"#,
    ] {
        let error = Keys::from_jwks(text.as_bytes()).unwrap_err().to_string();
        assert!(
            error.starts_with("not a JSON Web Key Set"),
            "{text}: {error}"
        );
    }
    let none = Keys::from_jwks(br#"{"keys": []}"#).unwrap_err().to_string();
    assert!(none.contains("no key"), "{none}");
}

/// RFC 7515, appendix A.1.
#[test]
fn the_token_of_rfc_7515_verifies() {
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secret = BASE64URL_NOPAD.decode(secret.as_bytes()).unwrap();
    let key = Key::secret(Algorithm::Hs256, &secret).unwrap();
    let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkz\
                   ODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    assert!(key.verifies(message.as_bytes(), &signature));
    assert!(!key.verifies(&message.as_bytes()[1..], &signature));
}

/// RFC 8037, appendix A.4.
#[test]
fn the_signature_of_rfc_8037_verifies() {
    let jwk = json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }]});
    let keys = Keys::from_jwks(jwk.to_string().as_bytes()).unwrap();
    let Asked::Now(Found::Key(key)) = keys.find(None) else {
        panic!("one key");
    };
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    assert!(key.verifies(message, &signature));
}
