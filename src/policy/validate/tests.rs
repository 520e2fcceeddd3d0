//! - A subset of the official suite for 2020-12 is decided as the suite says.
//! - What a message breaks is listed by place and rule, at most 16 of them.
//! - A schema that is wrong, leads to the network or has no end is an error, and no panic.

use serde_json::json;

use super::*;

fn schema(schema: &Value) -> Schema {
    Schema::new("test", schema, Scope::all().event("any")).unwrap()
}

fn rules(schema: &Schema, value: &Value) -> Vec<(String, String)> {
    let violations = schema.violations(value).into_iter();
    violations
        .map(|it| (it.path.into(), it.rule.into()))
        .collect()
}

/// A schema, and values with whether they match: after the suite of json-schema.org, draft 2020-12.
#[test]
fn a_subset_of_the_official_suite_is_met() {
    let cases = [
        (json!(true), json!([[{}, true], [1, true]])),
        (json!(false), json!([[{}, false], [1, false]])),
        (
            json!({"type": "integer"}),
            json!([[1, true], [1.0, true], [1.1, false], ["1", false]]),
        ),
        (
            json!({"type": ["array", "null"]}),
            json!([[[], true], [null, true], [0, false]]),
        ),
        (
            json!({"const": {"a": 1}}),
            json!([[{"a": 1.0}, true], [{"a": 2}, false]]),
        ),
        (
            json!({"enum": [6, "foo", [], {"f": 12}]}),
            json!([[[], true], [{"f": 12}, true], ["o", false]]),
        ),
        (
            json!({"minLength": 2}),
            json!([
                ["fo", true],
                ["f", false],
                [100, true],
                ["\u{1f4a9}", false]
            ]),
        ),
        (
            json!({"maxLength": 2}),
            json!([["fo", true], ["foo", false], ["\u{1f4a9}\u{1f4a9}", true]]),
        ),
        (
            json!({"pattern": "^a*$"}),
            json!([["aaa", true], ["abc", false], [1, true]]),
        ),
        (json!({"pattern": "a+"}), json!([["xxaayy", true]])),
        (
            json!({"minimum": -2}),
            json!([[-1, true], [-2, true], [-2.0001, false], ["x", true]]),
        ),
        (
            json!({"exclusiveMaximum": 3.0}),
            json!([[2.2, true], [3.0, false], [3.5, false]]),
        ),
        (
            json!({"multipleOf": 0.01}),
            json!([[0.0075, false], [4.02, true], [0, true]]),
        ),
        (
            json!({"required": ["foo"]}),
            json!([[{"foo": 1}, true], [{"bar": 1}, false], [[], true]]),
        ),
        (
            json!({"dependentRequired": {"bar": ["foo"]}}),
            json!([[{"bar": 1}, false], [{"foo": 1}, true]]),
        ),
        (
            json!({"minProperties": 1}),
            json!([[{"foo": 1}, true], [{}, false]]),
        ),
        (
            json!({"propertyNames": {"maxLength": 3}}),
            json!([[{"foo": 1}, true], [{"foobar": 1}, false]]),
        ),
        (
            json!({"properties": {"foo": {}}, "patternProperties": {"^v": {}}, "additionalProperties": false}),
            json!([[{"foo": 1, "vroom": 2}, true], [{"quux": 1}, false], ["x", true]]),
        ),
        (
            json!({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}),
            json!([[[1, "a", "b"], true], [[1, 2], false], [[], true]]),
        ),
        (
            json!({"contains": {"minimum": 5}, "minContains": 2}),
            json!([[[5, 6], true], [[5, 1], false]]),
        ),
        (
            json!({"uniqueItems": true}),
            json!([[[1, 2], true], [[1, 1.0], false], [[{"a": 1}, {"a": 1}], false]]),
        ),
        (
            json!({"allOf": [{"minimum": 2}, {"maximum": 4}]}),
            json!([[3, true], [5, false]]),
        ),
        (
            json!({"anyOf": [{"type": "integer"}, {"minimum": 2}]}),
            json!([[1, true], [2.5, true], [1.5, false]]),
        ),
        (
            json!({"oneOf": [{"type": "integer"}, {"minimum": 2}]}),
            json!([[1, true], [3, false], [1.5, false]]),
        ),
        (
            json!({"not": {"type": "integer"}}),
            json!([["foo", true], [1, false]]),
        ),
        (
            json!({"if": {"exclusiveMaximum": 0}, "then": {"minimum": -10}, "else": {"multipleOf": 2}}),
            json!([[-1, true], [-100, false], [4, true], [3, false]]),
        ),
        (
            json!({"$defs": {"a": {"type": "integer"}}, "properties": {"n": {"$ref": "#/$defs/a"}}}),
            json!([[{"n": 1}, true], [{"n": "x"}, false]]),
        ),
        (
            json!({"properties": {"foo": {"$ref": "#"}}, "additionalProperties": false}),
            json!([[{"foo": {"foo": {}}}, true], [{"foo": {"bar": 1}}, false]]),
        ),
        (
            json!({"$id": "https://example.com/tree", "$dynamicAnchor": "node", "properties": {
                "children": {"items": {"$dynamicRef": "#node"}}, "data": {"type": "integer"}}}),
            json!([[{"children": [{"data": 1}]}, true], [{"children": [{"data": "x"}]}, false]]),
        ),
        (
            json!({"allOf": [{"properties": {"foo": true}}], "unevaluatedProperties": false}),
            json!([[{"foo": 1}, true], [{"foo": 1, "bar": 2}, false]]),
        ),
        (
            json!({"prefixItems": [true], "unevaluatedItems": false}),
            json!([[[1], true], [[1, 2], false]]),
        ),
        (
            json!({"format": "email"}),
            json!([["joe@example.com", true], ["2962", false], [12, true]]),
        ),
        (
            json!({"format": "uri"}),
            json!([["https://example.com/?q=1", true], ["\\\\WINDOWS", false]]),
        ),
        (
            json!({"format": "date-time"}),
            json!([
                ["1963-06-19T08:30:06Z", true],
                ["1963-13-19T08:30:06Z", false]
            ]),
        ),
    ];
    for (text, values) in cases {
        let schema = schema(&text);
        for case in values.as_array().unwrap() {
            let matches = schema.violations(&case[0]).is_empty();
            assert_eq!(json!(matches), case[1], "{text} and {}", case[0]);
        }
    }
}

