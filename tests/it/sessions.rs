//! Sessions over the shipped binary: a client that has lost its connection goes on over another.

use std::collections::BTreeMap;
use std::future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use futures_util::SinkExt;
use futures_util::StreamExt;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use serde_json::json;
use throng::AuthRequest;
use throng::Authorization;
use throng::Gateway;
use throng::Hub;
use throng::Layers;
use tokio::io::DuplexStream;
use tokio::task;
use tokio_tungstenite::WebSocketStream;

use crate::binary::Throng;
use crate::binary::Ws;

fn start(more: &[&str]) -> Throng {
    let mut arguments = vec!["--insecure-trust-query-user", "--history", "news.>"];
    arguments.extend(more);
    let throng = Throng::start(&arguments);
    let body = json!({"room_id": "den", "name": "den"}).to_string();
    throng.post("/api/v1/rooms?actor=bob", "application/json", body);
    throng.post("/api/v1/rooms/den/join?actor=ada", "application/json", "{}");
    throng
}

fn resuming(throng: &Throng, user: &str) -> Ws {
    Ws::open(throng.address, &format!("/ws?user={user}&resume")).greeted()
}

fn session(client: &Ws) -> String {
    client.greeting()["session_id"].as_str().unwrap().to_owned()
}

/// The reply to a command; other pushes that come before it go to `beside`.
fn ask(client: &mut Ws, command: &Value, beside: &mut Vec<Value>) -> Value {
    client.say(&command.to_string());
    loop {
        let push = client.push();
        if push["reply_to"] == command["id"] {
            return push;
        }
        beside.push(push);
    }
}

fn ask_only(client: &mut Ws, command: &Value) -> Value {
    ask(client, command, &mut Vec::new())
}

/// What comes until the client has been told of all these pushes.
fn until(client: &mut Ws, mut beside: Vec<Value>, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    while !done(&beside) {
        beside.push(client.push());
    }
    beside
}

fn texts<'a>(pushes: &'a [Value], field: &str, of: &str) -> Vec<&'a str> {
    let pushes = pushes.iter();
    let messages = pushes.filter(|push| push["type"] == "message" && push[field] == of);
    messages.filter_map(|push| push["data"].as_str()).collect()
}

/// Where a client is, by what it was told.
fn position(push: &Value) -> Value {
    json!({ "offset": push["offset"], "epoch": push["epoch"] })
}

fn send(throng: &Throng, text: &str) {
    let body = json!({ "data": text }).to_string();
    let sent = throng.post(
        "/api/v1/rooms/den/messages?actor=bob",
        "application/json",
        body,
    );
    assert_eq!(sent.status, 200, "{sent:?}");
}

