//! Commits the staged effects of a call that has succeeded.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use retrans_event::Event;

use super::active_alerts::ActiveAlerts;
use crate::plugin::Outcome;
use crate::plugin::Staged;
use crate::plugin::StagedAlert;
use crate::sink::Sink;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;

/// Maximum number of counters of one plugin. What it counts under further names is not kept.
const MAX_COUNTERS: usize = 256;

/// A plugin's own counters, by name.
#[derive(Debug, Default)]
pub(super) struct Counters {
    counts: BTreeMap<String, u64>,
    refused: u64,
}

impl Counters {
    fn add(&mut self, metric: String, by: u64) {
        if let Some(count) = self.counts.get_mut(&metric) {
            *count = count.saturating_add(by);
        } else if self.counts.len() < MAX_COUNTERS {
            self.counts.insert(metric, by);
        } else {
            self.refused += 1;
        }
    }

    /// Returns names and counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        let counters = self.counts.iter();
        counters.map(|(metric, count)| (metric.as_str(), *count))
    }

    /// Number of times that something was counted under a name for which there was no room.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}

/// What the effects of one plugin's calls change.
pub(super) struct Effects<'a, S> {
    pub(super) plugin: &'a str,
    /// Whether its lines have colours.
    pub(super) is_coloured: bool,
    pub(super) active_alerts: &'a mut ActiveAlerts,
    pub(super) counters: &'a mut Counters,
    pub(super) sink: &'a mut S,
}

impl<S: Sink> Effects<'_, S> {
    /// Commits the effects of a call with a batch: applies changes and labels to the batch, and then removes the events
    /// that are not kept. Returns the number of changed events.
    pub(super) fn commit(&mut self, batch: &mut Batch, mut outcome: Outcome) -> io::Result<u64> {
        let staged = &mut outcome.staged;
        let now = batch.now();
        let alerts = std::mem::take(&mut staged.alerts).into_iter();
        // Alerts have the addresses and times that the events had before the plugin's own changes.
        let alerts = alerts.map(|alert| {
            let about = alert.event.and_then(|event| connection(batch, event));
            let wall_time = about.map_or(now.wall_time, |(_, _, time)| time);
            let connection = about.map(|(local, peer, _)| (local, peer));
            (alert, connection, wall_time)
        });
        self.alerts(alerts)?;
        let changes = std::mem::take(&mut staged.changes);
        let changed = match changes.as_slice() {
            [] => 0,
            [(events, _)] => events.len(),
            many => {
                let events = many.iter().flat_map(|(events, _)| events);
                events.collect::<HashSet<_>>().len()
            }
        };
        for (events, records) in &changes {
            apply_changes(batch, events, records);
        }
        for column in std::mem::take(&mut staged.columns) {
            batch.labels.annotate(column);
        }
        if !outcome.keeps_all() {
            batch.retain(|event| outcome.keeps(event));
        }
        self.emit(outcome.staged)?;
        Ok(changed as u64)
    }

    /// Commits the effects of a call without events, `tick` or `finish`.
    pub(super) fn commit_timer(
        &mut self,
        mut staged: Staged,
        wall_time: Duration,
    ) -> io::Result<()> {
        let alerts = std::mem::take(&mut staged.alerts).into_iter();
        self.alerts(alerts.map(|alert| (alert, None, wall_time)))?;
        self.emit(staged)
    }

    /// Commits counters and lines.
    fn emit(&mut self, staged: Staged) -> io::Result<()> {
        for (metric, by) in staged.counts {
            self.counters.add(metric, by);
        }
        match self.is_coloured {
            true => self.sink.coloured_lines(&staged.lines),
            false => self.sink.lines(&staged.lines),
        }
    }

    /// Passes alerts to the sink, all in one call, with the connection and the time of day of each.
    pub(super) fn alerts(
        &mut self,
        alerts: impl Iterator<Item = (StagedAlert, Option<Connection>, Duration)>,
    ) -> io::Result<()> {
        let alerts = alerts.map(|(alert, connection, wall_time)| {
            self.active_alerts.note(&alert);
            Alert {
                plugin: self.plugin.to_owned(),
                name: alert.name,
                severity: alert.severity,
                state: alert.state,
                summary: alert.summary,
                labels: alert.labels,
                connection,
                wall_time,
            }
        });
        let alerts: Vec<Alert> = alerts.collect();
        if alerts.is_empty() {
            return Ok(());
        }
        self.sink.alerts(&alerts)
    }
}

/// Local and remote address of a connection.
type Connection = (SocketAddr, SocketAddr);

fn connection(batch: &Batch, event: u32) -> Option<(SocketAddr, SocketAddr, Duration)> {
    let event = Event::new(batch.record(event as usize)).ok()?;
    Some((event.local(), event.peer(), event.wall_time()))
}

/// Writes the changed records into the batch. Their numbers and sizes were checked when the plugin passed them to the
/// host. Fields that belong to the host keep their values.
fn apply_changes(batch: &mut Batch, events: &[u32], records: &[u8]) {
    let record_size = batch.record_size();
    for (event, changed) in events.iter().zip(records.chunks_exact(record_size)) {
        let record = batch.record_mut(*event as usize);
        let original = record.to_vec();
        record.copy_from_slice(changed);
        if let (Ok(new), Ok(original)) = (Event::new_mut(record), Event::new(&original)) {
            new.restore_host_fields(original);
        }
    }
}
