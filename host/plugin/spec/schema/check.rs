//! Compares settings with their schema.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

use super::Bound;
use super::Format;
use super::List;
use super::Object;
use super::Range;
use super::Shape;
use super::Text;
use super::words;
use crate::system::sanitize::joined;

/// Minimum similarity, from 0 to 1, of a key to one that is suggested instead.
const SIMILAR: f64 = 0.8;

/// Maximum number of characters of a value in a message.
const MAX_SHOWN: usize = 60;

/// Maximum number of keys in a message.
const MAX_KEYS: usize = 40;

/// A difference between settings and their schema.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A value is not what the schema asks for.
    #[error("{key}: expected {expected}, not {found}")]
    Value {
        /// The key, such as `rules[2].port`.
        key: String,
        /// What the schema asks for, in words.
        expected: String,
        /// The value.
        found: String,
    },
    /// There is no such key.
    #[error("unknown setting {key}{hint}")]
    Unknown {
        /// The key.
        key: String,
        /// The key that was meant, or the keys that exist.
        hint: String,
    },
    /// A key that is required is missing.
    #[error("{key} is required: {expected}")]
    Missing {
        /// The key.
        key: String,
        /// What the schema asks for, in words.
        expected: String,
    },
}

/// Compares settings with the schema of their object.
pub(super) fn settings(schema: &Object, settings: &Map<String, Value>) -> Result<(), Mismatch> {
    object(schema, settings, &Path::Root)
}

/// Whether a value is what a shape asks for.
pub(super) fn fits(shape: &Shape, found: &Value) -> bool {
    value(shape, found, &Path::Root).is_ok()
}

/// The way from the settings to a value. It is written out only for a message.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(&joined(key)),
            Path::Key(above, key) => write!(f, "{above}.{}", joined(key)),
            Path::Item(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}

fn value(shape: &Shape, found: &Value, path: &Path) -> Result<(), Mismatch> {
    let fits = match (shape, found) {
        (Shape::Any, _) => true,
        (Shape::Nothing, _) => false,
        (Shape::Null, found) => found.is_null(),
        (Shape::Boolean, found) => found.is_boolean(),
        (Shape::Number(range), Value::Number(number)) => range.has(number),
        (Shape::Text(form), Value::String(text)) => form.has(text),
        (Shape::Word(words), Value::String(text)) => words.iter().any(|word| word.word == *text),
        (Shape::Value(values), found) => values.iter().any(|value| same(value, found)),
        (Shape::List(form), Value::Array(items)) => return list(shape, form, items, found, path),
        (Shape::Object(form), Value::Object(members)) => return object(form, members, path),
        (Shape::AnyOf(choices), found) => return any_of(shape, choices, found, path),
        (Shape::OneOf(choices), found) => {
            any_of(shape, choices, found, path)?;
            let fitting = choices.iter().filter(|choice| self::fits(choice, found));
            fitting.take(2).count() == 1
        }
        (Shape::AllOf(parts), found) => {
            return parts.iter().try_for_each(|part| value(part, found, path));
        }
        (
            Shape::Number(_) | Shape::Text(_) | Shape::Word(_) | Shape::List(_) | Shape::Object(_),
            _,
        ) => false,
    };
    match fits {
        true => Ok(()),
        false => Err(mismatch(shape, found, path)),
    }
}

fn mismatch(shape: &Shape, found: &Value, path: &Path) -> Mismatch {
    Mismatch::Value {
        key: path.to_string(),
        expected: words::expected(shape),
        found: shown(found),
    }
}

/// A value as it is quoted in a message: JSON, cut.
fn shown(value: &Value) -> String {
    let text = joined(&value.to_string());
    match text.chars().count() > MAX_SHOWN {
        true => text.chars().take(MAX_SHOWN).chain(['…']).collect(),
        false => text,
    }
}

fn any_of(shape: &Shape, choices: &[Shape], found: &Value, path: &Path) -> Result<(), Mismatch> {
    if choices.iter().any(|choice| fits(choice, found)) {
        return Ok(());
    }
    // Where one choice alone has the form of the value, what is wrong within it says more.
    let alike = |choice: &&Shape| match choice {
        Shape::List(_) => found.is_array(),
        Shape::Object(_) => found.is_object(),
        _ => false,
    };
    let mut alike = choices.iter().filter(alike);
    match (alike.next(), alike.next()) {
        (Some(only), None) => value(only, found, path),
        _ => Err(mismatch(shape, found, path)),
    }
}

