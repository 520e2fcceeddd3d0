//! A stream that comes back with an id goes on, or is told what it missed.

use hyper::StatusCode;
use serde_json::json;
use throng::AuthRequest;
use throng::Authorization;
use throng::Disconnect;
use throng::Gateway;
use throng::Hub;
use throng::transport::sse::SseConfig;
use tokio::sync::watch;

use crate::support::publish;

use super::Reader;
use super::ask;
use super::encoded;
use super::gateway_of;
use super::json_of;
use super::names;
use super::runtime;
use super::texts;
use super::whole;

#[test]
fn an_id_goes_on_in_all_channels_and_what_was_missed_is_told() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    // They live on while nobody listens.
    let _held = ["a", "b", "c"].map(|name| hub.channel(name).unwrap());
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    let (status, answer) = reader.change(&gateway, "subscribe", &json!({"channels": ["c"]}));
    assert_eq!((status, answer), (StatusCode::OK, json!({"status": "ok"})));
    for (channel, text) in [("a", "1"), ("b", "x"), ("c", "y"), ("a", "z")] {
        publish(&hub, channel, text);
    }
    reader.read();
    let id = reader.id().to_owned();
    assert!(
        id.starts_with("a@2.") && id.contains(",b@1.") && id.contains(",c@1."),
        "{id}"
    );
    drop(reader);
    publish(&hub, "b", "missed");
    publish(&hub, "b", "missed too");

    let query = format!("/sse?channels=a,b&last_event_id={}", encoded(&id));
    for (path, headers) in [
        ("/sse?channels=a,b", &[("last-event-id", id.as_str())][..]),
        (query.as_str(), &[][..]),
        ("/sse?channels=b", &[("last-event-id", id.as_str())][..]),
        // The header is newer than the address that it is sent to.
        (
            "/sse?last_event_id=a%402.1",
            &[("last-event-id", id.as_str())][..],
        ),
    ] {
        let (_reader, events) = Reader::open(&gateway, path, headers);
        let mut told: Vec<_> = events.iter().map(json_of).collect();
        told.sort_by_key(|push| push["channel_id"].to_string() + &push["type"].to_string());
        let told: Vec<_> = told
            .iter()
            .map(|push| {
                (
                    push["type"].as_str().unwrap(),
                    &push["channel_id"],
                    &push["data"],
                )
            })
            .collect();
        let joined = |recovered: bool, start: u64| json!({"recovered": recovered, "start": start, "members": []});
        assert_eq!(
            told,
            [
                ("joined", &json!("a"), &joined(true, 2)),
                (
                    "gap",
                    &json!("b"),
                    &json!({"first": 2, "last": 3, "missed": 2})
                ),
                ("joined", &json!("b"), &joined(false, 3)),
                ("joined", &json!("c"), &joined(true, 1)),
            ],
            "{path}"
        );
    }
    let (mut reader, _) = Reader::open(&gateway, "/sse", &[("last-event-id", &id)]);
    publish(&hub, "c", "goes on");
    let events = reader.read();
    assert_eq!(texts(&events), ["goes on"]);
    assert!(reader.id().contains("b@3."), "{}", reader.id());
}

#[test]
fn a_break_between_a_join_and_its_gap_hides_no_loss() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let _held = hub.channel("a").unwrap();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channel=a", &[]);
    publish(&hub, "a", "1");
    reader.read();
    let id = reader.id().to_owned();
    drop(reader);
    publish(&hub, "a", "2");
    let (_reader, events) = Reader::open(&gateway, "/sse?channel=a", &[("last-event-id", &id)]);
    assert_eq!(names(&events), ["joined", "gap"]);
    assert_eq!(events[0].id, id, "nothing after it was received or told");
    assert_eq!(events[1].id, id.replace("a@1.", "a@2."));
}

