//! What a room costs beside the channel that carries it, and what a crowd costs a room.

use std::env;
use std::hint::black_box;
use std::sync::Arc;

use criterion::BatchSize;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use throng::Actor;
use throng::Client;
use throng::ConnectOptions;
use throng::Hub;
use throng::Message;
use throng::Outbox;
use throng::SubscribeOptions;
use throng::UserId;
use throng::rooms::RoomOptions;
use throng::rooms::RoomQuery;
use throng::rooms::Rooms;
use throng::rooms::RoomsConfig;

/// A message to a room, and the same to a bare channel, with one connection for each member.
fn sending(c: &mut Criterion) {
    let mut group = c.benchmark_group("room");
    for members in [1, 10, 100, 1000, 10_000] {
        group.throughput(Throughput::Elements(members as u64));
        let hub = Hub::new();
        let crowd = crowd(&hub, members);
        let mut outboxes: Vec<Outbox> = crowd.1;
        let clients = Arc::new(crowd.0);
        let channel = hub.channel("bare").expect("a name");
        let message = Message::static_text("hello");
        for client in clients.iter() {
            client
                .subscribe_detached("bare", SubscribeOptions::new())
                .expect("subscribed");
        }
        group.bench_function(BenchmarkId::new("bare channel", members), |b| {
            b.iter(|| {
                let _delivery = channel.publish(message.clone()).expect("published");
                drain(&mut outboxes);
            });
        });
        for client in clients.iter() {
            client.unsubscribe("bare").expect("subscribed");
        }
        let rooms = rooms_of(&hub, &clients);
        let owner = Actor::User(user(0));
        let room = rooms
            .create(&owner, RoomOptions::new("bench"))
            .expect("made")
            .id;
        for number in 1..members {
            rooms.join(&user(number), &room, None).expect("joined");
        }
        rooms.tick(std::time::Instant::now() + std::time::Duration::from_secs(1));
        drain(&mut outboxes);
        group.bench_function(BenchmarkId::new("room", members), |b| {
            b.iter(|| {
                let sent = rooms.send(&owner, &room, message.clone(), None);
                black_box(sent.expect("sent"));
                drain(&mut outboxes);
            });
        });
    }
    group.finish();
}

/// One user comes into a room of so many, and goes.
fn joining(c: &mut Criterion) {
    let mut group = c.benchmark_group("join and leave");
    let most = if is_smoke() { 2000 } else { 1_000_000 };
    for members in [1000, most] {
        let hub = Hub::new();
        let rooms = rooms_of(&hub, &Arc::default());
        let room = rooms
            .create(&Actor::Server, RoomOptions::new("large"))
            .expect("made")
            .id;
        for number in 0..members {
            rooms.join(&user(number), &room, None).expect("joined");
        }
        let newcomer = UserId::parse("newcomer").expect("an id");
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| {
                rooms.join(&newcomer, &room, None).expect("joined");
                rooms.leave(&newcomer, &room).expect("left");
            });
        });
        let mut number = members;
        group.bench_function(BenchmarkId::new("growing from", members), |b| {
            b.iter_batched(
                || {
                    number += 1;
                    user(number)
                },
                |user| rooms.join(&user, &room, None).expect("joined"),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A page of rooms, and a search, among so many.
fn finding(c: &mut Criterion) {
    let mut group = c.benchmark_group("directory");
    let most = if is_smoke() { 2000 } else { 1_000_000 };
    let hub = Hub::builder()
        .limits(throng::Limits::new().channels(most + 10))
        .build()
        .expect("in range");
    let rooms = rooms_of(&hub, &Arc::default());
    for number in 0..most {
        let name = format!("{} room {number}", WORDS[number % WORDS.len()]);
        let options = RoomOptions::new(name).tags([format!("t{}", number % 1000)]);
        rooms.create(&Actor::Server, options).expect("made");
    }
    for (name, query) in [
        ("newest", RoomQuery::new()),
        ("by tag", RoomQuery::new().tag("t7")),
        ("by word", RoomQuery::new().text("chess")),
        ("by number", RoomQuery::new().text("12345")),
        ("by nothing", RoomQuery::new().text("zebra")),
    ] {
        group.bench_function(BenchmarkId::new(name, most), |b| {
            b.iter(|| black_box(rooms.search(&Actor::Server, &query, None, 50)));
        });
    }
    group.finish();
}

const WORDS: [&str; 8] = [
    "chess", "music", "rust", "travel", "cooking", "games", "science", "art",
];

fn rooms_of(hub: &Hub, clients: &Arc<Vec<Client>>) -> Rooms {
    let clients = Arc::clone(clients);
    let connections = move |user: &UserId| {
        let number: usize = user.as_str()[1..].parse().unwrap_or(usize::MAX);
        clients.get(number).cloned().into_iter().collect::<Vec<_>>()
    };
    Rooms::new(hub, RoomsConfig::new().max_rooms(2_000_000), connections)
}

fn crowd(hub: &Hub, members: usize) -> (Vec<Client>, Vec<Outbox>) {
    let connected = (0..members).map(|number| {
        let options = ConnectOptions::new().user(user(number).as_str());
        hub.connect(options).expect("connected")
    });
    connected.unzip()
}

fn drain(outboxes: &mut [Outbox]) {
    for outbox in outboxes {
        while outbox.try_recv().is_ok() {}
    }
}

fn user(number: usize) -> UserId {
    UserId::parse(&format!("u{number}")).expect("an id")
}

fn is_smoke() -> bool {
    env::args().any(|argument| argument == "--test")
}

criterion_group!(benches, sending, joining, finding);
criterion_main!(benches);
