//! `ClientStats::oldest_waiting`: the age of the message that a client receives next.

use std::time::Duration;

use throng::ConnectOptions;
use throng::Hub;
use throng::ManualClock;
use throng::Message;
use throng::OutboxLimits;
use throng::SlowConsumer;

use crate::support::built;
use crate::support::connect;
use crate::support::drain;
use crate::support::join_as;

const SECOND: Duration = Duration::from_secs(1);

fn timed() -> (ManualClock, Hub) {
    let clock = ManualClock::new();
    let outbox = OutboxLimits::new().messages(6);
    let hub = built(Hub::builder().clock(clock.clone()).outbox(outbox));
    (clock, hub)
}

fn publish(hub: &Hub, key: &'static str) {
    let _delivery = hub.publish("c", Message::text(key).key(key)).unwrap();
}

#[test]
fn it_is_the_age_of_the_message_that_comes_next() {
    for policy in [
        SlowConsumer::DropNewest,
        SlowConsumer::DropOldest,
        SlowConsumer::KeepLatest,
        SlowConsumer::DISCONNECT,
    ] {
        let (clock, hub) = timed();
        let (client, mut outbox) = join_as(&hub, "c", ConnectOptions::new().slow_consumer(policy));
        let oldest = || client.stats().oldest_waiting;
        assert_eq!(oldest(), None, "{policy:?}: nothing waits");
        for key in ["a", "b", "c", "d", "e", "f"] {
            publish(&hub, key);
            clock.advance(SECOND);
        }
        assert_eq!(oldest(), Some(6 * SECOND), "{policy:?}");
        assert_eq!(hub.slow_clients(1)[0].stats, client.stats(), "{policy:?}");
        outbox.try_recv().unwrap();
        // A receiver that has begun, and from which nobody evicts, is not disturbed.
        let evicts = [SlowConsumer::DropOldest, SlowConsumer::KeepLatest].contains(&policy);
        let known = |age| evicts.then_some(age);
        assert_eq!(oldest(), known(5 * SECOND), "{policy:?}: of many");
        drain(&mut outbox);
        assert_eq!(oldest(), None, "{policy:?}: all received");
        publish(&hub, "a");
        clock.advance(SECOND);
        assert_eq!(oldest(), known(SECOND), "{policy:?}: of few");
    }
}

#[test]
fn an_evicted_message_waits_no_more() {
    let (clock, hub) = timed();
    let options = ConnectOptions::new().slow_consumer(SlowConsumer::DropOldest);
    let (client, mut outbox) = join_as(&hub, "c", options);
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        publish(&hub, key);
        clock.advance(SECOND);
    }
    let stats = client.stats();
    assert_eq!((stats.oldest_waiting, stats.evicted), (Some(6 * SECOND), 2));
    drain(&mut outbox);
    assert_eq!(client.stats().oldest_waiting, None);
}

#[test]
fn to_ask_takes_nothing_away() {
    let (_clock, hub) = timed();
    let (client, mut outbox) = connect(&hub);
    client.subscribe_blocking("c").unwrap();
    for key in ["a", "b", "c", "d", "e", "f"] {
        publish(&hub, key);
        let _oldest = client.stats().oldest_waiting;
    }
    assert_eq!(crate::support::texts(&mut outbox).join(""), "abcdef");
    assert_eq!(client.stats().dropped, 0);
}

/// Through the shipped binary, with the default policy and a socket that is not read.
#[cfg(feature = "server")]
#[test]
fn the_binary_tells_it_of_a_client_that_does_not_read() {
    use std::thread;

    use crate::binary::Raw;
    use crate::binary::Throng;

    let server = Throng::start(&["--write-timeout", "600000"]);
    let mut raw = Raw::open(server.address, Some(4_096));
    raw.join("c");
    let data = serde_json::json!({"text": "x".repeat(2_000)});
    let told = || {
        let slow = server.get("/api/v1/clients/slow").json();
        slow["clients"][0]["oldest_waiting_ms"].as_u64()
    };
    // Published on until the socket takes no more, and then waited for until it is told.
    while server.stats()["dropped"] == 0 {
        server.publish("c", &data);
    }
    while told().is_none_or(|age| age < 20) {
        thread::yield_now();
    }
    drop(raw);
}
