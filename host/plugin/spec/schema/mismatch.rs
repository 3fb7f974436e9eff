//! How settings differ from their schema.

use serde_json::Value;

use super::Object;
use super::Property;
use super::Shape;
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

/// A difference, not in words yet. Most are those of one choice where another one fits, and are dropped.
pub(super) struct Difference<'a> {
    /// The way to it from the settings, the last step first.
    way: Vec<Step<'a>>,
    what: What<'a>,
}

pub(super) enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

pub(super) enum What<'a> {
    Value(&'a Shape, &'a Value),
    /// The object has no such key.
    Unknown(&'a Object, &'a str),
    /// The object needs this key.
    Missing(&'a Object, &'a str),
    /// The object has this number of keys.
    Keys(&'a Object, usize),
}

impl<'a> Difference<'a> {
    pub(super) fn new(what: What<'a>) -> Difference<'a> {
        Difference {
            way: Vec::new(),
            what,
        }
    }

    pub(super) fn below(mut self, step: Step<'a>) -> Difference<'a> {
        self.way.push(step);
        self
    }
}

impl From<Difference<'_>> for Mismatch {
    fn from(difference: Difference) -> Mismatch {
        let mut key = String::new();
        for step in difference.way.iter().rev() {
            let step = match step {
                Step::Key(name) if key.is_empty() => joined(name),
                Step::Key(name) => format!(".{}", joined(name)),
                Step::Item(index) => format!("[{index}]"),
            };
            key.push_str(&step);
        }
        match difference.what {
            What::Value(shape, found) => Mismatch::Value {
                key,
                expected: words::expected(shape),
                found: shown(found),
            },
            What::Unknown(form, name) => Mismatch::Unknown {
                key,
                hint: hint(form, name),
            },
            What::Missing(form, name) => {
                let shapes = form.shapes_of(name);
                let shape = shapes.first().copied().unwrap_or(&Shape::Any);
                Mismatch::Missing {
                    key,
                    expected: words::expected(shape),
                }
            }
            What::Keys(form, found) => Mismatch::Value {
                key: match difference.way.is_empty() {
                    true => "the settings".to_owned(),
                    false => key,
                },
                expected: words::number_of("key", form.min, form.max),
                found: found.to_string(),
            },
        }
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

/// The key that was meant, or the keys that exist.
fn hint(form: &Object, key: &str) -> String {
    let similarity = |other: &&Property| strsim::jaro_winkler(&other.key, key);
    let listed = form.properties.iter().filter(|it| it.shape.is_some());
    let nearest = listed
        .clone()
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
        .filter(|nearest| similarity(nearest) >= SIMILAR);
    if let Some(nearest) = nearest {
        return format!("; did you mean {}?", joined(&nearest.key));
    }
    let keys = listed.map(|property| joined(&property.key));
    let mut keys: Vec<_> = keys.take(MAX_KEYS + 1).collect();
    if let Some(last) = keys.get_mut(MAX_KEYS) {
        *last = "…".to_owned();
    }
    match keys.is_empty() {
        true => ": there are no settings".to_owned(),
        false => format!("; there are {}", keys.join(", ")),
    }
}
