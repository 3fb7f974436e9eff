//! The values of one label key, for some of a call's events.

use std::fmt;
use std::fmt::Write as _;

/// One label key. The value for event `events[i]` is the part of `text` from byte `ends[i - 1]` (0 for
/// the first) to byte `ends[i]`.
#[derive(Debug, Default)]
pub(crate) struct Column {
    pub(crate) key: String,
    pub(crate) events: Vec<u32>,
    pub(crate) ends: Vec<u32>,
    pub(crate) text: String,
}

impl Column {
    pub(crate) fn new(key: &str) -> Column {
        Column {
            key: key.to_owned(),
            ..Column::default()
        }
    }

    /// The value for an event, by binary search.
    pub(crate) fn get(&self, event: u32) -> Option<&str> {
        self.value(self.events.binary_search(&event).ok()?)
    }

    /// The value for an event if it is the one that was labelled last.
    pub(crate) fn newest(&self, event: u32) -> Option<&str> {
        let newest = self.events.len().checked_sub(1)?;
        (self.events[newest] == event).then(|| self.value(newest))?
    }

    /// `None` where the ends are inconsistent: the column may come from the host.
    fn value(&self, position: usize) -> Option<&str> {
        let start = match position.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.text.get(start..*self.ends.get(position)? as usize)
    }

    /// Sets the value for an event. Events must come in ascending order; a second value for the last one
    /// replaces the first.
    pub(crate) fn set(&mut self, event: u32, value: impl fmt::Display) {
        self.unset(event);
        // Writing to a String does not fail. A Display that fails by itself leaves the part that it has
        // written as the value.
        let _ = write!(self.text, "{value}");
        self.events.push(event);
        self.ends.push(self.text.len() as u32);
    }

    pub(crate) fn unset(&mut self, event: u32) {
        if self.events.last() == Some(&event) {
            self.events.pop();
            self.ends.pop();
            let end = self.ends.last().copied().unwrap_or(0);
            self.text.truncate(end as usize);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.ends.clear();
        self.text.clear();
    }
}
