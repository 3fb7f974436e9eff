//! What a schema may cost the host. The plugin writes the schema, and the host reads it outside the plugin's limits.
//!
//! Without references, reading takes memory and time in proportion to the length of a schema and to its parts. Each
//! reference makes the host read its target once more, so that the bytes of targets are counted as well.

use regex_lite::Regex;
use regex_lite::RegexBuilder;
use serde_json::Value;

use super::SchemaError;
use crate::system::sanitize::joined;
use crate::system::sanitize::one_line;

/// Maximum length of a schema in bytes, and of all targets of its references together.
const MAX_LEN: usize = 1 << 20;

/// Maximum number of lists and objects in all of that: `{"":0}` takes a hundred times as much memory as JSON.
const MAX_BRACKETS: usize = 40_000;

/// Maximum depth of references, choices, lists and objects.
const MAX_DEPTH: usize = 32;

/// Maximum number of subschemas, where one that is referred to twice counts twice.
const MAX_PARTS: usize = 10_000;

/// Maximum number of patterns. Matching takes memory for each group of a pattern, so that a group counts as one.
const MAX_PATTERNS: usize = 256;

/// Maximum length of a pattern in bytes, and of the memory for it once it is compiled.
const MAX_PATTERN_LEN: usize = 1 << 16;

/// How much of a schema was read.
#[derive(Default)]
pub(super) struct Budget {
    parts: usize,
    /// Bytes of the targets of references.
    targets: usize,
    /// Opening brackets and braces.
    brackets: usize,
    patterns: usize,
}

impl Budget {
    /// Counts the schema.
    pub(super) fn schema(&mut self, json: &str) -> Result<(), SchemaError> {
        within(json.len(), MAX_LEN, "bytes")?;
        self.brackets(json)
    }

    /// Counts a subschema.
    pub(super) fn part(&mut self, depth: usize) -> Result<(), SchemaError> {
        if depth > MAX_DEPTH {
            let levels = format!("{MAX_DEPTH} levels, or it refers to itself");
            return Err(SchemaError::TooLarge(levels));
        }
        add(&mut self.parts, 1, MAX_PARTS, "parts")
    }

    /// Counts the target of a reference.
    pub(super) fn target(&mut self, target: &Value) -> Result<(), SchemaError> {
        let what =
            "bytes in the targets of its references (a target counts once for each reference)";
        let json = target.to_string();
        add(&mut self.targets, json.len(), MAX_LEN, what)?;
        self.brackets(&json)
    }

    /// Counts lists and objects, before they are read. Brackets in texts count as well, which are few.
    fn brackets(&mut self, json: &str) -> Result<(), SchemaError> {
        let opening = json.bytes().filter(|byte| b"[{".contains(byte)).count();
        let what = "opening brackets and braces";
        add(&mut self.brackets, opening, MAX_BRACKETS, what)
    }

    /// Compiles a pattern, and counts it. regex-lite matches in linear time, whatever the pattern. `path` is for an
    /// error.
    pub(super) fn pattern(&mut self, pattern: &str, path: &str) -> Result<Regex, SchemaError> {
        within(pattern.len(), MAX_PATTERN_LEN, "bytes in a pattern")?;
        let compiled = RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN_LEN)
            .build();
        let compiled = compiled.map_err(|error| {
            SchemaError::Pattern(path.to_owned(), joined(pattern), one_line(&error))
        })?;
        // The whole pattern is one group, too.
        let groups = compiled.captures_len();
        let what = "patterns and groups in patterns";
        add(&mut self.patterns, groups, MAX_PATTERNS, what)?;
        Ok(compiled)
    }
}

fn add(count: &mut usize, more: usize, max: usize, what: &str) -> Result<(), SchemaError> {
    *count = count.saturating_add(more);
    within(*count, max, what)
}

fn within(count: usize, max: usize, what: &str) -> Result<(), SchemaError> {
    match count > max {
        true => Err(SchemaError::TooLarge(format!("{max} {what}"))),
        false => Ok(()),
    }
}
