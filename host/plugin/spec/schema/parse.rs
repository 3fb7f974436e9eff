//! Reads a settings schema.
//!
//! Supported are the keywords that [`KEYWORDS`] lists, and references within the schema that do not lead back to
//! themselves. A keyword that would change what is valid, and is not supported, refuses the schema: a setting must never
//! be accepted because a keyword was not understood.

mod budget;
mod keywords;

use serde_json::Map;
use serde_json::Value;

use self::budget::Budget;
use self::keywords::any_of;
use self::keywords::constants;
use self::keywords::count;
use self::keywords::members;
use self::keywords::names;
use self::keywords::one_of;
use self::keywords::one_of_values;
use self::keywords::range;
use super::Format;
use super::List;
use super::Object;
use super::Pattern;
use super::Property;
use super::Shape;
use super::Text;
use super::check::fits;
use crate::system::sanitize::joined;
use crate::system::sanitize::one_line;
use crate::system::sanitize::quoted;

/// Keywords of JSON Schema that change what is valid, and that are not supported.
const UNSUPPORTED: &[&str] = &[
    "$dynamicRef",
    "$recursiveRef",
    "additionalItems",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Why a settings schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The text is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// The root is not the schema of an object.
    #[error("it is not the schema of an object")]
    NotAnObject,
    /// A keyword is not supported.
    #[error("{0}: the keyword {1} is not supported")]
    Unsupported(String, String),
    /// A keyword has a value that is not valid.
    #[error("{0}: {1} is not valid: expected {2}")]
    Invalid(String, String, &'static str),
    /// A reference leads nowhere.
    #[error("{0}: the reference {1} leads nowhere; references start with #/")]
    Reference(String, String),
    /// A pattern cannot be used.
    #[error("{0}: cannot use the pattern {1}: {2}")]
    Pattern(String, String, String),
    /// A bound is exceeded.
    #[error("it is too large: it has more than {0}")]
    TooLarge(String),
}

/// Reads the schema of an object from JSON.
pub(super) fn parse(json: &str) -> Result<Object, SchemaError> {
    let mut budget = Budget::default();
    budget.schema(json)?;
    let root: Value =
        serde_json::from_str(json).map_err(|error| SchemaError::NotJson(one_line(&error)))?;
    let mut parser = Parser {
        root: &root,
        budget,
    };
    let place = Place {
        path: "#".to_owned(),
        depth: 0,
    };
    match parser.root_shape(&place)? {
        Shape::Object(object) => Ok(*object),
        _ => Err(SchemaError::NotAnObject),
    }
}

/// Where in the schema the parser is.
struct Place {
    path: String,
    depth: usize,
}

impl Place {
    fn below(&self, step: &str) -> Place {
        Place {
            path: format!("{}/{}", self.path, quoted(step)),
            depth: self.depth + 1,
        }
    }

    fn invalid(&self, keyword: &str, expected: &'static str) -> SchemaError {
        SchemaError::Invalid(self.path.clone(), keyword.to_owned(), expected)
    }
}

struct Parser<'a> {
    root: &'a Value,
    budget: Budget,
}

impl<'a> Parser<'a> {
    /// The root describes an object, also where it does not say so.
    fn root_shape(&mut self, place: &Place) -> Result<Shape, SchemaError> {
        let schema = self.root.as_object().ok_or(SchemaError::NotAnObject)?;
        let is_object = schema.get("type").is_none_or(|kind| kind == "object");
        let simple = ["$ref", "allOf", "anyOf", "oneOf", "enum", "const"]
            .iter()
            .all(|keyword| !schema.contains_key(*keyword));
        if !is_object || !simple {
            return Err(SchemaError::NotAnObject);
        }
        refuse_unsupported(schema, place)?;
        self.object(schema, place)
    }

