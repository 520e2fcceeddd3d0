//! What all outboxes may hold together: `Limits::max_outbox_bytes`.
//!
//! * Counted is what waits for clients that lag, exactly when nobody is in the middle of something;
//!   nothing remains of a client that has received all, or has gone.
//! * Those with most waiting have no room first; a client that keeps up always has.
//! * Each policy does what it does when an outbox is full.
//! * However many lag at a time, what is counted does not exceed the limit.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
#[cfg(feature = "server")]
use serde_json::Value;
#[cfg(feature = "server")]
use serde_json::json;
use throng::Client;
use throng::ConnectOptions;
use throng::Disconnect;
use throng::Hub;
use throng::Limits;
use throng::Message;
use throng::Outbox;
use throng::OutboxLimits;
use throng::PublishError;
use throng::SlowConsumer;

#[cfg(feature = "server")]
use crate::binary::Raw;
#[cfg(feature = "server")]
use crate::binary::Throng;
use crate::support::built;
use crate::support::drain;
use crate::support::ending;
use crate::support::join_as;

/// A hub whose outboxes would hold a thousand messages each, and so many bytes together.
fn bounded(bytes: usize) -> Hub {
    let limits = Limits::new().outbox_bytes(bytes);
    built(
        Hub::builder()
            .limits(limits)
            .outbox(OutboxLimits::new().messages(1_000)),
    )
}

/// A message of 64 bytes.
fn unit() -> Message {
    Message::binary(vec![b'x'; 64])
}

fn publish(hub: &Hub, channel: &str, count: usize) {
    for _ in 0..count {
        let _delivery = hub.publish(channel, unit()).unwrap();
    }
}

fn member(hub: &Hub, channel: &str, policy: SlowConsumer) -> (Client, Outbox) {
    join_as(hub, channel, ConnectOptions::new().slow_consumer(policy))
}

fn waiting(client: &Client) -> usize {
    client.stats().queued_messages
}

/// Of clients that lag: how many there are, and their bytes.
fn lag(hub: &Hub) -> (u64, u64) {
    let stats = hub.stats();
    (stats.lagging_clients, stats.lagging_bytes)
}

#[test]
fn those_with_most_waiting_have_no_room_first() {
    let hub = bounded(200 * 64);
    let (large, _large) = member(&hub, "a", SlowConsumer::DropNewest);
    publish(&hub, "a", 90);
    assert_eq!(waiting(&large), 90, "within the half");
    let (small, _small) = member(&hub, "b", SlowConsumer::DropNewest);
    publish(&hub, "b", 20);
    assert_eq!(lag(&hub), (2, 110 * 64));
    // Two clients lag, so the share is 50.
    publish(&hub, "a", 10);
    assert_eq!((waiting(&large), large.stats().dropped), (90, 10));
    publish(&hub, "b", 40);
    assert_eq!((waiting(&small), small.stats().dropped), (50, 10));
}

#[test]
fn a_client_that_keeps_up_has_room_whatever_others_have_used() {
    let hub = bounded(20 * 64);
    let _slow: Vec<_> = (0..30)
        .map(|_| member(&hub, "a", SlowConsumer::DropNewest))
        .collect();
    let (fast, mut outbox) = member(&hub, "a", SlowConsumer::DISCONNECT);
    for _ in 0..50 {
        publish(&hub, "a", 1);
        assert_eq!(drain(&mut outbox).len(), 1);
    }
    assert_eq!(fast.stats().dropped, 0);
    let (clients, bytes) = lag(&hub);
    assert!(clients > 0 && bytes <= 20 * 64, "{clients}, {bytes}");
}

#[test]
fn each_policy_does_what_it_does_when_an_outbox_is_full() {
    // Half of it is eleven messages.
    let hub = bounded(22 * 64);
    let (client, mut outbox) = member(&hub, "a", SlowConsumer::DISCONNECT);
    publish(&hub, "a", 20);
    assert!(client.is_closed());
    assert_eq!(drain(&mut outbox).len(), 12);
    assert_eq!(ending(&mut outbox), Disconnect::SLOW);
    drop((client, outbox));

    for policy in [SlowConsumer::DropOldest, SlowConsumer::KeepLatest] {
        let hub = bounded(22 * 64);
        let (client, mut outbox) = member(&hub, "a", policy);
        for number in 0..50_u64 {
            let key = format!("{number}");
            let message = Message::text(format!("{number:0>64}")).key(key);
            let _delivery = hub.publish("a", message).unwrap();
        }
        assert_eq!((waiting(&client), client.stats().evicted), (12, 38));
        let texts = crate::support::texts(&mut outbox);
        assert_eq!(texts.last().unwrap(), &format!("{:0>64}", 49));
        assert_eq!(lag(&hub), (0, 0));
    }
}

#[test]
fn keep_latest_conflates_when_all_is_used_up() {
    let hub = bounded(22 * 64);
    let (client, mut outbox) = member(&hub, "a", SlowConsumer::KeepLatest);
    for number in 0..60_u64 {
        let message = Message::text(format!("{number:0>64}")).key(format!("{}", number % 6));
        let _delivery = hub.publish("a", message).unwrap();
    }
    let stats = client.stats();
    assert_eq!((stats.dropped, stats.evicted), (0, 0));
    let texts = crate::support::texts(&mut outbox);
    let latest: Vec<_> = (54..60).map(|number| format!("{number:0>64}")).collect();
    assert_eq!(texts[texts.len() - 6..], latest);
}

