//! Passes recorded events through plugins, and writes down everything that they did.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use indicatif::ProgressBar;
use retrans_event::Event;
use serde_json::Value;
use serde_json::json;

use crate::capture::CaptureError;
use crate::chain::Chain;
use crate::plugin::Engine;
use crate::plugin::Plugin;
use crate::plugin::Spec;
use crate::plugin::THREAD_STACK;
use crate::sink::Sink;
use crate::sink::alert_lines;
use crate::source::replay::Input;
use crate::source::replay::InputError;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::Mark;
use crate::system::threads;

/// What the plugins did with the events of a stream.
#[derive(Debug, Default, PartialEq)]
pub struct Transcript {
    /// For each event, in order, what became of it: an object with its number, counted from 1, and `kept` if that is
    /// false, `changed` with old and new values, and `labels`.
    pub events: Vec<Value>,
    /// The lines that the plugins printed, without their newlines.
    pub lines: Vec<String>,
    /// The alerts that they raised and resolved, as objects.
    pub alerts: Vec<Value>,
}

/// Something that the chain did.
enum Effect {
    Kept(Batch),
    Lines(Vec<u8>),
    Alerts(Vec<Alert>),
}

/// A sink that passes everything on.
struct Effects(mpsc::Sender<Effect>);

impl Effects {
    /// The receiver lives until the chain has ended.
    fn send(&self, effect: Effect) -> io::Result<()> {
        self.0.send(effect).map_err(io::Error::other)
    }
}

impl Sink for Effects {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.send(Effect::Lines(lines.to_owned()))
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        self.send(Effect::Alerts(alerts.to_owned()))
    }

    fn events(&mut self, batch: &Batch) -> io::Result<()> {
        self.send(Effect::Kept(batch.clone()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs plugins over the events of these files, in batches of at most `cut` events.
///
/// # Errors
///
/// If a file cannot be read or has no events, if a plugin cannot be started, or if one fails and its action for faults
/// is to end the run.
pub fn run(engine: &Engine, specs: &[Spec], files: &[PathBuf], cut: usize) -> Result<Transcript> {
    let (engine, specs) = (engine.clone(), specs.to_vec());
    let (items, received) = bounded(16);
    let (effects, done) = mpsc::channel();
    let chain = threads::named("chain")
        .stack_size(THREAD_STACK)
        .spawn(move || {
            let plugins = specs.iter().map(|spec| Plugin::start(&engine, spec));
            let plugins = plugins.collect::<Result<Vec<_>, _>>()?;
            let (_, result) =
                Chain::new(plugins, Effects(effects)).run(&received, &bounded(0).0, ());
            anyhow::Ok(result?)
        });
    let chain = chain.context("cannot start the chain's thread")?;
    let given = send(files, cut, &items);
    drop(items);
    let ended = chain
        .join()
        .map_err(|_| anyhow!("the chain's thread panicked"))?;
    // A plugin's error is the cause where both have one: sending fails once the chain has ended.
    ended?;
    let given = given?;
    if given.is_empty() {
        let names: Vec<_> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        bail!(
            "{} has no events; retrans-host generate makes a capture that has some",
            names.join(", ")
        );
    }
    Ok(Transcript::of(&given, done))
}

/// Sends the items of the files, and returns the events.
fn send(files: &[PathBuf], cut: usize, items: &Sender<Item>) -> Result<Vec<Batch>> {
    let mut given = Vec::new();
    let mut last = Mark::default();
    for file in files {
        let failed = |error| anyhow!("cannot read {}: {error}", file.display());
        let mut input = open(file).map_err(failed)?;
        loop {
            let item = match input.item(Batch::new) {
                Ok(Some(item)) => item,
                Ok(None) => break,
                // The part before the cut is valid.
                Err(InputError::Capture(error @ CaptureError::Cut { .. })) => {
                    tracing::warn!("{}: {error}", file.display());
                    break;
                }
                Err(error) => return Err(failed(error)),
            };
            match item {
                Item::Events(mut batch) => {
                    given.push(batch.clone());
                    last = batch
                        .events()
                        .next_back()
                        .map_or(last, |event| Mark::at(event, 0));
                    while batch.len() > cut {
                        let rest = batch.split_off(cut);
                        items.send(Item::Events(batch))?;
                        batch = rest;
                    }
                    items.send(Item::Events(batch))?;
                }
                // Another file may follow.
                Item::Mark(mark) | Item::End(mark) => {
                    last = mark;
                    items.send(Item::Mark(mark))?;
                }
            }
        }
    }
    items.send(Item::End(Mark { lost: 0, ..last }))?;
    Ok(given)
}

fn open(file: &Path) -> Result<Input<'static>, InputError> {
    Input::open(file, &ProgressBar::hidden(), None)
}

/// What tells an event from all others of a stream, and what no plugin can change.
type Identity = (Duration, u64, u64);

fn identity(event: &Event) -> Identity {
    (event.time(), event.sequence(), event.cpu_sequence())
}

impl Transcript {
    fn of(given: &[Batch], effects: mpsc::Receiver<Effect>) -> Transcript {
        let mut transcript = Transcript::default();
        let mut kept = Vec::new();
        for effect in effects {
            match effect {
                Effect::Kept(batch) => kept.push(batch),
                Effect::Lines(lines) => {
                    let text = String::from_utf8_lossy(&lines);
                    transcript.lines.extend(text.lines().map(str::to_owned));
                }
                Effect::Alerts(alerts) => {
                    transcript.alerts.extend(alerts.iter().map(alert));
                }
            }
        }
        // Plugins remove events, and do not reorder them.
        let mut kept = kept.iter().flat_map(Self::labelled).peekable();
        for (number, (event, before)) in (1..).zip(given.iter().flat_map(Self::labelled)) {
            let after = kept.next_if(|(kept, _)| identity(kept) == identity(event));
            transcript.events.push(fate(number, (event, before), after));
        }
        transcript
    }

    /// The events of a batch, each with its labels.
    fn labelled(batch: &Batch) -> impl Iterator<Item = (&Event, BTreeMap<&str, &str>)> {
        let mut labels: Vec<BTreeMap<&str, &str>> = vec![BTreeMap::new(); batch.len()];
        for column in batch.labels.columns() {
            for (event, value) in column.iter() {
                if let Some(labels) = labels.get_mut(event as usize) {
                    labels.insert(&column.key, value);
                }
            }
        }
        batch.events().zip(labels)
    }

    /// The text that is compared: a line of JSON for each event, line and alert.
    pub fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| json!({ "line": line }));
        let alerts = self.alerts.iter().map(|alert| json!({ "alert": alert }));
        let all = self.events.iter().cloned().chain(lines).chain(alerts);
        all.map(|value| format!("{value}\n")).collect()
    }
}

