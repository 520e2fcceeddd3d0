//! Real WebSocket clients against the live server: npm `ws`, Python's `websockets`, and
//! tokio-tungstenite. Browsers have a folder of their own.
//!
//! - Each is greeted, subscribes, gets texts of every size and what a binary publication becomes,
//!   and publishes.
//! - Each answers the server's pings.
//! - Each sees the code and the reason of a close, or closes by itself and sees the answer.
//! - Those that can compress do, when the server is told to, and read what it compressed.
//!
//! And two that read the documents of the operations: schemathesis, and the parser of AsyncAPI.

mod documents;
mod foreign;
mod programs;
mod tap;

use std::process::Command;

use data_encoding::BASE64;
use serde_json::Value;
use serde_json::json;

use crate::binary::Throng;

use self::foreign::Foreign;
use self::programs::script;
use self::tap::Tap;

pub(crate) use self::programs::axe;
pub(crate) use self::programs::node_modules;
pub(crate) use self::programs::python;
pub(crate) use self::programs::tsc;

#[test]
fn npm_ws_converses() {
    if let Some(open) = npm_ws("plain") {
        converses(open);
    }
}

#[test]
fn python_websockets_converses() {
    if let Some(open) = python_websockets("plain") {
        converses(open);
    }
}

#[test]
fn tokio_tungstenite_converses() {
    converses(Foreign::tungstenite);
}

#[test]
fn npm_ws_closes() {
    if let Some(open) = npm_ws("plain") {
        closes(open);
    }
}

#[test]
fn python_websockets_closes() {
    if let Some(open) = python_websockets("plain") {
        closes(open);
    }
}

#[test]
fn tokio_tungstenite_closes() {
    closes(Foreign::tungstenite);
}

#[test]
fn npm_ws_compresses() {
    if let Some(open) = npm_ws("deflate") {
        compresses(open);
    }
}

#[test]
fn python_websockets_compresses() {
    if let Some(open) = python_websockets("deflate") {
        compresses(open);
    }
}

/// npm `ws`, if it is there.
fn npm_ws(mode: &str) -> Option<impl Fn(&str) -> Foreign> {
    let modules = node_modules()?;
    Some(move |url: &str| {
        let mut node = Command::new("node");
        let node = node.env("NODE_PATH", &modules).arg(script("npm_ws.mjs"));
        Foreign::program(node.args([url, mode]))
    })
}

/// Python's `websockets`, if it is there.
fn python_websockets(mode: &str) -> Option<impl Fn(&str) -> Foreign> {
    let python = python()?;
    Some(move |url: &str| {
        let mut python = Command::new(&python);
        let python = python.arg(script("python_websockets.py"));
        Foreign::program(python.args([url, mode]))
    })
}

/// Connects through a relay; also returns the client's id.
fn connect(throng: &Throng, open: impl Fn(&str) -> Foreign) -> (Foreign, Tap, Value, String) {
    let tap = Tap::before(throng.address);
    let client = open(&format!("ws://{}/ws", tap.address));
    let opened = client.event();
    assert_eq!(opened["event"], "open", "{opened}");
    assert_eq!(opened["protocol"], "throng.v1.json");
    let connected = client.expect("connected");
    let id = connected["data"]["client_id"].as_str().unwrap().to_owned();
    (client, tap, opened, id)
}

fn subscribe(client: &mut Foreign) {
    client.say(r#"{"id":"s","type":"subscribe","channel_id":"c"}"#);
    assert_eq!(client.expect("joined")["reply_to"], "s");
}

/// Publishes a text, and checks that it comes back whole.
fn gets(throng: &Throng, client: &Foreign, text: &str) {
    let posted = throng.post("/api/v1/channels/c/publish", "text/plain", text);
    assert_eq!(posted.status, 200, "{posted:?}");
    assert_eq!(client.expect("message")["text"], text);
}

fn converses(open: impl Fn(&str) -> Foreign) {
    let throng = Throng::start(&["--ping-interval", "100"]);
    let (mut client, tap, opened, id) = connect(&throng, open);
    assert_eq!(opened["extensions"], "");
    subscribe(&mut client);

    // Lengths of one byte, of two, and of eight.
    for length in [1, 125, 126, 65_535, 65_536, 300_000] {
        gets(&throng, &client, &"y".repeat(length));
    }
    gets(&throng, &client, "ünï©ödé 🎺\u{0}\u{2028}");
    let bytes: Vec<u8> = (0..=255).collect();
    throng.post(
        "/api/v1/channels/c/publish",
        "application/octet-stream",
        &bytes,
    );
    assert_eq!(client.expect("message")["base64"], BASE64.encode(&bytes));

    // More than once: answers must not depend on anything being sent to the client.
    for _ in 0..3 {
        tap.pong();
    }
    client.say(r#"{"type":"publish","channel_id":"c","data":{"from":"the client"}}"#);
    assert_eq!(
        client.expect("message")["data"],
        json!({"from": "the client"})
    );

    let kick = throng.request("DELETE", &format!("/api/v1/clients/{id}"), &[], b"");
    assert_eq!(kick.status, 204);
    let farewell = &client.expect("disconnect")["data"];
    assert_eq!(
        (&farewell["code"], &farewell["reconnect"]),
        (&json!(3503), &json!(false))
    );
    assert_eq!(client.closed(), (3503, "kicked".to_owned()));
    throng.stats_until(|stats| stats["clients"] == 0 && stats["subscriptions"] == 0);
}

fn closes(open: impl Fn(&str) -> Foreign) {
    let throng = Throng::start(&[]);
    let (mut client, ..) = connect(&throng, open);
    subscribe(&mut client);
    client.say("close");
    assert_eq!(client.closed(), (1000, "bye".to_owned()));
    throng.stats_until(|stats| stats["clients"] == 0 && stats["subscriptions"] == 0);
}

fn compresses(open: impl Fn(&str) -> Foreign) {
    let throng = Throng::start(&["--deflate", "1"]);
    let (mut client, tap, opened, _) = connect(&throng, open);
    assert_eq!(opened["extensions"], "permessage-deflate");
    subscribe(&mut client);
    for text in ["short", &"again and again ".repeat(20_000), "ünï©ödé 🎺"] {
        gets(&throng, &client, text);
    }
    let text = "from the client ".repeat(2_000);
    client.say(&json!({"type": "publish", "channel_id": "c", "text": text}).to_string());
    assert_eq!(client.expect("message")["text"], text);
    assert_eq!(tap.compressed(), (true, true), "both sides have");
}
