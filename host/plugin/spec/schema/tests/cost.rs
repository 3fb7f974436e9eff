//! What a schema can cost the host, whatever the plugin writes.

use super::*;

/// A schema of settings that refer to `#/$defs/Large`, `times` times.
fn referring(large: &Value, times: usize) -> Result<Schema, SchemaError> {
    let properties = (0..times).map(|index| {
        let reference = json!({ "$ref": "#/$defs/Large" });
        (format!("key{index}"), reference)
    });
    let properties: Map<String, Value> = properties.collect();
    let schema = json!({ "properties": properties, "$defs": { "Large": large } });
    Schema::parse(&schema.to_string())
}

#[track_caller]
fn refused(parsed: Result<Schema, SchemaError>) -> String {
    parsed.expect_err("it is refused").to_string()
}

const TARGETS: &str = "it is too large: it has more than 1048576 bytes in the targets of its references \
    (a target counts once for each reference)";

#[test]
fn what_a_schema_refers_to_counts_once_for_each_reference() {
    let keys: Vec<String> = (0..300).map(|index| format!("{index:0350}")).collect();
    let listed: Map<String, Value> = keys.iter().map(|key| (key.clone(), json!({}))).collect();
    let nested = |keyword: &str, value: Value| json!({ "properties": { "a": { keyword: value } } });
    for large in [
        json!({ "enum": vec![0; 50_000] }),
        json!({ "enum": vec!["a"; 25_000] }),
        json!({ "const": vec!["a"; 25_000] }),
        json!({ "required": keys }),
        json!({ "properties": listed }),
        json!({ "type": "string", "examples": vec![1; 50_000] }),
        json!({ "type": "string", "format": "a".repeat(100_000) }),
        json!({ "const": "a", "description": "a ".repeat(50_000) }),
        nested("default", json!(vec![0; 50_000])),
        nested("default", json!("a".repeat(100_000))),
        nested("description", json!("a ".repeat(50_000))),
        nested("description", json!("a".repeat(100_000))),
        nested("description", json!(" ".repeat(100_000))),
    ] {
        let text = large.to_string();
        let start = &text[..40];
        assert!(referring(&large, 1).is_ok(), "{start}");
        assert_eq!(refused(referring(&large, 12)), TARGETS, "{start}");
    }
}

#[test]
fn a_name_of_a_reference_counts_too() {
    let name = "a".repeat(100_000);
    let large = json!({ "$ref": format!("#/$defs/Large/{name}"), name: {} });
    assert!(referring(&large, 1).is_ok());
    assert_eq!(refused(referring(&large, 12)), TARGETS);
}

#[test]
fn lists_and_objects_are_counted_before_they_are_read() {
    let message = "it is too large: it has more than 40000 opening brackets and braces";
    for inner in [json!({ "": 0 }), json!([0])] {
        let large = json!({ "properties": { "a": { "default": vec![inner; 15_000] } } });
        assert!(referring(&large, 1).is_ok());
        assert_eq!(refused(referring(&large, 2)), message);
        assert_eq!(refused(parsed(json!([large, large, large]))), message);
    }
}

#[test]
fn a_type_is_named_once() {
    let message = "#/properties/key: type is not valid: expected each type once";
    let twice = json!({ "type": ["string", "null", "string"] });
    assert_eq!(refused(parsed(twice)), message);
    let often = json!({ "type": vec!["null"; 50_000], "enum": vec![0; 50_000] });
    assert_eq!(refused(parsed(often.clone())), message);
    let referred = refused(referring(&often, 4_900));
    assert_eq!(
        referred,
        "#/$defs/Large: type is not valid: expected each type once"
    );
}

#[test]
fn keys_that_are_required_and_not_listed_are_parts() {
    let keys: Vec<String> = (0..20_000).map(|index| index.to_string()).collect();
    assert_eq!(
        refused(parsed(json!({ "required": keys }))),
        "it is too large: it has more than 10000 parts"
    );
    let keys = vec!["a"; 200_000];
    accepts(
        json!({ "type": "object", "required": keys }),
        &[json!({ "a": 1 })],
        &[json!({})],
    );
}

