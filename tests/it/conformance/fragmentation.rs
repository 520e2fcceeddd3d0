//! Autobahn 5 and 10: fragments, by hand and of any size.

use crate::binary::Throng;
use crate::conformance::BINARY;
use crate::conformance::CONTINUE;
use crate::conformance::FIN;
use crate::conformance::PING;
use crate::conformance::PONG;
use crate::conformance::TEXT;
use crate::conformance::echo;
use crate::conformance::echo_of;
use crate::conformance::fragments;
use crate::conformance::frame;
use crate::conformance::hold;
use crate::conformance::row;
use crate::conformance::text;

/// The command in `count` fragments with these control frames between them.
fn parted(command: &str, count: usize, between: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let size = command.len().div_ceil(count);
    let parts = fragments(TEXT, command.as_bytes().chunks(size));
    let mut frames = Vec::new();
    for (n, part) in parts.into_iter().enumerate() {
        if n > 0 {
            frames.extend_from_slice(between);
        }
        frames.push(part);
    }
    frames
}

/// 5.1 to 5.20.
#[test]
fn fragmentation() {
    let throng = Throng::start(&[]);
    let ping = |payload: &[u8]| frame(FIN | PING, payload);
    let hello = echo("fragment1fragment2");
    let end = |payload: &[u8]| frame(FIN | CONTINUE, payload);
    let part = |payload: &[u8]| frame(CONTINUE, payload);
    let mut rows = vec![
        row(
            "5.1 a ping in two",
            [frame(PING, b"a"), end(b"b")],
            ["close 1002"],
        ),
        row(
            "5.2 a pong in two",
            [frame(PONG, b"a"), end(b"b")],
            ["close 1002"],
        ),
        row(
            "5.3 to 5.5 a text in two",
            parted(&hello, 2, &[]),
            ["message fragment1fragment2"],
        ),
        row(
            "5.6 to 5.8 a ping amid a text",
            parted(&hello, 2, &[ping(b"ping payload")]),
            ["pong ping payload", "message fragment1fragment2"],
        ),
        row(
            "a pong amid a text",
            parted(&hello, 2, &[frame(FIN | PONG, b"")]),
            ["message fragment1fragment2"],
        ),
        row(
            "a binary in three",
            fragments(BINARY, [b"a".as_slice(), b"b", b"c"]),
            ["error unsupported_frame"],
        ),
        row(
            "5.15 a text in two, then a part of nothing, then a text",
            [
                parted(&hello, 2, &[]),
                vec![part(b"stray"), text(echo("never"))],
            ]
            .concat(),
            ["message fragment1fragment2", "close 1002"],
        ),
        row(
            "5.18 a text begun twice",
            [frame(TEXT, b"fragment1"), text("fragment2")],
            ["close 1002"],
        ),
        row(
            "a binary amid a text",
            [frame(TEXT, b"fragment1"), frame(BINARY, b"fragment2")],
            ["close 1002"],
        ),
        row(
            "5.19, 5.20 a text in five with pings between",
            parted(&hello, 5, &[ping(b"1"), ping(b"2")]),
            ["pong 1", "pong 2"]
                .repeat(4)
                .into_iter()
                .chain(["message fragment1fragment2"]),
        ),
    ];
    for (cases, stray) in [
        ("5.9 to 5.11, 5.17", end(b"non-continuation")),
        ("5.12 to 5.14, 5.16", part(b"non-continuation")),
    ] {
        rows.extend([
            row(
                format!("{cases} a continuation of nothing, then a text"),
                [stray.clone(), text(echo("never"))],
                ["close 1002"],
            ),
            row(
                format!("{cases} a continuation of a text that is over"),
                [text(echo("whole")), stray],
                ["message whole", "close 1002"],
            ),
        ]);
    }
    hold(&throng, &rows);
}

/// 10.1, and a fragment for every size that has a boundary.
#[test]
fn automatic_fragmentation() {
    let throng = Throng::start(&["--max-message", "70000"]);
    let (command, back) = echo_of(65536);
    let rows: Vec<_> = [1, 125, 126, 127, 1300, 65535, 65536]
        .map(|size| {
            // A byte for a frame is slow enough with a short one.
            let (command, back) = if size == 1 {
                echo_of(500)
            } else {
                (command.clone(), back.clone())
            };
            row(
                format!("10.1 fragments of {size} bytes"),
                fragments(TEXT, command.as_bytes().chunks(size)),
                [format!("message {back}")],
            )
        })
        .into();
    hold(&throng, &rows);
}
