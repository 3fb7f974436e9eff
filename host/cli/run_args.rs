//! The options of runs: of watching and of a replay.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;
use clap::ValueEnum;

use super::filters::FilterArgs;
use super::filters::LiveFilterArgs;
use super::inputs::TimeArgs;
use super::publish::PublishArgs;
use super::sinks::NetworkArgs;
use crate::config::attach;
use crate::plugin::OnFault;

/// The plugins of the chain, the outputs of the run, and when it ends.
#[derive(Debug, Args)]
pub struct ChainArgs {
    /// Adds a plugin to the chain: a .wasm file, or a bundled plugin (see: retrans-host plugin list), as in
    /// --plugin ./filter.wasm --plugin json-print
    ///
    /// Repeatable: each plugin sees the events that the plugin before it kept. NAME= names the instance, so
    /// that one file can be used twice. FILE#sha256=HEX accepts only the file with that digest. Without this
    /// option, table-print runs if standard output is a terminal, and json-print otherwise.
    #[arg(short, long = "plugin", value_name = "[NAME=]FILE")]
    pub plugins: Vec<String>,

    /// Sets a setting of the plugin named just before it, such as --set threshold=50. Repeatable
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,

    /// Reads settings of the plugin named just before it from a file: TOML, or JSON if its name ends in .json
    ///
    /// Repeatable: a later file replaces settings of an earlier one, and --set replaces both.
    #[arg(long = "settings", value_name = "FILE")]
    pub settings_files: Vec<PathBuf>,

    /// Settings of the plugin named just before it, as a JSON object: a configuration file has them with types.
    #[arg(long = "settings-json", hide = true)]
    pub settings_json: Vec<String>,

    /// Sets limits of the plugin named just before it.
    #[arg(
        long = "limit",
        value_name = "KEY=VALUE,...",
        help = super::limits::HELP,
        long_help = super::limits::long_help()
    )]
    pub limits: Vec<String>,

    /// Action for events on which the plugin named just before it fails, "pass" by default. Before the first
    /// plugin it applies to all plugins
    #[arg(long = "on-fault", value_name = "ACTION")]
    pub on_fault: Vec<Action>,

    /// Grants the plugin named just before it an environment variable (env=NAME), or the files below a
    /// directory while it is configured (read=DIR). Repeatable
    ///
    /// For example: --plugin ./zones.wasm --allow read=/etc/zones --allow env=ZONE. Without a grant, a plugin
    /// has no files and no environment.
    #[arg(long = "allow", value_name = "GRANT")]
    pub allow: Vec<String>,

    /// Runs the plugin named just before it only if this key has signed its file: FILE.minisig must be a signature of
    /// minisign. Before the first plugin it applies to all plugins. Repeatable: one of the keys must fit
    ///
    /// The key is a file such as minisign.pub, or the 56 characters in it. Bundled plugins need no signature. A new
    /// version is checked as well; without a signature that fits, the running version stays. Keys of a plugin take the
    /// place of those for all.
    #[arg(long = "verify-key", value_name = "KEY", value_hint = clap::ValueHint::FilePath)]
    pub verify_keys: Vec<String>,

    /// Loads a new version of a plugin as soon as its file, its signature, or a granted file that it has read, changes.
    /// SIGHUP does so at any time
    #[arg(long)]
    pub watch: bool,

    /// Outputs of alerts: standard error (text), or also standard output as JSON (json)
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub alerts: AlertFormat,

    /// Also appends each alert to this file, such as alerts.jsonl, as a line of JSON
    ///
    /// SIGHUP reopens the file, for log rotation. If the file cannot be written, its alerts are counted as
    /// failed in the ledger, and the run goes on.
    #[arg(long, value_name = "FILE")]
    pub alerts_file: Option<PathBuf>,

    /// What is delivered over the network.
    #[command(flatten)]
    pub network: NetworkArgs,

    /// Ends the run after this time, such as 30s or 5m, as a signal does
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,

    /// Prints the ledger to standard error at this interval, such as 10s. SIGUSR1 does so at any time
    #[arg(long, value_name = "TIME")]
    pub stats_every: Option<String>,

    /// Ends the run after this number of events, such as 1000 or 20k
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<String>,
}

