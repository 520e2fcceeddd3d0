//! Tests of cursors.

use proptest::prelude::*;

use super::Cursor;
use super::InvalidCursor;

proptest! {
    #[test]
    fn what_is_printed_is_read_again(id: u64, newer: bool) {
        let cursor = if newer { Cursor::Newer(id) } else { Cursor::Older(id) };
        let text = cursor.to_string();
        prop_assert_eq!(text.len(), 12);
        prop_assert_eq!(text.parse(), Ok(cursor));
    }

    #[test]
    fn what_is_read_is_printed_the_same(text in "\\PC{0,16}") {
        if let Ok(cursor) = text.parse::<Cursor>() {
            prop_assert_eq!(cursor.to_string(), text);
        }
    }
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        "12",
        "AAAAAAAAAAAA",
        "AwAAAAAAAAAA",
        "AQ==",
        "AQAAAAAAAAAAAA",
        "AQAAAAAAAA+/",
    ] {
        assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
    }
}
