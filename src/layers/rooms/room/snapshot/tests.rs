//! What comes back from a snapshot is the room, and what is none is refused.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::InvalidSnapshot;
use super::Room;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::config::RoomsConfig;
use crate::layers::rooms::options::RoomOptions;
use crate::layers::rooms::options::RoomPatch;
use crate::layers::rooms::role::Role;
use crate::layers::rooms::room::tests::Real;
use crate::layers::rooms::room::tests::Step;
use crate::layers::rooms::room::tests::actor;
use crate::layers::rooms::room::tests::step;
use crate::layers::rooms::room::tests::user;
use crate::layers::rooms::view::LogEntryView;
use crate::layers::rooms::view::RoomStats;
use crate::layers::rooms::view::RoomView;

const NOW: u64 = 1_000_000;

/// A verb of the model, or one that it does not know.
#[derive(Clone, Debug)]
enum Verb {
    Known(Step),
    Pin(Option<u8>, u64),
    Unpin(Option<u8>, u64),
    Purge,
    Read(u8, u64),
    Revoke(Option<u8>, u8),
    Update(Option<u8>, bool, f64),
}

fn verb() -> impl Strategy<Value = Verb> {
    let who = || prop_oneof![3 => (0..5_u8).prop_map(Some), 2 => Just(None)];
    prop_oneof![
        12 => step().prop_map(Verb::Known),
        1 => (who(), 1..6_u64).prop_map(|(a, b)| Verb::Pin(a, b)),
        1 => (who(), 1..6_u64).prop_map(|(a, b)| Verb::Unpin(a, b)),
        1 => Just(Verb::Purge),
        1 => (0..5_u8, 1..6_u64).prop_map(|(a, b)| Verb::Read(a, b)),
        1 => (who(), 0..4_u8).prop_map(|(a, b)| Verb::Revoke(a, b)),
        1 => (who(), any::<bool>(), prop::num::f64::NORMAL)
            .prop_map(|(a, b, c)| Verb::Update(a, b, c)),
    ]
}

/// What it came to, as text: errors, and what is given back.
fn apply(real: &mut Real, verb: &Verb) -> String {
    let (now, room) = (real.now, &mut real.room);
    match verb {
        Verb::Known(step) => format!("{:?}", real.apply(step)),
        Verb::Pin(who, number) => format!("{:?}", room.pin(&actor(*who), *number, now)),
        Verb::Unpin(who, number) => format!("{:?}", room.unpin(&actor(*who), *number, now)),
        Verb::Purge => format!("{:?}", room.purge(now)),
        Verb::Read(who, number) => format!("{:?}", room.mark_read(&user(*who), *number)),
        Verb::Revoke(who, code) => {
            format!("{:?}", room.revoke_invite(&actor(*who), &code.to_string()))
        }
        Verb::Update(who, private, number) => {
            let metadata = json!({ "number": number, "nested": [{ "ü\n": null }] });
            let patch = RoomPatch::new()
                .name("другое \"имя\"")
                .category(private.then(|| "kind".to_owned()))
                .tags(vec!["a".to_owned(), "b".to_owned()])
                .metadata(metadata.as_object().unwrap().clone())
                .private(*private)
                .max_members(4);
            format!("{:?}", room.update(&actor(*who), patch, now))
        }
    }
}

