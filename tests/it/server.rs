//! The shipped server over HTTP: the page, the API, what it refuses, and how it ends.
//!
//! - What is published over HTTP reaches WebSocket clients in the form it has.
//! - Errors are problem details with a stable code.
//! - Bodies that are too large are refused before they are read.
//! - Pages of other origins may do nothing.
//! - On SIGTERM clients are closed with 1001, and the exit status is 0.

use std::io::Read;
use std::io::Write;
use std::process::Command;

use serde_json::json;

use crate::binary::Throng;

const JSON: &str = "application/json";

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let throng = Throng::start(&[]);
    let page = throng.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    assert_eq!(page.body.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    assert!(!page.body.contains("{{"));
    assert!(!page.body.contains("innerHTML"));
    let other = throng.get("/");
    assert_ne!(
        other.header("content-security-policy"),
        Some(policy),
        "a nonce is used once"
    );
}

#[test]
fn health_and_what_is_not_there() {
    let throng = Throng::start(&[]);
    let health = throng.get("/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok"));
    assert_eq!(
        throng.get("/nothing").problem(),
        (404, "not_found".to_owned())
    );
    assert_eq!(
        throng.get("/api/v1/nothing").problem(),
        (404, "not_found".to_owned())
    );
    let wrong = throng.post("/healthz", JSON, "");
    assert_eq!(wrong.problem(), (405, "method_not_allowed".to_owned()));
    let wrong = throng.get("/api/v1/broadcast");
    assert_eq!(wrong.problem(), (405, "method_not_allowed".to_owned()));
}

