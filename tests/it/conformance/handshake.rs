//! The opening handshake (RFC 6455 §4.2).

use crate::binary::Throng;
use crate::conformance::echo;
use crate::conformance::peer::Peer;
use crate::conformance::peer::handshake;
use crate::conformance::text;

/// A good request with one line put in the place of another.
fn changed(throng: &Throng, line: &str, with: &str) -> String {
    let request = handshake(throng, "");
    let start = request.find(line).unwrap();
    let end = start + request[start..].find("\r\n").unwrap() + 2;
    [&request[..start], with, &request[end..]].concat()
}

#[test]
fn a_request_that_is_no_handshake_is_refused() {
    let throng = Throng::start(&[]);
    for (line, with, status) in [
        ("GET", "GET /ws HTTP/1.1\r\n", 101),
        ("GET", "GET /ws HTTP/1.0\r\n", 400),
        ("GET", "POST /ws HTTP/1.1\r\n", 405),
        ("Upgrade:", "", 400),
        ("Upgrade:", "Upgrade: h2c\r\n", 400),
        ("Upgrade:", "Upgrade: WEBSOCKET\r\n", 101),
        ("Connection:", "", 400),
        ("Connection:", "Connection: close\r\n", 400),
        ("Connection:", "Connection: keep-alive, upgrade\r\n", 101),
        ("Sec-WebSocket-Key:", "", 400),
        ("Sec-WebSocket-Key:", "Sec-WebSocket-Key: short\r\n", 400),
        (
            "Sec-WebSocket-Key:",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE=\r\n",
            400,
        ),
        ("Sec-WebSocket-Version:", "", 426),
        (
            "Sec-WebSocket-Version:",
            "Sec-WebSocket-Version: 8\r\n",
            426,
        ),
        (
            "Sec-WebSocket-Version:",
            "Sec-WebSocket-Version: 13\r\nOrigin: http://evil\r\n",
            403,
        ),
    ] {
        let (_, head) = Peer::ask(&throng, &changed(&throng, line, with));
        let answered = head.split(' ').nth(1).unwrap();
        assert_eq!(answered, status.to_string(), "{line} -> {with:?}: {head}");
        let named = head.contains("\r\nsec-websocket-version: 13\r\n");
        assert_eq!(named, status == 426, "{head}");
    }
}

#[test]
fn the_answer_proves_that_the_key_was_read() {
    let throng = Throng::start(&[]);
    let (_, head) = Peer::open(&throng, "");
    assert!(
        head.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
    assert!(
        head.to_lowercase().contains("\r\nconnection: upgrade\r\n"),
        "{head}"
    );
}

#[test]
fn a_sub_protocol_is_chosen_from_those_offered() {
    let throng = Throng::start(&[]);
    let ours = Some("throng.v1.json");
    for (headers, chosen) in [
        ("", None),
        ("Sec-WebSocket-Protocol: other\r\n", None),
        ("Sec-WebSocket-Protocol: throng.v1.json\r\n", ours),
        ("Sec-WebSocket-Protocol: other, throng.v1.json\r\n", ours),
        (
            "Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: throng.v1.json\r\n",
            ours,
        ),
    ] {
        let (_, head) = Peer::open(&throng, headers);
        let answer = head
            .lines()
            .find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(answer, chosen, "{headers}");
    }
}

#[test]
fn bytes_right_behind_the_handshake_are_not_lost() {
    let throng = Throng::start(&[]);
    let mut bytes = handshake(&throng, "").into_bytes();
    bytes.extend(text(r#"{"type":"subscribe","channel_id":"echo"}"#));
    bytes.extend(text(echo("early")));
    for piece in [bytes.len(), 100, 1] {
        let (mut peer, head) = Peer::ask_in_pieces(&throng, &bytes, piece);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        for expected in ["connected", "joined", "message early"] {
            assert_eq!(peer.event(), expected, "in pieces of {piece}");
        }
    }
}
