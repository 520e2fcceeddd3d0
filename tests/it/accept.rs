//! The way in: what it takes to be served, and that nobody who is not holds up who is.
//!
//! - HTTP/2 is spoken to whoever begins with it, many requests at a time.
//! - Heads that are too large or have too many headers are refused.
//! - Whoever sends no whole head in time, over either version, is hung up on; so is whoever idles,
//!   or does not read.
//! - Whoever does not send the body it has announced is told so, and hung up on.
//! - Whoever is refused by the head of a request is told so, though the body comes later.
//! - A stream of events on which nothing happens is no idle connection.
//! - Thousands of silent connections hold up nobody.
//! - Beyond the limit of an address and beyond the spare ones, connections are closed at once;
//!   beyond the total they wait.
//! - When there are no more file descriptors, the server says so once, and goes on when there are.

use std::io::BufRead;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http2;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;

use crate::binary::PATIENCE;
use crate::binary::Throng;
use crate::binary::hung_up;

/// A client that speaks HTTP/2 without having asked whether it may.
async fn http2(throng: &Throng) -> SendRequest<Empty<Bytes>> {
    let stream = tokio::net::TcpStream::connect(throng.address)
        .await
        .unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(sender: &mut SendRequest<Empty<Bytes>>, uri: &str) -> (u16, Bytes) {
    let request = Request::get(uri).body(Empty::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

#[tokio::test]
async fn http2_is_spoken_to_whoever_begins_with_it() {
    let throng = Throng::start(&[]);
    let mut sender = http2(&throng).await;
    let (mut one, mut other) = (sender.clone(), sender.clone());
    let uri = |path: &str| format!("http://{}{path}", throng.address);
    let (healthz, api) = (uri("/healthz"), uri("/api/v1/stats"));
    let (health, stats) = tokio::join!(get(&mut one, &healthz), get(&mut other, &api));
    assert_eq!(health, (200, Bytes::from_static(b"ok")));
    assert_eq!(stats.0, 200);
    // No WebSocket over HTTP/2: whoever tries is told so.
    assert_eq!(get(&mut sender, &uri("/ws")).await.0, 400);
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let throng = Throng::start(&["--max-head", "8192", "--max-headers", "10"]);
    let ask = |headers: &[(&str, &str)]| throng.request("GET", "/healthz", headers, b"").status;
    assert_eq!(ask(&[]), 200);
    assert_eq!(ask(&[("x", "y"); 10]), 431, "10, and those of the client");
    assert_eq!(ask(&[("x", &"y".repeat(9000))]), 431);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_over_http2() {
    let throng = Throng::start(&["--max-head", "8192"]);
    let mut sender = http2(&throng).await;
    let request = Request::get(format!("http://{}/healthz", throng.address))
        .header("x", "y".repeat(9000))
        .body(Empty::new())
        .unwrap();
    let refused = match sender.send_request(request).await {
        Ok(response) => response.status() == 431,
        // The client knows the limit by now, and does not send it.
        Err(_) => true,
    };
    assert!(refused);
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An empty SETTINGS frame.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

#[test]
fn whoever_sends_no_head_is_hung_up_on() {
    let throng = Throng::start(&["--head-timeout", "100"]);
    let beginnings: [&[u8]; 6] = [
        b"",
        b"G",
        b"PRI * HTTP/2.0\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n",
        PREFACE,
        &[PREFACE, SETTINGS].concat(),
    ];
    for beginning in beginnings {
        let mut stream = throng.tcp();
        stream.write_all(beginning).unwrap();
        let said = hung_up(stream);
        assert!(!said.starts_with(b"HTTP/1.1 200"), "{beginning:?}");
    }
}

#[test]
fn whoever_idles_between_two_requests_is_hung_up_on() {
    let throng = Throng::start(&["--head-timeout", "100"]);
    let mut stream = throng.tcp();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    assert!(hung_up(stream).ends_with(b"ok"));
}

#[tokio::test]
async fn whoever_idles_over_http2_is_hung_up_on() {
    let throng = Throng::start(&["--head-timeout", "100"]);
    let stream = tokio::net::TcpStream::connect(throng.address)
        .await
        .unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let uri = format!("http://{}/healthz", throng.address);
    assert_eq!(get(&mut sender, &uri).await.0, 200);
    // Told to go away, and hung up on.
    tokio::time::timeout(PATIENCE, connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[test]
fn whoever_does_not_read_is_hung_up_on() {
    let throng = Throng::start(&["--write-timeout", "100", "--head-timeout", "600000"]);
    let mut stream = throng.tcp();
    let error = loop {
        if let Err(error) = stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n") {
            break error;
        }
    };
    let hung_up = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(hung_up.contains(&error.kind()), "{error}");
}

#[test]
fn thousands_of_silent_connections_hold_up_nobody() {
    rlimit::increase_nofile_limit(8192).unwrap();
    let throng = Throng::start(&["--head-timeout", "600000"]);
    let silent: Vec<_> = (0..2000)
        .map(|number| {
            let mut stream = throng.tcp();
            if number % 2 == 0 {
                stream.write_all(b"GET /ws HTTP/1.1\r\nhost").unwrap();
            }
            stream
        })
        .collect();
    let mut client = throng.ws_joined("news");
    throng.publish("news", &1.into());
    assert_eq!(client.expect("message")["data"], 1);
    let stats = throng.stats_until(|stats| stats["listener"]["accepted"].as_u64() >= Some(2003));
    assert_eq!(stats["transports"]["ws"]["open"], 1);
    drop(silent);
}

#[test]
fn beyond_the_limit_of_an_address_connections_are_closed() {
    let throng = Throng::start(&["--max-connections-per-ip", "2", "--spare-connections", "0"]);
    let first = throng.ws();
    let _second = throng.ws();
    assert_eq!(
        hung_up(throng.tcp()),
        b"",
        "closed unread, whatever it wants"
    );
    first.close();
    // The permit comes back when the server has seen that the client is gone.
    let start = Instant::now();
    let answer = loop {
        let mut stream = throng.tcp();
        let request = b"GET /api/v1/stats HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        // It may be closed before it is written.
        drop(stream.write_all(request));
        let answer = hung_up(stream);
        if !answer.is_empty() {
            break String::from_utf8(answer).unwrap();
        }
        assert!(start.elapsed() < PATIENCE);
    };
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("\"refused\":0"), "{answer}");
}

#[test]
fn beyond_the_total_connections_wait_until_there_is_room() {
    let throng = Throng::start(&["--max-connections", "3", "--spare-connections", "0"]);
    let first = throng.ws();
    let _second = throng.ws();
    let mut asking = throng.tcp();
    let mut accepted = || {
        let request = b"GET /api/v1/stats HTTP/1.1\r\nhost: localhost\r\n\r\n";
        asking.write_all(request).unwrap();
        let mut answer = [0; 8192];
        let length = asking.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        let (_, rest) = answer.split_once("\"accepted\":").unwrap();
        rest.split_once(',').unwrap().0.parse::<u64>().unwrap()
    };
    assert_eq!(accepted(), 3);
    let mut waiting = throng.tcp();
    waiting
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    // A client keeps its permit when HTTP is over for it: nobody else gets in meanwhile.
    for _ in 0..100 {
        assert_eq!(accepted(), 3);
    }
    first.close();
    assert!(hung_up(waiting).ends_with(b"ok"));
    assert_eq!(accepted(), 4);
}

#[test]
fn without_file_descriptors_the_server_waits_and_goes_on() {
    let (throng, mut log) = Throng::start_with_files(64, &["--head-timeout", "600000"]);
    let mut first = throng.ws_joined("news");
    let clients: Vec<_> = (0..30).map(|_| throng.ws()).collect();
    let mut many: Vec<_> = (0..100).map(|_| throng.tcp()).collect();
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("cannot accept connections"), "{line}");
    // Who is in is served as ever.
    assert_eq!(first.ask(r#"{"type":"ping"}"#)["type"], "pong");

    // No more than 34 of the many can have been accepted before. Where clients were there is
    // room for 30, which nothing but trying again finds out.
    drop(clients);
    many[40]
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    many[40].read_exact(&mut [0; 15]).unwrap();

    drop(many);
    let stats = throng.stats_until(|stats| stats["listener"]["accepted"] != 0);
    assert!(stats["listener"]["failed"].as_u64().unwrap() > 0, "{stats}");
    throng.publish("news", &1.into());
    assert_eq!(first.expect("message")["data"], 1);
    drop(throng);
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "it says so once");
}

#[tokio::test]
async fn a_quiet_stream_is_no_idle_connection() {
    let throng = Throng::start(&["--head-timeout", "100"]);
    let mut sender = http2(&throng).await;
    let uri = format!("http://{}/sse?channels=news", throng.address);
    let request = Request::get(uri).body(Empty::new()).unwrap();
    let mut newer = sender.send_request(request).await.unwrap().into_body();
    let mut older = throng.tcp();
    older
        .write_all(b"GET /sse?channels=news HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    throng.stats_until(|stats| stats["subscriptions"] == 2);
    // Each is hung up on after the time that the streams are not.
    for _ in 0..5 {
        hung_up(throng.tcp());
    }
    throng.publish("news", &"still here".into());
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("still here") {
        read.extend_from_slice(newer.frame().await.unwrap().unwrap().data_ref().unwrap());
    }
    read.clear();
    while !String::from_utf8_lossy(&read).contains("still here") {
        let mut chunk = [0; 1024];
        let length = older.read(&mut chunk).unwrap();
        assert_ne!(length, 0);
        read.extend_from_slice(&chunk[..length]);
    }
}

#[tokio::test]
async fn a_page_of_the_server_may_use_the_api_over_http2() {
    let throng = Throng::start(&[]);
    let mut sender = http2(&throng).await;
    let own = format!("http://{}", throng.address);
    for (origin, status) in [(own.as_str(), 200), ("http://evil.example", 403)] {
        let request = Request::get(format!("{own}/api/v1/stats"))
            .header("origin", origin)
            .body(Empty::new())
            .unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status);
    }
}

#[test]
fn whoever_does_not_send_the_body_is_hung_up_on() {
    let throng = Throng::start(&["--body-timeout", "100"]);
    for path in ["/api/v1/broadcast", "/sse/nobody/subscribe"] {
        let mut stream = throng.tcp();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
             content-length: 10\r\n\r\nbegin"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let said = String::from_utf8(hung_up(stream)).unwrap();
        assert!(said.starts_with("HTTP/1.1 4"), "{said}");
    }
}

#[test]
fn whoever_is_refused_reads_why_though_the_body_comes_later() {
    let throng = Throng::start(&[]);
    let mut stream = throng.tcp();
    let head =
        b"POST /api/v1/broadcast HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\
        content-length: 4\r\n\r\n";
    stream.write_all(head).unwrap();
    // Others are served meanwhile: the server has seen the head by the time that the body comes.
    throng.stats_until(|stats| stats["listener"]["accepted"].as_u64() >= Some(2));
    throng.stats();
    for byte in b"late" {
        stream.write_all(&[*byte]).unwrap();
        throng.stats();
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403");
}

/// The connection that waits for room is kept while others end.
#[test]
fn a_connection_that_waits_for_room_is_served_when_there_is_some() {
    let throng = Throng::start(&[
        "--max-connections",
        "1",
        "--spare-connections",
        "0",
        "--acceptors",
        "1",
    ]);
    let ask = |connection: &str| {
        let mut stream = throng.tcp();
        let request = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{connection}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    for _ in 0..20 {
        let mut first = ask("");
        assert!(first.read(&mut [0; 1024]).unwrap() > 0, "it is served");
        let waiting = ask("connection: close\r\n");
        drop(first);
        assert!(hung_up(waiting).ends_with(b"ok"));
    }
}
