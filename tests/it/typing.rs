//! Who is typing in a room, over the shipped binary: who is told, and that it ends.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::binary::PATIENCE;
use crate::binary::Throng;
use crate::binary::Ws;
use crate::binary::pause;

fn start() -> Throng {
    Throng::start(&["--insecure-trust-query-user"])
}

/// A room of these users, the first of whom owns it.
fn room(throng: &Throng, id: &str, users: &[&str]) {
    let (owner, others) = users.split_first().unwrap();
    let body = json!({"room_id": id, "name": id}).to_string();
    let path = format!("/api/v1/rooms?actor={owner}");
    let made = throng.post(&path, "application/json", body);
    assert!([200, 201].contains(&made.status), "{made:?}");
    for user in others {
        let path = format!("/api/v1/rooms/{id}/join?actor={user}");
        let joined = throng.post(&path, "application/json", "{}");
        assert!([200, 204].contains(&joined.status), "{joined:?}");
    }
}

/// The next event of typing; what else happens in the room is passed over.
fn typing(client: &mut Ws) -> (String, bool) {
    loop {
        let push = client.push();
        if push["type"] == "typing" {
            assert_eq!(push["room_id"], "den", "{push}");
            let user = push["data"]["user_id"].as_str().unwrap().to_owned();
            return (user, push["data"]["typing"].as_bool().unwrap());
        }
    }
}

/// The room of the next event of typing, and whether it is a start.
fn told_of(client: &mut Ws) -> (String, bool) {
    loop {
        let push = client.push();
        if push["type"] == "typing" {
            let room = push["room_id"].as_str().unwrap().to_owned();
            return (room, push["data"]["typing"] == true);
        }
    }
}

/// Asks, and returns the reply; events may come before it, but none of typing.
fn ask(client: &mut Ws, command: &Value) -> Value {
    client.say(&command.to_string());
    loop {
        let push = client.push();
        assert_ne!(push["type"], "typing", "{push}");
        if push["reply_to"] == command["id"] {
            return push;
        }
    }
}

fn begin(client: &mut Ws) -> Value {
    ask(
        client,
        &json!({"id": 1, "type": "typing.start", "room_id": "den"}),
    )
}

fn listed(throng: &Throng) -> Value {
    let response = throng.get("/api/v1/rooms/den/typing");
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["user_ids"].clone()
}

/// Waits until nobody is listed any more.
fn ended(throng: &Throng) {
    let start = Instant::now();
    while listed(throng) != json!([]) {
        assert!(
            start.elapsed() < PATIENCE,
            "still typing: {}",
            listed(throng)
        );
        pause();
    }
}

#[test]
fn a_room_is_told_who_types_and_the_connection_that_does_is_not() {
    let throng = start();
    room(&throng, "den", &["ada", "bob"]);
    let (mut ada, mut same, mut bob) = (
        throng.ws_as("ada"),
        throng.ws_as("ada"),
        throng.ws_as("bob"),
    );
    assert_eq!(begin(&mut ada)["type"], "ack");
    let started = ("ada".to_owned(), true);
    assert_eq!(typing(&mut bob), started);
    assert_eq!(
        typing(&mut same),
        started,
        "another connection of the same user is"
    );
    assert_eq!(listed(&throng), json!(["ada"]));
    let stop = json!({"id": 2, "type": "typing.stop", "room_id": "den"});
    assert_eq!(ask(&mut ada, &stop)["type"], "ack");
    assert_eq!(typing(&mut bob), ("ada".to_owned(), false));
    assert_eq!(listed(&throng), json!([]));
}

#[test]
fn typing_ends_by_itself_and_the_room_is_told() {
    let throng = start();
    room(&throng, "den", &["ada", "bob"]);
    let (mut ada, mut bob) = (throng.ws_as("ada"), throng.ws_as("bob"));
    let start = Instant::now();
    begin(&mut ada);
    assert_eq!(typing(&mut bob), ("ada".to_owned(), true));
    assert_eq!(
        typing(&mut bob),
        ("ada".to_owned(), false),
        "nobody has said so"
    );
    assert!(
        start.elapsed() >= Duration::from_millis(2900),
        "{:?}",
        start.elapsed()
    );
    ended(&throng);
}

#[test]
fn starts_in_a_hurry_are_told_once() {
    let throng = start();
    room(&throng, "den", &["ada", "bob"]);
    let (mut ada, mut bob) = (throng.ws_as("ada"), throng.ws_as("bob"));
    for _ in 0..5 {
        begin(&mut ada);
    }
    ask(
        &mut ada,
        &json!({"id": 2, "type": "typing.stop", "room_id": "den"}),
    );
    assert_eq!(typing(&mut bob), ("ada".to_owned(), true));
    assert_eq!(
        typing(&mut bob),
        ("ada".to_owned(), false),
        "five starts are one"
    );
}

