//! Autobahn 12 and 13: permessage-deflate (RFC 7692), with every set of parameters.

use flate2::Compress;
use flate2::Compression;
use flate2::Decompress;
use flate2::FlushCompress;
use flate2::FlushDecompress;

use crate::binary::Throng;
use crate::conformance::BINARY;
use crate::conformance::CONTINUE;
use crate::conformance::FIN;
use crate::conformance::PING;
use crate::conformance::RSV1;
use crate::conformance::TEXT;
use crate::conformance::echo;
use crate::conformance::echo_of;
use crate::conformance::frame;
use crate::conformance::peer::Peer;
use crate::conformance::text;

const NO_TAKEOVER: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The bytes of a message by RFC 7692, made by a compressor that knows no other message.
fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut compressor = Compress::new(Compression::default(), false);
    let mut bytes = Vec::with_capacity(payload.len() + 1000);
    compressor
        .compress_vec(payload, &mut bytes, FlushCompress::Sync)
        .unwrap();
    let end = bytes.strip_suffix(&[0, 0, 0xFF, 0xFF]).unwrap().len();
    bytes.truncate(end);
    bytes
}

/// The message that these bytes hold, for one who remembers only so much of it.
fn inflated(bytes: &[u8], window_bits: u8) -> Vec<u8> {
    let mut decompressor = Decompress::new_with_window_bits(false, window_bits);
    let mut payload = Vec::with_capacity(1 << 20);
    // In small pieces, so that what is remembered is what the window holds.
    for piece in [bytes, &[0, 0, 0xFF, 0xFF]].concat().chunks(16) {
        decompressor
            .decompress_vec(piece, &mut payload, FlushDecompress::Sync)
            .unwrap();
    }
    payload
}

/// A peer that offers this, and what it was answered.
fn offering(throng: &Throng, offer: &str, window_bits: u8) -> (Peer, Option<String>) {
    let (mut peer, head) = Peer::open(throng, &format!("Sec-WebSocket-Extensions: {offer}\r\n"));
    let answer = head
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-extensions: "));
    peer.inflate = Some(Box::new(move |bytes| inflated(bytes, window_bits)));
    (peer.join(), answer.map(str::to_owned))
}

fn agreed(throng: &Throng) -> Peer {
    let (peer, answer) = offering(throng, "permessage-deflate", 15);
    assert_eq!(answer.as_deref(), Some(NO_TAKEOVER));
    peer
}

/// What compresses about as well as what people send, in so many bytes as a command.
fn prose(size: usize) -> (String, String) {
    let words = [
        "bid", "ask", "volume", "price", "trade", "of", "the", "and", "42", "7.25",
    ];
    let mut random = 1_u32;
    let mut prose = String::new();
    while prose.len() < size {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        prose += words[(random >> 16) as usize % words.len()];
        prose += if random >> 31 == 0 { " " } else { ": " };
    }
    prose.truncate(size - echo("").len());
    (echo(&prose), prose)
}

/// 12.1.1 to 12.5.18: many messages, of every size, compressed both ways.
#[test]
fn compressed_messages() {
    let throng = Throng::start(&["--deflate", "--max-message", "131072"]);
    for size in [64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131_072] {
        let mut peer = agreed(&throng);
        let (command, back) = prose(size);
        let message = deflated(command.as_bytes());
        let count = if size > 10_000 { 10 } else { 100 };
        for n in 0..count {
            peer.send(&frame(FIN | RSV1 | TEXT, &message));
            assert!(peer.event() == format!("message {back}"), "{n} of {size}");
        }
        assert_eq!(peer.inflated, count, "of {size}");
    }
}