    fn shape(&mut self, schema: &'a Value, place: &Place) -> Result<Shape, SchemaError> {
        self.budget.part(place.depth)?;
        let schema = match schema {
            Value::Bool(true) => return Ok(Shape::Any),
            Value::Bool(false) => return Ok(Shape::Nothing),
            Value::Object(schema) => schema,
            _ => return Err(place.invalid("a schema", "an object, true or false")),
        };
        refuse_unsupported(schema, place)?;
        let mut all = Vec::new();
        if let Some(reference) = schema.get("$ref") {
            all.push(self.reference(reference, place)?);
        }
        for shape in self.choices(schema, "allOf", place)?.into_iter().flatten() {
            all.push(shape);
        }
        all.extend(self.choices(schema, "anyOf", place)?.map(any_of));
        all.extend(self.choices(schema, "oneOf", place)?.map(one_of));
        let mut constants = constants(schema, place)?;
        let mut types = self.types(schema, place)?;
        if let (Some(values), Some(only), false) = (&mut constants, &types, has_keywords(schema)) {
            // Constants of another type can never be valid. Where there is more than the type, a setting is compared
            // with both: constants that a plugin chooses are not matched with patterns that it chooses.
            values.retain(|value| fits(only, value));
            types = None;
        }
        all.extend(constants.map(|values| one_of_values(values, schema)));
        all.extend(types);
        Ok(match all.len() {
            0 => Shape::Any,
            1 => all.remove(0),
            _ => Shape::AllOf(all),
        })
    }

    fn reference(&mut self, reference: &Value, place: &Place) -> Result<Shape, SchemaError> {
        let text = reference
            .as_str()
            .ok_or_else(|| place.invalid("$ref", "text"))?;
        let target = text
            .strip_prefix('#')
            .and_then(|path| self.root.pointer(path));
        let target =
            target.ok_or_else(|| SchemaError::Reference(place.path.clone(), joined(text)))?;
        self.budget.target(target)?;
        let place = Place {
            path: joined(text),
            depth: place.depth + 1,
        };
        self.shape(target, &place)
    }

    fn choices(
        &mut self,
        schema: &'a Map<String, Value>,
        keyword: &str,
        place: &Place,
    ) -> Result<Option<Vec<Shape>>, SchemaError> {
        let Some(choices) = schema.get(keyword) else {
            return Ok(None);
        };
        let choices = choices.as_array().filter(|choices| !choices.is_empty());
        let choices =
            choices.ok_or_else(|| place.invalid(keyword, "a list of at least one schema"))?;
        let place = place.below(keyword);
        let shapes = choices.iter().map(|choice| self.shape(choice, &place));
        shapes.collect::<Result<_, _>>().map(Some)
    }