#[test]
fn ten_type_in_a_room_and_the_eleventh_is_told_so() {
    let throng = start();
    let users: Vec<_> = (0..11).map(|user| format!("user-{user:02}")).collect();
    let users: Vec<_> = users.iter().map(String::as_str).collect();
    room(&throng, "den", &users);
    let path = |user: &str| format!("/api/v1/rooms/den/typing?actor={user}");
    let json = [("content-type", "application/json")];
    // All of it takes less than the three seconds after which the first stops by itself.
    for user in &users[..10] {
        assert_eq!(
            throng.request("PUT", &path(user), &json, b"{}").status,
            204,
            "{user}"
        );
    }
    let refused = throng.request("PUT", &path(users[10]), &json, b"{}");
    assert_eq!(refused.problem(), (409, "too_many_typing".to_owned()));
    assert_eq!(listed(&throng).as_array().unwrap().len(), 10);
    assert_eq!(
        throng.request("DELETE", &path(users[3]), &[], b"").status,
        204
    );
    assert_eq!(
        throng.request("PUT", &path(users[10]), &json, b"{}").status,
        204
    );
}

#[test]
fn who_may_not_send_may_not_type_and_who_is_no_member_sees_nobody() {
    let throng = start();
    room(&throng, "den", &["ada"]);
    let (mut ada, mut eve, mut nobody) = (throng.ws_as("ada"), throng.ws_as("eve"), throng.ws());
    let refused = begin(&mut eve);
    assert_eq!(refused["data"]["code"], "not_member", "{refused}");
    assert_eq!(refused["data"]["field"], "room_id");
    let list = json!({"id": 2, "type": "typing.list", "room_id": "den"});
    assert_eq!(ask(&mut eve, &list)["data"]["code"], "not_member");
    assert_eq!(begin(&mut nobody)["data"]["code"], "unauthenticated");
    let pong = ask(&mut ada, &json!({"id": 3, "type": "ping"}));
    assert_eq!(pong["type"], "pong", "the room was told nothing");
    let unknown = ask(
        &mut ada,
        &json!({"id": 4, "type": "typing.start", "room_id": "lab"}),
    );
    assert_eq!(unknown["data"]["code"], "unknown_room");
}

#[test]
fn who_types_in_several_rooms_is_listed_and_cleared_in_each() {
    let throng = start();
    for id in ["den", "lab"] {
        room(&throng, id, &["ada", "bob"]);
    }
    let (mut ada, mut bob) = (throng.ws_as("ada"), throng.ws_as("bob"));
    begin(&mut ada);
    ask(
        &mut ada,
        &json!({"id": 2, "type": "typing.start", "room_id": "lab"}),
    );
    let many = throng.get("/api/v1/typing?room_ids=den,lab").json();
    assert_eq!(many, json!({"rooms": {"den": ["ada"], "lab": ["ada"]}}));
    let bobs = throng.request("DELETE", "/api/v1/users/ada/typing?actor=bob", &[], b"");
    assert_eq!(bobs.problem(), (403, "permission_denied".to_owned()));
    let cleared = throng.request("DELETE", "/api/v1/users/ada/typing", &[], b"");
    assert_eq!(cleared.status, 204, "{cleared:?}");
    let many = throng.get("/api/v1/typing?room_ids=den,lab").json();
    assert_eq!(many, json!({"rooms": {"den": [], "lab": []}}));
    let told: Vec<_> = (0..4).map(|_| told_of(&mut bob)).collect();
    for id in ["den", "lab"] {
        let of: Vec<_> = told
            .iter()
            .filter(|(room, _)| room == id)
            .map(|(_, is)| *is)
            .collect();
        assert_eq!(of, [true, false], "{id}: {told:?}");
    }
}

#[test]
fn whose_last_connection_goes_types_no_more() {
    let throng = start();
    room(&throng, "den", &["ada", "bob"]);
    let (mut ada, other, mut bob) = (
        throng.ws_as("ada"),
        throng.ws_as("ada"),
        throng.ws_as("bob"),
    );
    begin(&mut ada);
    assert_eq!(typing(&mut bob), ("ada".to_owned(), true));
    let start = Instant::now();
    other.close();
    assert_eq!(listed(&throng), json!(["ada"]), "one is left");
    ada.close();
    assert_eq!(typing(&mut bob), ("ada".to_owned(), false));
    assert!(
        start.elapsed() < Duration::from_millis(2500),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn who_leaves_or_sends_types_no_more() {
    let throng = start();
    room(&throng, "den", &["ada", "bob"]);
    let (mut ada, mut bob) = (throng.ws_as("ada"), throng.ws_as("bob"));
    let start = Instant::now();
    begin(&mut bob);
    let send = json!({"id": 2, "type": "room.send", "room_id": "den", "data": "hi"});
    bob.say(&send.to_string());
    assert_eq!(typing(&mut ada), ("bob".to_owned(), true));
    assert_eq!(typing(&mut ada), ("bob".to_owned(), false));
    let begin = json!({"id": 3, "type": "typing.start", "room_id": "den"});
    bob.say(&begin.to_string());
    assert_eq!(typing(&mut ada), ("bob".to_owned(), true));
    bob.say(r#"{"id":4,"type":"room.leave","room_id":"den"}"#);
    assert_eq!(typing(&mut ada), ("bob".to_owned(), false));
    assert!(
        start.elapsed() < Duration::from_millis(2500),
        "{:?}",
        start.elapsed()
    );
    ended(&throng);
}
