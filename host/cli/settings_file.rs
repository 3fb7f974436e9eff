//! Reads the settings of a plugin from a file: TOML, or JSON.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

use super::usage_error::UsageError;
use crate::plugin::Spec;

/// Maximum size of a file of settings in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// Adds the settings in a file to those of a plugin; they replace the ones of an earlier file. A name that ends in
/// `.json` is that of a JSON file.
pub fn read(plugin: &mut Spec, file: &Path) -> Result<(), UsageError> {
    let failed = |cause| UsageError::SettingsFile {
        file: file.to_owned(),
        cause,
    };
    let text = text(file).map_err(failed)?;
    let is_json = file
        .extension()
        .is_some_and(|extension| extension == "json");
    let values = match is_json {
        true => json(&text),
        false => toml(&text),
    };
    plugin.settings.values.extend(values.map_err(failed)?);
    Ok(())
}

/// Adds the settings in a JSON object to those of a plugin.
pub fn read_json(plugin: &mut Spec, text: &str) -> Result<(), UsageError> {
    let values = json(text).map_err(|cause| UsageError::SettingsFile {
        file: "-".into(),
        cause,
    })?;
    plugin.settings.values.extend(values);
    Ok(())
}

fn text(file: &Path) -> Result<String, String> {
    let cannot = |error| format!("cannot read it: {error}");
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(cannot)?;
    let read = opened.take(MAX_SIZE + 1).read_to_end(&mut bytes);
    if read.map_err(cannot)? as u64 > MAX_SIZE {
        return Err(format!("it has more than {MAX_SIZE} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

fn json(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("expected a JSON object: {error}"))
}

fn toml(text: &str) -> Result<Map<String, Value>, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let before = error
            .span()
            .map_or("", |span| &text[..span.start.min(text.len())]);
        let line = before.matches('\n').count() + 1;
        format!("line {line}: not TOML: {}", error.message())
    })?;
    table_value(table)
}

fn table_value(table: toml::Table) -> Result<Map<String, Value>, String> {
    let members = table.into_iter().map(|(key, value)| {
        let value = value_of(value).map_err(|error| format!("{key}: {error}"))?;
        Ok((key, value))
    });
    members.collect()
}

fn value_of(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Number(number.into()),
        toml::Value::Float(number) => {
            let number = Number::from_f64(number);
            Value::Number(number.ok_or("infinity and NaN have no form in JSON")?)
        }
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => {
            let items = items.into_iter().map(value_of);
            Value::Array(items.collect::<Result<_, String>>()?)
        }
        toml::Value::Table(table) => Value::Object(table_value(table)?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn toml_keeps_its_types() {
        let read =
            toml("n = 1\nx = 0.5\nb = true\nt = 'a'\nl = [1, 'b']\nd = 2026-01-02\n[o]\nk = 1\n");
        let expected = json!({
            "n": 1, "x": 0.5, "b": true, "t": "a", "l": [1, "b"], "d": "2026-01-02", "o": { "k": 1 },
        });
        assert_eq!(read.map(Value::Object), Ok(expected));
    }

    #[test]
    fn an_error_names_the_line_or_the_key() {
        let refused = |text| toml(text).expect_err("it is not valid");
        assert!(refused("a = 1\nb = \n").starts_with("line 2: not TOML: "));
        assert!(refused("a = 1\na = 2\n").starts_with("line 2: not TOML: "));
        assert_eq!(
            refused("a = [nan]"),
            "a: infinity and NaN have no form in JSON"
        );
        assert!(json("[1]").is_err_and(|error| error.contains("expected a JSON object")));
    }
}