/// What became of an event, as an object.
fn fate(
    number: u64,
    (before, labels_before): (&Event, BTreeMap<&str, &str>),
    after: Option<(&Event, BTreeMap<&str, &str>)>,
) -> Value {
    let mut fate = json!({ "event": number });
    let Some((after, labels)) = after else {
        fate["kept"] = json!(false);
        return fate;
    };
    if before.as_bytes() != after.as_bytes() {
        let mut changed = BTreeMap::new();
        let (before, after) = (json!(before), json!(after));
        differences("", &before, &after, &mut changed);
        fate["changed"] = json!(changed);
    }
    if labels != labels_before {
        fate["labels"] = json!(labels);
    }
    fate
}

/// Collects the paths at which two JSON values differ, with both values.
fn differences(
    path: &str,
    before: &Value,
    after: &Value,
    found: &mut BTreeMap<String, [Value; 2]>,
) {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        if before != after {
            found.insert(path.to_owned(), [before.clone(), after.clone()]);
        }
        return;
    };
    let keys = old
        .keys()
        .chain(new.keys().filter(|key| !old.contains_key(*key)));
    for key in keys {
        let path = match path.is_empty() {
            true => key.clone(),
            false => format!("{path}.{key}"),
        };
        differences(&path, &before[key], &after[key], found);
    }
}

fn alert(alert: &Alert) -> Value {
    let mut line = Vec::new();
    // Writing to memory cannot fail, and what was written is JSON.
    let _ = alert_lines::write_json(alert, &mut line);
    serde_json::from_slice(&line).unwrap_or_default()
}
