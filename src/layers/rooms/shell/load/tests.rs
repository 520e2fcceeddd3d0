//! Loaded rooms are there as if they had never gone, and nobody is told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Rooms;
use crate::hub::ConnectOptions;
use crate::hub::Hub;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::config::RoomsConfig;
use crate::layers::rooms::error::InvalidSnapshot;
use crate::layers::rooms::error::LoadError;
use crate::layers::rooms::error::RoomError;
use crate::layers::rooms::options::RoomOptions;
use crate::layers::rooms::options::RoomPatch;
use crate::message::Message;
use crate::time::Clock;
use crate::time::ManualClock;

#[test]
fn limits_the_hook_and_observers_have_no_part_in_it() {
    let (ada, kept) = (user("ada"), kept(3));
    let config = RoomsConfig::new().max_rooms(1).max_rooms_per_user(1);
    let rooms = rooms_with(&Hub::new(), config);
    rooms.authorize(|_| Err("no".to_owned()));
    rooms.observe(|change| panic!("{change:?}"));
    assert_eq!(rooms.load(kept), Ok(3));
    assert_eq!((rooms.count(), rooms.rooms_of(&ada).len()), (3, 3));
}

#[test]
fn what_will_be_over_is_forgotten_in_time_and_what_was_is_at_once() {
    let origin = tracked();
    let den = make(&origin, "den");
    for (who, secs) in [("bob", 0), ("cy", 10), ("dan", 1_000_000)] {
        let lasting = Some(Duration::from_secs(secs));
        let banned = origin.ban(&SERVER, &den, &user(who), None, lasting);
        banned.unwrap();
    }
    let clock = Arc::new(ManualClock::new());
    let given: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let nobody = |_: &UserId| Vec::new();
    let rooms = Rooms::with_clock(&Hub::new(), RoomsConfig::new(), nobody, given);
    rooms.load(take(&origin)).unwrap();
    let bans = || rooms.stats(&SERVER, &den).unwrap().bans;
    assert_eq!(bans(), 3);
    for (passed, left) in [(1, 2), (11, 1)] {
        clock.advance(Duration::from_secs(passed));
        rooms.tick(clock.now());
        assert_eq!(bans(), left);
    }
    assert!(rooms.next_deadline().is_some());
}

#[test]
fn connections_of_members_receive_their_rooms_whenever_they_come() {
    let hub = Hub::new();
    let connect = || hub.connect(ConnectOptions::new().user("ada")).unwrap();
    let [(early, early_box), (late, late_box)] = [connect(), connect()];
    let config = RoomsConfig::new();
    let rooms = Rooms::new(&hub, config, move |_: &UserId| vec![early.clone()]);
    rooms.load(kept(1)).unwrap();
    assert!(early_box.is_empty(), "it was told");
    rooms.attach(&late);
    let den = RoomId::parse("den0").unwrap();
    let sent = rooms.send(&SERVER, &den, Message::text("hello"), None);
    assert_eq!(sent.unwrap().delivery.delivered(), 2);
    assert!(!early_box.is_empty() && !late_box.is_empty());
}

#[test]
fn the_direct_room_of_two_is_found_again() {
    let origin = tracked();
    let (ada, bob) = (user("ada"), user("bob"));
    let room = origin.direct(&SERVER, &ada, &bob).unwrap().id;
    let kept = take(&origin);
    let rooms = rooms();
    rooms.load(kept.clone()).unwrap();
    assert_eq!(rooms.direct(&SERVER, &bob, &ada).unwrap().id, room);
    assert_eq!(rooms.count(), 1);

    let squat = RoomId::parse("other").unwrap();
    let error = rooms.load([(squat.clone(), kept[0].1.clone())]);
    let why = RoomError::Exists;
    assert_eq!(error, Err(LoadError::Room { room: squat, why }));
    assert_eq!(rooms.directs(&ada), [(bob, room)]);
    assert_eq!(rooms.count(), 1);
}

#[test]
fn a_room_that_cannot_be_had_ends_it_and_is_named() {
    let mut kept = kept(3);
    let second = kept[1].0.clone();
    kept[1].1 = Bytes::from_static(b"{\"version\":7}");
    let rooms = rooms();
    let error = rooms.load(kept.clone()).unwrap_err();
    assert!(error.to_string().contains("den1"), "{error}");
    let why = InvalidSnapshot::Version(7);
    assert_eq!(error, LoadError::Snapshot { room: second, why });
    assert_eq!(rooms.count(), 1);

    let (room, why) = (kept[0].0.clone(), RoomError::Exists);
    let error = rooms.load(kept).unwrap_err();
    assert_eq!(error, LoadError::Room { room, why });
    assert_eq!(rooms.count(), 1);
}

#[test]
fn what_was_changed_after_it_was_taken_is_taken_next() {
    let origin = tracked();
    let den = make(&origin, "den");
    let name = |rooms: &Rooms| rooms.get(&SERVER, &den).unwrap().name;
    let first = take(&origin);
    let rename = |rooms: &Rooms, name| {
        let patch = RoomPatch::new().name(name);
        rooms.update(&SERVER, &den, patch).unwrap();
    };
    rename(&origin, "second");
    let (old, new) = (rooms(), rooms());
    old.track_changes();
    old.load(first).unwrap();
    assert_eq!(name(&old), "den");
    assert_eq!(old.take_changed(9), [], "whoever gave it has it");
    new.load(take(&origin)).unwrap();
    assert_eq!(name(&new), "second");
    rename(&old, "third");
    assert_eq!(take(&old).len(), 1);
}

const SERVER: Actor = Actor::Server;

fn rooms() -> Rooms {
    rooms_with(&Hub::new(), RoomsConfig::new())
}

fn rooms_with(hub: &Hub, config: RoomsConfig) -> Rooms {
    Rooms::new(hub, config, |_: &UserId| Vec::new())
}

fn tracked() -> Rooms {
    let rooms = rooms();
    rooms.track_changes();
    rooms
}

fn make(rooms: &Rooms, id: &str) -> RoomId {
    let options = RoomOptions::new(id).id(RoomId::parse(id).unwrap());
    let made = rooms.create(&Actor::User(user("ada")), options);
    made.unwrap().id
}

fn take(rooms: &Rooms) -> Vec<(RoomId, Bytes)> {
    let taken = rooms.take_changed(usize::MAX).into_iter();
    taken.filter_map(|(id, it)| Some((id, it?))).collect()
}

/// So many rooms of one owner.
fn kept(count: usize) -> Vec<(RoomId, Bytes)> {
    let rooms = tracked();
    for number in 0..count {
        make(&rooms, &format!("den{number}"));
    }
    take(&rooms)
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}
