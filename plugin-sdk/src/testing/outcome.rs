//! The results of a plugin.

use std::collections::BTreeMap;
use std::fmt;

use log::Level;
use retrans_event::Record;

use crate::alert::Alert;

/// The results of a plugin for a whole stream.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Events that went on to the next plugin.
    pub kept: Vec<KeptEvent>,
    /// Alerts, each with the number of its event in the stream, from 0.
    pub alerts: Vec<Alert>,
    /// Lines for standard output, without their line feeds.
    pub lines: Vec<String>,
    /// The plugin's own counters, by name.
    pub counts: BTreeMap<String, u64>,
    /// The last value of each of the plugin's own gauges, by name.
    pub gauges: BTreeMap<String, f64>,
    /// The values of the plugin's own histograms in their order, by name.
    pub observed: BTreeMap<String, Vec<f64>>,
    /// Log lines.
    pub logs: Vec<(Level, String)>,
}

/// An event that went on to the next plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptEvent {
    /// The record, with the plugin's changes.
    pub record: Record,
    /// Labels: those of the plugin, and those that the event had before.
    pub labels: BTreeMap<String, String>,
}

impl KeptEvent {
    /// The label with this key.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }
}

/// The JSON form and the labels, for messages about differences.
impl fmt::Display for KeptEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(&self.record).map_err(|_| fmt::Error)?;
        write!(f, "{json} with labels {:?}", self.labels)
    }
}

impl Outcome {
    /// Describes the first difference to another outcome; `None` where there is none.
    pub(super) fn difference(&self, other: &Outcome) -> Option<String> {
        difference("kept event", &self.kept, &other.kept, KeptEvent::to_string)
            .or_else(|| difference("alert", &self.alerts, &other.alerts, debug))
            .or_else(|| difference("line", &self.lines, &other.lines, debug))
            .or_else(|| difference("log line", &self.logs, &other.logs, debug))
            .or_else(|| map_difference("count", &self.counts, &other.counts))
            .or_else(|| map_difference("gauge", &self.gauges, &other.gauges))
            .or_else(|| map_difference("histogram", &self.observed, &other.observed))
    }
}

fn map_difference<V: Clone + PartialEq + fmt::Debug>(
    what: &str,
    ours: &BTreeMap<String, V>,
    theirs: &BTreeMap<String, V>,
) -> Option<String> {
    let list = |map: &BTreeMap<String, V>| map.clone().into_iter().collect();
    let (ours, theirs): (Vec<_>, Vec<_>) = (list(ours), list(theirs));
    difference(what, &ours, &theirs, debug)
}

fn debug(value: &impl fmt::Debug) -> String {
    format!("{value:?}")
}

fn difference<T: PartialEq>(
    what: &str,
    ours: &[T],
    theirs: &[T],
    show: impl Fn(&T) -> String,
) -> Option<String> {
    let longest = ours.len().max(theirs.len());
    let first = (0..longest).find(|i| ours.get(*i) != theirs.get(*i))?;
    let show = |side: &[T]| side.get(first).map_or("(none)".to_owned(), &show);
    Some(format!(
        "{what} {first} (of {} and {}):\n  {}\n  {}",
        ours.len(),
        theirs.len(),
        show(ours),
        show(theirs),
    ))
}
