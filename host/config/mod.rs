//! What a run needs to know: checked, and free of the form in which it was written.

use std::path::PathBuf;
use std::time::Duration;

use crate::plugin::Limits;
use crate::plugin::Spec;
use crate::source::live::attach::Attach;

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Config {
    /// Watch the live probe.
    Watch(Watch),
    /// Replay what was recorded.
    Replay(Replay),
    /// Make up a capture.
    Generate(Generate),
    /// Say what captures hold.
    Inspect(Vec<PathBuf>),
    /// Compile a component.
    Compile {
        /// CPU time in seconds.
        seconds: u64,
        /// Memory in bytes.
        bytes: u64,
    },
    /// Try whether the host can hold a plugin with these limits.
    Footprint(Limits),
}

/// The chain, and what is shown of it.
#[derive(Debug, PartialEq, Eq)]
pub struct ChainConfig {
    /// The plugins, in order; never empty.
    pub plugins: Vec<Spec>,
    /// Are new versions of their files taken up by themselves?
    pub watch_files: bool,
    /// Where the lines of plugins go.
    pub lines: LinesTo,
    /// Are alerts written to standard output as JSON?
    pub json_alerts: bool,
    /// Where results go beside the standard streams.
    pub sinks: Vec<SinkConfig>,
    /// After how many events the run ends.
    pub count: Option<u64>,
    /// After which time the run ends.
    pub duration: Option<Duration>,
    /// How often statistics are printed.
    pub stats_every: Option<Duration>,
    /// How much is said on standard error.
    pub verbosity: Verbosity,
}

/// Where results go beside the standard streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkConfig {
    /// Alerts, as lines of JSON at the end of this file.
    AlertsFile(PathBuf),
}

/// Where the lines of plugins go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinesTo {
    /// To standard output.
    Stdout,
    /// To standard error, because standard output is taken.
    Stderr,
    /// Nowhere, because standard output is taken and no plugin was asked for.
    Nowhere,
}

/// How to watch.
#[derive(Debug, PartialEq, Eq)]
pub struct Watch {
    /// The chain.
    pub chain: ChainConfig,
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
    /// Where events are recorded, if they are.
    pub record: Option<RecordConfig>,
}

/// Where events are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordConfig {
    /// To standard output.
    Stdout,
    /// To a file.
    File(RecordFile),
}

/// The file that events are recorded in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFile {
    /// Its path.
    pub file: PathBuf,
    /// When to begin another one.
    pub rotate: Rotate,
    /// Older files that are kept.
    pub keep: u32,
    /// May the file be there already?
    pub force: bool,
}

/// When to begin another file; by default never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotate {
    /// At so many bytes.
    pub bytes: Option<u64>,
    /// At this age.
    pub age: Option<Duration>,
}

/// What to replay.
#[derive(Debug, PartialEq)]
pub struct Replay {
    /// The chain.
    pub chain: ChainConfig,
    /// In this order; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Times as fast as it was recorded; `None`: as fast as possible.
    pub speed: Option<f64>,
    /// Only what was in this time, since 1970-01-01T00:00:00Z.
    pub times: Times,
    /// Where events are recorded, if they are.
    pub record: Option<RecordConfig>,
}

/// A span of time, since 1970-01-01T00:00:00Z: its end is outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Its begin.
    pub from: Option<Duration>,
    /// Its end.
    pub to: Option<Duration>,
}

impl Times {
    /// Is this time within?
    pub fn contain(&self, time: Duration) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }
}

/// What to make up.
#[derive(Debug, PartialEq, Eq)]
pub struct Generate {
    /// The capture to write.
    pub file: PathBuf,
    /// Events.
    pub events: u64,
    /// Connections that they are of.
    pub connections: u64,
    /// What they are made from.
    pub seed: u64,
    /// Are some lost?
    pub gaps: bool,
    /// May the file be there already?
    pub force: bool,
    /// How much is said on standard error.
    pub verbosity: Verbosity,
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

impl Config {
    /// How much is said on standard error.
    pub fn verbosity(&self) -> Verbosity {
        match self {
            Config::Watch(watch) => watch.chain.verbosity,
            Config::Replay(replay) => replay.chain.verbosity,
            Config::Generate(generate) => generate.verbosity,
            Config::Inspect(_) => Verbosity::Normal,
            Config::Compile { .. } | Config::Footprint(_) => Verbosity::Normal,
        }
    }
}
