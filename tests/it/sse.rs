//! Server-sent events over real sockets, against the shipped server.
//!
//! - A stream says what a WebSocket says, in the frames of HTTP/1.1 and of HTTP/2.
//! - A client that comes back with an id goes on in all channels, or is told what it missed.
//! - Only its owner changes a stream, and to others it is not there.
//! - A quiet stream says that it is there.
//! - A client that does not read is cut off; the hub gives back what it held; others go on.
//! - When the server stops, streams are told so, and end.
//! - hyper alone serves streams as well.

use std::io::Read;
use std::net::SocketAddr;

use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use serde_json::json;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::transport::sse::SseBody;
use tokio::net::TcpListener;
use tokio::runtime;

use crate::binary::Curl;
use crate::binary::Sse;
use crate::binary::Throng;

const JSON: &str = "application/json";

fn subscribe(throng: &Throng, connection: &Value, body: &str) -> (u16, Value) {
    let connection = connection["data"]["stream_token"].as_str().unwrap();
    let answer = throng.post(&format!("/sse/{connection}/subscribe"), JSON, body);
    (answer.status, answer.json())
}

fn without_time(mut push: Value) -> Value {
    push.as_object_mut()
        .unwrap()
        .remove("published_at")
        .unwrap();
    push
}

#[test]
fn a_stream_says_what_a_websocket_says() {
    let throng = Throng::start(&[]);
    let mut socket = throng.ws_joined("news");
    let (mut stream, connected) = throng.sse("/sse?channels=news,b%20c");
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-store, no-transform"),
        ("x-accel-buffering", "no"),
        ("transfer-encoding", "chunked"),
    ] {
        assert_eq!(stream.header(name), Some(value));
    }
    assert_eq!(connected["data"]["resumed"], false);
    assert_eq!(stream.expect("joined")["channel_id"], "news");
    assert_eq!(stream.expect("joined")["channel_id"], "b c");
    let path = "/api/v1/channels/news/publish";
    throng.post(
        path,
        JSON,
        "{\"data\":{\"a\":\r\n[1.50,\r2]},\"key\":\"k\\r\\nid: x\"}",
    );
    throng.post(path, "text/plain", "data: x\r\n\r\nevent: evil\n\n");
    throng.post(path, "application/octet-stream", [0, 255]);
    for name in ["message", "message", "binary"] {
        let said = without_time(stream.expect(name));
        assert_eq!(said, without_time(socket.push()));
    }
    assert!(
        stream.last_event_id().starts_with("news@3."),
        "{}",
        stream.last_event_id()
    );
    // What is sent to this client alone has no position, and so leaves the id as it is.
    let id = stream.last_event_id().to_owned();
    let client = connected["data"]["client_id"].as_str().unwrap();
    throng.post(
        &format!("/api/v1/clients/{client}/send"),
        JSON,
        r#"{"data":1}"#,
    );
    assert_eq!(stream.expect("message").get("channel_id"), None);
    assert_eq!(stream.last_event_id(), id);
    throng.request("DELETE", &format!("/api/v1/clients/{client}"), &[], b"");
    let rest = stream.rest();
    assert_eq!(rest.len(), 1);
    assert_eq!(
        (rest[0].0.as_str(), &rest[0].1["data"]["code"]),
        ("disconnect", &json!(3503))
    );
    let stats = throng.stats_until(|stats| stats["transports"]["sse"]["open"] == 0);
    assert_eq!(stats["transports"]["sse"]["closes"]["3503"], 1);
    assert_eq!(stats["transports"]["sse"]["frames_out"], 1 + 2 + 3 + 1 + 1);
    // Four messages and the close; each may have come while the one before was written.
    let flushes = stats["transports"]["sse"]["flush_latency"]["count"].as_u64();
    assert!((1..=5).contains(&flushes.unwrap()), "{flushes:?}");
}

