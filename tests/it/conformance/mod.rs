//! RFC 6455 and RFC 7692, held against the shipped server over a bare socket: what the Autobahn
//! test suite covers, case by case, in its order.
//!
//! The server is no echo server, but it can be used as one: a peer subscribes to a channel and
//! publishes to it, and gets back what it sent. Each row is a conversation, held three times:
//! sent in one piece, frame by frame, and in small pieces. After each that does not end in a
//! close the connection is shown to live; after each that does, the server hangs up.

mod close;
mod compression;
mod fragmentation;
mod framing;
mod handshake;
mod limits;
mod peer;
mod utf8;

use serde_json::json;

use crate::binary::Throng;

use self::peer::Peer;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const CONTINUE: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a peer sends, frame by frame, and what it is to get back.
struct Row {
    name: String,
    frames: Vec<Vec<u8>>,
    expected: Vec<String>,
}

fn row<S: Into<String>>(
    name: impl Into<String>,
    frames: impl IntoIterator<Item = Vec<u8>>,
    expected: impl IntoIterator<Item = S>,
) -> Row {
    Row {
        name: name.into(),
        frames: frames.into_iter().collect(),
        expected: expected.into_iter().map(Into::into).collect(),
    }
}

/// How the bytes of a row are cut into writes.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Frames,
    Pieces,
    Whole,
}

fn hold(throng: &Throng, rows: &[Row]) {
    assert!(!rows.is_empty());
    for row in rows {
        for cut in [Cut::Whole, Cut::Frames, Cut::Pieces] {
            hold_once(Peer::echoed(throng), row, cut);
        }
    }
}

fn hold_once(mut peer: Peer, row: &Row, cut: Cut) {
    let Row { name, frames, .. } = row;
    match cut {
        Cut::Frames => frames.iter().for_each(|frame| peer.send(frame)),
        Cut::Pieces => {
            let bytes = frames.concat();
            // What is long enough to take long byte by byte is cut as Autobahn cuts it.
            let piece = if bytes.len() > 3000 { 997 } else { 1 };
            bytes.chunks(piece).for_each(|piece| peer.send(piece));
        }
        Cut::Whole => peer.send(&frames.concat()),
    }
    for expected in &row.expected {
        let event = peer.event();
        assert_eq!(short(&event), short(expected), "{name}, {cut:?}");
        assert!(event == *expected, "{name}, {cut:?}");
    }
    let ends = row
        .expected
        .last()
        .is_some_and(|last| last.starts_with("close"));
    if ends {
        assert_eq!(
            short(&peer.event()),
            "end",
            "{name}, {cut:?}: after the close"
        );
    } else {
        peer.send(&frame(FIN | TEXT, br#"{"id":"last","type":"ping"}"#));
        assert_eq!(
            short(&peer.event()),
            "reply last",
            "{name}, {cut:?}: still there"
        );
    }
}

/// So much of it as is fit to print.
fn short(event: &str) -> String {
    event.chars().take(200).collect()
}

/// A masked frame whose first byte is this, its length in the shortest form.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, payload.len() as u64);
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let from = bytes.len() - mask.len();
    bytes[from..].copy_from_slice(&mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The head of a masked frame of this length; its mask is zeros.
fn head(first: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match len {
        0..=125 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&len.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | TEXT, payload.as_ref())
}

fn close(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = [&code.to_be_bytes(), reason.as_ref()].concat();
    frame(FIN | CLOSE, &payload)
}

/// The frames of a message whose payload is cut into these parts.
fn fragments<P: AsRef<[u8]>>(opcode: u8, parts: impl IntoIterator<Item = P>) -> Vec<Vec<u8>> {
    let mut parts = parts.into_iter().peekable();
    let mut frames = Vec::new();
    while let Some(part) = parts.next() {
        let opcode = if frames.is_empty() { opcode } else { CONTINUE };
        let fin = if parts.peek().is_some() { 0 } else { FIN };
        frames.push(frame(fin | opcode, part.as_ref()));
    }
    frames
}

/// The command that has the server send back this text as `message …`.
fn echo(text: &str) -> String {
    json!({"type": "publish", "channel_id": "echo", "text": text}).to_string()
}

/// The same in so many bytes exactly, and the text that comes back.
fn echo_of(size: usize) -> (String, String) {
    let text = "*".repeat(size - echo("").len());
    (echo(&text), text)
}