/// 12.1.11 to 12.5.18: the same in parts.
#[test]
fn compressed_messages_in_parts() {
    let throng = Throng::start(&["--deflate", "--max-message", "131072"]);
    let mut peer = agreed(&throng);
    for (size, part) in [
        (200, 1),
        (8192, 256),
        (32768, 1024),
        (131_072, 1024),
        (131_072, 65536),
    ] {
        let (command, back) = prose(size);
        let message = deflated(command.as_bytes());
        let parts = message.chunks(part);
        let last = parts.len() - 1;
        for (n, part) in parts.enumerate() {
            let first = if n == 0 { RSV1 | TEXT } else { CONTINUE };
            let fin = if n == last { FIN } else { 0 };
            peer.send(&frame(fin | first, part));
            if n == 0 && last > 0 {
                peer.send(&frame(FIN | PING, b"amid"));
                assert!(
                    peer.event() == "pong amid",
                    "{size} in parts of {}",
                    part.len()
                );
            }
        }
        assert!(
            peer.event() == format!("message {back}"),
            "{size} in parts of {part}"
        );
    }
}

/// 13.1.1 to 13.7.18: each set of parameters, and what is answered.
#[test]
fn parameters() {
    let throng = Throng::start(&["--deflate"]);
    let with = |bits: u8| format!("{NO_TAKEOVER}; server_max_window_bits={bits}");
    for (case, offer, answer, bits) in [
        ("13.1", "permessage-deflate", NO_TAKEOVER.to_owned(), 15),
        (
            "13.2",
            "permessage-deflate; server_no_context_takeover",
            NO_TAKEOVER.to_owned(),
            15,
        ),
        (
            "13.3",
            "permessage-deflate; server_max_window_bits=9",
            with(9),
            9,
        ),
        (
            "13.4",
            "permessage-deflate; server_max_window_bits=15",
            with(15),
            15,
        ),
        (
            "13.5",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=9",
            with(9),
            9,
        ),
        (
            "13.6",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=15",
            with(15),
            15,
        ),
        (
            "13.7",
            "permessage-deflate; server_max_window_bits=6, \
             permessage-deflate; server_no_context_takeover; server_max_window_bits=10, \
             permessage-deflate",
            with(10),
            10,
        ),
        (
            "a browser",
            "permessage-deflate; client_max_window_bits",
            NO_TAKEOVER.to_owned(),
            15,
        ),
    ] {
        let (mut peer, answered) = offering(&throng, offer, bits);
        assert_eq!(answered, Some(answer), "{case}: {offer}");
        for size in [100, 300, 600, 1500, 40_000] {
            let (command, back) = prose(size);
            peer.send(&frame(FIN | RSV1 | TEXT, &deflated(command.as_bytes())));
            assert!(peer.event() == format!("message {back}"), "{case}: {size}");
        }
        if bits == 15 {
            assert_eq!(peer.inflated, 5, "{case}");
        } else {
            // Some fit into the window, others do not; the head of a frame may count.
            let window = 1 << bits;
            assert!(
                (window / 2..=window).contains(&peer.longest_inflated),
                "{case}"
            );
            assert!(peer.longest_plain > window, "{case}");
        }
    }
    for offer in [
        "permessage-deflate; server_max_window_bits=6",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; unknown",
        "permessage-bzip2",
    ] {
        assert_eq!(offering(&throng, offer, 15).1, None, "{offer}");
    }
}

#[test]
fn compression_is_off_unless_it_is_turned_on() {
    let throng = Throng::start(&[]);
    let (mut peer, answer) = offering(&throng, "permessage-deflate", 15);
    assert_eq!(answer, None);
    peer.send(&frame(
        FIN | RSV1 | TEXT,
        &deflated(echo("never").as_bytes()),
    ));
    assert_eq!(peer.event(), "close 1002");
}

