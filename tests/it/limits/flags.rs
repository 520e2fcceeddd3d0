//! - Limits are off on loopback and on elsewhere, unless flags say otherwise.
//! - The reference's table holds, and so do products of keys and other periods.
//! - What is wrong with a limit on the command line is said.

use std::process::Command;

use serde_json::Value;
use serde_json::json;

use super::answer;
use super::passed;
use super::throng;
use crate::binary::Throng;

/// The names of the limits.
fn names(throng: &Throng) -> Vec<String> {
    let limits = throng.get("/api/v1/limits").json();
    let limits = limits["limits"].as_array().unwrap().iter();
    limits
        .map(|limit| limit["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn limits_are_off_on_loopback_and_on_elsewhere() {
    assert!(names(&throng(&[])).is_empty());
    let elsewhere = |arguments: &[&str]| {
        let mut all = vec!["--insecure-trust-query-user", "--insecure"];
        all.extend(arguments);
        Throng::start_at("0.0.0.0:0", &all)
    };
    assert_eq!(names(&elsewhere(&[])), ["commands", "messages"]);
    let behind = throng(&["--trusted-proxy", "10.0.0.0/8"]);
    assert_eq!(names(&behind), ["commands", "messages"]);
    let off = ["--rate-limits", "off"];
    assert!(names(&elsewhere(&off)).is_empty());
    assert_eq!(names(&elsewhere(&["--max-commands", "0"])), ["messages"]);
    let on = throng(&["--rate-limits", "default", "--max-commands", "7"]);
    assert_eq!(names(&on), ["messages", "commands"]);
    let limits = on.get("/api/v1/limits").json();
    assert_eq!(limits["limits"][0]["requests"], 100, "{limits}");
    assert_eq!(limits["limits"][0]["burst"], 20, "{limits}");
    assert_eq!(limits["limits"][1]["burst"], 7, "{limits}");
}

#[test]
fn the_table_of_the_reference_holds() {
    let throng = throng(&["--rate-limits", "forge"]);
    let mut ada = throng.ws_as("ada");
    let created = ada.ask(r#"{"type":"room.create","id":1,"room_id":"den","name":"den"}"#);
    assert_eq!(created["type"], "ack", "{created}");

    let presence = r#"{"type":"presence.set","id":2,"status":"busy"}"#;
    assert!((10..20).contains(&passed(&mut ada, presence)));
    let send = r#"{"type":"room.send","id":3,"room_id":"den","data":1}"#;
    assert!((20..60).contains(&passed(&mut ada, send)));

    let mut bob = throng.ws_as("bob");
    let mut joined = 0;
    let refusal = loop {
        let reply = answer(&mut bob, r#"{"type":"room.join","id":1,"room_id":"den"}"#);
        match reply["data"]["code"].as_str() {
            Some("rate_limited") => break reply,
            _ => joined += 1,
        }
    };
    assert_eq!(joined, 10, "{refusal}");
    let wait = refusal["data"]["retry_after_ms"].as_u64().unwrap();
    assert!((1..=12_000).contains(&wait), "{refusal}");
}

#[test]
fn the_reference_counts_the_messages_of_a_minute() {
    let throng = throng(&["--rate-limits", "forge"]);
    let name = "message.minute";
    let path = format!("/api/v1/limits/{name}/status?user_id=ada");
    let status = throng.get(&path).json();
    assert_eq!(status["remaining"], 100, "{status}");
    let mut ada = throng.ws_as("ada");
    let publish = r#"{"type":"publish","id":1,"channel_id":"c","data":1}"#;
    assert_eq!(ada.ask(publish)["type"], "ack");
    let status = throng.get(&path).json();
    assert_eq!(status["remaining"], 99, "{status}");
}

#[test]
fn a_product_of_keys_counts_each_pair() {
    let throng = throng(&["--rate-limit", "flood=per-user+room:send:1/h:burst=2"]);
    let mut ada = throng.ws_as("ada");
    for room in ["den", "attic"] {
        let create = json!({"type": "room.create", "id": 1, "room_id": room, "name": room});
        assert_eq!(answer(&mut ada, &create.to_string())["type"], "ack");
        let send = json!({"type": "room.send", "id": 2, "room_id": room, "data": 1});
        assert_eq!(passed(&mut ada, &send.to_string()), 2, "{room}");
    }
}

#[test]
fn an_impossible_limit_is_refused_with_the_reason() {
    for (limit, why) in [
        ("chat", "use NAME=KEYS:ACTIONS:RATE"),
        ("chat=per-planet:publish:1/s", "`planet` is no key"),
        ("chat=per-user:shout:1/s", "no operation is called `shout`"),
        ("chat=per-user:publish:fast", "`fast` is no rate"),
        ("chat=per-user:publish:0/s", "at least 1 request"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        let output = command.args(["--rate-limit", limit]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{limit}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(why), "{limit}: {error}");
    }
}

#[test]
fn only_the_servers_side_sees_the_limits() {
    let throng = throng(&["--rate-limits", "default"]);
    let reply: Value = throng.ws_as("ada").ask(r#"{"type":"limit.list","id":1}"#);
    assert_eq!(reply["data"]["code"], "permission_denied", "{reply}");
    let response = throng.get("/api/v1/limits?actor=ada");
    assert_eq!(response.status, 403, "{response:?}");
}