    /// The shape that `type` and the keywords of types say; `None` if there are none of them.
    fn types(
        &mut self,
        schema: &'a Map<String, Value>,
        place: &Place,
    ) -> Result<Option<Shape>, SchemaError> {
        let expected = "the name of a type, or a list of them";
        let names: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) if !names.is_empty() => names
                .iter()
                .map(|name| name.as_str().ok_or_else(|| place.invalid("type", expected)))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(place.invalid("type", expected)),
            // Keywords of a type concern values of that type alone.
            None if has_keywords(schema) => {
                vec!["null", "boolean", "number", "string", "array", "object"]
            }
            None => return Ok(None),
        };
        let mut shapes = Vec::new();
        for (index, name) in names.iter().enumerate() {
            // Among names that were read already, of which there are at most as many as types.
            if names[..index].contains(name) {
                return Err(place.invalid("type", "each type once"));
            }
            shapes.push(match *name {
                "null" => Shape::Null,
                "boolean" => Shape::Boolean,
                "integer" => range(schema, true, place)?,
                "number" => range(schema, false, place)?,
                "string" => self.text(schema, place)?,
                "array" => self.list(schema, place)?,
                "object" => self.object(schema, place)?,
                _ => return Err(place.invalid("type", "a type of JSON")),
            });
        }
        Ok(Some(any_of(shapes)))
    }

    fn text(&mut self, schema: &Map<String, Value>, place: &Place) -> Result<Shape, SchemaError> {
        let pattern = match schema.get("pattern") {
            Some(Value::String(pattern)) => Some(self.budget.pattern(pattern, &place.path)?),
            Some(_) => return Err(place.invalid("pattern", "text")),
            None => None,
        };
        let examples = schema.get("examples").and_then(Value::as_array);
        let examples = examples.into_iter().flatten().filter_map(Value::as_str);
        let format = schema.get("format").and_then(Value::as_str);
        Ok(Shape::Text(Text {
            min: count(schema, "minLength", place)?.unwrap_or(0),
            max: count(schema, "maxLength", place)?,
            pattern,
            format: format.map(|name| match name {
                "ip" => Format::Ip,
                "ipv4" => Format::Ipv4,
                "ipv6" => Format::Ipv6,
                other => Format::Other(joined(other)),
            }),
            examples: examples.take(3).map(joined).collect(),
        }))
    }

    fn list(
        &mut self,
        schema: &'a Map<String, Value>,
        place: &Place,
    ) -> Result<Shape, SchemaError> {
        let rest = match schema.get("items") {
            // The first items by position, as before JSON Schema 2020-12.
            Some(Value::Array(_)) => return Err(place.invalid("items", "a schema")),
            Some(items) => self.shape(items, &place.below("items"))?,
            None => Shape::Any,
        };
        let unique = schema.get("uniqueItems").map(|unique| unique.as_bool());
        Ok(Shape::List(Box::new(List {
            first: self
                .choices(schema, "prefixItems", place)?
                .unwrap_or_default(),
            rest,
            min: count(schema, "minItems", place)?.unwrap_or(0),
            max: count(schema, "maxItems", place)?,
            unique: match unique {
                Some(None) => return Err(place.invalid("uniqueItems", "true or false")),
                Some(Some(unique)) => unique,
                None => false,
            },
        })))
    }

    fn object(
        &mut self,
        schema: &'a Map<String, Value>,
        place: &Place,
    ) -> Result<Shape, SchemaError> {
        let mut required = names(schema, "required", place)?;
        let mut properties = Vec::new();
        for (key, property) in members(schema, "properties", place)? {
            properties.push(Property {
                key: key.clone(),
                shape: Some(self.shape(property, &place.below("properties").below(key))?),
                required: required.remove(key.as_str()),
                default: property.get("default").cloned(),
                description: joined(property["description"].as_str().unwrap_or_default()),
            });
        }
        // Those that are required, and are not among the properties.
        for key in required {
            self.budget.part(place.depth)?;
            properties.push(Property {
                key: key.to_owned(),
                shape: None,
                required: true,
                default: None,
                description: String::new(),
            });
        }
        let mut patterns = Vec::new();
        for (pattern, values) in members(schema, "patternProperties", place)? {
            patterns.push(Pattern {
                keys: self.budget.pattern(pattern, &place.path)?,
                shape: self.shape(values, &place.below("patternProperties"))?,
            });
        }
        Ok(Shape::Object(Box::new(Object {
            properties,
            patterns,
            rest: match schema.get("additionalProperties") {
                Some(rest) => self.shape(rest, &place.below("additionalProperties"))?,
                None => Shape::Any,
            },
            min: count(schema, "minProperties", place)?.unwrap_or(0),
            max: count(schema, "maxProperties", place)?,
        })))
    }
}

/// The keywords that concern values of one type. Beside them are supported `type`, `enum`, `const`, `allOf`, `anyOf`,
/// `oneOf`, `$ref`, and all keywords that only describe.
const KEYWORDS: &[&str] = &[
    "additionalProperties",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "required",
    "uniqueItems",
];

fn has_keywords(schema: &Map<String, Value>) -> bool {
    let mut keywords = KEYWORDS.iter();
    keywords.any(|keyword| schema.contains_key(*keyword))
}

fn refuse_unsupported(schema: &Map<String, Value>, place: &Place) -> Result<(), SchemaError> {
    match UNSUPPORTED.iter().find(|name| schema.contains_key(**name)) {
        Some(name) => Err(SchemaError::Unsupported(
            place.path.clone(),
            (*name).to_owned(),
        )),
        None => Ok(()),
    }
}
