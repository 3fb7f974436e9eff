//! The labels of one key: a value for some of a call's events.

use std::fmt;
use std::fmt::Write as _;

/// One label key. The value of the event `events[i]` is `text` from `ends[i - 1]` to `ends[i]`.
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

    /// The value of an event, wherever it stands.
    pub(crate) fn get(&self, event: u32) -> Option<&str> {
        self.value(self.events.binary_search(&event).ok()?)
    }

    /// The value of the event that was labelled last.
    pub(crate) fn newest(&self, event: u32) -> Option<&str> {
        let newest = self.events.len().checked_sub(1)?;
        (self.events[newest] == event).then(|| self.value(newest))?
    }

    /// The column may be the host's: what does not fit together is no value.
    fn value(&self, position: usize) -> Option<&str> {
        let start = match position.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.text.get(start..*self.ends.get(position)? as usize)
    }

    /// Events come in ascending order; setting the newest again replaces its value.
    pub(crate) fn set(&mut self, event: u32, value: impl fmt::Display) {
        self.unset(event);
        // A String takes everything: only a Display that fails by itself could, and what it has
        // written by then is the value.
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
