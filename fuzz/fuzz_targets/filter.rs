//! Whatever a filter says, it is refused or evaluated; and equal filters want the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use throng::Metadata;
use throng::channels::MetadataFilter;

fuzz_target!(|texts: (&str, &str)| {
    let (filter, metadata) = texts;
    let Ok(value) = serde_json::from_str::<Value>(filter) else {
        return;
    };
    let Ok(filter) = MetadataFilter::parse(&value) else {
        return;
    };
    let metadata = match serde_json::from_str(metadata) {
        Ok(Value::Object(object)) => Metadata::new(object).ok(),
        _ => None,
    };
    let wants = filter.wants(metadata.as_ref());
    // A filter that is written and read again is the same.
    let again: Value = serde_json::from_str(&value.to_string()).expect("it was JSON");
    let again = MetadataFilter::parse(&again).expect("it was a filter");
    assert_eq!(again, filter);
    assert_eq!(again.wants(metadata.as_ref()), wants);
    // What is wanted of each key is wanted of all.
    if let Value::Object(keys) = &value {
        let each = keys.iter().all(|(key, clause)| {
            let alone: Value = serde_json::json!({ key.as_str(): clause });
            let alone = MetadataFilter::parse(&alone).expect("a part of a filter");
            alone.wants(metadata.as_ref())
        });
        assert_eq!(each, wants);
    }
});
