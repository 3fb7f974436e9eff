//! The options of `generate` and `inspect`: what makes captures and what sums them up.

use std::path::PathBuf;

use clap::Args;

use super::filters::FilterArgs;
use super::inputs::TimeArgs;

/// The synthetic capture.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// The capture to write. - is standard output
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Number of events, such as 5000, 20k or 1M
    #[arg(long, value_name = "NUMBER", default_value = "100k")]
    pub events: String,

    /// Number of connections, such as 5k
    #[arg(long, value_name = "NUMBER", default_value = "1k")]
    pub connections: String,

    /// Seed of the generator. The same seed produces the same events
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Adds a census once an interval from 1s to 5m: what is sent beside what is sent again
    #[arg(long, value_name = "INTERVAL")]
    pub census: Option<String>,

    /// Loses some events after every 10,000, as a full ring does. If there are at most 10,000 events, they have one
    /// gap, after half of them
    #[arg(long)]
    pub gaps: bool,

    /// Overwrites the file if it exists
    #[arg(long)]
    pub force: bool,
}

/// The files to inspect.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Captures. - is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Groups events by these: peer, peer_port, local, local_port, connection, process, container, user, netns, kind,
    /// state, congestion_control. Repeatable: each is a table, and peer,kind is one of both
    #[arg(long, value_name = "KEYS", default_value = "peer")]
    pub by: Vec<String>,

    /// Number of keys in a table: those with the most events
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub top: usize,

    /// Prints each summary as a line of JSON
    #[arg(long)]
    pub json: bool,

    /// The times of the events.
    #[command(flatten)]
    pub times: TimeArgs,

    /// The filters.
    #[command(flatten)]
    pub filters: FilterArgs,
}
