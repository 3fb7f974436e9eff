//! Describes a schema in words of an operator.

use serde::Serialize;
use serde_json::Value;

use super::Bound;
use super::Format;
use super::List;
use super::Object;
use super::Range;
use super::Shape;
use super::Text;
use crate::system::sanitize::joined;

/// Maximum number of words that are spelled out.
const MAX_WORDS: usize = 64;

/// Maximum number of characters about a shape. Choices are in choices, so that words of a plugin can add up.
const MAX_SHOWN: usize = 4096;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Word {
    /// The word.
    pub word: String,
    /// Its meaning. Empty if the plugin does not say.
    pub description: String,
}

/// Describes the settings of an object.
pub(super) fn settings(object: &Object) -> Vec<Setting> {
    let properties = object.properties.iter();
    properties
        .map(|property| Setting {
            key: joined(&property.key),
            takes: match &property.shape {
                Some(shape) => takes(shape, &|_| "one of the words below".to_owned()),
                None => "any value".to_owned(),
            },
            default: property.default.clone(),
            required: property.required,
            description: property.description.clone(),
            words: property.shape.as_ref().map(words).unwrap_or_default(),
        })
        .collect()
}

/// What a shape asks for, with the words of choices, for a message.
pub(super) fn expected(shape: &Shape) -> String {
    takes(shape, &|words| {
        let shown = words.iter().take(MAX_WORDS);
        let mut shown: Vec<_> = shown.map(|word| joined(&word.word)).collect();
        if words.len() > MAX_WORDS {
            shown.push("…".to_owned());
        }
        match &shown[..] {
            [only] => only.clone(),
            shown => format!("one of {}", shown.join(", ")),
        }
    })
}

/// The distinct words of choices in a shape.
fn words(shape: &Shape) -> Vec<Word> {
    let mut found: Vec<Word> = Vec::new();
    collect_words(shape, &mut found);
    found
}

fn collect_words(shape: &Shape, found: &mut Vec<Word>) {
    if found.len() == MAX_WORDS {
        return;
    }
    match shape {
        Shape::Word(words) => {
            for word in words {
                let shown = joined(&word.word);
                let is_new = found.iter().all(|other| other.word != shown);
                if is_new && found.len() < MAX_WORDS {
                    found.push(Word {
                        word: shown,
                        description: word.description.clone(),
                    });
                }
            }
        }
        Shape::List(list) => {
            list.first
                .iter()
                .for_each(|item| collect_words(item, found));
            collect_words(&list.rest, found);
        }
        Shape::AnyOf(parts) | Shape::OneOf(parts) | Shape::AllOf(parts) => {
            parts.iter().for_each(|part| collect_words(part, found));
        }
        _ => {}
    }
}

fn takes(shape: &Shape, choice: &impl Fn(&[Word]) -> String) -> String {
    let text = match shape {
        Shape::Any => "any value".to_owned(),
        Shape::Nothing => "no value".to_owned(),
        Shape::Null => "null".to_owned(),
        Shape::Boolean => "true or false".to_owned(),
        Shape::Number(range) => number(range),
        Shape::Text(form) => text(form),
        Shape::Word(words) => choice(words),
        Shape::Value(values) => {
            let values = values.iter().take(MAX_WORDS);
            let values: Vec<_> = values.map(|value| joined(&value.to_string())).collect();
            format!("one of {}", values.join(", "))
        }
        Shape::List(form) => list(form, choice),
        Shape::Object(_) => "JSON object".to_owned(),
        Shape::AnyOf(choices) | Shape::OneOf(choices) => any_of(choices, choice),
        Shape::AllOf(parts) => {
            let parts = distinct(parts, choice);
            parts.join(", and ")
        }
    };
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn any_of(choices: &[Shape], choice: &impl Fn(&[Word]) -> String) -> String {
    match &distinct(choices, choice)[..] {
        [one, list] if *list == list_of(one) => format!("{one}, or several with commas"),
        parts => parts.join(", or "),
    }
}

fn distinct(shapes: &[Shape], choice: &impl Fn(&[Word]) -> String) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for shape in shapes.iter().take(MAX_WORDS) {
        let part = takes(shape, choice);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

fn number(range: &Range) -> String {
    let name = match range.whole {
        true => "whole number",
        false => "number",
    };
    let side = |bound: &Option<Bound>, within: &str, beyond: &str| {
        bound.as_ref().map(|bound| match bound.exclusive {
            true => format!(" {beyond} {}", bound.number),
            false => format!(" {within} {}", bound.number),
        })
    };
    let low = side(&range.low, "from", "above").unwrap_or_default();
    let high = side(&range.high, "to", "below").unwrap_or_default();
    let step = range.step.as_ref();
    let step = step.map_or(String::new(), |step| format!(", a multiple of {step}"));
    format!("{name}{low}{high}{step}")
}

/// Text, by examples, by the name of its form, or by its pattern.
fn text(form: &Text) -> String {
    let examples = form.examples.join(", ");
    let kind = match (&form.format, &form.pattern) {
        _ if !examples.is_empty() => format!("text such as {examples}"),
        (Some(Format::Ip), _) => "IP address".to_owned(),
        (Some(Format::Ipv4), _) => "IPv4 address".to_owned(),
        (Some(Format::Ipv6), _) => "IPv6 address".to_owned(),
        (Some(Format::Other(name)), _) => format!("text ({name})"),
        (None, Some(pattern)) => format!("text that matches {}", joined(pattern.as_str())),
        (None, None) => "text".to_owned(),
    };
    let length = match (form.min, form.max) {
        (0, None) => String::new(),
        (min, max) => format!(" of {}", number_of("character", min, max)),
    };
    format!("{kind}{length}")
}

fn list(form: &List, choice: &impl Fn(&[Word]) -> String) -> String {
    let first: Vec<_> = form.first.iter().map(|item| takes(item, choice)).collect();
    let items = match (first.is_empty(), &form.rest) {
        (false, Shape::Nothing) => format!("list of: {}", first.join("; ")),
        (false, rest) => format!(
            "list of: {}; then {}",
            first.join("; "),
            takes(rest, choice)
        ),
        (true, rest) => list_of(&takes(rest, choice)),
    };
    let many = match (form.min, form.max) {
        (0, None) => String::new(),
        (min, max) => format!(", {}", number_of("item", min, max)),
    };
    let unique = match form.unique {
        true => ", each once",
        false => "",
    };
    format!("{items}{many}{unique}")
}

fn list_of(item: &str) -> String {
    format!("list of: {item}")
}

/// A number of things, such as "1 to 10 items".
pub(super) fn number_of(thing: &str, min: usize, max: Option<usize>) -> String {
    match max {
        None if min == 1 => format!("at least 1 {thing}"),
        None => format!("at least {min} {thing}s"),
        Some(1) if min <= 1 => {
            format!("{} 1 {thing}", if min == 1 { "exactly" } else { "at most" })
        }
        Some(max) if min == max => format!("exactly {max} {thing}s"),
        Some(max) if min == 0 => format!("at most {max} {thing}s"),
        Some(max) => format!("{min} to {max} {thing}s"),
    }
}