#[test]
fn rooms_channels_filters_patterns_and_what_was_missed_come_back() {
    // No ping wakes a connection that was forgotten.
    let throng = start(&["--ping-interval", "600000"]);
    let mut ada = throng.ws_as("ada");
    let mut beside = Vec::new();
    let commands = [
        json!({"id": 1, "type": "subscribe", "channel_id": "news.a"}),
        json!({"id": 2, "type": "subscribe", "channel_id": "news.b", "filter": {"level": "high"}}),
        json!({"id": 3, "type": "pattern.subscribe", "pattern": "sport.*"}),
        json!({"id": 4, "type": "presence.watch", "user_id": "bob"}),
        json!({"id": 5, "type": "subscribe", "channel_id": "news.left"}),
        json!({"id": 6, "type": "unsubscribe", "channel_id": "news.left"}),
    ];
    let mut channels = BTreeMap::new();
    for command in &commands {
        let reply = ask(&mut ada, command, &mut beside);
        assert_ne!(reply["type"], "error", "{reply}");
        if reply["type"] == "joined" {
            channels.insert(command["channel_id"].as_str().unwrap(), position(&reply));
        }
    }
    throng.publish("news.a", &json!("one"));
    send(&throng, "one");
    let seen = until(&mut ada, beside, |seen| {
        !texts(seen, "channel_id", "news.a").is_empty() && !texts(seen, "room_id", "den").is_empty()
    });
    let last = |field: &str, of: &str| {
        let mut messages = seen.iter().rev();
        position(messages.find(|push| push[field] == of).unwrap())
    };
    channels.insert("news.a", last("channel_id", "news.a"));
    let den = last("room_id", "den");
    let session = session(&ada);
    drop(ada);
    throng.stats_until(|stats| stats["clients"] == 0);

    throng.publish("news.a", &json!("two"));
    let mut bob = throng.ws_as("bob");
    let mut filtered = |level: &str| {
        let publish = json!({
            "id": level, "type": "publish", "channel_id": "news.b",
            "data": level, "metadata": {"level": level},
        });
        assert_eq!(ask_only(&mut bob, &publish)["type"], "ack");
    };
    filtered("low");
    filtered("high");
    send(&throng, "two");

    let mut ada = resuming(&throng, "ada");
    let resume = json!({
        "id": "r", "type": "session.resume", "session_id": session,
        "channels": channels, "rooms": {"den": den},
    });
    let mut beside = Vec::new();
    let reply = ask(&mut ada, &resume, &mut beside);
    assert_eq!(
        reply["data"],
        json!({"resumed": true, "restored": 4, "incomplete": false, "commands": [
            {"type": "subscribe", "channel_id": "news.a"},
            {"type": "subscribe", "channel_id": "news.b"},
            {"type": "pattern.subscribe", "pattern": "sport.*"},
            {"type": "presence.watch", "user_id": "bob"},
        ]})
    );
    let seen = until(&mut ada, beside, |seen| {
        let restored = seen.iter().filter(|push| {
            push["reply_to"]
                .as_str()
                .is_some_and(|id| id.starts_with("restore:"))
        });
        restored.count() == 4
            && !texts(seen, "channel_id", "news.a").is_empty()
            && !texts(seen, "channel_id", "news.b").is_empty()
            && !texts(seen, "room_id", "den").is_empty()
    });
    let is_of_channel =
        |push: &&Value| push["type"] == "joined" && push["channel_id"] != json!(null);
    for joined in seen.iter().filter(is_of_channel) {
        assert_eq!(joined["data"]["recovered"], true, "{joined}");
    }
    assert_eq!(texts(&seen, "channel_id", "news.a"), ["two"]);
    assert_eq!(
        texts(&seen, "channel_id", "news.b"),
        ["high"],
        "the filter is there again"
    );
    assert_eq!(texts(&seen, "room_id", "den"), ["two"]);
    // And all of it goes on.
    throng.publish("sport.x", &json!("goal"));
    throng.publish("news.a", &json!("three"));
    send(&throng, "three");
    let seen = until(&mut ada, Vec::new(), |seen| {
        texts(seen, "room_id", "den") == ["three"]
            && texts(seen, "channel_id", "news.a") == ["three"]
            && seen.iter().any(|push| push["data"] == "goal")
    });
    assert!(seen.iter().all(|push| push["channel_id"] != "news.left"));
}

#[test]
fn a_session_is_good_once_and_for_its_owner_only() {
    let throng = start(&[]);
    let mut ada = throng.ws_as("ada");
    ask_only(
        &mut ada,
        &json!({"id": 0, "type": "subscribe", "channel_id": "news.a"}),
    );
    let session = session(&ada);
    drop(ada);
    throng.stats_until(|stats| stats["clients"] == 0);
    let resume = json!({"id": 1, "type": "session.resume", "session_id": session});
    let refused = |user: &str| {
        let reply = ask_only(&mut resuming(&throng, user), &resume);
        assert_eq!(
            (&reply["type"], &reply["data"]["resumed"]),
            (&json!("ack"), &json!(false))
        );
        reply["data"]["code"].clone()
    };
    assert_eq!(refused("bob"), "session_not_owned");
    let mut again = resuming(&throng, "ada");
    let reply = ask_only(&mut again, &resume);
    assert_eq!(
        reply["data"],
        json!({
            "resumed": true, "restored": 1, "incomplete": false,
            "commands": [{"type": "subscribe", "channel_id": "news.a"}],
        })
    );
    assert_eq!(refused("ada"), "unknown_session");
}

