//! A stream to play to a plugin.

use std::time::Duration;

use retrans_event::Record;

use crate::plugin::Plugin;
use crate::plugin::Result;
use crate::testing::outcome::Kept;
use crate::testing::outcome::Outcome;
use crate::testing::recorder::Recorder;

/// The most events of a call, in the three runs of a [`Scenario`].
pub const CUTS: [usize; 3] = [1, 7, 256];

/// A stream of events, losses and time marks, and the settings of the plugin that gets it.
///
/// The stream is played three times, each time to a new plugin, in calls of at most 1, 7 and 256
/// events, and must come out the same.
#[derive(Debug, Clone, Default)]
#[must_use = "a scenario does nothing before it is run"]
pub struct Scenario {
    settings: serde_json::Map<String, serde_json::Value>,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    Event(Box<Kept>),
    Lost(u64),
    Tick(Duration),
}

impl Scenario {
    /// An empty stream, and every setting at its default.
    pub fn new() -> Scenario {
        Scenario::default()
    }

    /// Sets a setting, as `--set` does.
    pub fn setting(mut self, key: &str, value: impl Into<serde_json::Value>) -> Scenario {
        self.settings.insert(key.to_owned(), value.into());
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
            .push(Step::Event(Box::new(Kept { record, labels })));
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
        let [whole, others @ ..] = CUTS.map(|most| (most, self.play::<P>(most)));
        for (most, other) in others {
            let difference = match (&whole.1, &other) {
                (Ok(outcome), Ok(other)) => outcome.difference(other),
                (outcome, other) => {
                    let (ours, theirs) = (how_it_ended(outcome), how_it_ended(other));
                    (ours != theirs).then(|| format!("how they end:\n  {ours}\n  {theirs}"))
                }
            };
            if let Some(difference) = difference {
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
    fn play<P: Plugin>(&self, most: usize) -> Result<Outcome> {
        let settings = serde_json::Value::from(self.settings.clone());
        let mut plugin = Recorder::<P>::configure(&settings.to_string())?;
        let mut batch = Vec::new();
        let mut now = Duration::ZERO;
        for step in &self.steps {
            let full = batch.len() == most;
            if full || !matches!(step, Step::Event(_)) {
                flush(&mut plugin, &mut batch)?;
            }
            match step {
                Step::Event(event) => {
                    now = now.max(event.record.time());
                    batch.push(Kept::clone(event));
                }
                Step::Lost(events) => plugin.lose(*events),
                Step::Tick(tick) => {
                    now = now.max(*tick);
                    plugin.tick(*tick)?;
                }
            }
        }
        flush(&mut plugin, &mut batch)?;
        plugin.finish(now)
    }
}

/// Hands over what has gathered, as one call.
fn flush<P: Plugin>(plugin: &mut Recorder<P>, batch: &mut Vec<Kept>) -> Result<()> {
    if !batch.is_empty() {
        plugin.process(batch)?;
        batch.clear();
    }
    Ok(())
}

fn how_it_ended(outcome: &Result<Outcome>) -> String {
    match outcome {
        Ok(_) => "well".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}
