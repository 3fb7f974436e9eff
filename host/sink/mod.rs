//! Where the chain's results leave the host.
//!
//! Standard output is written in the chain's own thread: a reader that is slow fills the kernel's ring, where
//! losses are counted. Every other sink is a [`Destination`](queue::Destination) behind a
//! [`Queue`](queue::Queue): it never holds up the chain, and has a line in the ledger.

pub mod alert_lines;
pub mod alerts_file;
pub mod fan_out;
pub mod queue;
pub mod stdout;

use std::io;

use crate::stats::Stats;
use crate::stats::counters::SinkStats;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;

/// Takes the results of the chain, in its thread. An error ends the run.
pub trait Sink {
    /// Whole lines that one call of a plugin has printed.
    fn lines(&mut self, lines: &[u8]) -> io::Result<()>;

    /// What one call of a plugin raised or resolved.
    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()>;

    /// The events that came through the whole chain, at least one, with their labels.
    fn events(&mut self, _batch: &Batch) -> io::Result<()> {
        Ok(())
    }

    /// The statistics of the run, refreshed at a mark.
    fn stats(&mut self, _stats: &Stats) {}

    /// The end of a batch or a mark: everything is to be written through.
    fn flush(&mut self) -> io::Result<()>;

    /// What became of what each sink was given so far.
    fn counted(&self) -> Vec<SinkStats> {
        Vec::new()
    }

    /// The stream has ended: what is queued is delivered, for a bounded time. What became of all of it.
    fn finish(&mut self) -> Vec<SinkStats> {
        self.counted()
    }
}
