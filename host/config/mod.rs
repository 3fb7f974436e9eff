//! The configuration of a run: checked, and independent of the command line's syntax.

pub mod attach;
mod fleet;
mod network;
mod plugin;
mod record;
mod recorded;
mod reread;
mod terminal;
mod top;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use retrans_event::FieldPath;
use retrans_view::key::Grouping;

pub use self::fleet::BrokerConfig;
pub use self::fleet::Consume;
pub use self::fleet::Fleet;
pub use self::fleet::FleetCommand;
pub use self::fleet::FleetLimits;
pub use self::fleet::Observe;
pub use self::fleet::ObserveFrom;
pub use self::fleet::Publish;
pub use self::fleet::WantedPartitions;
pub use self::network::Network;
pub use self::plugin::Language;
pub use self::plugin::PluginBench;
pub use self::plugin::PluginCommand;
pub use self::plugin::PluginConfig;
pub use self::plugin::PluginDiff;
pub use self::plugin::PluginExplain;
pub use self::plugin::PluginNew;
pub use self::plugin::PluginProfile;
#[cfg(feature = "network")]
pub use self::plugin::PluginPull;
#[cfg(feature = "network")]
pub use self::plugin::PluginPush;
pub use self::plugin::PluginTest;
pub use self::plugin::Template;
pub use self::record::ExistingFile;
pub use self::record::RecordConfig;
pub use self::record::RecordFile;
pub use self::record::Rotate;
pub use self::recorded::Recorded;
pub use self::reread::Reconfigured;
pub use self::reread::Reread;
pub use self::top::FilterWords;
pub use self::top::Top;
pub use self::top::TopSource;
use crate::config::attach::Attach;
use crate::filter::Filters;
use crate::filter::LiveFilters;
use crate::plugin::Limits;
use crate::plugin::Spec;
use crate::system::privileges::User;

/// The command to run, with its configuration.
#[derive(Debug, PartialEq)]
pub enum Config {
    /// Watch the live probe.
    Watch(Watch),
    /// Replay recorded events.
    Replay(Replay),
    /// Consume what the hosts of a fleet have published.
    #[cfg(feature = "fleet")]
    Consume(Consume),
    /// Set up a fleet, or tell how it does.
    #[cfg(feature = "fleet")]
    Fleet(Fleet),
    /// Write a capture of synthetic events.
    Generate(Generate),
    /// Write recorded events in another form.
    Export(Export),
    /// Print a summary of captures.
    Inspect(Inspect),
    /// Write a page about recorded events.
    Report(Report),
    /// Show a run on the whole terminal.
    Top(Top),
    /// Tell whether the host can run here.
    Check(Check),
    /// Show the host at work on a network of its own.
    Demo(Demo),
    /// Tell about plugins.
    Plugin(PluginConfig),
    /// Tell whether the host would start with a configuration file.
    CheckFile {
        /// The file.
        file: PathBuf,
        /// What it says.
        watch: Watch,
    },
    /// Print this text: a manual page, or a script for a shell.
    Print(String),
    /// Write manual pages.
    WritePages {
        /// Their directory.
        directory: PathBuf,
        /// Their names and contents.
        pages: Vec<(String, String)>,
    },
    /// Compile a component.
    Compile {
        /// CPU time in seconds.
        seconds: u64,
        /// Memory in bytes.
        bytes: u64,
    },
    /// Check whether the host can hold a plugin with these limits (the footprint check).
    Footprint(Limits),
    /// Start the processes of the two above, for a host in its sandbox.
    Helper,
}

/// The chain, the outputs of the run, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainConfig {
    /// The plugins in order; never empty.
    pub plugins: Vec<Spec>,
    /// Whether no plugin was named, so that the one that runs depends on where its lines go.
    pub is_default: bool,
    /// Reads the plugins again at SIGHUP; `None`: there is no configuration file.
    pub reread: Option<Reread>,
    /// Whether a plugin is reloaded as soon as its file changes.
    pub watch_files: bool,
    /// Destination of the lines of plugins.
    pub lines: LinesTo,
    /// Whether alerts are also written to standard output as JSON.
    pub json_alerts: bool,
    /// Sinks other than the standard streams and the network.
    pub sinks: Vec<SinkConfig>,
    /// What is delivered over the network.
    pub network: Network,
    /// Number of events after which the run ends.
    pub count: Option<u64>,
    /// Time after which the run ends.
    pub duration: Option<Duration>,
    /// Interval at which the statistics are printed.
    pub stats_every: Option<Duration>,
    /// Verbosity of standard error.
    pub verbosity: Verbosity,
}

