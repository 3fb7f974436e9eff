//! Passes recorded events through plugins, and writes down everything that they did, item by item.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use crossbeam_channel::bounded;
use indicatif::ProgressBar;
use retrans_event::Event;
use serde_json::Value;
use serde_json::json;
use tracing::subscriber::NoSubscriber;
use tracing::subscriber::with_default;

use crate::capture;
use crate::capture::CaptureError;
use crate::chain::Chain;
use crate::plugin::Engine;
use crate::plugin::Plugin;
use crate::plugin::Spec;
use crate::plugin::THREAD_STACK;
use crate::plugin::run::EventSource;
use crate::plugin::run::Run;
use crate::sink::Sink;
use crate::sink::alert_lines;
use crate::source::replay::Input;
use crate::source::replay::InputError;
use crate::stream::alert::Alert;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::census::Census;
use crate::stream::moment::Mark;
use crate::system::threads;

/// Recorded events, and the marks between them.
#[derive(Debug)]
pub struct Recorded {
    items: Vec<Piece>,
    end: Mark,
    /// The machine that the first events are from, if it is known.
    host: Option<capture::Host>,
}

#[derive(Debug)]
enum Piece {
    Events(Batch),
    Census(Census),
    Mark(Mark),
}

/// An item as it is sent where batches have one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// An event.
    Event,
    /// A census. Plugins get it with the next mark.
    Census,
    /// A mark at this time of day.
    Mark(Duration),
    /// The end of the stream.
    End,
}

/// What the plugins did with a stream.
#[derive(Debug)]
pub struct Trial<'a> {
    recorded: &'a Recorded,
    /// The batch of each item that has events.
    given: Vec<Option<Batch>>,
    /// What happened at each item: a batch, a mark, or the end.
    steps: Vec<Step>,
}

/// Whether log lines of the plugins are shown. They are hidden where a plugin runs a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logs {
    /// On standard error.
    Shown,
    /// Nowhere.
    Hidden,
}

/// What happened at one item of the stream.
#[derive(Debug, Default)]
pub struct Step {
    /// The events that all plugins kept.
    kept: Option<Batch>,
    /// The lines that the plugins printed, without their newlines.
    pub lines: Vec<String>,
    /// The alerts that they raised and resolved, as objects.
    pub alerts: Vec<Value>,
}

/// A sink that collects the steps of a chain, and passes them on.
struct Steps {
    current: Step,
    done: mpsc::Sender<Step>,
}

impl Sink for Steps {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(lines);
        self.current.lines.extend(text.lines().map(str::to_owned));
        Ok(())
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        self.current.alerts.extend(alerts.iter().map(alert));
        Ok(())
    }

    fn events(&mut self, batch: &Batch) -> io::Result<()> {
        self.current.kept = Some(batch.clone());
        Ok(())
    }

    /// Called after each item.
    fn flush(&mut self) -> io::Result<()> {
        // The receiver lives until the chain has ended.
        let step = std::mem::take(&mut self.current);
        self.done.send(step).map_err(io::Error::other)
    }
}

