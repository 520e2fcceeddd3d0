//! Tests of what metadata may be.

use super::*;

/// An object, and arrays in it, so many deep in all.
fn nested(depth: usize) -> Map<String, Value> {
    let inner = (1..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    Map::from_iter([("a".to_owned(), inner)])
}

/// What could be kept and not be read again would make every page with it unreadable.
#[test]
fn metadata_that_is_taken_can_be_read_again() {
    let deepest = Metadata::new(nested(Metadata::MAX_DEPTH)).unwrap();
    let text = serde_json::to_string(&deepest).unwrap();
    assert_eq!(deepest.json_bytes(), text.len());
    let read = serde_json::from_str(&text).unwrap();
    assert_eq!(Metadata::new(read).as_ref(), Ok(&deepest));
    for depth in [Metadata::MAX_DEPTH + 1, 2000] {
        assert_eq!(
            Metadata::new(nested(depth)),
            Err(InvalidMetadata::TooDeep),
            "{depth}"
        );
    }
}
