//! Reads a whole configuration file: its keys, then plugins and sinks.

use std::path::Path;

use toml::de::DeTable;
use toml::de::DeValue;

use super::Entry;
use super::Lines;
use super::Mistake;
use super::keys::members;
use super::keys::one;
use super::plugins;
use super::sinks;

/// Reads a whole file.
pub(super) fn read<'a>(
    file: &'a DeTable<'a>,
    directory: &Path,
    lines: Lines<'a>,
    entries: &mut Vec<Entry>,
) -> Result<(), Mistake> {
    let tables = ["listen", "record", "publish", "filter"];
    for (name, at) in members("", file, lines) {
        match at.value.get_ref() {
            DeValue::Table(table) if tables.contains(&name) => {
                for (name, inner) in members(&at.path, table, lines) {
                    one(&at.path, name, &inner, directory, entries)?;
                }
            }
            _ if tables.contains(&name) => return Err(at.expected("a table")),
            _ if name == "plugin" || name == "sink" => {}
            _ => one("", name, &at, directory, entries)?,
        }
    }
    // Last, so that limits and actions for all plugins precede them.
    let lists = members("", file, lines);
    let list = |wanted| lists.iter().find(|(name, _)| *name == wanted);
    if let Some((_, at)) = list("plugin") {
        plugins::read(at, directory, entries)?;
    }
    list("sink").map_or(Ok(()), |(_, at)| sinks::read(at, directory, entries))
}
