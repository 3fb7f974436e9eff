//! Labels of the events of a batch: one column for each key.

/// Maximum number of columns that a batch has when it reaches the chain. The host itself makes six. Replayed JSON lines
/// may also have labels of plugins.
pub const MAX_COLUMNS: usize = 256;

/// The values of one key, for some of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The key.
    pub key: String,
    /// Indices of events within the batch, strictly ascending.
    events: Vec<u32>,
    /// The end of each event's value in `text`, in bytes.
    ends: Vec<u32>,
    text: String,
}

/// An invalid column of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadColumn {
    /// The numbers of events and ends differ.
    #[error("label {0:?}: {1} events, but {2} ends")]
    Length(String, usize, usize),
    /// An event index that is out of order, or beyond the events of the call.
    #[error("label {0:?}: event {1} is out of order, or not one of this call's {2} events")]
    Event(String, u32, u32),
    /// An end that is before the previous one, inside a character, or, for the last one, not the end of the text.
    #[error("label {0:?}: end {1} does not fit the text of {2} bytes")]
    End(String, u32, usize),
    /// An empty key.
    #[error("a label has an empty key")]
    Key,
}

impl Column {
    /// A column of these event indices and values. The indices must be strictly ascending.
    pub fn new<'a>(key: &str, values: impl IntoIterator<Item = (u32, &'a str)>) -> Column {
        let mut column = Column {
            key: key.to_owned(),
            events: Vec::new(),
            ends: Vec::new(),
            text: String::new(),
        };
        for (event, value) in values {
            column.push(event, value);
        }
        column
    }

    /// Checks a column that a plugin returned for a call with `count` events.
    pub fn check(
        key: String,
        events: Vec<u32>,
        ends: Vec<u32>,
        text: String,
        count: u32,
    ) -> Result<Column, BadColumn> {
        if key.is_empty() {
            return Err(BadColumn::Key);
        }
        if events.len() != ends.len() {
            return Err(BadColumn::Length(key, events.len(), ends.len()));
        }
        if let Some(event) = out_of_order(&events, count) {
            return Err(BadColumn::Event(key, event, count));
        }
        let mut start = 0;
        for end in &ends {
            if *end < start || !text.is_char_boundary(*end as usize) {
                return Err(BadColumn::End(key, *end, text.len()));
            }
            start = *end;
        }
        if start as usize != text.len() {
            return Err(BadColumn::End(key, start, text.len()));
        }
        Ok(Column {
            key,
            events,
            ends,
            text,
        })
    }

    fn push(&mut self, event: u32, value: &str) {
        self.events.push(event);
        self.text.push_str(value);
        self.ends.push(self.text.len() as u32);
    }

    /// Event indices and values.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ranges = starts.zip(&self.ends);
        let values = ranges.map(|(start, end)| &self.text[start as usize..*end as usize]);
        self.events.iter().copied().zip(values)
    }

    /// Event indices, ends and text, in the form in which a plugin receives them.
    pub fn parts(&self) -> (&[u32], &[u32], &str) {
        (&self.events, &self.ends, &self.text)
    }
}

/// Returns the first index that is not above the previous one, or not below `count`.
pub fn out_of_order(events: &[u32], count: u32) -> Option<u32> {
    let mut next = 0;
    for event in events {
        if *event < next || *event >= count {
            return Some(*event);
        }
        next = *event + 1;
    }
    None
}

/// The labels of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    columns: Vec<Column>,
}

impl Labels {
    /// The columns, one for each key.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Approximate size in memory, in bytes.
    pub fn bytes(&self) -> usize {
        let bytes = |column: &Column| {
            column.key.len() + column.text.len() + size_of_val(&column.events[..]) * 2
        };
        self.columns.iter().map(bytes).sum()
    }

    /// Removes all labels.
    pub fn clear(&mut self) {
        self.columns.clear();
    }

    /// Adds a column. If an event already has a value for the key, the new value replaces it.
    pub fn annotate(&mut self, new: Column) {
        let Some(old) = self.columns.iter_mut().find(|column| column.key == new.key) else {
            self.columns.push(new);
            return;
        };
        let mut merged = Column::new(&new.key, []);
        let mut olds = old.iter().peekable();
        for (event, value) in new.iter() {
            while let Some((before, kept)) = olds.next_if(|(number, _)| *number < event) {
                merged.push(before, kept);
            }
            olds.next_if(|(number, _)| *number == event);
            merged.push(event, value);
        }
        for (event, value) in olds {
            merged.push(event, value);
        }
        *old = merged;
    }

    /// Removes the labels of the events from index `at` on, and returns them. Their indices then begin at 0.
    pub fn split_off(&mut self, at: u32) -> Labels {
        let mut rest = Labels::default();
        for column in &mut self.columns {
            let (first, second): (Vec<_>, Vec<_>) =
                column.iter().partition(|(event, _)| *event < at);
            let moved = second.iter().map(|(event, value)| (event - at, *value));
            rest.add(Column::new(&column.key, moved));
            *column = Column::new(&column.key, first);
        }
        self.columns.retain(|column| !column.events.is_empty());
        rest
    }

    /// Adds the labels of events that were appended at index `from`.
    pub fn append(&mut self, other: &Labels, from: u32) {
        for column in &other.columns {
            let moved = column.iter().map(|(event, value)| (event + from, value));
            self.annotate(Column::new(&column.key, moved));
        }
    }

    fn add(&mut self, column: Column) {
        if !column.events.is_empty() {
            self.columns.push(column);
        }
    }

    /// Replaces the index of each event by `numbers[index]`. Events without a new index lose their labels.
    pub fn renumber(&mut self, numbers: &[Option<u32>]) {
        for column in &mut self.columns {
            let kept = column.iter().filter_map(|(event, value)| {
                let number = numbers.get(event as usize).copied().flatten();
                number.map(|number| (number, value))
            });
            *column = Column::new(&column.key, kept);
        }
        self.columns.retain(|column| !column.events.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_plugin_wins_for_the_same_key() {
        let mut labels = Labels::default();
        labels.annotate(Column::new("zone", [(0, "a"), (2, "c"), (5, "f")]));
        labels.annotate(Column::new("zone", [(1, "B"), (2, "C")]));
        let expected = Column::new("zone", [(0, "a"), (1, "B"), (2, "C"), (5, "f")]);
        assert_eq!(labels.columns(), [expected]);
    }

    #[test]
    fn a_column_that_does_not_fit_is_refused() {
        let check = |events: &[u32], ends: &[u32], text: &str| {
            let (events, ends) = (events.to_vec(), ends.to_vec());
            Column::check("k".to_owned(), events, ends, text.to_owned(), 4)
        };
        assert!(check(&[0, 3], &[1, 2], "ab").is_ok());
        assert!(matches!(
            check(&[0], &[1, 2], "ab"),
            Err(BadColumn::Length(..))
        ));
        assert!(matches!(
            check(&[1, 1], &[1, 2], "ab"),
            Err(BadColumn::Event(_, 1, 4))
        ));
        assert!(matches!(
            check(&[0, 4], &[1, 2], "ab"),
            Err(BadColumn::Event(_, 4, 4))
        ));
        assert!(matches!(
            check(&[0, 1], &[2, 1], "ab"),
            Err(BadColumn::End(_, 1, 2))
        ));
        assert!(matches!(check(&[0], &[1], "ab"), Err(BadColumn::End(..))));
        assert!(matches!(check(&[0], &[9], "ab"), Err(BadColumn::End(..))));
        assert!(matches!(
            check(&[0, 1], &[1, 2], "ä"),
            Err(BadColumn::End(_, 1, 2))
        ));
    }
}
