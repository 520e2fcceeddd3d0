//! Whatever is in a token, checking it ends; and what is accepted is what was signed.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use throng::policy::jwt;
use throng::policy::jwt::Algorithm;
use throng::policy::jwt::Jwt;
use throng::policy::jwt::Keys;
use throng::policy::jwt::SigningKey;

#[derive(Debug, arbitrary::Arbitrary)]
enum Input<'a> {
    /// A whole token.
    Token(&'a str),
    /// Claims, which are signed as they should be.
    Claims(&'a str),
    /// A key set.
    Jwks(&'a [u8]),
}

static SIGNER: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::secret(Algorithm::Hs256, &[7; 32]).expect("a secret of 32 bytes"));

fuzz_target!(|input: Input<'_>| run(input));

fn run(input: Input<'_>) {
    let key = SIGNER.verifying_key().expect("a secret verifies as well");
    let jwt = Jwt::keys(key).guests(true).without_expiry(true);
    match input {
        Input::Token(token) => {
            let is_accepted = jwt.check(token).is_ok();
            assert!(!is_accepted || jwt::unverified(token).is_ok());
        }
        Input::Claims(claims) => {
            let Ok(claims) = serde_json::from_str::<Value>(claims) else {
                return;
            };
            let token = SIGNER.sign(&claims).expect("JSON can be written");
            let Ok(identity) = jwt.check(&token) else {
                return;
            };
            assert_eq!(
                identity.user().map(|user| user.as_str()),
                claims["sub"].as_str()
            );
            assert_eq!(identity.token(), claims["jti"].as_str());
            assert_eq!(identity.expiry().is_some(), claims.get("exp").is_some());
        }
        Input::Jwks(json) => {
            if let Ok(keys) = Keys::from_jwks(json) {
                let _debugged = format!("{keys:?}");
            }
        }
    }
}