#[test]
fn a_hub_without_a_bound_counts_nothing() {
    let hub = built(Hub::builder().outbox(OutboxLimits::new().messages(1_000)));
    let (client, _outbox) = member(&hub, "a", SlowConsumer::DropNewest);
    publish(&hub, "a", 500);
    assert_eq!((waiting(&client), lag(&hub)), (500, (0, 0)));
}

#[derive(Clone, Debug)]
enum Step {
    Publish {
        channel: usize,
        bytes: usize,
        key: u8,
    },
    Receive {
        client: usize,
        at_most: usize,
    },
    Replace {
        client: usize,
    },
    Leave {
        client: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2_usize, 0..300_usize, 0..4_u8)
            .prop_map(|(channel, bytes, key)| Step::Publish { channel, bytes, key }),
        2 => (0..4_usize, 1..9_usize)
            .prop_map(|(client, at_most)| Step::Receive { client, at_most }),
        1 => (0..4_usize).prop_map(|client| Step::Replace { client }),
        1 => (0..4_usize).prop_map(|client| Step::Leave { client }),
    ]
}

const POLICIES: [SlowConsumer; 4] = [
    SlowConsumer::DropNewest,
    SlowConsumer::DropOldest,
    SlowConsumer::KeepLatest,
    SlowConsumer::DISCONNECT,
];

proptest! {
    /// What is counted is the sum of what waits for clients that lag, whatever happened.
    #[test]
    fn the_sum_is_exact(steps in vec(step(), 1..200), budget in 1..4_000_usize) {
        let hub = bounded(budget);
        let join = |client: usize| {
            let (handle, outbox) = member(&hub, "0", POLICIES[client]);
            handle.subscribe_blocking("1").unwrap();
            (handle, outbox)
        };
        let mut clients: Vec<_> = (0..4).map(join).collect();
        for step in steps {
            match step {
                Step::Publish { channel, bytes, key } => {
                    let message = Message::binary(vec![0; bytes]).key(vec![key]);
                    let _delivery = hub.publish(&channel.to_string(), message).unwrap();
                }
                Step::Receive { client, at_most } => {
                    let outbox = &mut clients[client].1;
                    let _ended = (0..at_most).any(|_| outbox.try_recv().is_err());
                }
                Step::Replace { client } => clients[client] = join(client),
                Step::Leave { client } => {
                    let _left = clients[client].0.unsubscribe("1");
                }
            }
            let each = clients.iter().map(|(client, _)| client.stats());
            let lagging = each.filter(|stats| stats.queued_messages > 4);
            let (mut count, mut bytes) = (0, 0);
            for stats in lagging {
                count += 1;
                bytes += stats.queued_bytes.div_ceil(64) * 64;
            }
            prop_assert_eq!(lag(&hub), (count, bytes));
            // What is there when a client begins to lag is not counted before.
            let most = budget.div_ceil(64) * 64 + 4 * (4 * 300 + 64);
            prop_assert!(bytes <= most as u64, "{} of {}", bytes, most);
        }
        drop(clients);
        prop_assert_eq!(lag(&hub), (0, 0));
    }
}

/// However many publish, receive and go at a time, the limit holds, and nothing remains.
#[test]
fn the_limit_holds_under_threads_and_nothing_remains() {
    const MOST: usize = 64 << 10;
    let hub = bounded(MOST);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for policy in POLICIES {
            let (hub, stop) = (&hub, &stop);
            scope.spawn(move || {
                // Relaxed: it only has to be seen at some time.
                while !stop.load(Ordering::Relaxed) {
                    let mut clients: Vec<_> = (0..8).map(|_| member(hub, "a", policy)).collect();
                    for round in 0..40 {
                        let (_client, outbox) = &mut clients[round % 8];
                        let received = (0..round).take_while(|_| outbox.try_recv().is_ok());
                        assert!(received.count() <= round);
                        thread::yield_now();
                    }
                }
            });
        }
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..20_000_u64 {
                    let mut message = Message::binary(vec![0; 100]).key(format!("{}", number % 10));
                    while let Err(refused) = hub.publish("a", message) {
                        assert!(matches!(refused, PublishError::Backlogged(_)), "{refused}");
                        message = refused.into_message();
                        thread::yield_now();
                    }
                    let (_clients, bytes) = lag(&hub);
                    // 3 publishers and 4 receivers may be between a change and its telling, and 32
                    // clients begin to lag with five messages.
                    let most = MOST as u64 + 7 * 128 + 32 * 5 * 128;
                    assert!(bytes <= most, "{bytes} are more than {most}");
                }
                // Relaxed: as above.
                stop.store(true, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(lag(&hub), (0, 0), "all have gone");
}

/// Through the shipped binary, with sockets that are never read.
#[cfg(feature = "server")]
#[test]
fn the_binary_bounds_what_waits_for_those_who_do_not_read() {
    const MOST: u64 = 64 << 10;
    let server = Throng::start(&["--max-outbox-bytes", "65536", "--write-timeout", "600000"]);
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut raw = Raw::open(server.address, Some(4_096));
            raw.join("c");
            raw
        })
        .collect();
    let data = json!({"text": "x".repeat(2_000)});
    let lagging = |stats: &Value| stats["lagging_bytes"].as_u64().unwrap();
    let dropped = |stats: &Value| stats["dropped"].as_u64().unwrap();
    // One outbox alone would hold 64 messages of 2 KB.
    while dropped(&server.stats()) < 200 {
        for _ in 0..20 {
            server.publish("c", &data);
        }
        let stats = server.stats();
        assert!(lagging(&stats) <= MOST + 2_048, "{stats}");
    }
    assert!(lagging(&server.stats()) > MOST / 4);
    drop(slow);
    server.stats_until(|stats| stats["clients"] == 0);
    assert_eq!(lagging(&server.stats()), 0);
}
