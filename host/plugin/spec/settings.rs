//! The settings of a plugin, as the operator gives them, and their check against the plugin's schema.

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
}

/// Settings from the keys and texts of a command line.
impl FromIterator<(String, String)> for Settings {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(texts: T) -> Settings {
        Settings {
            values: Map::new(),
            texts: texts.into_iter().collect(),
        }
    }
}

impl Settings {
    /// Returns the settings as a JSON object that matches the schema.
    ///
    /// # Errors
    ///
    /// If a setting does not match the schema.
    pub fn to_json(&self, schema: &Schema) -> Result<String, Mismatch> {
        let mut settings = self.values.clone();
        for (key, text) in &self.texts {
            settings.insert(key.clone(), schema.value(key, text));
        }
        schema.check(&settings)?;
        Ok(Value::Object(settings).to_string())
    }
}
