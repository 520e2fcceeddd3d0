//! Users and their connections, over the shipped binary: how many there may be, what is known
//! about each, how they are ended, and what reaches whom.

use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::binary::PATIENCE;
use crate::binary::Response;
use crate::binary::Throng;
use crate::binary::Ws;
use crate::binary::pause;

fn start() -> Throng {
    Throng::start(&["--insecure-trust-query-user"])
}

fn get(throng: &Throng, path: &str) -> Value {
    let response = throng.get(&format!("/api/v1{path}"));
    assert_eq!(response.status, 200, "{path}: {response:?}");
    response.json()
}

fn post(throng: &Throng, path: &str, body: &Value) -> Value {
    let response = throng.post(
        &format!("/api/v1{path}"),
        "application/json",
        body.to_string(),
    );
    assert_eq!(response.status, 200, "{path}: {response:?}");
    response.json()
}

fn delete(throng: &Throng, path: &str) -> Response {
    throng.request("DELETE", &format!("/api/v1{path}"), &[], b"")
}

/// What a client is told that is not let in.
fn refused(throng: &Throng, path: &str) -> (u16, String) {
    Ws::open(throng.address, path).closed()
}

/// The counts, once they are as many connections as that.
fn counted(throng: &Throng, clients: u64) -> Value {
    let start = Instant::now();
    loop {
        let count = get(throng, "/clients/count");
        if count["clients"] == clients {
            return count;
        }
        assert!(start.elapsed() < PATIENCE, "still {count}");
        pause();
    }
}

fn ids(list: &Value) -> Vec<String> {
    let connections = list["clients"].as_array().unwrap().iter();
    let id = |info: &Value| info["client_id"].as_str().unwrap().to_owned();
    connections.map(id).collect()
}

