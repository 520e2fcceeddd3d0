//! What patterns and filters cost a publication.

use std::env;
use std::hint::black_box;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use throng::Client;
use throng::ConnectOptions;
use throng::Hub;
use throng::Message;
use throng::MessageHeader;
use throng::Metadata;
use throng::Outbox;
use throng::SubscribeOptions;
use throng::channels::Channels;
use throng::channels::ChannelsConfig;
use throng::channels::MetadataFilter;
use throng::channels::Pattern;

/// A publication that one of so many patterns matches: *known* when the channel has asked before,
/// *asked* when it has to ask again, since patterns have come and gone.
fn matching(c: &mut Criterion) {
    let mut group = c.benchmark_group("patterns");
    let most = if is_smoke() { 2000 } else { 100_000 };
    for count in [1, 1000, most] {
        let hub = Hub::new();
        let channels = Channels::new(&hub, ChannelsConfig::new().max_patterns(usize::MAX));
        let (client, mut outbox) = client(&hub);
        let mut idle = Vec::new();
        for number in 0..count {
            let (fleet, unit) = (number / 300, number % 300);
            let pattern =
                Pattern::parse(&format!("fleet.{fleet}.*.unit{unit}.>")).expect("a pattern");
            subscribe_one(&hub, &channels, &pattern, number, &client, &mut idle);
        }
        let channel = hub.channel("fleet.0.eu.unit0.speed").expect("a name");
        let message = Message::static_text("42");
        group.bench_function(BenchmarkId::new("known", count), |b| {
            b.iter(|| {
                let _delivery = channel.publish(message.clone()).expect("published");
                while outbox.try_recv().is_ok() {}
            });
        });
        let other = Pattern::prefix("elsewhere").expect("a pattern");
        group.bench_function(BenchmarkId::new("asked", count), |b| {
            b.iter(|| {
                channels
                    .subscribe(&client, &other, None)
                    .expect("subscribed");
                channels.unsubscribe(&client, &other).expect("unsubscribed");
                let _delivery = channel.publish(message.clone()).expect("published");
                while outbox.try_recv().is_ok() {}
            });
        });
    }
    group.finish();
}

/// The first is this client's; the others are those of clients that have nothing to do here.
fn subscribe_one(
    hub: &Hub,
    channels: &Channels,
    pattern: &Pattern,
    number: usize,
    own: &Client,
    idle: &mut Vec<Outbox>,
) {
    if number == 0 {
        channels.subscribe(own, pattern, None).expect("subscribed");
        return;
    }
    let (client, outbox) = client(hub);
    channels
        .subscribe(&client, pattern, None)
        .expect("subscribed");
    idle.push(outbox);
}

/// A thousand subscribers with so many different filters, of which one in four wants the message.
fn filtering(c: &mut Criterion) {
    let mut group = c.benchmark_group("filters");
    let subscribers = 10_000;
    for distinct in [0, 1, 100, 10_000] {
        let hub = Hub::new();
        let channels = Channels::new(&hub, ChannelsConfig::new());
        let mut crowd: Vec<(Client, Outbox)> = (0..subscribers).map(|_| client(&hub)).collect();
        for (number, (client, _)) in crowd.iter().enumerate() {
            let mut options = SubscribeOptions::new();
            if distinct > 0 {
                let number = number % distinct;
                let filter = json!({ "zone": number % 4, "price": { "gte": number } });
                options = options.filter(channels.filter(&filter).expect("a filter"));
            }
            client
                .subscribe_detached("ticks", options)
                .expect("subscribed");
        }
        let channel = hub.channel("ticks").expect("a name");
        let message = stamped(json!({ "zone": 0, "price": 1_000_000, "symbol": "XY" }));
        group.bench_function(BenchmarkId::new("publish to 10,000", distinct), |b| {
            b.iter(|| {
                let _delivery = channel.publish(message.clone()).expect("published");
                for (_, outbox) in &mut crowd {
                    let _frame = outbox.try_recv();
                }
            });
        });
    }
    let filter = json!({ "symbol": ["AB", "XY"], "price": { "gte": 100, "lt": 200.5 } });
    let filter = MetadataFilter::parse(&filter).expect("a filter");
    let metadata = object(json!({ "symbol": "XY", "price": 150, "venue": "x" }));
    group.bench_function("evaluate", |b| {
        b.iter(|| black_box(&filter).wants(Some(black_box(&metadata))));
    });
    group.finish();
}

fn stamped(metadata: Value) -> Message {
    let stamp = MessageHeader::new("message").metadata(Some(object(metadata)));
    stamp.attach_to(Message::static_text("42"))
}

fn object(value: Value) -> Metadata {
    let object: Map<_, _> = match value {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    Metadata::new(object).expect("small enough")
}

fn client(hub: &Hub) -> (Client, Outbox) {
    hub.connect(ConnectOptions::new()).expect("connected")
}

fn is_smoke() -> bool {
    env::args().any(|argument| argument == "--test")
}

criterion_group!(benches, matching, filtering);
criterion_main!(benches);
