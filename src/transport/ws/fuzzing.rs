//! What the fuzz targets need of what is private. Not part of the crate's interface: it is there
//! under `--cfg fuzzing` only.

use crate::transport::ws::Deflate;
use crate::transport::ws::reader::Reader;
use crate::transport::ws::reader::ReaderLimits;
use crate::transport::ws::reader::Received;

/// Reads what a client might send, in pieces of these lengths and then the rest, and returns
/// what came of it, up to the first violation.
///
/// # Panics
///
/// When the reader does, leaves input behind, or holds or gives out more than its limits allow.
#[must_use]
pub fn read(bytes: &[u8], pieces: impl IntoIterator<Item = usize>, inflates: bool) -> Vec<String> {
    let inflate = inflates.then(|| Deflate::new().inflate());
    let mut reader = Reader::new(LIMITS, inflate);
    let mut events = Vec::new();
    let mut rest = bytes;
    for piece in pieces.into_iter().chain([usize::MAX]) {
        let (piece, after) = rest.split_at(piece.min(rest.len()));
        rest = after;
        let mut piece = piece.to_vec();
        let mut input = piece.as_mut_slice();
        loop {
            match reader.next(&mut input) {
                Ok(Some(received)) => events.push(describe(&received)),
                Ok(None) => break,
                Err(violation) => {
                    events.push(violation.disconnect().to_string());
                    return events;
                }
            }
        }
        assert!(input.is_empty(), "all input is taken");
        assert!(reader.held() <= MOST, "{} bytes held", reader.held());
    }
    events
}

/// The event, and not whether it is borrowed.
fn describe(received: &Received<'_>) -> String {
    let message = |bytes: &[u8]| assert!(bytes.len() <= LIMITS.max_message);
    let control = |bytes: &[u8]| assert!(bytes.len() <= 125);
    match received {
        Received::Binary(bytes) => message(bytes),
        Received::Close(Some((_, reason))) => control(reason.as_bytes()),
        Received::Close(None) => {}
        Received::Ping(bytes) | Received::Pong(bytes) => control(bytes),
        Received::Text(text) => message(text.as_bytes()),
    }
    match received {
        Received::Binary(bytes) => format!("binary {bytes:?}"),
        Received::Close(why) => format!("close {why:?}"),
        Received::Ping(bytes) => format!("ping {bytes:?}"),
        Received::Pong(bytes) => format!("pong {bytes:?}"),
        Received::Text(text) => format!("text {text:?}"),
    }
}

const LIMITS: ReaderLimits = ReaderLimits {
    max_frame: 300,
    max_message: 500,
};

/// A compressed message may be an eighth longer than what it inflates to, and 64 bytes; a
/// control frame is held beside it, in a vector that doubles.
const MOST: usize = 500 + 500 / 8 + 64 + 256;
