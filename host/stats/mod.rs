//! The statistics of a run: one value, which each stage refreshes at its marks, so that it can be read at any time. The
//! ledger is its text form.

pub mod counters;
pub mod fleet;
pub mod histogram;
mod ledger;
pub mod percent;
pub mod plugin_histogram;
mod progress;
pub mod reconcile;
mod recording;
mod shared;
mod sum;

use std::sync::Arc;

use self::counters::CensusStats;
use self::counters::ChainStats;
use self::counters::ReplayStats;
use self::counters::StreamStats;
use self::fleet::FleetStats;
use self::fleet::PartitionStats;
use self::fleet::PublishStats;
pub use self::progress::Progress;
use self::reconcile::Report;
pub use self::recording::OutputFailure;
pub use self::recording::RecordingStats;
pub use self::shared::Publisher;
pub use self::shared::Requests;
pub use self::shared::SharedStats;

/// The counters of each stage, as of its last mark.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Counters of the source; `None` before its first mark.
    pub stream: Option<StreamStats>,
    /// Counters of the census; `None`: none is made.
    pub census: Option<CensusStats>,
    /// Counters of the chain and of the sinks.
    pub chain: ChainStats,
    /// Counters of the recorder; `None`: nothing is recorded.
    pub recorded: Option<RecordingStats>,
    /// The partitions of a fleet that this consumer has.
    pub partitions: Vec<PartitionStats>,
    /// The hosts of a fleet whose frames this consumer got, by their names.
    pub hosts: Arc<[(String, FleetStats)]>,
    /// Counters of what is published to a fleet; `None`: nothing is.
    pub published: Option<PublishStats>,
    /// The comparison with the kernel's own counters (`--reconcile`), which is made at the end of the run.
    pub reconciliation: Option<Report>,
    /// Number of lines that could not be printed.
    pub not_printed: u64,
}

impl Stats {
    /// The statistics of a source that replays files.
    pub fn of_replay(read: ReplayStats) -> Stats {
        Stats {
            stream: Some(StreamStats::Replay(read)),
            ..Stats::default()
        }
    }

    /// Number of events that the source has passed to the chain.
    pub fn delivered(&self) -> u64 {
        self.stream.as_ref().map_or(0, StreamStats::delivered)
    }

    /// Returns whether every stage accounts for all events of the stage before it. This holds at the end of every run.
    /// During a run the stages are not at the same event, so it need not hold.
    pub fn balances(&self) -> bool {
        let balances =
            |stream: &StreamStats| stream.balances() && self.chain.balances(stream.delivered());
        let published = self.published.as_ref();
        self.stream.as_ref().is_some_and(balances) && published.is_none_or(PublishStats::balances)
    }
}
