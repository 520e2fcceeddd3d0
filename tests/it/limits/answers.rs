//! - A limit holds over WebSocket, event streams and REST together, by its keys.
//! - A refusal says after how long to try again, and when the limit is as new.
//! - Responses over HTTP announce the limit, unless that is turned off.
//! - A client that goes on although it is refused is closed with 3013.

use std::time::Duration;
use std::time::Instant;

use serde_json::json;
use throng::Timestamp;

use super::post;
use super::throng;
use super::until_refused;
use crate::binary::PATIENCE;

const PUBLISH: &str = r#"{"type":"publish","id":1,"channel_id":"c","data":1}"#;

#[test]
fn a_limit_by_user_holds_over_every_transport_together() {
    let throng = throng(&[
        "--rate-limit",
        "chat=per-user:publish,subscribe:1/h:burst=6",
    ]);
    let (mut one, mut other) = (throng.ws_as("ada"), throng.ws_as("ada"));
    assert_eq!(one.ask(PUBLISH)["type"], "ack");
    assert_eq!(other.ask(PUBLISH)["type"], "ack");
    let path = "/api/v1/channels/c/publish?actor=ada";
    assert_eq!(post(&throng, path, &json!({"data": 1})).status, 200);
    let (mut stream, connected) = throng.sse("/sse?user=ada&channels=a");
    stream.expect("joined");
    let token = connected["data"]["stream_token"].as_str().unwrap();
    let path = format!("/sse/{token}/subscribe?user=ada");
    let response = post(&throng, &path, &json!({"channels": ["b", "c", "d"]}));
    assert_eq!(response.status, 207, "{response:?}");
    let refused = response.body.matches("rate_limited").count();
    assert_eq!(refused, 1, "the third is the seventh: {response:?}");
    assert!(response.body.contains("retry_after_ms"), "{response:?}");
    assert_eq!(one.ask(PUBLISH)["data"]["code"], "rate_limited");
    let path = "/api/v1/channels/c/publish?actor=ada";
    assert_eq!(post(&throng, path, &json!({"data": 1})).status, 429);
    assert_eq!(
        throng.ws_as("bob").ask(PUBLISH)["type"],
        "ack",
        "another user"
    );
    let path = "/api/v1/channels/c/publish";
    for _ in 0..20 {
        let response = post(&throng, path, &json!({"data": 1}));
        assert_eq!(response.status, 200, "the server's side is not limited");
    }
}

#[test]
fn a_limit_by_address_holds_over_connections() {
    let throng = throng(&["--rate-limit", "pings=per-address:ping:1/h:burst=3"]);
    let ping = r#"{"type":"ping","id":1}"#;
    let mut sockets: Vec<_> = (0..4).map(|_| throng.ws()).collect();
    for ws in &mut sockets[..3] {
        assert_eq!(ws.ask(ping)["type"], "pong");
    }
    assert_eq!(sockets[3].ask(ping)["data"]["code"], "rate_limited");
    let response = throng.get("/api/v1/ping?actor=ada");
    assert_eq!(response.status, 429, "{response:?}");
}

#[test]
fn a_refusal_says_when_to_try_again() {
    let throng = throng(&["--rate-limit", "chat=per-user:publish:10/s:burst=2"]);
    let mut ws = throng.ws_as("ada");
    let (passed, refusal) = until_refused(|| ws.ask(PUBLISH));
    assert!(passed >= 2, "{passed}");
    let wait = refusal["retry_after_ms"].as_u64().unwrap();
    assert!((1..=100).contains(&wait), "{refusal}");
    let reset: Timestamp = refusal["reset_at"].as_str().unwrap().parse().unwrap();
    assert!(reset.millis() > 1_700_000_000_000, "{refusal}");
    let start = Instant::now();
    while ws.ask(PUBLISH)["type"] != "ack" {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(wait));
    }
}

#[test]
fn responses_announce_the_limit() {
    let limit = "chat=per-user:publish:2/min:burst=2";
    let throng = throng(&["--rate-limit", limit]);
    let path = "/api/v1/channels/c/publish?actor=ada";
    let publish = || post(&throng, path, &json!({"data": 1}));
    let policy = Some(r#""chat";q=2;w=60"#);
    let first = publish();
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), policy);
    assert_eq!(first.header("ratelimit"), Some(r#""chat";r=1;t=30"#));
    assert_eq!(publish().header("ratelimit"), Some(r#""chat";r=0;t=60"#));
    let refused = publish();
    assert_eq!(refused.problem(), (429, "rate_limited".to_owned()));
    assert_eq!(refused.header("ratelimit-policy"), policy);
    assert_eq!(refused.header("ratelimit"), Some(r#""chat";r=0;t=60"#));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((29..=30).contains(&wait), "{refused:?}");
    let problem = refused.json();
    let wait = problem["retry_after_ms"].as_u64().unwrap();
    assert!((29_000..=30_000).contains(&wait), "{problem}");
    assert!(problem["reset_at"].is_string(), "{problem}");
    let other = throng.get("/api/v1/ping?actor=ada");
    assert_eq!(other.header("ratelimit"), None, "it is not counted");

    let throng = super::throng(&["--rate-limit", limit, "--no-rate-limit-headers"]);
    let publish = || post(&throng, path, &json!({"data": 1}));
    assert_eq!(publish().header("ratelimit"), None);
    publish();
    let refused = publish();
    assert_eq!((refused.status, refused.header("ratelimit")), (429, None));
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn a_client_that_goes_on_although_it_is_refused_is_closed() {
    let throng = throng(&[
        "--rate-limit",
        "chat=per-user:publish:1/h:burst=1",
        "--max-rate-limited",
        "3",
    ]);
    let mut ws = throng.ws_as("ada");
    assert_eq!(ws.ask(PUBLISH)["type"], "ack");
    for _ in 0..4 {
        ws.say(PUBLISH);
    }
    let (pushes, closed) = ws.rest();
    let refused = pushes
        .iter()
        .filter(|push| push["data"]["code"] == "rate_limited");
    assert!(refused.count() >= 3, "{pushes:?}");
    assert_eq!(closed.0, 3013);
}

#[test]
fn the_requests_of_a_batch_count_each() {
    let throng = throng(&["--rate-limit", "pings=per-user:ping:1/h:burst=2"]);
    let ping = json!({"type": "ping"});
    let batch = json!({"type": "batch", "id": 1, "requests": [ping, ping, ping]});
    let reply = throng.ws_as("ada").ask(&batch.to_string());
    let replies = reply["data"]["replies"].as_array().unwrap();
    assert_eq!(replies[1]["ok"], true, "{reply}");
    assert_eq!(replies[2]["error"]["code"], "rate_limited", "{reply}");
    assert!(replies[2]["error"]["reset_at"].is_string(), "{reply}");
}
