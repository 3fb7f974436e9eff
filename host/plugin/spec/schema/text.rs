//! Converts the text of a setting, as it is written after `--set KEY=`, to the value that the schema asks for.

use serde_json::Number;
use serde_json::Value;

use super::List;
use super::Shape;
use super::check::fits;

/// Maximum number of values that are tried where several shapes must fit. There are six types.
const MAX_TRIED: usize = 8;

/// The value that `text` stands for in a setting that has all of these shapes. If nothing fits, the value does not.
pub(super) fn value(shapes: &[&Shape], text: &str) -> Value {
    match shapes {
        [shape] => one(shape, text),
        shapes => all(shapes, text).unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

fn one(shape: &Shape, text: &str) -> Value {
    match shape {
        Shape::Null => word(text, "null", Value::Null),
        Shape::Boolean => boolean(text),
        Shape::Number(_) => number(text),
        Shape::List(list) => list_value(list, text),
        Shape::Any | Shape::Value(_) => serde_json::from_str(text).ok(),
        Shape::Object(_) => serde_json::from_str(text).ok().filter(Value::is_object),
        Shape::AnyOf(choices) | Shape::OneOf(choices) => choice(choices, text),
        Shape::AllOf(parts) => {
            let parts: Vec<&Shape> = parts.iter().collect();
            all(&parts, text)
        }
        Shape::Text(_) | Shape::Word(_) | Shape::Nothing => None,
    }
    .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The first value of one of the shapes that fits all of them; if there is none, the first one, which can be named in a
/// message. Shapes may be many: equal values are tried once.
fn all(shapes: &[&Shape], text: &str) -> Option<Value> {
    let mut tried = Vec::new();
    for shape in shapes {
        let value = one(shape, text);
        if tried.contains(&value) {
            continue;
        }
        if shapes.iter().all(|shape| fits(shape, &value)) {
            return Some(value);
        }
        tried.push(value);
        if tried.len() == MAX_TRIED {
            break;
        }
    }
    tried.into_iter().next()
}

fn word(text: &str, word: &str, value: Value) -> Option<Value> {
    (text.trim() == word).then_some(value)
}

fn boolean(text: &str) -> Option<Value> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(Value::Bool(true)),
        "false" | "no" | "off" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// A number, also as people write it: `.5`, `+7`, `5.`.
fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let whole = text.parse::<u64>().map(Number::from);
    let whole = whole.or_else(|_| text.parse::<i64>().map(Number::from));
    let starts = |char: char| char.is_ascii_digit() || "-.".contains(char);
    // `inf` and `nan` are floating point numbers to Rust.
    let real = || match text.starts_with(starts) {
        true => text.parse::<f64>().ok().and_then(Number::from_f64),
        false => None,
    };
    whole.ok().or_else(real).map(Value::Number)
}

/// A list: `[1,2]` as JSON, or `a,b`.
fn list_value(list: &List, text: &str) -> Option<Value> {
    if let Some(items) = json_list(text) {
        return Some(items);
    }
    let items = text.split(',').map(str::trim);
    let items = items.filter(|item| !item.is_empty()).enumerate();
    let values = items.map(|(index, item)| one(list.first.get(index).unwrap_or(&list.rest), item));
    Some(values.collect())
}

fn json_list(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(Value::is_array)
}

/// The first choice whose value fits. Any text is a valid string, so that strings are tried after all others; text
/// without a comma is a list only where it is nothing else. Each choice is read once: choices are in choices.
fn choice(choices: &[Shape], text: &str) -> Option<Value> {
    let several = text.contains(',') || json_list(text).is_some();
    let turn = |choice: &Shape| match choice {
        Shape::List(_) if several => 1,
        Shape::Text(_) => 2,
        Shape::List(_) => 3,
        Shape::Any => 4,
        _ => 0,
    };
    let mut choices: Vec<&Shape> = choices.iter().collect();
    choices.sort_by_key(|choice| turn(choice));
    // Of a list that does not fit, the item that is wrong can be named.
    let mut list = None;
    for choice in choices {
        let value = one(choice, text);
        if fits(choice, &value) {
            return Some(value);
        }
        if several && matches!(choice, Shape::List(_)) {
            list.get_or_insert(value);
        }
    }
    list
}
