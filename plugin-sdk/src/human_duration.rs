//! Durations in the form that people write.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use schemars::json_schema;
use serde::Deserializer;
use serde::Serializer;
use serde::de;
use serde::de::Visitor;

/// Reads and writes a [`Duration`] as text: `10s`, `250ms`, `1m30s`.
///
/// For a field of the settings: `#[serde(with = "duration")] window: Duration`.
// Not a unit struct: that would turn every `let duration = …` of a plugin into a pattern.
#[allow(non_camel_case_types)]
#[derive(Debug, Clone, Copy)]
pub enum duration {}

impl duration {
    /// The duration as text, such as `1m 30s`.
    pub fn display(duration: Duration) -> impl fmt::Display {
        humantime::format_duration(duration)
    }

    /// Writes the duration as text; for serde's `with`.
    ///
    /// # Errors
    ///
    /// The errors of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Self::display(*duration))
    }

    /// Reads a duration from text; for serde's `with`.
    ///
    /// # Errors
    ///
    /// For anything but text, and for text that is not a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for duration {
    fn schema_name() -> Cow<'static, str> {
        "duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^\s*(0|([0-9.]+\s*[a-zA-Zµ]+\s*)+)$",
            "examples": ["10s", "250ms", "1m30s"],
        })
    }
}

/// Reads a duration from text.
struct Text;

impl Visitor<'_> for Text {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"10s\", \"250ms\" or \"1m30s\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        humantime::parse_duration(text)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
