//! Schemas that cannot be used.

use super::*;

#[test]
fn a_schema_that_cannot_be_enforced_is_refused() {
    let refused = |property: Value| parsed(property).expect_err("it is refused").to_string();
    for (property, message) in [
        (
            json!({ "not": {} }),
            "#/properties/key: the keyword not is not supported",
        ),
        (
            json!({ "$ref": "#/nowhere" }),
            "the reference #/nowhere leads nowhere",
        ),
        (
            json!({ "$ref": "http://example.org/a" }),
            "leads nowhere; references start with #/",
        ),
        (
            json!({ "$ref": "#/$defs/Loop" }),
            "32 levels, or it refers to itself",
        ),
        (json!({ "$ref": "#/$defs/Tree" }), "it has more than"),
        (
            json!({ "$ref": "#/$defs/Wide" }),
            "it has more than 10000 parts",
        ),
        (json!({ "pattern": "(" }), "cannot use the pattern ("),
        (
            json!({ "pattern": "(a{1000}){1000}" }),
            "cannot use the pattern",
        ),
        (
            json!({ "type": "int" }),
            "type is not valid: expected a type of JSON",
        ),
        (
            json!({ "minimum": "1" }),
            "minimum is not valid: expected a number",
        ),
        (
            json!({ "maxLength": -1 }),
            "maxLength is not valid: expected a whole number from 0",
        ),
        (
            json!(3),
            "a schema is not valid: expected an object, true or false",
        ),
    ] {
        let refused = refused(property);
        assert!(refused.contains(message), "{refused}");
    }
    let refused = |schema: &str| {
        Schema::parse(schema)
            .expect_err("it is refused")
            .to_string()
    };
    assert!(refused("{").starts_with("it is not JSON: "));
    assert_eq!(refused("[]"), "it is not the schema of an object");
    assert_eq!(
        refused(r#"{"type":"string"}"#),
        "it is not the schema of an object"
    );
    let patterns = vec![json!({ "pattern": "a" }); 257];
    let many = json!({ "properties": { "key": { "anyOf": patterns } } }).to_string();
    assert_eq!(
        refused(&many),
        "it is too large: it has more than 256 patterns and groups in patterns"
    );
    assert_eq!(
        refused(&" ".repeat((1 << 20) + 1)),
        "it is too large: it has more than 1048576 bytes"
    );
}
