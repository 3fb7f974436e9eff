//! The settings schema of a plugin: a subset of JSON Schema, which the host enforces for plugins in every language.
//!
//! `parse` reads it, `check` compares settings with it, `text` turns the text of `--set` into values, and `words`
//! describes it to an operator.
//!
//! A schema comes from a plugin, which may be a stranger's. `parse/budget` bounds its size. Functions that walk through
//! it visit each choice once: choices contain choices, and with two visits on each of 32 levels there are 2³² of the
//! innermost one.

mod check;
mod mismatch;
mod parse;
mod text;
mod words;

use regex_lite::Regex;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

pub use self::mismatch::Mismatch;
pub use self::parse::SchemaError;
pub use self::words::Setting;
pub use self::words::Word;

/// The schema of a plugin's settings: an object.
#[derive(Debug)]
pub struct Schema(Object);

impl Schema {
    /// The schema of a plugin that has none: any keys, any values.
    pub fn any() -> Schema {
        Schema(Object {
            properties: Vec::new(),
            patterns: Vec::new(),
            rest: Shape::Any,
            min: 0,
            max: None,
        })
    }

    /// Reads a schema from JSON.
    ///
    /// # Errors
    ///
    /// If it is not JSON, not the schema of an object, uses a keyword that is not supported, or exceeds a bound.
    pub fn parse(json: &str) -> Result<Schema, SchemaError> {
        parse::parse(json).map(Schema)
    }

    /// Compares settings with the schema. Returns the first difference.
    pub fn check(&self, settings: &Map<String, Value>) -> Result<(), Mismatch> {
        check::settings(&self.0, settings)
    }

    /// Converts the text of a setting to the value that the schema asks for. If there is none, [`check`](Schema::check)
    /// refuses the value.
    pub fn value(&self, key: &str, text: &str) -> Value {
        text::value(&self.0.shapes_of(key), text)
    }

    /// Returns whether there is a setting with this key, for values of the type of this one, that takes it. A number must be
    /// a whole one. A setting that takes anything is for nothing in particular.
    pub fn takes(&self, key: &str, value: &Value) -> bool {
        let property = self.0.property(key);
        let shape = property.and_then(|property| property.shape.as_ref());
        let fits = |shape: &&Shape| check::fits(shape, value);
        shape.is_some_and(|shape| shape.is_for(value)) && self.0.shapes_of(key).iter().all(fits)
    }

    /// Describes each setting in words.
    pub fn settings(&self) -> Vec<Setting> {
        words::settings(&self.0)
    }
}

/// What a value may be.
#[derive(Debug)]
enum Shape {
    /// Any value.
    Any,
    /// No value: the schema `false`.
    Nothing,
    Null,
    Boolean,
    Number(Range),
    Text(Text),
    /// One of these words.
    Word(Vec<Word>),
    /// One of these values, which are not all words.
    Value(Vec<Value>),
    List(Box<List>),
    Object(Box<Object>),
    /// At least one of these.
    AnyOf(Vec<Shape>),
    /// Exactly one of these.
    OneOf(Vec<Shape>),
    /// All of these.
    AllOf(Vec<Shape>),
}

impl Shape {
    fn is_for(&self, value: &Value) -> bool {
        match self {
            Shape::Boolean => value.is_boolean(),
            Shape::Number(range) => range.whole && check::fits(self, value),
            Shape::AnyOf(choices) | Shape::OneOf(choices) => {
                choices.iter().any(|choice| choice.is_for(value))
            }
            _ => false,
        }
    }
}

/// Which numbers.
#[derive(Debug, Default)]
struct Range {
    /// Whether only whole numbers.
    whole: bool,
    low: Option<Bound>,
    high: Option<Bound>,
    /// What the number is a multiple of.
    step: Option<Number>,
}

#[derive(Debug, Clone)]
struct Bound {
    number: Number,
    /// Whether the number itself is outside.
    exclusive: bool,
}

/// Which texts. Lengths are in characters.
#[derive(Debug, Default)]
struct Text {
    min: usize,
    max: Option<usize>,
    pattern: Option<Regex>,
    format: Option<Format>,
    examples: Vec<String>,
}

/// A form of text that has a name. Names that are not checked are kept for the description.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    Ip,
    Ipv4,
    Ipv6,
    /// Described, not checked.
    Other(String),
}

/// Which lists.
#[derive(Debug)]
struct List {
    /// The first items, by position.
    first: Vec<Shape>,
    /// The items after them.
    rest: Shape,
    min: usize,
    max: Option<usize>,
    unique: bool,
}

/// Which objects.
#[derive(Debug)]
struct Object {
    properties: Vec<Property>,
    patterns: Vec<Pattern>,
    /// Values whose keys are not listed and match no pattern. Nothing: there are no such keys.
    rest: Shape,
    min: usize,
    max: Option<usize>,
}

/// A property of an object.
#[derive(Debug)]
struct Property {
    key: String,
    /// `None`: it is required, but not listed; patterns and the rest say what it is.
    shape: Option<Shape>,
    required: bool,
    default: Option<Value>,
    description: String,
}

/// The shape of values whose keys match a pattern.
#[derive(Debug)]
struct Pattern {
    keys: Regex,
    shape: Shape,
}

impl Object {
    fn property(&self, key: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.key == key)
    }

    /// The shapes that the value with this key has, all of them. None: there is no such key.
    fn shapes_of(&self, key: &str) -> Vec<&Shape> {
        let listed = self
            .property(key)
            .and_then(|property| property.shape.as_ref());
        let matching = self
            .patterns
            .iter()
            .filter(|pattern| pattern.keys.is_match(key));
        let matching = matching.map(|pattern| &pattern.shape);
        let shapes: Vec<_> = listed.into_iter().chain(matching).collect();
        match (shapes.is_empty(), &self.rest) {
            (true, Shape::Nothing) | (false, _) => shapes,
            (true, rest) => vec![rest],
        }
    }
}

#[cfg(test)]
mod tests;