#[test]
fn a_break_between_two_joins_forgets_neither() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let _held = ["a", "b"].map(|name| hub.channel(name).unwrap());
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    publish(&hub, "a", "1");
    publish(&hub, "b", "1");
    reader.read();
    let id = reader.id().to_owned();
    drop(reader);
    publish(&hub, "b", "2");
    let (_reader, events) = Reader::open(&gateway, "/sse?channels=a,b", &[("last-event-id", &id)]);
    assert_eq!(names(&events), ["joined", "joined", "gap"]);
    assert_eq!(events[0].id, id, "of `b` it still has what it had");
}

#[test]
fn a_break_before_the_first_join_forgets_nothing() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::later(std::future::pending()))
        .build()
        .unwrap();
    let gateway = Gateway::new(hub);
    // By the standard, each connection begins with no id: the first event takes what the client
    // had before, unless it brings it back.
    let id = "private-a@3.7,b@-,private-c@0.7";
    let path = "/sse?channels=private-a,b";
    let (reader, events) = Reader::open(&gateway, path, &[("last-event-id", id)]);
    assert_eq!((events.len(), reader.id()), (0, id));
    let (reader, _) = Reader::open(&gateway, path, &[]);
    assert_eq!(reader.id(), "");
}

#[test]
fn a_close_in_the_middle_of_the_joins_forgets_none() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let (allow, allowed) = watch::channel(());
    let authorizer = move |_: &AuthRequest| {
        let mut allowed = allowed.clone();
        Authorization::later(async move {
            drop(allowed.changed().await);
            Authorization::Allow
        })
    };
    let hub = Hub::builder().authorizer(authorizer).build().unwrap();
    let held = ["a", "private-b"].map(|name| hub.channel(name).unwrap());
    let places = held.each_ref().map(|it| (it.name(), it.position().epoch));
    let id = places.map(|(name, epoch)| format!("{name}@0.{epoch}"));
    let id = id.join(",");
    let gateway = Gateway::new(hub.clone());
    let (mut reader, events) = Reader::open(
        &gateway,
        "/sse?channels=a,private-b",
        &[("last-event-id", &id)],
    );
    assert_eq!(names(&events), ["joined"], "the other is waited for");
    publish(&hub, "a", "the last");
    hub.close(Disconnect::GOING_AWAY);
    allow.send(()).unwrap();
    assert_eq!(names(&reader.read()), ["message", "disconnect"]);
    assert_eq!(reader.id(), id.replace("a@0.", "a@1."));
}

#[test]
fn what_cannot_be_counted_is_told_with_a_reason() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let held = hub.channel("a").unwrap();
    let epoch = held.stats().position.epoch;
    let gateway = Gateway::new(hub.clone());
    for (id, reason) in [
        (format!("a@5.{}", epoch - 1), "epoch"),
        (format!("a@5.{epoch}"), "position"),
    ] {
        let (_reader, events) =
            Reader::open(&gateway, "/sse?channels=a", &[("last-event-id", &id)]);
        assert_eq!(names(&events), ["joined", "gap"]);
        assert_eq!(json_of(&events[1])["data"], json!({"reason": reason}));
        assert_eq!(events[1].id, format!("a@0.{epoch}"));
    }
    let long = "x".repeat(5000);
    for id in [
        "a",
        "a@",
        "a@1",
        "a@+1.2",
        "a@1.2,",
        "a@1.2,a@1.3",
        "%zz@1.2",
        "@1.2",
        "a@99999999999999999999.1",
        "caf\u{e9}",
        &long,
    ] {
        let (mut reader, events) =
            Reader::open(&gateway, "/sse?channels=a", &[("last-event-id", id)]);
        assert_eq!(names(&events), ["gap", "joined"], "{id}");
        assert_eq!(json_of(&events[0]).get("channel_id"), None);
        assert_eq!(json_of(&events[0])["data"], json!({"reason": "id"}));
        publish(&hub, "a", "the stream goes on");
        assert_eq!(names(&reader.read()), ["message"]);
    }
}

