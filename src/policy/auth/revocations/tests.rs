//! Revocations on a manual clock, in memory and in a file.

use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

use crate::code::ErrorCode;
use crate::layers::Timestamp;
use crate::layers::UserId;
use crate::session::Identity;
use crate::time::ManualClock;

use super::super::time::TimeOfDay;
use super::RevocationError;
use super::Revocations;
use super::RevocationsConfig;
use super::Revoked;

/// A folder of its own for each test, removed when it passes.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("throng-revocations-{}-{count}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join(super::log::FILE)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn with_token(id: &str) -> Identity {
    Identity::of(user("ada")).token_id(id)
}

/// A clock, and the times of it that are so many seconds away.
fn world() -> (ManualClock, RevocationsConfig, impl Fn(u64) -> Timestamp) {
    let clock = ManualClock::new();
    let config = RevocationsConfig::new().clock(clock.clone());
    let start = TimeOfDay::new(Arc::new(clock.clone())).unix();
    let at = move |seconds| Timestamp::since_unix_epoch(start + Duration::from_secs(seconds));
    (clock, config, at)
}

#[test]
fn a_token_is_revoked_by_its_id() {
    let revocations = Revocations::default();
    revocations.revoke_token("t1", None).unwrap();
    assert!(revocations.is_revoked(&with_token("t1")));
    assert!(!revocations.is_revoked(&with_token("t2")));
    assert!(!revocations.is_revoked(&Identity::of(user("ada"))));
}

#[test]
fn tokens_of_a_user_are_revoked_that_were_issued_before() {
    let (_, config, at) = world();
    let revocations = Revocations::new(config);
    revocations.revoke_user(&user("ada"), at(10), None).unwrap();
    let issued = |name: &str, seconds| Identity::of(user(name)).issued_at(at(seconds));
    assert!(revocations.is_revoked(&issued("ada", 9)));
    assert!(!revocations.is_revoked(&issued("ada", 10)));
    assert!(!revocations.is_revoked(&issued("bob", 9)));
    assert!(
        revocations.is_revoked(&Identity::of(user("ada"))),
        "no `iat`"
    );
    // An earlier time does not take the later one back.
    revocations.revoke_user(&user("ada"), at(5), None).unwrap();
    assert!(revocations.is_revoked(&issued("ada", 9)));
}

#[test]
fn a_full_table_refuses_and_forgets_nothing() {
    let (clock, config, at) = world();
    let revocations = Revocations::new(config.max_entries(2));
    revocations.revoke_token("t1", Some(at(60))).unwrap();
    revocations
        .revoke_user(&user("bob"), at(0), Some(at(90)))
        .unwrap();
    let full = revocations.revoke_token("t3", Some(at(60))).unwrap_err();
    assert_eq!(full.code(), ErrorCode::TooManyRevocations);
    assert!(revocations.is_revoked(&with_token("t1")));
    revocations.revoke_token("t1", Some(at(70))).unwrap();
    clock.advance(Duration::from_secs(70));
    revocations.revoke_token("t3", Some(at(99))).unwrap();
    assert_eq!(revocations.len(), 2, "what has expired made room");
}

#[test]
fn observers_hear_which_identities_are_meant() {
    let (_, config, at) = world();
    let revocations = Revocations::new(config);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    revocations.on_revoked(move |revoked| hears.lock().push(revoked.clone()));
    revocations.revoke_token("t1", None).unwrap();
    revocations.revoke_user(&user("ada"), at(5), None).unwrap();
    let heard = heard.lock();
    assert_eq!(heard[0], Revoked::Token("t1".into()));
    assert!(heard[0].matches(&with_token("t1")) && !heard[0].matches(&with_token("t2")));
    assert!(heard[1].matches(&Identity::of(user("ada")).issued_at(at(4))));
    assert!(!heard[1].matches(&Identity::of(user("ada")).issued_at(at(5))));
    assert!(!heard[1].matches(&Identity::of(user("bob"))));
}