#[test]
fn a_client_goes_on_in_two_channels_and_is_told_what_it_missed() {
    let throng = Throng::start(&[]);
    // Who keeps the channels alive while the stream is away.
    let mut keeper = throng.ws();
    keeper.join("a");
    keeper.join("b");
    let (mut stream, _) = throng.sse("/sse?channels=a,b");
    stream.expect("joined");
    stream.expect("joined");
    throng.publish("a", &json!(1));
    throng.publish("b", &json!(2));
    throng.publish("a", &json!(3));
    for data in [1, 2, 3] {
        assert_eq!(stream.expect("message")["data"], data);
    }
    let id = stream.last_event_id().to_owned();
    drop(stream);
    for data in [4, 5, 6] {
        throng.publish("b", &json!(data));
    }
    let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let header = throng.sse_with("/sse?channels=a,b", &[("last-event-id", &id)]);
    let query = throng.sse(&format!("/sse?channels=a,b&lastEventId={encoded}"));
    let mut streams = [header, query];
    for (stream, connected) in &mut streams {
        assert_eq!(connected["data"]["resumed"], true);
        let a = stream.expect("joined");
        let b = stream.expect("joined");
        assert_eq!(
            (&a["channel_id"], &b["channel_id"]),
            (&json!("a"), &json!("b"))
        );
        let recovered = |joined: &Value| joined["data"]["recovered"].clone();
        assert_eq!((recovered(&a), recovered(&b)), (json!(true), json!(false)));
        let gap = stream.expect("gap");
        assert_eq!(
            (&gap["channel_id"], &gap["data"]),
            (&json!("b"), &json!({"first": 2, "last": 4, "missed": 3}))
        );
    }
    throng.publish("b", &json!("on"));
    for (stream, _) in &mut streams {
        assert_eq!(stream.expect("message")["data"], "on");
        let id = stream.last_event_id();
        assert!(id.starts_with("a@2.") && id.contains(",b@5."), "{id}");
    }
}

