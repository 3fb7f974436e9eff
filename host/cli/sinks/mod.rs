//! Assigns the options of sinks (`--sink-set`) to the sink named before them (`--sink`).
//!
//! ```text
//!  keys       the keys that there are, and what each takes
//!  settings   reads their values
//!  receivers  sinks as the crate that delivers takes them
//! ```

mod error;
mod keys;
#[cfg(feature = "network")]
mod receivers;
#[cfg(feature = "network")]
mod settings;

use std::num::NonZeroU32;

use clap::ArgMatches;
use clap::Args;

pub use self::error::SinkError;
use self::keys::Shape;
use super::UsageError;
use super::config_file::unknown;
use crate::config::Network;

/// Deliveries over the network.
#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// Delivers over the network: alerts to alertmanager or webhook; events, alerts and metrics to otlp, as in --sink
    /// alertmanager=http://localhost:9093
    ///
    /// Repeatable. An Alertmanager may have several URLs, one for each replica: all get every alert. Without a URL,
    /// otlp uses OTEL_EXPORTER_OTLP_ENDPOINT, or http://localhost:4318. A sink never delays the plugins: what it cannot
    /// take is counted in the ledger.
    #[arg(long = "sink", value_name = "TYPE[=URL,...]")]
    pub sinks: Vec<String>,

    /// Sets a key of the sink named just before it.
    #[arg(long = "sink-set", value_name = "KEY=VALUE", help = keys::SET_HELP)]
    pub sink_settings: Vec<String>,

    /// Number of new alerts a minute that each plugin may raise at the sinks of --sink, such as 30. One more alert,
    /// alert-limit, says that a plugin reached it
    #[arg(long, value_name = "NUMBER")]
    pub alerts_per_minute: Option<NonZeroU32>,

    /// URL that people follow from an alert, such as that of a dashboard: generatorURL at an Alertmanager
    #[arg(long, value_name = "URL")]
    pub external_url: Option<String>,
}

/// A type of sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkKind {
    Alertmanager,
    Webhook,
    Otlp,
}

impl SinkKind {
    const ALL: [SinkKind; 3] = [SinkKind::Alertmanager, SinkKind::Webhook, SinkKind::Otlp];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            SinkKind::Alertmanager => "alertmanager",
            SinkKind::Webhook => "webhook",
            SinkKind::Otlp => "otlp",
        }
    }
}

/// A sink as the command line has it.
#[derive(Debug)]
pub struct SinkOptions {
    /// Its type.
    pub kind: SinkKind,
    /// Its name: that of its type, unless another was given.
    pub name: String,
    /// Keys and values, in the order of the command line.
    settings: Vec<(String, String)>,
}

/// What is delivered over the network.
pub fn network(args: &NetworkArgs, matches: &ArgMatches) -> Result<Network, UsageError> {
    let sinks = sinks(args, matches)?;
    configured(args, &sinks)
}

#[cfg(feature = "network")]
fn configured(args: &NetworkArgs, sinks: &[SinkOptions]) -> Result<Network, UsageError> {
    Ok(receivers::network(args, sinks)?)
}

#[cfg(not(feature = "network"))]
fn configured(args: &NetworkArgs, sinks: &[SinkOptions]) -> Result<Network, UsageError> {
    match sinks.is_empty() && args.alerts_per_minute.is_none() && args.external_url.is_none() {
        true => Ok(Network::default()),
        false => Err(SinkError::NoNetwork.into()),
    }
}

