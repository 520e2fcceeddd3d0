//! Chunks are shared and bounded, and a slow or dropped reader is treated as promised.

use std::pin::pin;
use std::task::Context;
use std::task::Waker;

use bytes::Bytes;
use http_body::Body;
use hyper::header;
use serde_json::json;
use throng::Disconnect;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::SlowConsumer;
use throng::transport::Transport;

use crate::support::hub_of;
use crate::support::publish;

use super::Reader;
use super::ask;
use super::json_of;
use super::names;
use super::runtime;
use super::texts;
use super::whole;

#[test]
fn what_waits_is_one_chunk_and_what_stands_alone_is_shared() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let (mut one, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    let (mut other, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    for text in ["1", "2", "3"] {
        publish(&hub, "a", text);
    }
    assert_eq!(one.read().len(), 3);
    assert_eq!(one.chunks.len(), 1);
    other.read();

    publish(&hub, "a", "alone");
    assert_eq!((one.read().len(), other.read().len()), (1, 1));
    assert_eq!(
        one.chunks[0].as_ptr(),
        other.chunks[0].as_ptr(),
        "not copied"
    );

    // A large one is not copied either, and what is around it keeps its place.
    publish(&hub, "a", "before");
    let large = "x".repeat(20_000);
    let _delivery = hub.publish("a", Message::text(large.clone())).unwrap();
    publish(&hub, "a", "behind");
    assert_eq!(texts(&one.read()), ["before", &large, "behind"]);
    other.read();
    assert_eq!((one.chunks.len(), other.chunks.len()), (3, 3));
    assert_eq!(one.chunks[1].as_ptr(), other.chunks[1].as_ptr());
    let stats = gateway.stats(Transport::Sse);
    assert_eq!((stats.open, stats.frames_out), (2, 2 + 2 + 2 * 7));
    assert_eq!(stats.writes, 2 + 2 + 2 + 6);
}

#[test]
fn chunks_are_bounded() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .outbox(throng::OutboxLimits::new().messages(1000))
        .build()
        .unwrap();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    let text = "x".repeat(1000);
    for _ in 0..500 {
        let _delivery = hub.publish("a", Message::text(text.clone())).unwrap();
    }
    assert_eq!(reader.read().len(), 500);
    // At most what is gathered, and the event that fills it.
    let most = (16 << 10) + 1300;
    assert!(
        reader.chunks.iter().all(|chunk| chunk.len() <= most),
        "{:?}",
        reader.chunks.iter().map(Bytes::len).collect::<Vec<_>>()
    );
    assert!(reader.chunks.len() > 2);
}

#[test]
fn what_a_chunk_has_no_room_for_stays_in_the_outbox() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = hub_of(64, SlowConsumer::DropOldest);
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    let publish = || {
        let text = "x".repeat(4000);
        let _delivery = hub.publish("a", Message::text(text)).unwrap();
    };
    (0..64).for_each(|_| publish());
    let waker = Waker::noop();
    let polled = reader
        .body
        .as_mut()
        .poll_frame(&mut Context::from_waker(waker));
    assert!(polled.is_ready(), "one chunk");
    let queued = hub.slow_clients(1)[0].stats.queued_messages;
    assert!((58..64).contains(&queued), "{queued} of 64");
    (0..64).for_each(|_| publish());
    let stats = hub.slow_clients(1)[0].stats;
    assert_eq!((stats.queued_messages, stats.evicted), (64, queued as u64));
    drop(polled);
    let read = reader.read();
    let offsets = read
        .iter()
        .filter_map(|event| json_of(event)["offset"].as_u64());
    assert!(offsets.eq(65..=128), "the newest, in their order");
}

