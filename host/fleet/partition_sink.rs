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

/// The sink of a partition's chain.
pub struct PartitionSink {
    sinks: SharedSinks,
    alerts: SharedAlerts,
}

impl PartitionSink {
    /// A sink that passes everything on to `sinks`, and takes note of alerts in `alerts`.
    pub fn new(sinks: SharedSinks, alerts: SharedAlerts) -> PartitionSink {
        PartitionSink { sinks, alerts }
    }
}

impl Sink for PartitionSink {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.sinks.lock().lines(lines)
    }

    fn coloured_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.sinks.lock().coloured_lines(lines)
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
