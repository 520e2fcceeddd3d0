//! A server that has no room: it says so, and is healthy.

use std::net::Ipv4Addr;
use std::time::Instant;

use tungstenite::client::IntoClientRequest;

use crate::binary::PATIENCE;
use crate::binary::Response;
use crate::binary::Throng;
use crate::binary::Ws;

/// The answer of a server that has no room says when to come back, within its window.
fn assert_busy(answer: &Response) {
    assert_eq!(answer.problem(), (503, "overloaded".to_owned()));
    let seconds = answer.header("retry-after").unwrap();
    let seconds = seconds.parse::<u64>().unwrap();
    assert!((1..=5).contains(&seconds), "{answer:?}");
    assert_eq!(answer.header("connection"), Some("close"));
}

fn assert_healthy(throng: &Throng) {
    for path in ["/healthz", "/live", "/ready"] {
        let answer = throng.get(path);
        assert_eq!((answer.status, &*answer.body), (200, "ok"), "{path}");
    }
}

#[test]
fn t7_a_full_server_is_healthy_and_says_that_it_is_full() {
    let throng = Throng::start(&["--max-connections", "2"]);
    let (first, _second) = (throng.ws(), throng.ws());
    assert_healthy(&throng);
    assert_busy(&throng.get("/api/v1/stats"));
    assert_busy(&throng.get("/sse?channels=news"));
    assert_told_to_come_back(&throng);
    first.close();
    until_served(|| throng.get("/api/v1/stats"));
}

#[test]
fn t3_an_address_at_its_limit_is_told_so_and_no_other() {
    let throng = Throng::start(&["--max-connections-per-ip", "2"]);
    let (first, _second) = (throng.ws(), throng.ws());
    assert_healthy(&throng);
    assert_busy(&throng.get("/api/v1/stats"));
    assert_told_to_come_back(&throng);
    first.close();
    until_served(|| throng.get("/api/v1/stats"));
}

/// The server's own caps are no reason to stay away.
#[test]
fn t3_clients_beyond_the_caps_of_the_server_are_told_to_come_back_spread() {
    for cap in ["--max-clients", "--max-anonymous"] {
        let throng = Throng::start(&[cap, "1"]);
        let _first = throng.ws();
        let waits: Vec<_> = (0..8).map(|_| assert_told_to_come_back(&throng)).collect();
        let (least, most) = (waits.iter().min(), waits.iter().max());
        assert!(least < most, "spread: {waits:?}");
        let stream = throng.get("/sse?channels=news");
        assert_eq!(stream.status, 503, "{cap}");
        assert!(stream.header("retry-after").is_some(), "{stream:?}");
    }
}

/// A client that is turned away; returns after how many milliseconds it is to come back.
fn assert_told_to_come_back(throng: &Throng) -> u64 {
    let mut client = Ws::open(throng.address, "/ws");
    let disconnect = client.expect("disconnect");
    let told = &disconnect["data"];
    assert_eq!(
        (&told["code"], &told["reconnect"]),
        (&3023.into(), &true.into())
    );
    assert_eq!(client.closed().0, 3023);
    told["retry_after_ms"].as_u64().unwrap()
}

#[test]
fn where_others_can_connect_an_address_has_twenty_connections() {
    let throng = Throng::start_at("0.0.0.0:0", &["--insecure"]);
    let clients: Vec<_> = (0..20).map(|_| throng.ws()).collect();
    assert_busy(&throng.get("/api/v1/stats"));
    drop(clients);
    let throng = Throng::start_at(
        "0.0.0.0:0",
        &["--insecure", "--max-connections-per-ip", "0"],
    );
    let _clients: Vec<_> = (0..21).map(|_| throng.ws()).collect();
    assert_eq!(throng.get("/api/v1/stats").status, 200);
}

#[test]
fn t7_of_a_trusted_proxy_each_client_is_counted() {
    let arguments = [
        "--trusted-proxy",
        "127.0.0.1",
        "--max-connections-per-ip",
        "1",
    ];
    let throng = Throng::start(&arguments);
    let ask = |client: u8, path: &str| {
        let client = Ipv4Addr::new(192, 0, 2, client).to_string();
        throng.request("GET", path, &[("x-forwarded-for", &client)], b"")
    };
    // The proxy itself has as many connections as it needs.
    let (_one, _other) = (throng.ws(), throng.ws());
    for client in 0..5 {
        assert_eq!(ask(client, "/api/v1/stats").status, 200);
        assert_eq!(ask(client, "/api/v1/stats").status, 200, "one at a time");
    }
    let (stream, _) = throng.sse_with("/sse?channels=a", &[("x-forwarded-for", "192.0.2.1")]);
    assert_eq!(ask(1, "/api/v1/stats").problem().0, 503);
    assert_eq!(ask(1, "/healthz").status, 200);
    assert_eq!(ask(2, "/api/v1/stats").status, 200);
    drop(stream);
    until_served(|| ask(1, "/api/v1/stats"));

    // A WebSocket takes its place for as long as it lasts.
    let open = || {
        let url = format!("ws://{}/ws", throng.address);
        let mut request = url.into_client_request().unwrap();
        let client = "192.0.2.3".parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", client);
        tungstenite::client(request, throng.tcp()).unwrap().0
    };
    let mut first = open();
    assert!(first.read().unwrap().to_string().contains("connected"));
    assert_eq!(ask(3, "/api/v1/stats").problem().0, 503);
    let told = open().read().unwrap().to_string();
    assert!(
        told.contains("\"disconnect\"") && told.contains("3023"),
        "{told}"
    );
    drop(first);
    until_served(|| ask(3, "/api/v1/stats"));
}

/// Asks until there is room again, which the server learns a moment later.
fn until_served(ask: impl Fn() -> Response) {
    let start = Instant::now();
    while ask().status != 200 {
        assert!(start.elapsed() < PATIENCE);
    }
}
