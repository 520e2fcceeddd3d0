//! Autobahn 1 to 4: framing, pings, reserved bits, opcodes.

use crate::binary::Throng;
use crate::conformance::BINARY;
use crate::conformance::CLOSE;
use crate::conformance::FIN;
use crate::conformance::PING;
use crate::conformance::PONG;
use crate::conformance::RSV1;
use crate::conformance::TEXT;
use crate::conformance::echo;
use crate::conformance::echo_of;
use crate::conformance::frame;
use crate::conformance::hold;
use crate::conformance::row;
use crate::conformance::text;

/// 1.1.1 to 1.2.8, and the ways to write a length.
#[test]
fn framing() {
    let throng = Throng::start(&["--max-message", "70000"]);
    let mut rows = vec![
        row("1.1.1 an empty text", [text("")], ["error invalid_json"]),
        row(
            "1.2.1 an empty binary",
            [frame(FIN | BINARY, b"")],
            ["error unsupported_frame"],
        ),
    ];
    for size in [125, 126, 127, 128, 65535, 65536] {
        let (command, back) = echo_of(size);
        rows.push(row(
            format!("1.1 a text of {size} bytes"),
            [text(command)],
            [format!("message {back}")],
        ));
        rows.push(row(
            format!("1.2 a binary of {size} bytes"),
            [frame(FIN | BINARY, &vec![0xFE; size])],
            ["error unsupported_frame"],
        ));
    }
    let ping = br#"{"id":"u","type":"ping"}"#;
    let len = u8::try_from(ping.len()).unwrap();
    let with_head = |head: &[u8]| [head, ping.as_slice()].concat();
    rows.extend([
        row(
            "a mask of zeros",
            [with_head(&[0x81, 0x80 | len, 0, 0, 0, 0])],
            ["reply u"],
        ),
        row("no mask", [with_head(&[0x81, len])], ["close 1002"]),
        row("no mask and no payload", [vec![0x89, 0]], ["close 1002"]),
        row(
            "16 bits for a short length",
            [with_head(&[0x81, 0x80 | 126, 0, len, 0, 0, 0, 0])],
            ["close 1002"],
        ),
        row(
            "64 bits for a short length",
            [with_head(&[
                0x81,
                0x80 | 127,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                len,
                0,
                0,
                0,
                0,
            ])],
            ["close 1002"],
        ),
        row(
            "the highest of 64 bits set",
            [with_head(&[
                0x81,
                0x80 | 127,
                0x80,
                0,
                0,
                0,
                0,
                0,
                0,
                len,
                0,
                0,
                0,
                0,
            ])],
            ["close 1002"],
        ),
    ]);
    hold(&throng, &rows);
}

/// 2.1 to 2.11.
#[test]
fn pings() {
    let throng = Throng::start(&[]);
    let ping = |payload: &[u8]| frame(FIN | PING, payload);
    let pong = |payload: &[u8]| frame(FIN | PONG, payload);
    let longest = [b'*'; 125];
    let ten = (0..10).map(|n| format!("payload-{n}"));
    let ten_pings: Vec<_> = ten
        .clone()
        .map(|payload| ping(payload.as_bytes()))
        .collect();
    let binary = b"\x00\xFF\xFE\xFD\xFC\xFB\x00\xFF";
    let longest_back = format!("pong {}", longest.escape_ascii());
    hold(
        &throng,
        &[
            row("2.1 without payload", [ping(b"")], ["pong "]),
            row(
                "2.2 with payload",
                [ping(b"Hello, world!")],
                ["pong Hello, world!"],
            ),
            row(
                "2.3 with binary payload",
                [ping(binary)],
                [format!("pong {}", binary.escape_ascii())],
            ),
            row(
                "2.4, 2.6 with 125 bytes",
                [ping(&longest)],
                [longest_back.as_str()],
            ),
            row("2.5 with 126 bytes", [ping(&[0xFE; 126])], ["close 1002"]),
            row("2.7 unsolicited pong", [pong(b"")], [""; 0]),
            row(
                "2.8 unsolicited pong with payload",
                [pong(b"unsolicited")],
                [""; 0],
            ),
            row(
                "2.9 unsolicited pong, then ping",
                [pong(b"unsolicited"), ping(b"ping")],
                ["pong ping"],
            ),
            row(
                "a pong with 126 bytes",
                [pong(&[0xFE; 126])],
                ["close 1002"],
            ),
            row(
                "2.10, 2.11 ten pings",
                ten_pings,
                ten.map(|payload| format!("pong {payload}")),
            ),
        ],
    );
}

/// 3.1 to 3.7: each reserved bit with each opcode, at once and after what is good.
#[test]
fn reserved_bits() {
    let throng = Throng::start(&[]);
    let mut rows = Vec::new();
    for bits in [RSV1, 0x20, 0x30, 0x10, 0x50, 0x60, 0x70] {
        for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
            let bad = frame(FIN | bits | opcode, b"");
            let name = format!("3 bits {bits:#x}, opcode {opcode}");
            rows.push(row(name.clone(), [bad.clone()], ["close 1002"]));
            let after = [text(echo("good")), bad, frame(FIN | PING, b"")];
            rows.push(row(
                name + ", after a text",
                after,
                ["message good", "close 1002"],
            ));
        }
    }
    hold(&throng, &rows);
}

/// 4.1.1 to 4.2.5: each reserved opcode, without and with payload, at once and after what is good.
#[test]
fn opcodes() {
    let throng = Throng::start(&[]);
    let mut rows = Vec::new();
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in ["", "reserved opcode payload"] {
            let bad = frame(FIN | opcode, payload.as_bytes());
            let name = format!("4 opcode {opcode}, payload {payload:?}");
            rows.push(row(name.clone(), [bad.clone()], ["close 1002"]));
            let after = [text(echo("good")), bad, frame(FIN | PING, b"")];
            rows.push(row(
                name + ", after a text",
                after,
                ["message good", "close 1002"],
            ));
        }
    }
    hold(&throng, &rows);
}
