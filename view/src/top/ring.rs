//! The last events, with their labels.

use std::collections::VecDeque;

use retrans_event::Event;
use retrans_event::Record;

/// Maximum number of events: 8 MB, and their labels, 12 MB at most.
pub const MAX_EVENTS: usize = 20_000;

/// Maximum length of the labels of an event, in bytes.
const MAX_LABELS: usize = 600;

/// An event that is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The event.
    pub event: Record,
    labels: Option<Box<str>>,
}

impl Kept {
    /// Its labels as `key=value` with commas, which may be any text.
    pub fn labels(&self) -> &str {
        self.labels.as_deref().unwrap_or_default()
    }
}

/// The last [`MAX_EVENTS`] events.
#[derive(Debug, Clone, Default)]
pub struct Ring(VecDeque<Kept>);

impl Ring {
    /// Adds an event. The oldest one makes room.
    pub fn add(&mut self, event: &Event, labels: &str) {
        if self.0.len() >= MAX_EVENTS {
            self.0.pop_front();
        }
        let end = labels.floor_char_boundary(MAX_LABELS);
        self.0.push_back(Kept {
            event: event.to_record(),
            labels: (end > 0).then(|| labels[..end].into()),
        });
    }

    /// The events, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Kept> {
        self.0.iter()
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there was no event yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_events_stay_and_long_labels_are_cut() {
        let mut ring = Ring::default();
        let labels = format!("x{}", "é".repeat(1_000));
        for sequence in 0..MAX_EVENTS as u64 + 10 {
            let mut event = Record::new();
            event.set_sequence(sequence);
            ring.add(&event, if sequence % 2 == 0 { "" } else { &labels });
        }
        assert_eq!(ring.len(), MAX_EVENTS);
        let kept: Vec<_> = ring.iter().take(2).collect();
        assert_eq!((kept[0].event.sequence(), kept[0].labels()), (10, ""));
        assert_eq!(kept[1].labels(), format!("x{}", "é".repeat(299)));
    }
}