#[test]
fn only_its_owner_changes_a_stream() {
    // Nothing else wakes a stream to say what an answer should have said at once.
    let never = ["--sse-heartbeat", "600000", "--head-timeout", "600000"];
    let throng = Throng::start(&[&["--insecure-trust-query-user"], &never[..]].concat());
    let (mut stream, connected) = throng.sse("/sse?user=ada&channels=a");
    assert_eq!(connected["data"]["user"], "ada");
    stream.expect("joined");
    let connection = connected["data"]["stream_token"].as_str().unwrap();
    let body = r#"{"channels":["private-x","a",""]}"#;
    let missing = "0123456789abcdef0123456789abcdef";
    for what in ["subscribe", "unsubscribe"] {
        let post = |connection: &str, query: &str| {
            throng.post(&format!("/sse/{connection}/{what}{query}"), JSON, body)
        };
        let unknown = post(missing, "?user=ada");
        assert_eq!(unknown.problem(), (404, "unknown_stream".to_owned()));
        for (connection, query) in [
            (connection, "?user=bob"),
            (connection, ""),
            (missing, ""),
            ("nonsense", "?user=ada"),
            ("%ff", "?user=ada"),
        ] {
            let other = post(connection, query);
            assert_eq!(
                (other.status, &other.body),
                (404, &unknown.body),
                "{connection}{query}"
            );
        }
    }
    let path = format!("/sse/{connection}/subscribe?user=ada");
    let partial = throng.post(&path, JSON, body);
    assert_eq!(partial.status, 207);
    let answer = partial.json();
    assert_eq!(answer["status"], "partial");
    let codes: Vec<_> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (&error["channel"], &error["code"]))
        .collect();
    assert_eq!(
        codes,
        [
            (&json!("a"), &json!("already_subscribed")),
            (&json!(""), &json!("invalid_channel")),
        ]
    );
    assert_eq!(stream.expect("joined")["channel_id"], "private-x");
    let unsubscribe = format!("/sse/{connection}/unsubscribe?user=ada");
    let done = throng.post(&unsubscribe, JSON, r#"{"channels":["private-x","a"]}"#);
    assert_eq!(
        (done.status, done.body.as_str()),
        (200, r#"{"status":"ok"}"#)
    );
    stream.until_id("a@-");
    assert_eq!(throng.stats()["subscriptions"], 0);

    let large = format!(r#"{{"channels":["{}"]}}"#, "x".repeat(64 << 10));
    let refused = throng.post(&path, JSON, large);
    assert_eq!(refused.problem(), (413, "too_large".to_owned()));
    let chunked = [("content-type", JSON), ("transfer-encoding", "chunked")];
    let chunk = format!("{:x}\r\n{}\r\n", 40_000, " ".repeat(40_000));
    let refused = throng.request("POST", &path, &chunked, chunk.repeat(3).as_bytes());
    assert_eq!(refused.problem(), (413, "too_large".to_owned()));
    let wrong = throng.request("GET", &path, &[], b"");
    assert_eq!(wrong.problem(), (405, "method_not_allowed".to_owned()));
    assert_eq!(wrong.header("allow"), Some("POST"));
}

#[test]
fn a_quiet_stream_says_that_it_is_there() {
    let throng = Throng::start(&["--sse-heartbeat", "30", "--sse-retry", "700"]);
    let (mut stream, connected) = throng.sse("/sse?channels=a");
    assert_eq!(connected["data"]["heartbeat_interval_ms"], 30);
    let retry = stream.retry().unwrap();
    assert!((560..=840).contains(&retry), "{retry}");
    stream.expect("joined");
    stream.until_comments(3);
    throng.publish("a", &json!(1));
    assert_eq!(stream.expect("message")["data"], 1);
    stream.until_comments(6);
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let throng = Throng::start(&[
        "--sse-write-timeout",
        "300",
        "--write-timeout",
        "1000",
        "--outbox-messages",
        "8",
        "--outbox-bytes",
        "8000000",
    ]);
    let (mut stalled, _) = throng.sse("/sse?channels=news");
    stalled.expect("joined");
    let before = memory(&throng);
    // More than the buffers of the socket take, so that it is the outbox that fills.
    let large = json!("x".repeat(1 << 19));
    until_dropped(&throng, &large);
    let grown = memory(&throng).saturating_sub(before);
    // Eight messages that wait as they were published and as events, and what HTTP buffers.
    assert!(
        grown < 64 << 20,
        "{grown} bytes for 8 messages of half a MiB"
    );
    // The stream is counted off just before its client is.
    let stats = throng.stats_until(|stats| {
        stats["transports"]["sse"]["open"] == 0
            && stats["clients"] == 0
            && stats["subscriptions"] == 0
    });
    assert_eq!(stats["transports"]["sse"]["closes"], json!({"3009": 1}));
    assert!(
        stalled.breaks_off(),
        "the response is not ended as if it were whole"
    );
}

/// Publishes until the only client is full, or is gone because it was.
fn until_dropped(throng: &Throng, data: &Value) {
    for _ in 0..1000 {
        let report = throng.publish("news", data);
        if report["dropped"] != 0 || report["addressed"] == 0 {
            return;
        }
    }
    panic!("it reads");
}

/// The memory of the server that is resident, in bytes.
fn memory(throng: &Throng) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", throng.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kibibytes.unwrap() << 10
}

#[test]
fn a_slow_client_is_treated_as_its_policy_says_and_others_notice_nothing() {
    for (policy, closes) in [("drop-oldest", "1006"), ("disconnect", "3008")] {
        let throng = Throng::start(&[
            "--slow-consumer",
            policy,
            "--outbox-messages",
            "8",
            "--outbox-bytes",
            "8000000",
        ]);
        let (mut slow, _) = throng.sse("/sse?channels=news");
        slow.expect("joined");
        let (mut healthy, _) = throng.sse("/sse?channels=news");
        healthy.expect("joined");
        let text = "x".repeat(1 << 19);
        let mut sent = 0;
        loop {
            let report = throng.publish("news", &json!([sent, text]));
            assert_eq!(healthy.expect("message")["data"][0], sent);
            sent += 1;
            if report["evicted"] != 0 || report["disconnected"] != 0 {
                break;
            }
            assert!(sent < 1000, "it reads");
        }
        if policy == "disconnect" {
            // Everything that was accepted, then why.
            let rest = slow.rest();
            let (name, last) = rest.last().unwrap();
            assert_eq!(
                (name.as_str(), &last["data"]["code"]),
                ("disconnect", &json!(3008))
            );
            let numbers: Vec<_> = rest[..rest.len() - 1]
                .iter()
                .map(|(_, push)| push["data"][0].as_u64().unwrap())
                .collect();
            assert_eq!(numbers, (0..sent - 1).collect::<Vec<_>>());
        } else {
            let (mut expected, mut missed) = (0, 0);
            while expected < sent {
                let event = slow.next().unwrap();
                let push: Value = serde_json::from_str(&event.data).unwrap();
                if event.name == "gap" {
                    missed += push["data"]["missed"].as_u64().unwrap();
                    continue;
                }
                let number = push["data"][0].as_u64().unwrap();
                assert!(number >= expected, "in order");
                missed -= number - expected;
                expected = number + 1;
            }
            assert_eq!(missed, 0, "each loss was told before");
            drop(slow);
        }
        let stats = throng.stats_until(|stats| stats["transports"]["sse"]["open"] == 1);
        assert_eq!(
            stats["transports"]["sse"]["closes"],
            json!({closes: 1}),
            "{policy}"
        );
    }
}

#[test]
fn told_to_stop_it_tells_its_streams() {
    let mut throng = Throng::start(&["--drain-window", "50", "--reconnect-window", "2000"]);
    let (mut one, _) = throng.sse("/sse?channels=news");
    one.expect("joined");
    let (mut other, _) = throng.sse("/sse");
    throng.publish("news", &json!("the last"));
    throng.signal("TERM");
    assert_eq!(one.expect("message")["data"], "the last");
    for stream in [&mut one, &mut other] {
        let rest = stream.rest();
        assert_eq!(rest.len(), 1, "{rest:?}");
        let (name, farewell) = &rest[0];
        assert_eq!(name, "disconnect");
        assert_eq!(
            (&farewell["data"]["code"], &farewell["data"]["reconnect"]),
            (&json!(1001), &json!(true))
        );
        let retry = stream.retry().unwrap();
        assert_eq!(farewell["data"]["retry_after_ms"], retry);
        assert!(retry <= 2000, "{retry}");
    }
    assert_eq!(throng.wait().code(), Some(0));
}

// Other people's clients and servers.

#[test]
fn curl_reads_a_stream_over_http_1_and_http_2() {
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let throng = Throng::start(&[]);
        let url = format!("http://{}/sse?channels=news", throng.address);
        let Some(mut curl) = Curl::start(&[version, &url]) else {
            return;
        };
        let connected = curl.expect("connected");
        curl.expect("joined");
        throng.publish("news", &json!({"over": version}));
        assert_eq!(curl.expect("message")["data"]["over"], version);
        // Over HTTP/2 the page's own host is in `:authority`.
        let own = format!("origin: http://{}", throng.address);
        let url = format!("http://{}/sse/x/subscribe", throng.address);
        let asked = Curl::start(&[version, "-H", &own, "-d", "{}", &url])
            .unwrap()
            .all();
        assert!(asked.contains("unknown_stream"), "{asked}");
        let api = format!("http://{}/api/v1/broadcast", throng.address);
        let plain = ["-H", "content-type: text/plain", "-d", "x", &api];
        let sent = Curl::start(&[&[version, "-H", &own], &plain[..]].concat())
            .unwrap()
            .all();
        assert!(sent.contains("delivered"), "{sent}");
        curl.expect("message");
        let other = [version, "-H", "origin: http://evil.example"];
        let nothing = ["-X", "POST", &api];
        let refused = Curl::start(&[&other, &nothing[..]].concat()).unwrap().all();
        assert!(refused.contains("forbidden_origin"), "{refused}");
        // It is changed over a connection of its own.
        assert_eq!(
            subscribe(&throng, &connected, r#"{"channels":["more"]}"#).0,
            200
        );
        curl.expect("joined");
        let id = curl.last_event_id().to_owned();
        assert!(id.contains("news@1.") && id.contains("more@0."), "{id}");
        throng.signal("TERM");
        assert_eq!(curl.expect("disconnect")["data"]["code"], 1001);
        assert_eq!(curl.next(), None);
        assert!(curl.succeeds(), "{version}: ended as it should");
    }
}

#[test]
fn a_client_that_does_not_read_is_cut_off_over_http_2_as_well() {
    let throng = Throng::start(&["--sse-write-timeout", "300", "--outbox-bytes", "8000000"]);
    let url = format!("http://{}/sse?channels=news", throng.address);
    // Nobody reads what it prints, so it stops reading as well.
    let Some(mut stalled) = Curl::start(&["--http2-prior-knowledge", &url]) else {
        return;
    };
    stalled.expect("connected");
    stalled.expect("joined");
    let large = json!("x".repeat(1 << 19));
    until_dropped(&throng, &large);
    let stats = throng.stats_until(|stats| {
        stats["transports"]["sse"]["open"] == 0 && stats["subscriptions"] == 0
    });
    assert_eq!(stats["transports"]["sse"]["closes"], json!({"3009": 1}));
}

#[test]
fn hyper_alone_serves_streams() {
    let hub = Hub::new();
    let gateway = Gateway::new(hub.clone());
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(serve(listener, gateway.clone()));

    let mut stream = Sse::open(address, "/events?channels=a", &[]);
    let connected = stream.expect("connected");
    stream.expect("joined");
    let connection = connected["data"]["stream_token"].as_str().unwrap();
    let answer = post(address, connection, r#"{"channels":["b"]}"#);
    assert!(answer.ends_with(r#"{"status":"ok"}"#), "{answer}");
    assert_eq!(stream.expect("joined")["channel_id"], "b");
    let delivery = hub.publish("b", Message::text("hello")).unwrap();
    assert_eq!(delivery.delivered(), 1);
    assert_eq!(stream.expect("message")["text"], "hello");
    runtime.block_on(gateway.drain());
    assert_eq!(stream.expect("disconnect")["data"]["code"], 1001);
    assert_eq!(stream.next(), None);
}

async fn serve(listener: TcpListener, gateway: Gateway) {
    while let Ok((socket, _)) = listener.accept().await {
        let gateway = gateway.clone();
        let service = service_fn(move |request| answer(gateway.clone(), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
        tokio::spawn(connection);
    }
}

async fn answer(
    gateway: Gateway,
    request: Request<Incoming>,
) -> Result<Response<SseBody>, std::convert::Infallible> {
    let connection = request
        .uri()
        .path()
        .strip_prefix("/more/")
        .map(str::to_owned);
    Ok(match connection {
        Some(connection) => gateway.sse_subscribe(&connection, request).await,
        None => gateway.sse(&request.into_parts().0).await,
    })
}

fn post(address: SocketAddr, connection: &str, body: &str) -> String {
    use std::io::Write;
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /more/{connection} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {JSON}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}
