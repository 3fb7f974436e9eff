//! Reads a settings schema.
//!
//! Supported are the keywords that [`KEYWORDS`] lists, and references within the schema that do not lead back to
//! themselves. A keyword that would change what is valid, and is not supported, refuses the schema: a setting must never
//! be accepted because a keyword was not understood.

mod keywords;

use regex_lite::Regex;
use regex_lite::RegexBuilder;
use serde_json::Map;
use serde_json::Value;

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
use super::Others;
use super::Property;
use super::Shape;
use super::Text;
use crate::system::sanitize::joined;
use crate::system::sanitize::one_line;
use crate::system::sanitize::quoted;

/// Maximum length of a schema in bytes.
const MAX_LEN: usize = 1 << 20;

/// Maximum depth of references, choices, lists and objects.
const MAX_DEPTH: usize = 32;

/// Maximum number of subschemas, where one that is referred to twice counts twice.
const MAX_PARTS: usize = 10_000;

/// Maximum number of patterns, and of bytes of memory for each.
const MAX_PATTERNS: usize = 256;
const MAX_PATTERN_SIZE: usize = 1 << 20;

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
    #[error("it has more than {0}")]
    TooLarge(String),
}

/// Reads the schema of an object from JSON.
pub(super) fn parse(json: &str) -> Result<Object, SchemaError> {
    if json.len() > MAX_LEN {
        return Err(SchemaError::TooLarge(format!("{MAX_LEN} bytes")));
    }
    let root: Value =
        serde_json::from_str(json).map_err(|error| SchemaError::NotJson(one_line(&error)))?;
    let mut parser = Parser {
        root: &root,
        parts: 0,
        patterns: 0,
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
    /// Subschemas that were read.
    parts: usize,
    patterns: usize,
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
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(SchemaError::TooLarge(format!("{MAX_PARTS} parts")));
        }
        if place.depth > MAX_DEPTH {
            let what = format!("{MAX_DEPTH} levels, or it refers to itself");
            return Err(SchemaError::TooLarge(what));
        }
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
        let types = self.types(schema, place)?;
        match (constants(schema, place)?, types) {
            // Constants of another type can never be valid.
            (Some(mut values), Some(types)) => {
                values.retain(|value| super::check::fits(&types, value));
                all.push(one_of_values(values, schema));
            }
            (Some(values), None) => all.push(one_of_values(values, schema)),
            (None, Some(types)) => all.push(types),
            (None, None) => {}
        }
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
            None if KEYWORDS.iter().any(|keyword| schema.contains_key(*keyword)) => {
                vec!["null", "boolean", "number", "string", "array", "object"]
            }
            None => return Ok(None),
        };
        let mut shapes = Vec::new();
        for name in names {
            shapes.push(match name {
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
        let pattern = schema.get("pattern");
        let pattern = pattern.map(|pattern| self.pattern(pattern, place));
        let examples = schema.get("examples").and_then(Value::as_array);
        let examples = examples.into_iter().flatten().filter_map(Value::as_str);
        let format = schema.get("format").and_then(Value::as_str);
        Ok(Shape::Text(Text {
            min: count(schema, "minLength", place)?.unwrap_or(0),
            max: count(schema, "maxLength", place)?,
            pattern: pattern.transpose()?,
            format: format.map(|name| match name {
                "ip" => Format::Ip,
                "ipv4" => Format::Ipv4,
                "ipv6" => Format::Ipv6,
                other => Format::Other(joined(other)),
            }),
            examples: examples.take(3).map(joined).collect(),
        }))
    }

    /// regex-lite matches in linear time, whatever the pattern.
    fn pattern(&mut self, pattern: &Value, place: &Place) -> Result<Regex, SchemaError> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return Err(SchemaError::TooLarge(format!("{MAX_PATTERNS} patterns")));
        }
        let text = pattern
            .as_str()
            .ok_or_else(|| place.invalid("pattern", "text"))?;
        let regex = RegexBuilder::new(text).size_limit(MAX_PATTERN_SIZE).build();
        regex.map_err(|error| {
            SchemaError::Pattern(place.path.clone(), joined(text), one_line(&error))
        })
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
        let required = names(schema, "required", place)?;
        let mut properties = Vec::new();
        for (key, property) in members(schema, "properties", place)? {
            properties.push(Property {
                key: key.clone(),
                shape: self.shape(property, &place.below("properties").below(key))?,
                required: required.contains(&key.as_str()),
                default: property.get("default").cloned(),
                description: joined(property["description"].as_str().unwrap_or_default()),
            });
        }
        let mut others = Vec::new();
        for (pattern, values) in members(schema, "patternProperties", place)? {
            others.push(Others {
                keys: Some(self.pattern(&Value::String(pattern.clone()), place)?),
                shape: self.shape(values, &place.below("patternProperties"))?,
            });
        }
        let rest = match schema.get("additionalProperties") {
            Some(rest) => self.shape(rest, &place.below("additionalProperties"))?,
            None => Shape::Any,
        };
        if !matches!(rest, Shape::Nothing) {
            others.push(Others {
                keys: None,
                shape: rest,
            });
        }
        for key in required {
            if properties.iter().all(|property| property.key != key) {
                properties.push(Property {
                    key: key.to_owned(),
                    shape: Shape::Any,
                    required: true,
                    default: None,
                    description: String::new(),
                });
            }
        }
        Ok(Shape::Object(Box::new(Object {
            properties,
            others,
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

fn refuse_unsupported(schema: &Map<String, Value>, place: &Place) -> Result<(), SchemaError> {
    match UNSUPPORTED.iter().find(|name| schema.contains_key(**name)) {
        Some(name) => Err(SchemaError::Unsupported(
            place.path.clone(),
            (*name).to_owned(),
        )),
        None => Ok(()),
    }
}
