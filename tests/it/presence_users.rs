//! Presence of users through the shipped binary, over WebSocket, server-sent events and HTTP: each
//! of the things that others promise about presence, and what they get wrong.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::binary::PATIENCE;
use crate::binary::Response;
use crate::binary::Sse;
use crate::binary::Throng;
use crate::binary::Ws;
use crate::binary::pause;

/// A server where everybody sees everybody.
fn start() -> Throng {
    start_with(&["--presence-visibility", "everyone"])
}

/// The same, where users are gone soon after their connections.
fn start_brief() -> Throng {
    let grace = GRACE.as_millis().to_string();
    start_with(&[
        "--presence-visibility",
        "everyone",
        "--presence-grace",
        &grace,
    ])
}

/// A server where those see each other who share a room.
fn start_with_rooms() -> Throng {
    start_with(&[])
}

fn start_with(arguments: &[&str]) -> Throng {
    Throng::start(&[&["--insecure-trust-query-user"], arguments].concat())
}

const GRACE: Duration = Duration::from_millis(500);

/// Asks, and returns what the `ack` says.
fn ask(ws: &mut Ws, command: &Value) -> Value {
    let answer = ws.ask(&command.to_string());
    assert_eq!(answer["type"], "ack", "{command}: {answer}");
    answer["data"].clone()
}

/// Asks for what is refused, and returns the code and the field.
fn refused(ws: &mut Ws, command: &Value) -> (String, Value) {
    let answer = ws.ask(&command.to_string());
    assert_eq!(answer["type"], "error", "{command}: {answer}");
    assert_eq!(answer["reply_to"], command["id"]);
    let code = answer["data"]["code"].as_str();
    (code.unwrap().to_owned(), answer["data"]["field"].clone())
}

fn set(ws: &mut Ws, status: &str) -> Value {
    ask(
        ws,
        &json!({ "id": 1, "type": "presence.set", "status": status }),
    )
}

/// Has the client watch, and returns what the other is now.
fn watch(ws: &mut Ws, user: &str) -> Value {
    let command = json!({ "id": 2, "type": "presence.watch", "user_id": user });
    ws.say(&command.to_string());
    let mut first = ws.push();
    if first["type"] == "joined" {
        assert_eq!(first["user_id"], user);
        first = ws.push();
    } else {
        assert_eq!(ws.expect("joined")["user_id"], user);
    }
    assert_eq!(first["type"], "ack", "{first}");
    first["data"].clone()
}

/// The next push, which is about the presence of this user; its data.
fn told(ws: &mut Ws, user: &str) -> Value {
    let push = ws.expect("presence");
    assert_eq!(push["user_id"], user, "{push}");
    assert_eq!(push["data"]["user_id"], user, "{push}");
    push["data"].clone()
}

fn put(throng: &Throng, path: &str, body: &Value) -> Response {
    let headers = [("content-type", "application/json")];
    let path = format!("/api/v1{path}");
    throng.request("PUT", &path, &headers, body.to_string().as_bytes())
}

fn fetch(throng: &Throng, path: &str) -> Value {
    let response = throng.get(&format!("/api/v1{path}"));
    assert_eq!(response.status, 200, "{path}: {response:?}");
    response.json()
}

fn status_of(throng: &Throng, user: &str) -> Value {
    let users = fetch(throng, &format!("/presence?user_ids={user}"));
    users["users"][0]["status"].clone()
}

/// Looks at a user until it has this status.
fn until(throng: &Throng, user: &str, status: &str) {
    let begun = Instant::now();
    while status_of(throng, user) != status {
        assert!(begun.elapsed() < PATIENCE, "{user} never is {status}");
        pause();
    }
}

fn names(list: &Value) -> Vec<&str> {
    let users = list["users"].as_array().unwrap();
    users
        .iter()
        .map(|user| user["user_id"].as_str().unwrap())
        .collect()
}

