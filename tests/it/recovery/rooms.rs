//! Rooms over server-sent events: a stream that comes back goes on in the rooms of its user.

use serde_json::Value;
use serde_json::json;

use crate::binary::Sse;
use crate::binary::Throng;

fn start(more: &[&str]) -> Throng {
    let throng =
        Throng::start(&[&["--insecure-trust-query-user", "--history", "news"], more].concat());
    for room in ["den", "hall"] {
        let body = json!({"room_id": room, "name": room}).to_string();
        throng.post("/api/v1/rooms?actor=ada", "application/json", body);
        let path = format!("/api/v1/rooms/{room}/join?actor=bob");
        throng.post(&path, "application/json", "{}");
    }
    throng
}

fn say(throng: &Throng, room: &str, text: &str) {
    let path = format!("/api/v1/rooms/{room}/messages?actor=ada");
    let sent = throng.post(&path, "application/json", json!({"text": text}).to_string());
    assert_eq!(sent.status, 200, "{sent:?}");
}

/// A stream of bob's that goes on from an id, with one channel beside its rooms.
fn listen(throng: &Throng, id: Option<&str>) -> Sse {
    let headers: Vec<_> = id.iter().map(|id| ("Last-Event-ID", *id)).collect();
    Sse::open(throng.address, "/sse?user=bob&channels=news", &headers)
}

/// The events that come until this text has come; each with its name.
fn until(stream: &mut Sse, text: &str) -> Vec<(String, Value)> {
    let mut come = Vec::new();
    go_on_until(stream, &mut come, |push| push["text"] == text);
    come
}

/// Adds the events that come until one of all is the `last`.
fn go_on_until(stream: &mut Sse, come: &mut Vec<(String, Value)>, last: impl Fn(&Value) -> bool) {
    while !come.iter().any(|(_, push)| last(push)) {
        let event = stream.next().expect("the stream goes on");
        if event.data.is_empty() {
            continue;
        }
        let push: Value = serde_json::from_str(&event.data).unwrap();
        come.push((event.name, push));
    }
}

fn texts<'a>(come: &'a [(String, Value)], room: &str) -> Vec<&'a str> {
    let own = come.iter().filter(|(_, push)| push["room_id"] == room);
    own.filter_map(|(_, push)| push["text"].as_str()).collect()
}

fn named<'a>(come: &'a [(String, Value)], name: &str, room: &str) -> Vec<&'a Value> {
    let pushes = come.iter().filter(|(kind, _)| kind == name);
    let pushes = pushes.map(|(_, push)| push);
    pushes.filter(|push| push["room_id"] == room).collect()
}

#[test]
fn f2_f16_a_stream_goes_on_in_all_of_its_rooms() {
    let throng = start(&[]);
    let mut bob = listen(&throng, None);
    say(&throng, "hall", "one");
    say(&throng, "den", "one");
    let mut come = until(&mut bob, "one");
    come.extend(until(&mut bob, "one"));
    // Channels have no order among each other.
    let is_joined = |push: &Value| push["channel_id"] == "news" && push["type"] == "joined";
    go_on_until(&mut bob, &mut come, is_joined);
    let id = bob.last_event_id().to_owned();
    drop(bob);
    for text in ["two", "three"] {
        say(&throng, "den", text);
        say(&throng, "hall", text);
    }
    throng.publish("news", &json!("missed"));
    let mut bob = listen(&throng, Some(&id));
    say(&throng, "den", "four");
    say(&throng, "hall", "last");
    let mut come = until(&mut bob, "last");
    go_on_until(&mut bob, &mut come, |push| push["data"] == "missed");
    assert_eq!(texts(&come, "den"), ["two", "three", "four"]);
    assert_eq!(texts(&come, "hall"), ["two", "three", "last"]);
    for room in ["den", "hall"] {
        assert_eq!(named(&come, "joined", room)[0]["data"]["recovered"], true);
        assert!(named(&come, "gap", room).is_empty());
    }
}

#[test]
fn f16_a_room_that_cannot_be_gone_on_in_says_so() {
    let throng = start(&["--no-room-history"]);
    let mut bob = listen(&throng, None);
    say(&throng, "den", "one");
    until(&mut bob, "one");
    let id = bob.last_event_id().to_owned();
    drop(bob);
    say(&throng, "den", "missed");
    throng.stats_until(|stats| stats["clients"] == 0);
    throng.post(
        "/api/v1/rooms/hall/leave?actor=bob",
        "application/json",
        "{}",
    );
    let mut bob = listen(&throng, Some(&id));
    say(&throng, "den", "last");
    let come = until(&mut bob, "last");
    assert_eq!(texts(&come, "den"), ["last"]);
    let gap = named(&come, "gap", "den");
    assert_eq!(gap[0]["data"]["missed"], 1, "{come:?}");
    let refused = named(&come, "refused", "hall");
    assert_eq!(refused[0]["data"]["code"], "not_member", "{come:?}");
    // It is not told again.
    let id = bob.last_event_id().to_owned();
    assert!(!id.contains("hall"), "{id}");
}

#[test]
fn f15_what_was_deleted_meanwhile_is_not_replayed() {
    let throng = start(&[]);
    let mut bob = listen(&throng, None);
    say(&throng, "den", "one");
    until(&mut bob, "one");
    let id = bob.last_event_id().to_owned();
    drop(bob);
    for text in ["a secret", "two"] {
        say(&throng, "den", text);
    }
    let secret = "/api/v1/rooms/den/messages/2?actor=ada";
    let body = json!({"text": "the same secret"}).to_string();
    let json = [("content-type", "application/json")];
    let edited = throng.request("PATCH", secret, &json, body.as_bytes());
    assert_eq!(edited.status, 200, "{edited:?}");
    let deleted = throng.request("DELETE", secret, &[], b"");
    assert!(deleted.status < 300, "{deleted:?}");
    say(&throng, "den", "last");
    let mut bob = listen(&throng, Some(&id));
    let come = until(&mut bob, "last");
    assert_eq!(texts(&come, "den"), ["two", "last"]);
    assert_eq!(named(&come, "joined", "den")[0]["data"]["recovered"], true);
    let told = named(&come, "message.deleted", "den");
    assert_eq!(told[0]["data"]["message_id"], "2");
    assert!(!format!("{come:?}").contains("secret"), "{come:?}");
    assert!(named(&come, "gap", "den").is_empty(), "nobody misses it");
}

#[test]
fn a_stream_leaves_no_session_behind() {
    let throng = start(&[]);
    drop(listen(&throng, None));
    let socket = throng.ws_as("ada");
    let sessions = &throng.stats()["sessions"];
    assert_eq!(*sessions, json!({"open": 1, "lost": 0}));
    drop(socket);
}
