//! What a settings schema says about each setting, in words of an operator.
//!
//! A schema comes from a plugin, which may be a stranger's: references and choices are followed to a bounded depth and
//! number, and text is cleaned before it is shown.

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::system::sanitize::joined;

/// Maximum depth to which references, choices and lists are followed.
const MAX_DEPTH: usize = 8;

/// Maximum number of words for which a choice is spelled out.
const MAX_CHOICES: usize = 64;

/// What a choice of words takes: the words are listed beside it.
const A_WORD: &str = "one of the words below";

/// A setting of a plugin.
#[derive(Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Its key, as in `--set KEY=VALUE`.
    pub key: String,
    /// What it takes, such as "whole number from 1 to 100".
    pub takes: String,
    /// Its value unless it is set; `None` if the plugin does not say.
    pub default: Option<Value>,
    /// Whether it must be set.
    pub required: bool,
    /// What it is for. Empty if the plugin does not say.
    pub description: String,
    /// The words that it takes, each with its meaning, if it is a choice.
    pub words: Vec<Word>,
}

/// A word that a setting takes.
#[derive(Debug, PartialEq, Serialize)]
pub struct Word {
    /// The word.
    pub word: String,
    /// Its meaning. Empty if the plugin does not say.
    pub description: String,
}

/// Reads the settings from a schema: the properties of an object. Other schemas have none.
pub fn settings(schema: &Map<String, Value>) -> Vec<Setting> {
    let root = Value::Object(schema.clone());
    let required = root["required"].as_array();
    let required = |key: &str| required.is_some_and(|keys| keys.iter().any(|name| name == key));
    let properties = root["properties"].as_object().into_iter().flatten();
    properties
        .map(|(key, property)| Setting {
            key: joined(key),
            takes: takes(property, &root, 0),
            default: property.get("default").cloned(),
            required: required(key),
            description: description(property),
            words: words(property, &root, 0),
        })
        .collect()
}

fn description(schema: &Value) -> String {
    joined(schema["description"].as_str().unwrap_or_default())
}

/// The target of a local reference, or the schema itself.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str();
    let target = reference.and_then(|path| root.pointer(path.strip_prefix('#')?));
    target.unwrap_or(schema)
}

/// The choices of a schema: `anyOf` or `oneOf`.
fn choices(schema: &Value) -> Option<&Vec<Value>> {
    ["anyOf", "oneOf"]
        .iter()
        .find_map(|name| schema[*name].as_array())
}

/// The words of a choice: of the schema, of one of its choices, or of the items of a list.
fn words(schema: &Value, root: &Value, depth: usize) -> Vec<Word> {
    if depth > MAX_DEPTH {
        return Vec::new();
    }
    let schema = resolved(schema, root);
    let mut found = Vec::new();
    let plain = schema["enum"].as_array().into_iter().flatten();
    found.extend(plain.filter_map(|word| {
        Some(Word {
            word: joined(word.as_str()?),
            description: String::new(),
        })
    }));
    if let Some(word) = schema["const"].as_str() {
        found.push(Word {
            word: joined(word),
            description: description(schema),
        });
    }
    for choice in choices(schema).into_iter().flatten().take(MAX_CHOICES) {
        found.extend(words(choice, root, depth + 1));
    }
    if schema["items"].is_object() {
        found.extend(words(&schema["items"], root, depth + 1));
    }
    let mut distinct: Vec<Word> = Vec::new();
    for word in found {
        let is_new = distinct.iter().all(|other| other.word != word.word);
        if is_new && distinct.len() < MAX_CHOICES {
            distinct.push(word);
        }
    }
    distinct
}

