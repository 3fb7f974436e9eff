//! The keys of a configuration file, and the options that they stand for.

use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::Entry;
use super::Lines;
use super::Mistake;

/// How the value of a key becomes that of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A text or a number.
    One,
    /// A file: as `One`, and relative to the directory of the configuration.
    File,
    /// A text or a number, or a list of them, each as an option.
    Many,
    /// The option is there where the key is true.
    WhereTrue,
    /// The option is there where the key is false.
    WhereFalse,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    /// The table that it is in; "" is the top level.
    pub(super) table: &'static str,
    /// The key.
    pub(super) name: &'static str,
    /// The option, without its dashes.
    pub(super) option: &'static str,
    pub(super) form: Form,
}

const fn key(table: &'static str, name: &'static str, option: &'static str, form: Form) -> Key {
    Key {
        table,
        name,
        option,
        form,
    }
}

/// All keys but those of plugins and sinks, in the order of the help text.
pub(super) const KEYS: &[Key] = &[
    key("", "watch", "watch", Form::WhereTrue),
    key("", "alerts", "alerts", Form::One),
    key("", "alerts-file", "alerts-file", Form::File),
    key("", "alerts-per-minute", "alerts-per-minute", Form::One),
    key("", "external-url", "external-url", Form::One),
    key("", "duration", "duration", Form::One),
    key("", "stats-every", "stats-every", Form::One),
    key("", "count", "count", Form::One),
    key("", "ring-size", "ring-size", Form::One),
    key("", "backlog", "backlog", Form::One),
    key("", "attach", "attach", Form::One),
    key("", "failed", "failed", Form::WhereTrue),
    key("", "census", "census", Form::One),
    key("", "owners", "no-owners", Form::WhereFalse),
    key("", "reconcile", "reconcile", Form::WhereTrue),
    key("", "user", "user", Form::One),
    key("", "sandbox", "no-sandbox", Form::WhereFalse),
    key("", "quiet", "quiet", Form::WhereTrue),
    key("listen", "address", "listen", Form::One),
    key("record", "file", "record", Form::File),
    key("record", "rotate", "record-rotate", Form::One),
    key("record", "keep", "record-keep", Form::One),
    key("record", "force", "force", Form::WhereTrue),
    key("publish", "servers", "publish", Form::One),
    key("publish", "name", "publish-name", Form::One),
    key("publish", "spool", "publish-spool", Form::File),
    key("publish", "spool-size", "publish-spool-size", Form::One),
    key("publish", "partitions", "publish-partitions", Form::One),
    key("publish", "credentials", "nats-credentials", Form::File),
    key("publish", "nkey", "nats-nkey", Form::File),
    key("publish", "user", "nats-user", Form::One),
    key("publish", "password", "nats-password", Form::File),
    key("publish", "token", "nats-token", Form::File),
    key("publish", "ca", "nats-ca", Form::File),
    key("publish", "certificate", "nats-certificate", Form::File),
    key("publish", "key", "nats-key", Form::File),
    key("filter", "ipv4", "ipv4", Form::WhereTrue),
    key("filter", "ipv6", "ipv6", Form::WhereTrue),
    key("filter", "port", "port", Form::Many),
    key("filter", "local-port", "local-port", Form::Many),
    key("filter", "peer-port", "peer-port", Form::Many),
    key("filter", "local", "local", Form::Many),
    key("filter", "peer", "peer", Form::Many),
    key("filter", "kind", "kind", Form::Many),
    key("filter", "state", "state", Form::Many),
    key("filter", "netns", "netns", Form::Many),
    key("filter", "pid", "pid", Form::Many),
    key("filter", "comm", "comm", Form::Many),
    key("filter", "container", "container", Form::Many),
    key("filter", "sample", "sample", Form::One),
    key("filter", "cgroup", "cgroup", Form::Many),
    key("filter", "max-rate", "max-rate", Form::One),
];