#[test]
fn patterns_take_little_memory() {
    let groups = json!({ "pattern": "(a)".repeat(256) });
    assert_eq!(
        refused(parsed(groups)),
        "it is too large: it has more than 256 patterns and groups in patterns"
    );
    let long = json!({ "pattern": "a".repeat((1 << 16) + 1) });
    assert_eq!(
        refused(parsed(long)),
        "it is too large: it has more than 65536 bytes in a pattern"
    );
    let compiled = refused(parsed(json!({ "pattern": "(?:a{500}){20}" })));
    assert!(compiled.contains("cannot use the pattern"), "{compiled}");
    let keys = json!({ "patternProperties": { "(a{1000}){1000}": {} } });
    assert!(refused(parsed(keys)).contains("cannot use the pattern"));
    let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,253}$" });
    accepts(
        name,
        &[json!("a.b"), json!("a".repeat(253))],
        &[json!("a".repeat(254))],
    );
}

/// Would take minutes if the host matched each constant with the pattern.
#[test]
fn constants_are_not_matched_with_patterns_before_there_is_a_setting() {
    let pattern = format!("(?:{}|b)*c", "a|".repeat(1_000));
    let texts = vec!["a".repeat(1_000); 900];
    let property = json!({ "type": "string", "enum": texts, "pattern": pattern });
    accepts(property, &[], &[json!("a"), json!("c")]);
}

/// A shape in choices in choices. If each choice asked its own twice, the innermost would be asked 2²⁸ times.
fn in_choices(keyword: &str, inner: &Value) -> Value {
    (0..28).fold(
        inner.clone(),
        |inner, _| json!({ keyword: [inner, { "type": "null" }] }),
    )
}

#[test]
fn choices_in_choices_are_read_and_asked_once() {
    let integer = json!({ "type": "integer" });
    for keyword in ["anyOf", "oneOf"] {
        let nested = in_choices(keyword, &integer);
        reads(nested.clone(), &[("x", json!("x")), ("7", json!(7))]);
        accepts(nested, &[json!(7)], &[json!("x")]);
    }
    let lists = (0..14).fold(
        integer,
        |inner, _| json!({ "anyOf": [{ "type": "array", "items": inner }, { "type": "null" }] }),
    );
    let value = |item: Value| (0..14).fold(item, |inner, _| json!([inner]));
    accepts(lists.clone(), &[value(json!(7))], &[]);
    let wrong = format!("key{}: expected whole number, not \"x\"", "[0]".repeat(14));
    assert_eq!(refusal(lists, value(json!("x"))), wrong);
}

/// Would take minutes if the value of each part was compared with all parts.
#[test]
fn text_that_must_fit_many_parts_is_tried_as_few_values() {
    let mut parts = vec![json!({ "type": "integer" }); 9_000];
    parts.push(json!({ "type": "integer", "minimum": 5 }));
    let all = json!({ "allOf": parts });
    reads(all, &[("7", json!(7)), ("3", json!(3)), ("x", json!("x"))]);
    let list = |index: usize| {
        let first = vec![json!({ "type": ["null", "string"] }); index % 90 + 1];
        json!({ "type": "array", "prefixItems": first, "items": { "type": "integer" } })
    };
    let lists: Vec<Value> = (1..200).map(list).collect();
    let all = schema(json!({ "allOf": lists }));
    let value = all.value("key", &vec!["1"; 100].join(","));
    assert_eq!(value.as_array().map(Vec::len), Some(100));
}

#[test]
fn words_about_choices_in_choices_are_cut() {
    let choices = (0..20).fold(json!({ "type": "null" }), |inner, level| {
        let text = |index: usize| {
            let format = format!("{level}-{index}-{}", "a".repeat(190));
            json!({ "type": "string", "format": format })
        };
        let choices: Vec<Value> = (0..60).map(text).chain([inner]).collect();
        json!({ "anyOf": choices })
    });
    assert_eq!(takes(choices.clone()).chars().count(), 4_097);
    assert!(refusal(choices, json!(7)).chars().count() < 4_200);
}