/// The examples of RFC 7692 §7.2.3 and what must not pass for compressed.
#[test]
fn compressed_bytes() {
    let throng = Throng::start(&["--deflate", "--max-message", "2000"]);
    let good = "error invalid_json";
    let all = |payload: &[u8]| vec![frame(FIN | RSV1 | TEXT, payload)];
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00".as_slice();
    for (name, frames, expected) in [
        ("7.2.3.1 one block", all(hello), good),
        (
            "7.2.3.1 in two frames",
            vec![
                frame(RSV1 | TEXT, &hello[..3]),
                frame(FIN | CONTINUE, &hello[3..]),
            ],
            good,
        ),
        (
            "7.2.3.2 shares a window",
            all(b"\xf2\x00\x11\x00\x00"),
            "close 1007",
        ),
        (
            "7.2.3.3 stored",
            all(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
            good,
        ),
        (
            "7.2.3.4 final",
            all(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
            good,
        ),
        (
            "7.2.3.5 two blocks",
            all(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
            good,
        ),
        ("7.2.3.6 empty", all(b"\x00"), good),
        ("nothing", all(b""), "close 1007"),
        ("cut", all(&hello[..3]), "close 1007"),
        ("no block", all(b"\x06\x00"), "close 1007"),
        (
            "text that is no UTF-8",
            all(&deflated(b"\xCE\xBA\xED\xA0\x80")),
            "close 1007",
        ),
        (
            "binary",
            vec![frame(FIN | RSV1 | BINARY, hello)],
            "error unsupported_frame",
        ),
        (
            "bit set on a continuation",
            vec![
                frame(RSV1 | TEXT, &hello[..3]),
                frame(FIN | RSV1 | CONTINUE, &hello[3..]),
            ],
            "close 1002",
        ),
        (
            "bit set on a ping",
            vec![frame(FIN | RSV1 | PING, b"")],
            "close 1002",
        ),
        (
            "second bit",
            vec![frame(FIN | RSV1 | 0x20 | TEXT, hello)],
            "close 1002",
        ),
        ("as long as may be", all(&deflated(&[b' '; 2000])), good),
        ("a byte longer", all(&deflated(&[b' '; 2001])), "close 1009"),
        ("plain", vec![text("x")], good),
    ] {
        let mut peer = agreed(&throng);
        frames.iter().for_each(|frame| peer.send(frame));
        assert_eq!(peer.event(), expected, "{name}");
        if expected.starts_with("close") {
            assert_eq!(peer.event(), "end", "{name}");
        } else {
            peer.send(&text(echo("still there")));
            assert_eq!(peer.event(), "message still there", "{name}");
        }
    }
}

/// A MiB of zeros that stands alone, over and over: a GiB in a MB.
#[test]
fn a_bomb_ends_at_the_limit() {
    let throng = Throng::start(&["--deflate", "--max-message", "2000000"]);
    let mut compressor = Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(8192);
    compressor
        .compress_vec(&vec![b' '; 1 << 20], &mut block, FlushCompress::Full)
        .unwrap();
    let bomb = block.repeat(1024);
    for _ in 0..5 {
        let mut peer = agreed(&throng);
        peer.send(&frame(FIN | RSV1 | TEXT, &bomb));
        assert_eq!(peer.event(), "close 1009");
    }
    let peak = peak_memory(throng.id());
    assert!(peak < 64 << 20, "{peak} bytes");
}

/// The most memory that a process has had.
fn peak_memory(id: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

/// Who agreed on compression and who did not hear the same, and each in its own way.
#[test]
fn a_message_reaches_all_compressed_or_not() {
    let throng = Throng::start(&["--deflate"]);
    let mut plain = Peer::echoed(&throng);
    let mut compressed = agreed(&throng);
    let (mut small, _) = offering(&throng, "permessage-deflate; server_max_window_bits=9", 9);
    for size in [100, 1000, 10_000] {
        let (command, back) = echo_of(size);
        plain.send(&text(&command));
        for peer in [&mut plain, &mut compressed, &mut small] {
            assert!(peer.event() == format!("message {back}"), "{size}");
        }
    }
    assert_eq!((plain.inflated, compressed.inflated), (0, 3));
}
