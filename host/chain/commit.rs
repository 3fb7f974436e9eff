//! What a plugin said in a call that returned well takes effect.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use retrans_event::Event;

use super::Sink;
use super::firing::Firing;
use crate::alert::Alert;
use crate::batch::Batch;
use crate::plugin::Outcome;
use crate::plugin::StagedAlert;

/// Where what one plugin says goes.
pub(super) struct Effects<'a, S> {
    pub(super) plugin: &'a str,
    pub(super) firing: &'a mut Firing,
    pub(super) sink: &'a mut S,
}

impl<S: Sink> Effects<'_, S> {
    /// Applies changes and labels to the batch, then drops what is not kept. Lines and counts are
    /// still to be taken from the outcome. How many events were changed.
    pub(super) fn commit(&mut self, batch: &mut Batch, outcome: &mut Outcome) -> io::Result<u64> {
        let last = batch.events().last();
        let wall_time = last.map_or(Duration::ZERO, Event::wall_time);
        let staged = &mut outcome.staged;
        for alert in std::mem::take(&mut staged.alerts) {
            let about = alert.event.and_then(|event| connection(batch, event));
            let wall_time = about.map_or(wall_time, |(_, _, time)| time);
            let connection = about.map(|(local, peer, _)| (local, peer));
            self.alert(alert, connection, wall_time)?;
        }
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
        Ok(changed as u64)
    }

    /// Passes an alert on.
    pub(super) fn alert(
        &mut self,
        alert: StagedAlert,
        connection: Option<(SocketAddr, SocketAddr)>,
        wall_time: Duration,
    ) -> io::Result<()> {
        self.firing.note(&alert);
        self.sink.alert(&Alert {
            plugin: self.plugin.to_owned(),
            name: alert.name,
            severity: alert.severity,
            state: alert.state,
            summary: alert.summary,
            labels: alert.labels,
            connection,
            wall_time,
        })
    }
}

fn connection(batch: &Batch, event: u32) -> Option<(SocketAddr, SocketAddr, Duration)> {
    let event = Event::new(batch.record(event as usize)).ok()?;
    Some((event.local(), event.peer(), event.wall_time()))
}

/// Numbers and sizes were checked when the plugin said them. What belongs to the host stays.
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