/// The sinks in the order of the command line, each with its options. clap keeps the values of each option in a list of
/// its own; their indices restore the common order.
pub fn sinks(args: &NetworkArgs, matches: &ArgMatches) -> Result<Vec<SinkOptions>, UsageError> {
    let positions = |id| matches.indices_of(id).into_iter().flatten();
    let names = args.sinks.iter().map(|text| (true, text));
    let settings = args.sink_settings.iter().map(|text| (false, text));
    let mut options: Vec<(usize, (bool, &String))> = Vec::new();
    options.extend(positions("sinks").zip(names));
    options.extend(positions("sink_settings").zip(settings));
    options.sort_by_key(|(position, _)| *position);
    let mut sinks: Vec<SinkOptions> = Vec::new();
    for (_, (is_sink, text)) in options {
        if is_sink {
            sinks.push(sink(text)?);
            continue;
        }
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) = pair.ok_or(SinkError::NoKey)?;
        let sink = sinks.last_mut();
        let sink = sink.ok_or_else(|| SinkError::NoSink(key.to_owned()))?;
        keys::check(sink, key)?;
        sink.settings.push((key.to_owned(), value.to_owned()));
    }
    for sink in &mut sinks {
        if let Some(name) = sink.value("name") {
            sink.name = name.to_owned();
        }
        let allowed = |char: char| char.is_alphanumeric() || "-_.".contains(char);
        if sink.name.is_empty() || !sink.name.chars().all(allowed) {
            return Err(SinkError::InvalidName(sink.name.clone()).into());
        }
    }
    for (number, sink) in sinks.iter().enumerate() {
        if sinks[..number].iter().any(|other| other.name == sink.name) {
            return Err(SinkError::DuplicateName(sink.name.clone()).into());
        }
    }
    Ok(sinks)
}

/// Parses `TYPE[=URL[,URL…]]`.
fn sink(text: &str) -> Result<SinkOptions, SinkError> {
    let (name, url) = match text.split_once('=') {
        Some((name, url)) => (name, Some(url)),
        None => (text, None),
    };
    let mut kinds = SinkKind::ALL.into_iter();
    let kind = kinds.find(|kind| kind.name() == name).ok_or_else(|| {
        // What follows may be a URL that is a secret.
        let is_word = |char: &char| char.is_ascii_alphanumeric() || *char == '-' || *char == '_';
        let word: String = name.chars().take_while(is_word).collect();
        let what = unknown(&word, &SinkKind::ALL.map(SinkKind::name));
        SinkError::UnknownType(word, what.replace("such key", "such type of sink"))
    })?;
    let url = url.map(|url| ("url".to_owned(), url.to_owned()));
    Ok(SinkOptions {
        kind,
        name: kind.name().to_owned(),
        settings: url.into_iter().collect(),
    })
}

impl SinkOptions {
    /// The last value of a key.
    fn value(&self, key: &str) -> Option<&str> {
        let mut settings = self.settings.iter().rev();
        let found = settings.find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Names and values below a key, such as `labels.site`. The last value of a name counts.
    fn table(&self, key: &str) -> Vec<(String, String)> {
        let mut table: Vec<(String, String)> = Vec::new();
        for (known, value) in &self.settings {
            let name = known.strip_prefix(key);
            let Some(name) = name.and_then(|name| name.strip_prefix('.')) else {
                continue;
            };
            table.retain(|(other, _)| other != name);
            table.push((name.to_owned(), value.clone()));
        }
        table
    }

    /// Keys and values as a configuration file has them, without secrets.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut shown = vec![("type", text(self.kind.name())), ("name", text(&self.name))];
        for key in keys::KEYS.iter().filter(|key| key.name != "name") {
            let value = match key.shape {
                Shape::Table { is_secret } => {
                    let table = self.table(key.name);
                    let pairs = table.iter().map(|(name, value)| {
                        let value = if is_secret { "…" } else { value };
                        (name.clone(), toml::Value::String(value.to_owned()))
                    });
                    let table: toml::Table = pairs.collect();
                    let is_empty = table.is_empty();
                    (!is_empty).then(|| toml::Value::Table(table).to_string())
                }
                Shape::Url => self.value(key.name).map(|urls| {
                    let urls = urls
                        .split(',')
                        .map(|url| keys::without_secrets(url, self.kind));
                    text(&urls.collect::<Vec<_>>().join(","))
                }),
                Shape::Flag => self.value(key.name).map(str::to_owned),
                Shape::Text => self.value(key.name).map(text),
            };
            shown.extend(value.map(|value| (key.name, value)));
        }
        shown
    }
}

#[cfg(all(test, feature = "network"))]
mod tests;