#[test]
fn what_is_published_arrives_in_its_form() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws();
    client.join("news");
    let path = "/api/v1/channels/news/publish";
    let report = throng
        .post(path, JSON, r#"{"data":{"a": [1.50]},"key":"k"}"#)
        .json();
    assert_eq!(
        report,
        json!({"addressed": 1, "delivered": 1, "dropped": 0, "disconnected": 0, "evicted": 0})
    );
    throng.post(path, JSON, r#"{"text":"hé"}"#);
    throng.post(path, "text/plain; charset=utf-8", "plain");
    throng.post(path, "Application/Octet-Stream", [0, 255]);
    throng.post(path, JSON, r#"{"base64":"AP8="}"#);

    let first = client.expect("message");
    assert_eq!(
        (&first["data"], &first["key"]),
        (&json!({"a": [1.50]}), &json!("k"))
    );
    assert_eq!(
        (&first["channel_id"], &first["offset"]),
        (&json!("news"), &json!(1))
    );
    assert_eq!(client.expect("message")["text"], "hé");
    assert_eq!(client.expect("message")["text"], "plain");
    assert_eq!(client.expect("message")["base64"], "AP8=");
    let last = client.expect("message");
    assert_eq!(
        (&last["base64"], &last["offset"]),
        (&json!("AP8="), &json!(5))
    );
}

#[test]
fn a_publish_may_leave_one_client_out() {
    let throng = Throng::start(&[]);
    let (mut one, mut other) = (throng.ws(), throng.ws());
    one.join("news");
    other.join("news");
    let body = format!(r#"{{"data":1,"except":"{}"}}"#, one.id());
    let report = throng
        .post("/api/v1/channels/news/publish", JSON, body)
        .json();
    assert_eq!(report["addressed"], 1);
    throng.publish("news", &json!(2));
    assert_eq!(one.expect("message")["data"], 2);
    assert_eq!(other.expect("message")["data"], 1);
}

#[test]
fn one_client_is_addressed_and_all_are() {
    let throng = Throng::start(&[]);
    let (mut one, mut other) = (throng.ws(), throng.ws());
    let sent = throng.post(
        &format!("/api/v1/clients/{}/send", one.id()),
        JSON,
        r#"{"data":1}"#,
    );
    assert_eq!((sent.status, sent.body.as_str()), (204, ""));
    let report = throng.post("/api/v1/broadcast", "text/plain", "all").json();
    assert_eq!(report["delivered"], 2);
    let message = one.expect("message");
    assert_eq!(
        (&message["data"], message.get("channel_id")),
        (&json!(1), None)
    );
    assert_eq!(one.expect("message")["text"], "all");
    assert_eq!(other.expect("message")["text"], "all");
}

#[test]
fn a_client_is_kicked_for_good() {
    let throng = Throng::start(&[]);
    let mut client = throng.ws();
    let path = format!("/api/v1/clients/{}", client.id());
    assert_eq!(throng.request("DELETE", &path, &[], b"").status, 204);
    assert_eq!(client.closed(), (3503, "kicked".to_owned()));
    let again = throng.request("DELETE", &path, &[], b"");
    assert_eq!(again.problem(), (404, "unknown_client".to_owned()));
    let nobody = throng.post(&format!("{path}/send"), JSON, r#"{"data":1}"#);
    assert_eq!(nobody.problem(), (404, "unknown_client".to_owned()));
    let nonsense = throng.request("DELETE", "/api/v1/clients/x", &[], b"");
    assert_eq!(nonsense.problem(), (400, "invalid_field".to_owned()));
}

#[test]
fn the_hub_shows_itself() {
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let mut client = throng.ws_as("ada");
    client.join("news");
    client.join("presence-room");
    throng.publish("news", &json!(1));
    client.expect("message");

    let stats = throng.stats();
    assert_eq!(
        (&stats["clients"], &stats["channels"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(stats["subscriptions"], 2);
    let channels = throng.get("/api/v1/channels").json();
    assert_eq!(
        channels["channels"],
        json!([
            {"name": "news", "kind": "public", "subscribers": 1},
            {"name": "presence-room", "kind": "presence", "subscribers": 1},
        ])
    );
    let news = throng.get("/api/v1/channels/news").json();
    assert_eq!(
        (&news["offset"], &news["delivered"]),
        (&json!(1), &json!(1))
    );
    let room = throng.get("/api/v1/channels/presence-room").json();
    assert_eq!(room["members"], json!([{"id": "ada"}]));
    let unknown = throng.get("/api/v1/channels/nothing");
    assert_eq!(unknown.problem(), (404, "unknown_channel".to_owned()));
    assert_eq!(throng.get("/api/v1/clients/slow?n=3").status, 200);
    let wrong = throng.get("/api/v1/clients/slow?n=many");
    assert_eq!(wrong.problem(), (400, "invalid_field".to_owned()));
}

#[test]
fn what_cannot_be_published_is_a_problem() {
    let throng = Throng::start(&["--max-payload", "1000"]);
    let publish = |channel: &str, kind: &str, body: &[u8]| {
        throng
            .post(&format!("/api/v1/channels/{channel}/publish"), kind, body)
            .problem()
    };
    let problem = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(
        publish("c", "text/html", b"x"),
        problem(415, "unsupported_media_type")
    );
    assert_eq!(
        publish("c", "", b"x"),
        problem(415, "unsupported_media_type")
    );
    assert_eq!(publish("c", JSON, b"{"), problem(400, "invalid_json"));
    assert_eq!(publish("c", JSON, b"{}"), problem(400, "missing_field"));
    assert_eq!(
        publish("c", JSON, br#"{"text":1}"#),
        problem(400, "invalid_field")
    );
    assert_eq!(
        publish("c", JSON, br#"{"data":1,"except":"x"}"#),
        problem(400, "invalid_field")
    );
    assert_eq!(publish("c", JSON, b"\xff"), problem(400, "invalid_utf8"));
    assert_eq!(
        publish("c", "text/plain", b"\xff"),
        problem(400, "invalid_utf8")
    );
    assert_eq!(
        publish("c", "text/plain", &[b'x'; 1001]),
        problem(413, "too_large")
    );
    let deep = format!(r#"{{"data":{}1{}}}"#, "[".repeat(70), "]".repeat(70));
    assert_eq!(
        publish("c", JSON, deep.as_bytes()),
        problem(400, "too_deep")
    );
    assert_eq!(
        publish("%01", "text/plain", b"x"),
        problem(400, "invalid_channel")
    );
    assert_eq!(
        publish(&"x".repeat(200), "text/plain", b"x"),
        problem(400, "invalid_channel")
    );
    assert_eq!(
        publish("%ff", "text/plain", b"x"),
        problem(400, "invalid_path")
    );
    // An operation says it in the same form.
    let undecodable = throng.get("/api/v1/rooms/%ff");
    assert_eq!(undecodable.problem(), problem(400, "invalid_path"));
    let many: Vec<_> = (0..65).map(|number| format!("f{number}=x")).collect();
    let too_many = throng.get(&format!("/api/v1/rooms?{}", many.join("&")));
    assert_eq!(too_many.problem(), problem(400, "invalid_field"));
    let except = throng.post("/api/v1/broadcast", JSON, r#"{"data":1,"except":"1"}"#);
    assert_eq!(except.problem(), problem(400, "invalid_field"));
}

#[test]
fn a_large_body_is_refused_before_it_is_read() {
    let throng = Throng::start(&[]);
    let path = "/api/v1/broadcast";
    let announced = [
        ("content-type", "text/plain"),
        ("content-length", "99999999999"),
    ];
    let refused = throng.request("POST", path, &announced, b"");
    assert_eq!(refused.problem(), (413, "too_large".to_owned()));

    let chunked = [
        ("content-type", "text/plain"),
        ("transfer-encoding", "chunked"),
    ];
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
    let refused = throng.request("POST", path, &chunked, chunk.repeat(3).as_bytes());
    assert_eq!(refused.problem(), (413, "too_large".to_owned()));
}

#[test]
fn pages_of_other_origins_may_do_nothing() {
    let throng = Throng::start(&["--allow-origin", "https://friend.example"]);
    let own = format!("http://{}", throng.address);
    let broadcast = |origin: &str| {
        let headers = [("origin", origin), ("content-type", "text/plain")];
        throng.request("POST", "/api/v1/broadcast", &headers, b"x")
    };
    assert_eq!(broadcast(&own).status, 200);
    assert_eq!(broadcast("https://friend.example").status, 200);
    for origin in [
        "https://evil.example",
        "http://127.0.0.1:1",
        "null",
        "http://friend.example",
    ] {
        assert_eq!(
            broadcast(origin).problem(),
            (403, "forbidden_origin".to_owned())
        );
    }

    let connect = |origin: &str| throng.request("GET", "/ws", &handshake(origin), b"");
    assert_eq!(connect(&own).status, 101);
    assert_eq!(connect("https://friend.example").status, 101);
    assert_eq!(
        connect("https://evil.example").problem(),
        (403, "forbidden_origin".to_owned())
    );
}

fn handshake(origin: &str) -> [(&'static str, &str); 6] {
    [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "other, throng.v1.json"),
        ("origin", origin),
    ]
}

#[test]
fn the_handshake_is_checked() {
    let throng = Throng::start(&[]);
    let own = format!("http://{}", throng.address);
    let good = throng.request("GET", "/ws", &handshake(&own), b"");
    assert_eq!(
        good.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(
        good.header("sec-websocket-protocol"),
        Some("throng.v1.json")
    );

    let plain = throng.get("/ws");
    assert_eq!(plain.problem(), (400, "not_websocket".to_owned()));
    let mut old = handshake(&own);
    old[2].1 = "8";
    let refused = throng.request("GET", "/ws", &old, b"");
    assert_eq!(refused.problem(), (426, "unsupported_version".to_owned()));
    assert_eq!(refused.header("sec-websocket-version"), Some("13"));
}

#[test]
fn told_to_stop_it_says_so_and_ends_well() {
    for signal in ["TERM", "INT"] {
        let mut throng = Throng::start(&[]);
        let (mut one, mut other) = (throng.ws(), throng.ws());
        one.join("news");
        throng.publish("news", &json!("the last"));
        let mut idle = throng.tcp();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .unwrap();
        idle.read_exact(&mut [0; 15]).unwrap();

        throng.signal(signal);
        assert_eq!(one.expect("message")["data"], "the last");
        assert_eq!(one.closed(), (1001, "going away".to_owned()));
        assert_eq!(other.closed(), (1001, "going away".to_owned()));
        assert_eq!(throng.wait().code(), Some(0), "{signal}");
    }
}

#[test]
fn told_twice_it_ends_at_once() {
    let mut throng = Throng::start(&["--write-timeout", "600000", "--drain-timeout", "600000"]);
    let mut stalled = throng.ws();
    stalled.join("news");
    // More than the socket's buffers take, so that the last frames cannot be flushed.
    let large = json!("x".repeat(1 << 19));
    while throng.publish("news", &large)["dropped"] == 0 {}

    let mut witness = throng.ws();
    throng.signal("TERM");
    assert_eq!(witness.closed(), (1001, "going away".to_owned()));
    throng.signal("TERM");
    assert_eq!(throng.wait().code(), Some(1));
}

#[test]
fn an_origin_that_is_none_is_refused_at_the_start() {
    let output = Command::new(env!("CARGO_BIN_EXE_throng"))
        .args(["--listen", "127.0.0.1:0"])
        .args(["--allow-origin", "https://example.com/app"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("`https://example.com/app` is no origin: use"),
        "{complaint}"
    );
}

#[test]
fn the_connection_of_a_client_is_shown() {
    let throng = Throng::start(&["--insecure-trust-query-user"]);
    let mut client = throng.ws_as("ada");
    client.join("news");
    throng.publish("news", &json!(1));
    client.expect("message");
    // The greeting, the join and the message.
    let view = throng.client_after(&client.id(), 3);
    assert_eq!(
        (&view["user"], &view["channels"]),
        (&json!("ada"), &json!(["news"]))
    );
    assert_eq!(
        (&view["received"], &view["dropped"]),
        (&json!(1), &json!(0))
    );
    let connection = &view["connection"];
    assert_eq!(connection["transport"], "ws");
    assert_eq!(connection["frames_in"], 1);
    assert!(connection["bytes_out"].as_u64().unwrap() > 200, "{view}");

    let id = client.id();
    client.close();
    let stats = throng.stats_until(|stats| stats["transports"]["ws"]["open"] == 0);
    let ws = &stats["transports"]["ws"];
    // And the answer to its close.
    assert_eq!((&ws["opened"], &ws["frames_out"]), (&json!(1), &json!(4)));
    assert_eq!(ws["closes"].as_object().unwrap().len(), 1);
    let gone = throng.get(&format!("/api/v1/clients/{id}/stats"));
    assert_eq!(gone.problem(), (404, "unknown_client".to_owned()));
}

#[test]
fn draining_says_when_to_come_back_and_loses_nothing() {
    let arguments = ["--reconnect-window", "8000", "--drain-window", "100"];
    let mut throng = Throng::start(&arguments);
    let mut clients: Vec<_> = (0..20).map(|_| throng.ws_joined("news")).collect();
    for number in 0..50 {
        throng.publish("news", &json!(number));
    }
    throng.signal("TERM");
    for client in &mut clients {
        let (pushes, close) = client.rest();
        let numbers: Vec<_> = pushes.iter().map(|push| push["data"].as_u64()).collect();
        assert_eq!(numbers, (0..50).map(Some).collect::<Vec<_>>());
        assert_eq!(close, (1001, "going away".to_owned()));
        let farewell = client.farewell();
        assert_eq!(farewell["reconnect"], true, "{farewell}");
        assert!(
            farewell["retry_after_ms"].as_u64().unwrap() <= 8000,
            "{farewell}"
        );
    }
    drop(clients);
    assert_eq!(throng.wait().code(), Some(0));
}
