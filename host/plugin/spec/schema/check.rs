//! Compares settings with their schema.

use std::cmp::Ordering;
use std::collections::HashSet;
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
use super::mismatch::Difference;
use super::mismatch::Mismatch;
use super::mismatch::Step;
use super::mismatch::What;

/// Maximum relative error of the ratio of two numbers, each of which is rounded.
const MAX_ROUNDING: f64 = 2.0 * f64::EPSILON;

/// Compares settings with the schema of their object.
pub(super) fn settings(schema: &Object, settings: &Map<String, Value>) -> Result<(), Mismatch> {
    object(schema, settings).map_err(Mismatch::from)
}

/// Whether a value is what a shape asks for.
pub(super) fn fits(shape: &Shape, found: &Value) -> bool {
    value(shape, found).is_ok()
}

fn value<'a>(shape: &'a Shape, found: &'a Value) -> Result<(), Difference<'a>> {
    let fits = match (shape, found) {
        (Shape::Any, _) => true,
        (Shape::Nothing, _) => false,
        (Shape::Null, found) => found.is_null(),
        (Shape::Boolean, found) => found.is_boolean(),
        (Shape::Number(range), Value::Number(number)) => range.has(number),
        (Shape::Text(form), Value::String(text)) => form.has(text),
        (Shape::Word(words), Value::String(text)) => words.iter().any(|word| word.word == *text),
        (Shape::Value(values), found) => values.iter().any(|value| same(value, found)),
        (Shape::List(form), Value::Array(items)) if form.has(items) => return list(form, items),
        (Shape::Object(form), Value::Object(members)) => return object(form, members),
        (Shape::AnyOf(choices), found) => return choice(shape, choices, found, false),
        (Shape::OneOf(choices), found) => return choice(shape, choices, found, true),
        (Shape::AllOf(parts), found) => {
            return parts.iter().try_for_each(|part| value(part, found));
        }
        (
            Shape::Number(_) | Shape::Text(_) | Shape::Word(_) | Shape::List(_) | Shape::Object(_),
            _,
        ) => false,
    };
    match fits {
        true => Ok(()),
        false => Err(Difference::new(What::Value(shape, found))),
    }
}

/// Whether one of the choices fits, and no other one if `only_one`. Each is asked once: choices are in choices.
fn choice<'a>(
    shape: &'a Shape,
    choices: &'a [Shape],
    found: &'a Value,
    only_one: bool,
) -> Result<(), Difference<'a>> {
    let mut fitting = 0;
    // What is wrong within the choices that have the form of the value.
    let mut alike = Vec::new();
    for choice in choices {
        match (value(choice, found), choice, found) {
            (Ok(()), ..) => fitting += 1,
            (Err(within), Shape::List(_), Value::Array(_))
            | (Err(within), Shape::Object(_), Value::Object(_)) => alike.push(within),
            (Err(_), ..) => {}
        }
        if fitting > usize::from(only_one) {
            break;
        }
    }
    match (fitting, alike.pop(), alike.is_empty()) {
        (1, ..) => Ok(()),
        // Where one choice alone has the form of the value, what is wrong within it says more.
        (0, Some(within), true) => Err(within),
        _ => Err(Difference::new(What::Value(shape, found))),
    }
}

fn list<'a>(form: &'a List, items: &'a [Value]) -> Result<(), Difference<'a>> {
    items.iter().enumerate().try_for_each(|(index, item)| {
        let shape = form.first.get(index).unwrap_or(&form.rest);
        value(shape, item).map_err(|difference| difference.below(Step::Item(index)))
    })
}

fn object<'a>(form: &'a Object, members: &'a Map<String, Value>) -> Result<(), Difference<'a>> {
    for (key, member) in members {
        let below = |difference: Difference<'a>| difference.below(Step::Key(key));
        let shapes = form.shapes_of(key);
        if shapes.is_empty() {
            return Err(below(Difference::new(What::Unknown(form, key))));
        }
        for shape in shapes {
            value(shape, member).map_err(below)?;
        }
    }
    let missing = form
        .properties
        .iter()
        .find(|property| property.required && !members.contains_key(&property.key));
    if let Some(property) = missing {
        let missing = Difference::new(What::Missing(form, &property.key));
        return Err(missing.below(Step::Key(&property.key)));
    }
    match members.len() < form.min || form.max.is_some_and(|max| members.len() > max) {
        true => Err(Difference::new(What::Keys(form, members.len()))),
        false => Ok(()),
    }
}

/// Whether two values are equal; 1 and 1.0 are.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(Ordering::Equal),
        (a, b) => a == b,
    }
}

/// Compares numbers, exactly where both are whole.
pub(super) fn compare(a: &Number, b: &Number) -> Option<Ordering> {
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
                // 0.3 / 0.1 is not quite 3: numbers, and their ratio, are rounded.
                (Some(number), Some(step)) => {
                    let ratio = number / step;
                    (ratio - ratio.round()).abs() <= MAX_ROUNDING * ratio.abs()
                }
                _ => false,
            },
        };
        (!self.whole || number.as_i128().is_some())
            && within(&self.low, Ordering::Less)
            && within(&self.high, Ordering::Greater)
            && self.step.as_ref().is_none_or(is_multiple)
    }
}

impl List {
    /// Whether it may have as many items, and these beside one another.
    fn has(&self, items: &[Value]) -> bool {
        // Objects have their keys in one order only.
        let mut seen = HashSet::new();
        items.len() >= self.min
            && self.max.is_none_or(|max| items.len() <= max)
            && (!self.unique || items.iter().all(|item| seen.insert(item.to_string())))
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
