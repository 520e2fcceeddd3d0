use proptest::prelude::*;
use serde_json::Value;

use super::has_key;
use super::rewrite;

/// All strings that are values.
fn values(json: &str) -> Vec<String> {
    let mut values = Vec::new();
    let rewritten = rewrite(json, |text| {
        values.push(text.to_owned());
        None
    });
    assert_eq!(rewritten, None);
    values
}

#[test]
fn values_are_visited_and_keys_are_not() {
    assert_eq!(
        values(r#"{ "k" : "v", "l":["a", {"m" :"\"b\" c"}], "n": 1 }"#),
        ["v", "a", "\"b\" c"]
    );
    assert_eq!(values(r#""alone""#), ["alone"]);
    assert_eq!(values("[1,null,true]"), [""; 0]);
}

#[test]
fn escapes_are_decoded_and_half_pairs_are_no_way_around() {
    assert_eq!(
        values(r#"["\u0062\u0061d","\ud83d\ude00","bad \ud83d word","\ude00x","\\u0041"]"#),
        ["bad", "😀", "bad \u{fffd} word", "\u{fffd}x", "\\u0041"]
    );
    assert!(has_key(r#"{"a":{"__pro\u0074o__":1}}"#, |key| key == "__proto__"));
    assert!(!has_key(r#"{"a":"__proto__"}"#, |key| key == "__proto__"));
}

#[test]
fn everything_but_the_replaced_string_is_kept_byte_for_byte() {
    let json = r#" { "a" : 1.0e+2 , "b":"x" ,"c":[ "y\u0020" ]} "#;
    let replaced = rewrite(json, |text| (text == "x").then(|| "\"\n".to_owned()));
    let expected = r#" { "a" : 1.0e+2 , "b":"\"\n" ,"c":[ "y\u0020" ]} "#;
    assert_eq!(replaced.as_deref(), Some(expected));
}

/// Any JSON value.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The strings of a value, as a parser has them.
fn strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|value| strings(value, into)),
        Value::Object(all) => all.values().for_each(|value| strings(value, into)),
        Value::Bool(_) | Value::Null | Value::Number(_) => {}
    }
}

proptest! {
    #[test]
    fn the_strings_are_those_of_a_parser(value in json()) {
        let text = value.to_string();
        let mut expected = Vec::new();
        strings(&value, &mut expected);
        prop_assert_eq!(values(&text), expected);
        let rewritten = rewrite(&text, |text| Some(format!("<{text}>")));
        let rewritten = rewritten.unwrap_or(text);
        let read: Value = serde_json::from_str(&rewritten).unwrap();
        let mut after = Vec::new();
        strings(&read, &mut after);
        let mut expected = Vec::new();
        strings(&value, &mut expected);
        let wrapped: Vec<_> = expected.iter().map(|text| format!("<{text}>")).collect();
        prop_assert_eq!(after, wrapped);
    }
}