impl Recorded {
    /// Reads files, up to this number of events.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or if they have no events.
    pub fn read(files: &[PathBuf], count: usize) -> Result<Recorded> {
        let mut recorded = Recorded {
            items: Vec::new(),
            end: Mark::default(),
            host: None,
        };
        let mut left = count;
        for file in files {
            let failed = |error| anyhow!("cannot read {}: {error}", file.display());
            let mut input = Input::open(file, &ProgressBar::hidden(), None).map_err(failed)?;
            recorded.host = recorded.host.or_else(|| input.host().cloned());
            while left > 0 {
                match input.item(Batch::new) {
                    Ok(Some(Item::Events(mut batch))) => {
                        batch.retain(|event| event < left);
                        left -= batch.len();
                        let last = batch.events().next_back();
                        recorded.end = last.map_or(recorded.end, |event| Mark::at(event, 0));
                        recorded.items.push(Piece::Events(batch));
                    }
                    Ok(Some(Item::Census(census))) => recorded.items.push(Piece::Census(census)),
                    // Another file may follow the end of one.
                    Ok(Some(Item::Mark(mark) | Item::End(mark))) => {
                        recorded.end = Mark { lost: 0, ..mark };
                        recorded.items.push(Piece::Mark(mark));
                    }
                    Ok(None) => break,
                    // The part before the cut is valid.
                    Err(InputError::Capture(error @ CaptureError::Cut { .. })) => {
                        tracing::warn!("{}: {error}", file.display());
                        break;
                    }
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        if recorded.batches().next().is_none() {
            let names: Vec<_> = files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            bail!(
                "{} has no events; retrans-host generate makes a capture that has some",
                names.join(", ")
            );
        }
        Ok(recorded)
    }

    /// What plugins are told of a run with these events.
    pub fn run(&self) -> Run {
        Run {
            source: EventSource::Replay,
            host: self.host.as_ref().map(|host| host.name.clone()),
            kernel: self.host.as_ref().map(|host| host.kernel.clone()),
        }
    }

    fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.items.iter().filter_map(|piece| match piece {
            Piece::Events(batch) => Some(batch),
            Piece::Mark(_) | Piece::Census(_) => None,
        })
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.batches().flat_map(Batch::events)
    }

    /// The items as they are sent, in batches of one event.
    pub fn sent(&self) -> impl Iterator<Item = Sent> {
        let items = self.items.iter().flat_map(|piece| match piece {
            Piece::Census(_) => vec![Sent::Census],
            Piece::Mark(mark) => vec![Sent::Mark(mark.wall_time)],
            Piece::Events(batch) => vec![Sent::Event; batch.len()],
        });
        items.chain([Sent::End])
    }

    /// The items as they are sent, in batches of at most `cut` events.
    pub fn items(&self, cut: usize) -> impl Iterator<Item = Item> {
        let items = self.items.iter().flat_map(move |piece| match piece {
            Piece::Census(census) => vec![Item::Census(census.clone())],
            Piece::Mark(mark) => vec![Item::Mark(*mark)],
            Piece::Events(batch) => {
                let mut rest = batch.clone();
                let mut parts = Vec::new();
                while rest.len() > cut {
                    let next = rest.split_off(cut);
                    parts.push(Item::Events(std::mem::replace(&mut rest, next)));
                }
                parts.push(Item::Events(rest));
                parts
            }
        });
        items.chain([Item::End(self.end)])
    }

    /// Passes the events through plugins, in batches of at most `cut` events.
    ///
    /// # Errors
    ///
    /// If a plugin cannot be started, or if one fails and its action for faults is to end the run.
    pub fn pass_through(
        &self,
        engine: &Engine,
        specs: &[Spec],
        cut: usize,
        logs: Logs,
    ) -> Result<Trial<'_>> {
        let (engine, specs) = (engine.clone(), specs.to_vec());
        engine.run.set(self.run());
        let (items, received) = bounded(16);
        let (done, steps) = mpsc::channel();
        let run = move || {
            let plugins = specs.iter().map(|spec| Plugin::start(&engine, spec));
            let plugins = plugins.collect::<Result<Vec<_>, _>>()?;
            let sink = Steps {
                current: Step::default(),
                done,
            };
            let (_, result) = Chain::new(plugins, sink).run(&received, &bounded(0).0, ());
            anyhow::Ok(result?)
        };
        let chain = threads::named("chain").stack_size(THREAD_STACK);
        let chain = chain.spawn(move || match logs {
            Logs::Shown => run(),
            Logs::Hidden => with_default(NoSubscriber::default(), run),
        });
        let chain = chain.context("cannot start the chain's thread")?;
        let mut given = Vec::new();
        for item in self.items(cut) {
            given.push(match &item {
                Item::Events(batch) => Some(batch.clone()),
                Item::Census(_) | Item::Mark(_) | Item::End(_) => None,
            });
            // The chain has ended: the cause follows.
            if items.send(item).is_err() {
                break;
            }
        }
        drop(items);
        let ended = chain.join();
        ended.map_err(|_| anyhow!("the chain's thread panicked"))??;
        Ok(Trial {
            recorded: self,
            given,
            steps: steps.into_iter().collect(),
        })
    }
}

/// What tells an event from all others of a stream, and what no plugin can change.
type Identity = (Duration, u64, u64);

fn identity(event: &Event) -> Identity {
    (event.time(), event.sequence(), event.cpu_sequence())
}

impl Trial<'_> {
    /// What became of each event, in order: an object with its number, counted from 1, and `kept` if that is false,
    /// `changed` with old and new values, and `labels`.
    pub fn events(&self) -> Vec<Value> {
        // Plugins remove events, and do not reorder them.
        let kept = self.steps.iter().filter_map(|step| step.kept.as_ref());
        let mut kept = kept.flat_map(labelled).peekable();
        let given = self.recorded.batches().flat_map(labelled);
        (1..)
            .zip(given)
            .map(|(number, (event, before))| {
                let after = kept.next_if(|(kept, _)| identity(kept) == identity(event));
                let mut fate = json!({ "event": number });
                add_fate(&mut fate, (event, before), after);
                fate
            })
            .collect()
    }

