//! A stream to play to a plugin.

use std::time::Duration;

use anyhow::Context;
use retrans_event::Record;

use crate::plugin::Plugin;
use crate::result::Result;
use crate::state::Stateful;
use crate::testing::outcome::KeptEvent;
use crate::testing::outcome::Outcome;
use crate::testing::recorder::Recorder;

/// The most events of a call, in the three runs of a [`Scenario`].
pub const BATCH_SIZES: [usize; 3] = [1, 7, 256];

/// A stream of events, losses and time marks, and the settings of the plugin that gets it.
///
/// The stream is played three times, each time to a new plugin, in calls of at most 1, 7 and 256
/// events, and must come out the same.
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
    /// Of the first instance, and one after each reload.
    settings: Vec<Settings>,
    steps: Vec<Step>,
}

type Settings = serde_json::Map<String, serde_json::Value>;

#[derive(Debug, Clone)]
enum Step {
    Event(Box<KeptEvent>),
    Lost(u64),
    Tick(Duration),
    Reload,
}

/// Hands over to a new instance with these settings.
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
        }
    }

    /// Sets a setting, as `--set` does; after a [`reload`](Scenario::reload) that of the new instance.
    pub fn setting(mut self, key: &str, value: impl Into<serde_json::Value>) -> Scenario {
        let settings = self.settings.last_mut();
        settings.and_then(|settings| settings.insert(key.to_owned(), value.into()));
        self
    }

    /// Adds an event.
    pub fn event(self, record: Record) -> Scenario {
        self.labelled_event(record, [])
    }

    /// Adds an event with labels from plugins before this one.
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

    /// The host loses so many events here.
    pub fn lost(mut self, events: u64) -> Scenario {
        self.steps.push(Step::Lost(events));
        self
    }

    /// Time mark: the plugin hears that it is now so long after boot.
    pub fn tick(mut self, now: Duration) -> Scenario {
        self.steps.push(Step::Tick(now));
        self
    }

    /// The plugin is reloaded here: a new instance goes on with the state of the one before, with the
    /// same settings but for those that are set from here on. For
    /// [`run_stateful`](Scenario::run_stateful).
    pub fn reload(mut self) -> Scenario {
        self.settings.extend(self.settings.last().cloned());
        self.steps.push(Step::Reload);
        self
    }

    /// Plays the stream.
    ///
    /// # Errors
    ///
    /// The plugin's.
    ///
    /// # Panics
    ///
    /// Where what comes out depends on how the stream is cut into calls.
    #[track_caller]
    pub fn run<P: Plugin>(&self) -> Result<Outcome> {
        self.run_cut::<P>(None)
    }

    /// Plays the stream to a plugin with state: as [`run`](Scenario::run) does, and once more with a
    /// reload after every call, which must come out the same.
    ///
    /// # Errors
    ///
    /// The plugin's, also where it refuses a state.
    ///
    /// # Panics
    ///
    /// Where what comes out depends on how the stream is cut into calls, or on whether the plugin was
    /// reloaded: then something is missing in its state.
    #[track_caller]
    pub fn run_stateful<P: Stateful>(&self) -> Result<Outcome> {
        let whole = self.run_cut::<P>(Some(Recorder::reload));
        let reloaded = self.play::<P>(BATCH_SIZES[0], Some(Recorder::reload), true);
        if let Some(difference) = difference(&whole, &reloaded) {
            panic!(
                "something is missing in the plugin's state: without and with a reload after every \
                 call answers differ in {difference}"
            );
        }
        whole
    }

    #[track_caller]
    fn run_cut<P: Plugin>(&self, reload: Option<Reload<P>>) -> Result<Outcome> {
        let [whole, others @ ..] =
            BATCH_SIZES.map(|most| (most, self.play::<P>(most, reload, false)));
        for (most, other) in others {
            if let Some(difference) = difference(&whole.1, &other) {
                panic!(
                    "the plugin's answer depends on how the stream is cut: calls of at most {} \
                     and of at most {most} events differ in {difference}",
                    whole.0,
                );
            }
        }
        whole.1
    }

    /// Plays the stream in calls of at most so many events.
    fn play<P: Plugin>(
        &self,
        most: usize,
        reload: Option<Reload<P>>,
        after_every_call: bool,
    ) -> Result<Outcome> {
        let settings = self.settings.iter().cloned().map(serde_json::Value::from);
        let mut settings = settings.map(|settings| settings.to_string());
        let mut current = settings.next().unwrap_or_default();
        let mut plugin = Recorder::<P>::configure(&current)?;
        let after_call = reload.filter(|_| after_every_call);
        let mut batch = Vec::new();
        let mut now = Duration::ZERO;
        for step in &self.steps {
            let full = batch.len() == most;
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
                    now = now.max(event.record.time());
                    batch.push(KeptEvent::clone(event));
                }
                Step::Lost(events) => plugin.lose(*events),
                Step::Tick(tick) => {
                    now = now.max(*tick);
                    plugin.tick(*tick)?;
                }
                Step::Reload => {
                    current = settings.next().unwrap_or_default();
                    let reload =
                        reload.context("a scenario with a reload is for `run_stateful`")?;
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

/// Hands over what has gathered, as one call.
fn flush<P: Plugin>(plugin: &mut Recorder<P>, batch: &mut Vec<KeptEvent>) -> Result<()> {
    if !batch.is_empty() {
        plugin.process(batch)?;
        batch.clear();
    }
    Ok(())
}

/// The first difference between two runs, in words.
fn difference(ours: &Result<Outcome>, theirs: &Result<Outcome>) -> Option<String> {
    if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
        return ours.difference(theirs);
    }
    let (ours, theirs) = (how_it_ended(ours), how_it_ended(theirs));
    (ours != theirs).then(|| format!("how they end:\n  {ours}\n  {theirs}"))
}

fn how_it_ended(outcome: &Result<Outcome>) -> String {
    match outcome {
        Ok(_) => "well".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}