/// A sink other than the standard streams and the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkConfig {
    /// Appends alerts to this file, each as a line of JSON.
    AlertsFile(PathBuf),
}

/// Destination of the lines of plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinesTo {
    /// Standard output.
    Stdout,
    /// Standard error, because the capture uses standard output.
    Stderr,
    /// None: the capture uses standard output, and no plugin was requested.
    Discard,
}

/// The configuration of watching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The chain.
    pub chain: ChainConfig,
    /// Size of the ring in bytes.
    pub ring_size: u32,
    /// Number of events that wait for the chain at most.
    pub backlog: usize,
    /// How the probe is attached.
    pub attach: Attach,
    /// The wanted events.
    pub filters: LiveFilters,
    /// Whether attempts that failed with EBUSY, whose first copy is still queued in this host, are passed on.
    pub show_queued: bool,
    /// The interval of the census; `None`: one is made if a plugin asks for it.
    pub census: Option<Duration>,
    /// Whether the host looks for the processes that hold the sockets.
    pub owners: bool,
    /// Whether the recorded events are compared with the kernel's own counters.
    pub reconcile: bool,
    /// The recording; `None`: nothing is recorded.
    pub record: Option<RecordConfig>,
    /// What is published to a fleet; `None`: nothing.
    pub publish: Option<Publish>,
    /// The user as whom the run goes on once the probe is attached.
    pub user: Option<User>,
    /// Whether system calls and files are restricted once the probe is attached.
    pub sandbox: bool,
    /// Where metrics are served; `None`: nowhere.
    pub listen: Option<SocketAddr>,
}

/// The configuration of a replay.
#[derive(Debug, PartialEq)]
pub struct Replay {
    /// The chain.
    pub chain: ChainConfig,
    /// What is replayed, in this order.
    pub inputs: Vec<Recorded>,
    /// Speed as a multiple of the recorded speed; `None`: as fast as possible.
    pub speed: Option<f64>,
    /// The times of day of the events to replay.
    pub times: TimeRange,
    /// The wanted events.
    pub filters: Filters,
    /// The recording; `None`: nothing is recorded.
    pub record: Option<RecordConfig>,
    /// What is published to a fleet; `None`: nothing.
    pub publish: Option<Publish>,
    /// Where metrics are served; `None`: nowhere.
    pub listen: Option<SocketAddr>,
}

/// A range of times since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// Its first moment; `None`: no lower bound.
    pub from: Option<Duration>,
    /// Its end, exclusive; `None`: no upper bound.
    pub to: Option<Duration>,
}

impl TimeRange {
    /// Returns whether this time is in the range.
    pub fn contains(&self, time: Duration) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }
}

/// The configuration of a synthetic capture.
#[derive(Debug, PartialEq, Eq)]
pub struct Generate {
    /// The capture to write.
    pub file: PathBuf,
    /// Number of events.
    pub events: u64,
    /// Number of connections.
    pub connections: u64,
    /// Seed of the generator.
    pub seed: u64,
    /// The interval of the census; `None`: there is none.
    pub census: Option<Duration>,
    /// Whether some events are lost.
    pub gaps: bool,
    /// Whether an existing file is overwritten.
    pub force: bool,
    /// Verbosity of standard error.
    pub verbosity: Verbosity,
}

/// The configuration of the summary of captures.
#[derive(Debug, PartialEq)]
pub struct Inspect {
    /// The captures; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// What events are grouped by, each a table.
    pub by: Vec<Grouping>,
    /// Number of keys in a table.
    pub top: usize,
    /// The times of day of the events to count.
    pub times: TimeRange,
    /// The wanted events.
    pub filters: Filters,
    /// Whether to print JSON.
    pub json: bool,
}

