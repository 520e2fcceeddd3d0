//! Autobahn 7: the closing handshake.

use crate::binary::Throng;
use crate::conformance::CLOSE;
use crate::conformance::CONTINUE;
use crate::conformance::FIN;
use crate::conformance::PING;
use crate::conformance::TEXT;
use crate::conformance::close;
use crate::conformance::echo;
use crate::conformance::echo_of;
use crate::conformance::frame;
use crate::conformance::hold;
use crate::conformance::row;
use crate::conformance::text;

/// 7.1.1 to 7.1.6.
#[test]
fn after_a_close_nothing_is_heard() {
    let throng = Throng::start(&["--max-message", "300000"]);
    let bye = || close(1000, "");
    let (large, back) = echo_of(256 * 1024);
    hold(
        &throng,
        &[
            row(
                "7.1.1 a text before",
                [text(echo("a")), bye()],
                ["message a", "close 1000"],
            ),
            row("7.1.2 a second close", [bye(), bye()], ["close 1000"]),
            row(
                "7.1.3 a ping after",
                [bye(), frame(FIN | PING, b"")],
                ["close 1000"],
            ),
            row(
                "7.1.4 a text after",
                [bye(), text(echo("a"))],
                ["close 1000"],
            ),
            row(
                "7.1.5 amid a text, whose end comes after",
                [frame(TEXT, b"a"), bye(), frame(FIN | CONTINUE, b"b")],
                ["close 1000"],
            ),
            row(
                "7.1.6 a large text before, a ping after",
                [text(large), bye(), frame(FIN | PING, b"")],
                [format!("message {back}"), "close 1000".to_owned()],
            ),
            row(
                "what breaks the protocol after",
                [bye(), vec![0xFF; 10]],
                ["close 1000"],
            ),
        ],
    );
}

/// 7.3.1 to 7.5.1.
#[test]
fn close_payloads() {
    let throng = Throng::start(&[]);
    let longest = format!(":{}", "r".repeat(122));
    let too_long = format!("{longest}r");
    hold(
        &throng,
        &[
            row("7.3.1 empty", [frame(FIN | CLOSE, b"")], ["close"]),
            row("7.3.2 one byte", [frame(FIN | CLOSE, b"a")], ["close 1002"]),
            row("7.3.3 a code", [close(1000, "")], ["close 1000"]),
            row(
                "7.3.4 a reason",
                [close(1000, ":Hello")],
                ["close 1000:Hello"],
            ),
            row(
                "7.3.5 123 bytes",
                [close(1000, &longest)],
                [format!("close 1000{longest}")],
            ),
            row("7.3.6 124 bytes", [close(1000, &too_long)], ["close 1002"]),
            row("in parts", [frame(CLOSE, b"\x03\xE8")], ["close 1002"]),
            row(
                "7.5.1 not UTF-8",
                [close(1000, b":\xCE\xBA\xED\xA0\x80")],
                ["close 1007"],
            ),
            row(
                "ends in a character",
                [close(1000, b":\xCE")],
                ["close 1007"],
            ),
            row("UTF-8", [close(1000, ":κόσμε")], ["close 1000:κόσμε"]),
        ],
    );
}

/// 7.7.1 to 7.13.2: a code that may be sent is sent back, any other breaks the protocol.
#[test]
fn close_codes() {
    let throng = Throng::start(&[]);
    let valid = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ];
    let invalid = [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535,
    ];
    let valid = valid.map(|code| {
        let back = format!("close {code}:bye");
        row(format!("7.7 {code}"), [close(code, ":bye")], [back])
    });
    let invalid = invalid.map(|code| {
        row(
            format!("7.9, 7.13 {code}"),
            [close(code, ":bye")],
            ["close 1002"],
        )
    });
    hold(&throng, &valid);
    hold(&throng, &invalid);
}