#[test]
fn what_is_brought_back_is_told_apart_however_long_its_name() {
    let throng = start(&[]);
    let mut ada = throng.ws_as("ada");
    let long = |last: &str| format!("private-{}{last}", "x".repeat(120));
    let channels = ["a", "b"].map(long);
    for channel in &channels {
        let subscribe =
            json!({"id": 0, "type": "subscribe", "channel_id": channel, "auth": "secret"});
        assert_eq!(ask_only(&mut ada, &subscribe)["type"], "joined");
    }
    let resume = json!({"id": 1, "type": "session.resume", "session_id": session(&ada)});
    drop(ada);
    throng.stats_until(|stats| stats["clients"] == 0);
    let mut ada = resuming(&throng, "ada");
    let reply = ask_only(&mut ada, &resume);
    let subscribe = |channel: &String| json!({"type": "subscribe", "channel_id": channel});
    assert_eq!(
        reply["data"]["commands"],
        json!(channels.each_ref().map(subscribe))
    );
    for (number, channel) in channels.iter().enumerate() {
        let id = json!(format!("restore:{number}"));
        let seen = until(&mut ada, Vec::new(), |seen| {
            seen.iter().any(|push| push["reply_to"] == id)
        });
        assert_eq!(seen.last().unwrap()["channel_id"], json!(channel));
    }
}

#[test]
fn a_session_is_forgotten_after_its_time() {
    let throng = start(&["--session-ttl", "100"]);
    let ada = throng.ws_as("ada");
    let session = session(&ada);
    drop(ada);
    throng.stats_until(|stats| stats["clients"] == 0);
    let resume = json!({"id": 1, "type": "session.resume", "session_id": session});
    // It is gone some time after 100 ms; asking does not use it up for another user.
    loop {
        let reply = ask_only(&mut resuming(&throng, "bob"), &resume);
        if reply["data"]["code"] == "unknown_session" {
            break;
        }
        assert_eq!(reply["data"]["code"], "session_not_owned");
    }
}

#[test]
fn sessions_are_bounded_and_say_so() {
    let throng = start(&["--max-sessions", "2", "--max-session-bytes", "100"]);
    let lost: Vec<_> = (0..3)
        .map(|seen| {
            let mut eve = throng.ws_as("eve");
            for channel in ["news.a", &"long".repeat(25)] {
                eve.join(channel);
            }
            let session = session(&eve);
            drop(eve);
            throng.stats_until(|stats| {
                stats["sessions"] == json!({"open": 0, "lost": 2.min(seen + 1)})
            });
            session
        })
        .collect();
    let resumed = lost.iter().map(|session| {
        let resume = json!({"id": 1, "type": "session.resume", "session_id": session});
        let mut eve = resuming(&throng, "eve");
        let reply = ask_only(&mut eve, &resume);
        // It stays, or its own session would be one more that is lost.
        (eve, reply)
    });
    let resumed: Vec<_> = resumed.collect();
    let oldest = &resumed[0].1["data"];
    assert_eq!(oldest["code"], "unknown_session");
    for (_, reply) in &resumed[1..] {
        let data = &reply["data"];
        assert_eq!(
            (&data["restored"], &data["incomplete"]),
            (&json!(1), &json!(true))
        );
    }
}

#[test]
fn a_connection_that_is_still_there_gives_way() {
    let throng = start(&[]);
    let mut old = throng.ws_as("ada");
    ask_only(
        &mut old,
        &json!({"id": 0, "type": "subscribe", "channel_id": "news.a"}),
    );
    let mut new = resuming(&throng, "ada");
    let resume = json!({"id": 1, "type": "session.resume", "session_id": session(&old)});
    let reply = ask_only(&mut new, &resume);
    assert_eq!(reply["data"]["resumed"], true);
    throng.stats_until(|stats| stats["clients"] == 1);
    assert_eq!(old.rest().1, (3502, "resumed elsewhere".to_owned()));
    let seen = until(&mut new, Vec::new(), |seen| {
        seen.iter().any(|push| push["reply_to"] == "restore:0")
    });
    drop(seen);
    throng.publish("news.a", &json!("x"));
    let seen = until(&mut new, Vec::new(), |seen| {
        !texts(seen, "channel_id", "news.a").is_empty()
    });
    assert_eq!(texts(&seen, "channel_id", "news.a"), ["x"]);
}

