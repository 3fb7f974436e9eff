mod combined;
mod cost;
mod refused;

use serde_json::json;

use super::*;

/// The schema of an object with one property, `key`.
fn schema(property: Value) -> Schema {
    match parsed(property) {
        Ok(schema) => schema,
        Err(error) => panic!("{error}"),
    }
}

fn parsed(property: Value) -> Result<Schema, SchemaError> {
    let schema = json!({
        "properties": { "key": property },
        "additionalProperties": false,
        "$defs": {
            "Part": { "description": "Of it.", "oneOf": [
                { "const": "peer", "description": "The peer.\u{1b}[2J" },
                { "const": "local" },
            ] },
            "Loop": { "$ref": "#/$defs/Loop" },
            "Tree": { "anyOf": [{ "$ref": "#/$defs/Tree" }, { "items": { "$ref": "#/$defs/Tree" } }] },
            "Wide": { "prefixItems": vec![json!({ "$ref": "#/$defs/Rows" }); 100] },
            "Rows": { "prefixItems": vec![json!({ "type": "integer" }); 100] },
        },
    });
    Schema::parse(&schema.to_string())
}

fn only(property: Value) -> Setting {
    let mut settings = schema(property).settings();
    assert_eq!(settings.len(), 1);
    settings.remove(0)
}

fn takes(property: Value) -> String {
    only(property).takes
}

/// The values that the texts of `--set key=` stand for.
#[track_caller]
fn reads(property: Value, texts: &[(&str, Value)]) {
    let schema = schema(property);
    for (text, expected) in texts {
        assert_eq!(schema.value("key", text), *expected, "{text}");
    }
}

/// The message about a value of `key`; empty if it is valid.
fn refusal(property: Value, value: Value) -> String {
    let settings = json!({ "key": value });
    let settings = settings.as_object().expect("an object");
    let checked = schema(property).check(settings);
    checked.map_or_else(|error| error.to_string(), |()| String::new())
}

#[track_caller]
fn accepts(property: Value, valid: &[Value], invalid: &[Value]) {
    for value in valid {
        assert_eq!(refusal(property.clone(), value.clone()), "", "{value}");
    }
    for value in invalid {
        let refused = refusal(property.clone(), value.clone());
        assert!(!refused.is_empty(), "{value} is accepted by {property}");
    }
}

#[test]
fn types_and_bounds_are_told_in_words() {
    let integer = json!({ "type": "integer", "minimum": 1, "maximum": 9 });
    assert_eq!(takes(integer), "whole number from 1 to 9");
    let number = json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5 });
    assert_eq!(takes(number), "number above 0 below 1.5");
    assert_eq!(takes(json!({ "type": "boolean" })), "true or false");
    assert_eq!(
        takes(json!({ "type": ["string", "null"] })),
        "text, or null"
    );
    let text = json!({ "type": "string", "examples": ["10s", "1m30s"] });
    assert_eq!(takes(text), "text such as 10s, 1m30s");
    let ports = json!({ "type": "array", "items": { "type": "integer" } });
    assert_eq!(takes(ports), "list of: whole number");
    let some = json!({ "type": "array", "minItems": 1, "maxItems": 3, "uniqueItems": true });
    assert_eq!(takes(some), "list of: any value, 1 to 3 items, each once");
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 64 });
    assert_eq!(takes(name), "text of 1 to 64 characters");
    assert_eq!(takes(json!(true)), "any value");
}

#[test]
fn a_choice_lists_its_words_with_their_meaning() {
    let part = json!({ "$ref": "#/$defs/Part" });
    let one_or_many = json!({
        "anyOf": [part, { "type": "array", "items": part }],
        "default": "peer",
        "description": "What\nto count.",
    });
    let setting = only(one_or_many);
    assert_eq!(
        setting.takes,
        "one of the words below, or several with commas"
    );
    assert_eq!(setting.default, Some(json!("peer")));
    assert_eq!(setting.description, "What to count.");
    assert!(!setting.required);
    let words: Vec<_> = setting
        .words
        .iter()
        .map(|word| word.word.as_str())
        .collect();
    assert_eq!(words, ["peer", "local"]);
    assert_eq!(setting.words[0].description, "The peer.\u{fffd}[2J");
}

