//! Test streams for plugins.

mod capture;
mod lines;

use std::time::Duration;

use anyhow::Context;
use retrans_event::CensusRow;
use retrans_event::Record;

use crate::plugin::Plugin;
use crate::result::Result;
use crate::run::source as run;
use crate::state::Stateful;
use crate::testing::outcome::KeptEvent;
use crate::testing::outcome::Outcome;
use crate::testing::recorder::Recorder;

/// Maximum number of events of a call, for each of the three runs of a [`Scenario`].
pub const BATCH_SIZES: [usize; 3] = [1, 7, 256];

/// A stream of events, losses and ticks, with the settings of the plugin that processes it.
///
/// The stream is run three times, each time with a new plugin, in calls of at most 1, 7 and 256 events
/// ([`BATCH_SIZES`]). The results must be the same.
///
/// A plugin [with state](Stateful) may be [reloaded](Scenario::reload) in the middle:
///
/// ```
/// use retrans_plugin_sdk::prelude::*;
/// use retrans_plugin_sdk::testing::Scenario;
/// # use retrans_plugin_sdk::testing::Synth;
/// # settings! { struct Settings { least: u64 = 1 } }
/// # struct CountAll { least: u64, seen: u64 }
/// # impl Plugin for CountAll {
/// #     type Settings = Settings;
/// #     fn new(settings: Settings) -> Result<Self> {
/// #         Ok(CountAll { least: settings.least, seen: 0 })
/// #     }
/// #     fn on_event(&mut self, _: &mut Event, _: &mut Output) -> Result<Verdict> {
/// #         self.seen += 1;
/// #         Ok(Verdict::keep_if(self.seen >= self.least))
/// #     }
/// # }
/// # impl Stateful for CountAll {
/// #     type State = u64;
/// #     fn state(&self) -> &u64 { &self.seen }
/// #     fn restore(&mut self, seen: u64) -> Result<()> { self.seen = seen; Ok(()) }
/// # }
///
/// # fn main() -> Result<()> {
/// # let (earlier, later) = (Synth::new(1).take(3), Synth::new(2).take(3));
/// let outcome = Scenario::new()
///     .setting("least", 3)
///     .events(earlier)
///     .reload()
///     .setting("least", 5)
///     .events(later)
///     .run_stateful::<CountAll>()?;
/// # assert_eq!(outcome.kept.len(), 1 + 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a scenario does nothing before it is run"]
pub struct Scenario {
    /// Settings of the first instance, and of the instance after each reload.
    settings: Vec<Settings>,
    steps: Vec<Step>,
    /// Name of the machine that the events are from.
    host: Option<String>,
}

type Settings = serde_json::Map<String, serde_json::Value>;

#[derive(Debug, Clone)]
enum Step {
    Event(Box<KeptEvent>),
    Lost(u64),
    Census(Vec<CensusRow>),
    Tick(Duration),
    Reload,
}

/// Replaces the plugin by a new instance with these settings and the old state.
type Reload<P> = fn(&mut Recorder<P>, settings: &str) -> Result<()>;

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario::new()
    }
}

impl Scenario {
    /// An empty stream, and every setting at its default.
    pub fn new() -> Scenario {
        Scenario {
            settings: vec![Settings::new()],
            steps: Vec::new(),
            host: None,
        }
    }

    /// Sets the name of the machine that the events are from, as in [`Run::current`](crate::Run::current).
    pub fn host(mut self, name: &str) -> Scenario {
        self.host = Some(name.to_owned());
        self
    }

    /// Gives a setting a value, as `--set` does. After a [`reload`](Scenario::reload), for the new instance.
    pub fn setting(mut self, key: &str, value: impl Into<serde_json::Value>) -> Scenario {
        let settings = self.settings.last_mut();
        settings.and_then(|settings| settings.insert(key.to_owned(), value.into()));
        self
    }

    /// Adds an event.
    pub fn event(self, record: Record) -> Scenario {
        self.labelled_event(record, [])
    }

    /// Adds an event with labels of earlier plugins.
    pub fn labelled_event<const N: usize>(
        mut self,
        record: Record,
        labels: [(&str, &str); N],
    ) -> Scenario {
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let labels = labels.into();
        self.steps
            .push(Step::Event(Box::new(KeptEvent { record, labels })));
        self
    }

    /// Adds events.
    pub fn events(self, records: impl IntoIterator<Item = Record>) -> Scenario {
        records.into_iter().fold(self, Scenario::event)
    }

    /// Adds a loss of this number of events.
    pub fn lost(mut self, events: u64) -> Scenario {
        self.steps.push(Step::Lost(events));
        self
    }

    /// Adds rows of a census, which the plugin gets with the next tick, or at the end.
    pub fn census(mut self, rows: impl IntoIterator<Item = CensusRow>) -> Scenario {
        self.steps.push(Step::Census(rows.into_iter().collect()));
        self
    }

    /// Adds a tick at this time since boot.
    pub fn tick(mut self, now: Duration) -> Scenario {
        self.steps.push(Step::Tick(now));
        self
    }

