//! The sink of one partition's chain: it shares the sinks of the run with the chains of other partitions, and keeps the
//! alerts that fire.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use super::open_alerts::OpenAlerts;
use crate::pipeline::Sinks;
use crate::sink::Sink;
use crate::stats::counters::SinkStats;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;

/// The sinks of a run, which the chains of several partitions use in turn.
#[derive(Clone)]
pub struct SharedSinks(Arc<Mutex<Sinks>>);

impl SharedSinks {
    /// These sinks.
    pub fn new(sinks: Sinks) -> SharedSinks {
        SharedSinks(Arc::new(Mutex::new(sinks)))
    }

    /// Locks the sinks.
    pub fn lock(&self) -> MutexGuard<'_, Sinks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Items that are not delivered yet, over all sinks.
    pub fn queued(&self) -> u64 {
        let counted = self.lock().counted();
        counted.iter().map(|sink: &SinkStats| sink.queued).sum()
    }
}

/// The alerts that fire, shared by the sink of a chain and its owner.
pub type SharedAlerts = Arc<Mutex<OpenAlerts>>;

/// Lines that go to the broker in the place of standard output, shared by the sink of a chain and its owner.
pub type SharedLines = Arc<Mutex<Vec<u8>>>;

/// The sink of a partition's chain.
pub struct PartitionSink {
    sinks: SharedSinks,
    alerts: SharedAlerts,
    /// `None`: lines go to standard output.
    lines: Option<SharedLines>,
}

impl PartitionSink {
    /// A sink that passes everything on to `sinks`, and takes note of alerts in `alerts`. Lines go to `lines`, if there are
    /// any, in the place of standard output.
    pub fn new(
        sinks: SharedSinks,
        alerts: SharedAlerts,
        lines: Option<SharedLines>,
    ) -> PartitionSink {
        PartitionSink {
            sinks,
            alerts,
            lines,
        }
    }
}

impl Sink for PartitionSink {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        match &self.lines {
            None => self.sinks.lock().lines(lines),
            Some(collected) => {
                let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
                collected.extend_from_slice(lines);
                Ok(())
            }
        }
    }

    fn coloured_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        match &self.lines {
            None => self.sinks.lock().coloured_lines(lines),
            Some(_) => self.lines(lines),
        }
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        self.alerts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note(alerts);
        self.sinks.lock().alerts(alerts)
    }

    fn events(&mut self, batch: &Batch) -> io::Result<()> {
        self.sinks.lock().events(batch)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sinks.lock().flush()
    }
}
