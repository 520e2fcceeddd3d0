//! - A request that the token does not allow is refused with the same fault on every transport,
//!   in a batch, and when a session is resumed.
//! - A pattern needs a permission that covers it.
//! - An API key does what its scopes say, and acts for users only by a scope.
//! - A channel that belongs to a user is out of reach for every other.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use serde_json::Value;
use serde_json::json;
use throng::channels::ChannelOptions;
use throng::channels::PrivateChannels;
use throng::policy::Hook;

use super::world::World;
use super::world::auth;
use crate::binary::Ws;

const NEWS: &str = "ada~sub=news.>~pub=news.*~read=news.>~rooms=den";

/// What a request comes to.
fn code(push: &Value) -> Value {
    match push["type"].as_str() {
        Some("error") => push["data"]["code"].clone(),
        _ => push["type"].clone(),
    }
}

#[test]
fn what_a_token_lacks_is_the_same_fault_on_every_transport() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws(NEWS);
    let (_stream, connected) = world.sse("/sse", NEWS);
    let stream = connected["data"]["stream_token"].as_str().unwrap();
    for (name, method, path, body) in [
        (
            "publish",
            "POST",
            "/channels/other/publish",
            json!({"channel_id": "other", "data": 1}),
        ),
        (
            "presence",
            "GET",
            "/channels/presence-x/members",
            json!({"channel_id": "presence-x"}),
        ),
        (
            "channel.info",
            "GET",
            "/channels/other/info",
            json!({"channel_id": "other"}),
        ),
        (
            "channel.history",
            "GET",
            "/channels/other/history",
            json!({"channel_id": "other"}),
        ),
        ("channel.find", "GET", "/channels/find", json!({})),
        (
            "room.join",
            "POST",
            "/rooms/lair/join",
            json!({"room_id": "lair"}),
        ),
        ("room.list", "GET", "/rooms", json!({})),
        (
            "message.history",
            "GET",
            "/rooms/lair/messages",
            json!({"room_id": "lair"}),
        ),
        (
            "pattern.subscribe",
            "POST",
            "/patterns",
            json!({"pattern": "*.today"}),
        ),
    ] {
        let mut frame = body.clone();
        frame["type"] = json!(name);
        frame["id"] = json!(1);
        let told = ws.ask(&frame.to_string());
        assert_eq!(code(&told), "insufficient_scope", "{name}: {told}");
        let mut rest = body.clone();
        for part in ["channel_id", "room_id"] {
            rest.as_object_mut().unwrap().remove(part);
        }
        let rest = if method == "GET" {
            String::new()
        } else {
            rest.to_string()
        };
        let refused = world.api(method, path, NEWS, &rest);
        assert_eq!(
            refused.problem(),
            (403, "insufficient_scope".to_owned()),
            "{name}"
        );
        let batch = json!({"requests": [frame]}).to_string();
        let done = world.api("POST", "/batch", NEWS, &batch).json();
        assert_eq!(
            done["replies"][0]["error"]["code"], "insufficient_scope",
            "{name}: {done}"
        );
    }
    let told = ws.ask(r#"{"id":1,"type":"subscribe","channel_id":"other"}"#);
    assert_eq!(code(&told), "insufficient_scope", "{told}");
    let path = format!("/sse/{stream}/subscribe");
    let bearer = format!("Bearer {NEWS}");
    let changed = world.request(
        "POST",
        &path,
        &[("authorization", &bearer)],
        r#"{"channels":["other"]}"#,
    );
    assert!(changed.body.contains("insufficient_scope"), "{changed:?}");
}

