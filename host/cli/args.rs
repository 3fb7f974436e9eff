//! The command line, as it is written.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::ArgAction;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

use crate::plugin::Limits;
use crate::plugin::OnFault;
use crate::source::live::attach;

/// Watches TCP retransmits and hands each one to a chain of WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do instead of watching.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// How to watch.
    #[command(flatten)]
    pub watch: WatchArgs,

    /// How much is said.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// How much is said on standard error, whatever is done.
#[derive(Debug, Args)]
pub struct TalkArgs {
    /// Says more on standard error: once for what plugins log as debug messages, twice for libbpf
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Says less on standard error: only alerts, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What to do instead of watching.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Hands recorded events to plugins, as if they happened now: without root, on any machine
    #[command(max_term_width = 100, after_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
    /// Writes a capture of made-up events: the same ones for the same seed
    #[command(max_term_width = 100, after_help = GENERATE_EXAMPLES)]
    Generate(GenerateArgs),
    /// Says what captures hold: host, time, events by kind, losses, peers
    #[command(max_term_width = 100)]
    Inspect(InspectArgs),
    /// Compiles a component from standard input to standard output: how the host compiles plugins
    #[command(name = crate::plugin::worker::compile::SUBCOMMAND, hide = true)]
    Compile(CompileArgs),
    /// Loads compiled code from standard input and says how much memory that takes: whether the host can
    /// hold a plugin
    #[command(name = crate::plugin::worker::footprint::SUBCOMMAND, hide = true)]
    Footprint(FootprintArgs),
}

/// Which plugins, and where their results go.
#[derive(Debug, Args)]
pub struct ChainArgs {
    /// Adds a plugin to the chain: a .wasm file, or the name of a bundled one (json-print,
    /// threshold-alert). Repeatable: what one keeps, the next one sees. NAME= names the instance,
    /// so that one file can be used twice. Without this option, json-print runs.
    /// #sha256=HEX behind the file refuses any other one
    #[arg(short, long = "plugin", value_name = "[NAME=]FILE")]
    pub plugins: Vec<String>,

    /// Sets a setting of the plugin named just before it. Repeatable
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,

    /// Limits of plugins.
    #[arg(long = "limit", value_name = "KEY=VALUE,...", help = super::limits::help())]
    pub limits: Vec<String>,

    /// What is done with events that the plugin named just before it fails on, or that any plugin fails
    /// on where it stands before the first
    #[arg(long = "on-fault", value_name = "ACTION")]
    pub on_fault: Vec<Action>,

    /// Grants something to the plugin named just before it: "env=NAME" to see an environment variable,
    /// "read=DIR" to read files below a directory while it is configured. Repeatable
    #[arg(long = "allow", value_name = "GRANT")]
    pub allow: Vec<String>,

    /// Takes up new versions of the plugins' files as soon as they are there. SIGHUP does so at any
    /// time
    #[arg(long)]
    pub watch: bool,

    /// How alerts are shown: as a line on standard error, or also as JSON on standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub alerts: AlertFormat,

    /// Appends alerts to this file as well, a line of JSON for each. SIGHUP opens it anew. Where it cannot be
    /// written, alerts are counted as failed, and the run goes on
    #[arg(long, value_name = "FILE")]
    pub alerts_file: Option<PathBuf>,

    /// Ends after this time, such as 30s or 5m, as at a signal
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,

    /// Prints the ledger on standard error this often, such as 10s. SIGUSR1 does so at any time
    #[arg(long, value_name = "TIME")]
    pub stats_every: Option<String>,

    /// Ends after this number of events, such as 1000 or 20k
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<String>,
}

/// How to watch.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The chain.
    #[command(flatten)]
    pub chain: ChainArgs,

    /// Size of the kernel's ring buffer: a power of two, at least one page
    #[arg(long, value_name = "SIZE", default_value = "4MiB")]
    pub ring_size: ByteSize,

    /// How the probe is attached
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub attach: Attach,

    /// Also passes on attempts that came to nothing because the first copy of the segment is still
    /// queued in this host (EBUSY, Linux 6.17 and later). They are counted as withheld otherwise
    #[arg(long)]
    pub failed: bool,

    /// Does not look for the processes that hold the sockets: saves the scans of open files
    #[arg(long)]
    pub no_owners: bool,

    /// At the end, compares what was recorded with the kernel's own counters (RetransSegs and
    /// others) in each network namespace
    #[arg(long)]
    pub reconcile: bool,

    /// Where to record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// Where to record what is handed to the chain.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Records every event in a file, before any plugin sees it, for `retrans-host replay`. What is
    /// withheld is no event: see --failed. - is standard output: lines of plugins then go to standard
    /// error, or nowhere without --plugin
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Begins a new file at this size, at this age, or at either: "100MiB", "1h", or "100MiB,1h". The
    /// older ones are FILE.1, FILE.2 and so on, and so is the capture of an earlier run
    #[arg(long, value_name = "SIZE,AGE", requires = "record")]
    pub record_rotate: Option<String>,

    /// Keeps this number of older files
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "record_rotate",
        default_value_t = 10
    )]
    pub record_keep: u32,

    /// Overwrites the file that is to be recorded to. With --record-rotate, captures are moved all the
    /// same, and only what is no capture is overwritten
    #[arg(long, requires = "record")]
    pub force: bool,
}

