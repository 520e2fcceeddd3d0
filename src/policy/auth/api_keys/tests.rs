//! API keys on a manual clock, and their file.

use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::code::ErrorCode;
use crate::layers::Timestamp;
use crate::session::Identity;
use crate::session::Right;
use crate::time::ManualClock;

use super::super::Authenticated;
use super::super::Authenticator;
use super::super::Carrier;
use super::super::Credentials;
use super::super::time::TimeOfDay;
use super::ApiKey;
use super::ApiKeyError;
use super::ApiKeyFile;
use super::ApiKeys;
use super::NewApiKey;

fn decided(keys: &ApiKeys, secret: &str) -> Result<Identity, (ErrorCode, String)> {
    let shown = Credentials {
        carrier: Carrier::Header,
        secret: Some(secret),
        request: None,
        address: None,
    };
    match keys.authenticate(&shown) {
        Authenticated::Is(identity) => Ok(*identity),
        Authenticated::Refused(refusal) => Err((refusal.code(), refusal.reason().to_owned())),
        Authenticated::Unknown => Err((ErrorCode::UnknownType, "unknown".to_owned())),
        later => panic!("{later:?}"),
    }
}

fn made(id: &str, scopes: &[&str]) -> (ApiKey, String) {
    let NewApiKey { key, secret } = ApiKey::generate(id).unwrap();
    let scoped = |key: ApiKey, scope: &&str| key.scope(scope).unwrap();
    (scopes.iter().fold(key, scoped), secret)
}

/// A path of its own for each test, removed when it passes.
struct Path(PathBuf);

impl Path {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("throng-keys-{}-{count}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder.join("keys"))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        fs::remove_dir_all(self.0.parent().unwrap()).ok();
    }
}

#[test]
fn a_key_allows_what_its_scopes_name() {
    let (key, secret) = made("ops", &["publish", "room.*"]);
    let keys = ApiKeys::new([key.rate(NonZeroU32::new(7).unwrap())]).unwrap();
    let identity = decided(&keys, &secret).unwrap();
    assert_eq!(identity.api_key(), Some("ops"));
    assert_eq!(identity.max_rate(), NonZeroU32::new(7));
    assert!(identity.user().is_none() && identity.expiry().is_none());
    assert!(identity.may(Right::Admin, "publish") && identity.may(Right::Admin, "room.ban"));
    assert!(!identity.may(Right::Admin, "stats"));
    for right in [Right::Subscribe, Right::Publish, Right::Read, Right::Rooms] {
        assert!(!identity.may(right, "publish"), "{right:?} is of users");
    }
    assert!(!identity.may_act_for_users());
    let (key, secret) = made("acts", &["actor"]);
    let keys = ApiKeys::new([key]).unwrap();
    assert!(decided(&keys, &secret).unwrap().may_act_for_users());
}

#[test]
fn other_secrets_are_refused_alike() {
    let (key, secret) = made("ops", &["*"]);
    let keys = ApiKeys::new([key]).unwrap();
    let refused = (
        ErrorCode::TokenInvalid,
        "no API key is like this one".to_owned(),
    );
    let (_, same_id) = made("ops", &[]);
    let (_, other_id) = made("dev", &[]);
    let moved = secret.replace("ops", "dev");
    let longer = format!("{secret}A");
    for wrong in [
        &*same_id,
        &other_id,
        &moved,
        &longer,
        &secret[..secret.len() - 1],
    ] {
        assert_eq!(decided(&keys, wrong).unwrap_err(), refused, "{wrong}");
    }
    for malformed in ["thr_", "thr_ops", "thr__", "thr_OPS_x", "thr_\u{1f980}_x"] {
        assert_eq!(
            decided(&keys, malformed).unwrap_err(),
            refused,
            "{malformed}"
        );
    }
    for foreign in ["", "ops", "a.b.c", "THR_ops_x"] {
        let unknown = decided(&keys, foreign).unwrap_err();
        assert_eq!(unknown.0, ErrorCode::UnknownType, "{foreign}");
    }
}

#[test]
fn secrets_are_long_and_nowhere_but_with_their_holders() {
    let path = Path::new();
    let made = ApiKey::generate_any().unwrap();
    let (_, random) = made.secret[4..].split_once('_').unwrap();
    assert_eq!(random.len(), 43, "256 bits");
    assert!(!format!("{made:?}").contains(random));
    let mut file = ApiKeyFile::open(&path.0).unwrap();
    file.insert(made.key).unwrap();
    file.save().unwrap();
    assert!(!format!("{file:?}").contains(random) && !path.text().contains(random));
    let keys = ApiKeys::from_file(&path.0).unwrap();
    assert!(!format!("{keys:?}").contains(random));
}