#[test]
fn a_connection_knows_what_is_known_about_it() {
    let throng = start();
    let mut ada = throng.ws_as("ada");
    let ack = ada.ask(r#"{"id":1,"type":"client.me"}"#);
    let me = &ack["data"];
    assert_eq!(me["client_id"], ada.id());
    assert_eq!(
        (&me["user_id"], &me["transport"]),
        (&json!("ada"), &json!("ws"))
    );
    assert!(me["connected_at"].as_str().unwrap().ends_with('Z'), "{me}");
    let seen = get(&throng, &format!("/clients/{}", ada.id()));
    assert_eq!(seen["connected_at"], me["connected_at"]);
    assert_eq!(seen["address"], "127.0.0.1");
    let agent = [("user-agent", "radio/2.0")];
    let (_stream, connected) = throng.sse_with("/sse?user=bob", &agent);
    let id = connected["data"]["client_id"].as_str().unwrap();
    let seen = get(&throng, &format!("/clients/{id}"));
    assert_eq!(
        (&seen["agent"], &seen["transport"]),
        (&json!("radio/2.0"), &json!("sse")),
        "{seen}"
    );
}

#[test]
fn a_user_has_five_connections_and_the_sixth_is_told_why_not() {
    let throng = start();
    let mut five: Vec<_> = (0..5).map(|_| throng.ws_as("ada")).collect();
    let full = (3504, "too many connections".to_owned());
    assert_eq!(refused(&throng, "/ws?user=ada"), full);
    let stream = throng.get("/sse?channel=c&user=ada").problem();
    assert_eq!(stream, (503, "connection_limit_reached".to_owned()));
    assert_eq!(five[0].ask(r#"{"type":"ping"}"#)["type"], "pong");
    let _bob = throng.ws_as("bob");
    five.pop().unwrap().close();
    counted(&throng, 5);
    let _again = throng.ws_as("ada");
}

#[test]
fn two_connections_never_have_the_same_id() {
    let throng = start();
    let (one, other) = (throng.ws_as("ada"), throng.ws_as("ada"));
    assert_ne!(one.id(), other.id());
    let first = one.id();
    one.close();
    counted(&throng, 1);
    assert!(![first, other.id()].contains(&throng.ws_as("ada").id()));
}

#[test]
fn f3_after_disconnects_nothing_of_a_connection_is_left() {
    let throng = start();
    for round in 0..3 {
        let mut clients: Vec<_> = (0..4).map(|_| throng.ws_as("ada")).collect();
        clients.push(throng.ws());
        let stream = throng.sse("/sse?channel=c&user=ada");
        clients[0].join("c");
        let there = counted(&throng, 6);
        let wanted = json!({"clients": 6, "users": 1, "anonymous": 1});
        assert_eq!(there, wanted, "{round}");
        drop((clients, stream));
        let gone = counted(&throng, 0);
        assert_eq!(gone, json!({"clients": 0, "users": 0, "anonymous": 0}));
    }
    assert_eq!(get(&throng, "/users")["users"], json!([]));
    assert_eq!(get(&throng, "/clients")["clients"], json!([]));
    let gone = throng.get("/api/v1/users/ada");
    assert_eq!(gone.problem(), (404, "unknown_user".to_owned()));
    throng.stats_until(|stats| stats["clients"] == 0);
}

#[test]
fn lists_are_pages_that_hold_each_once() {
    let throng = start();
    let clients: Vec<_> = ["eve", "ada", "bob", "ada"]
        .map(|user| throng.ws_as(user))
        .into();
    let page = get(&throng, "/clients?limit=3");
    let next = page["next"].as_str().unwrap();
    let rest = get(&throng, &format!("/clients?limit=3&after={next}"));
    let expected: Vec<_> = clients.iter().map(Ws::id).collect();
    assert_eq!(
        [ids(&page), ids(&rest)].concat(),
        expected,
        "in the order in which they came"
    );
    assert_eq!(rest["next"], Value::Null);

    let of_ada = get(&throng, "/clients?user_id=ada");
    assert_eq!(ids(&of_ada), [clients[1].id(), clients[3].id()]);
    let users = get(&throng, "/users?limit=2");
    let two = json!([{"user_id": "ada", "clients": 2}, {"user_id": "bob", "clients": 1}]);
    assert_eq!(users["users"], two);
    let rest = get(
        &throng,
        &format!("/users?after={}", users["next"].as_str().unwrap()),
    );
    assert_eq!(rest["users"], json!([{"user_id": "eve", "clients": 1}]));

    assert_eq!(ids(&get(&throng, "/users/ada")), ids(&of_ada));
    let of_nobody = get(&throng, "/clients?user_id=nobody");
    assert_eq!(of_nobody["clients"], json!([]));
    for path in [
        "/clients?limit=0",
        "/clients?limit=1001",
        "/clients?after=x",
    ] {
        let (status, code) = throng.get(&format!("/api/v1{path}")).problem();
        assert_eq!((status, &*code), (400, "invalid_field"), "{path}");
    }
}

#[test]
fn a_user_sees_and_ends_its_own_connections_and_no_others() {
    let throng = start();
    let (mut ada, mut other) = (throng.ws_as("ada"), throng.ws_as("ada"));
    let mut bob = throng.ws_as("bob");
    let list = ada.ask(r#"{"id":1,"type":"client.list"}"#);
    assert_eq!(ids(&list["data"]), [ada.id(), other.id()]);
    let refused = ada.ask(r#"{"id":2,"type":"client.list","user_id":"bob"}"#);
    assert_eq!(refused["data"]["code"], "permission_denied", "{refused}");
    for kind in ["client.get", "client.kick"] {
        let command = json!({"id": 3, "type": kind, "client_id": bob.id()});
        let refused = ada.ask(&command.to_string());
        assert_eq!(refused["data"]["code"], "unknown_client", "{refused}");
        assert_eq!(
            (&refused["data"]["field"], &refused["reply_to"]),
            (&json!("client_id"), &json!(3))
        );
    }
    for kind in [
        "user.kick",
        "user.send",
        "user.list",
        "client.idle",
        "client.count",
    ] {
        let refused = ada.ask(&json!({"id": 4, "type": kind, "user_id": "bob"}).to_string());
        assert_eq!(
            refused["data"]["code"], "permission_denied",
            "{kind}: {refused}"
        );
    }
    assert_eq!(bob.ask(r#"{"type":"ping"}"#)["type"], "pong");
    let command = json!({"id": 5, "type": "client.kick", "client_id": other.id()});
    assert_eq!(ada.ask(&command.to_string())["type"], "ack");
    assert_eq!(other.closed(), (3503, "kicked".to_owned()));
    let nobody = throng.ws().ask(r#"{"id":1,"type":"client.list"}"#);
    assert_eq!(nobody["data"]["code"], "unauthenticated", "{nobody}");
}

#[test]
fn who_is_kicked_is_told_why_and_counts_no_more() {
    let throng = start();
    let mut ada = [
        throng.ws_as("ada"),
        throng.ws_as("ada"),
        throng.ws_as("ada"),
    ];
    let mut bob = throng.ws_as("bob");
    let one = delete(&throng, &format!("/clients/{}?reason=spam", ada[0].id()));
    assert_eq!(one.status, 204, "{one:?}");
    assert_eq!(ada[0].closed(), (3503, "spam".to_owned()));
    assert_eq!(ada[0].farewell()["reconnect"], false);
    counted(&throng, 3);
    let all = delete(&throng, "/users/ada/clients");
    assert_eq!((all.status, all.json()), (200, json!({"closed": 2})));
    for client in &mut ada[1..] {
        assert_eq!(client.closed(), (3503, "kicked".to_owned()));
    }
    counted(&throng, 1);
    assert_eq!(
        delete(&throng, "/users/ada/clients").problem().1,
        "unknown_user"
    );
    assert_eq!(
        delete(&throng, "/clients/999").problem().1,
        "unknown_client"
    );
    let long = format!("/clients/{}?reason={}", bob.id(), "x".repeat(124));
    assert_eq!(delete(&throng, &long).problem().1, "too_large");
    assert_eq!(bob.ask(r#"{"type":"ping"}"#)["type"], "pong");
}

#[test]
fn a_command_makes_a_connection_active_and_the_idle_are_found_and_closed() {
    let throng = start();
    let (mut busy, mut silent) = (throng.ws_as("ada"), throng.ws_as("bob"));
    let start = Instant::now();
    // Long enough idle is whoever has asked for nothing since the other asked last.
    loop {
        assert_eq!(busy.ask(r#"{"type":"ping"}"#)["type"], "pong");
        let idle = get(&throng, "/clients/idle?longer_than_ms=500");
        if ids(&idle) == [silent.id()] {
            break;
        }
        assert_eq!(idle["clients"], json!([]));
        assert!(start.elapsed() < PATIENCE, "the silent one is never idle");
        pause();
    }
    let info = get(&throng, &format!("/clients/{}", busy.id()));
    assert!(
        info["last_active"].as_str() > info["connected_at"].as_str(),
        "{info}"
    );
    assert_eq!(busy.ask(r#"{"type":"ping"}"#)["type"], "pong");
    let closed = delete(&throng, "/clients/idle?longer_than_ms=500");
    assert_eq!(closed.json(), json!({"closed": 1}));
    assert_eq!(silent.closed(), (3022, "idle".to_owned()));
    assert_eq!(busy.ask(r#"{"type":"ping"}"#)["type"], "pong");
    assert_eq!(
        delete(&throng, "/clients/idle").problem().1,
        "missing_field"
    );
}

#[test]
fn f6_a_passive_listener_is_not_cut() {
    let throng = Throng::start(&[
        "--insecure-trust-query-user",
        "--ping-interval",
        "20",
        "--pong-timeout",
        "2000",
    ]);
    let mut listener = throng.ws_as("ada");
    listener.join("c");
    let start = Instant::now();
    // Many rounds of pings: it asks for nothing and only reads.
    while start.elapsed().as_millis() < 500 {
        throng.publish("c", &json!("tick"));
        assert_eq!(listener.expect("message")["data"], "tick");
    }
    let idle = get(&throng, "/clients/idle?longer_than_ms=300");
    assert_eq!(
        ids(&idle),
        [listener.id()],
        "it has asked for nothing, and is there"
    );
}

#[test]
fn f25_the_bounds_hold_however_many_come() {
    let throng = start();
    let mut clients = Vec::new();
    for user in ["ada", "bob"] {
        clients.extend((0..5).map(|_| throng.ws_as(user)));
        for _ in 0..20 {
            assert_eq!(refused(&throng, &format!("/ws?user={user}")).0, 3504);
        }
    }
    let count = counted(&throng, 10);
    assert_eq!(
        (&count["users"], &count["anonymous"]),
        (&json!(2), &json!(0))
    );
    drop(clients);
    counted(&throng, 0);
    for _ in 0..20 {
        throng.ws_as("ada").close();
    }
    let _five: Vec<_> = (0..5).map(|_| throng.ws_as("bob")).collect();
    counted(&throng, 5);
}

#[test]
fn a_message_to_a_user_reaches_all_of_its_connections_and_no_other() {
    let throng = start();
    let mut ada = [throng.ws_as("ada"), throng.ws_as("ada")];
    let mut bob = throng.ws_as("bob");
    let body = json!({"data": {"n": 1}, "metadata": {"kind": "note"}});
    let sent = post(&throng, "/users/ada/messages", &body);
    assert_eq!(sent, json!({"addressed": 2, "delivered": 2, "dropped": 0}));
    for client in &mut ada {
        let message = client.expect("message");
        assert_eq!(message["data"], json!({"n": 1}));
        assert_eq!(message["metadata"], json!({"kind": "note"}), "{message}");
        assert_eq!(
            message["channel_id"],
            Value::Null,
            "it came over no channel"
        );
    }
    let nobody = post(&throng, "/users/nobody/messages", &body);
    assert_eq!(nobody["addressed"], 0);
    assert_eq!(
        bob.ask(r#"{"type":"ping"}"#)["type"],
        "pong",
        "nothing came before"
    );
}

#[test]
fn a_message_to_users_reaches_each_once() {
    let throng = start();
    let [mut ada, mut bob, mut eve] = ["ada", "bob", "eve"].map(|user| throng.ws_as(user));
    let body = json!({"user_ids": ["ada", "bob", "ada", "nobody"], "text": "hi"});
    let sent = post(&throng, "/users/messages", &body);
    assert_eq!(
        (&sent["addressed"], &sent["delivered"]),
        (&json!(2), &json!(2))
    );
    for client in [&mut ada, &mut bob] {
        assert_eq!(client.expect("message")["text"], "hi");
        assert_eq!(client.ask(r#"{"type":"ping"}"#)["type"], "pong", "once");
    }
    assert_eq!(eve.ask(r#"{"type":"ping"}"#)["type"], "pong");
}

#[test]
fn a_broadcast_leaves_out_all_connections_of_those_named() {
    let throng = start();
    let mut ada = [throng.ws_as("ada"), throng.ws_as("ada")];
    let (mut bob, mut nobody) = (throng.ws_as("bob"), throng.ws());
    let body = json!({"except": ["ada"], "data": 7});
    let sent = post(&throng, "/users/broadcast", &body);
    assert_eq!(
        (&sent["addressed"], &sent["delivered"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(bob.expect("message")["data"], 7);
    assert_eq!(nobody.expect("message")["data"], 7);
    for client in &mut ada {
        assert_eq!(client.ask(r#"{"type":"ping"}"#)["type"], "pong");
    }
}

#[test]
fn a_message_to_one_connection_reaches_no_other_of_its_user() {
    let throng = start();
    let (mut one, mut other) = (throng.ws_as("ada"), throng.ws_as("ada"));
    let path = format!("/api/v1/clients/{}/send", one.id());
    let sent = throng.post(&path, "application/json", r#"{"base64":"AAEC"}"#);
    assert_eq!(sent.status, 204, "{sent:?}");
    assert_eq!(one.expect("message")["base64"], "AAEC");
    assert_eq!(other.ask(r#"{"type":"ping"}"#)["type"], "pong");
    let missing = throng.post(
        "/api/v1/clients/999/send",
        "application/json",
        r#"{"data":1}"#,
    );
    assert_eq!(missing.problem(), (404, "unknown_client".to_owned()));
    let empty = throng.post(&path, "application/json", "{}");
    assert_eq!(empty.problem().0, 400);
}

#[test]
fn a_broadcast_reaches_everybody() {
    let throng = start();
    let mut all = [throng.ws_as("ada"), throng.ws_as("ada"), throng.ws()];
    post(&throng, "/broadcast", &json!({"data": "all"}));
    for client in &mut all {
        assert_eq!(client.expect("message")["data"], "all");
    }
}

#[test]
fn f25_of_those_that_are_nobodys_there_are_no_more_than_that() {
    let throng = Throng::start(&["--insecure-trust-query-user", "--max-anonymous", "2"]);
    let (one, _other) = (throng.ws(), throng.ws());
    assert_eq!(refused(&throng, "/ws").0, 3023);
    let _ada = throng.ws_as("ada");
    one.close();
    counted(&throng, 2);
    let _again = throng.ws();
}

#[test]
fn f25_a_user_is_in_no_more_channels_than_that_over_all_of_its_connections() {
    let throng = Throng::start(&[
        "--insecure-trust-query-user",
        "--max-channels-per-user",
        "2",
    ]);
    let (mut one, mut other) = (throng.ws_as("ada"), throng.ws_as("ada"));
    one.join("a");
    other.join("a");
    other.join("b");
    let refused = one.ask(r#"{"id":1,"type":"subscribe","channel_id":"c"}"#);
    assert_eq!(
        refused["data"]["code"], "channel_limit_reached",
        "{refused}"
    );
    assert_eq!(get(&throng, "/users/ada")["channels"], 2);
    throng.ws_as("bob").join("c");
    let left = other.ask(r#"{"id":2,"type":"unsubscribe","channel_id":"b"}"#);
    assert_eq!(left["type"], "ack", "{left}");
    one.join("c");
    one.close();
    counted(&throng, 1);
    other.join("d");
}

#[test]
fn who_asks_for_nothing_is_closed_if_the_server_says_so_and_who_does_is_not() {
    let throng = Throng::start(&["--insecure-trust-query-user", "--idle-timeout", "400"]);
    let (mut busy, mut silent) = (throng.ws_as("ada"), throng.ws_as("bob"));
    let start = Instant::now();
    while get(&throng, "/clients/count")["clients"] == 2 {
        assert_eq!(busy.ask(r#"{"type":"ping"}"#)["type"], "pong");
        assert!(start.elapsed() < PATIENCE, "the silent one is still there");
        pause();
    }
    assert_eq!(silent.closed(), (3022, "idle".to_owned()));
    assert_eq!(busy.ask(r#"{"type":"ping"}"#)["type"], "pong");
}
