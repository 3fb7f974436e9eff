//! `[[plugin]]`: the plugins of the chain, each with its settings, limits and grants.

use std::path::Path;

use serde_json::Map;
use serde_json::Value;
use toml::de::DeTable;
use toml::de::DeValue;

use super::Entry;
use super::Mistake;
use super::keys::At;
use super::keys::members;
use super::keys::unknown;
use crate::plugin::VerifyKey;

/// The keys of a plugin.
const KEYS: [&str; 9] = [
    "file",
    "name",
    "sha256",
    "key",
    "settings",
    "settings-file",
    "limits",
    "grants",
    "on-fault",
];

/// Reads the list of plugins.
pub(super) fn read(at: &At<'_>, directory: &Path, entries: &mut Vec<Entry>) -> Result<(), Mistake> {
    let DeValue::Array(plugins) = at.value.get_ref() else {
        return Err(at.mistake("expected [[plugin]], with two brackets: a plugin is one of a list"));
    };
    for (number, value) in plugins.iter().enumerate() {
        let at = At {
            path: format!("plugin[{}]", number + 1),
            value,
            lines: at.lines,
        };
        match value.get_ref() {
            DeValue::Table(table) => plugin(&at, table, directory, entries)?,
            _ => return Err(at.expected("a table")),
        }
    }
    Ok(())
}

fn plugin(
    at: &At<'_>,
    table: &DeTable<'_>,
    directory: &Path,
    entries: &mut Vec<Entry>,
) -> Result<(), Mistake> {
    let members = members(&at.path, table, at.lines);
    if let Some((name, member)) = members.iter().find(|(name, _)| !KEYS.contains(name)) {
        return Err(member.mistake(unknown(name, &KEYS)));
    }
    let find = |name: &str| members.iter().find(|(known, _)| *known == name);
    let text = |name| find(name).map(|(_, at)| at.text()).transpose();
    let Some((_, file)) = find("file") else {
        return Err(at.mistake("it has no file: a path, or the name of a bundled plugin"));
    };
    let mut plugin = beside(directory, file.text()?);
    if let Some(name) = text("name")? {
        plugin = format!("{name}={plugin}");
    }
    if let Some(digest) = text("sha256")? {
        plugin = format!("{plugin}#sha256={digest}");
    }
    entries.push(file.entry("plugin", Some(plugin)));
    if let Some((_, at)) = find("key") {
        // It would stand for no check at all.
        if at.members().is_empty() {
            return Err(at.mistake("an empty list: give the file of a key, or leave the line out"));
        }
        for member in at.members() {
            let text = member.text()?;
            // The key itself, or its file.
            let value = match VerifyKey::of_line(&text) {
                Some(_) => text,
                None => beside_always(directory, text),
            };
            entries.push(member.entry("verify-key", Some(value)));
        }
    }
    if let Some((_, at)) = find("settings-file") {
        let file = beside_always(directory, at.text()?);
        entries.push(at.entry("settings", Some(file)));
    }
    if let Some((_, at)) = find("settings") {
        let DeValue::Table(table) = at.value.get_ref() else {
            return Err(at.expected("a table"));
        };
        let settings = Value::Object(object(&at.path, table, at)?);
        entries.push(at.entry("settings-json", Some(settings.to_string())));
    }
    if let Some((_, at)) = find("limits") {
        for limit in table_of(at)? {
            let value = limit.1.text()?;
            entries.push(limit.1.entry("limit", Some(format!("{}={value}", limit.0))));
        }
    }
    if let Some((_, at)) = find("grants") {
        for (name, grant) in table_of(at)? {
            for member in grant.members() {
                let value = match name {
                    "env" => member.text()?,
                    "read" => beside_always(directory, member.text()?),
                    _ => return Err(grant.mistake(unknown(name, &["env", "read"]))),
                };
                entries.push(member.entry("allow", Some(format!("{name}={value}"))));
            }
        }
    }
    if let Some((_, at)) = find("on-fault") {
        entries.push(at.entry("on-fault", Some(at.text()?)));
    }
    Ok(())
}

fn table_of<'a>(at: &'a At<'_>) -> Result<Vec<(&'a str, At<'a>)>, Mistake> {
    match at.value.get_ref() {
        DeValue::Table(table) => Ok(members(&at.path, table, at.lines)),
        _ => Err(at.expected("a table")),
    }
}

/// The path of a plugin. A text without a `/` that does not end in `.wasm` is the name of a bundled plugin.
fn beside(directory: &Path, file: String) -> String {
    match file.contains('/') || file.ends_with(".wasm") {
        true => beside_always(directory, file),
        false => file,
    }
}

/// The path of a file, relative to the directory of the configuration.
pub(super) fn beside_always(directory: &Path, file: String) -> String {
    directory.join(file).to_string_lossy().into_owned()
}

/// A table of settings, with the types that they have in the file.
fn object(path: &str, table: &DeTable<'_>, at: &At<'_>) -> Result<Map<String, Value>, Mistake> {
    let members = members(path, table, at.lines);
    let values = members
        .into_iter()
        .map(|(name, at)| Ok((name.to_owned(), value(&at)?)));
    values.collect()
}

fn value(at: &At<'_>) -> Result<Value, Mistake> {
    Ok(match at.value.get_ref() {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            parsed
                .map(Value::from)
                .map_err(|_| at.mistake("the number has more than 64 bits"))?
        }
        DeValue::Float(number) => {
            let parsed = number.as_str().parse().ok();
            let parsed = parsed.and_then(serde_json::Number::from_f64);
            parsed
                .map(Value::Number)
                .ok_or_else(|| at.mistake("infinity and NaN have no form in JSON"))?
        }
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(_) => {
            let members = at.members();
            Value::Array(members.iter().map(value).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => Value::Object(object(&at.path, table, at)?),
    })
}