#[test]
fn text_becomes_what_the_schema_asks_for() {
    let integer = json!({ "type": "integer" });
    reads(
        integer,
        &[
            ("10", json!(10)),
            ("-3", json!(-3)),
            ("+7", json!(7)),
            ("ten", json!("ten")),
        ],
    );
    let number = json!({ "type": "number" });
    reads(
        number,
        &[
            (".5", json!(0.5)),
            ("5.", json!(5.0)),
            ("1e3", json!(1000.0)),
            ("inf", json!("inf")),
        ],
    );
    let boolean = json!({ "type": "boolean" });
    reads(
        boolean,
        &[
            ("yes", json!(true)),
            ("on", json!(true)),
            ("Off", json!(false)),
            ("1", json!("1")),
        ],
    );
    let text = json!({ "type": "string" });
    reads(
        text,
        &[
            ("10", json!("10")),
            ("true", json!("true")),
            ("[1]", json!("[1]")),
        ],
    );
    let nullable = json!({ "type": ["integer", "null"] });
    reads(nullable, &[("null", json!(null)), ("4", json!(4))]);
    let ports = json!({ "type": "array", "items": { "type": "integer" } });
    reads(
        ports,
        &[
            ("80,443", json!([80, 443])),
            ("[80]", json!([80])),
            ("7", json!([7])),
            ("", json!([])),
        ],
    );
    let object = json!({ "type": "object" });
    reads(
        object,
        &[("{\"a\":1}", json!({ "a": 1 })), ("a", json!("a"))],
    );
}

#[test]
fn one_or_a_list_of_them() {
    let part = json!({ "$ref": "#/$defs/Part" });
    let one_or_many = json!({ "anyOf": [part, { "type": "array", "items": part }] });
    reads(
        one_or_many.clone(),
        &[
            ("peer", json!("peer")),
            ("peer,local", json!(["peer", "local"])),
        ],
    );
    let refused = refusal(one_or_many.clone(), json!(["peer", "pear"]));
    assert_eq!(
        refused,
        r#"key[1]: expected one of peer, local, not "pear""#
    );
    let refused = refusal(one_or_many, json!("pear"));
    assert_eq!(
        refused,
        r#"key: expected one of peer, local, or several with commas, not "pear""#
    );
}

#[test]
fn numbers_keep_to_their_bounds() {
    let bounded = json!({ "type": "integer", "minimum": 1, "maximum": 9 });
    accepts(
        bounded,
        &[json!(1), json!(9)],
        &[json!(0), json!(10), json!(1.5), json!("1"), json!(null)],
    );
    let open = json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 });
    accepts(open, &[json!(0.5)], &[json!(0), json!(1), json!(1.0)]);
    let even = json!({ "type": "integer", "multipleOf": 2 });
    accepts(even, &[json!(4), json!(0)], &[json!(3)]);
    let long = json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX });
    accepts(long, &[json!(u64::MAX)], &[json!(-1), json!(1e20)]);
    let large = json!({ "type": "integer", "maximum": 9_007_199_254_740_993_u64 });
    accepts(
        large,
        &[json!(9_007_199_254_740_993_u64)],
        &[json!(9_007_199_254_740_994_u64)],
    );
}

#[test]
fn text_keeps_to_length_pattern_and_format() {
    let short = json!({ "type": "string", "minLength": 1, "maxLength": 2 });
    accepts(
        short,
        &[json!("ä"), json!("äö")],
        &[json!(""), json!("äöü"), json!(1)],
    );
    let digits = json!({ "type": "string", "pattern": "^[0-9]+s$" });
    accepts(
        digits.clone(),
        &[json!("10s")],
        &[json!("10"), json!("x10s")],
    );
    let refused = refusal(digits, json!("10"));
    assert_eq!(
        refused,
        r#"key: expected text that matches ^[0-9]+s$, not "10""#
    );
    let address = json!({ "type": "string", "format": "ip" });
    accepts(
        address,
        &[json!("10.0.0.1"), json!("::1")],
        &[json!("10.0.0"), json!("a")],
    );
    let v4 = json!({ "type": "string", "format": "ipv4" });
    accepts(v4, &[json!("10.0.0.1")], &[json!("::1")]);
    accepts(
        json!({ "type": "string", "format": "uri" }),
        &[json!("anything")],
        &[],
    );
}

