//! The statistics of a run: one value that every stage refreshes at its marks, and that is complete at any moment.
//! The ledger is its text.

pub mod counters;
mod ledger;
pub mod reconcile;
mod shared;

use self::counters::ChainStats;
use self::counters::ReplayStats;
use self::counters::StreamStats;
use self::reconcile::Report;
pub use self::shared::Publisher;
pub use self::shared::SharedStats;
use crate::capture::Summary;

/// What each stage had counted by its last mark.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// The source; `None` before its first mark.
    pub stream: Option<StreamStats>,
    /// The chain, and the sinks behind it.
    pub chain: ChainStats,
    /// The recorder, if events are recorded.
    pub recorded: Option<Summary>,
    /// The comparison with the kernel's own counters, if there is one: it is made at the end of the run.
    pub reconciliation: Option<Report>,
    /// Lines that could not be printed.
    pub not_printed: u64,
}

impl Stats {
    /// Those of a source that replays files.
    pub fn of_replay(read: ReplayStats) -> Stats {
        Stats {
            stream: Some(StreamStats::Replay(read)),
            ..Stats::default()
        }
    }

    /// Events that the source has given to the chain.
    pub fn delivered(&self) -> u64 {
        self.stream.as_ref().map_or(0, StreamStats::delivered)
    }

    /// Does every stage account for all that the one before it passed on? Always at the end of a run; while it
    /// goes on, the stages are not at the same event.
    pub fn balances(&self) -> bool {
        let balances =
            |stream: &StreamStats| stream.balances() && self.chain.balances(stream.delivered());
        self.stream.as_ref().is_some_and(balances)
    }
}