/// What a schema takes, in words.
fn takes(schema: &Value, root: &Value, depth: usize) -> String {
    if depth > MAX_DEPTH {
        return "any value".to_owned();
    }
    let schema = resolved(schema, root);
    if schema["enum"].is_array() || schema["const"].is_string() {
        return A_WORD.to_owned();
    }
    if let Some(choices) = choices(schema) {
        let mut parts: Vec<String> = Vec::new();
        for choice in choices.iter().take(MAX_CHOICES) {
            let part = takes(choice, root, depth + 1);
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        return match &parts[..] {
            [one, list] if *list == list_of(one) => format!("{one}, or several with commas"),
            parts => parts.join(", or "),
        };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let of_type = |name: &&str| match *name {
        "integer" => format!("whole number{}", bounds(schema)),
        "number" => format!("number{}", bounds(schema)),
        "boolean" => "true or false".to_owned(),
        "null" => "null".to_owned(),
        "string" => text(schema),
        "array" => list_of(&takes(&schema["items"], root, depth + 1)),
        "object" => "JSON object".to_owned(),
        other => joined(other),
    };
    match types.is_empty() {
        true => "any value".to_owned(),
        false => types.iter().map(of_type).collect::<Vec<_>>().join(", or "),
    }
}

fn list_of(item: &str) -> String {
    format!("list of: {item}")
}

/// The bounds of a number.
fn bounds(schema: &Value) -> String {
    let number = |name: &str| Some(&schema[name]).filter(|value| value.is_number());
    let low = number("minimum").map(|low| format!(" from {low}"));
    let low = low.or_else(|| number("exclusiveMinimum").map(|low| format!(" above {low}")));
    let high = number("maximum").map(|high| format!(" to {high}"));
    let high = high.or_else(|| number("exclusiveMaximum").map(|high| format!(" below {high}")));
    [low, high].into_iter().flatten().collect()
}

/// Text, by its format or by examples.
fn text(schema: &Value) -> String {
    let examples = schema["examples"].as_array().into_iter().flatten();
    let examples: Vec<_> = examples
        .filter_map(Value::as_str)
        .take(3)
        .map(joined)
        .collect();
    if !examples.is_empty() {
        return format!("text such as {}", examples.join(", "));
    }
    match schema["format"].as_str() {
        Some("ip") => "IP address".to_owned(),
        Some("ipv4") => "IPv4 address".to_owned(),
        Some("ipv6") => "IPv6 address".to_owned(),
        Some(other) => format!("text ({})", joined(other)),
        None => "text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn only(property: Value) -> Setting {
        let schema = json!({
            "properties": { "key": property },
            "required": ["key"],
            "$defs": {
                "Part": { "description": "Of it.", "oneOf": [
                    { "const": "peer", "description": "The peer.\u{1b}[2J" },
                    { "const": "local" },
                ] },
                "Loop": { "$ref": "#/$defs/Loop" },
                "Tree": { "anyOf": [{ "$ref": "#/$defs/Tree" }, { "items": { "$ref": "#/$defs/Tree" } }] },
            },
        });
        let mut settings = settings(schema.as_object().expect("an object"));
        assert_eq!(settings.len(), 1);
        settings.remove(0)
    }

    fn takes_of(property: Value) -> String {
        only(property).takes
    }

    #[test]
    fn types_and_bounds_are_told_in_words() {
        let integer = json!({ "type": "integer", "minimum": 1, "maximum": 9 });
        assert_eq!(takes_of(integer), "whole number from 1 to 9");
        let number = json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5 });
        assert_eq!(takes_of(number), "number above 0 below 1.5");
        assert_eq!(takes_of(json!({ "type": "boolean" })), "true or false");
        assert_eq!(
            takes_of(json!({ "type": ["string", "null"] })),
            "text, or null"
        );
        assert_eq!(
            takes_of(json!({ "type": "string", "examples": ["10s", "1m30s"] })),
            "text such as 10s, 1m30s"
        );
        let ports = json!({ "type": "array", "items": { "type": "integer" } });
        assert_eq!(takes_of(ports), "list of: whole number");
        assert_eq!(takes_of(json!(true)), "any value");
        assert_eq!(takes_of(json!({ "$ref": "#/nowhere" })), "any value");
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
        assert!(setting.required);
        let words: Vec<_> = setting
            .words
            .iter()
            .map(|word| word.word.as_str())
            .collect();
        assert_eq!(words, ["peer", "local"]);
        assert!(!setting.words[0].description.contains('\u{1b}'));
        let plain = only(json!({ "enum": ["a", "b", 3] }));
        assert_eq!(plain.words.len(), 2);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        assert_eq!(takes_of(json!({ "$ref": "#/$defs/Loop" })), "any value");
        assert!(takes_of(json!({ "$ref": "#/$defs/Tree" })).len() < 10_000);
    }
}