/// The configuration of a report.
#[derive(Debug, PartialEq)]
pub struct Report {
    /// What it is about.
    pub what: Reported,
    /// The file to write; `None`: standard output.
    pub output: Option<PathBuf>,
    /// Whether an existing file is overwritten.
    pub force: bool,
    /// The times of day of the events.
    pub times: TimeRange,
    /// The wanted events.
    pub filters: Filters,
    /// Times and filters as they were given: names of options with their values.
    pub selection: Vec<(String, String)>,
    /// Verbosity of standard error.
    pub verbosity: Verbosity,
}

/// What a report is about.
#[derive(Debug, PartialEq)]
pub enum Reported {
    /// Recorded events.
    Inputs {
        /// What they are read from, in this order.
        inputs: Vec<Recorded>,
        /// The chain through which they go as well; `None`: there is none.
        chain: Option<Box<ChainConfig>>,
    },
    /// What has changed from one input to another.
    Compare {
        /// The one.
        before: Recorded,
        /// The other.
        after: Recorded,
    },
}

/// The configuration of an export.
#[derive(Debug, PartialEq, Eq)]
pub struct Export {
    /// The files, in this order; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// The form.
    pub format: ExportFormat,
    /// The file to write; `None`: standard output.
    pub output: Option<PathBuf>,
    /// Whether an existing file is overwritten.
    pub force: bool,
    /// The fields of each event; `None`: those of the form.
    pub fields: Option<Vec<ExportField>>,
    /// The times of day of the events to export.
    pub times: TimeRange,
    /// The wanted events.
    pub filters: Filters,
    /// Verbosity of standard error.
    pub verbosity: Verbosity,
}

/// A form other than captures and lines of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A table.
    Csv,
    /// Packets, with the fields in their comments.
    Pcapng,
}

/// A field of an event that is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportField {
    /// A value of the JSON form.
    Path(FieldPath),
    /// All labels.
    Labels,
}

impl fmt::Display for ExportField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportField::Path(path) => path.fmt(f),
            ExportField::Labels => f.write_str("labels"),
        }
    }
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Whether a retransmit is forced, which the probe must see.
    pub live: bool,
    /// Whether the result is JSON.
    pub json: bool,
    /// Verbosity of standard error.
    pub verbosity: Verbosity,
}

/// The configuration of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demo {
    /// The directory for its files; `None`: a new one.
    pub directory: Option<PathBuf>,
    /// Verbosity of standard error.
    pub verbosity: Verbosity,
}

/// Verbosity of standard error. Each level includes the one before it. What was requested explicitly, such as the
/// report of `--reconcile`, is printed at every level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Alerts, warnings and errors.
    Quiet,
    /// Messages at the start, the ledger, and log lines of plugins.
    Normal,
    /// Debug messages of plugins.
    Debug,
    /// Debug messages of libbpf.
    Trace,
}

impl Config {
    /// Verbosity of standard error.
    pub fn verbosity(&self) -> Verbosity {
        match self {
            Config::Watch(watch) => watch.chain.verbosity,
            Config::Replay(replay) => replay.chain.verbosity,
            #[cfg(feature = "fleet")]
            Config::Consume(consume) => consume.chain.verbosity,
            #[cfg(feature = "fleet")]
            Config::Fleet(fleet) => fleet.verbosity,
            Config::Generate(generate) => generate.verbosity,
            Config::Export(export) => export.verbosity,
            Config::Inspect(_) => Verbosity::Normal,
            Config::Report(report) => report.verbosity,
            Config::Top(top) => top.source.verbosity(),
            Config::Check(check) => check.verbosity,
            Config::Demo(demo) => demo.verbosity,
            Config::Plugin(plugin) => plugin.verbosity,
            Config::CheckFile { .. } | Config::Print(_) | Config::WritePages { .. } => {
                Verbosity::Normal
            }
            Config::Compile { .. } | Config::Footprint(_) | Config::Helper => Verbosity::Normal,
        }
    }
}
