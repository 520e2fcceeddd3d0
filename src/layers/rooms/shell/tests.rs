//! What a crowd of rooms promises that no single room can.

use std::sync::Arc;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::RoomChange;
use super::Rooms;
use crate::hub::Hub;
use crate::layers::name::Actor;
use crate::layers::name::RoomId;
use crate::layers::name::UserId;
use crate::layers::rooms::config::RoomsConfig;
use crate::layers::rooms::options::RoomOptions;
use crate::layers::rooms::role::Role;
use crate::time::Clock;
use crate::time::ManualClock;

#[test]
fn nobody_takes_the_id_of_a_direct_room_of_others() {
    let rooms = rooms();
    let squat = RoomId::parse("dm:3:ada:bob").unwrap();
    for actor in [Actor::User(user("eve")), Actor::Server] {
        let options = RoomOptions::new("mine").id(squat.clone());
        let error = rooms.create(&actor, options).unwrap_err();
        assert_eq!(error.field(), Some("room_id"), "{error}");
    }
    let direct = rooms.direct(&Actor::Server, &user("bob"), &user("ada"));
    assert_eq!(direct.unwrap().id, squat);
}

#[test]
fn two_with_long_ids_who_ask_at_once_meet_in_one_room() {
    const PAIRS: usize = 300;
    let rooms = rooms();
    let start = Barrier::new(2);
    let ask = |swapped: bool| {
        let mut ids = Vec::new();
        for pair in 0..PAIRS {
            let (one, other) = (long("a", pair), long("b", pair));
            let (one, other) = if swapped { (other, one) } else { (one, other) };
            start.wait();
            ids.push(rooms.direct(&Actor::Server, &one, &other).unwrap().id);
        }
        ids
    };
    let (ids, others) = thread::scope(|scope| {
        let other = scope.spawn(|| ask(true));
        (ask(false), other.join().unwrap())
    });
    assert_eq!(ids, others);
    assert_eq!(rooms.count(), PAIRS, "no room is left that nobody finds");
}

#[test]
fn an_owner_who_is_the_last_to_go_is_told_to_have_left() {
    let rooms = rooms();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let ada = user("ada");
    let room = rooms
        .create(&Actor::User(ada.clone()), RoomOptions::new("mine"))
        .unwrap()
        .id;
    rooms.observe(move |change| telling.lock().push(change.clone()));
    rooms.leave(&ada, &room).unwrap();
    let expected = [
        RoomChange::Left(room.clone(), ada),
        RoomChange::Deleted(room),
    ];
    assert_eq!(*told.lock(), expected);
}

#[test]
fn what_is_to_be_forgotten_later_takes_no_more_room_than_it_is_worth() {
    let (rooms, clock) = clocked();
    let room = rooms.create(&Actor::Server, RoomOptions::new("den"));
    let room = room.unwrap().id;
    let bob = user("bob");
    for _ in 0..1000 {
        let day = Some(Duration::from_secs(24 * 3600));
        rooms.ban(&Actor::Server, &room, &bob, None, day).unwrap();
        rooms.unban(&Actor::Server, &room, &bob).unwrap();
    }
    let waiting = rooms.inner.wheel.lock().len();
    assert!(waiting <= 2, "{waiting} timers for one ban");

    let ever = Some(Duration::MAX);
    let short = Some(Duration::from_secs(10));
    let eve = user("eve");
    rooms.ban(&Actor::Server, &room, &bob, None, ever).unwrap();
    rooms.ban(&Actor::Server, &room, &eve, None, short).unwrap();
    clock.advance(Duration::from_secs(11));
    rooms.tick(clock.now());
    let is_gone = |user: &UserId| {
        let bans = rooms.bans(&Actor::Server, &room, None, 10).unwrap().0;
        !bans.iter().any(|ban| ban.user_id == *user)
    };
    assert!(is_gone(&eve) && !is_gone(&bob));
    let stats = rooms.stats(&Actor::Server, &room).unwrap();
    assert_eq!(stats.bans, 1, "what is over is forgotten in time");
}

#[test]
fn bans_that_end_one_after_another_are_all_forgotten_in_time() {
    let (rooms, clock) = clocked();
    let room = rooms.create(&Actor::Server, RoomOptions::new("den"));
    let room = room.unwrap().id;
    let hours = [5, 1, 4, 2, 3];
    for hour in hours {
        let who = user(&format!("u{hour}"));
        let lasting = Some(Duration::from_secs(hour * 3600));
        rooms
            .ban(&Actor::Server, &room, &who, None, lasting)
            .unwrap();
    }
    for passed in 1..=5 {
        clock.advance(Duration::from_secs(3600));
        while rooms.next_deadline().is_some_and(|due| due <= clock.now()) {
            rooms.tick(clock.now());
        }
        clock.advance(Duration::from_millis(200));
        rooms.tick(clock.now());
        let stats = rooms.stats(&Actor::Server, &room).unwrap();
        assert_eq!(stats.bans, 5 - passed);
    }
    assert_eq!(rooms.inner.wheel.lock().len(), 0, "nothing waits any more");
}

#[test]
fn the_members_of_a_role_are_paged_to_the_last_one() {
    const GUESTS: usize = super::read::MOST_LOOKED_AT + 5;
    let rooms = rooms();
    let room = rooms.create(&Actor::Server, RoomOptions::new("hall"));
    let room = room.unwrap().id;
    for number in 0..GUESTS {
        let guest = user(&format!("a{number:06}"));
        let added = rooms.add_member(&Actor::Server, &room, &guest, Role::Guest);
        added.unwrap();
    }
    let last = user("zoe");
    let added = rooms.add_member(&Actor::Server, &room, &last, Role::Member);
    added.unwrap();
    for (role, expected) in [(Role::Member, 1), (Role::Guest, GUESTS), (Role::Admin, 0)] {
        let (mut found, mut after) = (0, None);
        loop {
            let page = rooms.members(&Actor::Server, &room, Some(role), after.as_ref(), 1000);
            let (members, next) = page.unwrap();
            found += members.len();
            assert!(members.iter().all(|member| member.role == role));
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(found, expected, "{role}");
    }
}

fn rooms() -> Rooms {
    Rooms::new(&Hub::new(), RoomsConfig::new(), |_: &UserId| Vec::new())
}

fn clocked() -> (Rooms, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let given: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let nobody = |_: &UserId| Vec::new();
    let rooms = Rooms::with_clock(&Hub::new(), RoomsConfig::new(), nobody, given);
    (rooms, clock)
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

/// An id that is so long that those of two do not fit into that of a room.
fn long(prefix: &str, number: usize) -> UserId {
    user(&format!("{prefix}{number:0>100}"))
}