    /// What the last plugin did at an item, where batches have one event: an object with `kept` if it saw the event,
    /// `changed`, `labels`, `lines` and `alerts`. `before` is the trial of the plugins before it. `None`: it saw
    /// neither an event nor a mark.
    pub fn did_beyond(&self, before: Option<&Trial<'_>>, index: usize) -> Option<Value> {
        let step = self.steps.get(index)?;
        let earlier = before.and_then(|trial| trial.steps.get(index));
        let mut did = json!({});
        if let Some(given) = self.given(index) {
            let seen = match before {
                None => Some(given),
                Some(_) => earlier.and_then(|step| step.kept.as_ref()),
            };
            let seen = labelled(seen?).next()?;
            let after = step.kept.as_ref().and_then(|batch| labelled(batch).next());
            did["kept"] = json!(true);
            add_fate(&mut did, seen, after);
        }
        let (lines, alerts) = earlier.map_or((0, 0), |step| (step.lines.len(), step.alerts.len()));
        for (key, value) in [
            ("lines", json!(step.lines.get(lines..).unwrap_or_default())),
            (
                "alerts",
                json!(step.alerts.get(alerts..).unwrap_or_default()),
            ),
        ] {
            if value.as_array().is_some_and(|all| !all.is_empty()) {
                did[key] = value;
            }
        }
        Some(did)
    }

    /// The event that was sent as this item, where batches have one event.
    fn given(&self, index: usize) -> Option<&Batch> {
        self.given.get(index)?.as_ref()
    }

    /// The lines of all steps.
    pub fn lines(&self) -> impl Iterator<Item = &String> {
        self.steps.iter().flat_map(|step| &step.lines)
    }

    /// The alerts of all steps.
    pub fn alerts(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().flat_map(|step| &step.alerts)
    }

    /// The text that is compared: a line of JSON for each event, line and alert.
    pub fn text(&self) -> String {
        let lines = self.lines().map(|line| json!({ "line": line }));
        let alerts = self.alerts().map(|alert| json!({ "alert": alert }));
        let all = self.events().into_iter().chain(lines).chain(alerts);
        all.map(|value| format!("{value}\n")).collect()
    }
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

/// Adds what became of an event to an object.
fn add_fate(
    fate: &mut Value,
    (before, labels_before): (&Event, BTreeMap<&str, &str>),
    after: Option<(&Event, BTreeMap<&str, &str>)>,
) {
    let Some((after, labels)) = after else {
        fate["kept"] = json!(false);
        return;
    };
    if before.as_bytes() != after.as_bytes() {
        let mut changed = BTreeMap::new();
        let (before, after) = (json!(before), json!(after));
        differences("", &before, &after, &mut changed);
        fate["changed"] = json!(changed);
    }
    let added: BTreeMap<_, _> = labels
        .into_iter()
        .filter(|(key, value)| labels_before.get(key) != Some(value))
        .collect();
    if !added.is_empty() {
        fate["labels"] = json!(added);
    }
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
