//! The shipped server over WebSocket: every command, every error code, every close.
//!
//! - Every command with an id has one reply that names it.
//! - Every refusal has a code, names the field and the request, and leaves the connection open.
//! - Messages of a channel arrive in the order of their numbers; what is lost is announced.
//! - Every close has a code; what was accepted before it arrives.
//! - A client that only listens stays; one that is gone is noticed; nothing of it remains.

use std::collections::HashSet;
use std::io::Read;
use std::io::Write;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use tungstenite::Bytes;
use tungstenite::Message;

use crate::binary::PATIENCE;
use crate::binary::Throng;
use crate::binary::Ws;
use crate::binary::masked_text;

/// Asks, and returns the code, the field and the request of the error that comes.
fn refusal(client: &mut Ws, command: &str) -> (String, Value, Value) {
    let mut error = client.ask(command);
    assert_eq!(error["type"], "error", "{error}");
    assert!(!error["data"]["message"].as_str().unwrap().is_empty());
    let code = error["data"]["code"].as_str().unwrap().to_owned();
    (
        code,
        error["data"]["field"].take(),
        error["reply_to"].take(),
    )
}

#[test]
fn a_client_is_told_who_it_is_and_what_it_may() {
    let throng = Throng::start(&["--max-message", "5000", "--insecure-trust-query-user"]);
    let client = throng.ws_as("ada%20l");
    let greeting = client.greeting();
    assert_eq!(greeting["user"], "ada l");
    assert_eq!(greeting["protocol"], "throng.v1.json");
    assert_eq!(
        (&greeting["ping_interval_ms"], &greeting["pong_timeout_ms"]),
        (&json!(25000), &json!(10000))
    );
    assert_eq!(
        greeting["limits"],
        json!({"message_bytes": 5000, "nesting": 64, "id_bytes": 64, "key_bytes": 256, "auth_bytes": 8192})
    );
    let other = throng.ws();
    assert_ne!(client.id(), other.id());
    assert_eq!(other.greeting().get("user"), None);
}

#[test]
fn a_user_is_believed_only_in_open_mode() {
    let throng = Throng::start(&[]);
    assert_eq!(throng.ws_as("ada").greeting().get("user"), None);
    let open = Throng::start(&["--insecure-trust-query-user"]);
    let long = open.get(&format!("/ws?user={}", "x".repeat(129)));
    // Refused as no handshake first; the length is looked at after that.
    assert_eq!(long.status, 400);
}

