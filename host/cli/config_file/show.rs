//! What is in force, as a configuration file, with the place that each value comes from.

use std::fmt::Write as _;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::Layered;
use super::keys::Form;
use super::keys::KEYS;
use super::keys::Key;
use crate::cli::sinks::SinkOptions;
use crate::plugin::Origin;
use crate::plugin::Spec;

/// Column at which the places begin.
const PLACES: usize = 44;

/// The text: keys in the order of [`KEYS`], then the plugins and the sinks, without secrets. `matches` are those of the whole command line, of which
/// `layered` is a part.
pub fn show(
    matches: &ArgMatches,
    layered: Option<&Layered>,
    plugins: &[Spec],
    sinks: &[SinkOptions],
) -> String {
    let mut text = String::new();
    let mut table = "";
    for key in KEYS {
        let Some((value, place)) = value(key, matches, layered) else {
            continue;
        };
        if key.table != table {
            table = key.table;
            let _ = writeln!(text, "\n[{table}]");
        }
        line(&mut text, key.name, &value, &place);
    }
    let of_file = |option, number| layered.and_then(|layered| layered.place(option, number));
    for (number, plugin) in plugins.iter().enumerate() {
        let place = of_file("plugin", number);
        let place = place.unwrap_or_else(|| match matches.value_source("plugins") {
            Some(ValueSource::CommandLine) => "command line".to_owned(),
            _ => "default".to_owned(),
        });
        let _ = writeln!(text, "\n[[plugin]]");
        let file = match &plugin.origin {
            Origin::Bundled(name) => (*name).to_owned(),
            Origin::File(path) => path.display().to_string(),
        };
        line(&mut text, "file", &quoted(&file), &place);
        line(&mut text, "name", &quoted(&plugin.name), "");
        if let Some(digest) = &plugin.digest {
            line(&mut text, "sha256", &quoted(&digest.to_string()), "");
        }
        if !plugin.keys.is_empty() {
            let keys: Vec<_> = plugin
                .keys
                .iter()
                .map(|key| quoted(&key.to_string()))
                .collect();
            line(&mut text, "key", &format!("[{}]", keys.join(", ")), "");
        }
        if !plugin.settings.values.is_empty() || !plugin.settings.texts.is_empty() {
            line(&mut text, "settings", &settings(plugin), "");
        }
        line(
            &mut text,
            "on-fault",
            &quoted(&plugin.on_fault.to_string()),
            "",
        );
    }
    for (number, sink) in sinks.iter().enumerate() {
        let place = of_file("sink", number).unwrap_or_else(|| "command line".to_owned());
        let _ = writeln!(text, "\n[[sink]]");
        for (key, value) in sink.shown() {
            let place = if key == "type" { &place } else { "" };
            line(&mut text, key, &value, place);
        }
    }
    text
}

fn line(text: &mut String, name: &str, value: &str, place: &str) {
    let line = format!("{name} = {value}");
    let _ = match place {
        "" => writeln!(text, "{line}"),
        place => writeln!(text, "{line:<PLACES$} # {place}"),
    };
}

/// The value of a key as TOML, and where it is from. `None` if it has none.
fn value(key: &Key, matches: &ArgMatches, layered: Option<&Layered>) -> Option<(String, String)> {
    // Without a recording, its defaults would be a mistake.
    if key.table == "record" && !matches.contains_id("record") {
        return None;
    }
    let id = key.option.replace('-', "_");
    let source = matches.value_source(&id)?;
    let place = match layered.and_then(|layered| layered.place(key.option, 0)) {
        Some(place) => place,
        None if source == ValueSource::DefaultValue => "default".to_owned(),
        None => "command line".to_owned(),
    };
    let texts = || matches.get_raw(&id).into_iter().flatten();
    let texts = || texts().map(|text| quoted(&text.to_string_lossy()));
    let value = match key.form {
        Form::One | Form::File => texts().next()?,
        Form::Many => format!("[{}]", texts().collect::<Vec<_>>().join(", ")),
        Form::WhereTrue => matches.get_flag(&id).to_string(),
        Form::WhereFalse => (!matches.get_flag(&id)).to_string(),
    };
    Some((value, place))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The settings of a plugin: those of files with their types, and those of the command line as text.
fn settings(plugin: &Spec) -> String {
    let mut values = plugin.settings.values.clone();
    for (key, text) in &plugin.settings.texts {
        values.insert(key.clone(), text.clone().into());
    }
    let value = toml::Value::try_from(serde_json::Value::Object(values));
    // A null is the only thing that TOML cannot say.
    value.map_or_else(
        |error| quoted(&error.to_string()),
        |value| value.to_string(),
    )
}