#[test]
fn a_channel_that_was_left_stays_left() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let _held = hub.channel("b").unwrap();
    let gateway = Gateway::new(hub);
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    let (status, _) = reader.change(&gateway, "subscribe", &json!({"channels": ["c"]}));
    assert_eq!(status, StatusCode::OK);
    reader.read();
    let (status, _) = reader.change(&gateway, "unsubscribe", &json!({"channels": ["a", "c"]}));
    assert_eq!(status, StatusCode::OK);
    assert_eq!(reader.read(), [], "an id without an event");
    let id = reader.id().to_owned();
    assert!(id.starts_with("a@-,b@0.") && !id.contains("c@"), "{id}");
    drop(reader);
    let (mut reader, events) =
        Reader::open(&gateway, "/sse?channels=a,b", &[("last-event-id", &id)]);
    assert_eq!(names(&events), ["joined"]);
    assert_eq!(json_of(&events[0])["channel_id"], "b");
    // It may be joined anew.
    let (status, _) = reader.change(&gateway, "subscribe", &json!({"channels": ["a"]}));
    assert_eq!(status, StatusCode::OK);
    assert_eq!(names(&reader.read()), ["joined"]);
    assert!(reader.id().contains("a@0."), "{}", reader.id());
}

#[test]
fn who_is_expelled_is_told_and_its_id_knows_it() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    let client = hub.client(throng::ClientId::new(1)).unwrap();
    client
        .force_unsubscribe("a", "noise\r\n\r\ndata: x")
        .unwrap();
    let events = reader.read();
    assert_eq!(names(&events), ["left"]);
    assert_eq!(
        json_of(&events[0])["data"]["reason"],
        "noise\r\n\r\ndata: x"
    );
    assert_eq!(events[0].id, "a@-");
}

#[test]
fn ids_never_become_longer_than_they_may() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let hub = Hub::builder()
        .authorizer(|_: &AuthRequest| Authorization::deny("no"))
        .build()
        .unwrap();
    // Room for two channels of one letter.
    let gateway = gateway_of(hub.clone(), SseConfig::new().max_id(97));
    let refused = whole(ask(&gateway, "/sse?channels=a,b,c", &[]));
    assert_eq!(
        (&refused["status"], &refused["field"]),
        (&json!(400), &json!("channels"))
    );
    assert!(
        refused["detail"].as_str().unwrap().contains("97 bytes"),
        "{refused}"
    );
    assert_eq!(hub.stats().connected, 0, "nothing was spent");

    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a,b", &[]);
    let (status, answer) = reader.change(&gateway, "subscribe", &json!({"channels": ["c"]}));
    assert_eq!(status, StatusCode::MULTI_STATUS);
    assert_eq!(answer["errors"][0]["code"], "too_large");
    assert_eq!(hub.subscriber_count("c"), 0);
    // A place that is given up is there for another.
    let (status, _) = reader.change(&gateway, "subscribe", &json!({"channels": ["a"]}));
    assert_eq!(status, StatusCode::MULTI_STATUS, "it has it");
    drop(reader.read());
    drop(reader);
    let (mut reader, _) = Reader::open(&gateway, "/sse?channels=a", &[]);
    for _ in 0..3 {
        let one = json!({"channels": ["private-"]});
        let (_, answer) = reader.change(&gateway, "subscribe", &one);
        assert_eq!(answer["errors"][0]["code"], "unauthorized", "there is room");
    }
    for channel in ["x", "y", "z"] {
        let one = json!({"channels": [channel]});
        assert_eq!(reader.change(&gateway, "subscribe", &one).0, StatusCode::OK);
        assert_eq!(names(&reader.read()), ["joined"]);
        assert_eq!(
            reader.change(&gateway, "unsubscribe", &one).0,
            StatusCode::OK
        );
    }
    let (_reader, events) = Reader::open(
        &gateway,
        "/sse?channels=a",
        &[("last-event-id", "x@1.1,y@1.1")],
    );
    assert_eq!(names(&events)[0], "refused");
    assert_eq!(json_of(&events[0])["channel_id"], "y");
    assert_eq!(json_of(&events[0])["data"]["code"], "too_large");
}