#[test]
fn every_command_is_answered_once() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws();
    let joined = client.ask(r#"{"id":"a","type":"subscribe","channel_id":"news"}"#);
    assert_eq!(
        (&joined["type"], &joined["reply_to"]),
        (&json!("joined"), &json!("a"))
    );
    assert_eq!(
        (&joined["channel_id"], &joined["offset"]),
        (&json!("news"), &json!(0))
    );
    assert_eq!(
        joined["data"],
        json!({"recovered": false, "start": 0, "members": []})
    );
    assert!(joined["epoch"].is_string());
    assert!(joined["published_at"].as_str().unwrap().ends_with('Z'));

    client.say(r#"{"id":2,"type":"publish","channel_id":"news","data":{"x":1},"key":"k"}"#);
    let (ack, message) = both(&mut client);
    assert_eq!((&ack["reply_to"], &ack["offset"]), (&json!(2), &json!(1)));
    assert_eq!(
        (&ack["data"]["addressed"], &ack["data"]["delivered"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&message["data"], &message["key"]),
        (&json!({"x": 1}), &json!("k"))
    );
    assert_eq!(
        (&message["offset"], &message["epoch"]),
        (&json!(1), &joined["epoch"])
    );

    let pong = client.ask(r#"{"id":3,"type":"ping"}"#);
    assert_eq!(
        (&pong["type"], &pong["reply_to"]),
        (&json!("pong"), &json!(3))
    );
    let pong = client.ask(r#"{"type":"ping"}"#);
    assert_eq!(
        (&pong["type"], pong.get("reply_to")),
        (&json!("pong"), None)
    );

    let ack = client.ask(r#"{"id":4,"type":"unsubscribe","channel_id":"news"}"#);
    assert_eq!((&ack["type"], &ack["reply_to"]), (&json!("ack"), &json!(4)));
    client.say(r#"{"type":"publish","channel_id":"news","data":1}"#);
    let pong = client.ask(r#"{"id":5,"type":"ping"}"#);
    assert_eq!(pong["reply_to"], 5, "neither message nor ack");
}

/// The next two pushes: the ack, and the message, whichever comes first.
fn both(client: &mut Ws) -> (Value, Value) {
    let (one, other) = (client.push(), client.push());
    let (ack, message) = if one["type"] == "ack" {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!(
        (&ack["type"], &message["type"]),
        (&json!("ack"), &json!("message"))
    );
    (ack, message)
}

#[test]
fn a_publisher_may_leave_itself_out() {
    let throng = Throng::start(&[]);
    let (mut one, mut other) = (throng.ws(), throng.ws());
    one.join("news");
    other.join("news");
    let ack = one.ask(r#"{"id":1,"type":"publish","channel_id":"news","text":"hi","echo":false}"#);
    assert_eq!(
        (&ack["type"], &ack["data"]["delivered"]),
        (&json!("ack"), &json!(1))
    );
    assert_eq!(other.expect("message")["text"], "hi");
    assert_eq!(one.ask(r#"{"type":"ping"}"#)["type"], "pong");
}

#[test]
fn payloads_arrive_as_what_they_are() {
    let throng = Throng::start(&[]);
    let (mut one, mut other) = (throng.ws(), throng.ws());
    other.join("c");
    for (sent, field, arrives) in [
        (r#""data":null"#, "data", json!(null)),
        (r#""data":" \"é\" ""#, "data", json!(" \"é\" ")),
        (r#""data":[1, {"a":1e3}]"#, "data", json!([1, {"a": 1e3}])),
        (r#""text":"no JSON""#, "text", json!("no JSON")),
        (r#""text":"42""#, "data", json!(42)),
        (r#""text":"""#, "text", json!("")),
        (r#""base64":"/wA=""#, "base64", json!("/wA=")),
    ] {
        one.say(&format!(r#"{{"type":"publish","channel_id":"c",{sent}}}"#));
        let message = other.expect("message");
        assert_eq!(message.get(field), Some(&arrives), "{sent}: {message}");
        let forms = ["data", "text", "base64"]
            .iter()
            .filter(|form| message.get(form).is_some());
        assert_eq!(forms.count(), 1, "{message}");
    }
}

#[test]
fn members_come_and_go() {
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let (mut ada, mut bob) = (throng.ws_as("ada"), throng.ws_as("bob"));
    assert_eq!(
        ada.join("presence-room")["data"]["members"],
        json!([{"id": "ada"}])
    );
    let joined = bob.join("presence-room");
    let ids: HashSet<_> = joined["data"]["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, HashSet::from(["ada", "bob"]));
    let added = ada.expect("member_added");
    assert_eq!(
        (&added["offset"], &added["epoch"]),
        (&joined["offset"], &joined["epoch"])
    );
    assert_eq!(
        (&added["channel_id"], &added["data"]),
        (&json!("presence-room"), &json!({"id": "bob"}))
    );

    let roster = ada.ask(r#"{"id":1,"type":"presence","channel_id":"presence-room"}"#);
    assert_eq!(
        (&roster["type"], &roster["reply_to"]),
        (&json!("presence"), &json!(1))
    );
    assert_eq!(roster["data"]["members"].as_array().unwrap().len(), 2);

    // A second connection of the same user is the same member.
    let mut again = throng.ws_as("bob");
    again.join("presence-room");
    again.close();
    bob.close();
    let removed = ada.expect("member_removed");
    assert_eq!(removed["data"], json!({"id": "bob"}));
}

#[test]
fn only_public_channels_are_joined_without_an_authorizer() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws_as("ada");
    for channel in ["private-room", "presence-room"] {
        let subscribe =
            format!(r#"{{"id":1,"type":"subscribe","channel_id":"{channel}","auth":"x"}}"#);
        assert_eq!(
            refusal(&mut client, &subscribe),
            ("unauthorized".to_owned(), json!("channel_id"), json!(1))
        );
    }
    client.join("room");
}

#[test]
fn every_refusal_names_itself() {
    let throng = Throng::start(&[
        "--insecure-trust-query-user",
        "--max-subscriptions",
        "2",
        "--max-payload",
        "2000",
    ]);
    let mut client = throng.ws();
    client.join("a");
    let long = "x".repeat(2001);
    let deep = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    let channel = || json!("channel_id");
    let none = || Value::Null;
    for (command, code, field, request) in [
        ("{".to_owned(), "invalid_json", none(), none()),
        ("[1]".to_owned(), "invalid_json", none(), none()),
        (
            r#"{"id":{},"type":"ping"}"#.to_owned(),
            "invalid_field",
            json!("id"),
            none(),
        ),
        (
            r#"{"id":1}"#.to_owned(),
            "missing_field",
            json!("type"),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"x"}"#.to_owned(),
            "unknown_type",
            json!("type"),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"subscribe"}"#.to_owned(),
            "missing_field",
            channel(),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"subscribe","channel_id":1}"#.to_owned(),
            "invalid_field",
            channel(),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"subscribe","channel_id":""}"#.to_owned(),
            "invalid_channel",
            channel(),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"subscribe","channel_id":"a"}"#.to_owned(),
            "already_subscribed",
            channel(),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"unsubscribe","channel_id":"b"}"#.to_owned(),
            "not_subscribed",
            channel(),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"publish","channel_id":"private-b","data":1}"#.to_owned(),
            "not_subscribed",
            channel(),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"publish","channel_id":"\u0000","data":1}"#.to_owned(),
            "invalid_channel",
            channel(),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"presence","channel_id":"a"}"#.to_owned(),
            "not_presence",
            channel(),
            json!(1),
        ),
        (
            r#"{"id":1,"type":"presence","channel_id":"presence-b"}"#.to_owned(),
            "not_subscribed",
            channel(),
            json!(1),
        ),
        (
            format!(r#"{{"id":1,"type":"publish","channel_id":"a","text":"{long}"}}"#),
            "too_large",
            json!("data"),
            json!(1),
        ),
        (
            format!(r#"{{"id":1,"type":"publish","channel_id":"a","data":{deep}}}"#),
            "too_deep",
            none(),
            json!(1),
        ),
    ] {
        let refused = refusal(&mut client, &command);
        assert_eq!(refused, (code.to_owned(), field, request), "{command}");
    }
    client.join("b");
    let third = refusal(
        &mut client,
        r#"{"id":1,"type":"subscribe","channel_id":"c"}"#,
    );
    assert_eq!(
        third,
        ("too_many_subscriptions".to_owned(), channel(), json!(1))
    );
    client.send(Message::binary(b"{}".as_slice()));
    let binary = client.expect("error");
    assert_eq!(binary["data"]["code"], "unsupported_frame");
    assert_eq!(
        client.ask(r#"{"type":"ping"}"#)["type"],
        "pong",
        "and the connection is open"
    );
}

#[test]
fn the_limits_of_the_server_are_named_when_they_are_reached() {
    let throng = Throng::start(&[
        "--insecure-trust-query-user",
        "--max-channels",
        "2",
        "--max-members",
        "1",
        "--max-channel-name",
        "12",
    ]);
    let (mut one, mut other) = (throng.ws_as("ada"), throng.ws_as("bob"));
    one.join("presence-a");
    one.join("b");
    for (channel_id, code) in [
        ("presence-a", "too_many_members"),
        ("c", "too_many_channels"),
        ("thirteen-long", "invalid_channel"),
    ] {
        let command = json!({"id": 1, "type": "subscribe", "channel_id": channel_id});
        let refused = refusal(&mut other, &command.to_string());
        assert_eq!(refused, (code.to_owned(), json!("channel_id"), json!(1)));
    }
}

#[test]
fn clients_may_be_kept_from_publishing() {
    let throng = Throng::start(&["--client-publish", "refuse"]);
    let mut client = throng.ws();
    let refused = refusal(
        &mut client,
        r#"{"id":1,"type":"publish","channel_id":"a","data":1}"#,
    );
    assert_eq!(refused, ("forbidden".to_owned(), json!("type"), json!(1)));
}

#[test]
fn commands_beyond_the_rate_are_refused() {
    let throng = Throng::start(&["--max-commands", "3"]);
    let mut client = throng.ws();
    let mut codes = Vec::new();
    for id in 0..20 {
        client.say(&format!(r#"{{"id":{id},"type":"ping"}}"#));
    }
    for id in 0..20 {
        let push = client.push();
        assert_eq!(push["reply_to"], id);
        codes.push(push["data"]["code"].as_str().unwrap_or("pong").to_owned());
    }
    assert_eq!(codes[..3], ["pong"; 3]);
    assert!(codes.iter().any(|code| code == "rate_limited"), "{codes:?}");
}

#[test]
fn messages_keep_their_order_and_none_is_missing() {
    let throng = Throng::start(&["--outbox-messages", "4096"]);
    let (mut one, mut other) = (throng.ws(), throng.ws());
    other.join("c");
    for n in 1..=2000 {
        one.say(&format!(
            r#"{{"type":"publish","channel_id":"c","data":{n}}}"#
        ));
    }
    for n in 1..=2000 {
        let message = other.expect("message");
        assert_eq!(
            (&message["offset"], &message["data"]),
            (&json!(n), &json!(n))
        );
    }
}

#[test]
fn a_client_resumes_where_it_was_or_is_told_that_it_cannot() {
    let throng = Throng::start(&[]);
    let (mut one, mut keeper) = (throng.ws(), throng.ws());
    keeper.join("c");
    let joined = one.join("c");
    one.ask(r#"{"id":1,"type":"unsubscribe","channel_id":"c"}"#);
    let epoch = joined["epoch"].as_str().unwrap();
    let subscribe = format!(
        r#"{{"id":1,"type":"subscribe","channel_id":"c","since":{{"offset":0,"epoch":"{epoch}"}}}}"#
    );
    assert_eq!(
        one.ask(&subscribe)["data"]["recovered"],
        true,
        "nothing was published since"
    );
    one.ask(r#"{"id":1,"type":"unsubscribe","channel_id":"c"}"#);
    throng.publish("c", &json!(1));
    let joined = one.ask(&subscribe);
    assert_eq!(
        (&joined["data"]["recovered"], &joined["offset"]),
        (&json!(false), &json!(1))
    );
}

#[test]
fn what_breaks_the_protocol_is_closed_with_its_code() {
    let throng = Throng::start(&["--max-message", "1000"]);
    let mut large = throng.ws();
    large.say(&"x".repeat(1001));
    assert_eq!(large.closed().0, 1009);

    // What nobody reads must not cost the client the close frame.
    let mut flood = throng.ws();
    flood.say(&"x".repeat(24 << 20));
    assert_eq!(flood.closed().0, 1009);

    let mut pieces = throng.ws();
    let half = "x".repeat(600);
    let mut frame = masked(0x01, half.as_bytes());
    frame.extend(masked(0x80, half.as_bytes()));
    pieces.stream().write_all(&frame).unwrap();
    assert_eq!(pieces.closed().0, 1009, "the sum of the fragments counts");

    for (bytes, code) in [
        (masked(0x81, b"\xff"), 1007),
        (vec![0x81, 0x01, b'x'], 1002),      // not masked
        (masked(0xC1, b"{}"), 1002),         // a reserved bit
        (masked(0x83, b"{}"), 1002),         // a reserved opcode
        (masked(0x80, b"{}"), 1002),         // continues nothing
        (masked(0x09, b"fragmented"), 1002), // a fragmented ping
    ] {
        let mut client = throng.ws();
        client.stream().write_all(&bytes).unwrap();
        assert_eq!(client.closed().0, code, "{bytes:?}");
    }
    throng.stats_until(|stats| stats["clients"] == 0);
}

/// A small frame with this first byte, masked with zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[test]
fn commands_may_come_in_pieces_and_many_at_once() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws();
    let mut bytes = masked(0x01, br#"{"id":1,"ty"#);
    bytes.extend(masked(0x89, b"in between"));
    bytes.extend(masked(0x80, br#"pe":"ping"}"#));
    bytes.extend(masked(
        0x81,
        br#"{"id":2,"type":"subscribe","channel_id":"c"}"#,
    ));
    bytes.extend(masked(
        0x81,
        br#"{"id":3,"type":"publish","channel_id":"c","data":1}"#,
    ));
    bytes.extend(masked(0x81, br#"{"id":4,"type":"ping"}"#));
    for byte in bytes {
        client.stream().write_all(&[byte]).unwrap();
    }
    assert_eq!(
        client.read(),
        Message::Pong(Bytes::from_static(b"in between"))
    );
    assert_eq!(client.expect("pong")["reply_to"], 1);
    assert_eq!(client.expect("joined")["reply_to"], 2);
    let rest: Vec<_> = (0..3)
        .map(|_| client.push()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        HashSet::from(["ack", "message", "pong"]),
        rest.iter().map(String::as_str).collect()
    );
}

#[test]
fn pings_are_answered() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws();
    assert_eq!(client.ping(b"are you there"), b"are you there".as_slice());
}

#[test]
fn a_close_is_answered() {
    let throng = Throng::start(&[]);
    let client = throng.ws();
    client
        .stream()
        .write_all(&masked(0x88, b"\x03\xe8bye"))
        .unwrap();
    let mut answer = Vec::new();
    client.stream().read_to_end(&mut answer).unwrap();
    assert_eq!(
        answer, b"\x88\x05\x03\xe8bye",
        "the close comes back, and then the end"
    );
    throng.stats_until(|stats| stats["clients"] == 0);
}

#[test]
fn who_only_listens_stays_and_who_is_gone_is_closed() {
    let throng = Throng::start(&["--ping-interval", "50", "--pong-timeout", "200"]);
    let mut listener = throng.ws();
    listener.join("c");
    let silent = throng.ws();

    // The listener answers pings by reading; the silent one never reads, so never answers.
    let (mut pings, start) = (0, Instant::now());
    while throng.stats()["clients"] == 2 {
        assert!(start.elapsed() < PATIENCE, "the silent one is still there");
        listener.send(Message::Ping(Bytes::new()));
        pings += usize::from(listener.read() == Message::Pong(Bytes::new()));
    }
    assert!(pings > 0);
    throng.publish("c", &json!("still here"));
    assert_eq!(listener.expect("message")["data"], "still here");

    let mut read = Vec::new();
    silent.stream().read_to_end(&mut read).unwrap();
    let close = [0x88, 0x09, 0x0b, 0xc4];
    assert!(read.windows(4).any(|bytes| bytes == close), "3012 no pong");
    assert!(read.ends_with(b"no pong"));
}

#[test]
fn a_slow_consumer_gets_a_prefix_and_the_reason() {
    let throng = Throng::start(&[
        "--slow-consumer",
        "disconnect",
        "--outbox-messages",
        "8",
        "--outbox-bytes",
        "16777216",
    ]);
    let mut slow = throng.ws();
    slow.join("c");
    let large = json!("x".repeat(1 << 18));
    while throng.publish("c", &large)["disconnected"] == 0 {}
    assert_eq!(throng.stats()["disconnected_slow"], 1);

    let (pushes, close) = slow.rest();
    assert_eq!(close, (3008, "slow consumer".to_owned()));
    assert!(pushes.len() >= 8, "what was accepted arrives");
    for (at, push) in pushes.iter().enumerate() {
        assert_eq!(
            (&push["type"], &push["offset"]),
            (&json!("message"), &json!(at + 1))
        );
    }
    throng.stats_until(|stats| stats["clients"] == 0 && stats["subscriptions"] == 0);
}

#[test]
fn a_slow_consumer_that_is_kept_is_told_what_it_missed() {
    let throng = Throng::start(&["--outbox-messages", "8", "--outbox-bytes", "16777216"]);
    let mut slow = throng.ws();
    slow.join("c");
    let large = json!("x".repeat(1 << 18));
    while throng.publish("c", &large)["dropped"] == 0 {}
    let behind = &throng.get("/api/v1/clients/slow").json()["clients"][0];
    assert_eq!(
        (&behind["client_id"], &behind["dropped"]),
        (&json!(slow.id()), &json!(1))
    );
    assert_eq!(behind["queued_messages"], 8);

    // The notice may overtake what was accepted before the loss; the messages keep their order.
    let accepted = throng.stats()["delivered"].as_u64().unwrap();
    let lost = accepted + 1;
    let (mut gap, mut expected) = (None, 1);
    while gap.is_none() || expected < lost {
        let push = slow.push();
        if push["type"] == "gap" {
            gap = Some(push);
        } else {
            assert_eq!(push["offset"], expected);
            expected += 1;
        }
    }
    let gap = gap.unwrap();
    assert_eq!(gap["channel_id"], "c");
    assert_eq!(
        gap["data"],
        json!({"first": lost, "last": lost, "missed": 1})
    );
    throng.publish("c", &json!("next"));
    let next = slow.expect("message");
    assert_eq!(
        (&next["data"], &next["offset"]),
        (&json!("next"), &json!(lost + 1))
    );
}

#[test]
fn a_stalled_socket_is_dropped_in_the_end() {
    let throng = Throng::start(&["--write-timeout", "300"]);
    let stalled = throng.ws_joined("c");
    let mut healthy = throng.ws_joined("other");
    let large = json!("x".repeat(1 << 19));
    while throng.publish("c", &large)["dropped"] == 0 {}
    throng.stats_until(|stats| stats["clients"] == 1 && stats["subscriptions"] == 1);
    throng.publish("other", &json!(1));
    assert_eq!(
        healthy.expect("message")["data"],
        1,
        "and nobody else noticed"
    );
    drop(stalled);
}

#[test]
fn nothing_remains_of_clients_that_are_gone() {
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let path = "/api/v1/channels/presence-c";
    let clients: Vec<_> = (0..20).map(|_| throng.ws_joined("presence-c")).collect();
    assert_eq!(
        throng.get(path).json()["members"].as_array().unwrap().len(),
        20
    );
    // Half of them say nothing, half close.
    for (at, client) in clients.into_iter().enumerate() {
        if at % 2 == 0 {
            drop(client);
        } else {
            client.close();
        }
    }
    throng.stats_until(|stats| stats["clients"] == 0 && stats["subscriptions"] == 0);
    throng.stats_until(|stats| stats["channels"] == 0);
}

#[test]
fn clients_beyond_the_limit_are_told_so() {
    let throng = Throng::start(&["--max-clients", "1"]);
    let first = throng.ws();
    let mut second = Ws::open(throng.address, "/ws");
    assert_eq!(second.closed(), (3023, "busy".to_owned()));
    first.close();
    throng.stats_until(|stats| stats["clients"] == 0);
    throng.ws();
}

#[test]
fn who_asks_for_nothing_is_closed_only_where_that_is_set() {
    let throng = Throng::start(&["--ws-idle-timeout", "200", "--ping-interval", "50"]);
    let mut idle = throng.ws();
    assert_eq!(idle.closed(), (3022, "idle".to_owned()));
    assert_eq!(idle.farewell()["reconnect"], true);
}

#[test]
fn who_goes_on_asking_for_too_much_is_closed() {
    let throng = Throng::start(&["--max-commands", "1", "--max-rate-limited", "3"]);
    let mut client = throng.ws();
    for _ in 0..6 {
        client.say(r#"{"type":"ping"}"#);
    }
    let (pushes, close) = client.rest();
    assert_eq!(close, (3013, "rate limited".to_owned()));
    let refused = pushes
        .iter()
        .filter(|push| push["data"]["code"] == "rate_limited");
    assert!(refused.count() >= 4, "{pushes:?}");
    assert!(client.farewell()["retry_after_ms"].is_u64());
}

#[test]
fn frames_wait_for_each_other_where_that_is_set() {
    let throng = Throng::start(&["--flush-delay", "200"]);
    let mut client = throng.ws_joined("news");
    let id = client.id();
    let writes_after = |frames| {
        let view = throng.client_after(&id, frames);
        view["connection"]["writes"].as_u64().unwrap()
    };
    // The greeting and the join.
    let before = writes_after(2);
    for n in 0..5 {
        let publish = format!(r#"{{"type":"publish","channel_id":"news","data":{n}}}"#);
        client.say(&publish);
    }
    for n in 0..5 {
        assert_eq!(client.expect("message")["data"], n);
    }
    assert_eq!(writes_after(7) - before, 1, "all in one write");
}

#[test]
fn what_waits_behind_a_subscribe_goes_on_when_it_is_answered() {
    // Nothing else wakes the connection: no ping for ten minutes.
    let throng = Throng::start(&["--ping-interval", "600000"]);
    let subscribe = masked_text(r#"{"type":"subscribe","channel_id":"news"}"#);
    let ping = masked_text(r#"{"type":"ping"}"#);
    let all = [&subscribe[..], &ping, &ping, &ping].concat();
    // Often the connection has not even stopped reading when the answer comes.
    for _ in 0..50 {
        let mut client = throng.ws();
        let mut stream = client.stream();
        stream.write_all(&all).unwrap();
        client.expect("joined");
        for _ in 0..3 {
            client.expect("pong");
        }
    }
}