/// Everything that can be asked.
fn answers(room: &Room, now: u64) -> Value {
    let users: Vec<_> = (0..5).map(user).collect();
    let by_role: Vec<Vec<&UserId>> = Role::ALL
        .into_iter()
        .map(|role| {
            room.members_after(None, Some(role))
                .map(|it| it.0)
                .collect()
        })
        .collect();
    let of_users = users.iter().map(|user| {
        let send = format!("{:?}", room.check_send(user, now));
        let join = format!("{:?}", room.check_join(user, Some("0"), now));
        let delete = room.check_delete(&Actor::User(user.clone())).is_ok();
        let member = format!("{:?}", room.member(user));
        json!([send, join, delete, member, room.permissions(user)])
    });
    let mut invites: Vec<_> = room.invites(now).map(|it| format!("{it:?}")).collect();
    invites.sort();
    json!({
        "view": RoomView::of(room),
        "stats": RoomStats::of(room, 0, now),
        "log": room.log().map(LogEntryView::of).collect::<Vec<_>>(),
        "pins": format!("{:?}", room.pins()),
        "bans": format!("{:?}", room.bans_after(None, now).collect::<Vec<_>>()),
        "mutes": format!("{:?}", room.mutes_after(None, now).collect::<Vec<_>>()),
        "expiry": room.next_expiry(),
        "users": of_users.collect::<Vec<_>>(),
        "by_role": by_role,
        "invites": invites,
    })
}

fn id() -> RoomId {
    RoomId::parse("den").unwrap()
}

fn config() -> Arc<RoomsConfig> {
    Arc::new(RoomsConfig::new().max_log(5).max_invites(4))
}

fn room(private: bool) -> Room {
    let options = RoomOptions::new("den")
        .description("where?")
        .private(private);
    let mut room = Room::new(id(), options, &config(), NOW);
    room.found(&user(0), NOW);
    room
}

fn restored(room: &Room) -> Room {
    Room::restored(id(), &room.snapshot(), &config()).unwrap()
}

proptest! {
    #[test]
    fn a_room_comes_back_as_it_was_and_goes_on_as_it_would_have(
        before in prop::collection::vec(verb(), 0..60),
        after in prop::collection::vec(verb(), 0..30),
        private in any::<bool>(),
    ) {
        let mut real = Real { room: room(private), now: NOW, invites: 0 };
        for verb in &before {
            apply(&mut real, verb);
            if real.room.member_count() == 0 {
                return Ok(());
            }
        }
        let mut again = Real { room: restored(&real.room), now: real.now, invites: real.invites };
        for verb in [&Verb::Known(Step::Wait(0))].into_iter().chain(&after) {
            prop_assert_eq!(apply(&mut again, verb), apply(&mut real, verb), "{:?}", verb);
            prop_assert_eq!(again.room.snapshot(), real.room.snapshot(), "{:?}", verb);
            prop_assert_eq!(answers(&again.room, again.now), answers(&real.room, real.now));
        }
    }

    #[test]
    fn a_damaged_snapshot_is_refused_or_a_room(
        verbs in prop::collection::vec(verb(), 0..40),
        after in prop::collection::vec(verb(), 0..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut real = Real { room: room(false), now: NOW, invites: 0 };
        for verb in &verbs {
            apply(&mut real, verb);
        }
        let mut bytes = real.room.snapshot().to_vec();
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = if byte % 2 == 0 { b'0' + byte % 10 } else { *byte };
        }
        if let Ok(room) = Room::restored(id(), &bytes, &config()) {
            real.room = room;
            for verb in &after {
                apply(&mut real, verb);
            }
            answers(&real.room, real.now);
        }
    }
}

#[test]
fn a_cut_snapshot_is_refused_wherever_it_is_cut() {
    let bytes = room(true).snapshot();
    for len in 0..bytes.len() {
        let error = Room::restored(id(), &bytes[..len], &config()).unwrap_err();
        assert!(matches!(error, InvalidSnapshot::Malformed(_)), "{error}");
    }
}

#[test]
fn a_newer_snapshot_is_refused_for_its_version() {
    let newer = json!({ "version": 2, "anything": ["else"] }).to_string();
    let error = Room::restored(id(), newer.as_bytes(), &config()).unwrap_err();
    assert_eq!(error, InvalidSnapshot::Version(2));
    assert!(error.to_string().contains("version 2"), "{error}");
}

