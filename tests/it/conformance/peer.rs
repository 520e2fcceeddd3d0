//! A WebSocket client that sends whatever bytes it is given, and says what it gets.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

use serde_json::Value;

use crate::binary::Throng;
use crate::conformance::FIN;
use crate::conformance::PONG;
use crate::conformance::RSV1;
use crate::conformance::frame;
use crate::conformance::text;

pub(super) struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
    /// How compressed messages are inflated, if any may come.
    pub(super) inflate: Option<Inflate>,
    /// How many compressed messages have come.
    pub(super) inflated: usize,
    /// The longest message that has come compressed.
    pub(super) longest_inflated: usize,
    /// The longest that has come as it is.
    pub(super) longest_plain: usize,
}

/// What makes of a compressed message what it was.
pub(super) type Inflate = Box<dyn Fn(&[u8]) -> Vec<u8>>;

impl Peer {
    /// A client that has asked for this, and the head of the answer.
    pub(super) fn ask(throng: &Throng, request: &str) -> (Self, String) {
        Self::ask_in_pieces(throng, request.as_bytes(), request.len())
    }

    /// The same, with so many bytes in each write.
    pub(super) fn ask_in_pieces(throng: &Throng, request: &[u8], piece: usize) -> (Self, String) {
        let stream = throng.tcp();
        stream.set_nodelay(true).unwrap();
        let mut peer = Self {
            stream,
            unread: Vec::new(),
            inflate: None,
            inflated: 0,
            longest_inflated: 0,
            longest_plain: 0,
        };
        request.chunks(piece).for_each(|piece| peer.send(piece));
        let end = b"\r\n\r\n";
        let head = loop {
            let at = peer.unread.windows(4).position(|bytes| bytes == end);
            match at {
                Some(at) => break peer.unread.drain(..at + 4).collect(),
                None => assert!(peer.read(), "no answer to {}", request.escape_ascii()),
            }
        };
        (peer, String::from_utf8(head).unwrap())
    }

    /// A client that has been greeted, after a handshake with these headers too.
    pub(super) fn open(throng: &Throng, headers: &str) -> (Self, String) {
        let (mut peer, head) = Self::ask(throng, &handshake(throng, headers));
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(peer.event(), "connected");
        (peer, head)
    }

    /// A client that gets back what it publishes to `echo`.
    pub(super) fn echoed(throng: &Throng) -> Self {
        Self::open(throng, "").0.join()
    }

    pub(super) fn join(mut self) -> Self {
        self.send(&text(r#"{"type":"subscribe","channel_id":"echo"}"#));
        assert_eq!(self.event(), "joined");
        self
    }

    /// Sends bytes; whether they still arrive is for what is read to tell.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    /// What comes next, in words.
    pub(super) fn event(&mut self) -> String {
        let (first, payload) = loop {
            match self.frame() {
                None => return "end".to_owned(),
                // The server's own pings come when they come.
                Some((0x89, payload)) => self.send(&frame(FIN | PONG, &payload)),
                Some(other) => break other,
            }
        };
        let data = String::from_utf8_lossy(&payload);
        match first & !RSV1 {
            0x81 => push(&data),
            0x88 if payload.is_empty() => "close".to_owned(),
            0x88 => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                let reason = str::from_utf8(&payload[2..]).unwrap();
                // The reasons that the server gives are for people.
                let is_echo = reason.starts_with(':');
                format!("close {code}{}", if is_echo { reason } else { "" })
            }
            0x8A => format!("pong {}", payload.escape_ascii()),
            _ => panic!("a frame that begins with {first:#x}: {data}"),
        }
    }

    /// The first byte of the next frame, and its payload, inflated; `None` at the end.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((first, start, end)) = parse(&self.unread) {
                assert_eq!(first & FIN, FIN, "the server does not fragment");
                let payload: Vec<_> = self.unread.drain(..end).skip(start).collect();
                return Some((first, self.inflated(first, payload)));
            }
            if !self.read() {
                assert!(self.unread.is_empty(), "half a frame");
                return None;
            }
        }
    }

    fn inflated(&mut self, first: u8, payload: Vec<u8>) -> Vec<u8> {
        if first & RSV1 == 0 {
            self.longest_plain = self.longest_plain.max(payload.len());
            return payload;
        }
        let inflate = self.inflate.as_ref();
        let inflated = inflate.expect("compression was not agreed on")(&payload);
        assert!(inflated.len() > payload.len(), "it shrank by compression");
        self.longest_inflated = self.longest_inflated.max(inflated.len());
        self.inflated += 1;
        inflated
    }

    fn read(&mut self) -> bool {
        let mut bytes = [0; 65536];
        let count = match self.stream.read(&mut bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}"),
        };
        self.unread.extend_from_slice(&bytes[..count]);
        count > 0
    }
}

/// A good request, with these headers too.
pub(super) fn handshake(throng: &Throng, headers: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n",
        throng.address
    )
}

/// The first byte of the frame that these bytes begin with, and where its payload starts and
/// ends, once all of it is there.
fn parse(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (start, len) = match second {
        0..=125 => (2, u64::from(second)),
        126 => (
            4,
            u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()).into(),
        ),
        127 => (
            10,
            u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()),
        ),
        _ => panic!("the server does not mask"),
    };
    let end = start + usize::try_from(len).unwrap();
    (bytes.len() >= end).then_some((first, start, end))
}

fn push(text: &str) -> String {
    let push: Value = serde_json::from_str(text).unwrap();
    match push["type"].as_str().unwrap() {
        "error" => format!("error {}", push["data"]["code"].as_str().unwrap()),
        "message" => format!("message {}", push["text"].as_str().unwrap()),
        "pong" => format!("reply {}", push["reply_to"].as_str().unwrap_or_default()),
        other => other.to_owned(),
    }
}
