//! Keywords that stand beside one another: a setting must fit all of them.

use super::*;

/// The message about these settings of a schema; empty if they are valid.
fn refusal_of(schema: &Value, settings: &Value) -> String {
    let schema = Schema::parse(&schema.to_string()).expect("it is a schema");
    let checked = schema.check(settings.as_object().expect("an object"));
    checked.map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn the_narrower_of_two_bounds_holds() {
    for low in [
        json!({ "minimum": 1, "exclusiveMinimum": 3 }),
        json!({ "minimum": 4, "exclusiveMinimum": 1 }),
        json!({ "minimum": 3, "exclusiveMinimum": 3 }),
    ] {
        accepts(low, &[json!(4)], &[json!(1), json!(2), json!(3)]);
    }
    for high in [
        json!({ "maximum": 9, "exclusiveMaximum": 7 }),
        json!({ "maximum": 6, "exclusiveMaximum": 9 }),
        json!({ "maximum": 7, "exclusiveMaximum": 7 }),
    ] {
        accepts(high, &[json!(6)], &[json!(7), json!(8), json!(9)]);
    }
    let narrow = json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": 3, "maximum": 6, "exclusiveMaximum": 9 });
    assert_eq!(takes(narrow), "whole number above 3 to 6");
}

#[test]
fn a_constant_is_one_of_the_enum_as_well() {
    let both = json!({ "const": 1, "enum": ["a", 1.0] });
    accepts(both, &[json!(1)], &[json!("a")]);
    let none = json!({ "const": "b", "enum": ["a", 1] });
    accepts(none, &[], &[json!("b"), json!("a"), json!(1)]);
    assert!(parsed(json!({ "const": "a", "enum": "a" })).is_err());
}

#[test]
fn constants_keep_to_the_other_keywords() {
    let word = json!({ "type": "string", "enum": ["ab", "c"], "pattern": "^a" });
    accepts(word.clone(), &[json!("ab")], &[json!("c"), json!("a")]);
    assert_eq!(
        takes(word),
        "one of the words below, and text that matches ^a"
    );
    let number = json!({ "enum": [1, 5, "a"], "minimum": 3 });
    accepts(number.clone(), &[json!(5), json!("a")], &[json!(1)]);
    reads(number, &[("5", json!(5)), ("a", json!("a"))]);
}

#[test]
fn a_key_that_is_listed_and_matches_patterns_has_a_value_for_all() {
    let schema = json!({
        "properties": { "max_rate": { "type": "integer" }, "other": { "type": "integer" } },
        "patternProperties": { "^max_": { "minimum": 5 }, "_rate$": { "maximum": 9 } },
        "additionalProperties": false,
    });
    let rate = |key: &str, value: i64| refusal_of(&schema, &json!({ key: value }));
    for key in ["max_rate", "max_other_rate"] {
        assert_eq!(rate(key, 7), "");
        assert!(rate(key, 4).contains("number from 5"), "{}", rate(key, 4));
        assert!(rate(key, 10).contains("number to 9"), "{}", rate(key, 10));
    }
    assert_eq!(rate("max_other", 10), "");
    assert_eq!(rate("other", 10), "");
    assert!(rate("rate", 7).starts_with("unknown setting rate; "));
    let text = refusal_of(&schema, &json!({ "max_rate": "7" }));
    assert_eq!(text, "max_rate: expected whole number, not \"7\"");

    let parsed = Schema::parse(&schema.to_string()).expect("it is a schema");
    for (key, text, value) in [
        ("max_rate", "7", json!(7)),
        ("max_rate", "4", json!(4)),
        ("max_other_rate", "7", json!(7)),
        ("max_other_rate", "x", json!("x")),
        ("unknown", "7", json!("7")),
    ] {
        assert_eq!(parsed.value(key, text), value, "{key}={text}");
    }
    assert!(parsed.takes("max_rate", &json!(7)));
    assert!(!parsed.takes("max_rate", &json!(10)));
    assert!(!parsed.takes("max_other_rate", &json!(7)));
}

#[test]
fn a_key_that_is_required_and_not_listed_keeps_to_the_rest() {
    let rest = json!({ "required": ["a", "b1"], "patternProperties": { "^b": { "type": "boolean" } },
        "additionalProperties": { "type": "integer" } });
    assert_eq!(refusal_of(&rest, &json!({ "a": 1, "b1": true })), "");
    assert_eq!(
        refusal_of(&rest, &json!({ "a": "x", "b1": true })),
        "a: expected whole number, not \"x\""
    );
    assert_eq!(
        refusal_of(&rest, &json!({ "a": 1, "b1": 1 })),
        "b1: expected true or false, not 1"
    );
    assert_eq!(
        refusal_of(&rest, &json!({ "a": 1 })),
        "b1 is required: true or false"
    );
    let none = json!({ "required": ["a"], "additionalProperties": false });
    assert_eq!(
        refusal_of(&none, &json!({ "a": 1 })),
        "unknown setting a: there are no settings"
    );
}

#[test]
fn a_word_of_one_choice_only_is_in_no_other() {
    let one = json!({ "oneOf": [{ "enum": ["a", "b"] }, { "enum": ["b", "c"] }] });
    accepts(one, &[json!("a"), json!("c")], &[json!("b")]);
    let any = json!({ "anyOf": [{ "enum": ["a", "b"] }, { "enum": ["b", "c"] }] });
    accepts(any, &[json!("a"), json!("b"), json!("c")], &[json!("d")]);
}

#[test]
fn multiples_of_a_fraction_are_compared_as_rounded_numbers_are() {
    let tenth = json!({ "type": "number", "multipleOf": 0.1 });
    let valid = [
        json!(0.3),
        json!(0.7),
        json!(1.1),
        json!(-0.3),
        json!(0),
        json!(3),
        json!(1e9),
        json!(4503599.7),
    ];
    let invalid = [
        json!(0.35),
        json!(0.300_001),
        json!(0.05),
        json!(1e-9),
        json!(10_000_000_000.05),
    ];
    accepts(tenth, &valid, &invalid);
    let half = json!({ "type": "number", "multipleOf": 2.5 });
    accepts(
        half,
        &[json!(5), json!(7.5)],
        &[json!(6), json!(10_000_000_001_u64)],
    );
    accepts(json!({ "multipleOf": 0.0 }), &[], &[json!(0), json!(1)]);
}
