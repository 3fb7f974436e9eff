//! Puts command line, environment and configuration file together: each takes precedence over the next.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::ConfigFile;
use super::Entry;
use super::FileError;
use super::keys::Form;
use super::keys::KEYS;
use super::keys::unknown;
use crate::cli::UsageError;

/// Variables of the environment with this prefix are options: `RETRANS_HOST_RING_SIZE` is `--ring-size`.
const PREFIX: &str = "RETRANS_HOST_";

/// Variables with the prefix that are none: the host sets them for its own processes.
const OTHERS: [&str; 1] = ["RETRANS_HOST_GRANTED"];

/// The options that belong to a plugin.
const OF_PLUGINS: [&str; 7] = [
    "plugin",
    "settings",
    "settings-json",
    "limit",
    "allow",
    "verify-key",
    "on-fault",
];

/// The options that belong to a sink.
const OF_SINKS: [&str; 2] = ["sink", "sink-set"];

/// A command line, and the options that were added to it.
#[derive(Debug)]
pub struct Layered {
    /// The arguments of the user, with the name of the program.
    given: Vec<OsString>,
    /// The file, if there is one.
    file: Option<PathBuf>,
    /// The options of the environment and of the file that are in force.
    added: Vec<Entry>,
    /// Options without a value that the environment sets to false: those of the file are not in force.
    off: Vec<Entry>,
}

/// What the environment sets.
#[derive(Default)]
struct Environment {
    /// Options.
    entries: Vec<Entry>,
    /// Options without a value that are false.
    off: Vec<Entry>,
    /// The configuration file.
    config: Option<PathBuf>,
}

/// Adds to the command line `given`, parsed as `matches`, the options of environment and configuration file that it does
/// not have itself. `None` if there is neither file nor variable.
///
/// # Errors
///
/// If the file cannot be read or has a mistake, or if a variable is unknown.
pub fn layer(
    given: Vec<OsString>,
    matches: &ArgMatches,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Option<Layered>, UsageError> {
    let is_given = |option: &str| {
        let id = option.replace('-', "_");
        matches.value_source(&id) == Some(ValueSource::CommandLine)
    };
    let environment = of_environment(variables)?;
    let file = matches.get_one::<PathBuf>("config").cloned();
    let file = file.or(environment.config);
    let (mut added, mut off) = (environment.entries, environment.off);
    added.retain(|entry| !is_given(entry.option));
    off.retain(|entry| !is_given(entry.option));
    if let Some(path) = &file {
        let ConfigFile { entries, .. } = ConfigFile::read(path)?;
        let of_environment = added.iter().chain(&off).map(|entry| entry.option);
        let of_environment: Vec<_> = of_environment.collect();
        // A list of plugins, or of sinks, replaces the other one as a whole.
        let (has_plugins, has_sinks) = (is_given("plugins"), is_given("sinks"));
        added.extend(entries.into_iter().filter(|entry| match entry.option {
            option if OF_PLUGINS.contains(&option) => !has_plugins,
            option if OF_SINKS.contains(&option) => !has_sinks,
            option => !is_given(option) && !of_environment.contains(&option),
        }));
    }
    if file.is_none() && added.is_empty() && off.is_empty() {
        return Ok(None);
    }
    // What another option requires comes before it, and plugins and sinks last.
    let place = |entry: &Entry| KEYS.iter().position(|key| key.option == entry.option);
    added.sort_by_key(|entry| place(entry).unwrap_or(KEYS.len()));
    Ok(Some(Layered {
        given,
        file,
        added,
        off,
    }))
}

fn of_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Environment, UsageError> {
    let options: BTreeMap<String, _> = KEYS.iter().map(|key| (variable(key.option), key)).collect();
    let mut environment = Environment::default();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        if OTHERS.contains(&name) {
            continue;
        }
        if name == variable("config") {
            environment.config = Some(PathBuf::from(value));
            continue;
        }
        let refused = |what: String| UsageError::Variable(name.to_owned(), what);
        let Some(key) = options.get(name) else {
            let mut names: Vec<_> = options.keys().map(String::as_str).collect();
            let config = variable("config");
            names.push(&config);
            let what = unknown(name, &names).replace("such key", "such variable");
            return Err(refused(what));
        };
        let value = value.into_string();
        let value = value.map_err(|_| refused("it is not UTF-8 text".to_owned()))?;
        let (value, set) = match key.form {
            Form::One | Form::File | Form::Many => (Some(value), &mut environment.entries),
            Form::WhereTrue | Form::WhereFalse => match value.as_str() {
                "true" | "1" => (None, &mut environment.entries),
                "false" | "0" => (None, &mut environment.off),
                // As if it were not set.
                "" => continue,
                _ => return Err(refused(format!("expected true or false, found {value:?}"))),
            },
        };
        set.push(Entry {
            key: name.to_owned(),
            line: 0,
            option: key.option,
            value,
        });
    }
    Ok(environment)
}

/// The variable of an option.
fn variable(option: &str) -> String {
    let name = option.replace('-', "_").to_uppercase();
    format!("{PREFIX}{name}")
}

impl Entry {
    /// The argument.
    fn argument(&self) -> OsString {
        match &self.value {
            Some(value) => format!("--{}={value}", self.option).into(),
            None => format!("--{}", self.option).into(),
        }
    }
}

impl Layered {
    /// The configuration file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The whole command line.
    pub fn arguments(&self) -> Vec<OsString> {
        self.with(self.added.len())
    }

    /// The command line with the first of the added options.
    fn with(&self, number: usize) -> Vec<OsString> {
        let added = self.added.iter().take(number).map(Entry::argument);
        self.given.iter().cloned().chain(added).collect()
    }

    /// Where an option is from: `config.toml:7` or the name of a variable. `None` if neither says anything of it.
    pub(super) fn place(&self, option: &str, number: usize) -> Option<String> {
        let entries = self.added.iter().chain(&self.off);
        let mut entries = entries.filter(|entry| entry.option == option);
        let entry = entries.nth(number)?;
        Some(match (&self.file, entry.line) {
            (Some(file), 1..) => format!("{}:{}", file.display(), entry.line),
            _ => entry.key.clone(),
        })
    }

    /// The error of the command line as one of the option that it is about: the first one with which `error` finds what it
    /// finds in all of them. `None` if it is about the arguments of the user.
    pub fn blame(&self, error: impl Fn(Vec<OsString>) -> Option<String>) -> Option<UsageError> {
        if error(self.given.clone()).is_some() {
            return None;
        }
        let text = error(self.arguments())?;
        let mut numbers = 1..=self.added.len();
        // With some of the options, something else may be missing that a later one has.
        let number = numbers.find(|number| error(self.with(*number)).as_ref() == Some(&text))?;
        let entry = &self.added[number - 1];
        Some(match (&self.file, entry.line) {
            (Some(file), line @ 1..) => UsageError::File(FileError::At {
                file: file.clone(),
                line,
                mistake: format!("{}: {text}", entry.key),
            }),
            _ => UsageError::Variable(entry.key.clone(), text),
        })
    }
}
