//! Rooms as an embedder has them: crowds, races, and what the application is told.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use throng::Actor;
use throng::Client;
use throng::Clock;
use throng::ConnectOptions;
use throng::Hub;
use throng::ManualClock;
use throng::Message;
use throng::MessageHeader;
use throng::Outbox;
use throng::OutboxLimits;
use throng::RoomId;
use throng::UserId;
use throng::rooms::JoinRequest;
use throng::rooms::RoomChange;
use throng::rooms::RoomError;
use throng::rooms::RoomOptions;
use throng::rooms::Rooms;
use throng::rooms::RoomsConfig;

#[test]
fn a_storm_of_joins_costs_frames_in_proportion_to_its_size() {
    const CROWD: usize = 2000;
    let hub = Hub::new();
    let limits = OutboxLimits::new().messages(1 << 12);
    let (clients, mut outboxes): (Vec<Client>, Vec<Outbox>) = (0..CROWD)
        .map(|number| {
            let options = ConnectOptions::new()
                .user(user(number).as_str())
                .outbox(limits);
            hub.connect(options).unwrap()
        })
        .unzip();
    let clock = ManualClock::new();
    let connections = move |user: &UserId| vec![clients[number(user)].clone()];
    let rooms = Rooms::with_clock(
        &hub,
        RoomsConfig::new(),
        connections,
        Arc::new(clock.clone()),
    );
    let room = rooms
        .create(&Actor::Server, RoomOptions::new("large"))
        .unwrap()
        .id;
    for number in 0..CROWD {
        rooms.join(&user(number), &room, None).unwrap();
        if number % 100 == 99 {
            clock.advance(Duration::from_millis(150));
            rooms.tick(clock.now());
        }
    }
    let mut frames = 0;
    let mut told = 0;
    for outbox in &mut outboxes {
        while let Ok(frame) = outbox.try_recv() {
            frames += 1;
            told += usize::from(frame.payload().windows(7).any(|it| it == b"\"user_i"));
        }
    }
    // Those up to the 32nd are told at once; after that, each window of a hundred is one frame.
    assert!(told > CROWD, "everybody was told of somebody: {told}");
    assert!(frames < CROWD * 40, "{frames} frames for {CROWD}");
    assert_eq!(rooms.next_deadline(), None, "nothing is left to be told");
}

#[test]
fn limits_hold_however_many_come_at_once() {
    let hub = Hub::new();
    let config = RoomsConfig::new().max_rooms_per_user(5);
    let rooms = Rooms::new(&hub, config, |_: &UserId| Vec::new());
    let full = rooms
        .create(&Actor::Server, RoomOptions::new("full").max_members(7))
        .unwrap()
        .id;
    let many: Vec<RoomId> = (0..20)
        .map(|_| {
            rooms
                .create(&Actor::Server, RoomOptions::new("one"))
                .unwrap()
                .id
        })
        .collect();
    let greedy = UserId::parse("greedy").unwrap();
    let joined = Mutex::new(0);
    thread::scope(|scope| {
        for worker in 0..8 {
            let (rooms, full, many, greedy, joined) = (&rooms, &full, &many, &greedy, &joined);
            scope.spawn(move || {
                for (index, room) in many.iter().enumerate() {
                    match rooms.join(&user(worker * 100 + index), full, None) {
                        Ok(_) => *joined.lock() += 1,
                        Err(error) => assert_eq!(error, RoomError::Full { limit: 7 }),
                    }
                    if let Err(error) = rooms.join(greedy, room, None) {
                        assert_eq!(error, RoomError::RoomLimitReached { limit: 5 });
                    }
                }
            });
        }
    });
    assert_eq!(*joined.lock(), 7);
    assert_eq!(rooms.get(&Actor::Server, &full).unwrap().members, 7);
    let own = rooms.rooms_of(&greedy);
    assert_eq!(own.len(), 5);
    assert!(own.iter().all(|room| rooms.is_member(&greedy, room)));
    assert_eq!(
        many.iter()
            .filter(|room| rooms.is_member(&greedy, room))
            .count(),
        5
    );
}