/// Options of watching.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Reads options from this file (TOML): see docs/configuration.md. What is on the command line, or in a variable such
    /// as RETRANS_HOST_RING_SIZE, replaces what the file says
    #[arg(short = 'c', long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The chain.
    #[command(flatten)]
    pub chain: ChainArgs,

    /// Size of the kernel's ring buffer: a power of two from one page to 1 GiB, such as 64MiB
    #[arg(long, value_name = "SIZE", default_value = "4MiB")]
    pub ring_size: ByteSize,

    /// Number of events that wait for the plugins at most, from 256 to 1M, such as 4k or 64k. 1,000 take 0.4 MB; beyond
    /// it, they wait in the kernel's ring buffer
    #[arg(long, value_name = "EVENTS", default_value = "64k")]
    pub backlog: String,

    /// How to attach the probe: to the BTF-typed tracepoint (btf), to the classic one (tracepoint), or to the first of
    /// these that works (auto)
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub attach: Attach,

    /// Also passes on attempts that failed with EBUSY (Linux 6.17 and later). Otherwise they are withheld and
    /// counted in the ledger
    ///
    /// EBUSY means that the first copy of the segment is still queued in this host: the network has lost
    /// nothing.
    #[arg(long)]
    pub failed: bool,

    /// Counts what all connections send, by peer and service, once an interval from 1s to 5m: segments and those of
    /// them that were sent again, bytes, round-trip times
    ///
    /// A plugin gets it, such as ratio-alert, which alerts on the share of segments that are sent again; with a plugin
    /// that asks for it, it is made every 10s without this option. --plugin json-print --set census=true prints it.
    /// Of the filters, those of addresses, ports and network namespaces apply.
    #[arg(long, value_name = "INTERVAL")]
    pub census: Option<String>,

    /// Does not look for the processes that hold the sockets, which saves the scans of open files. All owners
    /// are then unknown
    #[arg(long)]
    pub no_owners: bool,

    /// At the end, compares the recorded events with the kernel's own counters (RetransSegs and others) in
    /// each network namespace
    #[arg(long)]
    pub reconcile: bool,

    /// Goes on as this user (name or number) once the probe is attached, with no rights of root left
    ///
    /// Captures and alerts are then files of this user, who must be allowed to write to their directories, and to
    /// read plugins.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// Leaves out the sandbox that restricts files and system calls once the probe is attached
    #[arg(long)]
    pub no_sandbox: bool,

    /// What is served over HTTP.
    #[command(flatten)]
    pub listen: ListenArgs,

    /// The recording.
    #[command(flatten)]
    pub record: RecordArgs,

    /// What is published.
    #[command(flatten)]
    pub publish: PublishArgs,

    /// The filters that a replay has as well.
    #[command(flatten)]
    pub filters: FilterArgs,

    /// The filters that only the probe can apply.
    #[command(flatten)]
    pub live_filters: LiveFilterArgs,
}

/// What is served over HTTP.
#[derive(Debug, Args)]
pub struct ListenArgs {
    /// Serves metrics for Prometheus at this address, such as 127.0.0.1:9435: /metrics, /healthz, /readyz, and at / a
    /// report of the last 15 minutes
    ///
    /// Every client that can reach the address can read them: there is no password and no encryption. With port 0, the
    /// kernel chooses a port, which is printed.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
}

/// The recording of the events that are passed to the chain.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Records every event to this file, before any plugin sees it, for `retrans-host replay`. - is standard
    /// output
    ///
    /// When it watches, a capture of that name is moved to FILE.1, and older ones to FILE.2 and so on. Withheld attempts
    /// are not recorded: see --failed. With -, lines of the plugins named by --plugin go to
    /// standard error; without --plugin, no lines are printed.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Starts a new capture file at this size, at this age, or at either: 100MiB, 1h, or 100MiB,1h
    ///
    /// Older files are renamed to FILE.1, FILE.2 and so on, and so is the capture of an earlier run.
    #[arg(long, value_name = "SIZE,AGE", requires = "record")]
    pub record_rotate: Option<String>,

    /// Number of older files that --record-rotate keeps
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "record_rotate",
        default_value_t = 10
    )]
    pub record_keep: u32,

    /// Overwrites the file of --record if it exists
    ///
    /// Otherwise a file that is not a capture is refused, and any file by a replay. With --record-rotate, captures are
    /// still renamed.
    #[arg(long, requires = "record")]
    pub force: bool,
}

/// The files to replay, the part of them, and the speed.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Captures, or files of JSON lines as json-print writes them, the oldest first. - is standard input. Or the broker
    /// of a fleet: nats://a:4222,nats://b:4222, or tls:// with encryption
    ///
    /// Standard input may be a pipe that is still written to: each line is replayed as soon as it arrives. Of a broker,
    /// what all hosts have published is replayed, from the oldest message to the last one; consumers are not disturbed.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// The chain.
    #[command(flatten)]
    pub chain: ChainArgs,

    /// Speed relative to the recording: 1x is the recorded speed, 10x is ten times as fast. Without this
    /// option, events are replayed as fast as possible
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<String>,

    /// The times of the events.
    #[command(flatten)]
    pub times: TimeArgs,

    /// Goes on after the last message of a broker: events are replayed as hosts publish them
    #[arg(long)]
    pub follow: bool,

    /// What is served over HTTP.
    #[command(flatten)]
    pub listen: ListenArgs,

    /// The recording.
    #[command(flatten)]
    pub record: RecordArgs,

    /// What is published.
    #[command(flatten)]
    pub publish: PublishArgs,

    /// How long the end of the replay waits for the broker
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        help_heading = "Broker"
    )]
    pub publish_wait: String,

    /// The filters.
    #[command(flatten)]
    pub filters: FilterArgs,
}

/// Action for events on which a plugin fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// The event goes on to the next plugin, unseen by this one.
    Pass,
    /// The event does not go on, and is counted as lost.
    Drop,
    /// The host ends with exit code 1.
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

/// How to attach the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Attach {
    /// The BTF-typed tracepoint, or the classic one if that fails.
    Auto,
    /// The BTF-typed tracepoint: direct loads, needs no tracefs.
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

/// Outputs of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AlertFormat {
    /// A readable line on standard error.
    Text,
    /// The same, and a line of JSON with "type":"alert" on standard output.
    Json,
}
