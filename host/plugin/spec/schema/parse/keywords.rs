//! Reads the values of single keywords of a schema, and puts shapes together.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::collections::HashSet;

use serde_json::Map;
use serde_json::Value;

use super::Place;
use super::SchemaError;
use crate::plugin::spec::schema::Bound;
use crate::plugin::spec::schema::Range;
use crate::plugin::spec::schema::Shape;
use crate::plugin::spec::schema::Word;
use crate::plugin::spec::schema::check::compare;
use crate::plugin::spec::schema::check::same;
use crate::system::sanitize::joined;

pub(super) fn any_of(shapes: Vec<Shape>) -> Shape {
    choice(shapes, Shape::AnyOf)
}

pub(super) fn one_of(shapes: Vec<Shape>) -> Shape {
    let mut seen = HashSet::new();
    let words = shapes.iter().flat_map(|shape| match shape {
        Shape::Word(words) => words.as_slice(),
        _ => &[],
    });
    let distinct = words.map(|word| &word.word).all(|word| seen.insert(word));
    // A word that is in two of them is refused.
    match distinct {
        true => choice(shapes, Shape::OneOf),
        false => Shape::OneOf(shapes),
    }
}

/// A choice. Choices of words are one choice of words.
fn choice(mut shapes: Vec<Shape>, of: fn(Vec<Shape>) -> Shape) -> Shape {
    if shapes.len() == 1 {
        return shapes.remove(0);
    }
    if !shapes.iter().all(|shape| matches!(shape, Shape::Word(_))) {
        return of(shapes);
    }
    let mut words: Vec<Word> = Vec::new();
    for shape in shapes {
        if let Shape::Word(more) = shape {
            words.extend(more);
        }
    }
    Shape::Word(words)
}

/// The values of `const` or `enum`; of both, if there are both.
pub(super) fn constants(
    schema: &Map<String, Value>,
    place: &Place,
) -> Result<Option<Vec<Value>>, SchemaError> {
    let listed = match schema.get("enum") {
        Some(Value::Array(values)) => Some(values),
        Some(_) => return Err(place.invalid("enum", "a list of values")),
        None => None,
    };
    Ok(match (schema.get("const"), listed) {
        (Some(value), Some(values)) if !values.iter().any(|other| same(value, other)) => {
            Some(Vec::new())
        }
        (Some(value), _) => Some(vec![value.clone()]),
        (None, values) => values.cloned(),
    })
}

pub(super) fn one_of_values(values: Vec<Value>, schema: &Map<String, Value>) -> Shape {
    let description = schema.get("description").and_then(Value::as_str);
    // The description of a list of words is that of the setting.
    let description = description.filter(|_| values.len() == 1);
    let words = values.iter().map(|value| {
        Some(Word {
            word: value.as_str()?.to_owned(),
            description: joined(description.unwrap_or_default()),
        })
    });
    match words.collect::<Option<Vec<_>>>() {
        Some(words) if !words.is_empty() => Shape::Word(words),
        _ if values.is_empty() => Shape::Nothing,
        _ => Shape::Value(values),
    }
}

pub(super) fn range(
    schema: &Map<String, Value>,
    whole: bool,
    place: &Place,
) -> Result<Shape, SchemaError> {
    let number = |keyword: &str| match schema.get(keyword) {
        Some(Value::Number(number)) => Ok(Some(number.clone())),
        Some(_) => Err(place.invalid(keyword, "a number")),
        None => Ok(None),
    };
    // Of two bounds the narrower one holds; of equal ones, that which excludes the number itself.
    let bound = |inclusive: &str, exclusive: &str, narrower: Ordering| {
        let inside = number(inclusive)?.map(|number| Bound {
            number,
            exclusive: false,
        });
        let outside = number(exclusive)?.map(|number| Bound {
            number,
            exclusive: true,
        });
        Ok(match (inside, outside) {
            (Some(inside), Some(outside))
                if compare(&inside.number, &outside.number) == Some(narrower) =>
            {
                Some(inside)
            }
            (inside, outside) => outside.or(inside),
        })
    };
    Ok(Shape::Number(Range {
        whole,
        low: bound("minimum", "exclusiveMinimum", Ordering::Greater)?,
        high: bound("maximum", "exclusiveMaximum", Ordering::Less)?,
        step: number("multipleOf")?,
    }))
}

pub(super) fn count(
    schema: &Map<String, Value>,
    keyword: &str,
    place: &Place,
) -> Result<Option<usize>, SchemaError> {
    match schema.get(keyword) {
        Some(value) => match value.as_u64() {
            Some(count) => Ok(Some(usize::try_from(count).unwrap_or(usize::MAX))),
            None => Err(place.invalid(keyword, "a whole number from 0")),
        },
        None => Ok(None),
    }
}

pub(super) fn names<'a>(
    schema: &'a Map<String, Value>,
    keyword: &str,
    place: &Place,
) -> Result<BTreeSet<&'a str>, SchemaError> {
    let invalid = || place.invalid(keyword, "a list of keys");
    match schema.get(keyword) {
        Some(Value::Array(names)) => names
            .iter()
            .map(|name| name.as_str().ok_or_else(invalid))
            .collect(),
        Some(_) => Err(invalid()),
        None => Ok(BTreeSet::new()),
    }
}

pub(super) fn members<'a>(
    schema: &'a Map<String, Value>,
    keyword: &str,
    place: &Place,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, SchemaError> {
    let members = match schema.get(keyword) {
        Some(Value::Object(members)) => Some(members),
        Some(_) => return Err(place.invalid(keyword, "an object of schemas")),
        None => None,
    };
    Ok(members.into_iter().flatten())
}
