//! Tests of times of day.

use std::time::Duration;

use proptest::prelude::*;

use super::InvalidTimestamp;
use super::Timestamp;

proptest! {
    #[test]
    fn what_is_printed_is_read_again(millis in 0..253_402_300_800_000u64) {
        let timestamp = Timestamp::since_unix_epoch(Duration::from_millis(millis));
        prop_assert_eq!(timestamp.to_string().parse(), Ok(timestamp));
        prop_assert_eq!(timestamp.millis(), millis);
    }

    #[test]
    fn anything_is_read_or_refused(text in "[0-9TZ:.-]{0,30}") {
        let _read = text.parse::<Timestamp>();
    }
}

#[test]
fn what_is_no_moment_is_refused() {
    for text in [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00+01:00",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-01-00T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:60Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00.1x2Z",
        "1969-12-31T23:59:59Z",
        "+026-01-31T12:00:00Z",
    ] {
        assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
    }
    let with_nanos = "2028-02-29T12:00:00.123456789Z".parse::<Timestamp>();
    assert_eq!(with_nanos.unwrap().to_string(), "2028-02-29T12:00:00.123Z");
}
