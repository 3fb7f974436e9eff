//! The command line, checked: what a run needs to know.

use clap::ArgMatches;
use clap::CommandFactory as _;
use clap::FromArgMatches as _;

use crate::cli::AlertFormat;
use crate::cli::Cli;
use crate::plugin::Origin;
use crate::plugin::origin;
use crate::source::probe::Attach;

/// What a run needs to know.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// The chain, in order; never empty.
    pub plugins: Vec<PluginConfig>,
    /// Are alerts written to standard output as JSON?
    pub json_alerts: bool,
    /// Size of the ring in bytes.
    pub ring_size: u32,
    /// How the probe is attached.
    pub attach: Attach,
    /// Are attempts passed on whose first copy is still queued in this host?
    pub show_queued: bool,
    /// Are the processes looked for that hold the sockets?
    pub owners: bool,
    /// Is what was recorded compared with the kernel's own counters?
    pub reconcile: bool,
    /// How much is said on standard error.
    pub verbosity: Verbosity,
}

/// One plugin of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginConfig {
    /// Name of the instance: no two have the same.
    pub name: String,
    /// Where its component comes from.
    pub origin: Origin,
    /// Keys and values, as they were written.
    pub settings: Vec<(String, String)>,
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Alerts, warnings and errors.
    Quiet,
    /// The start, the ledger, what plugins log.
    Normal,
    /// Debug messages of plugins.
    Debug,
    /// And those of libbpf.
    Trace,
}

/// A command line that cannot be carried out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A setting, but of no plugin.
    #[error("--set {0}: no --plugin before it; a setting belongs to the plugin named just before")]
    NoPlugin(String),
    /// A setting without a key.
    #[error("--set {0}: expected KEY=VALUE, such as threshold=10")]
    NoKey(String),
    /// Two instances with one name.
    #[error(
        "--plugin: two instances are called {0}; give one another name, as in --plugin other={0}"
    )]
    Twice(String),
    /// A name that would be hard to read in a log.
    #[error("--plugin {0}: an instance's name has letters, digits, -, _ and . only")]
    BadName(String),
    /// No such bundled plugin.
    #[error("--plugin: {0}")]
    NotBundled(String),
    /// A ring that the kernel would refuse.
    #[error(
        "--ring-size: {0} bytes, expected a power of two from {1} (a page) to 1 GiB, such as 4MiB"
    )]
    RingSize(u64, u64),
}

/// What runs when no plugin is named.
const DEFAULT_PLUGIN: &str = "json-print";

/// The largest ring: the kernel's own limit is 2 GiB.
const LARGEST_RING: u64 = 1 << 30;

impl Config {
    /// Reads the command line. What clap finds wrong ends the process, as everywhere.
    pub fn from_args() -> Result<Config, UsageError> {
        Config::from_matches(&Cli::command().get_matches())
    }

    fn from_matches(matches: &ArgMatches) -> Result<Config, UsageError> {
        let cli = Cli::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
        Ok(Config {
            plugins: plugins(&cli, matches)?,
            json_alerts: cli.alerts == AlertFormat::Json,
            ring_size: ring_size(cli.ring_size)?,
            attach: cli.attach,
            show_queued: cli.failed,
            owners: !cli.no_owners,
            reconcile: cli.reconcile,
            verbosity: match (cli.quiet, cli.verbose) {
                (true, _) => Verbosity::Quiet,
                (false, 0) => Verbosity::Normal,
                (false, 1) => Verbosity::Debug,
                (false, _) => Verbosity::Trace,
            },
        })
    }
}