#[test]
fn a_connection_that_is_still_there_takes_no_place_of_the_one_that_resumes_it() {
    let throng = start(&["--max-connections-per-user", "1"]);
    let open = |path: &str| Ws::open(throng.address, path);
    let too_many = (3504, "too many connections".to_owned());
    // It does not read, so nothing that it is told brings it to hang up.
    let mut old = throng.ws_as("ada");
    ask_only(
        &mut old,
        &json!({"id": 0, "type": "subscribe", "channel_id": "news.a"}),
    );
    let id = session(&old);
    for path in [
        "/ws?user=ada",
        "/ws?user=ada&resume",
        "/ws?user=ada&resume=",
        "/ws?user=ada&resume=abcdefghijklmnopqrstuvwxyz",
    ] {
        assert_eq!(open(path).closed(), too_many, "{path}");
    }
    // A secret of another user's opens nothing.
    let eve = open(&format!("/ws?user=eve&resume={id}")).greeted();
    assert_eq!(
        ask_only(&mut old, &json!({"id": 1, "type": "ping"}))["type"],
        "pong"
    );
    drop(eve);

    let mut new = open(&format!("/ws?user=ada&resume={id}")).greeted();
    let resume = json!({"id": 2, "type": "session.resume", "session_id": id});
    let reply = ask_only(&mut new, &resume);
    assert_eq!(reply["data"]["restored"], 1, "{reply}");
    assert_eq!(old.rest().1, (3502, "resumed elsewhere".to_owned()));
    assert_eq!(open("/ws?user=ada").closed(), too_many, "one, as before");
    drop(new);
    throng.stats_until(|stats| stats["clients"] == 0);
    open("/ws?user=ada").greeted();
}

