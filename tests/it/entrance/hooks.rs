//! - A hook changes or blocks a message whatever it comes by, edits included.
//! - A hook that panics or hangs refuses its request, and nothing else.
//! - A decision that takes time holds its own connection only, and replies keep their order.
//! - Hooks are called in their order; the same name takes the place; they come and go at run time.
//! - Whoever observes is told what happened, and what is dropped is counted.

use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use serde_json::json;
use throng::Disconnect;
use throng::policy::Event;
use throng::policy::Hook;
use throng::policy::Moments;
use throng::protocol::ErrorCode;
use throng::protocol::Fault;
use throng::session::Caller;
use throng::session::Origin;
use throng::session::Request;
use tokio::sync::Notify;

use super::world::World;
use crate::binary::Ws;
use crate::support::eventually;

/// Blocks "bad", and makes "good" of "fine".
fn moderator(name: &str) -> Hook {
    Hook::new(name).message(|_, mut message| {
        if message.text().is_some_and(|text| text.contains("bad")) {
            let fault = Fault::new(ErrorCode::MessageBlocked, "mind your words");
            return Err(fault);
        }
        message.rewrite(|text| (text == "fine").then(|| "good".to_owned()));
        Ok(message)
    })
}

/// A room of ada's.
fn with_room(world: &World) -> Ws {
    let mut ada = world.ws("ada");
    let made = ada.reply(r#"{"id":1,"type":"room.create","room_id":"den","name":"den"}"#);
    assert_eq!(made["type"], "ack", "{made}");
    ada
}

#[test]
fn a_message_hook_changes_and_blocks_on_every_transport_and_on_edits() {
    let world = World::new(|builder| builder.hook(moderator("moderator")));
    let mut ada = with_room(&world);
    ada.reply(r#"{"id":7,"type":"subscribe","channel_id":"news"}"#);
    let mut conn = world.conn("bob");
    let bad = r#"{"id":2,"type":"publish","channel_id":"news","data":{"a":["so bad"]}}"#;
    for refused in [ada.reply(bad), conn.reply(bad)] {
        assert_eq!(refused["data"]["code"], "message_blocked", "{refused}");
        assert_eq!(refused["data"]["message"], "mind your words");
        assert_eq!(refused["reply_to"], 2);
    }
    let refused = world.post("/api/v1/channels/news/publish", r#"{"data":"bad"}"#);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.json()["code"], "message_blocked");
    let batch = r#"{"id":3,"type":"batch","requests":[{"type":"publish","channel_id":"news","data":"bad"}]}"#;
    let batch = ada.reply(batch);
    assert_eq!(
        batch["data"]["replies"][0]["error"]["code"],
        "message_blocked"
    );
    let request = Request::parse(bad).unwrap();
    let refused = world.gateway.execute(Caller::server(), request);
    let refused = world.runtime.block_on(refused).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::MessageBlocked);

    let fine = r#"{"type":"publish","channel_id":"news","data":{ "a" :["fine"]}}"#;
    conn.say(fine);
    let message = ada.wait_for("message");
    assert_eq!(message["data"], json!({"a": ["good"]}));

    let sent = ada.reply(r#"{"id":4,"type":"room.send","room_id":"den","data":"fine"}"#);
    assert_eq!(sent["type"], "ack", "{sent}");
    let id = sent["data"]["message_id"].clone();
    let edit = |text: &str| {
        json!({"id": 5, "type": "message.edit", "room_id": "den", "message_id": id, "text": text})
            .to_string()
    };
    let refused = ada.reply(&edit("bad"));
    assert_eq!(refused["data"]["code"], "message_blocked", "{refused}");
    let edited = ada.reply(&edit("fine"));
    assert_eq!(edited["data"]["text"], "good", "{edited}");
}

#[test]
fn a_moderator_decides_later_and_its_connection_alone_waits() {
    let decided = Arc::new(Notify::new());
    let wait = Arc::clone(&decided);
    let world = World::new(|builder| {
        builder.hook(Hook::new("moderator").message_async(move |who, message| {
            let wait = Arc::clone(&wait);
            async move {
                wait.notified().await;
                match who.user.as_deref() {
                    Some("eve") => Err(Fault::new(ErrorCode::SendDenied, "not you")),
                    _ => Ok(message),
                }
            }
        }))
    });
    let (mut eve, mut bob) = (world.ws("eve"), world.ws("bob"));
    eve.say(r#"{"id":1,"type":"publish","channel_id":"c","data":1}"#);
    for id in 2..40 {
        eve.say(&format!(r#"{{"id":{id},"type":"ping"}}"#));
    }
    assert_eq!(bob.reply(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
    decided.notify_one();
    let refused = eve.push();
    assert_eq!(refused["data"]["code"], "send_denied", "{refused}");
    for id in 2..40 {
        assert_eq!(eve.push()["reply_to"], id);
    }
    bob.say(r#"{"id":2,"type":"publish","channel_id":"c","data":1}"#);
    decided.notify_one();
    assert_eq!(bob.push()["type"], "ack");
}

#[test]
fn hooks_that_panic_or_hang_refuse_their_request_and_nothing_else() {
    let short = Duration::from_millis(20);
    let hooks = [
        (
            Hook::new("h").message(|_, _| panic!("this is what is tested")),
            "hook_failed",
            500,
        ),
        (
            Hook::new("h").message_async(async |_, _| panic!("this is what is tested")),
            "hook_failed",
            500,
        ),
        (
            Hook::new("h")
                .message_async(async |_, _| pending().await)
                .timeout(short),
            "hook_timeout",
            503,
        ),
    ];
    for (hook, code, status) in hooks {
        let world = World::new(|builder| builder.hook(hook));
        let mut ws = world.ws("ada");
        let refused = ws.reply(r#"{"id":1,"type":"publish","channel_id":"c","data":1}"#);
        assert_eq!(refused["data"]["code"], code, "{refused}");
        assert_eq!(ws.reply(r#"{"id":2,"type":"ping"}"#)["type"], "pong");
        let refused = world.post("/api/v1/channels/c/publish", r#"{"data":1}"#);
        assert_eq!(refused.status, status, "{refused:?}");
        let stats = world.request("GET", "/api/v1/stats", "").json();
        let hook = &stats["hooks"][0];
        assert_eq!(hook["calls"], 2, "{hook}");
        let failures = hook["failed"].as_u64().unwrap() + hook["timed_out"].as_u64().unwrap();
        assert_eq!(failures, 2, "{hook}");
        assert!(world.gateway.hooks().remove("h"));
        assert_eq!(
            ws.reply(r#"{"id":3,"type":"publish","channel_id":"c","data":1}"#)["type"],
            "ack"
        );
    }
}

#[test]
fn hooks_are_called_in_order_and_the_same_name_takes_the_place() {
    let adding = |name: &str, mark: &'static str| {
        Hook::new(name).message(move |_, mut message| {
            message.rewrite(|text| Some(format!("{text}{mark}")));
            Ok(message)
        })
    };
    let world = World::new(|builder| builder.hook(adding("one", "1")).hook(adding("two", "2")));
    let mut ws = world.ws("ada");
    ws.join("c");
    let mut said = || {
        ws.say(r#"{"type":"publish","channel_id":"c","data":""}"#);
        ws.wait_for("message")["data"].clone()
    };
    assert_eq!(said(), "12");
    let hooks = world.gateway.hooks();
    hooks.add(adding("one", "3"));
    hooks.add(adding("three", "4"));
    assert_eq!(said(), "324");
    assert!(hooks.remove("two") && !hooks.remove("two"));
    assert_eq!(said(), "34");
    let names: Vec<_> = hooks.list().into_iter().map(|hook| hook.name).collect();
    assert_eq!(names, ["one".into(), "three".into()]);
}

#[test]
fn a_raw_hook_sees_the_bytes_on_every_transport() {
    let world = World::new(|builder| {
        builder.hook(Hook::new("raw").raw(|who, bytes| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if text.contains("forbidden") {
                return Err(Fault::new(ErrorCode::Forbidden, "not these bytes"));
            }
            assert!(who.is_server || who.user.is_some());
            Ok(Bytes::from(text.replace("alias", "news")))
        }))
    });
    let (mut ws, mut conn) = (world.ws("ada"), world.conn("bob"));
    let subscribed = ws.reply(r#"{"id":1,"type":"subscribe","channel_id":"alias"}"#);
    assert_eq!(subscribed["channel_id"], "news", "{subscribed}");
    let forbidden = r#"{"id":2,"type":"publish","channel_id":"c","data":"forbidden"}"#;
    for refused in [ws.reply(forbidden), conn.reply(forbidden)] {
        assert_eq!(refused["data"]["code"], "forbidden", "{refused}");
        assert_eq!(refused["reply_to"], 2);
    }
    let sent = world.post("/api/v1/channels/news/publish", r#"{"data":"alias"}"#);
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_eq!(ws.wait_for("message")["data"], "news");
    let refused = world.post("/api/v1/channels/news/publish", r#"{"data":"forbidden"}"#);
    assert_eq!(refused.status, 403, "{refused:?}");
    let (_stream, secret) = world.sse("/sse?user=ada");
    let path = format!("/sse/{secret}/subscribe?user=ada");
    let refused = world.post(&path, r#"{"channels":["forbidden"]}"#);
    assert_eq!(refused.status, 403, "{refused:?}");
}

#[test]
fn a_connect_hook_refuses_with_its_code_and_reason() {
    let decide = |user: Option<&str>| match user {
        Some("eve") => Err(Disconnect::new(4501, "not you").unwrap()),
        Some("mallory") => panic!("this is what is tested"),
        _ => Ok(()),
    };
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    for later in [false, true] {
        let hook = Hook::new("door");
        let hook = match later {
            false => hook.connect(move |arrival| {
                assert!(arrival.transport == "other" || arrival.address == Some(loopback));
                decide(arrival.user.as_deref())
            }),
            true => hook.connect_async(move |arrival| async move {
                tokio::task::yield_now().await;
                decide(arrival.user.as_deref())
            }),
        };
        let world = World::new(|builder| builder.hook(hook));
        let mut ada = world.ws("ada");
        assert_eq!(ada.reply(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
        let mut eve = Ws::open(world.address, "/ws?user=eve");
        assert_eq!(eve.closed(), (4501, "not you".to_owned()));
        let mut mallory = Ws::open(world.address, "/ws?user=mallory");
        assert_eq!(mallory.closed().0, 1011);
        let refused = world.request("GET", "/sse?user=eve", "");
        assert_eq!(refused.status, 403, "{refused:?}");
        assert!(refused.body.contains("not you"), "{refused:?}");
        let (_stream, _) = world.sse("/sse?user=bob");
        let mut carol = world.conn("carol");
        assert_eq!(carol.reply(r#"{"id":1,"type":"ping"}"#)["type"], "pong");
        let gateway = &world.gateway;
        eventually("three are connected", || gateway.connections() == 3);
    }
}

#[test]
fn join_and_create_are_vetoed() {
    let world = World::new(|builder| {
        let refuse = || Err(Fault::new(ErrorCode::Forbidden, "not today"));
        let hook = Hook::new("doorkeeper")
            .create(move |who, room| match room.category.as_deref() {
                Some("secret") if !who.is_server => refuse(),
                _ => Ok(()),
            })
            .join_async(move |who, room| async move {
                match who.user.as_deref() {
                    Some("eve") if *room == *"den" => refuse(),
                    _ => Ok(()),
                }
            });
        builder.hook(hook)
    });
    let mut ada = with_room(&world);
    let secret = r#"{"id":2,"type":"room.create","name":"x","category":"secret"}"#;
    let refused = ada.reply(secret);
    assert_eq!(refused["data"]["message"], "not today", "{refused}");
    let made = world.post(
        "/api/v1/rooms?actor=ada",
        r#"{"name":"x","category":"secret"}"#,
    );
    assert_eq!(made.status, 403, "{made:?}");
    let mut eve = world.ws("eve");
    let join = r#"{"id":1,"type":"room.join","room_id":"den"}"#;
    assert_eq!(eve.reply(join)["data"]["code"], "forbidden");
    let joined = world.post("/api/v1/rooms/den/join?actor=eve", "{}");
    assert_eq!(joined.status, 403, "{joined:?}");
    assert_eq!(world.ws("bob").reply(join)["type"], "ack");
}

/// Notes what it is told.
fn noting(seen: &Arc<Mutex<Vec<Event>>>, moments: Moments) -> Hook {
    let seen = Arc::clone(seen);
    Hook::new("notes").observe(moments, move |event: &Event| {
        seen.lock().push(event.clone());
    })
}

#[test]
fn observers_are_told_what_happens() {
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let world = World::new(|builder| builder.hook(noting(&seen, Moments::ALL)));
    let told = |moment: Moments| {
        let seen = Arc::clone(&seen);
        let found = move || seen.lock().iter().any(|event| event.moment() == moment);
        eventually(&format!("{moment:?}"), found);
    };
    let mut ada = with_room(&world);
    for moment in [
        Moments::CONNECTED,
        Moments::CREATED,
        Moments::JOINED,
        Moments::DELIVERED,
    ] {
        told(moment);
    }
    let mut bob = world.ws("bob");
    assert_eq!(
        bob.reply(r#"{"id":1,"type":"room.join","room_id":"den"}"#)["type"],
        "ack"
    );
    bob.say(r#"{"type":"typing.start","room_id":"den"}"#);
    told(Moments::TYPING);
    bob.say(r#"{"type":"presence.set","status":"busy"}"#);
    told(Moments::PRESENCE);
    bob.say(r#"{"type":"room.leave","room_id":"den"}"#);
    told(Moments::LEFT);
    bob.say(r#"{"id":9,"type":"room.get","room_id":"no-such-room"}"#);
    told(Moments::ERROR);
    let error = |event: &Event| match event {
        Event::Error {
            caller,
            command,
            code,
            ..
        } => Some((caller.user.clone(), command.clone(), *code)),
        _ => None,
    };
    let errors: Vec<_> = seen.lock().iter().filter_map(error).collect();
    assert_eq!(
        errors,
        [(
            Some("bob".into()),
            "room.get".into(),
            ErrorCode::UnknownRoom
        )]
    );
    assert_eq!(
        ada.reply(r#"{"id":8,"type":"room.delete","room_id":"den"}"#)["type"],
        "ack"
    );
    told(Moments::DELETED);
    world
        .client_of("bob")
        .close(Disconnect::new(4507, "enough").unwrap());
    told(Moments::DISCONNECTED);
    let seen = seen.lock();
    let why = seen.iter().find_map(|event| match event {
        Event::Disconnected {
            why,
            user,
            transport,
            ..
        } => Some((
            why.code(),
            why.reason().to_owned(),
            user.clone(),
            *transport,
        )),
        _ => None,
    });
    assert_eq!(
        why,
        Some((4507, "enough".to_owned(), Some("bob".into()), "ws"))
    );
    assert!(
        !seen.iter().any(|event| event.moment() == Moments::REFUSED),
        "{seen:?}"
    );
}

#[test]
fn refusals_of_the_gate_are_told_with_caller_and_code() {
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let world = World::new(|builder| {
        builder
            .hook(moderator("moderator"))
            .hook(noting(&seen, Moments::REFUSED))
    });
    let mut ada = world.ws("ada");
    ada.reply(r#"{"id":1,"type":"publish","channel_id":"c","data":"bad"}"#);
    world.post("/api/v1/channels/c/publish?actor=bob", r#"{"data":"bad"}"#);
    let seen = seen.lock();
    let told: Vec<_> = seen
        .iter()
        .map(|event| match event {
            Event::Refused {
                caller,
                command,
                code,
                ..
            } => (caller.user.as_deref(), caller.origin, &**command, *code),
            other => panic!("{other:?}"),
        })
        .collect();
    let blocked = ErrorCode::MessageBlocked;
    assert_eq!(
        told,
        [
            (Some("ada"), Origin::Client, "publish", blocked),
            (Some("bob"), Origin::Api, "publish", blocked),
        ]
    );
}

#[test]
fn an_asynchronous_observer_that_is_slow_loses_events_and_they_are_counted() {
    let go_on = Arc::new(Notify::new());
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let world = World::new(|builder| {
        let (go_on, seen) = (Arc::clone(&go_on), Arc::clone(&seen));
        let slow = Hook::new("slow")
            .queue(2)
            .timeout(Duration::from_secs(60))
            .observe_async(Moments::REFUSED, move |event| {
                let (go_on, seen) = (Arc::clone(&go_on), Arc::clone(&seen));
                async move {
                    go_on.notified().await;
                    seen.lock().push(event);
                }
            });
        builder.hook(moderator("moderator")).hook(slow)
    });
    let mut ws = world.ws("ada");
    let info = || world.gateway.hooks().list().pop().unwrap();
    let mut refuse = || ws.reply(r#"{"id":1,"type":"publish","channel_id":"c","data":"bad"}"#);
    refuse();
    eventually("the first event is taken", || info().calls == 1);
    for _ in 0..5 {
        assert_eq!(
            refuse()["data"]["code"],
            "message_blocked",
            "it waits for no observer"
        );
    }
    assert_eq!(info().dropped, 3);
    for heard in 1..=3 {
        go_on.notify_one();
        eventually("it goes on", || seen.lock().len() == heard);
    }
    let stats: Value = world.request("GET", "/api/v1/stats", "").json();
    assert_eq!(stats["hooks"][1]["dropped"], 3, "{stats}");
    assert_eq!(stats["hooks"][1]["moments"], json!(["refused"]));
}

#[test]
fn an_observer_that_panics_is_counted_and_the_others_are_told() {
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let world = World::new(|builder| {
        let broken = |_: &Event| panic!("this is what is tested");
        builder
            .hook(moderator("moderator"))
            .hook(Hook::new("broken").observe(Moments::REFUSED, broken))
            .hook(noting(&seen, Moments::REFUSED))
    });
    let refused = world
        .ws("ada")
        .reply(r#"{"id":1,"type":"publish","channel_id":"c","data":"bad"}"#);
    assert_eq!(refused["data"]["code"], "message_blocked");
    assert_eq!(seen.lock().len(), 1);
    assert_eq!(world.gateway.hooks().list()[1].failed, 1);
}