#[test]
fn a_snapshot_that_contradicts_itself_is_refused() {
    let broken = [
        ("messages", json!(u64::MAX)),
        ("messages", json!(0)),
        ("today", json!([0, 9])),
        ("owner", json!(null)),
        ("owner", json!("u1")),
        ("owner", json!("nobody")),
        ("direct", json!(true)),
        ("members", json!({})),
        ("pins", json!([{ "message": 0, "by": null, "at": 1 }])),
    ];
    for (field, value) in broken {
        let error = with(field, value).unwrap_err();
        let is_told = matches!(error, InvalidSnapshot::Contradicts(_));
        assert!(is_told, "{field}: {error}");
    }
}

#[test]
fn a_snapshot_with_what_cannot_be_is_refused() {
    let broken = [
        ("name", json!(7)),
        ("owner", json!("")),
        ("owner", json!("u\u{0}")),
        ("members", json!({ "": {} })),
        ("max_members", json!(-1)),
        ("surplus", json!(1)),
        (
            "bans",
            json!({ "u3": { "by": null, "reason": null, "since": 1, "for": 2 } }),
        ),
    ];
    for (field, value) in broken {
        let error = with(field, value).unwrap_err();
        assert!(matches!(error, InvalidSnapshot::Malformed(_)), "{field}");
    }
    let roles = json!({ "u0": {
        "role": "king", "granted": [], "joined_at": 1, "last_sent": 0, "read": 0,
    } });
    assert!(
        with("members", roles)
            .unwrap_err()
            .to_string()
            .contains("no role")
    );
}

#[test]
fn a_log_that_is_longer_than_it_may_be_now_loses_the_oldest() {
    let mut room = room(false);
    for locked in [true, false, true] {
        room.set_locked(&Actor::Server, locked, NOW).unwrap();
    }
    let config = Arc::new(RoomsConfig::new().max_log(2));
    let room = Room::restored(id(), &room.snapshot(), &config).unwrap();
    let log: Vec<_> = room.log().map(|entry| &*entry.action).collect();
    assert_eq!(log, ["lock", "unlock"]);
}

#[test]
fn who_left_a_slow_room_before_it_was_kept_waits_no_less() {
    let mut room = room(false);
    room.set_slow_mode(&Actor::Server, 20, NOW).unwrap();
    let come = |room: &mut Room| {
        let admission = room.check_join(&user(1), None, NOW).unwrap().unwrap();
        room.admit(&user(1), admission, NOW);
    };
    come(&mut room);
    room.send(&actor(Some(1)), NOW).unwrap();
    room.leave(&user(1), NOW).unwrap();
    let mut room = restored(&room);
    come(&mut room);
    room.send(&actor(Some(1)), NOW + 19).unwrap_err();
    room.send(&actor(Some(1)), NOW + 20).unwrap();
}

/// A room that was used, with one field as it was not.
fn with(field: &str, value: Value) -> Result<Room, InvalidSnapshot> {
    let mut room = room(false);
    let admission = room.check_join(&user(1), None, NOW).unwrap().unwrap();
    room.admit(&user(1), admission, NOW);
    room.send(&actor(Some(1)), NOW).unwrap();
    room.pin(&Actor::Server, 1, NOW).unwrap();
    let day = Some(Duration::from_secs(24 * 3600));
    let server = Actor::Server;
    room.ban(&server, &user(2), Some("why"), day, NOW).unwrap();
    let mut snapshot: Map<String, Value> = serde_json::from_slice(&room.snapshot()).unwrap();
    snapshot.insert(field.to_owned(), value);
    let bytes = Value::Object(snapshot).to_string();
    Room::restored(id(), bytes.as_bytes(), &config())
}

#[test]
fn metadata_that_may_be_is_not_too_deep_to_come_back() {
    let nested = |depth| {
        let value = (0..depth).fold(Value::Null, |value, _| json!([value]));
        Map::from_iter([("deep".to_owned(), value)])
    };
    let options = |depth| RoomOptions::new("den").metadata(nested(depth));
    options(101).check(&config()).unwrap_err();
    options(100).check(&config()).unwrap();
    let room = Room::new(id(), options(100), &config(), NOW);
    assert_eq!(restored(&room).snapshot(), room.snapshot());
}
