//! Any text is a cursor or is none; one that is, is written in one way only.

#![no_main]

use libfuzzer_sys::fuzz_target;
use throng::messages::Cursor;

fuzz_target!(|story: (&str, bool, u64)| {
    let (text, newer, id) = story;
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string(), text, "there is one way to write it");
    }
    let cursor = if newer {
        Cursor::Newer(id)
    } else {
        Cursor::Older(id)
    };
    let written = cursor.to_string();
    assert_eq!(written.len(), 12);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    assert!(written.bytes().all(fits), "{written} fits into a URL");
    assert_eq!(written.parse(), Ok(cursor));
});
