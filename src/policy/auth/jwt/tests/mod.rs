//! Tokens: vectors of another implementation, forgeries, times on a manual clock, and claims.

mod vectors;

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use serde_json::json;

use crate::code::ErrorCode;
use crate::layers::UserId;
use crate::session::Identity;
use crate::session::Right;
use crate::time::ManualClock;

use super::super::Authenticated;
use super::super::Authenticator;
use super::super::Carrier;
use super::super::Credentials;
use super::super::SubscriptionTokens;
use super::super::time::TimeOfDay;
use super::Algorithm;
use super::Jwt;
use super::Key;
use super::Keys;
use super::SigningKey;

const SECRET: &[u8] = b"a secret of the tests, with more than 32 bytes";

fn signer() -> SigningKey {
    SigningKey::secret(Algorithm::Hs256, SECRET).unwrap()
}

fn jwt() -> Jwt {
    Jwt::keys(signer().verifying_key().unwrap()).leeway(Duration::ZERO)
}

fn shown(token: &str) -> Credentials<'_> {
    Credentials {
        carrier: Carrier::Header,
        secret: Some(token),
        request: None,
        address: None,
    }
}

/// The identity, or the code and the reason for which there is none.
fn decided(jwt: &Jwt, token: &str) -> Result<Identity, (ErrorCode, String)> {
    match jwt.authenticate(&shown(token)) {
        Authenticated::Is(identity) => Ok(*identity),
        Authenticated::Refused(refusal) => Err((refusal.code(), refusal.reason().to_owned())),
        other => panic!("{other:?}"),
    }
}

fn reason(jwt: &Jwt, token: &str) -> String {
    decided(jwt, token).unwrap_err().1
}

/// The reason for which these claims, signed as they should be, are refused.
fn reason_of(claims: &Value) -> String {
    reason(&jwt(), &signer().sign(claims).unwrap())
}

fn accepted(claims: &Value) -> Identity {
    decided(&jwt(), &signer().sign(claims).unwrap()).unwrap()
}

/// A token of any header and claims, with this signature.
fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let header = part(header.to_string().as_bytes());
    let claims = part(claims.to_string().as_bytes());
    format!("{header}.{claims}.{}", part(signature))
}

/// In the year 2100.
const LATER: u64 = 4_102_444_800;

fn ada() -> Value {
    json!({"sub": "ada", "exp": LATER})
}

#[test]
fn unsigned_tokens_are_refused() {
    for alg in ["none", "None", "NONE", "nOnE"] {
        let token = forged(&json!({"alg": alg}), &ada(), b"");
        assert_eq!(reason(&jwt(), &token), "the token is not signed", "{alg}");
    }
    let signed = signer().sign(&ada()).unwrap();
    let (message, _) = signed.rsplit_once('.').unwrap();
    let stripped = format!("{message}.");
    assert_eq!(
        reason(&jwt(), &stripped),
        "the token's signature does not match"
    );
    let token = forged(&json!({"typ": "JWT"}), &ada(), b"");
    assert!(reason(&jwt(), &token).contains("names no algorithm"));
}

