//! The settings of a plugin, as the operator gives them and as the host fills them up, and their check against the
//! plugin's schema.

use serde_json::Map;
use serde_json::Value;

use super::schema::Mismatch;
use super::schema::Schema;
use super::schema::SchemaError;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The schema that the plugin returned cannot be used.
    #[error("cannot use its settings schema: {0}")]
    Schema(#[from] SchemaError),
    /// The settings do not match the schema.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The plugin refused the settings, with this message.
    #[error("{0}")]
    Refused(String),
}

/// The settings of a plugin, as the operator gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Values with types, from a file.
    pub values: Map<String, Value>,
    /// Keys and text, from the command line. They replace values, and the last one for a key applies.
    pub texts: Vec<(String, String)>,
    /// Keys and values of the host: each is for a plugin that has a setting of this name which takes such a value, unless
    /// the operator has set it.
    pub offered: Vec<(&'static str, Value)>,
}

/// Settings from the keys and texts of a command line.
impl FromIterator<(String, String)> for Settings {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(texts: T) -> Settings {
        Settings {
            texts: texts.into_iter().collect(),
            ..Settings::default()
        }
    }
}

impl Settings {
    /// Returns the settings in force, but for the defaults: an object that matches the schema.
    ///
    /// # Errors
    ///
    /// If a setting does not match the schema.
    pub fn in_force(&self, schema: &Schema) -> Result<Map<String, Value>, Mismatch> {
        let mut settings = self.values.clone();
        for (key, text) in &self.texts {
            settings.insert(key.clone(), schema.value(key, text));
        }
        for (key, value) in &self.offered {
            if !settings.contains_key(*key) && schema.takes(key, value) {
                settings.insert((*key).to_owned(), value.clone());
            }
        }
        schema.check(&settings)?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The settings of a plugin with such properties, where the host offers two.
    fn in_force(properties: Value, set: &[(&str, &str)]) -> Value {
        let schema = json!({ "properties": properties, "additionalProperties": false });
        let schema = Schema::parse(&schema.to_string()).expect("a schema");
        let set = set
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        let settings = Settings {
            offered: vec![("color", json!(true)), ("width", json!(80))],
            ..set.collect()
        };
        settings.in_force(&schema).expect("they match").into()
    }

    #[test]
    fn what_the_host_offers_is_for_settings_of_that_name_and_type() {
        let boolean = json!({ "type": "boolean", "default": false });
        let whole = json!({ "type": "integer", "minimum": 0, "maximum": 65_535, "default": 0 });
        let both = json!({ "color": boolean, "width": whole });
        assert_eq!(
            in_force(both.clone(), &[]),
            json!({ "color": true, "width": 80 })
        );
        let optional = json!({ "width": { "type": ["integer", "null"] } });
        assert_eq!(in_force(optional, &[]), json!({ "width": 80 }));
        for others in [
            json!({}),
            json!({ "colour": boolean, "columns": whole }),
            json!({ "color": { "type": "string" }, "width": { "type": "string" } }),
            json!({ "color": { "enum": ["always", "never"] }, "width": boolean }),
            json!({ "color": {}, "width": {} }),
            // A length, say.
            json!({ "width": { "type": "number" } }),
            json!({ "width": { "type": "integer", "maximum": 79 } }),
        ] {
            assert_eq!(in_force(others.clone(), &[]), json!({}), "{others}");
        }
    }

    #[test]
    fn what_the_operator_sets_stays() {
        let properties = json!({ "color": { "type": "boolean" }, "width": { "type": "integer" } });
        let set = [("color", "false"), ("width", "0")];
        assert_eq!(
            in_force(properties.clone(), &set),
            json!({ "color": false, "width": 0 })
        );
        assert_eq!(
            in_force(properties, &set[..1]),
            json!({ "color": false, "width": 80 })
        );
    }
}
