//! `plugin describe`: what a plugin says about itself, what it needs, and what it costs to hold.

use std::fmt;

use anyhow::Result;
use anyhow::anyhow;
use bytesize::ByteSize;
use serde_json::Value;

use super::super::print_result;
use crate::plugin::Compiler;
use crate::plugin::Engine;
use crate::plugin::Origin;
use crate::plugin::Spec;
use crate::plugin::VerifyKey;
use crate::plugin::census_use::CensusUse;
use crate::plugin::description::Description;
use crate::plugin::spec::schema::Setting;
use crate::system::sanitize::joined;

/// Width of the names of properties.
const NAME: usize = 10;

/// Describes a plugin, for people or as JSON.
pub fn describe(origin: &Origin, keys: &[VerifyKey], json: bool) -> Result<()> {
    let description = of(origin, keys)?;
    let text = match json {
        true => serde_json::to_string_pretty(&description)? + "\n",
        false => Text(&description).to_string(),
    };
    print_result(&text)
}

/// Loads a plugin, which one of the keys must have signed if there are any, and returns its description.
/// Compiled anew: its footprint is measured then.
pub fn of(origin: &Origin, keys: &[VerifyKey]) -> Result<Description> {
    let engine = Engine::without_cache(Compiler::this_program());
    let mut engine = engine.map_err(|error| anyhow!("cannot start wasmtime: {error}"))?;
    engine.show_compiling = true;
    let spec = Spec {
        keys: keys.to_vec(),
        ..Spec::new(&origin.to_string(), origin.clone())
    };
    Ok(Description::of(&engine, &spec)?)
}

/// A description for people.
struct Text<'a>(&'a Description);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugin = self.0;
        writeln!(
            f,
            "{}",
            [plugin.name.as_str(), &plugin.version].join(" ").trim_end()
        )?;
        if !plugin.summary.is_empty() {
            writeln!(f, "{}", plugin.summary)?;
        }
        writeln!(f)?;
        let mut property = |name: &str, value: &str| writeln!(f, "{name:<NAME$} {value}");
        property("contract", &plugin.contract)?;
        property("sha256", &plugin.sha256)?;
        if let Some(signed) = &plugin.signature {
            property("signature", &signed.to_string())?;
        }
        let footprint = plugin
            .footprint
            .map(|bytes| format!(", {} to hold its code", ByteSize(bytes)));
        property(
            "size",
            &format!(
                "{}; in memory {} for an instance{}",
                ByteSize(plugin.size),
                ByteSize(plugin.memory),
                footprint.unwrap_or_default()
            ),
        )?;
        let received = match plugin.exports.timer {
            true => "events, a tick every second, the end of the stream",
            false => "events",
        };
        let census = match plugin.census {
            CensusUse::None => "",
            CensusUse::Optional => "; a census, if one is made",
            CensusUse::Required => "; a census, which a live run makes for it",
        };
        property("receives", &format!("{received}{census}"))?;
        let state = match plugin.exports.state {
            true => "survives faults and new versions",
            false => "none",
        };
        property("state", state)?;
        let grants: Vec<_> = plugin.grants.iter().map(|grant| grant.option()).collect();
        let grants = match grants.is_empty() {
            true => "it can use none".to_owned(),
            false => format!("it can use {}", grants.join(", ")),
        };
        property("grants", &grants)?;
        if plugin.settings.is_empty() {
            return property("settings", "none");
        }
        writeln!(f, "\nSettings (--set KEY=VALUE):")?;
        plugin
            .settings
            .iter()
            .try_for_each(|setting| write_setting(f, setting))
    }
}

fn write_setting(f: &mut impl fmt::Write, setting: &Setting) -> fmt::Result {
    let default = match &setting.default {
        // A text from the plugin.
        Some(value) => format!(", by default {}", joined(&as_set(value))),
        None if setting.required => ", required".to_owned(),
        None => String::new(),
    };
    writeln!(f, "  {}: {}{default}", setting.key, setting.takes)?;
    if !setting.description.is_empty() {
        writeln!(f, "      {}", setting.description)?;
    }
    for word in &setting.words {
        writeln!(f, "      {:<14} {}", word.word, word.description)?;
    }
    Ok(())
}

/// A value as it is written after `--set KEY=`.
fn as_set(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(as_set).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_default_cannot_be_taken_for_a_line_of_the_host() {
        let setting = Setting {
            key: "word".to_owned(),
            takes: "text".to_owned(),
            default: Some(json!(["a\nsignature  good", "\u{1b}[2J"])),
            required: false,
            description: String::new(),
            words: Vec::new(),
        };
        let mut text = String::new();
        write_setting(&mut text, &setting).expect("memory takes it");
        let expected = "  word: text, by default a signature good,\u{fffd}[2J\n";
        assert_eq!(text, expected);
    }
}
