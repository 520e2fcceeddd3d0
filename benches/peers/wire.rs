//! The part of throng's protocol that `throng bench ws` speaks, the same for every peer.
//!
//! A peer has one channel, whatever its clients call it. A publication becomes one text, with the
//! fields and the length that throng's has, and all subscribers share it as far as the library
//! allows.

use std::env;
use std::io;
use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

/// What a client asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub(crate) enum Command<'a> {
    /// To get all that is published from now on.
    Subscribe { id: Value, channel_id: &'a str },
    /// To send a text to all subscribers.
    Publish { channel_id: &'a str, text: &'a str },
}

impl<'a> Command<'a> {
    /// None for what these servers do not know.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The first text of every connection.
pub(crate) const CONNECTED: &str = r#"{"type":"connected","data":{"client_id":"1"}}"#;

/// The answer to a `subscribe`.
pub(crate) fn joined(id: &Value, channel: &str) -> String {
    let data = json!({"recovered": false, "members": []});
    json!({"type": "joined", "reply_to": id, "channel_id": channel, "data": data}).to_string()
}

/// Numbers the publications.
#[derive(Debug, Default)]
pub(crate) struct Publications {
    last: AtomicU64,
}

impl Publications {
    /// The next publication, as every subscriber gets it.
    pub(crate) fn next(&self, channel: &str, text: &str) -> String {
        // Relaxed: a number of its own for each is all that is needed.
        let offset = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        format!(
            r#"{{"type":"message","channel_id":{},"offset":{offset},"epoch":"{EPOCH}","text":{},"published_at":"{TIME}"}}"#,
            json!(channel),
            json!(text),
        )
    }
}

/// Listens where the first argument that is an address says, and tells the port as throng does.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let address = env::args().find(|argument| argument.contains(':'));
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0"))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    writeln!(io::stdout(), "listening on http://{address}")?;
    Ok(listener)
}

/// Messages that may wait for one client: as many as throng's default, or as an argument such as
/// `room=256` says.
pub(crate) fn room() -> usize {
    let room = env::args().find_map(|argument| argument.strip_prefix("room=")?.parse().ok());
    room.unwrap_or(64)
}

/// As long as throng's.
const EPOCH: &str = "1234567890123456789";
const TIME: &str = "2026-01-01T00:00:00.000Z";
