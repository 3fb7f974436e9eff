//! The command line as clap parses it: options, their help texts, and the conversion of their enums.

use std::path::PathBuf;

use clap::ArgAction;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

use super::capture_args::GenerateArgs;
use super::capture_args::InspectArgs;
use super::examples;
use super::export::ExportArgs;
#[cfg(feature = "fleet")]
use super::fleet::ConsumeArgs;
#[cfg(feature = "fleet")]
use super::fleet::FleetArgs;
use super::plugin_args::PluginArgs;
use super::report::ReportArgs;
use super::run_args::ReplayArgs;
use super::run_args::WatchArgs;
use super::top::TopArgs;
use crate::plugin::Limits;

/// Watches TCP retransmits and passes each one to a chain of WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = examples::RUN)]
pub struct Cli {
    /// The subcommand; without one, the host watches the live probe.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Verbosity, for every command.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,

    /// Options of watching. The last ones: their filters have a heading of their own.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Verbosity of standard error, for every command.
#[derive(Debug, Args)]
pub struct VerbosityArgs {
    /// Prints more to standard error: -v adds debug messages of plugins, -vv also those of libbpf
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Prints only alerts, warnings and errors to standard error, and what was requested explicitly: the
    /// report of --reconcile, and statistics (--stats-every, SIGUSR1)
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What the program does instead of watching.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Passes recorded events to plugins as if they happened now. Needs no root, runs on any machine
    #[command(max_term_width = 100, after_help = examples::REPLAY)]
    Replay(Box<ReplayArgs>),
    /// Runs plugins over what all hosts of a fleet have published. Several consumers share the partitions
    #[cfg(feature = "fleet")]
    #[command(max_term_width = 100, after_help = examples::CONSUME)]
    Consume(Box<ConsumeArgs>),
    /// Sets up the broker of a fleet, and tells how the fleet does
    #[cfg(feature = "fleet")]
    #[command(max_term_width = 100, after_help = examples::FLEET)]
    Fleet(FleetArgs),
    /// Writes a capture of synthetic events. The same seed produces the same events
    #[command(max_term_width = 100, after_help = examples::GENERATE)]
    Generate(GenerateArgs),
    /// Writes recorded events as a table (CSV) or as packets (pcapng), which Wireshark reads
    #[command(max_term_width = 100, after_help = examples::EXPORT)]
    Export(Box<ExportArgs>),
    /// Prints a summary of captures: machine, time, events by kind, losses, the peers with the most events
    #[command(max_term_width = 100, after_help = examples::INSPECT)]
    Inspect(Box<InspectArgs>),
    /// Writes a page (HTML) about recorded events: when, where and why segments were sent again, the worst connections.
    /// It can be mailed
    #[command(max_term_width = 100, after_help = examples::REPORT)]
    Report(Box<ReportArgs>),
    /// Shows retransmits on the whole terminal, live or of a capture: rates by cause, the top peers, processes and
    /// connections, alerts
    #[command(max_term_width = 100, after_help = examples::TOP)]
    Top(Box<TopArgs>),
    /// Shows the host at work: makes a network of its own that loses segments, watches it, and writes a report. Needs
    /// root and the programs `ip` and `nft`
    #[command(max_term_width = 100, after_help = examples::DEMO)]
    Demo(DemoArgs),
    /// Checks a configuration file, and tells what is in force
    #[command(max_term_width = 100, after_help = examples::CONFIG)]
    Config(ConfigArgs),
    /// Tells whether the host can run here: what it needs and what it can use, yes or no, and what to do
    #[command(max_term_width = 100, after_help = examples::CHECK)]
    Check(CheckArgs),
    /// Lists and describes plugins
    #[command(max_term_width = 100, after_help = examples::PLUGIN)]
    Plugin(PluginArgs),
    /// Prints a script that completes command lines of retrans-host in a shell
    #[command(max_term_width = 100, after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Prints the manual page of retrans-host, or writes the pages of all commands to a directory
    #[command(max_term_width = 100, after_help = examples::MAN)]
    Man {
        /// Writes all pages to this directory, such as /usr/local/share/man/man1
        #[arg(long = "dir", value_name = "DIR")]
        directory: Option<PathBuf>,
    },
    /// Compiles a component from standard input to standard output. The host runs it to compile plugins
    #[command(name = crate::plugin::worker::job::COMPILE, hide = true)]
    Compile(CompileArgs),
    /// Loads compiled code from standard input and prints how much memory that takes. The host runs it to
    /// check whether it can hold a plugin
    #[command(name = crate::plugin::worker::job::FOOTPRINT, hide = true)]
    Footprint(FootprintArgs),
    /// Starts these processes for a host that may start none
    #[command(name = crate::plugin::worker::helper::SUBCOMMAND, hide = true)]
    Helper,
}

/// A shell whose command lines can be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// The demo.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Directory for the recording, the alerts and the report; files of an earlier demo in it are replaced. Without it,
    /// a new directory is made under $TMPDIR or /tmp
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// What is done with a configuration file.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The command.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// A command about configuration files.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Tells whether the host would start with this file: its keys and values, and the settings of its plugins
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Prints what is in force with this file, the environment and these options, and where each value is from
    Show {
        /// The file; - for none
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Options of the command line, as in --peer 10.0.0.0/8
        #[arg(
            value_name = "OPTION",
            trailing_var_arg = true,
            allow_hyphen_values = true
        )]
        options: Vec<std::ffi::OsString>,
    },
}

/// What is checked.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Also forces a retransmit, and tells whether the probe has seen it and how long that took. Takes a second
    ///
    /// The retransmit is a SYN to a listener whose queue is full, in a network namespace of its own. Without the right
    /// to make one (CAP_SYS_ADMIN), it is on the loopback interface.
    #[arg(long)]
    pub live: bool,

    /// Prints JSON: an object with "runs" and an array of the checks
    #[arg(long)]
    pub json: bool,
}

/// Limits of a compilation.
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// CPU time in seconds.
    pub seconds: u64,
    /// Memory in bytes.
    pub bytes: u64,
}

/// Limits of the footprint check.
#[derive(Debug, Args)]
pub struct FootprintArgs {
    /// The limits of the plugin, as JSON.
    #[arg(value_parser = |json: &str| serde_json::from_str::<Limits>(json))]
    pub limits: Limits,
}
