//! Sinks: the outputs of the chain.
//!
//! Standard output is written in the thread of the chain: a slow reader makes the kernel's ring fill, where losses are
//! counted. Every other sink is a [`Destination`](queue::Destination) behind a [`Queue`](queue::Queue), or hands over to
//! a thread of its own, as those over the network do: it never blocks the chain, and has a line in the ledger.

pub mod alert_lines;
pub mod alerts_file;
pub mod fan_out;
pub mod queue;
pub mod stdout;

use std::io;
use std::time::Duration;

use crate::stats::Stats;
use crate::stats::counters::SinkStats;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;

/// Time after the end of the stream within which sinks may deliver what they have. The process ends 4.5 s after a signal.
pub const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// Receives the results of the chain, in its thread. An error ends the run.
pub trait Sink {
    /// Receives the lines that one call of a plugin printed, each with its newline.
    fn lines(&mut self, lines: &[u8]) -> io::Result<()>;

    /// The same, from a plugin that was told to use colours.
    fn coloured_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.lines(lines)
    }

    /// Receives the alerts that one call of a plugin raised or resolved.
    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()>;

    /// Receives the events that the last plugin kept, at least one, with their labels.
    fn events(&mut self, _batch: &Batch) -> io::Result<()> {
        Ok(())
    }

    /// Receives the statistics of the run, which were refreshed at a mark.
    fn stats(&mut self, _stats: &Stats) {}

    /// Writes what is buffered. The chain calls it after each batch and mark.
    fn flush(&mut self) -> io::Result<()>;

    /// The counters of each sink so far.
    fn counted(&self) -> Vec<SinkStats> {
        Vec::new()
    }

    /// Delivers what is queued, within a time limit, after the end of the stream. Returns the final counters of each
    /// sink.
    fn finish(&mut self) -> Vec<SinkStats> {
        self.counted()
    }
}

impl Sink for Box<dyn Sink + Send> {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        (**self).lines(lines)
    }

    fn coloured_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        (**self).coloured_lines(lines)
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        (**self).alerts(alerts)
    }

    fn events(&mut self, batch: &Batch) -> io::Result<()> {
        (**self).events(batch)
    }

    fn stats(&mut self, stats: &Stats) {
        (**self).stats(stats);
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn counted(&self) -> Vec<SinkStats> {
        (**self).counted()
    }

    fn finish(&mut self) -> Vec<SinkStats> {
        (**self).finish()
    }
}
