//! Tests of sessions as plain data.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use proptest::prelude::*;

use super::ID_BYTES;
use super::Id;
use super::Note;
use super::ResumeError;
use super::State;
use crate::id::ClientId;
use crate::layers::name::UserId;
use crate::layers::sessions::config::SessionsConfig;

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// An id that stands for this name.
fn id_of(name: &str) -> Id {
    let mut id = [0; ID_BYTES];
    id[..name.len()].copy_from_slice(name.as_bytes());
    id
}

fn note(key: &str, text: &str) -> Note {
    Note {
        key: key.into(),
        text: text.into(),
    }
}

const TTL: Duration = Duration::from_secs(30);

#[test]
fn a_session_is_resumed_once_by_its_owner() {
    let now = Instant::now();
    let mut state = State::new(SessionsConfig::new());
    state.open(id_of("s"), Some(user("ada")), ClientId::new(1));
    assert!(state.note(&id_of("s"), &note("a", "1")));
    assert!(state.note(&id_of("s"), &note("b", "2")));
    assert!(state.note(&id_of("s"), &note("a", "3")));
    state.forget(&id_of("s"), "b");
    state.lose(&id_of("s"), now);
    assert_eq!(
        state.resume(&id_of("s"), None, now),
        Err(ResumeError::NotOwned)
    );
    assert_eq!(
        state.resume(&id_of("s"), Some(&user("bob")), now),
        Err(ResumeError::NotOwned)
    );
    let resumed = state.resume(&id_of("s"), Some(&user("ada")), now).unwrap();
    assert_eq!(
        (resumed.notes, resumed.incomplete, resumed.connected),
        (vec![note("a", "3")], false, None)
    );
    assert_eq!(
        state.resume(&id_of("s"), Some(&user("ada")), now),
        Err(ResumeError::Unknown)
    );
    assert_eq!((state.len(), state.kept_bytes), ((0, 0), 0));
}

#[test]
fn one_that_is_still_connected_is_taken_over() {
    let now = Instant::now();
    let mut state = State::new(SessionsConfig::new());
    state.open(id_of("s"), None, ClientId::new(7));
    let resumed = state.resume(&id_of("s"), None, now).unwrap();
    assert_eq!(resumed.connected, Some(ClientId::new(7)));
    // The old connection ends later: nothing is left of it.
    assert!(!state.note(&id_of("s"), &note("a", "1")));
    state.lose(&id_of("s"), now);
    assert_eq!(state.len(), (0, 0));
}

#[test]
fn it_is_forgotten_after_the_ttl() {
    let now = Instant::now();
    let mut state = State::new(SessionsConfig::new().ttl(TTL));
    state.open(id_of("s"), None, ClientId::new(1));
    state.lose(&id_of("s"), now);
    assert_eq!(state.first_due(), Some(now + TTL));
    state.expire(now + TTL - Duration::from_millis(1), usize::MAX);
    assert_eq!(state.len(), (1, 1));
    assert_eq!(
        state.resume(&id_of("s"), None, now + TTL),
        Err(ResumeError::Unknown)
    );
    assert_eq!(state.len(), (0, 0));
}

#[test]
fn every_bound_holds() {
    let now = Instant::now();
    let config = SessionsConfig::new()
        .max_sessions(2)
        .max_bytes(4)
        .max_total_bytes(6);
    let mut state = State::new(config);
    for id in ["a", "b", "c"] {
        state.open(id_of(id), None, ClientId::new(1));
        assert!(state.note(&id_of(id), &note("k", "1")));
        assert!(
            !state.note(&id_of(id), &note("m", "1234")),
            "more than one may note"
        );
        state.lose(&id_of(id), now);
    }
    assert_eq!(state.len(), (2, 2));
    assert_eq!(
        state.resume(&id_of("a"), None, now),
        Err(ResumeError::Unknown),
        "the oldest"
    );
    assert!(state.resume(&id_of("b"), None, now).unwrap().incomplete);
    for id in ["d", "e"] {
        state.open(id_of(id), None, ClientId::new(1));
        assert!(state.note(&id_of(id), &note("k", "123")));
        state.lose(&id_of(id), now);
        assert!(state.kept_bytes <= 6);
    }
    assert!(state.resume(&id_of("e"), None, now).is_ok());
}