    /// Adds a reload: a new instance continues with the state of the one before. It has the same settings,
    /// except for those that are set after the reload. Requires [`run_stateful`](Scenario::run_stateful).
    pub fn reload(mut self) -> Scenario {
        self.settings.extend(self.settings.last().cloned());
        self.steps.push(Step::Reload);
        self
    }

    /// Runs a plugin over the stream.
    ///
    /// # Errors
    ///
    /// The errors of the plugin, and effects that the host would refuse.
    ///
    /// # Panics
    ///
    /// Where the results depend on how the stream is divided into calls.
    #[track_caller]
    pub fn run<P: Plugin>(&self) -> Result<Outcome> {
        self.run_all_sizes::<P>(None)
    }

    /// Runs a plugin with state over the stream, as [`run`](Scenario::run) does, and once more with a reload
    /// after every call. The results must be the same.
    ///
    /// # Errors
    ///
    /// As for [`run`](Scenario::run), and where the plugin refuses its own state.
    ///
    /// # Panics
    ///
    /// Where the results depend on how the stream is divided into calls, or on whether the plugin was
    /// reloaded, because its state is incomplete.
    #[track_caller]
    pub fn run_stateful<P: Stateful>(&self) -> Result<Outcome> {
        let whole = self.run_all_sizes::<P>(Some(Recorder::reload));
        let reloaded = self.run_once::<P>(BATCH_SIZES[0], Some(Recorder::reload), true);
        if let Some(difference) = difference(&whole, &reloaded) {
            panic!(
                "the plugin's state is incomplete: results without and with a reload after every call \
                 differ in {difference}"
            );
        }
        whole
    }

    #[track_caller]
    fn run_all_sizes<P: Plugin>(&self, reload: Option<Reload<P>>) -> Result<Outcome> {
        let [whole, others @ ..] =
            BATCH_SIZES.map(|size| (size, self.run_once::<P>(size, reload, false)));
        for (size, other) in others {
            if let Some(difference) = difference(&whole.1, &other) {
                panic!(
                    "the plugin's results depend on how the stream is divided into calls: calls of at \
                     most {} and of at most {size} events differ in {difference}",
                    whole.0,
                );
            }
        }
        whole.1
    }

    /// Runs a plugin over the stream, in calls of at most `size` events.
    fn run_once<P: Plugin>(
        &self,
        size: usize,
        reload: Option<Reload<P>>,
        after_every_call: bool,
    ) -> Result<Outcome> {
        let settings = self.settings.iter().cloned().map(serde_json::Value::from);
        let mut settings = settings.map(|settings| settings.to_string());
        let mut current = settings.next().unwrap_or_default();
        let host = self
            .host
            .iter()
            .map(|host| ("host".to_owned(), host.clone()));
        run::set_run(host.collect());
        // As in the host: 1 ns in `new`, and the time of the first item until the first tick.
        run::set_wall_time(Duration::from_nanos(1));
        let mut plugin = Recorder::<P>::configure(&current)?;
        let after_call = reload.filter(|_| after_every_call);
        let mut batch = Vec::new();
        let mut now = Duration::ZERO;
        // Time of day of the boot, by the last event.
        let mut boot = None;
        for step in &self.steps {
            let full = batch.len() == size;
            if full || !matches!(step, Step::Event(_)) {
                flush(&mut plugin, &mut batch)?;
            }
            if let Some(reload) = after_call
                && batch.is_empty()
            {
                reload(&mut plugin, &current)?;
            }
            match step {
                Step::Event(event) => {
                    if now.is_zero() {
                        run::set_wall_time(event.record.wall_time());
                    }
                    now = now.max(event.record.time());
                    boot = event.record.wall_time().checked_sub(event.record.time());
                    batch.push(KeptEvent::clone(event));
                }
                Step::Lost(events) => plugin.lose(*events),
                Step::Census(rows) => plugin.take_census(rows),
                Step::Tick(tick) => {
                    now = now.max(*tick);
                    run::set_wall_time(boot.unwrap_or_default().saturating_add(*tick));
                    plugin.tick(*tick)?;
                }
                Step::Reload => {
                    current = settings.next().unwrap_or_default();
                    let reload = reload.context("a scenario with a reload needs `run_stateful`")?;
                    reload(&mut plugin, &current)?;
                }
            }
        }
        flush(&mut plugin, &mut batch)?;
        if let Some(reload) = after_call {
            reload(&mut plugin, &current)?;
        }
        plugin.finish(now)
    }
}

/// Processes the collected events in one call.
fn flush<P: Plugin>(plugin: &mut Recorder<P>, batch: &mut Vec<KeptEvent>) -> Result<()> {
    if !batch.is_empty() {
        plugin.process(batch)?;
        batch.clear();
    }
    Ok(())
}

/// Describes the first difference between two runs; `None` where there is none.
fn difference(ours: &Result<Outcome>, theirs: &Result<Outcome>) -> Option<String> {
    if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
        return ours.difference(theirs);
    }
    let (ours, theirs) = (result(ours), result(theirs));
    (ours != theirs).then(|| format!("their result:\n  {ours}\n  {theirs}"))
}

fn result(outcome: &Result<Outcome>) -> String {
    match outcome {
        Ok(_) => "success".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}