/// The path of a key in a table.
pub(super) fn within(table: &str, name: &str) -> String {
    match table {
        "" => name.to_owned(),
        table => format!("{table}.{name}"),
    }
}

/// A value and where it stands.
pub(super) struct At<'a> {
    pub(super) path: String,
    pub(super) value: &'a Spanned<DeValue<'a>>,
    pub(super) lines: Lines<'a>,
}

impl At<'_> {
    /// A mistake in the value.
    pub(super) fn mistake(&self, what: impl std::fmt::Display) -> Mistake {
        Mistake {
            line: self.lines.line(self.value.span().start),
            text: format!("{}: {what}", self.path),
        }
    }

    /// The mistake of a value of another type.
    pub(super) fn expected(&self, what: &str) -> Mistake {
        let found = self.value.get_ref().type_str();
        self.mistake(format!("expected {what}, found {found}"))
    }

    /// An option with this value.
    pub(super) fn entry(&self, option: &'static str, value: Option<String>) -> Entry {
        Entry {
            key: self.path.clone(),
            line: self.lines.line(self.value.span().start),
            option,
            value,
        }
    }

    /// The text of a text or a number.
    pub(super) fn text(&self) -> Result<String, Mistake> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
            DeValue::Float(number) => Ok(number.as_str().to_owned()),
            _ => Err(self.expected("text or a number")),
        }
    }

    /// The members of a list, or the value itself.
    pub(super) fn members(&self) -> Vec<At<'_>> {
        let member = |value| At {
            path: self.path.clone(),
            value,
            lines: self.lines,
        };
        match self.value.get_ref() {
            DeValue::Array(values) => values.iter().map(member).collect(),
            _ => vec![member(self.value)],
        }
    }
}

/// The entries of a table: each with its path.
pub(super) fn members<'a>(
    path: &str,
    table: &'a DeTable<'a>,
    lines: Lines<'a>,
) -> Vec<(&'a str, At<'a>)> {
    let mut members: Vec<_> = table
        .iter()
        .map(|(name, value)| {
            let name: &str = name.get_ref();
            let at = At {
                path: within(path, name),
                value,
                lines,
            };
            (name, at)
        })
        .collect();
    // In the order of the file.
    members.sort_by_key(|(_, at)| at.value.span().start);
    members
}

/// Reads the value of a key.
pub(super) fn one(
    table: &str,
    name: &str,
    at: &At<'_>,
    directory: &Path,
    entries: &mut Vec<Entry>,
) -> Result<(), Mistake> {
    let known = KEYS.iter().filter(|key| key.table == table);
    let Some(key) = known.clone().find(|key| key.name == name) else {
        let mut names: Vec<_> = known.map(|key| key.name).collect();
        if table.is_empty() {
            names.extend(["filter", "listen", "publish", "record", "plugin", "sink"]);
        }
        return Err(at.mistake(unknown(name, &names)));
    };
    match key.form {
        Form::One => entries.push(at.entry(key.option, Some(at.text()?))),
        Form::File => {
            let file = directory.join(at.text()?);
            let file = file.to_string_lossy().into_owned();
            entries.push(at.entry(key.option, Some(file)));
        }
        Form::Many => {
            for member in at.members() {
                entries.push(member.entry(key.option, Some(member.text()?)));
            }
        }
        Form::WhereTrue | Form::WhereFalse => {
            let value = at.value.get_ref().as_bool();
            let value = value.ok_or_else(|| at.expected("true or false"))?;
            if value == (key.form == Form::WhereTrue) {
                entries.push(at.entry(key.option, None));
            }
        }
    }
    Ok(())
}

/// What is said of a key that is none: the nearest one, or all.
pub(in crate::cli) fn unknown(name: &str, names: &[&str]) -> String {
    let nearest = names
        .iter()
        .map(|known| (strsim::jaro_winkler(known, name), *known))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match nearest {
        Some((_, nearest)) => format!("there is no such key; did you mean {nearest}?"),
        None => format!("there is no such key; there are {}", names.join(", ")),
    }
}
