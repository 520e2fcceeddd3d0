//! Bodies that are not taken, and answers that every client sees.

use std::io::Read;
use std::io::Write;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;

use crate::binary::Throng;

/// Many clients send the whole body before they read anything.
#[test]
fn t9_a_body_that_is_too_large_is_answered_to_whoever_sends_it_all() {
    let throng = Throng::start(&[]);
    let (_stream, connected) = throng.sse("/sse?channels=news");
    let token = connected["data"]["stream_token"].as_str().unwrap();
    let body = vec![b'x'; 20 << 20];
    for path in [
        "/api/v1/broadcast".to_owned(),
        format!("/sse/{token}/subscribe"),
    ] {
        for framing in ["content-length: 20971520", "transfer-encoding: chunked"] {
            let mut stream = throng.tcp();
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
                 {framing}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            if framing.ends_with("chunked") {
                stream.write_all(b"1400000\r\n").unwrap();
            }
            stream.write_all(&body).expect("it is read to the end");
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 413", "{path} {framing}");
        }
    }
}

#[tokio::test]
async fn t9_over_http2_too() {
    let throng = Throng::start(&[]);
    let stream = tokio::net::TcpStream::connect(throng.address)
        .await
        .unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("http://{}/api/v1/broadcast", throng.address))
        .header("content-type", "text/plain")
        .body(Full::new(Bytes::from(vec![b'x'; 20 << 20])))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 413);
}

#[test]
fn t9_a_compressed_body_is_refused() {
    let throng = Throng::start(&[]);
    let (_stream, connected) = throng.sse("/sse?channels=news");
    let token = connected["data"]["stream_token"].as_str().unwrap();
    for (path, kind, encoding, status) in [
        ("/api/v1/broadcast", "text/plain", "gzip", 415),
        ("/api/v1/broadcast", "application/json", "br", 415),
        ("/api/v1/broadcast", "text/plain", "identity, gzip", 415),
        ("/api/v1/broadcast", "text/plain", "Identity", 200),
        (
            &format!("/sse/{token}/subscribe"),
            "application/json",
            "gzip",
            415,
        ),
    ] {
        let headers = [("content-type", kind), ("content-encoding", encoding)];
        let answer = throng.request("POST", path, &headers, b"{}");
        assert_eq!(answer.status, status, "{path} {encoding} {answer:?}");
        if status == 415 {
            assert_eq!(answer.problem().1, "unsupported_encoding");
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
    }
}

#[test]
fn t15_no_answer_is_guessed_at_or_kept() {
    let throng = Throng::start(&[]);
    for path in [
        "/",
        "/api/v1/stats",
        "/api/v1/openapi.json",
        "/asyncapi.json",
        "/healthz",
        "/nothing",
    ] {
        let answer = throng.get(path);
        let header = |name| answer.header(name);
        assert_eq!(header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(header("cache-control"), Some("no-store"), "{path}");
    }
}