fn list(
    shape: &Shape,
    form: &List,
    items: &[Value],
    found: &Value,
    path: &Path,
) -> Result<(), Mismatch> {
    let many = items.len() < form.min || form.max.is_some_and(|max| items.len() > max);
    // Objects have their keys in one order only.
    let distinct: HashSet<String> = match form.unique {
        true => items.iter().map(Value::to_string).collect(),
        false => HashSet::new(),
    };
    if many || (form.unique && distinct.len() < items.len()) {
        return Err(mismatch(shape, found, path));
    }
    items.iter().enumerate().try_for_each(|(index, item)| {
        let shape = form.first.get(index).unwrap_or(&form.rest);
        value(shape, item, &Path::Item(path, index))
    })
}

fn object(form: &Object, members: &Map<String, Value>, path: &Path) -> Result<(), Mismatch> {
    for (key, member) in members {
        let shape = form.shape_of(key).ok_or_else(|| Mismatch::Unknown {
            key: Path::Key(path, key).to_string(),
            hint: hint(form, key),
        })?;
        value(shape, member, &Path::Key(path, key))?;
    }
    let missing = form
        .properties
        .iter()
        .find(|property| property.required && !members.contains_key(&property.key));
    if let Some(property) = missing {
        return Err(Mismatch::Missing {
            key: Path::Key(path, &property.key).to_string(),
            expected: words::expected(&property.shape),
        });
    }
    if members.len() < form.min || form.max.is_some_and(|max| members.len() > max) {
        let key = match path {
            Path::Root => "the settings".to_owned(),
            path => path.to_string(),
        };
        return Err(Mismatch::Value {
            key,
            expected: words::number_of("key", form.min, form.max),
            found: members.len().to_string(),
        });
    }
    Ok(())
}

/// The key that was meant, or the keys that exist.
fn hint(form: &Object, key: &str) -> String {
    let similarity = |other: &&super::Property| strsim::jaro_winkler(&other.key, key);
    let nearest = form
        .properties
        .iter()
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
        .filter(|nearest| similarity(nearest) >= SIMILAR);
    if let Some(nearest) = nearest {
        return format!("; did you mean {}?", joined(&nearest.key));
    }
    let keys = form.properties.iter().take(MAX_KEYS);
    let mut keys: Vec<_> = keys.map(|property| joined(&property.key)).collect();
    if form.properties.len() > MAX_KEYS {
        keys.push("…".to_owned());
    }
    match keys.is_empty() {
        true => ": there are no settings".to_owned(),
        false => format!("; there are {}", keys.join(", ")),
    }
}

/// Whether two values are equal; 1 and 1.0 are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(Ordering::Equal),
        (a, b) => a == b,
    }
}

/// Compares numbers, exactly where both are whole.
fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

impl Range {
    fn has(&self, number: &Number) -> bool {
        let within = |bound: &Option<Bound>, outside: Ordering| {
            bound.as_ref().is_none_or(|bound| {
                let order = compare(number, &bound.number);
                order.is_some_and(|order| {
                    order != outside && !(bound.exclusive && order == Ordering::Equal)
                })
            })
        };
        let is_multiple = |step: &Number| match (number.as_i128(), step.as_i128()) {
            (_, Some(0)) => false,
            (Some(number), Some(step)) => number % step == 0,
            _ => match (number.as_f64(), step.as_f64()) {
                (Some(number), Some(step)) => (number / step).fract() == 0.0,
                _ => false,
            },
        };
        (!self.whole || number.as_i128().is_some())
            && within(&self.low, Ordering::Less)
            && within(&self.high, Ordering::Greater)
            && self.step.as_ref().is_none_or(is_multiple)
    }
}

impl Text {
    fn has(&self, text: &str) -> bool {
        let length = text.chars().count();
        let in_format = match &self.format {
            Some(Format::Ip) => text.parse::<IpAddr>().is_ok(),
            Some(Format::Ipv4) => text.parse::<Ipv4Addr>().is_ok(),
            Some(Format::Ipv6) => text.parse::<Ipv6Addr>().is_ok(),
            Some(Format::Other(_)) | None => true,
        };
        length >= self.min
            && self.max.is_none_or(|max| length <= max)
            && in_format
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(text))
    }
}
