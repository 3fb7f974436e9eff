//! A batch's way through the plugins: what one keeps, the next one sees.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use retrans_event::Event;

use crate::alert::Alert;
use crate::batch::Batch;
use crate::batch::Item;
use crate::batch::Mark;
use crate::ledger;
use crate::plugin::Fault;
use crate::plugin::Outcome;
use crate::plugin::Plugin;
use crate::plugin::Staged;
use crate::plugin::StagedAlert;

/// The most counters that one plugin can have; further names are not counted.
const MOST_COUNTERS: usize = 256;

/// Why the chain ended before the stream did.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// A plugin failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The results could not be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl ChainError {
    /// Has the reader of standard output gone? That is how `| head` ends, and no error.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, ChainError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// What takes the results.
pub trait Sink {
    /// Whole lines.
    fn lines(&mut self, lines: &[u8]) -> io::Result<()>;
    /// One alert.
    fn alert(&mut self, alert: &Alert) -> io::Result<()>;
    /// The end of a batch or a mark: everything is to be written through.
    fn flush(&mut self) -> io::Result<()>;
}

/// What the chain did.
#[derive(Debug, Default)]
pub struct Report {
    /// A page a plugin.
    pub plugins: Vec<ledger::Plugin>,
    /// Each plugin's own counters, by instance and name.
    pub counters: BTreeMap<(String, String), u64>,
}

impl Report {
    fn count(&mut self, plugin: &str, metric: &str, by: u64) {
        let key = (plugin.to_owned(), metric.to_owned());
        if let Some(count) = self.counters.get_mut(&key) {
            *count = count.saturating_add(by);
            return;
        }
        let from = (plugin.to_owned(), String::new());
        let counters = self.counters.range(from..);
        if counters.take_while(|((name, _), _)| name == plugin).count() < MOST_COUNTERS {
            self.counters.insert(key, by);
        }
    }
}

/// Plugins in their order, and where their results go.
pub struct Chain<S> {
    plugins: Vec<Plugin>,
    sink: S,
    report: Report,
}

impl<S: Sink> Chain<S> {
    /// A chain of plugins that are ready.
    pub fn new(plugins: Vec<Plugin>, sink: S) -> Chain<S> {
        let page = |plugin: &Plugin| ledger::Plugin {
            name: plugin.name().to_owned(),
            ..ledger::Plugin::default()
        };
        let report = Report {
            plugins: plugins.iter().map(page).collect(),
            counters: BTreeMap::new(),
        };
        Chain {
            plugins,
            sink,
            report,
        }
    }

    /// Takes items until the stream ends. After an error the rest is taken and counted as lost, so
    /// that the source never waits and the books balance.
    pub fn run(
        mut self,
        items: &Receiver<Item>,
        recycled: &Sender<Batch>,
        stop: impl Sized,
    ) -> (Report, Result<(), ChainError>) {
        let mut result = Ok(());
        let mut stop = Some(stop);
        for item in items {
            if result.is_ok() {
                result = self.take(item, recycled);
                if result.is_err() {
                    drop(stop.take());
                }
            } else if let (Item::Events(batch), Some(first)) =
                (item, self.report.plugins.first_mut())
            {
                first.events += batch.len() as u64;
                first.lost += batch.len() as u64;
            }
        }
        (self.report, result)
    }

    fn take(&mut self, item: Item, recycled: &Sender<Batch>) -> Result<(), ChainError> {
        match item {
            Item::Events(mut batch) => {
                self.process(&mut batch)?;
                batch.clear();
                // Full or gone: the batch is not needed again.
                let _ = recycled.try_send(batch);
            }
            Item::Mark(mark) => self.mark(&mark, Plugin::tick)?,
            Item::End(mark) => self.mark(&mark, Plugin::finish)?,
        }
        Ok(self.sink.flush()?)
    }

    /// Hands a batch through the plugins. It ends up with the events that all have kept.
    pub fn process(&mut self, batch: &mut Batch) -> Result<(), ChainError> {
        for plugin in &mut self.plugins {
            plugin.note_lost(batch.lost);
        }
        for index in 0..self.plugins.len() {
            if batch.is_empty() {
                break;
            }
            let given = batch.len() as u64;
            let page = &mut self.report.plugins[index];
            page.events += given;
            let outcome = match self.plugins[index].process(batch) {
                Ok(outcome) => outcome,
                Err(fault) => {
                    page.lost += given;
                    return Err(fault.into());
                }
            };
            let said = self.commit(index, batch, outcome);
            let page = &mut self.report.plugins[index];
            if let Err(error) = said {
                page.lost += given;
                return Err(error.into());
            }
            page.kept += batch.len() as u64;
            page.dropped += given - batch.len() as u64;
        }
        Ok(())
    }

    /// Applies what a plugin said to the batch, then drops what it does not keep.
    fn commit(&mut self, index: usize, batch: &mut Batch, outcome: Outcome) -> io::Result<()> {
        let wall_time = batch
            .events()
            .last()
            .map_or(Duration::ZERO, Event::wall_time);
        let connections = |event: u32| {
            let event = Event::new(batch.record(event as usize)).ok()?;
            Some((event.local(), event.peer(), event.wall_time()))
        };
        let keep_all = outcome.keeps_all();
        let kept: Vec<bool> = match keep_all {
            true => Vec::new(),
            false => (0..batch.len()).map(|event| outcome.keeps(event)).collect(),
        };
        let mut staged = outcome.staged;
        let alerts = std::mem::take(&mut staged.alerts);
        for alert in alerts {
            let about = alert.event.and_then(connections);
            let wall_time = about.map_or(wall_time, |(_, _, time)| time);
            let connection = about.map(|(local, peer, _)| (local, peer));
            let alert = named(alert, &self.plugins[index], connection, wall_time);
            self.sink.alert(&alert)?;
        }
        for (events, records) in std::mem::take(&mut staged.changes) {
            apply_changes(batch, &events, &records);
        }
        for column in std::mem::take(&mut staged.columns) {
            batch.labels.annotate(column);
        }
        if !keep_all {
            batch.retain(|event| kept[event]);
        }
        self.emit(index, &staged)
    }

    fn mark(
        &mut self,
        mark: &Mark,
        call: fn(&mut Plugin, &Mark) -> Result<Staged, Fault>,
    ) -> Result<(), ChainError> {
        for index in 0..self.plugins.len() {
            let plugin = &mut self.plugins[index];
            plugin.note_lost(mark.lost);
            let mut staged = call(plugin, mark)?;
            for alert in std::mem::take(&mut staged.alerts) {
                let alert = named(alert, &self.plugins[index], None, mark.wall_time);
                self.sink.alert(&alert)?;
            }
            self.emit(index, &staged)?;
        }
        Ok(())
    }

    fn emit(&mut self, index: usize, staged: &Staged) -> io::Result<()> {
        for (metric, by) in &staged.counts {
            self.report.count(self.plugins[index].name(), metric, *by);
        }
        self.sink.lines(&staged.lines)
    }
}

fn named(
    alert: StagedAlert,
    plugin: &Plugin,
    connection: Option<(std::net::SocketAddr, std::net::SocketAddr)>,
    wall_time: Duration,
) -> Alert {
    Alert {
        plugin: plugin.name().to_owned(),
        name: alert.name,
        severity: alert.severity,
        state: alert.state,
        summary: alert.summary,
        labels: alert.labels,
        connection,
        wall_time,
    }
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
