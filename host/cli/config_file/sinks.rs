//! `[[sink]]`: where alerts, events and metrics are delivered over the network.

use std::path::Path;

use toml::de::DeTable;
use toml::de::DeValue;

use super::Entry;
use super::Mistake;
use super::keys::At;
use super::keys::members as members_of;
use super::plugins::beside_always;

/// Reads the list of sinks.
pub(super) fn read(at: &At<'_>, directory: &Path, entries: &mut Vec<Entry>) -> Result<(), Mistake> {
    let DeValue::Array(sinks) = at.value.get_ref() else {
        return Err(at.mistake("expected [[sink]], with two brackets: a sink is one of a list"));
    };
    for (number, value) in sinks.iter().enumerate() {
        let at = At {
            path: format!("sink[{}]", number + 1),
            value,
            lines: at.lines,
        };
        match value.get_ref() {
            DeValue::Table(table) => sink(&at, table, directory, entries)?,
            _ => return Err(at.expected("a table")),
        }
    }
    Ok(())
}

/// Which keys there are is not known here: the options are checked.
fn sink(
    at: &At<'_>,
    table: &DeTable<'_>,
    directory: &Path,
    entries: &mut Vec<Entry>,
) -> Result<(), Mistake> {
    let members = members_of(&at.path, table, at.lines);
    let kind = members.iter().find(|(name, _)| *name == "type");
    let Some((_, kind)) = kind else {
        return Err(at.mistake("it has no type: alertmanager, webhook or otlp"));
    };
    entries.push(kind.entry("sink", Some(kind.text()?)));
    for (name, at) in members.iter().filter(|(name, _)| *name != "type") {
        match at.value.get_ref() {
            DeValue::Table(table) => {
                for (below, at) in members_of(&at.path, table, at.lines) {
                    entries.push(setting(&format!("{name}.{below}"), &at, at.text()?));
                }
            }
            DeValue::Boolean(value) => entries.push(setting(name, at, value.to_string())),
            DeValue::Array(_) if *name == "urls" => {
                let urls = at
                    .members()
                    .iter()
                    .map(At::text)
                    .collect::<Result<Vec<_>, _>>()?;
                entries.push(setting("url", at, urls.join(",")));
            }
            _ => {
                let text = at.text()?;
                let text = match name.ends_with("-file") {
                    true => beside_always(directory, text),
                    false => text,
                };
                entries.push(setting(name, at, text));
            }
        }
    }
    Ok(())
}

fn setting(key: &str, at: &At<'_>, value: String) -> Entry {
    at.entry("sink-set", Some(format!("{key}={value}")))
}
