//! - Misleading characters are refused, with their place.
//! - Every script, and emoji, are names.

use super::InvalidName;
use super::check_characters;

#[test]
fn what_misleads_is_refused() {
    for (text, expected) in [
        ("nora ", InvalidName::EdgeSpace { character: ' ' }),
        (" ", InvalidName::EdgeSpace { character: ' ' }),
        (
            "\u{A0}nora",
            InvalidName::EdgeSpace {
                character: '\u{A0}',
            },
        ),
        (
            "nora\n",
            InvalidName::ControlCharacter {
                at: 4,
                character: '\n',
            },
        ),
        (
            "no\u{1b}ra",
            InvalidName::ControlCharacter {
                at: 2,
                character: '\u{1b}',
            },
        ),
    ] {
        assert_eq!(check_characters(text), Err(expected), "{text:?}");
    }
    for character in [
        '\u{A0}',
        '\u{AD}',
        '\u{61C}',
        '\u{180E}',
        '\u{2003}',
        '\u{200B}',
        '\u{200C}',
        '\u{200D}',
        '\u{200E}',
        '\u{200F}',
        '\u{2028}',
        '\u{2029}',
        '\u{202A}',
        '\u{202E}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{3164}',
        '\u{FE0F}',
        '\u{FEFF}',
        '\u{E0041}',
        '\u{E0100}',
    ] {
        let found = check_characters(&format!("no{character}ra"));
        let expected = InvalidName::Misleading { at: 2, character };
        assert_eq!(found, Err(expected));
        let error = expected.to_string();
        let name = format!("U+{:04X} at byte 2", u32::from(character));
        assert!(error.contains(&name), "{error}");
    }
}

#[test]
fn every_script_and_emoji_are_names() {
    for text in [
        "nora",
        "a b",
        "order.placed",
        "$room.x",
        "\u{e9}lan",
        "\u{65e5}\u{672c}\u{3000}\u{8a9e}",
        "\u{5d0}\u{5d1}\u{5d2}",
        "\u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}",
        "\u{2764}\u{FE0F}",
        "\u{1F469}\u{200D}\u{1F467}",
        "\u{1F44D}\u{1F3FD}",
        "\u{1F1E9}\u{1F1EA}",
    ] {
        assert_eq!(check_characters(text), Ok(()), "{text}");
    }
}