#[test]
fn each_changed_character_is_noticed() {
    let token = signer().sign(&ada()).unwrap();
    let jwt = jwt();
    assert!(decided(&jwt, &token).is_ok());
    for (at, character) in token.char_indices() {
        let other = if character == 'A' { 'B' } else { 'A' };
        let mut changed = token.clone();
        changed.replace_range(at..=at, &other.to_string());
        match jwt.authenticate(&shown(&changed)) {
            Authenticated::Refused(refusal) => assert_eq!(refusal.code(), ErrorCode::TokenInvalid),
            Authenticated::Unknown => assert_eq!(character, '.'),
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[test]
fn texts_that_are_no_tokens_are_left_to_others_and_malformed_ones_refused() {
    for text in ["", "thr_ops_secret", "a.b", "a.b.c.d.e", "...."] {
        let decided = jwt().authenticate(&shown(text));
        assert!(matches!(decided, Authenticated::Unknown), "{text}");
    }
    let none = Credentials {
        secret: None,
        ..shown("")
    };
    assert!(matches!(jwt().authenticate(&none), Authenticated::Unknown));
    for text in [
        "..",
        "a.b.c",
        "e30.e30.",
        "\u{1f980}.\u{1f980}.\u{1f980}",
        "W10.e30.AA",
    ] {
        assert_eq!(
            decided(&jwt(), text).unwrap_err().0,
            ErrorCode::TokenInvalid,
            "{text}"
        );
    }
    let long = format!("{}.a.b", "a".repeat(16 << 10));
    assert_eq!(reason(&jwt(), &long), "the token has more than 16384 bytes");
    let short = jwt().max_bytes(10);
    assert!(reason(&short, "aaaaaaa.b.c").contains("more than 10 bytes"));
}

#[test]
fn critical_extensions_are_refused() {
    let header = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    assert!(reason(&jwt(), &forged(&header, &ada(), b"")).contains("`crit`"));
    let header = json!({"alg": "HS256", "kid": 7});
    assert!(reason(&jwt(), &forged(&header, &ada(), b"")).contains("`kid`"));
}

#[test]
fn several_keys_need_an_id_in_the_token() {
    let key = |id: &str, secret: &[u8]| {
        SigningKey::secret(Algorithm::Hs256, secret)
            .unwrap()
            .with_id(id)
    };
    let other = [7; 32];
    let (one, two) = (key("1", SECRET), key("2", &other));
    let keys = [&one, &two].map(|key| key.verifying_key().unwrap());
    let jwt = Jwt::keys(Keys::new(keys.clone()).unwrap());
    for signer in [&one, &two] {
        assert!(decided(&jwt, &signer.sign(&ada()).unwrap()).is_ok());
    }
    assert_eq!(
        reason(&jwt, &signer().sign(&ada()).unwrap()),
        "the token names no key (`kid`)"
    );
    let third = key("3", SECRET);
    assert_eq!(
        reason(&jwt, &third.sign(&ada()).unwrap()),
        "no key has the id in the token (`kid`)"
    );
    let swapped = key("2", SECRET);
    assert!(reason(&jwt, &swapped.sign(&ada()).unwrap()).contains("signature"));

    let unnamed = Key::secret(Algorithm::Hs256, SECRET).unwrap();
    let errors = [
        Keys::new([]),
        Keys::new([keys[0].clone(), unnamed.clone()]),
        Keys::new([keys[0].clone(), keys[0].clone()]),
        Keys::new((0..65).map(|id| unnamed.clone().with_id(id.to_string()))),
    ];
    let errors = errors.map(|keys| keys.unwrap_err().to_string());
    assert_eq!(
        errors,
        [
            "there is no key that tokens could be verified with",
            "of several keys each needs an id (`kid`)",
            "two keys have the id `1`",
            "there are more than 64 keys",
        ]
    );
}

#[test]
fn one_key_takes_tokens_without_an_id_and_not_those_of_another() {
    let named = signer().with_id("1");
    let jwt = Jwt::keys(named.verifying_key().unwrap());
    assert!(decided(&jwt, &named.sign(&ada()).unwrap()).is_ok());
    assert!(decided(&jwt, &signer().sign(&ada()).unwrap()).is_ok());
    let other = signer().with_id("2");
    assert!(reason(&jwt, &other.sign(&ada()).unwrap()).contains("no key has the id"));
    assert!(decided(&super::tests::jwt(), &other.sign(&ada()).unwrap()).is_ok());
}

#[test]
fn a_token_is_valid_from_its_beginning_to_its_end() {
    let clock = ManualClock::new();
    let now = TimeOfDay::new(Arc::new(clock.clone())).unix().as_secs();
    let claims = json!({"sub": "ada", "nbf": now + 10, "exp": now + 20});
    let token = signer().sign(&claims).unwrap();
    let exact = jwt().clock(clock.clone());
    let lenient = exact.clone().leeway(Duration::from_secs(5));
    let mut elapsed = 0;
    for (at, is_valid, is_lenient) in [
        (4, false, false),
        (6, false, true),
        (9, false, true),
        (11, true, true),
        (18, true, true),
        (21, false, true),
        (24, false, true),
        (26, false, false),
    ] {
        clock.advance(Duration::from_secs(at - elapsed));
        elapsed = at;
        assert_eq!(decided(&exact, &token).is_ok(), is_valid, "{at}");
        assert_eq!(decided(&lenient, &token).is_ok(), is_lenient, "{at}");
    }
    let refused = decided(&exact, &token).unwrap_err();
    assert_eq!(
        refused,
        (ErrorCode::TokenExpired, "the token has expired".into())
    );
}

#[test]
fn the_identity_expires_when_the_token_is_no_longer_accepted() {
    let token = signer().sign(&ada()).unwrap();
    let lenient = jwt().leeway(Duration::from_secs(7));
    let expiry = decided(&lenient, &token).unwrap().expiry().unwrap();
    assert_eq!(expiry.millis(), (LATER + 7) * 1000);
    let exact = decided(&jwt(), &token).unwrap().expiry().unwrap();
    assert_eq!(exact.millis(), LATER * 1000);
}

#[test]
fn times_may_be_fractions_and_must_be_numbers() {
    let identity = accepted(&json!({"sub": "ada", "exp": 4_102_444_800.5, "iat": 1.25}));
    assert_eq!(identity.expiry().unwrap().millis(), LATER * 1000 + 500);
    assert_eq!(identity.issue().unwrap().millis(), 1250);
    for huge in [json!(1e300), json!(u64::MAX)] {
        assert!(
            accepted(&json!({"sub": "ada", "exp": huge}))
                .expiry()
                .is_some()
        );
    }
    for past in [json!(-1), json!(-1e300), json!(0)] {
        assert_eq!(
            reason_of(&json!({"sub": "ada", "exp": past})),
            "the token has expired"
        );
    }
    for claim in ["exp", "nbf", "iat"] {
        for bad in [json!("1900000000"), json!(null), json!([1]), json!(true)] {
            let mut claims = ada();
            claims[claim] = bad;
            let why = format!("claim `{claim}` must be a number of seconds since 1970");
            assert_eq!(reason_of(&claims), why);
        }
    }
    let forever = json!({"sub": "ada"});
    assert!(reason_of(&forever).contains("does not say when it expires"));
    let token = signer().sign(&forever).unwrap();
    let identity = decided(&jwt().without_expiry(true), &token).unwrap();
    assert_eq!(identity.expiry(), None);
}

#[test]
fn the_audience_must_be_ours() {
    let ours = jwt().audience("chat").audience("talk");
    for (aud, is_ours) in [
        (json!("chat"), true),
        (json!("talk"), true),
        (json!(["x", "chat"]), true),
        (json!("x"), false),
        (json!(["x"]), false),
        (json!([]), false),
        (json!(7), false),
        (json!(null), false),
    ] {
        let mut claims = ada();
        claims["aud"] = aud.clone();
        let token = signer().sign(&claims).unwrap();
        assert_eq!(decided(&ours, &token).is_ok(), is_ours, "{aud}");
        assert!(decided(&jwt(), &token).is_err(), "none is ours: {aud}");
    }
    let unnamed = signer().sign(&ada()).unwrap();
    assert!(reason(&ours, &unnamed).contains("names no audience"));
}

#[test]
fn the_issuer_must_be_ours() {
    let ours = jwt().issuer("https://id.example");
    for (iss, is_ours) in [
        (json!("https://id.example"), true),
        (json!("https://id.example/"), false),
        (json!(["https://id.example"]), false),
    ] {
        let mut claims = ada();
        claims["iss"] = iss.clone();
        let token = signer().sign(&claims).unwrap();
        assert_eq!(decided(&ours, &token).is_ok(), is_ours, "{iss}");
        assert!(decided(&jwt(), &token).is_ok(), "no issuer is asked for");
    }
    assert!(reason(&ours, &signer().sign(&ada()).unwrap()).contains("another issuer"));
}

#[test]
fn claims_become_an_identity() {
    let identity = accepted(&json!({
        "sub": "ada",
        "exp": LATER,
        "iat": 1_700_000_000,
        "jti": "t1",
        "info": {"name": "Ada", "n": 1.5},
        "channels": ["news", "user.ada.>"],
        "subs": {"price.*": {}, "lobby": {}},
        "perms": {"sub": ["news.>", "lobby"], "pub": "lobby", "admin": ["room.*", "actor"]},
    }));
    assert_eq!(identity.user().unwrap().as_str(), "ada");
    assert_eq!(identity.token(), Some("t1"));
    assert_eq!(identity.issue().unwrap().millis(), 1_700_000_000_000);
    let info: Value = serde_json::from_str(identity.member_info().unwrap()).unwrap();
    assert_eq!(info, json!({"name": "Ada", "n": 1.5}));
    let mut channels: Vec<_> = identity.subscriptions().collect();
    channels.sort_unstable();
    assert_eq!(channels, ["lobby", "news"]);
    let patterns = identity.patterns().iter().map(|pattern| pattern.text());
    assert_eq!(patterns.collect::<Vec<_>>(), ["user.ada.>", "price.*"]);
    for (right, name, may) in [
        (Right::Subscribe, "news.today", true),
        (Right::Subscribe, "private-x", false),
        (Right::Publish, "lobby", true),
        (Right::Publish, "news.today", false),
        (Right::Read, "lobby", false),
        (Right::Rooms, "lobby", false),
        (Right::Admin, "room.ban", true),
        (Right::Admin, "stats", false),
    ] {
        assert_eq!(identity.may(right, name), may, "{right:?} {name}");
    }
    assert!(identity.may_act_for_users());
}

#[test]
fn without_perms_a_token_has_all_rights_of_a_user() {
    let identity = accepted(&ada());
    for right in [Right::Subscribe, Right::Publish, Right::Read, Right::Rooms] {
        assert!(identity.may(right, "any.thing"));
    }
    assert!(!identity.may(Right::Admin, "stats") && !identity.may_act_for_users());
    let nothing = accepted(&json!({"sub": "ada", "exp": LATER, "perms": {}}));
    assert!(!nothing.may(Right::Subscribe, "any"));
}

#[test]
fn claims_of_the_wrong_kind_are_refused_by_name() {
    for (claim, value, expected) in [
        ("sub", json!(7), "claim `sub` must be a string"),
        ("sub", json!(""), "claim `sub` is not a user id"),
        ("sub", json!("a\u{0}b"), "claim `sub` is not a user id"),
        ("jti", json!(7), "claim `jti` must be a string"),
        ("jti", json!("x".repeat(257)), "at most 256 bytes"),
        ("channels", json!("news"), "claim `channels` must be a list"),
        (
            "channels",
            json!(["news", 7]),
            "claim `channels` must be a list",
        ),
        (
            "channels",
            json!({"news": {}}),
            "claim `channels` must be a list",
        ),
        ("subs", json!(7), "claim `subs` must be a list"),
        ("channels", json!(["a.>.b"]), "a pattern to subscribe to"),
        ("perms", json!([]), "claim `perms` must be an object"),
        ("perms", json!({"subscribe": []}), "none of sub, pub, read"),
        ("perms", json!({"sub": 7}), "`perms.sub` must be a list"),
        ("perms", json!({"sub": [7]}), "`perms.sub` must be a list"),
        (
            "perms",
            json!({"pub": ["a..b"]}),
            "a pattern in `perms.pub`",
        ),
        ("channel", json!("news"), "a token for a subscription"),
    ] {
        let mut claims = ada();
        claims[claim] = value.clone();
        let why = reason_of(&claims);
        assert!(why.contains(expected), "{claim} {value}: {why}");
    }
}

#[test]
fn names_in_a_token_are_bounded() {
    let named = |channels: usize, patterns: usize| {
        let channels: Vec<_> = (0..channels).map(|n| n.to_string()).collect();
        let patterns: Vec<_> = (0..patterns).map(|n| n.to_string()).collect();
        let mut claims = ada();
        claims["channels"] = json!(channels);
        claims["perms"] = json!({"sub": patterns});
        claims
    };
    accepted(&named(128, 128));
    for (channels, patterns) in [(257, 0), (0, 257), (128, 129)] {
        let why = reason_of(&named(channels, patterns));
        assert_eq!(why, "the token names more than 256 channels and patterns");
    }
}

#[test]
fn guests_come_only_where_they_are_let_in() {
    let claims = json!({"exp": LATER, "perms": {"sub": ["news"]}});
    assert_eq!(reason_of(&claims), "the token names no user (`sub`)");
    let token = signer().sign(&claims).unwrap();
    let guest = decided(&jwt().guests(true), &token).unwrap();
    assert!(guest.user().is_none());
    assert!(guest.may(Right::Subscribe, "news") && !guest.may(Right::Subscribe, "x"));
}

#[test]
fn a_subscription_token_is_for_one_user_and_one_channel() {
    let tokens = SubscriptionTokens::new(jwt());
    let user = |name: &str| UserId::parse(name).unwrap();
    let token = |claims: Value| signer().sign(&claims).unwrap();
    let of_ada = token(json!({"sub": "ada", "channel": "private-a", "exp": LATER}));
    let until = tokens
        .check(&of_ada, Some(&user("ada")), "private-a")
        .unwrap();
    assert_eq!(until.unwrap().millis(), LATER * 1000);
    let of_nobody = token(json!({"channel": "private-a", "exp": LATER}));
    assert!(tokens.check(&of_nobody, None, "private-a").is_ok());
    let connection = token(ada());
    let expired = token(json!({"sub": "ada", "channel": "private-a", "exp": 1}));
    let odd = token(json!({"sub": "ada", "channel": ["private-a"], "exp": LATER}));
    for (token, user, channel, expected) in [
        (
            &of_ada,
            Some(user("ada")),
            "private-b",
            "for another channel",
        ),
        (&of_ada, Some(user("bob")), "private-a", "for another user"),
        (&of_ada, None, "private-a", "for another user"),
        (
            &of_nobody,
            Some(user("ada")),
            "private-a",
            "for another user",
        ),
        (
            &connection,
            Some(user("ada")),
            "private-a",
            "names no channel",
        ),
        (&expired, Some(user("ada")), "private-a", "expired"),
        (&odd, Some(user("ada")), "private-a", "must be a string"),
    ] {
        let refused = tokens.check(token, user.as_ref(), channel).unwrap_err();
        assert!(refused.reason().contains(expected), "{refused}");
    }
    assert!(tokens.check("x", None, "private-a").is_err());
}

#[test]
fn what_is_printed_holds_no_secret() {
    let token = signer().sign(&ada()).unwrap();
    let key = signer().verifying_key().unwrap();
    let credentials = shown(&token);
    let printed = format!("{:?} {:?} {:?} {credentials:?}", signer(), jwt(), key);
    let secret = String::from_utf8(SECRET.to_vec()).unwrap();
    assert!(
        !printed.contains(&secret) && !printed.contains(&token),
        "{printed}"
    );
    let bytes = format!("{SECRET:?}");
    assert!(
        !printed.contains(bytes.trim_matches(['[', ']'])),
        "{printed}"
    );
}