#[test]
fn a_slow_client_is_treated_as_its_policy_says() {
    let runtime = runtime();
    let _inside = runtime.enter();
    for (policy, expected) in [
        (
            SlowConsumer::DropNewest,
            &["gap 5-10", "1", "2", "3", "4"][..],
        ),
        (SlowConsumer::DropOldest, &["gap 1-6", "7", "8", "9", "10"]),
        (
            SlowConsumer::DISCONNECT,
            &["1", "2", "3", "4", "disconnect 3008"],
        ),
    ] {
        let hub = hub_of(4, policy);
        let gateway = Gateway::new(hub.clone());
        let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
        for number in 1..=10 {
            let _delivery = hub
                .publish("a", Message::text(format!("{number}")))
                .unwrap();
        }
        let told: Vec<_> = reader
            .read()
            .iter()
            .map(json_of)
            .map(|push| {
                let data = &push["data"];
                match push["type"].as_str().unwrap() {
                    "gap" => format!("gap {}-{}", data["first"], data["last"]),
                    "disconnect" => format!("disconnect {}", data["code"]),
                    _ => data.to_string(),
                }
            })
            .collect();
        assert_eq!(told, expected, "{policy:?}");
        assert_eq!(
            reader.body.is_end_stream(),
            policy == SlowConsumer::DISCONNECT
        );
    }
    let hub = hub_of(2, SlowConsumer::KeepLatest);
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    for number in 1..=10 {
        let message = Message::text(format!("{number}")).key("k");
        let _delivery = hub.publish("a", message).unwrap();
    }
    let events = reader.read();
    assert_eq!(json_of(events.last().unwrap())["data"], 10);
    assert!(reader.id().starts_with("a@10."), "{}", reader.id());
}

#[test]
fn a_closed_client_hears_the_rest_the_reason_and_when_to_come_back() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    for (why, comes_back) in [(Disconnect::GOING_AWAY, true), (Disconnect::KICKED, false)] {
        let code = why.code();
        let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
        let first = reader.source.retry.unwrap();
        assert!((2400..=3600).contains(&first), "{first}");
        publish(&hub, "a", "the last");
        let id = throng::ClientId::new(hub.stats().connected);
        hub.client(id).unwrap().close(why);
        let events = reader.read();
        assert_eq!(names(&events), ["message", "disconnect"]);
        let farewell = json_of(&events[1]);
        assert_eq!(
            (&farewell["data"]["code"], &farewell["data"]["reconnect"]),
            (&json!(code), &json!(comes_back))
        );
        let retry = reader.source.retry.unwrap();
        if comes_back {
            assert_eq!(farewell["data"]["retry_after_ms"], retry);
            assert!(retry < 5000, "{retry}");
        } else {
            assert_eq!(
                retry, 86_400_000,
                "a browser comes back whatever it is told"
            );
        }
        assert!(reader.body.is_end_stream());
        drop(reader);
        assert!(gateway.stats(Transport::Sse).closes.contains(&(code, 1)));
    }
}

#[test]
fn a_dropped_body_leaves_nothing_behind() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let readers: Vec<_> = (0..10)
        .map(|_| Reader::open(&gateway, "/sse?channels=a,b", &[]).0)
        .collect();
    // One that was never asked for anything, and one in the middle of a join.
    let unread = ask(&gateway, "/sse?channels=a", &[]);
    publish(&hub, "a", "waits");
    assert_eq!((gateway.connections(), hub.client_count()), (11, 11));
    drop((readers, unread));
    assert_eq!((gateway.connections(), hub.client_count()), (0, 0));
    assert_eq!((hub.subscriber_count("a"), hub.channel_count()), (0, 0));
    assert_eq!(gateway.stats(Transport::Sse).open, 0);
}

#[test]
fn who_drains_lets_nobody_in_and_says_when_to_come_back() {
    let runtime = runtime();
    let gateway = {
        let _inside = runtime.enter();
        Gateway::builder(Hub::new())
            .drain_window(Default::default())
            .build()
    };
    let mut reader = {
        let _inside = runtime.enter();
        Reader::open(&gateway, "/sse?channels=a", &[]).0
    };
    let drained = runtime.block_on(async {
        let mut drain = pin!(gateway.drain());
        let mut context = Context::from_waker(Waker::noop());
        assert!(
            drain.as_mut().poll(&mut context).is_pending(),
            "one is open"
        );
        let events = reader.read();
        assert_eq!(names(&events), ["disconnect"]);
        assert_eq!(json_of(&events[0])["data"]["code"], 1001);
        let refused = ask(&gateway, "/sse", &[]);
        assert_eq!(refused.status(), 503);
        let wait: u64 = refused.headers()[header::RETRY_AFTER]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=6).contains(&wait), "{wait}");
        drop(reader);
        drain.await;
        true
    });
    assert!(drained);
}

#[test]
fn who_finds_no_room_is_told_so() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .limits(throng::Limits::new().clients(1))
        .build()
        .unwrap();
    let gateway = Gateway::new(hub);
    let (_reader, _) = Reader::open(&gateway, "/sse", &[]);
    let refused = ask(&gateway, "/sse", &[]);
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(whole(refused)["code"], "too_many_clients");
}
