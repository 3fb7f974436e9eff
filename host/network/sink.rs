//! Hands the results of the chain to the network's thread. It never waits: what finds no room is dropped and counted.

use std::io;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use retrans_deliver::Counted;
use retrans_deliver::EventRecord;

use super::metrics;
use super::receivers::Deliveries;
use crate::sink::FINISH_TIMEOUT;
use crate::sink::Sink;
use crate::stats::Stats;
use crate::stats::counters::SinkStats;
use crate::stream::alert::Alert;
use crate::stream::alert::Severity;
use crate::stream::alert::State;
use crate::stream::batch::Batch;

/// The sink of all receivers.
pub struct NetworkSink {
    deliveries: Arc<Deliveries>,
    /// Since when the run counts, as a time since 1970.
    begun: Duration,
    /// When the last set of metrics was sent.
    sent: Option<Instant>,
    /// The last statistics, if they were not sent.
    unsent: Option<Stats>,
}

impl NetworkSink {
    /// The sink of these receivers, which may change, of a run that begins now.
    pub fn new(deliveries: Arc<Deliveries>) -> NetworkSink {
        NetworkSink {
            deliveries,
            begun: now(),
            sent: None,
            unsent: None,
        }
    }

    fn send_metrics(&self, stats: &Stats) {
        let metrics = metrics::of(stats, self.begun, now());
        self.deliveries.outlets.send_metrics(metrics);
    }
}

fn now() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}

impl Sink for NetworkSink {
    fn lines(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        let alerts: Vec<_> = alerts.iter().map(delivered).collect();
        self.deliveries.outlets.send(&alerts);
        Ok(())
    }

    fn events(&mut self, batch: &Batch) -> io::Result<()> {
        if !self.deliveries.outlets.take_events() {
            return Ok(());
        }
        let mut labels = vec![Vec::new(); batch.len()];
        for column in batch.labels.columns() {
            for (event, value) in column.iter() {
                labels[event as usize].push((column.key.as_str(), value));
            }
        }
        let records = labels
            .iter()
            .enumerate()
            .map(|(event, labels)| EventRecord {
                record: batch.record(event),
                labels,
            });
        self.deliveries
            .outlets
            .send_events(&records.collect::<Vec<_>>());
        Ok(())
    }

    fn stats(&mut self, stats: &Stats) {
        if !self.deliveries.outlets.take_metrics() {
            return;
        }
        let interval = self.deliveries.interval();
        if self.sent.is_some_and(|sent| sent.elapsed() < interval) {
            self.unsent = Some(stats.clone());
            return;
        }
        self.send_metrics(stats);
        self.sent = Some(Instant::now());
        self.unsent = None;
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn counted(&self) -> Vec<SinkStats> {
        self.deliveries
            .outlets
            .counted()
            .into_iter()
            .map(counted)
            .collect()
    }

    fn finish(&mut self) -> Vec<SinkStats> {
        if let Some(stats) = self.unsent.take() {
            self.send_metrics(&stats);
        }
        let counters = self.deliveries.outlets.finish(FINISH_TIMEOUT);
        counters.into_iter().map(counted).collect()
    }
}

/// The counters of a receiver, whose name becomes one word: `alertmanager/am-1:9093`.
fn counted(counted: Counted) -> SinkStats {
    SinkStats {
        name: counted.name.replace(' ', "/"),
        received: counted.received,
        sent: counted.sent,
        queued: counted.queued,
        dropped: counted.dropped,
        failed: counted.failed,
    }
}

fn delivered(alert: &Alert) -> retrans_deliver::Alert {
    retrans_deliver::Alert {
        plugin: alert.plugin.clone(),
        name: alert.name.clone(),
        severity: match alert.severity {
            Severity::Info => retrans_deliver::Severity::Info,
            Severity::Warning => retrans_deliver::Severity::Warning,
            Severity::Critical => retrans_deliver::Severity::Critical,
        },
        state: match alert.state {
            State::Firing => retrans_deliver::State::Firing,
            State::Resolved => retrans_deliver::State::Resolved,
        },
        summary: alert.summary.clone(),
        labels: alert.labels.clone(),
        connection: alert.connection,
        wall_time: alert.wall_time,
    }
}