/// What to replay, and how fast.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Captures, or files with lines as json-print writes them, the oldest first; - is standard
    /// input, which may still be written: each line is replayed as soon as it is there
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// The chain.
    #[command(flatten)]
    pub chain: ChainArgs,

    /// How fast: 1x is as fast as it was recorded, 10x ten times as fast. Without this option, as
    /// fast as possible
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<String>,

    /// Leaves out what was before this time of day, such as 2026-01-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// Leaves out what was at this time of day or later
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,

    /// Where to record.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// What to make up.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// The capture to write; - is standard output
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// How many events, such as 5000, 20k or 1M
    #[arg(long, value_name = "NUMBER", default_value = "100k")]
    pub events: String,

    /// Of how many connections
    #[arg(long, value_name = "NUMBER", default_value = "1k")]
    pub connections: String,

    /// The same seed makes the same events
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Loses some events after every 10,000 (of fewer, after half), as a ring that is full does
    #[arg(long)]
    pub gaps: bool,

    /// Overwrites the file
    #[arg(long)]
    pub force: bool,
}

/// What to look at.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Captures; - is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Limits of a compilation.
#[derive(Debug, Args)]
pub struct CompileArgs {
    /// CPU time in seconds.
    pub seconds: u64,
    /// Memory in bytes.
    pub bytes: u64,
}

/// Within which limits to try.
#[derive(Debug, Args)]
pub struct FootprintArgs {
    /// Those of the plugin, as JSON.
    #[arg(value_parser = |json: &str| serde_json::from_str::<Limits>(json))]
    pub limits: Limits,
}

/// What is done with events that a plugin fails on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// They go on to the next plugin, unseen by this one.
    Pass,
    /// They do not go on, and are counted as lost.
    Drop,
    /// The host ends.
    Stop,
}

impl From<Action> for OnFault {
    fn from(action: Action) -> OnFault {
        match action {
            Action::Pass => OnFault::Pass,
            Action::Drop => OnFault::Drop,
            Action::Stop => OnFault::Stop,
        }
    }
}

/// How the probe is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Attach {
    /// BTF-typed, or else the classic tracepoint.
    Auto,
    /// The BTF-typed tracepoint: direct loads, no tracefs needed.
    Btf,
    /// The classic tracepoint: needs tracefs.
    Tracepoint,
}

impl From<Attach> for attach::Attach {
    fn from(attach: Attach) -> attach::Attach {
        match attach {
            Attach::Auto => attach::Attach::Auto,
            Attach::Btf => attach::Attach::Btf,
            Attach::Tracepoint => attach::Attach::Tracepoint,
        }
    }
}

/// How alerts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AlertFormat {
    /// A readable line on standard error.
    Text,
    /// That, and a line with "type":"alert" on standard output.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  sudo retrans-host                                one JSON line for each retransmit
  sudo retrans-host | jq -r .destination.ip        the peers that packets to are lost
  sudo retrans-host --plugin threshold-alert --set threshold=50 --set window=30s
  sudo retrans-host --reconcile > events.jsonl     and then: was anything missed?
  sudo pkill -USR1 retrans-host                    the ledger so far, on its standard error
  sudo retrans-host --record lossy.rtc             everything, to be replayed elsewhere
  sudo retrans-host --record - --duration 30s | ssh desk retrans-host replay -
  retrans-host replay lossy.rtc --plugin ./filter.wasm --plugin json-print
  sudo retrans-host --plugin a=./tag.wasm --set zone=eu --plugin b=./tag.wasm --set zone=us
  sudo retrans-host --plugin ./strange.wasm --limit time=50ms,memory=8MiB --on-fault drop
  sudo retrans-host --watch --plugin ./zones.wasm --allow read=/etc/zones --plugin json-print

Exit codes: 0 at the end of what is replayed, after --duration or --count, after Ctrl-C or SIGTERM,
or when the pipe of standard output is closed; 2 for a wrong command line or setting; 1 for
anything else, as for `generate` cut short; 130 after a second signal.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  retrans-host replay lossy.rtc                    one JSON line for each event
  retrans-host replay lossy.rtc.1 lossy.rtc --plugin ./mine.wasm
  retrans-host replay events.jsonl --plugin threshold-alert --set threshold=5
  zcat events.jsonl.gz | retrans-host replay -     lines that json-print wrote, or you
  retrans-host replay lossy.rtc --from 2026-01-01T12:00:00Z --count 10k --record part.rtc
  retrans-host replay lossy.rtc --speed 1x --from 2026-01-01T12:00:00Z --to 2026-01-01T12:05:00Z";

const GENERATE_EXAMPLES: &str = "\
Examples:
  retrans-host generate test.rtc --events 1M --connections 5k --seed 7 --gaps
  retrans-host replay test.rtc --plugin ./mine.wasm";
