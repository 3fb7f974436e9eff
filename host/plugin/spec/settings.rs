//! Converts settings from the command line to the JSON types of the plugin's settings schema.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;

use crate::system::sanitize::one_line;

/// Maximum depth to which references, choices and lists of a schema are followed.
const MAX_DEPTH: usize = 16;

/// Maximum number of subschemas that are searched for the types of one setting.
const MAX_PLACES: usize = 1_000;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The schema that the plugin returned is not a JSON object.
    #[error("its settings schema is not a JSON object: {0}")]
    Schema(String),
    /// The plugin refused the settings, with this message.
    #[error("{0}")]
    Refused(String),
}

/// Returns the settings as a JSON object. A value that does not match its type remains a string, and a key that the
/// schema does not have is kept: the plugin refuses both, with a better message than the host could give.
pub fn to_json(schema: &str, settings: &[(String, String)]) -> Result<String, SettingsError> {
    let schema: Map<String, Value> =
        serde_json::from_str(schema).map_err(|error| SettingsError::Schema(one_line(&error)))?;
    let schema = Value::Object(schema);
    // Of several values for one key the last one applies, as with other options.
    let settings: BTreeMap<&str, &str> = settings
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let object = settings.iter().map(|(key, text)| {
        let property = &schema["properties"][key];
        ((*key).to_owned(), typed(text, property, &schema, 0))
    });
    Ok(Value::Object(object.collect()).to_string())
}

/// Converts `text` to the first type of the property as which it can be parsed. Text that matches no type becomes a
/// string.
fn typed(text: &str, property: &Value, schema: &Value, depth: usize) -> Value {
    let (mut types, mut places_left) = (Vec::new(), MAX_PLACES);
    collect_types(property, schema, 0, &mut places_left, &mut types);
    // Any text is a valid string, so that strings are tried last: `[a]` is a list before it is a string.
    types.sort_by_key(|(name, _)| *name == "string");
    let read = types.iter().find_map(|(name, item)| match *name {
        "integer" => text.parse().ok().map(Value::Number),
        "number" => serde_json::from_str(text).ok().filter(Value::is_number),
        "boolean" => text.parse().ok().map(Value::Bool),
        "null" => (text == "null").then_some(Value::Null),
        "object" => serde_json::from_str(text).ok().filter(Value::is_object),
        // The schema of a list's items may refer to the list itself.
        "array" if depth < MAX_DEPTH => list(text, item, schema, types.len() > 1, depth + 1),
        _ => None,
    });
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Parses a list: `[1,2]` as JSON, or `a,b`. If the property may also be a single value (`or_single`), text without a
/// comma is not a list.
fn list(text: &str, item: &Value, schema: &Value, or_single: bool, depth: usize) -> Option<Value> {
    if let Ok(value @ Value::Array(_)) = serde_json::from_str(text) {
        return Some(value);
    }
    if or_single && !text.contains(',') {
        return None;
    }
    let items = text.split(',').filter(|item| !item.is_empty());
    let values = items.map(|text| typed(text.trim(), item, schema, depth));
    Some(values.collect())
}

/// Collects the types of a property, each with the schema of its items if it is an array. Follows references and
/// choices.
fn collect_types<'a>(
    property: &'a Value,
    schema: &'a Value,
    depth: usize,
    places_left: &mut usize,
    types: &mut Vec<(&'a str, &'a Value)>,
) {
    // A schema may refer to itself, even from many places.
    if depth > MAX_DEPTH || *places_left == 0 {
        return;
    }
    *places_left -= 1;
    let reference = property["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix('#'));
    if let Some(target) = reference.and_then(|path| schema.pointer(path)) {
        collect_types(target, schema, depth + 1, places_left, types);
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        for schema_of_choice in property[choice].as_array().into_iter().flatten() {
            collect_types(schema_of_choice, schema, depth + 1, places_left, types);
        }
    }
    let item = &property["items"];
    match &property["type"] {
        Value::String(name) => types.push((name, item)),
        Value::Array(names) => {
            types.extend(
                names
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|name| (name, item)),
            );
        }
        _ => {}
    }
    if property["enum"].is_array() || property["const"].is_string() {
        types.push(("string", item));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Value {
        let schema = json!({
            "properties": {
                "threshold": { "type": "integer" },
                "ratio": { "type": "number" },
                "name": { "type": "string" },
                "on": { "type": "boolean" },
                "limit": { "type": ["integer", "null"] },
                "ports": { "type": "array", "items": { "type": "integer" } },
                "key": { "anyOf": [
                    { "$ref": "#/$defs/Key" },
                    { "type": "array", "items": { "$ref": "#/$defs/Key" } },
                ] },
            },
            "$defs": { "Key": { "oneOf": [{ "const": "peer", "type": "string" }] } },
        });
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let json = to_json(&schema.to_string(), &pairs).expect("the schema is an object");
        serde_json::from_str(&json).expect("JSON")
    }

    #[test]
    fn a_value_is_what_the_schema_says() {
        assert_eq!(settings(&[("threshold", "10")]), json!({ "threshold": 10 }));
        assert_eq!(settings(&[("ratio", "0.5")]), json!({ "ratio": 0.5 }));
        assert_eq!(settings(&[("on", "true")]), json!({ "on": true }));
        assert_eq!(settings(&[("limit", "null")]), json!({ "limit": null }));
        assert_eq!(
            settings(&[("ports", "80,443")]),
            json!({ "ports": [80, 443] })
        );
        assert_eq!(settings(&[("ports", "[80]")]), json!({ "ports": [80] }));
    }

    #[test]
    fn a_number_stays_text_where_text_is_wanted() {
        assert_eq!(settings(&[("name", "10")]), json!({ "name": "10" }));
        assert_eq!(settings(&[("name", "true")]), json!({ "name": "true" }));
        assert_eq!(settings(&[("name", "[1]")]), json!({ "name": "[1]" }));
    }

    #[test]
    fn one_or_a_list_of_them() {
        assert_eq!(settings(&[("key", "peer")]), json!({ "key": "peer" }));
        assert_eq!(
            settings(&[("key", "peer,netns")]),
            json!({ "key": ["peer", "netns"] })
        );
    }

    #[test]
    fn what_does_not_fit_is_left_for_the_plugin_to_refuse() {
        assert_eq!(
            settings(&[("threshold", "ten")]),
            json!({ "threshold": "ten" })
        );
        assert_eq!(settings(&[("treshold", "10")]), json!({ "treshold": "10" }));
        assert_eq!(
            settings(&[("threshold", "1"), ("threshold", "2")]),
            json!({ "threshold": 2 })
        );
    }
}