#[test]
fn one_that_is_lost_and_resumed_for_ever_takes_no_room() {
    let now = Instant::now();
    let mut state = State::new(SessionsConfig::new());
    state.open(id_of("kept"), None, ClientId::new(1));
    state.lose(&id_of("kept"), now);
    for round in 0..1000 {
        let id = round.to_string();
        state.open(id_of(&id), None, ClientId::new(1));
        state.lose(&id_of(&id), now);
        assert!(state.resume(&id_of(&id), None, now).is_ok());
        assert!(state.queue.len() < 100, "{}", state.queue.len());
    }
    assert!(state.resume(&id_of("kept"), None, now).is_ok());
}

#[derive(Clone, Debug)]
enum Step {
    Open(u8, u8),
    Note(u8, u8),
    Lose(u8),
    Resume(u8, u8),
    Wait(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6u8, 0..2u8).prop_map(|(id, owner)| Step::Open(id, owner)),
        (0..6u8, 0..3u8).prop_map(|(id, key)| Step::Note(id, key)),
        (0..6u8).prop_map(Step::Lose),
        (0..6u8, 0..2u8).prop_map(|(id, owner)| Step::Resume(id, owner)),
        (0..20u8).prop_map(Step::Wait),
    ]
}

/// A session in the model: owner, notes, and until when it is kept.
type Model = BTreeMap<u8, (u8, Vec<u8>, Option<Instant>)>;

proptest! {
    #[test]
    fn it_does_what_a_map_does(steps in proptest::collection::vec(step(), 0..100)) {
        let mut now = Instant::now();
        let mut state = State::new(SessionsConfig::new().ttl(TTL));
        let mut model = Model::new();
        let owner = |owner: u8| Some(user(&owner.to_string()));
        for step in steps {
            match step {
                Step::Open(id, of) => {
                    if model.contains_key(&id) {
                        // Ids are never given twice.
                        continue;
                    }
                    state.open(id_of(&id.to_string()), owner(of), ClientId::new(1));
                    model.insert(id, (of, Vec::new(), None));
                }
                Step::Note(id, key) => {
                    let noted = state.note(&id_of(&id.to_string()), &note(&key.to_string(), ""));
                    let open = model.get_mut(&id).filter(|(_, _, lost)| lost.is_none());
                    prop_assert_eq!(noted, open.is_some());
                    if let Some((_, notes, _)) = open {
                        notes.retain(|noted| *noted != key);
                        notes.push(key);
                    }
                }
                Step::Lose(id) => {
                    let Some((_, _, lost @ None)) = model.get_mut(&id) else { continue };
                    *lost = Some(now + TTL);
                    state.lose(&id_of(&id.to_string()), now);
                }
                Step::Resume(id, by) => {
                    let resumed = state.resume(&id_of(&id.to_string()), owner(by).as_ref(), now);
                    match model.get(&id) {
                        None => prop_assert_eq!(resumed, Err(ResumeError::Unknown)),
                        Some((of, ..)) if *of != by => {
                            prop_assert_eq!(resumed, Err(ResumeError::NotOwned));
                        }
                        Some((_, notes, _)) => {
                            let keys: Vec<_> = notes.iter().map(ToString::to_string).collect();
                            let got: Vec<_> = resumed.unwrap().notes.into_iter()
                                .map(|note| note.key.into_string()).collect();
                            prop_assert_eq!(got, keys);
                            model.remove(&id);
                        }
                    }
                }
                Step::Wait(seconds) => {
                    now += Duration::from_secs(seconds.into());
                    while state.expire(now, 1) {}
                    model.retain(|_, (_, _, lost)| lost.is_none_or(|due| due > now));
                }
            }
            let kept = model.values().filter(|(_, _, lost)| lost.is_some()).count();
            prop_assert_eq!(state.len(), (model.len(), kept));
        }
    }
}