#[test]
fn f7_a_user_is_offline_after_its_last_websocket_has_gone_and_not_before() {
    let throng = start_brief();
    let mut bob = throng.ws_as("bob");
    let one = throng.ws_as("ada");
    let other = throng.ws_as("ada");
    assert_eq!(watch(&mut bob, "ada")["status"], "online");
    one.close();
    // The first connection has gone: still online.
    let command = json!({ "id": 3, "type": "presence.get", "user_id": "ada" });
    assert_eq!(ask(&mut bob, &command)["status"], "online");
    let closed = Instant::now();
    other.close();
    let offline = told(&mut bob, "ada");
    assert_eq!(offline["status"], "offline");
    assert!(closed.elapsed() >= GRACE);
    assert_eq!(status_of(&throng, "ada"), "offline");
}

#[test]
fn f7_a_stream_and_a_socket_count_alike() {
    let throng = start_brief();
    let mut bob = throng.ws_as("bob");
    let (stream, _) = throng.sse("/sse?user=ada");
    until(&throng, "ada", "online");
    assert_eq!(watch(&mut bob, "ada")["status"], "online");
    let tab = throng.ws_as("ada");
    drop::<Sse>(stream);
    let command = json!({ "id": 3, "type": "presence.get", "user_id": "ada" });
    assert_eq!(ask(&mut bob, &command)["status"], "online");
    tab.close();
    assert_eq!(told(&mut bob, "ada")["status"], "offline");
    let (stream, _) = throng.sse("/sse?user=ada");
    assert_eq!(told(&mut bob, "ada")["status"], "online");
    drop::<Sse>(stream);
    assert_eq!(told(&mut bob, "ada")["status"], "offline");
}

#[test]
fn f7_a_page_that_is_loaded_anew_is_no_news() {
    let throng = start();
    let mut bob = throng.ws_as("bob");
    let mut ada = throng.ws_as("ada");
    watch(&mut bob, "ada");
    set(&mut ada, "busy");
    assert_eq!(told(&mut bob, "ada")["status"], "busy");
    ada.close();
    let mut ada = throng.ws_as("ada");
    set(&mut ada, "away");
    assert_eq!(
        told(&mut bob, "ada")["status"],
        "away",
        "and nothing between"
    );
}

