//! The labels of each event of a batch, which has them by key.

use std::borrow::Cow;

use serde::Serializer as _;

use crate::stream::batch::Batch;

/// The labels of the events of a batch.
pub struct Labels<'a> {
    /// Keys and values of each event, in the order of the keys. Empty if no event has labels.
    events: Vec<Vec<(&'a str, &'a str)>>,
}

impl<'a> Labels<'a> {
    /// Sorts the labels of a batch by event.
    pub fn new(batch: &'a Batch) -> Labels<'a> {
        let mut columns: Vec<_> = batch.labels.columns().iter().collect();
        columns.sort_by(|one, other| one.key.cmp(&other.key));
        let count = if columns.is_empty() { 0 } else { batch.len() };
        let mut events = vec![Vec::new(); count];
        for column in columns {
            for (event, value) in column.iter() {
                if let Some(labels) = events.get_mut(event as usize) {
                    labels.push((column.key.as_str(), value));
                }
            }
        }
        Labels { events }
    }

    /// The labels of the event with this number in the batch.
    pub fn of(&self, event: usize) -> &[(&'a str, &'a str)] {
        self.events.get(event).map_or(&[], Vec::as_slice)
    }
}

/// Labels as a JSON object, each key and value as `show` shows it.
pub fn json<'a>(labels: &[(&'a str, &'a str)], show: impl Fn(&'a str) -> Cow<'a, str>) -> String {
    let mut object = Vec::new();
    let shown = labels.iter().map(|(key, value)| (show(key), show(value)));
    // Memory takes it, and keys are text.
    let _ = serde_json::Serializer::new(&mut object).collect_map(shown);
    String::from_utf8(object).unwrap_or_default()
}
