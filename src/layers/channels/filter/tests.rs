//! Filters against a dull evaluator, and what each word means.

use proptest::prelude::*;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Interned;
use super::MetadataFilter;
use crate::layers::metadata::Metadata;

#[test]
fn each_word_means_what_it_says() {
    for (filter, metadata, wants) in [
        (json!({}), json!({}), true),
        (json!({"a": 1}), json!({"a": 1}), true),
        (json!({"a": 1}), json!({"a": 1.0}), true),
        (json!({"a": 1}), json!({"a": "1"}), false),
        (json!({"a": 1}), json!({}), false),
        (json!({"a": null}), json!({"a": null}), true),
        (json!({"a": null}), json!({}), false),
        (json!({"a": [1, "x"]}), json!({"a": "x"}), true),
        (json!({"a": []}), json!({"a": "x"}), false),
        (json!({"a": "x"}), json!({"a": ["y", "x"]}), true),
        (json!({"a": {"ne": 1}}), json!({}), true),
        (json!({"a": {"ne": 1}}), json!({"a": [2, 1]}), false),
        (json!({"a": {"nin": [1, 2]}}), json!({"a": 3}), true),
        (json!({"a": {"gte": 1, "lt": 2}}), json!({"a": 1.5}), true),
        (json!({"a": {"gte": 1, "lt": 2}}), json!({"a": 2}), false),
        (json!({"a": {"gt": 0}}), json!({"a": "1"}), false),
        (json!({"a": {"lt": "b"}}), json!({"a": "a"}), true),
        (json!({"a": {"prefix": "ab"}}), json!({"a": "abc"}), true),
        (json!({"a": {"exists": false}}), json!({"b": 1}), true),
        (json!({"a": {"exists": true}}), json!({"a": null}), true),
        (json!({"a": 1, "b": 2}), json!({"a": 1}), false),
        (
            json!({"a": 9_007_199_254_740_993_u64}),
            json!({"a": 9_007_199_254_740_992.0}),
            false,
        ),
        (json!({"a": {"lt": u64::MAX}}), json!({"a": 1.0e300}), false),
        (json!({"a": {"gt": -1}}), json!({"a": -0.5}), true),
    ] {
        let parsed = MetadataFilter::parse(&filter).unwrap();
        let metadata_of = metadata.as_object().cloned().unwrap();
        let got = parsed.wants(Some(&Metadata::new(metadata_of).unwrap()));
        assert_eq!(got, wants, "{filter} on {metadata}");
    }
}

#[test]
fn what_is_no_filter_says_where() {
    for (filter, at) in [
        (json!([]), ""),
        (json!({"a": {}}), "a"),
        (json!({"a": {"about": 1}}), "a.about"),
        (json!({"a": {"gt": true}}), "a.gt"),
        (json!({"a": {"in": 1}}), "a.in"),
        (json!({"a": {"exists": 1}}), "a.exists"),
        (json!({"a": [[1]]}), "a"),
        (json!({"a": vec![0; 65]}), "a"),
    ] {
        assert_eq!(
            MetadataFilter::parse(&filter).unwrap_err().at(),
            at,
            "{filter}"
        );
    }
    let many: Map<_, _> = (0..17).map(|key| (key.to_string(), json!(1))).collect();
    assert!(MetadataFilter::parse(&Value::Object(many)).is_err());
    let large = json!({ "a": "x".repeat(5000) });
    assert!(MetadataFilter::parse(&large).is_err());
}

#[test]
fn equal_filters_are_one_and_are_forgotten_when_nobody_has_them() {
    let interned = Interned::default();
    let filter = |value: Value| interned.filter(MetadataFilter::parse(&value).unwrap());
    let one = filter(json!({"a": 1, "b": [2]}));
    assert!(one.ptr_eq(&filter(json!({"b": [2], "a": 1}))));
    assert!(!one.ptr_eq(&filter(json!({"a": 1}))));
    for number in 0..1000 {
        drop(filter(json!({ "n": number })));
    }
    assert!(interned.known.lock().filters.len() < 200);
    assert!(
        one.ptr_eq(&filter(json!({"a": 1, "b": [2]}))),
        "who is in use is kept"
    );
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        prop::sample::select(vec![-1.5, -1.0, 0.0, 0.5, 2.0]).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ]
}

fn clause() -> impl Strategy<Value = Value> {
    let list = || prop::collection::vec(scalar(), 0..3);
    let bound = || {
        prop_oneof![
            (-2_i64..3).prop_map(Value::from),
            "[ab]".prop_map(Value::from)
        ]
    };
    prop_oneof![
        scalar(),
        list().prop_map(Value::from),
        scalar().prop_map(|it| json!({ "ne": it })),
        list().prop_map(|it| json!({ "nin": it })),
        (bound(), bound()).prop_map(|(a, b)| json!({ "gte": a, "lt": b })),
        (bound(), bound()).prop_map(|(a, b)| json!({ "gt": a, "lte": b })),
        any::<bool>().prop_map(|it| json!({ "exists": it })),
        "[ab]".prop_map(|it| json!({ "prefix": it })),
    ]
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[xyz]", value, 0..3).prop_map(|it| it.into_iter().collect())
}

/// What the words mean, in the dullest way; all numbers here are exact as floats.
fn dull(filter: &Map<String, Value>, metadata: &Map<String, Value>) -> bool {
    filter.iter().all(|(key, clause)| {
        let values: Option<Vec<&Value>> = metadata.get(key).map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        });
        let same = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        };
        let order = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64(), a.as_str(), b.as_str()) {
            (Some(a), Some(b), _, _) => a.partial_cmp(&b),
            (_, _, Some(a), Some(b)) => Some(a.cmp(b)),
            _ => None,
        };
        let some = |test: &dyn Fn(&Value) -> bool| match &values {
            Some(values) => values.iter().any(|value| test(value)),
            None => false,
        };
        let word = |word: &str, with: &Value| match word {
            "ne" => !some(&|value| same(value, with)),
            "nin" => !some(&|value| with.as_array().unwrap().iter().any(|it| same(it, value))),
            "gt" => some(&|value| order(value, with).is_some_and(|it| it.is_gt())),
            "gte" => some(&|value| order(value, with).is_some_and(|it| it.is_ge())),
            "lt" => some(&|value| order(value, with).is_some_and(|it| it.is_lt())),
            "lte" => some(&|value| order(value, with).is_some_and(|it| it.is_le())),
            "exists" => values.is_some() == with.as_bool().unwrap(),
            "prefix" => some(&|value| {
                value
                    .as_str()
                    .is_some_and(|it| it.starts_with(with.as_str().unwrap()))
            }),
            _ => unreachable!(),
        };
        match clause {
            Value::Array(items) => some(&|value| items.iter().any(|item| same(item, value))),
            Value::Object(words) => words.iter().all(|(name, with)| word(name, with)),
            scalar => some(&|value| same(scalar, value)),
        }
    })
}

proptest! {
    #[test]
    fn filters_want_what_a_dull_evaluator_wants(
        filter in object(clause()),
        metadata in object(prop_oneof![
            3 => scalar(),
            1 => prop::collection::vec(scalar(), 0..3).prop_map(Value::from),
        ]),
    ) {
        let parsed = MetadataFilter::parse(&Value::Object(filter.clone())).unwrap();
        let expected = dull(&filter, &metadata);
        let metadata = Metadata::new(metadata).unwrap();
        prop_assert_eq!(parsed.wants(Some(&metadata)), expected);
    }
}
