//! Autobahn 9: large messages, and the limits that end them.

use crate::binary::Throng;
use crate::conformance::BINARY;
use crate::conformance::CONTINUE;
use crate::conformance::FIN;
use crate::conformance::TEXT;
use crate::conformance::echo_of;
use crate::conformance::fragments;
use crate::conformance::frame;
use crate::conformance::head;
use crate::conformance::hold;
use crate::conformance::peer::Peer;
use crate::conformance::row;
use crate::conformance::text;

const MIB: usize = 1 << 20;

/// 9.1.1 to 9.6.6.
#[test]
fn large_messages() {
    let throng = Throng::start(&[
        "--max-message",
        "4194304",
        "--max-payload",
        "4194304",
        "--outbox-bytes",
        "8388608",
    ]);
    let mut rows = Vec::new();
    for size in [64 << 10, 256 << 10, MIB, 4 * MIB] {
        let (command, back) = echo_of(size);
        rows.extend([
            row(
                format!("9.1 a text of {size}"),
                [text(command)],
                [format!("message {back}")],
            ),
            row(
                format!("9.2 a binary of {size}"),
                [frame(FIN | BINARY, &vec![0; size])],
                ["error unsupported_frame"],
            ),
        ]);
    }
    let (command, back) = echo_of(MIB);
    for part in [64, 256, 1024, 4096, 16384, 65536, MIB] {
        rows.extend([
            row(
                format!("9.3, 9.5 a text of 1 MiB in parts of {part}"),
                fragments(TEXT, command.as_bytes().chunks(part)),
                [format!("message {back}")],
            ),
            row(
                format!("9.4, 9.6 a binary of 1 MiB in parts of {part}"),
                fragments(BINARY, vec![0; MIB].chunks(part)),
                ["error unsupported_frame"],
            ),
        ]);
    }
    hold(&throng, &rows);
}

/// 9.7 and 9.8: a thousand there and back, of each size.
#[test]
fn many_messages() {
    let throng = Throng::start(&[]);
    for size in [64, 256, 1024, 4096, 16384, 65536] {
        let (command, back) = echo_of(size);
        let mut peer = Peer::echoed(&throng);
        for n in 0..1000 {
            peer.send(&text(&command));
            assert!(peer.event() == format!("message {back}"), "{n} of {size}");
            if n % 10 == 0 {
                peer.send(&frame(FIN | BINARY, command.as_bytes()));
                assert_eq!(peer.event(), "error unsupported_frame");
            }
        }
    }
}

#[test]
fn limits() {
    let throng = Throng::start(&["--max-message", "2000", "--max-frame", "1000"]);
    let (longest, back) = echo_of(2000);
    let (frame_full, frame_back) = echo_of(1000);
    let part = vec![b' '; 1000];
    let two = || vec![frame(TEXT, &part), frame(CONTINUE, &part)];
    let and = |mut frames: Vec<Vec<u8>>, last: Vec<u8>| {
        frames.push(last);
        frames
    };
    hold(
        &throng,
        &[
            row(
                "as long as a frame may be",
                [text(frame_full)],
                [format!("message {frame_back}")],
            ),
            row("a byte longer", [text(vec![b' '; 1001])], ["close 1009"]),
            row(
                "a byte longer, of binary",
                [frame(FIN | BINARY, &[0; 1001])],
                ["close 1009"],
            ),
            row(
                "as long as a message may be",
                fragments(TEXT, longest.as_bytes().chunks(1000)),
                [format!("message {back}")],
            ),
            row(
                "a byte longer, in the last",
                and(two(), frame(FIN | CONTINUE, b" ")),
                ["close 1009"],
            ),
            row(
                "a byte longer, in a part",
                and(two(), frame(CONTINUE, b" ")),
                ["close 1009"],
            ),
            row(
                "nothing more",
                and(two(), frame(FIN | CONTINUE, b"")),
                ["error invalid_json"],
            ),
            row(
                "a frame only announced",
                [head(FIN | TEXT, 1001)],
                ["close 1009"],
            ),
            row(
                "all memory announced",
                [head(FIN | BINARY, u64::MAX >> 1)],
                ["close 1009"],
            ),
            row(
                "a part only announced",
                and(two(), head(FIN | CONTINUE, 1)),
                ["close 1009"],
            ),
        ],
    );
}