#[test]
fn constants_lists_and_objects_are_compared() {
    accepts(
        json!({ "enum": ["a", 1, null] }),
        &[json!("a"), json!(1.0), json!(null)],
        &[json!("b")],
    );
    accepts(
        json!({ "type": "string", "const": "a" }),
        &[json!("a")],
        &[json!("b")],
    );
    accepts(
        json!({ "type": "integer", "enum": ["a", 1] }),
        &[json!(1)],
        &[json!("a")],
    );
    let list = json!({ "type": "array", "items": { "type": "integer" }, "minItems": 1, "maxItems": 2, "uniqueItems": true });
    accepts(
        list,
        &[json!([1]), json!([1, 2])],
        &[json!([]), json!([1, 1]), json!([1, 2, 3]), json!(["a"])],
    );
    let pair = json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": "integer" }], "items": false });
    accepts(
        pair,
        &[json!(["a", 1]), json!([])],
        &[json!([1, "a"]), json!(["a", 1, 2])],
    );
    let object = json!({
        "type": "object",
        "properties": { "name": { "type": "string" } },
        "required": ["name"],
        "patternProperties": { "^[0-9]+$": { "type": "boolean" } },
        "additionalProperties": { "type": "integer" },
        "maxProperties": 2,
    });
    accepts(
        object.clone(),
        &[
            json!({ "name": "a" }),
            json!({ "name": "a", "80": true }),
            json!({ "name": "a", "x": 1 }),
        ],
        &[
            json!({}),
            json!({ "name": "a", "80": 1 }),
            json!({ "name": "a", "x": true }),
            json!({ "name": "a", "x": 1, "y": 2 }),
        ],
    );
    assert_eq!(
        refusal(object.clone(), json!({})),
        "key.name is required: text"
    );
    let inside = refusal(object, json!({ "name": 1 }));
    assert_eq!(inside, "key.name: expected text, not 1");
}

#[test]
fn choices_and_parts_are_combined_as_json_schema_says() {
    let any = json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] });
    accepts(any, &[json!(1), json!("a")], &[json!(true)]);
    let one = json!({ "oneOf": [{ "type": "integer", "minimum": 5 }, { "type": "integer", "maximum": 9 }] });
    accepts(one, &[json!(1), json!(10)], &[json!(7)]);
    let all = json!({ "allOf": [{ "type": "integer" }, { "minimum": 5 }], "maximum": 9 });
    accepts(all, &[json!(7)], &[json!(4), json!(10), json!("a")]);
    let beside = json!({ "$ref": "#/$defs/Part", "description": "A part." });
    accepts(beside, &[json!("peer")], &[json!("pear")]);
    // Keywords of a type do not concern values of others.
    accepts(
        json!({ "minimum": 5 }),
        &[json!(5), json!("a"), json!(null)],
        &[json!(4)],
    );
    accepts(json!(false), &[], &[json!(1)]);
}

#[test]
fn a_key_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
    let check = |settings: Value| {
        let threshold = json!({ "properties": { "threshold": {}, "window": {} }, "required": ["window"], "additionalProperties": false });
        let schema = Schema::parse(&threshold.to_string()).expect("it is a schema");
        let checked = schema.check(settings.as_object().expect("an object"));
        checked.map_or_else(|error| error.to_string(), |()| String::new())
    };
    assert_eq!(
        check(json!({ "treshold": 1 })),
        "unknown setting treshold; did you mean threshold?"
    );
    assert_eq!(
        check(json!({ "x": 1 })),
        "unknown setting x; there are threshold, window"
    );
    assert_eq!(check(json!({})), "window is required: any value");
    let none = Schema::parse(r#"{"additionalProperties":false}"#).expect("it is a schema");
    let refused = none.check(json!({ "x": 1 }).as_object().expect("an object"));
    let message = refused.map_err(|error| error.to_string());
    assert_eq!(
        message,
        Err("unknown setting x: there are no settings".to_owned())
    );
    assert!(
        Schema::any()
            .check(json!({ "x": 1 }).as_object().expect("an object"))
            .is_ok()
    );
}
