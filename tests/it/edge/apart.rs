//! The API on a listener of its own.

use std::net::TcpListener;

use crate::binary::Throng;
use crate::binary::request;
use crate::edge::raw;

#[test]
fn the_api_has_a_listener_of_its_own_if_it_is_to() {
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = free.local_addr().unwrap();
    drop(free);
    let throng = Throng::start(&["--api-listen", &api.to_string()]);
    let there = |path: &str| {
        let stream = std::net::TcpStream::connect(api).unwrap();
        request(stream, "GET", path, &[], b"").status
    };
    for (path, public, apart) in [
        ("/healthz", 200, 200),
        ("/live", 200, 200),
        ("/ready", 200, 200),
        ("/", 404, 200),
        ("/api/v1/stats", 404, 200),
        ("/api/v1/openapi.json", 404, 200),
        ("/asyncapi.json", 404, 200),
        ("/ws", 400, 400),
    ] {
        assert_eq!(throng.get(path).status, public, "{path}");
        assert_eq!(there(path), apart, "{path}");
    }
    // Both are the same server.
    let mut client = throng.ws_joined("news");
    let stream = std::net::TcpStream::connect(api).unwrap();
    let kind = [("content-type", "text/plain")];
    let path = "/api/v1/channels/news/publish";
    assert_eq!(request(stream, "POST", path, &kind, b"x").status, 200);
    assert_eq!(client.expect("message")["channel_id"], "news");
    // Each names itself.
    let host = format!("GET /live HTTP/1.1\r\nhost: {api}\r\nconnection: close\r\n\r\n");
    assert!(raw(&throng, &host).starts_with("HTTP/1.1 200 "));
}

#[test]
fn the_api_is_not_open_to_others_either() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_throng"));
    command.args(["--listen", "127.0.0.1:0", "--api-listen", "0.0.0.0:0"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}
