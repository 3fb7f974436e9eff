//! A host that records the effects of a plugin.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use retrans_event::CensusRow;
use retrans_event::RECORD_SIZE;
use retrans_event::Record;

use crate::alert::Alert;
use crate::column::Column;
use crate::host::Host;
use crate::plugin::Plugin;
use crate::result::Result;
use crate::runner::Keep;
use crate::runner::Runner;
use crate::runner::census_rows;
use crate::state::Stateful;
use crate::testing::logs;
use crate::testing::outcome::KeptEvent;
use crate::testing::outcome::Outcome;

/// Rows in a part of a census, as in the host.
const CENSUS_PART: usize = 1_024;

/// Maximum length of the name of a counter, gauge or histogram in bytes, as in the host.
const MAX_METRIC_LEN: usize = 64;

/// Runs a plugin over a stream, call by call, and collects the outcome.
pub(super) struct Recorder<P> {
    runner: Runner<P>,
    outcome: Outcome,
    /// Number of events of the calls so far.
    events: u32,
    /// Number of events lost since the last call.
    lost: u64,
    /// The rows that come with the next tick.
    census: Vec<CensusRow>,
}

impl<P: Plugin> Recorder<P> {
    pub(super) fn configure(settings: &str) -> Result<Recorder<P>> {
        logs::capture();
        Ok(Recorder {
            runner: Runner::configure(settings)?,
            outcome: Outcome::default(),
            events: 0,
            lost: 0,
            census: Vec::new(),
        })
    }

    /// Loses events. The plugin is told at the next call.
    pub(super) fn lose(&mut self, events: u64) {
        self.lost += events;
    }

    /// Adds rows to the census that comes with the next tick.
    pub(super) fn take_census(&mut self, rows: &[CensusRow]) {
        self.census.extend_from_slice(rows);
    }

    pub(super) fn process(&mut self, events: &[KeptEvent]) -> Result<()> {
        let call = Call::new(self.lost, events);
        let mut records: Vec<u8> = events
            .iter()
            .flat_map(|event| event.record.as_bytes())
            .copied()
            .collect();
        let count = events.len() as u32;
        let keep = self
            .runner
            .process(&call, count, RECORD_SIZE as u32, &mut records)?;
        self.commit(call, &keep)?;
        self.events += count;
        Ok(())
    }

    pub(super) fn tick(&mut self, now: Duration) -> Result<()> {
        let (call, rows) = (Call::new(self.lost, &[]), self.rows());
        self.runner.tick(&call, rows, now).context("at a tick")?;
        self.commit(call, &Keep::None)
    }

    pub(super) fn finish(mut self, now: Duration) -> Result<Outcome> {
        let (call, rows) = (Call::new(self.lost, &[]), self.rows());
        self.runner
            .finish(&call, rows, now)
            .context("at the end of the stream")?;
        self.commit(call, &Keep::None)?;
        self.outcome.logs = logs::take();
        Ok(self.outcome)
    }

    /// The rows of the census, through the form in which the host passes them.
    fn rows(&mut self) -> Vec<CensusRow> {
        let rows = std::mem::take(&mut self.census);
        let mut parts = rows.chunks(CENSUS_PART).map(|part| {
            let bytes = part.iter().map(CensusRow::to_bytes);
            bytes.collect::<Vec<_>>().concat()
        });
        census_rows(|| parts.next().unwrap_or_default())
    }

    /// Commits the effects of a call that succeeded.
    fn commit(&mut self, call: Call, keep: &Keep) -> Result<()> {
        self.lost = 0;
        let effects = call.effects.into_inner();
        if let Some(why) = effects.refused {
            bail!("the host would refuse this: {why}");
        }
        let kept = (0..).zip(effects.events).filter(|(number, _)| match keep {
            Keep::All => true,
            Keep::None => false,
            Keep::Bits(bits) => bits[number / 8] & (1 << (number % 8)) != 0,
        });
        self.outcome.kept.extend(kept.map(|(_, event)| event));
        self.outcome
            .alerts
            .extend(effects.alerts.into_iter().map(|mut alert| {
                alert.event = alert.event.map(|event| self.events + event);
                alert
            }));
        let lines = String::from_utf8_lossy(&effects.lines);
        self.outcome.lines.extend(lines.lines().map(str::to_owned));
        for (metric, by) in effects.counts {
            *self.outcome.counts.entry(metric).or_default() += by;
        }
        self.outcome.gauges.extend(effects.gauges);
        for (metric, values) in effects.observed {
            let all = self.outcome.observed.entry(metric).or_default();
            all.extend(values);
        }
        Ok(())
    }
}