#[test]
fn a_hook_sees_nothing_of_a_caller_without_the_permission() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let hook = Hook::new("moved").message(move |_, message| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(message)
    });
    let world = World::new(|builder| builder.hook(hook));
    let mut ws = world.ws(NEWS);
    let publish =
        |channel: &str| json!({"id": 1, "type": "publish", "channel_id": channel, "data": 1});
    let refused = ws.reply(&publish("other").to_string());
    assert_eq!(code(&refused), "insufficient_scope", "{refused}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(code(&ws.reply(&publish("news.today").to_string())), "ack");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn what_a_token_allows_is_done() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws(NEWS);
    ws.join("news.today");
    assert_eq!(
        ws.ask(r#"{"id":1,"type":"publish","channel_id":"news.today","data":1,"echo":false}"#)["type"],
        "ack"
    );
    assert_eq!(
        ws.ask(r#"{"id":1,"type":"channel.info","channel_id":"news.today"}"#)["type"],
        "ack"
    );
    assert_eq!(
        ws.ask(r#"{"id":1,"type":"channel.find","pattern":"news.*"}"#)["type"],
        "ack"
    );
    assert_eq!(
        ws.ask(r#"{"id":1,"type":"room.create","room_id":"den","name":"den"}"#)["type"],
        "ack"
    );
    let mut other = world.ws(NEWS);
    other.say(r#"{"id":1,"type":"pattern.subscribe","pattern":"news.*.live"}"#);
    let told = [other.push(), other.push()];
    assert!(told.iter().any(|push| push["type"] == "ack"), "{told:?}");
}

#[test]
fn an_operation_of_the_server_needs_admin() {
    let world = World::new(|builder| builder);
    let mut ws = world.ws("ada");
    assert_eq!(
        code(&ws.ask(r#"{"id":1,"type":"stats"}"#)),
        "permission_denied"
    );
    assert_eq!(world.api("GET", "/stats", "ada", "").status, 403);
    let mut ws = world.ws("ada~admin=stats");
    assert_eq!(ws.ask(r#"{"id":1,"type":"stats"}"#)["type"], "ack");
    assert_eq!(
        world.api("GET", "/stats", "ada~admin=stats", "").status,
        200
    );
}

#[test]
fn a_key_does_what_its_scopes_say() {
    let world = World::new(|builder| builder);
    let key = "-~admin=publish~admin=room.*~admin=batch";
    let publish = |key: &str| world.api("POST", "/channels/a/publish", key, r#"{"data":1}"#);
    assert_eq!(publish(key).status, 200);
    assert_eq!(
        publish("-~admin=stats").problem(),
        (403, "insufficient_scope".to_owned())
    );
    let created = world.api("POST", "/rooms", key, r#"{"name":"den"}"#);
    assert_eq!(created.status, 200, "{created:?}");
    let batch = r#"{"requests":[{"type":"stats"},{"type":"publish","channel_id":"a","data":1}]}"#;
    let done = world.api("POST", "/batch", key, batch).json();
    assert_eq!(
        done["replies"][0]["error"]["code"], "insufficient_scope",
        "{done}"
    );
    assert_eq!(done["replies"][1]["ok"], true, "{done}");
    let acting = "/rooms?actor=ada";
    let body = r#"{"name":"hers"}"#;
    let refused = world.api("POST", acting, key, body);
    assert_eq!(refused.problem(), (403, "insufficient_scope".to_owned()));
    let allowed = world.api("POST", acting, &format!("{key}~admin=actor"), body);
    assert_eq!(allowed.json()["room"]["owner"], "ada", "{allowed:?}");
    assert_eq!(world.api("POST", acting, "ada", body).status, 200, "itself");
    assert_eq!(
        world.api("POST", acting, "bob", body).status,
        403,
        "another"
    );
}

#[test]
fn what_a_session_resumes_is_authorized_anew() {
    let world = World::new(|builder| builder);
    let open = |token: &str| {
        let mut ws = Ws::open(world.address, "/ws?resume");
        ws.say(&auth(token));
        ws.greeted()
    };
    let mut first = open("ada");
    let session = first.greeting()["session_id"].clone();
    first.join("other");
    first.join("news.a");
    drop(first);
    let mut again = open(NEWS);
    let resume = json!({"id": 1, "type": "session.resume", "session_id": session});
    assert_eq!(again.ask(&resume.to_string())["data"]["restored"], 2);
    let told = [again.push(), again.push()];
    let of = |kind: &str| told.iter().find(|push| push["type"] == kind).unwrap();
    assert_eq!(of("error")["data"]["code"], "insufficient_scope");
    assert_eq!(of("joined")["channel_id"], "news.a");
}

#[test]
fn the_server_subscribes_to_what_a_token_claims() {
    let world = World::new(|builder| builder);
    let token = "ada~sub=~claim=presence-lobby~claim=news~claim=a.*";
    let mut ws = world.ws(token);
    assert_eq!(ws.expect("joined")["pattern"], "s:a.*");
    for channel in ["presence-lobby", "news"] {
        let joined = ws.expect("joined");
        assert_eq!(joined["channel_id"], channel, "{joined}");
        let is_member = joined["data"]["members"][0]["id"] == "ada";
        assert_eq!(is_member, channel == "presence-lobby", "{joined}");
    }
    let (mut stream, _) = world.sse("/sse", token);
    assert_eq!(stream.expect("joined")["pattern"], "s:a.*");
    assert_eq!(stream.expect("joined")["channel_id"], "presence-lobby");
    let told = ws.ask(r#"{"id":1,"type":"subscribe","channel_id":"more"}"#);
    assert_eq!(code(&told), "insufficient_scope", "{told}");
}

#[test]
fn a_channel_that_was_declared_private_is_for_those_whose_token_names_it() {
    let world = World::new(|builder| builder);
    let mut all = world.ws("eve");
    let mut named = world.ws("ada~sub=vault~pub=vault");
    all.join("vault");
    let channels = world.gateway.layers().unwrap().channels().unwrap();
    let options = ChannelOptions::new().private(true);
    let _view = channels.create("vault", options).unwrap();
    assert_eq!(all.expect("left")["data"]["reason"], "private");
    let subscribe = r#"{"id":1,"type":"subscribe","channel_id":"vault"}"#;
    assert_eq!(code(&all.ask(subscribe)), "unauthorized");
    named.join("vault");
    let publish = r#"{"id":2,"type":"publish","channel_id":"vault","data":1}"#;
    assert_eq!(code(&all.ask(publish)), "not_subscribed");
    let told = [named.ask(publish), named.push()];
    assert!(
        told.iter().any(|push| push["type"] == "message"),
        "{told:?}"
    );
}

#[test]
fn a_channel_of_a_user_is_out_of_reach_for_others() {
    let private = PrivateChannels::parse("user.{user}.>").unwrap();
    let world = World::new(|builder| builder.private_channels(private));
    let mut ada = world.ws("ada");
    let mut bob = world.ws("bob");
    ada.join("user.ada.inbox");
    for (command, expected) in [
        (
            r#"{"id":1,"type":"subscribe","channel_id":"user.ada.inbox"}"#,
            "unauthorized",
        ),
        (
            r#"{"id":1,"type":"publish","channel_id":"user.ada.inbox","data":1}"#,
            "unauthorized",
        ),
        (
            r#"{"id":1,"type":"channel.info","channel_id":"user.ada.inbox"}"#,
            "unknown_channel",
        ),
        (
            r#"{"id":1,"type":"channel.history","channel_id":"user.ada.inbox"}"#,
            "not_subscribed",
        ),
        (
            r#"{"id":1,"type":"pattern.subscribe","pattern":"user.ada.>"}"#,
            "unauthorized",
        ),
        (
            r#"{"id":1,"type":"pattern.subscribe","prefix":"user.ada."}"#,
            "unauthorized",
        ),
    ] {
        let told = bob.ask(command);
        assert_eq!(code(&told), expected, "{command}: {told}");
        let batch = format!(r#"{{"id":1,"type":"batch","requests":[{command}]}}"#);
        let done = bob.ask(&batch);
        let refused = &done["data"]["replies"][0]["error"]["code"];
        assert_eq!(*refused, *expected, "{command}: {done}");
    }
    let found = bob.ask(r#"{"id":1,"type":"channel.find"}"#);
    assert!(!found.to_string().contains("user.ada"), "{found}");
    // Wider patterns are allowed, and do not get what belongs to others.
    for pattern in ["user.>", ">", "*.ada.*"] {
        let subscribe = format!(r#"{{"id":"p","type":"pattern.subscribe","pattern":"{pattern}"}}"#);
        bob.say(&subscribe);
        let told = [bob.push(), bob.push()];
        assert!(told.iter().any(|push| push["type"] == "joined"), "{told:?}");
    }
    let publish = r#"{"id":1,"type":"publish","channel_id":"user.ada.inbox","data":"hers"}"#;
    ada.say(publish);
    let told = [ada.push(), ada.push()];
    assert!(told.iter().any(|push| push["data"] == "hers"), "{told:?}");
    assert_eq!(bob.ask(r#"{"id":2,"type":"ping"}"#)["type"], "pong");
    // The owner gets it by a pattern that is all hers.
    let mut more = world.ws("ada");
    more.say(r#"{"id":1,"type":"pattern.subscribe","pattern":"user.ada.*"}"#);
    let told = [more.push(), more.push()];
    assert!(told.iter().any(|push| push["type"] == "joined"), "{told:?}");
    ada.say(publish);
    assert_eq!(more.expect("message")["data"], "hers");
}

#[test]
fn a_room_that_a_token_does_not_allow_is_not_received() {
    let world = World::new(|builder| builder);
    let mut narrow = world.ws("ada~sub=>~rooms=den");
    let mut whole = world.ws("ada");
    for room in ["den", "lair"] {
        let create = json!({"id": 1, "type": "room.create", "room_id": room, "name": room});
        whole.say(&create.to_string());
    }
    let send = |ws: &mut Ws, room: &str, text: &str| {
        ws.say(&json!({"type": "room.send", "room_id": room, "data": text}).to_string());
    };
    send(&mut whole, "lair", "not for the narrow one");
    send(&mut whole, "den", "for both");
    let heard = |ws: &mut Ws| loop {
        let push = ws.push();
        if push["type"] == "message" {
            return push["data"].clone();
        }
    };
    assert_eq!(heard(&mut narrow), "for both");
    // Nor when it comes later, until a refresh allows it.
    let mut later = world.ws("ada~sub=>~rooms=den");
    send(&mut whole, "lair", "nor for this one");
    send(&mut whole, "den", "again for both");
    assert_eq!(heard(&mut later), "again for both");
    let refreshed = later.ask(r#"{"id":1,"type":"auth.refresh","token":"ada"}"#);
    assert!(["ack", "joined"].contains(&refreshed["type"].as_str().unwrap()));
    send(&mut whole, "lair", "now for this one");
    assert_eq!(heard(&mut later), "now for this one");
}

#[tokio::test]
async fn the_application_on_behalf_of_a_connection_has_its_permissions() {
    let hub = throng::Hub::new();
    let gateway = throng::Gateway::builder(hub.clone()).build();
    let (client, _outbox) = hub.connect(throng::ConnectOptions::new()).unwrap();
    let limited =
        throng::session::Identity::guest().permissions(throng::session::Permissions::none());
    let publish = || {
        let text = r#"{"type":"publish","channel_id":"a","data":1}"#;
        throng::session::Request::parse(text).unwrap()
    };
    let caller = throng::session::Caller::connection(&client);
    let caller = caller.identified(Some(limited.into()));
    let refused = gateway.execute(caller, publish()).await.unwrap_err();
    assert_eq!(refused.code(), throng::ErrorCode::InsufficientScope);
}