/// Brings plugins and settings back into the order in which they were written.
fn plugins(cli: &Cli, matches: &ArgMatches) -> Result<Vec<PluginConfig>, UsageError> {
    let positions = |id| matches.indices_of(id).into_iter().flatten();
    let mut settings = positions("settings").zip(&cli.settings).peekable();
    let mut starts = positions("plugins").zip(&cli.plugins).peekable();
    let first = starts.peek().map_or(usize::MAX, |(position, _)| *position);
    if let Some((_, setting)) = settings.next_if(|(position, _)| *position < first) {
        return Err(UsageError::NoPlugin(setting.clone()));
    }

    let mut plugins: Vec<PluginConfig> = Vec::new();
    while let Some((_, text)) = starts.next() {
        let mut plugin = plugin(text)?;
        let next = starts.peek().map_or(usize::MAX, |(position, _)| *position);
        while let Some((_, setting)) = settings.next_if(|(position, _)| *position < next) {
            let pair = setting.split_once('=').filter(|(key, _)| !key.is_empty());
            let (key, value) = pair.ok_or_else(|| UsageError::NoKey(setting.clone()))?;
            plugin.settings.push((key.to_owned(), value.to_owned()));
        }
        if plugins.iter().any(|other| other.name == plugin.name) {
            return Err(UsageError::Twice(plugin.name));
        }
        plugins.push(plugin);
    }
    if plugins.is_empty() {
        plugins.push(plugin(DEFAULT_PLUGIN)?);
    }
    Ok(plugins)
}

/// `[NAME=]FILE`. A path may have a `=` in it; a name has no `/`.
fn plugin(text: &str) -> Result<PluginConfig, UsageError> {
    let (name, file) = match text.split_once('=') {
        Some((name, file)) if !name.contains('/') => (Some(name), file),
        _ => (None, text),
    };
    let origin = origin(file).map_err(UsageError::NotBundled)?;
    let name = name.map_or_else(|| default_name(&origin), str::to_owned);
    let allowed = |char: char| char.is_alphanumeric() || "-_.".contains(char);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(UsageError::BadName(text.to_owned()));
    }
    Ok(PluginConfig {
        name,
        origin,
        settings: Vec::new(),
    })
}

/// The name of the bundled plugin, or of the file without .wasm.
fn default_name(origin: &Origin) -> String {
    match origin {
        Origin::Bundled(name) => (*name).to_owned(),
        Origin::File(path) => path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default(),
    }
}

/// What BPF_MAP_TYPE_RINGBUF asks for.
fn ring_size(size: bytesize::ByteSize) -> Result<u32, UsageError> {
    let page = rustix::param::page_size() as u64;
    let bytes = size.as_u64();
    if !bytes.is_power_of_two() || !(page..=LARGEST_RING).contains(&bytes) {
        return Err(UsageError::RingSize(bytes, page));
    }
    u32::try_from(bytes).map_err(|_| UsageError::RingSize(bytes, page))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<Config, UsageError> {
        let args = std::iter::once("retrans-host").chain(args.iter().copied());
        let matches = Cli::command()
            .try_get_matches_from(args)
            .expect("clap takes it");
        Config::from_matches(&matches)
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_setting_belongs_to_the_plugin_before_it() {
        let args = "-p a.wasm -s x=1 -s y=a=b -p b=a.wasm -s x=2 -p json-print";
        let config = config(&args.split(' ').collect::<Vec<_>>()).expect("well-formed");
        let settings = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            pairs.collect::<Vec<_>>()
        };
        let plugins = config.plugins;
        let names: Vec<_> = plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "json-print"]);
        assert_eq!(plugins[0].settings, settings(&[("x", "1"), ("y", "a=b")]));
        assert_eq!(plugins[1].settings, settings(&[("x", "2")]));
        assert_eq!(plugins[2].settings, []);
        assert_eq!(plugins[0].origin, plugins[1].origin);
    }

    #[test]
    fn without_a_plugin_json_print_runs() {
        let config = config(&[]).expect("well-formed");
        assert_eq!(config.plugins[0].origin, Origin::Bundled("json-print"));
        assert_eq!(config.ring_size, 4 << 20);
    }

    #[test]
    fn a_wrong_command_line_says_what_is_wrong() {
        let error = |args: &[&str]| config(args).expect_err("not well-formed").to_string();
        assert!(error(&["--set", "a=1", "-p", "json-print"]).contains("no --plugin before it"));
        assert!(error(&["-p", "json-print", "--set", "a"]).contains("expected KEY=VALUE"));
        assert!(error(&["-p", "json-print", "-p", "json-print"]).contains("two instances"));
        assert!(error(&["-p", "a/../x y.wasm"]).contains("letters, digits"));
        assert!(error(&["-p", "json-prnt"]).contains("no bundled plugin"));
        assert!(error(&["--ring-size", "5MiB"]).contains("power of two"));
        assert!(error(&["--ring-size", "2048"]).contains("power of two"));
    }
}