#[test]
fn a_key_ends_with_its_time_and_an_old_secret_with_its_own() {
    let clock = ManualClock::new();
    let start = TimeOfDay::new(Arc::new(clock.clone())).unix();
    let at = |seconds| Timestamp::since_unix_epoch(start + Duration::from_secs(seconds));
    let (key, first) = made("ops", &["*"]);
    let mut key = key.expires_at(at(100));
    let second = key.rotate(Some(at(10))).unwrap();
    let keys = ApiKeys::new([key.clone()]).unwrap().clock(clock.clone());
    assert!(decided(&keys, &first).is_ok() && decided(&keys, &second).is_ok());
    clock.advance(Duration::from_secs(11));
    let expired = (
        ErrorCode::TokenExpired,
        "the API key has expired".to_owned(),
    );
    assert_eq!(decided(&keys, &first).unwrap_err(), expired);
    assert!(decided(&keys, &second).is_ok());
    let third = key.rotate(Some(at(50))).unwrap();
    let fourth = key.rotate(None).unwrap();
    let keys = ApiKeys::new([key]).unwrap().clock(clock.clone());
    for (secret, is_valid) in [
        (first, false),
        (second, false),
        (third, false),
        (fourth, true),
    ] {
        assert_eq!(decided(&keys, &secret).is_ok(), is_valid);
        if is_valid {
            clock.advance(Duration::from_secs(101));
            assert_eq!(decided(&keys, &secret).unwrap_err(), expired);
        }
    }
}

#[test]
fn a_file_is_read_again_and_a_broken_one_changes_nothing() {
    let path = Path::new();
    let (key, secret) = made("ops", &["publish"]);
    let mut file = ApiKeyFile::open(&path.0).unwrap();
    file.insert(key).unwrap();
    file.save().unwrap();
    let keys = ApiKeys::from_file(&path.0).unwrap();
    assert!(decided(&keys, &secret).is_ok());
    let whole = path.text();
    fs::write(&path.0, &whole[..whole.len() / 2]).unwrap();
    assert!(keys.reload().is_err());
    assert!(decided(&keys, &secret).is_ok());
    fs::write(&path.0, "\n# none\n").unwrap();
    keys.reload().unwrap();
    assert!(decided(&keys, &secret).is_err() && keys.is_empty());
}

#[test]
fn a_file_keeps_its_comments_and_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let path = Path::new();
    fs::write(&path.0, "# keys of the shop\n\n").unwrap();
    fs::set_permissions(&path.0, fs::Permissions::from_mode(0o640)).unwrap();
    let mut file = ApiKeyFile::open(&path.0).unwrap();
    for id in ["a", "b"] {
        file.insert(made(id, &["publish"]).0).unwrap();
    }
    file.save().unwrap();
    assert!(file.remove("a") && !file.remove("a"));
    assert!(file.insert(made("b", &[]).0).is_err());
    file.save().unwrap();
    let text = path.text();
    assert!(
        text.starts_with("# keys of the shop\n\n{\"id\":\"b\","),
        "{text}"
    );
    assert_eq!(text.lines().count(), 3);
    let mode = fs::metadata(&path.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    drop(file);
    let fresh = Path::new();
    ApiKeyFile::open(&fresh.0).unwrap().save().unwrap();
    let mode = fs::metadata(&fresh.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn broken_lines_are_named() {
    let hash = "0".repeat(64);
    let line = |fields: &str| format!("{{\"id\":\"a\",\"scopes\":[],{fields}}}");
    let hashes = format!("\"hashes\":[{{\"sha256\":\"{hash}\"}}]");
    for (text, expected) in [
        ("{".to_owned(), "line 2, column 1"),
        ("[]".to_owned(), "expected an object"),
        (line("\"x\":1"), "line 2, column"),
        (
            line("\"hashes\":[]"),
            "line 2 of the API keys: a key needs one or two",
        ),
        (line("\"hashes\":[{\"sha256\":\"xyz\"}]"), "SHA-256"),
        (
            line(&format!("{hashes},\"expires_at\":\"tomorrow\"")),
            "RFC 3339",
        ),
        (line(&format!("{hashes},\"rate\":0")), "line 2, column"),
        (line(&hashes).replace("\"a\"", "\"A\""), "the id of a key"),
        (
            line(&hashes).replace("[],", "[\"room..x\"],"),
            "a scope is the name",
        ),
        (
            format!("{0}\n{0}", line(&hashes)),
            "two API keys have the id `a`",
        ),
    ] {
        let path = Path::new();
        fs::write(&path.0, format!("# first\n{text}\n")).unwrap();
        let error = ApiKeys::from_file(&path.0).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains(&hash));
    }
    let missing = ApiKeys::from_file("/nowhere/keys").unwrap_err().to_string();
    assert!(
        missing.starts_with("cannot read /nowhere/keys"),
        "{missing}"
    );
}

#[test]
fn ids_and_scopes_are_checked() {
    for id in ["", "A", "a_b", "a b", &"a".repeat(33)] {
        assert_eq!(ApiKey::generate(id).unwrap_err(), ApiKeyError::Id, "{id}");
    }
    let key = ApiKey::generate("a").unwrap().key;
    assert_eq!(key.clone().scope("").unwrap_err(), ApiKeyError::Scope);
    let many = (0..64).fold(key, |key, n| key.scope(&n.to_string()).unwrap());
    assert_eq!(many.scope("x").unwrap_err(), ApiKeyError::Scope);
}
