//! The command line of `plugin`.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::Args;
use clap::Subcommand;

use super::plugin_new::NewArgs;
use super::plugins;
use super::plugins::ChainOptions;
use super::plugins::OptionArgs;
use super::usage_error::UsageError;
use super::values;
use super::verify_key;
use crate::config::PluginBench;
use crate::config::PluginCommand;
use crate::config::PluginConfig;
use crate::config::PluginDiff;
use crate::config::PluginExplain;
use crate::config::PluginProfile;
#[cfg(feature = "network")]
use crate::config::PluginPull;
#[cfg(feature = "network")]
use crate::config::PluginPush;
use crate::config::PluginTest;
use crate::config::Verbosity;
use crate::plugin::OnFault;
use crate::plugin::Origin;
#[cfg(feature = "network")]
use retrans_deliver::registry::Address;

/// Commands about plugins.
#[derive(Debug, Args)]
pub struct PluginArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the bundled plugins, and those in a directory
    #[command(max_term_width = 100)]
    List {
        /// Also lists the files of this directory whose names end in .wasm
        #[arg(long = "dir", value_name = "DIR")]
        directory: Option<PathBuf>,
        /// Lists files that this key has not signed as ones that cannot be used. Repeatable: one of the keys must fit
        #[arg(long = "verify-key", value_name = "KEY", value_hint = clap::ValueHint::FilePath)]
        verify_keys: Vec<String>,
        /// Prints JSON: an array of objects with "plugin", "bundled", and "description" or "error"
        #[arg(long)]
        json: bool,
    },
    /// Makes a project for a plugin in Rust, C, Go, Python or JavaScript: code, a test, recorded events, and the SDK
    #[command(max_term_width = 100)]
    New(NewArgs),
    /// Makes the component of a plugin from a core module, as compilers of C and Go make them
    ///
    /// The module exports the functions of the contract by their full names, such as
    /// retrans:plugin/processor@0.1.0#process, and may import those of its host and WASI preview 1.
    #[command(max_term_width = 100)]
    Componentize {
        /// The core module
        #[arg(value_name = "FILE")]
        module: PathBuf,
        /// Writes the component to this file
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Compares what a plugin does with recorded events with what is expected, in batches of 1, 7 and 256 events
    #[command(max_term_width = 100)]
    Test {
        /// A .wasm file, or a bundled plugin
        #[arg(value_name = "FILE|NAME")]
        plugin: String,
        /// Options of the plugin.
        #[command(flatten)]
        options: OptionArgs,
        /// The recorded events.
        #[command(flatten)]
        events: EventArgs,
        /// What is expected: for each event, line and alert a line of JSON
        #[arg(long, value_name = "FILE")]
        expect: PathBuf,
        /// Writes what the plugin does now to the file of --expect, instead of comparing it
        #[arg(long)]
        bless: bool,
        /// Prints JSON: an object with "passed", "events", "kept", "lines", "alerts" and "diff"
        #[arg(long)]
        json: bool,
    },
    /// Measures what a plugin costs for each event, beside a plugin that keeps every event: CPU time, memory, start
    #[command(max_term_width = 100)]
    Bench {
        /// A .wasm file, or a bundled plugin
        #[arg(value_name = "FILE|NAME")]
        plugin: String,
        /// Options of the plugin, and of the one that it is compared with.
        #[command(flatten)]
        options: OptionArgs,
        /// Measures this plugin in the same run, such as an older version. Repeatable. NAME=FILE gives it a name
        #[arg(long, value_name = "FILE|NAME")]
        compare: Vec<String>,
        /// Prints JSON: an array of objects, of which the first is the plugin that keeps every event
        #[arg(long)]
        json: bool,
    },
    /// Samples in which functions a plugin spends its CPU time
    ///
    /// The recorded events pass through new instances of the plugin until they have used the time of --time. A sample is
    /// taken every millisecond, where a function begins or a loop repeats: time in between, as in calls of the host,
    /// shows there. Functions that were inlined show as the ones that they are in.
    #[command(max_term_width = 100)]
    Profile {
        /// A .wasm file, or a bundled plugin
        #[arg(value_name = "FILE|NAME")]
        plugin: String,
        /// Options of the plugin.
        #[command(flatten)]
        options: OptionArgs,
        /// The recorded events.
        #[command(flatten)]
        events: EventArgs,
        /// CPU time to sample
        #[arg(long, value_name = "TIME", default_value = "2s")]
        time: String,
        /// Writes a line for each stack, with its samples, for a flame graph; - is standard output
        #[arg(long, value_name = "FILE")]
        folded: Option<PathBuf>,
        /// Prints JSON: an object with "samples", "cpu_seconds", "events" and "functions"
        #[arg(long)]
        json: bool,
    },
    /// Shows what two versions of a plugin do differently with recorded events
    #[command(max_term_width = 100)]
    Diff {
        /// The one version: a .wasm file, or a bundled plugin
        #[arg(value_name = "OLD")]
        old: String,
        /// The other version
        #[arg(value_name = "NEW")]
        new: String,
        /// Options of both.
        #[command(flatten)]
        options: OptionArgs,
        /// The recorded events.
        #[command(flatten)]
        events: EventArgs,
        /// Prints JSON: an object with "same", "only_old", "only_new" and "diff"
        #[arg(long)]
        json: bool,
    },
    /// Tells what each plugin of a chain did with each recorded event: kept or dropped, changes, labels, lines, alerts
    #[command(max_term_width = 100)]
    Explain(ExplainArgs),
    /// Gets a plugin, and its signature, from a registry of OCI, such as ghcr.io
    ///
    /// It prints the digests that identify this plugin. User and password are those of `docker login`. Files are
    /// complete, and with --verify-key the signature fits, or nothing is written.
    #[cfg(feature = "network")]
    #[command(max_term_width = 100)]
    Pull(PullArgs),
    /// Puts a plugin, and its signature if there is one, into a registry of OCI
    #[cfg(feature = "network")]
    #[command(max_term_width = 100)]
    Push(PushArgs),
    /// Describes a plugin: what it does, its settings, the grants it can use, its size and memory
    #[command(max_term_width = 100)]
    Describe {
        /// A .wasm file, or a bundled plugin
        #[arg(value_name = "FILE|NAME")]
        plugin: String,
        /// Describes the plugin only if this key has signed its file, and shows the signature. Repeatable: one of the
        /// keys must fit
        #[arg(long = "verify-key", value_name = "KEY", value_hint = clap::ValueHint::FilePath)]
        verify_keys: Vec<String>,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// A plugin to get from a registry.
#[cfg(feature = "network")]
#[derive(Debug, Args)]
pub struct PullArgs {
    /// Where it is, as in oci://ghcr.io/example/slow-peers:1.2, or with the digest of its manifest instead of a tag
    #[arg(value_name = "oci://REGISTRY/NAME[:TAG|@sha256:HEX]")]
    pub address: Address,
    /// Writes to this file, and the signature to FILE.minisig. By default, the name of the plugin with .wasm
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Writes the plugin only if this key has signed it. Repeatable: one of the keys must fit
    #[arg(long = "verify-key", value_name = "KEY", value_hint = clap::ValueHint::FilePath)]
    pub verify_keys: Vec<String>,
    /// Overwrites the files if they exist
    #[arg(long)]
    pub force: bool,
    /// Speaks HTTP without TLS. Passwords are sent only to this machine then
    #[arg(long)]
    pub plain_http: bool,
    /// Prints JSON: an object with "file", "address", "sha256", "size" and "signature"
    #[arg(long)]
    pub json: bool,
}

/// A plugin to put into a registry.
#[cfg(feature = "network")]
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The plugin. If there is a FILE.minisig, it is its signature
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where it goes, as in oci://ghcr.io/example/slow-peers:1.2
    #[arg(value_name = "oci://REGISTRY/NAME[:TAG]")]
    pub address: Address,
    /// Puts it there only if this key has signed it. Repeatable: one of the keys must fit
    #[arg(long = "verify-key", value_name = "KEY", value_hint = clap::ValueHint::FilePath)]
    pub verify_keys: Vec<String>,
    /// Speaks HTTP without TLS. Passwords are sent only to this machine then
    #[arg(long)]
    pub plain_http: bool,
    /// Prints JSON: an object with "address", "sha256" and "signature"
    #[arg(long)]
    pub json: bool,
}

/// The recorded events of a trial.
#[derive(Debug, Args)]
pub struct EventArgs {
    /// Recorded events: captures, or lines of JSON. Repeatable
    #[arg(long = "events", value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// A chain, and the events that it is explained with.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The plugins, in their order, each followed by its options: ./filter.wasm --set port=443 threshold-alert
    #[arg(value_name = "FILE|NAME", required = true)]
    pub plugins: Vec<String>,
    /// Sets a setting of the plugin named just before it. Repeatable
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Reads settings of the plugin named just before it from a file: TOML, or JSON if its name ends in .json
    #[arg(long = "settings", value_name = "FILE")]
    pub settings_files: Vec<PathBuf>,
    /// Sets limits of the plugin named just before it
    #[arg(long = "limit", value_name = "KEY=VALUE,...")]
    pub limits: Vec<String>,
    /// Grants the plugin named just before it a variable (env=NAME) or files (read=DIR). Repeatable
    #[arg(long = "allow", value_name = "GRANT")]
    pub allow: Vec<String>,
    /// Uses the plugin named just before it only if this key has signed its file. Before the first plugin it applies to
    /// all plugins. Repeatable
    #[arg(long = "verify-key", value_name = "KEY", value_hint = clap::ValueHint::FilePath)]
    pub verify_keys: Vec<String>,
    /// The recorded events.
    #[command(flatten)]
    pub events: EventArgs,
    /// Explains at most this number of events
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub count: usize,
    /// Prints JSON: a line with an object for each event, and for each second in which a plugin did something
    #[arg(long)]
    pub json: bool,
}

/// The configuration of a command. `matches` are those of the command below `plugin`.
pub fn config(
    args: PluginArgs,
    verbosity: Verbosity,
    matches: &ArgMatches,
) -> Result<PluginConfig, UsageError> {
    let command = match args.command {
        Command::List {
            directory,
            verify_keys,
            json,
        } => PluginCommand::List {
            directory,
            keys: verify_key::all(&verify_keys)?,
            json,
        },
        Command::New(args) => PluginCommand::New(args.config()?),
        Command::Componentize { module, output } => PluginCommand::Componentize { module, output },
        Command::Test {
            plugin,
            options,
            events,
            expect,
            bless,
            json,
        } => PluginCommand::Test(Box::new(PluginTest {
            plugin: plugins::one(&plugin, &options)?,
            events: events.files,
            expect,
            bless,
            json,
        })),
        Command::Bench {
            plugin,
            options,
            compare,
            json,
        } => PluginCommand::Bench(PluginBench {
            plugins: [vec![plugin], compare]
                .concat()
                .iter()
                .map(|plugin| plugins::one(plugin, &options))
                .collect::<Result<_, _>>()?,
            json,
        }),
        Command::Profile {
            plugin,
            options,
            events,
            time,
            folded,
            json,
        } => PluginCommand::Profile(Box::new(PluginProfile {
            plugin: plugins::one(&plugin, &options)?,
            events: events.files,
            time: values::duration("--time", &time)?,
            folded,
            json,
        })),
        Command::Diff {
            old,
            new,
            options,
            events,
            json,
        } => PluginCommand::Diff(Box::new(PluginDiff {
            old: plugins::one(&old, &options)?,
            new: plugins::one(&new, &options)?,
            events: events.files,
            json,
        })),
        Command::Explain(args) => {
            let options = ChainOptions {
                is_trial: true,
                plugins: &args.plugins,
                settings: &args.settings,
                settings_files: &args.settings_files,
                settings_json: &[],
                limits: &args.limits,
                allow: &args.allow,
                verify_keys: &args.verify_keys,
                on_fault: Vec::new(),
            };
            let mut plugins = plugins::plugins(&options, matches)?;
            plugins
                .iter_mut()
                .for_each(|plugin| plugin.on_fault = OnFault::Stop);
            PluginCommand::Explain(PluginExplain {
                plugins,
                events: args.events.files,
                count: args.count,
                json: args.json,
            })
        }
        #[cfg(feature = "network")]
        Command::Pull(args) => PluginCommand::Pull(Box::new(PluginPull {
            address: args.address,
            output: args.output,
            keys: verify_key::all(&args.verify_keys)?,
            force: args.force,
            plain_http: args.plain_http,
            json: args.json,
            verbosity,
        })),
        #[cfg(feature = "network")]
        Command::Push(args) => PluginCommand::Push(Box::new(PluginPush {
            keys: verify_key::all(&args.verify_keys)?,
            file: args.file,
            address: tagged(args.address)?,
            plain_http: args.plain_http,
            json: args.json,
        })),
        Command::Describe {
            plugin,
            verify_keys,
            json,
        } => PluginCommand::Describe {
            origin: Origin::named(&plugin).map_err(UsageError::UnknownPlugin)?,
            keys: verify_key::all(&verify_keys)?,
            json,
        },
    };
    Ok(PluginConfig { command, verbosity })
}

/// The address of what is put into a registry: the digest is known afterwards only.
#[cfg(feature = "network")]
fn tagged(address: Address) -> Result<Address, UsageError> {
    match address.digest() {
        None => Ok(address),
        Some(_) => Err(UsageError::PushToDigest(address.to_string())),
    }
}