#[test]
fn who_says_resume_and_then_something_else_has_its_rooms_all_the_same() {
    let throng = start(&[]);
    let mut ada = resuming(&throng, "ada");
    let reply = ada.ask(r#"{"id":1,"type":"ping"}"#);
    assert_eq!(reply["type"], "pong", "{reply}");
    let late = ask_only(&mut ada, &json!({"id": 2, "type": "session.resume"}));
    assert_eq!(late["data"]["code"], "invalid_field", "{late}");
    send(&throng, "hello");
    until(&mut ada, Vec::new(), |seen| {
        texts(seen, "room_id", "den") == ["hello"]
    });
}

#[test]
fn a_second_loss_in_the_middle_of_a_resume_loses_nothing() {
    let throng = start(&[]);
    let mut ada = throng.ws_as("ada");
    for channel in CHANNELS {
        let subscribe = json!({"id": channel, "type": "subscribe", "channel_id": channel});
        assert_eq!(ask_only(&mut ada, &subscribe)["type"], "joined");
    }
    let mut lost = session(&ada);
    drop(ada);
    for _ in 0..2 {
        throng.stats_until(|stats| stats["clients"] == 0);
        let mut ada = resuming(&throng, "ada");
        let resume = json!({"id": 1, "type": "session.resume", "session_id": lost});
        // Gone before it has read anything, and found to be gone when it was heard.
        ada.say(&resume.to_string());
        lost = session(&ada);
    }
    throng.stats_until(|stats| stats["clients"] == 0);
    let resume = json!({"id": 1, "type": "session.resume", "session_id": lost});
    let reply = ask_only(&mut resuming(&throng, "ada"), &resume);
    assert_eq!(reply["data"]["restored"], CHANNELS.len(), "{reply}");
}

#[tokio::test]
async fn what_the_authorizer_has_not_answered_is_noted_for_the_next_time() {
    let (answers, refuses) = (
        Arc::new(AtomicBool::new(true)),
        Arc::<AtomicBool>::default(),
    );
    let authorizer = {
        let (answers, refuses) = (Arc::clone(&answers), Arc::clone(&refuses));
        move |request: &AuthRequest| {
            if !answers.load(Ordering::Relaxed) {
                return Authorization::later(future::pending());
            }
            if refuses.load(Ordering::Relaxed) && request.channel().as_str() == "private-a" {
                return Authorization::deny("not any more");
            }
            Authorization::Allow
        }
    };
    let hub = Hub::builder().authorizer(authorizer).build().unwrap();
    let layers = Layers::new(&hub);
    let gateway = Gateway::builder(hub).layers(layers.clone()).build();
    let lost = async || {
        while layers.sessions().unwrap().count() != (1, 1) {
            task::yield_now().await;
        }
    };
    let resume =
        |session: &Value| json!({"id": 0, "type": "session.resume", "session_id": session});
    let restored = |reply: &Value| reply["data"]["restored"].clone();

    let (mut first, connected) = connect(&gateway, "/ws").await;
    for channel in ["private-a", "private-b", "private-c"] {
        let subscribe = json!({"id": channel, "type": "subscribe", "channel_id": channel});
        assert_eq!(told(&mut first, &subscribe).await["type"], "joined");
    }
    drop(first);
    lost().await;

    answers.store(false, Ordering::Relaxed);
    let (mut second, again) = connect(&gateway, "/ws?resume").await;
    let reply = told(&mut second, &resume(&connected["data"]["session_id"])).await;
    assert_eq!(restored(&reply), 3, "{reply}");
    drop(second);
    lost().await;

    // One that is refused is not asked for again.
    answers.store(true, Ordering::Relaxed);
    refuses.store(true, Ordering::Relaxed);
    let (mut third, once_more) = connect(&gateway, "/ws?resume").await;
    let reply = told(&mut third, &resume(&again["data"]["session_id"])).await;
    assert_eq!(restored(&reply), 3, "{reply}");
    let ping = json!({"id": "all", "type": "ping"});
    assert_eq!(told(&mut third, &ping).await["type"], "pong");
    drop(third);
    lost().await;

    refuses.store(false, Ordering::Relaxed);
    let (mut last, _) = connect(&gateway, "/ws?resume").await;
    let reply = told(&mut last, &resume(&once_more["data"]["session_id"])).await;
    assert_eq!(restored(&reply), 2, "{reply}");
}

const CHANNELS: [&str; 5] = ["news.a", "news.b", "news.c", "news.d", "news.e"];

type Socket = WebSocketStream<DuplexStream>;

/// A client over memory, and its `connected`.
async fn connect(gateway: &Gateway, path: &str) -> (Socket, Value) {
    let (client, server) = tokio::io::duplex(64 << 10);
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(server), gateway.service())
        .with_upgrades();
    tokio::spawn(connection);
    let opened = tokio_tungstenite::client_async(format!("ws://x{path}"), client).await;
    let (mut socket, _) = opened.unwrap();
    let connected = push(&mut socket).await;
    assert_eq!(connected["type"], "connected");
    (socket, connected)
}