#[test]
fn ids_are_bounded() {
    let revocations = Revocations::default();
    for id in ["", &"x".repeat(257)] {
        let error = revocations.revoke_token(id, None).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidField);
    }
    revocations.revoke_token(&"x".repeat(256), None).unwrap();
}

#[test]
fn revocations_survive_a_restart_until_they_expire() {
    let folder = Folder::new();
    let (clock, config, at) = world();
    let open = || Revocations::open(&folder.0, config.clone());
    let revocations = open().unwrap();
    revocations.revoke_token("short", Some(at(60))).unwrap();
    revocations
        .revoke_token("long \"quoted\" \u{1f980}", None)
        .unwrap();
    revocations
        .revoke_user(&user("bob"), at(3), Some(at(90)))
        .unwrap();
    assert!(
        matches!(open(), Err(RevocationError::Store(_))),
        "open already"
    );
    drop(revocations);
    let revocations = open().unwrap();
    assert_eq!(revocations.len(), 3);
    let bob = Identity::of(user("bob")).issued_at(at(2));
    assert!(revocations.is_revoked(&bob));
    drop(revocations);
    clock.advance(Duration::from_secs(60));
    let revocations = open().unwrap();
    assert_eq!(revocations.len(), 2);
    assert!(revocations.is_revoked(&with_token("long \"quoted\" \u{1f980}")));
    assert_eq!(fs::read_to_string(folder.log()).unwrap().lines().count(), 2);
}

#[test]
fn a_damaged_end_is_dropped_and_other_damage_refused() {
    let folder = Folder::new();
    let open = || Revocations::open(&folder.0, RevocationsConfig::new());
    let revocations = open().unwrap();
    for id in ["t1", "t2", "t3"] {
        revocations.revoke_token(id, None).unwrap();
    }
    drop(revocations);
    let whole = fs::read(folder.log()).unwrap();
    for cut in 1..=whole.len() {
        fs::write(folder.log(), &whole[..whole.len() - cut]).unwrap();
        let lines = whole[..whole.len() - cut]
            .iter()
            .filter(|byte| **byte == b'\n');
        assert_eq!(open().unwrap().len(), lines.count(), "cut by {cut}");
    }
    fs::write(folder.log(), &whole).unwrap();
    let mut file = OpenOptions::new().append(true).open(folder.log()).unwrap();
    file.write_all(&[0; 100]).unwrap();
    assert_eq!(
        open().unwrap().len(),
        3,
        "zeros of a write that was cut off"
    );
    let mut flipped = whole;
    flipped[20] ^= 1;
    fs::write(folder.log(), &flipped).unwrap();
    let error = open().unwrap_err();
    assert!(matches!(error, RevocationError::Damaged(1)), "{error}");
    assert_eq!(
        fs::read(folder.log()).unwrap(),
        flipped,
        "it is left as it was"
    );
}

#[test]
fn the_file_does_not_grow_with_what_has_expired() {
    let folder = Folder::new();
    let (clock, config, at) = world();
    let revocations = Revocations::open(&folder.0, config).unwrap();
    for second in 0..1100 {
        let id = second.to_string();
        revocations.revoke_token(&id, Some(at(second + 2))).unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let lines = fs::read_to_string(folder.log()).unwrap().lines().count();
    assert!(lines < 200, "{lines}");
}

#[test]
fn a_revocation_that_is_not_stored_is_refused() {
    let folder = Folder::new();
    let revocations = Revocations::open(&folder.0, RevocationsConfig::new()).unwrap();
    revocations.revoke_token("t1", None).unwrap();
    let (read_only, _) = (fs::File::open(folder.log()).unwrap(), ());
    revocations
        .inner
        .log
        .lock()
        .as_mut()
        .unwrap()
        .write_to(read_only);
    let error = revocations.revoke_token("t2", None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::StoreFailed);
    assert!(!revocations.is_revoked(&with_token("t2")));
    assert!(revocations.is_revoked(&with_token("t1")));
}