#[test]
fn violations_have_a_place_and_a_rule() {
    let order = schema(&json!({
        "type": "object",
        "required": ["sku"],
        "properties": {
            "sku": {"type": "string", "maxLength": 3},
            "lines": {"type": "array", "items": {"type": "integer"}},
        },
    }));
    let own = |path: &str, rule: &str| (path.to_owned(), rule.to_owned());
    assert_eq!(
        rules(&order, &json!({"sku": "abcd"})),
        [own("/sku", "maxLength")]
    );
    assert_eq!(rules(&order, &json!({})), [own("", "required")]);
    assert_eq!(rules(&order, &json!("text")), [own("", "type")]);
    let many: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    let broken = rules(&order, &json!({"sku": "a", "lines": many}));
    assert_eq!(broken.len(), 16);
    assert_eq!(broken[15], own("/lines/15", "type"));
}

#[test]
fn a_wrong_schema_is_an_error_with_its_place() {
    let scope = || Scope::all().event("any");
    for (schema, place, why) in [
        (json!({"type": "strin"}), "/type", "strin"),
        (
            json!({"properties": {"a": {"minLength": -1}}}),
            "/properties/a/minLength",
            "",
        ),
        (json!({"pattern": "(?!a)b"}), "", ""),
        (json!({"$ref": "https://example.com/other.json"}), "", ""),
        (json!({"$ref": "file:///etc/passwd"}), "", ""),
    ] {
        let error = Schema::new("test", &schema, scope()).unwrap_err();
        assert!(error.place().starts_with(place), "{schema}: {error:?}");
        assert!(error.to_string().contains(why), "{schema}: {error}");
    }
    let unbound = Schema::new("test", &json!({}), Scope::all()).unwrap_err();
    assert!(unbound.to_string().contains("must be bound"), "{unbound}");
    let endless = json!({"$ref": "#"});
    if let Ok(endless) = Schema::new("test", &endless, scope()) {
        assert!(endless.violations(&json!({})).is_empty());
    }
}