async fn push(socket: &mut Socket) -> Value {
    let message = socket.next().await.unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

/// The reply to a command.
async fn told(socket: &mut Socket, command: &Value) -> Value {
    socket.send(command.to_string().into()).await.unwrap();
    loop {
        let push = push(socket).await;
        if push["reply_to"] == command["id"] {
            return push;
        }
    }
}

#[test]
fn bad_positions_are_refused_and_name_their_field() {
    let throng = start(&[]);
    for (field, value) in [
        ("session_id", json!("x".repeat(65))),
        ("session_id", json!(5)),
        ("channels", json!({"news.a": 5})),
        ("channels", json!({"news.a": {"offset": -1, "epoch": "1"}})),
        ("channels", json!({"news.a": {"offset": 1, "epoch": "x"}})),
        ("rooms", json!({"": {"offset": 1, "epoch": "1"}})),
        ("rooms", json!([])),
    ] {
        let mut ada = resuming(&throng, "ada");
        let reply = ask_only(
            &mut ada,
            &json!({"id": 1, "type": "session.resume", field: value}),
        );
        assert_eq!(
            (&reply["type"], &reply["data"]["field"]),
            (&json!("error"), &json!(field))
        );
    }
}

#[test]
fn what_a_user_said_of_its_presence_comes_back() {
    let throng = start(&["--presence-grace", "0"]);
    let mut ada = throng.ws_as("ada");
    let set = json!({"id": 1, "type": "presence.set", "status": "busy"});
    assert_eq!(ask_only(&mut ada, &set)["type"], "ack");
    let session = session(&ada);
    drop(ada);
    throng.stats_until(|stats| stats["clients"] == 0);
    let mut ada = resuming(&throng, "ada");
    let resume = json!({"id": 2, "type": "session.resume", "session_id": session});
    ask_only(&mut ada, &resume);
    let get = json!({"id": 3, "type": "presence.get", "user_id": "ada"});
    assert_eq!(ask_only(&mut ada, &get)["data"]["status"], "busy");
}

/// What a client that has resumed a session was told of itself, and how many commands were
/// restored.
fn resumed(throng: &Throng, session: &str) -> (Ws, Value, Value) {
    let mut ada = resuming(throng, "ada");
    let resume = json!({"id": 1, "type": "session.resume", "session_id": session});
    let reply = ask_only(&mut ada, &resume);
    assert_eq!(reply["data"]["resumed"], true, "{reply}");
    let get = json!({"id": 2, "type": "presence.get", "user_id": "ada"});
    let seen = ask_only(&mut ada, &get);
    (ada, seen["data"].clone(), reply["data"]["commands"].clone())
}

#[test]
fn a_presence_that_is_still_known_is_not_set_back() {
    let throng = start(&[]);
    let mut first = throng.ws_as("ada");
    let mut second = throng.ws_as("ada");
    let mut id = 0;
    let mut set = |client: &mut Ws, mut what: Value| {
        id += 1;
        (what["id"], what["type"]) = (json!(id), json!("presence.set"));
        assert_eq!(ask_only(client, &what)["type"], "ack");
    };
    set(
        &mut first,
        json!({"status": "busy", "custom_status": "lunch", "expires_in_ms": 1}),
    );
    set(&mut first, json!({"device": "tablet"}));
    set(&mut second, json!({"status": "online"}));
    let lost = session(&first);
    drop(first);
    throng.stats_until(|stats| stats["clients"] == 1);
    let custom = || {
        let seen = throng.get("/api/v1/users/ada/presence").json();
        assert_eq!(seen["user_id"], "ada");
        seen["custom_status"].clone()
    };
    while custom() != Value::Null {}
    let (first, seen, commands) = resumed(&throng, &lost);
    assert_eq!(
        (&seen["status"], &seen["custom_status"]),
        (&json!("online"), &Value::Null)
    );
    // Its device was the connection's.
    assert_eq!(seen["devices"], json!([{"type": "tablet"}]), "{seen}");
    assert_eq!(
        commands,
        json!([{"type": "presence.set", "device": "tablet"}])
    );
    // What was out of date is not brought back later, either.
    let lost = session(&first);
    drop((first, second));
    throng.stats_until(|stats| stats["clients"] == 0);
    let (_, seen, _) = resumed(&throng, &lost);
    assert_eq!(seen["status"], "online");
}

#[test]
fn a_presence_that_was_forgotten_is_set_with_what_remains_of_it() {
    let throng = start(&["--presence-grace", "0"]);
    let mut ada = throng.ws_as("ada");
    for number in 0..5 {
        let set = json!({
            "id": number, "type": "presence.set", "status": "busy",
            "activity": "gaming",
        });
        assert_eq!(ask_only(&mut ada, &set)["type"], "ack");
    }
    let set = json!({
        "id": 5, "type": "presence.set", "custom_status": "lunch", "expires_in_ms": 3_600_000,
    });
    assert_eq!(ask_only(&mut ada, &set)["type"], "ack");
    let lost = session(&ada);
    drop(ada);
    throng.stats_until(|stats| stats["clients"] == 0);
    let (_ada, seen, commands) = resumed(&throng, &lost);
    assert_eq!(
        (&seen["status"], &seen["activity"]["type"]),
        (&json!("busy"), &json!("gaming")),
        "{seen}"
    );
    assert_eq!(
        seen["custom_status"]["text"], "lunch",
        "it was never forgotten"
    );
    let set = json!({"type": "presence.set", "status": "busy", "activity": "gaming"});
    assert_eq!(commands, json!([set]));
}