#[test]
fn f8_every_change_is_pushed_to_those_who_watch() {
    let throng = start();
    let mut bob = throng.ws_as("bob");
    assert_eq!(watch(&mut bob, "ada")["status"], "offline");
    let mut ada = throng.ws_as("ada");
    assert_eq!(told(&mut bob, "ada")["status"], "online");
    let command = json!({
        "id": 1, "type": "presence.set", "status": "busy",
        "custom_status": "in a meeting", "emoji": "📅", "expires_in_ms": 60_000,
        "activity": "streaming", "activity_detail": "the board",
        "availability": "after four", "available": false,
        "details": { "seat": 4 },
    });
    let own = ask(&mut ada, &command);
    let seen = told(&mut bob, "ada");
    assert_eq!(own["status"], "busy");
    for field in [
        "status",
        "custom_status",
        "activity",
        "availability",
        "available",
        "details",
    ] {
        assert_eq!(seen[field], own[field], "{field}");
    }
    assert_eq!(seen["custom_status"]["text"], "in a meeting");
    assert_eq!(
        seen["activity"],
        json!({ "type": "streaming", "detail": "the board" })
    );
    assert_eq!(seen["details"]["seat"], 4);
    let response = put(
        &throng,
        "/presence",
        &json!({ "user_id": "ada", "status": "away" }),
    );
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(told(&mut bob, "ada")["status"], "away", "by the server too");
    let command = json!({ "id": 3, "type": "presence.unwatch", "user_id": "ada" });
    ask(&mut bob, &command);
    set(&mut ada, "online");
    assert_eq!(
        bob.ask(r#"{"id":4,"type":"ping"}"#)["type"],
        "pong",
        "and no more"
    );
}

#[test]
fn f8_a_stream_is_told_as_well() {
    let throng = start();
    let (mut stream, connected) = throng.sse("/sse?user=bob");
    let client = connected["data"]["client_id"].as_str().unwrap();
    let body = json!({ "user_id": "ada", "client_id": client }).to_string();
    let path = "/api/v1/presence/watches?actor=bob";
    let answer = throng.post(path, "application/json", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    let foreign = throng.post(&path.replace("bob", "eve"), "application/json", &body);
    assert_eq!(foreign.problem(), (404, "unknown_client".to_owned()));
    let _ada = throng.ws_as("ada");
    loop {
        let event = stream.next().expect("not the end");
        if event.name == "presence" {
            let push: Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!(push["data"]["status"], "online");
            return;
        }
        assert_eq!(event.name, "joined", "{event:?}");
    }
}

#[test]
fn f9_activity_does_not_undo_away_or_busy() {
    let throng = start();
    let mut ada = throng.ws_as("ada");
    for status in ["away", "busy"] {
        set(&mut ada, status);
        ada.ask(r#"{"id":5,"type":"ping"}"#);
        ada.join("news");
        ask(&mut ada, &json!({ "id": 6, "type": "presence.touch" }));
        let mut tab = throng.ws_as("ada");
        tab.ask(r#"{"id":7,"type":"ping"}"#);
        tab.close();
        assert_eq!(status_of(&throng, "ada"), status);
        ask(
            &mut ada,
            &json!({ "id": 8, "type": "unsubscribe", "channel_id": "news" }),
        );
    }
}

#[test]
fn a_status_is_one_of_five_names_in_lower_case() {
    let throng = start();
    let mut ada = throng.ws_as("ada");
    for status in ["online", "away", "busy", "invisible", "offline"] {
        assert_eq!(set(&mut ada, status)["status"], status);
    }
    for status in ["Online", "ONLINE", "gone", ""] {
        let command = json!({ "id": 1, "type": "presence.set", "status": status });
        let refusal = refused(&mut ada, &command);
        assert_eq!(refusal, ("invalid_status".to_owned(), "status".into()));
    }
    let response = put(
        &throng,
        "/presence",
        &json!({ "user_id": "ada", "status": "gone" }),
    );
    assert_eq!(response.problem(), (400, "invalid_status".to_owned()));
    let mut nobody = throng.ws();
    let command = json!({ "id": 1, "type": "presence.set", "status": "away" });
    assert_eq!(refused(&mut nobody, &command).0, "unauthenticated");
    let command = json!({ "id": 1, "type": "presence.set", "user_id": "bob", "status": "away" });
    assert_eq!(refused(&mut ada, &command).0, "presence_denied");
}

#[test]
fn away_and_busy_are_online_too_and_invisible_is_not() {
    let throng = start();
    let mut users = ["ada", "bob", "eve", "joe"].map(|name| throng.ws_as(name));
    for (ws, status) in users
        .iter_mut()
        .zip(["online", "away", "busy", "invisible"])
    {
        set(ws, status);
    }
    let online = fetch(&throng, "/presence/online");
    assert_eq!(names(&online), ["eve", "bob", "ada"], "newest change first");
    assert_eq!(online["next"], Value::Null);
    let of = |status: &str| fetch(&throng, &format!("/presence/statuses/{status}"));
    assert_eq!(names(&of("away")), ["bob"]);
    assert_eq!(names(&of("invisible")), ["joe"]);
    let command = json!({ "id": 1, "type": "presence.by_status", "status": "offline" });
    let offline = ask(&mut users[0], &command);
    assert_eq!(names(&offline), ["joe"], "as others see it");
    assert_eq!(offline["users"][0]["status"], "offline");
    let command = json!({ "id": 1, "type": "presence.get", "user_id": "joe" });
    assert_eq!(ask(&mut users[0], &command)["status"], "offline");
    assert_eq!(ask(&mut users[3], &command)["status"], "invisible");
    let count = fetch(&throng, "/presence/count");
    let expected = [
        ("present", 3),
        ("online", 1),
        ("away", 1),
        ("busy", 1),
        ("invisible", 1),
    ];
    for (name, number) in expected {
        assert_eq!(count[name], number, "{name}");
    }
    assert!(count["peak"].as_u64().unwrap() >= 3 && count["average"].is_number());
    let count = ask(&mut users[0], &json!({ "id": 1, "type": "presence.count" }));
    assert!(count.get("invisible").is_none(), "for the server alone");
}

#[test]
fn one_can_ask_for_a_user_for_many_and_for_those_nobody_knows() {
    let throng = start();
    let mut ada = throng.ws_as("ada");
    let command = json!({ "id": 1, "type": "presence.get_many", "user_ids": ["ada", "nobody"] });
    let many = ask(&mut ada, &command);
    assert_eq!(names(&many), ["ada", "nobody"]);
    assert_eq!(
        many["users"][1],
        json!({ "user_id": "nobody", "status": "offline" })
    );
    let own = &many["users"][0];
    for date in ["since", "last_seen"] {
        let date = own[date].as_str().unwrap();
        assert!(date.ends_with('Z') && date.len() == 24, "{date}");
    }
    let command = json!({ "id": 1, "type": "presence.get", "user_id": "nobody" });
    let refusal = refused(&mut ada, &command);
    assert_eq!(refusal, ("unknown_presence".to_owned(), "user_id".into()));
    let response = throng.get("/api/v1/users/nobody/presence");
    assert_eq!(response.problem(), (404, "unknown_presence".to_owned()));
    assert_eq!(fetch(&throng, "/users/ada/presence")["status"], "online");
}

#[test]
fn a_custom_status_is_kept_shown_and_ends_in_time() {
    let throng = start();
    let mut bob = throng.ws_as("bob");
    let mut ada = throng.ws_as("ada");
    watch(&mut bob, "ada");
    let command = json!({
        "id": 1, "type": "presence.set", "custom_status": "brb", "expires_in_ms": 200,
    });
    ask(&mut ada, &command);
    let seen = told(&mut bob, "ada");
    assert_eq!(seen["custom_status"]["text"], "brb");
    assert!(seen["custom_status"]["expires_at"].is_string());
    assert!(
        told(&mut bob, "ada").get("custom_status").is_none(),
        "it has ended"
    );
    ask(
        &mut ada,
        &json!({ "id": 1, "type": "presence.set", "custom_status": "back" }),
    );
    assert_eq!(
        told(&mut bob, "ada")["custom_status"],
        json!({ "text": "back" })
    );
    ask(
        &mut ada,
        &json!({ "id": 1, "type": "presence.set", "custom_status": "" }),
    );
    assert!(told(&mut bob, "ada").get("custom_status").is_none());
    let long = "x".repeat(129);
    let command = json!({ "id": 1, "type": "presence.set", "custom_status": long });
    assert_eq!(
        refused(&mut ada, &command),
        ("too_large".to_owned(), "custom_status".into())
    );
}

#[test]
fn the_server_sets_many_at_once_or_none() {
    let throng = start();
    let bad = json!({ "user_ids": ["ada", "bob"], "status": "gone" });
    assert_eq!(
        put(&throng, "/presence/many", &bad).problem().1,
        "invalid_status"
    );
    assert_eq!(status_of(&throng, "ada"), "offline");
    let good = json!({ "user_ids": ["ada", "bob"], "status": "away" });
    let response = put(&throng, "/presence/many", &good);
    assert_eq!(response.status, 204, "{response:?}");
    assert_eq!(names(&fetch(&throng, "/presence/statuses/away")).len(), 2);
    let mut eve = throng.ws_as("eve");
    let command = json!({
        "id": 1, "type": "presence.set_many", "user_ids": ["ada"], "status": "busy",
    });
    assert_eq!(refused(&mut eve, &command).0, "permission_denied");
}

#[test]
fn lists_come_in_pages_and_with_filters() {
    let throng = start();
    for number in 0..7 {
        let device = if number == 3 { "mobile" } else { "desktop" };
        let user = format!("user{number}");
        let body = json!({ "user_id": user, "status": "online", "device": device });
        assert_eq!(put(&throng, "/presence", &body).status, 200);
    }
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = fetch(&throng, &format!("/presence/online?limit=3{after}"));
        found.extend(names(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let newest: Vec<_> = (0..7).rev().map(|number| format!("user{number}")).collect();
    assert_eq!(found, newest);
    assert_eq!(
        names(&fetch(&throng, "/presence/online?device=mobile")),
        ["user3"]
    );
    let body = json!({ "user_id": "user5", "activity": "playing", "activity_detail": "go" });
    assert_eq!(put(&throng, "/presence", &body).status, 200);
    assert_eq!(
        names(&fetch(&throng, "/presence/online?activity=playing")),
        ["user5"]
    );
    for bad in ["limit=0", "limit=1001", "after=x"] {
        let answer = throng.get(&format!("/api/v1/presence/online?{bad}"));
        assert_eq!(answer.problem(), (400, "invalid_field".to_owned()), "{bad}");
    }
}

#[test]
fn who_has_come_and_gone_of_late_can_be_asked() {
    let throng = start();
    for (user, status) in [("ada", "online"), ("bob", "online"), ("bob", "offline")] {
        let body = json!({ "user_id": user, "status": status });
        assert_eq!(put(&throng, "/presence", &body).status, 200);
    }
    assert_eq!(names(&fetch(&throng, "/presence/recent")), ["ada"]);
    assert_eq!(
        names(&fetch(&throng, "/presence/recent?status=offline")),
        ["bob"]
    );
    let later = fetch(&throng, "/presence/recent?within_ms=0");
    assert!(names(&later).is_empty());
    let long_ago = fetch(&throng, "/presence/online?ago_ms=3600000");
    assert!(names(&long_ago).is_empty(), "nobody was there an hour ago");
}

#[test]
fn devices_are_those_of_the_connections_and_what_else_was_said() {
    let throng = start();
    let mut phone = Ws::open(
        throng.address,
        "/ws?user=ada&device=mobile&device_name=Fairphone",
    )
    .greeted();
    let _desk = Ws::open(throng.address, "/ws?user=ada").greeted();
    let devices = ask(&mut phone, &json!({ "id": 1, "type": "presence.devices" }));
    let devices = devices["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 2);
    let own = devices
        .iter()
        .find(|it| it["client_id"] == phone.id())
        .unwrap();
    assert_eq!(
        (&own["type"], &own["name"]),
        (&"mobile".into(), &"Fairphone".into())
    );
    assert_eq!(own["active"], true);
    let command = json!({ "id": 1, "type": "presence.set", "device": "tablet" });
    let seen = ask(&mut phone, &command);
    assert_eq!(
        seen["devices"],
        json!([{ "type": "tablet" }]),
        "the connection's own"
    );
    let body = json!({ "user_id": "ada", "device": "watch" });
    let seen = put(&throng, "/presence", &body).json();
    assert_eq!(
        seen["devices"],
        json!([{ "type": "tablet" }, { "type": "watch" }])
    );
    let path = "/api/v1/presence/devices?user_id=ada&device=watch";
    let gone = throng.request("DELETE", path, &[], b"");
    assert_eq!(gone.status, 204, "{gone:?}");
    let seen = fetch(&throng, "/users/ada/presence");
    assert_eq!(seen["devices"], json!([{ "type": "tablet" }]));
    let command = json!({ "id": 1, "type": "presence.devices", "user_id": "bob" });
    assert_eq!(refused(&mut phone, &command).0, "presence_denied");
}

#[test]
fn history_and_durations_know_every_change() {
    let throng = start();
    let mut ada = throng.ws_as("ada");
    for status in ["away", "busy", "online"] {
        set(&mut ada, status);
    }
    let history = fetch(&throng, "/users/ada/presence/history");
    let changes = history["history"].as_array().unwrap();
    let statuses: Vec<_> = changes
        .iter()
        .map(|it| it["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["online", "busy", "away", "online"]);
    assert!(changes.iter().all(|it| it["since"].is_string()));
    for _ in 0..20 {
        set(&mut ada, "away");
        set(&mut ada, "online");
    }
    let history = fetch(&throng, "/users/ada/presence/history");
    assert_eq!(history["history"].as_array().unwrap().len(), 20, "bounded");
    let durations = fetch(&throng, "/users/ada/presence/durations");
    let durations = durations["durations_ms"].as_object().unwrap();
    assert!(
        durations
            .keys()
            .all(|status| ["away", "online"].contains(&&**status))
    );
    assert!(durations.values().all(Value::is_u64));
}

#[test]
fn the_server_can_have_all_be_forgotten() {
    let throng = start();
    let mut ada = throng.ws_as("ada");
    set(&mut ada, "busy");
    let body = json!({ "user_id": "bob", "status": "away" });
    assert_eq!(put(&throng, "/presence", &body).status, 200);
    for user in ["ada", "bob"] {
        let path = format!("/api/v1/users/{user}/presence");
        assert_eq!(throng.request("DELETE", &path, &[], b"").status, 204);
    }
    assert_eq!(fetch(&throng, "/users/ada/presence")["status"], "online");
    let history = fetch(&throng, "/users/ada/presence/history");
    assert_eq!(
        history["history"].as_array().unwrap().len(),
        1,
        "online as if just come"
    );
    let bob = throng.get("/api/v1/users/bob/presence");
    assert_eq!(bob.problem(), (404, "unknown_presence".to_owned()));
    let command = json!({ "id": 1, "type": "presence.forget", "user_id": "ada" });
    assert_eq!(refused(&mut ada, &command).0, "permission_denied");
}

#[test]
fn watches_are_known_both_ways_and_end_with_the_connection() {
    let throng = start();
    let mut bob = throng.ws_as("bob");
    watch(&mut bob, "ada");
    watch(&mut bob, "eve");
    let watching = ask(&mut bob, &json!({ "id": 1, "type": "presence.watching" }));
    assert_eq!(watching["user_ids"], json!(["ada", "eve"]));
    let watchers = fetch(&throng, "/presence/watchers?user_id=ada");
    assert_eq!(watchers, json!({ "user_ids": ["bob"], "next": null }));
    for number in 0..98 {
        watch(&mut bob, &format!("user{number}"));
    }
    let command = json!({ "id": 9, "type": "presence.watch", "user_id": "one.too.many" });
    assert_eq!(refused(&mut bob, &command).0, "too_many_watches");
    bob.close();
    let begun = Instant::now();
    while fetch(&throng, "/presence/watchers?user_id=ada")["user_ids"] != json!([]) {
        assert!(begun.elapsed() < PATIENCE);
        pause();
    }
}

#[test]
fn what_belongs_to_the_layers_is_not_for_clients_to_name() {
    let throng = start();
    let mut eve = throng.ws_as("eve");
    for kind in ["subscribe", "publish"] {
        let mut command = json!({ "id": 1, "type": kind, "channel_id": "$presence:ada" });
        if kind == "publish" {
            command["text"] = json!("offline");
        }
        assert_eq!(refused(&mut eve, &command).0, "invalid_channel", "{kind}");
    }
}

#[test]
fn what_was_said_of_a_user_without_connections_ends_unless_it_is_touched() {
    let throng = start_with(&["--presence-timeout", "300"]);
    for user in ["ada", "bob"] {
        let body = json!({ "user_id": user, "status": "busy" });
        assert_eq!(put(&throng, "/presence", &body).status, 200);
    }
    let body = json!({ "user_id": "bob" }).to_string();
    let begun = Instant::now();
    while status_of(&throng, "ada") == "busy" {
        assert!(begun.elapsed() < PATIENCE);
        pause();
        let touched = throng.post("/api/v1/presence/touch", "application/json", &body);
        assert_eq!(touched.status, 204, "{touched:?}");
    }
    assert!(begun.elapsed() >= Duration::from_millis(250));
    assert_eq!(status_of(&throng, "bob"), "busy");
    let body = json!({ "user_id": "eve" }).to_string();
    let unknown = throng.post("/api/v1/presence/touch", "application/json", &body);
    assert_eq!(unknown.problem(), (404, "unknown_presence".to_owned()));
}

#[test]
fn f6_a_user_that_only_listens_stays_online() {
    let throng = start_with(&["--presence-timeout", "50", "--presence-grace", "10"]);
    let _listens = throng.ws_as("ada");
    let body = json!({ "user_id": "bob", "status": "online" });
    assert_eq!(put(&throng, "/presence", &body).status, 200);
    until(&throng, "bob", "offline");
    assert_eq!(status_of(&throng, "ada"), "online");
}

/// Has a user create a public room.
fn create(ws: &mut Ws, room: &str) {
    let command = json!({ "id": "c", "type": "room.create", "room_id": room, "name": room });
    acked(ws, &command);
}

fn join(ws: &mut Ws, room: &str) {
    acked(
        ws,
        &json!({ "id": "j", "type": "room.join", "room_id": room }),
    );
}

/// Sends a command and reads on until its `ack`; what came before is thrown away.
fn acked(ws: &mut Ws, command: &Value) -> Value {
    ws.say(&command.to_string());
    loop {
        let push = ws.push();
        assert_ne!(push["type"], "error", "{command}: {push}");
        if push["type"] == "ack" && push["reply_to"] == command["id"] {
            return push["data"].clone();
        }
    }
}

/// Reads on until a push of this type comes.
fn next(ws: &mut Ws, kind: &str) -> Value {
    loop {
        let push = ws.push();
        if push["type"] == kind {
            return push;
        }
    }
}

/// Reads on until the members of a room are told what this user is.
fn told_in_room(ws: &mut Ws, user: &str) -> Value {
    loop {
        let push = next(ws, "room.members");
        let presence = push["data"]["presence"].as_array().cloned();
        let mut entries = presence.unwrap_or_default().into_iter();
        if let Some(entry) = entries.find(|entry| entry["user_id"] == user) {
            return entry;
        }
    }
}

#[test]
fn f8_the_members_of_its_rooms_are_told_without_asking() {
    let throng = start_with_rooms();
    let (mut ada, mut bob) = (throng.ws_as("ada"), throng.ws_as("bob"));
    create(&mut ada, "lobby");
    join(&mut bob, "lobby");
    let command = json!({
        "id": 1, "type": "presence.set", "status": "away", "custom_status": "at lunch",
    });
    acked(&mut ada, &command);
    let seen = told_in_room(&mut bob, "ada");
    assert_eq!(seen["status"], "away");
    assert_eq!(seen["custom_status"]["text"], "at lunch");
    acked(
        &mut ada,
        &json!({ "id": 2, "type": "presence.set", "status": "invisible" }),
    );
    assert_eq!(told_in_room(&mut bob, "ada")["status"], "offline");
}

#[test]
fn f8_a_crowd_is_told_of_in_batches() {
    let throng = start_with(&["--room-batch-from", "2", "--room-batch-window", "1000"]);
    let mut ada = throng.ws_as("ada");
    create(&mut ada, "lobby");
    let names: Vec<_> = (0..12).map(|n| format!("u{n}")).collect();
    let mut crowd: Vec<_> = names.iter().map(|name| throng.ws_as(name)).collect();
    for member in &mut crowd {
        join(member, "lobby");
        acked(
            member,
            &json!({ "id": 2, "type": "presence.set", "status": "busy" }),
        );
    }
    let (mut frames, mut busy) = (0, BTreeSet::new());
    while busy.len() < names.len() {
        let push = ada.push();
        if push["type"] != "room.members" {
            continue;
        }
        frames += 1;
        let entries = push["data"]["presence"].as_array().into_iter().flatten();
        let entries = entries.filter(|entry| entry["status"] == "busy");
        busy.extend(entries.map(|entry| entry["user_id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(busy, names.iter().cloned().collect());
    assert!(frames < names.len(), "{frames} frames");
}

#[test]
fn the_presence_of_a_room_is_that_of_its_members() {
    let throng = start_with_rooms();
    let mut ada = Ws::open(throng.address, "/ws?user=ada&device=mobile").greeted();
    let (mut bob, _eve) = (throng.ws_as("bob"), throng.ws_as("eve"));
    create(&mut ada, "lobby");
    join(&mut bob, "lobby");
    acked(
        &mut bob,
        &json!({ "id": 1, "type": "presence.set", "status": "busy" }),
    );
    let ask = |query: &str| fetch(&throng, &format!("/rooms/lobby/presence?{query}"));
    assert_eq!(names(&ask("")), ["ada", "bob"], "and not eve");
    assert_eq!(names(&ask("status=busy")), ["bob"]);
    assert_eq!(names(&ask("device=mobile")), ["ada"]);
    let first = ask("limit=1");
    assert_eq!(names(&first), ["ada"]);
    let next = first["next"].as_str().unwrap();
    assert_eq!(names(&ask(&format!("limit=1&after={next}"))), ["bob"]);
    let command = json!({ "id": 2, "type": "presence.in_room", "room_id": "lobby" });
    assert_eq!(names(&acked(&mut ada, &command)), ["ada", "bob"]);
}

#[test]
fn who_shares_no_room_sees_nothing() {
    let throng = start_with_rooms();
    let (mut ada, mut bob) = (throng.ws_as("ada"), throng.ws_as("bob"));
    for command in [
        json!({ "id": 1, "type": "presence.get", "user_id": "ada" }),
        json!({ "id": 2, "type": "presence.watch", "user_id": "ada" }),
        json!({ "id": 3, "type": "presence.history", "user_id": "ada" }),
        json!({ "id": 4, "type": "presence.durations", "user_id": "ada" }),
    ] {
        assert_eq!(
            refused(&mut bob, &command).0,
            "presence_denied",
            "{command}"
        );
    }
    let command = json!({ "id": 5, "type": "presence.get_many", "user_ids": ["ada", "bob"] });
    let many = ask(&mut bob, &command);
    assert_eq!(names(&many), ["bob"]);
    assert_eq!(many["denied"], json!(["ada"]));
    let command = json!({ "id": 6, "type": "presence.online" });
    assert_eq!(names(&ask(&mut bob, &command)), ["bob"]);
    let as_bob = throng.get("/api/v1/users/ada/presence?actor=bob");
    assert_eq!(as_bob.problem(), (403, "presence_denied".to_owned()));
    create(&mut ada, "lobby");
    join(&mut bob, "lobby");
    let command = json!({ "id": 7, "type": "presence.get", "user_id": "ada" });
    assert_eq!(acked(&mut bob, &command)["status"], "online");
}

#[test]
fn a_watch_ends_with_the_last_room_that_both_are_in() {
    let throng = start_with_rooms();
    let (mut ada, mut bob) = (throng.ws_as("ada"), throng.ws_as("bob"));
    let watch = json!({ "id": 1, "type": "presence.watch", "user_id": "ada" });
    for room in ["left", "kicked", "deleted"] {
        create(&mut ada, room);
        join(&mut bob, room);
        acked(&mut bob, &watch);
        let command = match room {
            "left" => {
                acked(
                    &mut bob,
                    &json!({ "id": 2, "type": "room.leave", "room_id": room }),
                );
                None
            }
            "kicked" => Some(json!({
                "id": 3, "type": "room.kick", "room_id": room, "user_id": "bob",
            })),
            _ => Some(json!({ "id": 4, "type": "room.delete", "room_id": room })),
        };
        if let Some(command) = command {
            acked(&mut ada, &command);
        }
        let reasons = std::iter::repeat_with(|| next(&mut bob, "left"));
        let mut reasons = reasons.map(|left| left["data"]["reason"].clone());
        assert!(reasons.any(|reason| reason == "presence_denied"), "{room}");
        let watching = acked(&mut bob, &json!({ "id": 5, "type": "presence.watching" }));
        assert_eq!(watching["user_ids"], json!([]), "{room}");
    }
}
