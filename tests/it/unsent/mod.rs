//! The outbox is the queue: what a slow client does not take waits where its policy decides.
//!
//! - Between the newest publication and the newest that a slow reader has, there is no more than
//!   the unsent mark, the outbox, the socket's buffers and one frame: over WebSocket, events and
//!   TLS.
//! - What a socket does not take stays in the outbox, but for one frame that was begun: it counts,
//!   is evicted, dropped and told of like all that waits, and arrives in its order.
//! - A stream that holds what it has taken is flushed.
//! - The API says whether a mark is in force, and how much of a connection is unsent.

mod given_back;
mod reader;

use serde_json::json;

use crate::binary::Came;
use crate::binary::HANDSHAKE;
use crate::binary::Raw;
use crate::binary::Throng;
use crate::binary::Ws;
use crate::binary::masked_text;
#[cfg(feature = "tls")]
use crate::tls::Folder;
#[cfg(feature = "tls")]
use crate::tls::Pair;

use self::reader::Reader;

/// What is published: longer than any buffer may be, when half of it is read.
const COUNT: u32 = 2500;

/// Bytes of a payload.
const SIZE: usize = 1000;

/// Bytes of a frame, with what is around the payload, at most.
const FRAME: usize = SIZE + 400;

/// Messages that the outbox holds.
const OUTBOX: usize = 64;

/// Bytes of the default mark.
const MARK: usize = 16 << 10;

/// What the kernel may fill beyond the mark: one segment.
const SEGMENT: usize = 64 << 10;

/// What a publisher and a reader that is half as fast have between them at most.
const BOUND: usize = MARK + SEGMENT + OUTBOX * FRAME + reader::BUFFER + FRAME;

/// Publishes with `publish`, and has the reader read 24 bytes for each 45, as it would at 24 kB/s
/// of a feed of 45 kB/s. Returns how many bytes then come up to the newest message.
fn behind(reader: &mut Reader, mut publish: impl FnMut(&str)) -> usize {
    let pad = "x".repeat(SIZE - 10);
    for n in 0..COUNT {
        let text = format!("<m{n:06}>{pad}");
        let key = format!("k{}", n % 40);
        let command = json!({
            "type": "publish", "id": n, "channel_id": "feed", "text": text, "key": key,
        });
        publish(&command.to_string());
        reader.read_about(SIZE * 24 / 45);
    }
    reader.read_up_to(&format!("<m{:06}>", COUNT - 1))
}

/// Publishes from a client of its own.
fn from(mut publisher: Ws) -> impl FnMut(&str) {
    move |command| {
        publisher.say(command);
        publisher.expect("ack");
    }
}

const POLICY: [&str; 8] = [
    "--slow-consumer",
    "keep-latest",
    "--write-timeout",
    "600000",
    "--sse-write-timeout",
    "600000",
    "--ping-interval",
    "600000",
];

fn websocket(reader: &mut Reader) {
    reader.write(HANDSHAKE.as_bytes());
    reader.read_up_to("connected");
    let subscribe = json!({"type": "subscribe", "id": 1, "channel_id": "feed"});
    reader.write(&masked_text(&subscribe.to_string()));
    reader.read_up_to("joined");
}

#[test]
fn a_slow_reader_over_websocket_lags_by_its_outbox() {
    let throng = Throng::start(&POLICY);
    let mut reader = Reader::connect(throng.address);
    websocket(&mut reader);
    let behind = behind(&mut reader, from(throng.ws()));
    assert!(behind <= BOUND, "{behind} bytes behind, not {BOUND}");
}

#[test]
fn a_slow_reader_of_events_lags_by_its_outbox() {
    /// What hyper gathers, and one chunk.
    const HTTP: usize = 32 << 10;
    let throng = Throng::start(&POLICY);
    let mut reader = Reader::connect(throng.address);
    reader.write(b"GET /sse?channels=feed HTTP/1.1\r\nhost: localhost\r\n\r\n");
    reader.read_up_to("joined");
    let behind = behind(&mut reader, from(throng.ws()));
    let bound = BOUND + HTTP;
    assert!(behind <= bound, "{behind} bytes behind, not {bound}");
}

#[cfg(feature = "tls")]
#[test]
fn a_slow_reader_over_tls_lags_by_its_outbox_and_one_record() {
    const RECORD: usize = 16 << 10;
    let pair = Pair::new();
    let folder = Folder::new("unsent", &pair);
    let (certificate, key) = (folder.certificate(), folder.key());
    let tls = ["--tls-cert", &certificate, "--tls-key", &key];
    let secured = Throng::start(&[&POLICY[..], &tls].concat());
    let mut reader = Reader::connect_tls(secured.address, &pair);
    websocket(&mut reader);
    let mut publisher = Reader::connect_tls(secured.address, &pair);
    publisher.write(HANDSHAKE.as_bytes());
    publisher.read_up_to("connected");
    let behind = behind(&mut reader, |command| {
        publisher.write(&masked_text(command));
        publisher.read_up_to("ack");
    });
    let bound = BOUND + 2 * RECORD;
    assert!(behind <= bound, "{behind} bytes behind, not {bound}");
}

#[test]
fn what_the_kernel_has_not_sent_is_shown() {
    let throng = Throng::start(&POLICY);
    let mut reader = Raw::open(throng.address, Some(reader::BUFFER / 2));
    reader.join("feed");
    let mut publish = from(throng.ws());
    let text = "x".repeat(SIZE);
    for n in 0..COUNT / 10 {
        let command = json!({"type": "publish", "id": n, "channel_id": "feed", "text": text});
        publish(&command.to_string());
    }
    // Not known while the task of the connection is at work.
    let view = throng.client_until(&reader.id, |view| view["connection"]["unsent"].is_u64());
    let unsent = view["connection"]["unsent"].as_u64().unwrap();
    let unsent = usize::try_from(unsent).unwrap();
    assert!((1..MARK + SEGMENT).contains(&unsent), "{unsent} bytes");
    reader.half_close();
    while !matches!(reader.next(), Came::End) {}
}

#[test]
fn the_mark_is_in_force_and_can_be_turned_off() {
    for (arguments, mark) in [(&[][..], 16384), (&["--unsent-mark", "0"], 0)] {
        let throng = Throng::start(arguments);
        let _client = throng.ws();
        let listener = throng.stats()["listener"].clone();
        assert_eq!(listener["unsent_mark"], mark);
        assert_eq!(listener["unmarked"], 0);
    }
}
