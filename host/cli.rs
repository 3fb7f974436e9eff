//! The command line, as it is written.

use bytesize::ByteSize;
use clap::ArgAction;
use clap::Parser;
use clap::ValueEnum;

use crate::source::probe::Attach;

/// Watches TCP retransmits and hands each one to a chain of WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Adds a plugin to the chain: a .wasm file, or the name of a bundled one (json-print,
    /// threshold-alert). Repeatable: what one keeps, the next one sees. NAME= names the instance,
    /// so that one file can be used twice. Without this option, json-print runs
    #[arg(short, long = "plugin", value_name = "[NAME=]FILE")]
    pub plugins: Vec<String>,

    /// Sets a setting of the plugin named just before it. Repeatable
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,

    /// How alerts are shown: as a line on standard error, or also as JSON on standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub alerts: AlertFormat,

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

    /// Says more on standard error: once for what plugins log as debug messages, twice for libbpf
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,

    /// Says less on standard error: only alerts, warnings and errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
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
  sudo retrans-host --plugin ./filter.wasm --plugin json-print
  sudo retrans-host --plugin a=./tag.wasm --set zone=eu --plugin b=./tag.wasm --set zone=us

Exit codes: 0 after Ctrl-C, SIGTERM or when standard output is closed; 2 for a wrong command line
or setting; 1 for anything else.";