#[test]
fn two_who_ask_for_their_direct_room_at_once_meet() {
    let hub = Hub::new();
    let rooms = Rooms::new(&hub, RoomsConfig::new(), |_: &UserId| Vec::new());
    for number in 0..50 {
        let pair = [user(number * 2), user(number * 2 + 1)];
        let found: Vec<_> = thread::scope(|scope| {
            let asking = (0..4).map(|worker| {
                let (rooms, pair) = (&rooms, &pair);
                scope.spawn(move || {
                    let (one, other) = (&pair[worker % 2], &pair[(worker + 1) % 2]);
                    rooms
                        .direct(&Actor::User(one.clone()), one, other)
                        .unwrap()
                        .id
                })
            });
            let asking: Vec<_> = asking.collect();
            asking.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert!(found.iter().all(|room| *room == found[0]), "{found:?}");
        assert!(
            pair.iter()
                .all(|user| rooms.rooms_of(user) == [found[0].clone()])
        );
    }
    assert_eq!(rooms.count(), 50);
}

#[test]
fn the_application_is_asked_and_told() {
    let hub = Hub::new();
    let rooms = Rooms::new(&hub, RoomsConfig::new(), |_: &UserId| Vec::new());
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    rooms.observe(move |change| telling.lock().push(change.clone()));
    assert!(rooms.authorize(|request| match request {
        JoinRequest::Join { user, .. } if user.as_str() == "u9" => Err("not you".to_owned()),
        JoinRequest::Create { name, .. } if *name == "forbidden" => Err("not so".to_owned()),
        _ => Ok(()),
    }));
    let refused = rooms
        .create(&Actor::Server, RoomOptions::new("forbidden"))
        .unwrap_err();
    assert_eq!(refused, RoomError::Refused("not so".into()));
    let ada = Actor::User(user(0));
    let room = rooms.create(&ada, RoomOptions::new("mine")).unwrap().id;
    assert_eq!(
        rooms.join(&user(9), &room, None).unwrap_err(),
        RoomError::Refused("not you".into())
    );
    rooms.join(&user(1), &room, None).unwrap();
    rooms.kick(&ada, &room, &user(1), None).unwrap();
    rooms.lock(&ada, &room).unwrap();
    rooms.delete(&ada, &room).unwrap();
    let changes = told.lock().clone();
    let expected = [
        RoomChange::Created(room.clone()),
        RoomChange::Joined(room.clone(), user(0)),
        RoomChange::Joined(room.clone(), user(1)),
        RoomChange::Left(room.clone(), user(1)),
        RoomChange::Updated(room.clone()),
        RoomChange::Left(room.clone(), user(0)),
        RoomChange::Deleted(room),
    ];
    assert_eq!(changes, expected);
    assert_eq!(
        (rooms.count(), hub.channel_count()),
        (0, 0),
        "nothing is left of it"
    );
}

#[test]
fn a_message_says_by_whom_it_is_and_nobody_else_can() {
    let hub = Hub::new();
    let (client, mut outbox) = hub.connect(ConnectOptions::new().user("u0")).unwrap();
    let rooms = Rooms::new(&hub, RoomsConfig::new(), move |_: &UserId| {
        vec![client.clone()]
    });
    let ada = Actor::User(user(0));
    let room = rooms.create(&ada, RoomOptions::new("mine")).unwrap().id;
    let forged = MessageHeader::new("room.deleted")
        .user(user(5))
        .message_id(99);
    rooms
        .send(&ada, &room, forged.attach_to(Message::text("hello")), None)
        .unwrap();
    let frames = std::iter::from_fn(|| outbox.try_recv().ok());
    let last = frames.last().unwrap();
    let stamp = MessageHeader::of(last.message().unwrap()).unwrap();
    assert_eq!(
        (stamp.kind, stamp.message_id, &stamp.user),
        ("message", Some(1), &Some(user(0)))
    );
}

fn user(number: usize) -> UserId {
    UserId::parse(&format!("u{number}")).unwrap()
}

fn number(user: &UserId) -> usize {
    user.as_str()[1..].parse().unwrap()
}
