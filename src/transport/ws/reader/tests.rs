//! - Every rule of RFC 6455 §5, §7.4 and §8.1 on what a client may send, a row for each.
//! - However the bytes are split, the events are the same.
//! - What lies whole in the input is borrowed from it; what does not takes no more memory than
//!   what has come of it, and gives it back.

use std::mem::size_of;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::prop_assert_eq;
use proptest::prop_oneof;
use proptest::proptest;
use proptest::strategy::Just;
use proptest::strategy::Strategy;
use proptest::test_runner::Config as ProptestConfig;

use super::*;

const LIMITS: ReaderLimits = ReaderLimits {
    max_frame: 1000,
    max_message: 2000,
};

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const CONTINUE: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A masked frame whose first byte is this, its length in the shortest form.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len();
    let mut bytes = head(first, len);
    let mask = [0xA1, 0x52, 0x03, 0xF4];
    bytes.extend_from_slice(&mask);
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

/// The head of a masked frame, but for the mask.
fn head(first: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![first];
    match len {
        0..126 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes
}

fn close_frame(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// Stands for RFC 7692: a message that inflates to twice itself.
fn twice(payload: &[u8], max: usize) -> Result<Vec<u8>, Violation> {
    let inflated = [payload, payload].concat();
    (inflated.len() <= max)
        .then_some(inflated)
        .ok_or(Violation::MESSAGE_TOO_LARGE)
}

/// All events up to the end or the first violation; the input in pieces of these sizes, the rest
/// in one.
fn read(mut reader: Reader, bytes: &[u8], pieces: &[usize]) -> Vec<String> {
    let mut events = Vec::new();
    let mut bytes = bytes;
    let pieces = pieces.iter().copied().chain([usize::MAX]);
    for piece in pieces {
        let (piece, rest) = bytes.split_at(piece.min(bytes.len()));
        bytes = rest;
        let mut piece = piece.to_vec();
        let mut input = piece.as_mut_slice();
        loop {
            match reader.next(&mut input) {
                Ok(Some(received)) => events.push(describe(&received)),
                Ok(None) => break,
                Err(violation) => {
                    events.push(format!("{} {}", violation.code, violation.reason));
                    return events;
                }
            }
        }
        assert!(input.is_empty());
    }
    events
}

/// The event, and not whether it is borrowed.
fn describe(received: &Received<'_>) -> String {
    let bytes = |name, bytes: &[u8]| format!("{name} {}", bytes.escape_ascii());
    match received {
        Received::Binary(payload) => bytes("binary", payload),
        Received::Close(why) => format!("close {why:?}"),
        Received::Ping(payload) => bytes("ping", payload),
        Received::Pong(payload) => bytes("pong", payload),
        Received::Text(text) => format!("text {text}"),
    }
}

fn reader() -> Reader {
    Reader::new(LIMITS, None)
}

#[track_caller]
fn check(name: &str, bytes: &[u8], expected: &[&str]) {
    assert_eq!(read(reader(), bytes, &[]), expected, "{name}");
    let single = vec![1; bytes.len()];
    assert_eq!(
        read(reader(), bytes, &single),
        expected,
        "{name}, byte by byte"
    );
}

#[test]
fn what_a_client_may_send_is_received() {
    let long = "x".repeat(126);
    let longest = "y".repeat(1000);
    for (name, bytes, expected) in [
        ("nothing", vec![], vec![]),
        (
            "a text",
            frame(FIN | TEXT, b"hi"),
            vec!["text hi".to_owned()],
        ),
        (
            "an empty text",
            frame(FIN | TEXT, b""),
            vec!["text ".to_owned()],
        ),
        (
            "an empty binary",
            frame(FIN | BINARY, b""),
            vec!["binary ".to_owned()],
        ),
        (
            "a binary",
            frame(FIN | BINARY, b"\xFF\0"),
            vec!["binary \\xff\\x00".to_owned()],
        ),
        (
            "16 bits of length",
            frame(FIN | TEXT, long.as_bytes()),
            vec![format!("text {long}")],
        ),
        (
            "the longest frame",
            frame(FIN | TEXT, longest.as_bytes()),
            vec![format!("text {longest}")],
        ),
        ("a ping", frame(FIN | PING, b"p"), vec!["ping p".to_owned()]),
        (
            "an empty ping",
            frame(FIN | PING, b""),
            vec!["ping ".to_owned()],
        ),
        (
            "the longest ping",
            frame(FIN | PING, &long.as_bytes()[..125]),
            vec![format!("ping {}", &long[..125])],
        ),
        (
            "a pong that nobody asked for",
            frame(FIN | PONG, b"q"),
            vec!["pong q".to_owned()],
        ),
        (
            "a message in parts, one of them empty",
            [
                frame(TEXT, b"a"),
                frame(CONTINUE, b""),
                frame(FIN | CONTINUE, b"b"),
            ]
            .concat(),
            vec!["text ab".to_owned()],
        ),
        (
            "a message in parts that are all empty",
            [
                frame(TEXT, b""),
                frame(CONTINUE, b""),
                frame(FIN | CONTINUE, b""),
            ]
            .concat(),
            vec!["text ".to_owned()],
        ),
        (
            "control frames amid a message",
            [
                frame(BINARY, b"a"),
                frame(FIN | PING, b"1"),
                frame(CONTINUE, b"b"),
                frame(FIN | PONG, b"2"),
                frame(FIN | CONTINUE, b"c"),
            ]
            .concat(),
            vec![
                "ping 1".to_owned(),
                "pong 2".to_owned(),
                "binary abc".to_owned(),
            ],
        ),
        (
            "a character in two parts",
            [frame(TEXT, b"\xC3"), frame(FIN | CONTINUE, b"\xA9")].concat(),
            vec!["text é".to_owned()],
        ),
        (
            "several messages",
            [
                frame(FIN | TEXT, b"a"),
                frame(FIN | BINARY, b"b"),
                frame(FIN | TEXT, b"c"),
            ]
            .concat(),
            vec![
                "text a".to_owned(),
                "binary b".to_owned(),
                "text c".to_owned(),
            ],
        ),
        (
            "the longest message",
            [
                frame(TEXT, longest.as_bytes()),
                frame(FIN | CONTINUE, longest.as_bytes()),
            ]
            .concat(),
            vec![format!("text {longest}{longest}")],
        ),
    ] {
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        check(name, &bytes, &expected);
    }
}

#[test]
fn what_a_client_may_not_send_is_a_violation() {
    let after_a_text = |bytes: Vec<u8>| [frame(TEXT, b"a"), bytes].concat();
    for (name, bytes, expected) in [
        ("no mask", b"\x81\x01a".to_vec(), "1002 frame not masked"),
        (
            "no mask, no payload",
            b"\x89\x00".to_vec(),
            "1002 frame not masked",
        ),
        (
            "first reserved bit",
            frame(FIN | RSV1 | TEXT, b""),
            "1002 reserved bit set",
        ),
        (
            "second reserved bit",
            frame(FIN | 0x20 | TEXT, b""),
            "1002 reserved bit set",
        ),
        (
            "third reserved bit",
            frame(FIN | 0x10 | TEXT, b""),
            "1002 reserved bit set",
        ),
        (
            "reserved bit of a ping",
            frame(FIN | RSV1 | PING, b""),
            "1002 reserved bit set",
        ),
        (
            "reserved bit of a close",
            frame(FIN | 0x10 | CLOSE, b""),
            "1002 reserved bit set",
        ),
        (
            "reserved bit of a continuation",
            after_a_text(frame(FIN | RSV1 | CONTINUE, b"")),
            "1002 reserved bit set",
        ),
        (
            "ping in parts",
            frame(PING, b""),
            "1002 fragmented control frame",
        ),
        (
            "close in parts",
            frame(CLOSE, b""),
            "1002 fragmented control frame",
        ),
        (
            "long ping",
            frame(FIN | PING, &[0; 126]),
            "1002 control frame longer than 125 bytes",
        ),
        (
            "16 bits too many",
            b"\x81\xFE\x00\x7Dmask".to_vec(),
            "1002 malformed length",
        ),
        (
            "64 bits too many",
            b"\x81\xFF\0\0\0\0\0\0\xFF\xFFmask".to_vec(),
            "1002 malformed length",
        ),
        (
            "negative length",
            b"\x81\xFF\x80\0\0\0\0\0\0\0mask".to_vec(),
            "1002 malformed length",
        ),
        (
            "stray end",
            frame(FIN | CONTINUE, b"a"),
            "1002 continuation of no message",
        ),
        (
            "stray part",
            frame(CONTINUE, b"a"),
            "1002 continuation of no message",
        ),
        (
            "text amid a text",
            after_a_text(frame(FIN | TEXT, b"b")),
            "1002 new message amid an unfinished one",
        ),
        (
            "binary amid a text",
            after_a_text(frame(BINARY, b"b")),
            "1002 new message amid an unfinished one",
        ),
        (
            "half a code",
            frame(FIN | CLOSE, b"\x03"),
            "1002 close frame of one byte",
        ),
        (
            "reason that is not UTF-8",
            close_frame(1000, b"\xC3\x28"),
            "1007 close reason is not UTF-8",
        ),
        (
            "large frame",
            head(FIN | TEXT, 1001),
            "1009 frame too large",
        ),
        (
            "huge frame",
            head(FIN | BINARY, usize::MAX >> 1),
            "1009 frame too large",
        ),
    ] {
        // The head alone may be enough; a mask makes it whole.
        let bytes = [bytes, b"mask".to_vec()].concat();
        check(name, &bytes, &[expected]);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check(
            "opcode",
            &frame(FIN | opcode, b""),
            &["1002 reserved opcode"],
        );
    }
}

#[test]
fn a_message_in_parts_is_limited_as_a_whole() {
    let part = [b'x'; 1000];
    let two = [frame(TEXT, &part), frame(CONTINUE, &part)].concat();
    check("as much as may be", &two, &[]);
    // The head of the third part is enough.
    let more = [two, head(FIN | CONTINUE, 1), b"mask".to_vec()].concat();
    check("one more", &more, &["1009 message too large"]);
}

#[test]
fn every_close_code_is_allowed_or_not() {
    let allowed = [1000..=1003, 1007..=1014, 3000..=4999];
    for code in (0..=5100).chain([u16::MAX]) {
        let is_allowed = allowed.iter().any(|range| range.contains(&code));
        let expected = if is_allowed {
            format!(r#"close Some(({code}, "bye"))"#)
        } else {
            "1002 close code not allowed".to_owned()
        };
        assert_eq!(read(reader(), &close_frame(code, b"bye"), &[]), [expected]);
    }
    check("no code", &frame(FIN | CLOSE, b""), &["close None"]);
    let reason = "r".repeat(123);
    let expected = format!(r#"close Some((1000, "{reason}"))"#);
    check(
        "longest reason",
        &close_frame(1000, reason.as_bytes()),
        &[&expected],
    );
}

/// Each with how many of its bytes show that it is wrong.
const NOT_UTF8: [(&[u8], usize); 12] = [
    (b"\xCE\xBA\xED\xA0\x80z", 4),
    (b"\xF4\x90\x80\x80", 2),
    (b"\x80", 1),
    (b"a\xBFb", 2),
    (b"\xC0\xAF", 1),
    (b"\xC1\xBF", 1),
    (b"\xE0\x80\xAF", 2),
    (b"\xF0\x80\x80\xAF", 2),
    (b"\xF5\x80\x80\x80", 1),
    (b"\xFE", 1),
    (b"\xFF", 1),
    (b"\xE1\x80a", 3),
];

#[test]
fn text_that_is_not_utf8_is_a_violation_as_soon_as_it_shows() {
    for (text, shows) in NOT_UTF8 {
        for first in [FIN | TEXT, TEXT] {
            check("whole", &frame(first, text), &["1007 text is not UTF-8"]);
            let long = frame(first, &[text, [b'x'; 100].as_slice()].concat());
            let start = long.len() - text.len() - 100;
            check("not yet", &long[..start + shows - 1], &[]);
            check("now", &long[..start + shows], &["1007 text is not UTF-8"]);
        }
        check("binary", &frame(BINARY, text), &[]);
    }
    let unfinished = [frame(TEXT, "é".as_bytes()), frame(FIN | CONTINUE, b"\xC3")].concat();
    check(
        "ends in a character",
        &unfinished,
        &["1007 text is not UTF-8"],
    );
    check(
        "ends in a character",
        &frame(FIN | TEXT, b"\xE2\x82"),
        &["1007 text is not UTF-8"],
    );
}

#[test]
fn a_compressed_message_is_inflated_as_a_whole() {
    let parts = [
        frame(RSV1 | TEXT, b"\xC3"),
        frame(FIN | PING, b""),
        frame(FIN | CONTINUE, b"\xA9"),
        frame(FIN | TEXT, b"plain"),
        frame(FIN | RSV1 | BINARY, b"ab"),
    ]
    .concat();
    let inflating = || Reader::new(LIMITS, Some(twice));
    assert_eq!(
        read(inflating(), &parts, &[]),
        ["ping ", "text éé", "text plain", "binary abab"]
    );
    let not_inflated_yet = frame(RSV1 | TEXT, b"\xFF");
    assert_eq!(read(inflating(), &not_inflated_yet, &[]), [""; 0]);
    let bomb = [
        frame(RSV1 | BINARY, &[0; 1000]),
        frame(FIN | CONTINUE, &[0]),
    ]
    .concat();
    assert_eq!(read(inflating(), &bomb, &[]), ["1009 message too large"]);
    let continued = [frame(RSV1 | TEXT, b""), frame(FIN | RSV1 | CONTINUE, b"")].concat();
    assert_eq!(
        read(inflating(), &continued, &[]),
        ["1002 reserved bit set"]
    );
    let grown = [
        frame(RSV1 | BINARY, &[0; 1000]),
        frame(CONTINUE, &[0; 1000]),
    ]
    .concat();
    let most = [
        grown.clone(),
        head(CONTINUE, 2000 / 8 + 64),
        b"mask".to_vec(),
    ]
    .concat();
    assert_eq!(read(inflating(), &most, &[]), [""; 0]);
    let more = [grown, head(CONTINUE, 2000 / 8 + 65), b"mask".to_vec()].concat();
    assert_eq!(read(inflating(), &more, &[]), ["1009 message too large"]);
}

#[test]
fn what_is_whole_is_borrowed() {
    let mut bytes = [
        frame(FIN | TEXT, b"text"),
        frame(FIN | BINARY, b"binary"),
        frame(FIN | PING, b"ping"),
    ]
    .concat();
    let mut input = bytes.as_mut_slice();
    let mut reader = reader();
    for _ in 0..3 {
        let received = reader.next(&mut input).unwrap().unwrap();
        let is_borrowed = match received {
            Received::Text(text) => matches!(text, Cow::Borrowed(_)),
            Received::Binary(bytes) | Received::Ping(bytes) => matches!(bytes, Cow::Borrowed(_)),
            Received::Close(_) | Received::Pong(_) => false,
        };
        assert!(is_borrowed);
    }
}

#[test]
fn memory_is_what_has_come_and_is_given_back() {
    assert!(size_of::<Reader>() <= 128, "{}", size_of::<Reader>());
    let limits = ReaderLimits {
        max_frame: 1 << 30,
        max_message: 1 << 30,
    };
    let mut reader = Reader::new(limits, None);
    let mut announced = [head(FIN | BINARY, 1 << 30), b"mask".to_vec()].concat();
    assert_eq!(reader.next(&mut announced.as_mut_slice()), Ok(None));
    assert_eq!(reader.held(), 0, "what is announced costs nothing");
    for came in 1..=10_000 {
        assert_eq!(reader.next(&mut [0].as_mut_slice()), Ok(None));
        assert!(reader.held() <= 2 * came, "{} for {came}", reader.held());
    }

    let mut reader = self::reader();
    for part in [
        &frame(TEXT, &[b'x'; 1000]),
        &frame(FIN | CONTINUE, &[b'x'; 1000]),
    ] {
        for byte in part {
            let mut byte = [*byte];
            drop(reader.next(&mut byte.as_mut_slice()).unwrap());
            assert!(reader.held() <= LIMITS.max_message);
        }
        for byte in frame(FIN | PING, &[0; 125]) {
            let mut byte = [byte];
            drop(reader.next(&mut byte.as_mut_slice()).unwrap());
            assert!(reader.held() <= LIMITS.max_message + 256);
        }
    }
    assert_eq!(reader.held(), 0, "an idle reader holds nothing");
}

/// A frame that a client may send or may not, with text, text that is cut, or any bytes in it.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => proptest::sample::select(vec![
            FIN | TEXT, TEXT, FIN | BINARY, BINARY, CONTINUE, FIN | CONTINUE,
            FIN | PING, FIN | PONG, FIN | RSV1 | TEXT, RSV1 | BINARY,
        ]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "\\PC{0,60}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..10),
        1 => Just(vec![b'x'; 126]),
        1 => Just(vec![0xC3]),
        1 => Just(vec![0xA9]),
        1 => Just(vec![b'x'; 1000]),
    ];
    (first, payload).prop_map(|(first, payload)| frame(first, &payload))
}

proptest! {
    // Nothing is written into the tree; a failure prints the input it was found with.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn splits_make_no_difference(
        frames in vec(any_frame(), 0..8),
        pieces in vec(0..40_usize, 0..60),
        inflates in any::<bool>(),
    ) {
        let bytes = frames.concat();
        let reader = || Reader::new(LIMITS, inflates.then_some(twice as Inflate));
        let whole = read(reader(), &bytes, &[]);
        prop_assert_eq!(&read(reader(), &bytes, &pieces), &whole);
        prop_assert_eq!(&read(reader(), &bytes, &vec![1; bytes.len()]), &whole);
    }

    #[test]
    fn any_bytes_are_read_the_same_however_they_are_split(
        bytes in vec(any::<u8>(), 0..200),
        pieces in vec(0..9_usize, 0..60),
    ) {
        prop_assert_eq!(read(reader(), &bytes, &pieces), read(reader(), &bytes, &[]));
    }
}