impl<P: Stateful> Recorder<P> {
    /// Replaces the plugin by a new instance with its state.
    pub(super) fn reload(&mut self, settings: &str) -> Result<()> {
        let (version, state) = self.runner.save()?;
        self.runner = Runner::configure(settings)?;
        let restored = self.runner.restore(version, &state);
        restored.context("the saved state is refused")
    }
}

/// The host of one call: losses and labels for the plugin, and the plugin's effects.
struct Call {
    lost: u64,
    labels: BTreeMap<String, Vec<(u32, String)>>,
    effects: RefCell<Effects>,
}

struct Effects {
    /// The call's events, with changes and labels.
    events: Vec<KeptEvent>,
    alerts: Vec<Alert>,
    lines: Vec<u8>,
    counts: Vec<(String, u64)>,
    gauges: Vec<(String, f64)>,
    observed: Vec<(String, Vec<f64>)>,
    /// Reason for which the host would refuse the effects.
    refused: Option<&'static str>,
}

impl Effects {
    fn refuse_if(&mut self, condition: bool, why: &'static str) {
        if condition {
            self.refused = Some(why);
        }
    }

    fn check_metric(&mut self, name: &str) {
        let odd = |char: char| char.is_whitespace() || char.is_control();
        self.refuse_if(
            name.is_empty() || name.len() > MAX_METRIC_LEN || name.contains(odd),
            "the name of a counter, gauge or histogram has from 1 to 64 bytes, and no spaces",
        );
    }
}

impl Call {
    fn new(lost: u64, events: &[KeptEvent]) -> Call {
        let mut labels: BTreeMap<String, Vec<(u32, String)>> = BTreeMap::new();
        for (number, event) in (0..).zip(events) {
            for (key, value) in &event.labels {
                let column = labels.entry(key.clone()).or_default();
                column.push((number, value.clone()));
            }
        }
        Call {
            lost,
            labels,
            effects: RefCell::new(Effects {
                events: events.to_vec(),
                alerts: Vec::new(),
                lines: Vec::new(),
                counts: Vec::new(),
                gauges: Vec::new(),
                observed: Vec::new(),
                refused: None,
            }),
        }
    }
}

impl Host for Call {
    fn lost(&self) -> u64 {
        self.lost
    }

    fn labels(&self) -> Vec<Column> {
        let columns = self.labels.iter().map(|(key, values)| {
            let mut column = Column {
                key: key.clone(),
                ..Column::default()
            };
            for (event, value) in values {
                column.events.push(*event);
                column.text.push_str(value);
                column.ends.push(column.text.len() as u32);
            }
            column
        });
        columns.collect()
    }

    fn change(&self, events: &[u32], records: &[u8]) {
        let mut effects = self.effects.borrow_mut();
        for (number, bytes) in events.iter().zip(records.chunks_exact(RECORD_SIZE)) {
            let event = &mut effects.events[*number as usize];
            if let Ok(changed) = retrans_event::Event::new(bytes) {
                let original: Record = std::mem::take(&mut event.record);
                event.record = changed.to_record();
                event.record.restore_host_fields(&original);
            }
        }
    }

    fn annotate(&self, column: &Column) {
        let mut effects = self.effects.borrow_mut();
        effects.refuse_if(column.key.is_empty(), "a label has an empty key");
        for number in &column.events {
            if let Some(value) = column.get(*number) {
                let labels = &mut effects.events[*number as usize].labels;
                labels.insert(column.key.clone(), value.to_owned());
            }
        }
    }

    fn emit(&self, alert: &Alert) {
        let mut effects = self.effects.borrow_mut();
        effects.refuse_if(alert.name.is_empty(), "an alert has no name");
        effects.alerts.push(alert.clone());
    }

    fn write(&self, lines: &[u8]) {
        self.effects.borrow_mut().lines.extend_from_slice(lines);
    }

    fn count(&self, metric: &str, by: u64) {
        let mut effects = self.effects.borrow_mut();
        effects.check_metric(metric);
        effects.counts.push((metric.to_owned(), by));
    }

    fn gauge(&self, metric: &str, value: f64) {
        let mut effects = self.effects.borrow_mut();
        effects.check_metric(metric);
        effects.gauges.push((metric.to_owned(), value));
    }

    fn observe(&self, metric: &str, values: &[f64]) {
        let mut effects = self.effects.borrow_mut();
        effects.check_metric(metric);
        effects.observed.push((metric.to_owned(), values.to_vec()));
    }
}
