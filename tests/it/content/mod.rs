//! Filters and schemas through the shipped binary, and the reference system's example.
//!
//! - `--filter` and `--schema` hold over WebSocket and HTTP.
//! - A file that is wrong keeps the server from starting, and is named with the place.
//! - The example of the reference blocks and tidies over a real socket.
//! - A policy that is an asynchronous function vetoes, and one that hangs refuses its request.

#[expect(dead_code, reason = "its `main` is for the one port that it names")]
#[path = "../../examples/profanity.rs"]
mod profanity;

mod seams;

use std::fs;
use std::future;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::Command;

use serde_json::json;
use tokio::runtime::Runtime;

use crate::binary::Response;
use crate::binary::Throng;
use crate::binary::Ws;
use crate::binary::listen;
use crate::binary::request;
use crate::crash::Folder;

const FILTERS: &str = r#"
[[filter]]
name = "profanity"
kind = "words"
words = ["spam"]
channels = ["chat.*"]

[[filter]]
name = "tidy"
kind = "trim"
collapse = true
priority = -1
"#;

const ORDER: &str = r#"{"type": "object", "required": ["sku"]}"#;

fn post(address: SocketAddr, path: &str, body: &str) -> Response {
    let stream = TcpStream::connect(address).unwrap();
    let headers = [("content-type", "application/json")];
    request(stream, "POST", path, &headers, body.as_bytes())
}

#[test]
fn filters_and_schemas_come_from_files() {
    let folder = Folder::new("content");
    fs::create_dir_all(folder.path()).unwrap();
    let filters = folder.path().join("filters.toml");
    let order = folder.path().join("order.json");
    fs::write(&filters, FILTERS).unwrap();
    fs::write(&order, ORDER).unwrap();
    let schema = format!("orders.*={}", order.display());
    let filters = filters.to_str().unwrap();
    let throng = Throng::start(&["--filter", filters, "--schema", &schema]);
    let mut ws = Ws::open(throng.address, "/ws").greeted();
    ws.join("chat.one");
    ws.say(r#"{"type":"publish","channel_id":"chat.one","data":" a  b "}"#);
    assert_eq!(ws.expect("message")["data"], "a b");
    let refused = ws.ask(r#"{"id":1,"type":"publish","channel_id":"chat.one","text":"Spam!"}"#);
    assert_eq!(refused["data"]["code"], "message_blocked", "{refused}");
    let refused = ws.ask(r#"{"id":2,"type":"publish","channel_id":"orders.new","data":{}}"#);
    assert_eq!(refused["data"]["code"], "validation_failed", "{refused}");
    assert_eq!(
        refused["data"]["errors"],
        json!([{"path": "", "rule": "required"}])
    );
    let refused = post(
        throng.address,
        "/api/v1/channels/orders.new/publish",
        r#"{"data":{}}"#,
    );
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.json()["errors"][0]["rule"], "required");
    let sent = post(
        throng.address,
        "/api/v1/channels/orders.new/publish",
        r#"{"data":{"sku":1}}"#,
    );
    assert_eq!(sent.status, 200, "{sent:?}");
}

#[test]
fn a_wrong_file_is_named_with_its_place_and_nothing_starts() {
    let folder = Folder::new("wrong");
    fs::create_dir_all(folder.path()).unwrap();
    let file = folder.path().join("file");
    let path = file.to_str().unwrap();
    let schema = format!("orders.*={path}");
    for (flag, argument, content, expected) in [
        (
            "--filter",
            path,
            "[[filter]]\nname = 'x'\nkind = 'wrods'",
            "line 3",
        ),
        (
            "--filter",
            path,
            "[[filter]]\nname = 'x'\nkind = 'words'",
            "`words` must list",
        ),
        ("--filter", path, "[[filtre]]", "filtre"),
        ("--schema", &schema, r#"{"type": "strin"}"#, "at `/type`"),
        ("--schema", &schema, "{", "line 1"),
        (
            "--schema",
            &schema,
            r#"{"$ref": "https://example.com/x"}"#,
            "orders.*",
        ),
    ] {
        fs::write(&file, content).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        let output = command
            .args(["--listen", "127.0.0.1:0", flag, argument])
            .output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(path) && said.contains(expected),
            "{expected}: {said}"
        );
    }
}

#[test]
fn the_example_blocks_banned_words_and_tidies_the_rest() {
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    runtime.spawn(profanity::serve(listener, future::pending()));
    let mut ws = Ws::open(address, "/ws").greeted();
    ws.join("chat");
    let refused =
        ws.ask(r#"{"id":1,"type":"publish","channel_id":"chat","data":{"content":"no ABUSE"}}"#);
    assert_eq!(refused["data"]["code"], "message_blocked", "{refused}");
    assert_eq!(refused["data"]["errors"][0]["rule"], "profanity");
    ws.say(r#"{"type":"publish","channel_id":"chat","data":{"content":" well \n said ","n":1}}"#);
    assert_eq!(
        ws.expect("message")["data"],
        json!({"content": "well said", "n": 1})
    );
    let refused = post(
        address,
        "/api/v1/channels/chat/publish",
        r#"{"data":{"content":"spam"}}"#,
    );
    assert_eq!(refused.status, 422, "{refused:?}");
}
