//! Autobahn 6: text is UTF-8, and what is not is refused as soon as it shows.

use crate::binary::Throng;
use crate::conformance::BINARY;
use crate::conformance::CONTINUE;
use crate::conformance::Cut;
use crate::conformance::FIN;
use crate::conformance::TEXT;
use crate::conformance::echo;
use crate::conformance::fragments;
use crate::conformance::frame;
use crate::conformance::head;
use crate::conformance::hold;
use crate::conformance::hold_once;
use crate::conformance::peer::Peer;
use crate::conformance::row;
use crate::conformance::text;

/// 6.1.1 to 6.1.3, 6.2.1 to 6.2.4, 6.5 to 6.11, 6.15, 6.22, 6.23.
#[test]
fn valid_text() {
    let throng = Throng::start(&[]);
    let valid = [
        ("6.2", "Hello-µ@ßöäüàá-UTF-8!!"),
        ("6.5.1", "κόσμε"),
        (
            "6.7 the first of each length",
            "\u{1}\u{80}\u{800}\u{10000}",
        ),
        (
            "6.8 the last of each length",
            "\u{7F}\u{7FF}\u{FFFF}\u{10FFFF}",
        ),
        ("6.9 around the surrogates", "\u{D7FF}\u{E000}\u{FFFD}"),
        (
            "6.15, 6.22 non-characters",
            "\u{FFFE}\u{FFFF}\u{1FFFE}\u{1FFFF}\u{10FFFE}\u{FDD0}\u{FDEF}",
        ),
        (
            "6.23 replacement and specials",
            "\u{FFF9}\u{FFFA}\u{FFFB}\u{FFFC}\u{FFFD}",
        ),
    ];
    let mut rows = vec![
        row(
            "6.1.2 three empty parts",
            fragments(TEXT, [b"".as_slice(), b"", b""]),
            ["error invalid_json"],
        ),
        row(
            "6.1.3 empty parts around",
            fragments(TEXT, [b"".as_slice(), echo("middle").as_bytes(), b""]),
            ["message middle"],
        ),
        row("6.7.1 zero", [text("\0")], ["error invalid_json"]),
    ];
    for (name, valid) in valid {
        let back = format!("message {valid}");
        let command = echo(valid);
        rows.push(row(name, [text(&command)], [back.as_str()]));
        let bytes = fragments(TEXT, command.as_bytes().chunks(1));
        rows.push(row(format!("{name}, a byte a frame"), bytes, [back]));
    }
    hold(&throng, &rows);
}

/// 6.3, 6.6, 6.10, 6.12 to 6.14, 6.16 to 6.21: each with how many of its bytes show it.
const INVALID: [(&str, &[u8], usize); 24] = [
    (
        "6.3 a surrogate after text",
        b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xED\xA0\x80edited",
        9,
    ),
    ("6.6 a character cut by another", b"\xCE\xBA\xE1\xBDx", 5),
    ("6.10.1 the first beyond the last", b"\xF4\x90\x80\x80", 2),
    ("6.10.2 five bytes", b"\xF8\x88\x80\x80\x80", 1),
    ("6.10.3 six bytes", b"\xFC\x84\x80\x80\x80\x80", 1),
    ("6.12.1 the first continuation", b"\x80", 1),
    ("6.12.2 the last continuation", b"\xBF", 1),
    ("6.12.3 two continuations", b"\x80\xBF", 1),
    ("6.12.8 all continuations", b"\x80\x81\x82\x83\xBE\xBF", 1),
    ("6.13.1 starts of two, apart", b"\xC2 \xDF ", 2),
    ("6.13.2 starts of three, apart", b"\xE0 \xEF ", 2),
    ("6.13.3 starts of four, apart", b"\xF0 \xF4 ", 2),
    ("6.14.1 two without the last", b"\xC3x", 2),
    ("6.14.2 three without the last", b"\xE1\x80x", 3),
    ("6.14.3 four without the last", b"\xF1\x80\x80x", 4),
    ("6.16.1 never a byte", b"\xFE", 1),
    ("6.16.2 never a byte either", b"\xFF", 1),
    ("6.17.1 a slash in two", b"\xC0\xAF", 1),
    ("6.17.2 a slash in three", b"\xE0\x80\xAF", 2),
    ("6.17.3 a slash in four", b"\xF0\x80\x80\xAF", 2),
    ("6.18 the last that needs fewer", b"\xF0\x8F\xBF\xBF", 2),
    ("6.19 zero in two", b"\xC0\x80", 1),
    ("6.20 the first surrogate", b"\xED\xA0\x80", 2),
    ("6.21 a pair of surrogates", b"\xED\xAF\xBF\xED\xBF\xBF", 2),
];

#[test]
fn invalid_text() {
    let throng = Throng::start(&[]);
    let mut rows = Vec::new();
    for (name, invalid, _) in INVALID {
        rows.extend([
            row(name, [text(invalid)], ["close 1007"]),
            row(
                format!("{name}, a byte a frame"),
                fragments(TEXT, invalid.chunks(1)),
                ["close 1007"],
            ),
            row(
                format!("{name}, as binary"),
                [frame(FIN | BINARY, invalid)],
                ["error unsupported_frame"],
            ),
        ]);
    }
    for cut in ["\u{E9}", "\u{20AC}", "\u{1F600}"] {
        let cut = &cut.as_bytes()[..cut.len() - 1];
        rows.push(row(
            format!("{cut:?} at the end"),
            [text(cut)],
            ["close 1007"],
        ));
        rows.push(row(
            format!("{cut:?} at the end of the last part"),
            [frame(TEXT, cut), frame(FIN | CONTINUE, b"")],
            ["close 1007"],
        ));
    }
    hold(&throng, &rows);
}

/// 6.4.1 to 6.4.4: neither the end of the message nor that of the frame is waited for.
#[test]
fn invalid_text_is_refused_at_once() {
    let throng = Throng::start(&[]);
    for (name, invalid, shows) in INVALID {
        let shown = &invalid[..shows];
        let unfinished = [head(FIN | TEXT, 1000), shown.to_vec()].concat();
        for (name, frames) in [
            (
                format!("{name}, in a part"),
                vec![frame(TEXT, b"valid"), frame(CONTINUE, shown)],
            ),
            (format!("{name}, amid a frame"), vec![unfinished.clone()]),
            (
                format!("{name}, amid a part"),
                vec![frame(TEXT, b"\xCE\xBA"), unfinished_part(shown)],
            ),
        ] {
            let row = row(name, frames, ["close 1007"]);
            for cut in [Cut::Whole, Cut::Frames, Cut::Pieces] {
                hold_once(Peer::echoed(&throng), &row, cut);
            }
        }
    }
}

fn unfinished_part(shown: &[u8]) -> Vec<u8> {
    [head(FIN | CONTINUE, 1000), shown.to_vec()].concat()
}
