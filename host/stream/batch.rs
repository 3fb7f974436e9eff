//! The items of the stream: batches of events, a census, and marks of time between them.

use retrans_event::Event;
use retrans_event::RECORD_SIZE;

use crate::stream::census::Census;
use crate::stream::labels::Labels;
use crate::stream::moment::Mark;
use crate::stream::moment::Moment;

/// Maximum number of events in a batch.
pub const MAX_EVENTS: usize = 256;

/// What the source sends to the chain.
#[derive(Debug)]
pub enum Item {
    /// Events, at least one.
    Events(Batch),
    /// What connections have sent in an interval. It precedes the mark with which plugins get it.
    Census(Census),
    /// A second of the stream has passed.
    Mark(Mark),
    /// The stream has ended. No item follows.
    End(Mark),
}

/// The events that the source read at once: 1 to [`MAX_EVENTS`], with their labels.
#[derive(Debug, Clone)]
pub struct Batch {
    records: Vec<u8>,
    record_size: usize,
    /// Labels of the events, from the host and from plugins.
    pub labels: Labels,
    /// Number of events that were lost since the previous item.
    pub lost: u64,
    /// Numbers of the events that have waited for their owner, in ascending order, as the source read them. They do not
    /// change when events are removed.
    pub waited: Vec<u32>,
}

impl Batch {
    /// An empty batch, for records of [`RECORD_SIZE`] bytes.
    pub fn new() -> Batch {
        Batch {
            records: Vec::with_capacity(MAX_EVENTS * RECORD_SIZE),
            record_size: RECORD_SIZE,
            labels: Labels::default(),
            lost: 0,
            waited: Vec::new(),
        }
    }

    /// Removes all events, labels and losses, so that the batch can be used again.
    pub fn clear(&mut self) {
        self.records.clear();
        self.labels.clear();
        self.lost = 0;
        self.waited.clear();
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.records.len() / self.record_size
    }

    /// Size of its memory for records, in bytes.
    pub fn capacity(&self) -> usize {
        self.records.capacity()
    }

    /// Returns whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds an event; `record` has [`RECORD_SIZE`] bytes.
    pub fn push(&mut self, record: &[u8]) {
        debug_assert_eq!(record.len(), self.record_size);
        self.records.extend_from_slice(record);
    }

    /// Adds an event without any field but its size, and returns its bytes to be filled.
    pub fn push_empty(&mut self) -> Option<&mut [u8; RECORD_SIZE]> {
        self.records.resize(self.records.len() + RECORD_SIZE, 0);
        let record = self.records.last_chunk_mut()?;
        Event::new_mut(record).ok()?.set_size(RECORD_SIZE as u32);
        Some(record)
    }

    /// Removes the last event, which must not have labels yet.
    pub fn pop(&mut self) {
        let length = self.records.len().saturating_sub(self.record_size);
        self.records.truncate(length);
    }

    /// Adds events; `records` has [`RECORD_SIZE`] bytes for each.
    pub fn extend(&mut self, records: &[u8]) {
        debug_assert_eq!(records.len() % self.record_size, 0);
        self.records.extend_from_slice(records);
    }

    /// Size of a record in bytes.
    pub fn record_size(&self) -> usize {
        self.record_size
    }

    /// The bytes of all records, in order.
    pub fn records(&self) -> &[u8] {
        &self.records
    }

    /// The bytes of one record.
    pub fn record(&self, index: usize) -> &[u8] {
        &self.records[index * self.record_size..][..self.record_size]
    }

    /// The bytes of one record, mutable.
    pub fn record_mut(&mut self, index: usize) -> &mut [u8] {
        &mut self.records[index * self.record_size..][..self.record_size]
    }

    /// The events, in order.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        let records = self.records.chunks_exact(self.record_size);
        records.filter_map(|record| Event::new(record).ok())
    }

    /// The moment of the first event.
    pub fn start(&self) -> Moment {
        moment(self.events().next())
    }

    /// The moment of the last event.
    pub fn now(&self) -> Moment {
        moment(self.events().next_back())
    }

    /// The events, in order and mutable.
    pub fn events_mut(&mut self) -> impl Iterator<Item = &mut Event> {
        let records = self.records.chunks_exact_mut(self.record_size);
        records.filter_map(|record| Event::new_mut(record).ok())
    }

    /// Removes the events from index `at` on, with their labels, and returns them.
    pub fn split_off(&mut self, at: usize) -> Batch {
        Batch {
            records: self.records.split_off(at * self.record_size),
            record_size: self.record_size,
            labels: self.labels.split_off(at as u32),
            lost: 0,
            waited: Vec::new(),
        }
    }

    /// Appends the events of another batch, with their labels and losses.
    pub fn append(&mut self, other: &Batch) {
        debug_assert_eq!(self.record_size, other.record_size);
        self.labels.append(&other.labels, self.len() as u32);
        self.records.extend_from_slice(&other.records);
        self.lost = self.lost.saturating_add(other.lost);
    }

    /// A batch of some of the events, with their labels. The indices must be strictly ascending.
    pub fn pick(&self, events: &[usize]) -> Batch {
        let mut picked = Batch {
            records: Vec::with_capacity(events.len() * self.record_size),
            record_size: self.record_size,
            labels: self.labels.clone(),
            lost: 0,
            waited: Vec::new(),
        };
        let mut numbers = vec![None; self.len()];
        for (number, event) in events.iter().enumerate() {
            picked.records.extend_from_slice(self.record(*event));
            numbers[*event] = Some(number as u32);
        }
        picked.labels.renumber(&numbers);
        picked
    }

    /// Keeps the events for whose index `keep` returns true, and renumbers their labels.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut numbers = Vec::with_capacity(self.len());
        let mut kept = 0;
        for index in 0..self.len() {
            if !keep(index) {
                numbers.push(None);
                continue;
            }
            numbers.push(Some(kept as u32));
            if kept != index {
                let from = index * self.record_size;
                let to = kept * self.record_size;
                self.records.copy_within(from..from + self.record_size, to);
            }
            kept += 1;
        }
        self.records.truncate(kept * self.record_size);
        self.labels.renumber(&numbers);
    }
}

fn moment(event: Option<&Event>) -> Moment {
    event.map_or_else(Moment::default, |event| Moment {
        time: event.time(),
        wall_time: event.wall_time(),
    })
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;
    use crate::stream::labels::Column;

    #[test]
    fn what_is_kept_stays_in_order_with_its_labels() {
        let mut batch = Batch::new();
        for sequence in 0..5 {
            let mut record = Record::new();
            record.set_sequence(sequence);
            batch.push(record.as_bytes());
        }
        let column = Column::new("zone", [(0, "a"), (1, "b"), (3, "d")]);
        batch.labels.annotate(column);

        batch.retain(|index| [1, 3, 4].contains(&index));

        let sequences: Vec<u64> = batch.events().map(Event::sequence).collect();
        assert_eq!(sequences, [1, 3, 4]);
        let labels = batch.labels.columns();
        assert_eq!(labels, [Column::new("zone", [(0, "b"), (1, "d")])]);
    }

    #[test]
    fn what_is_picked_has_its_own_labels() {
        let mut batch = Batch::new();
        for sequence in 0..4 {
            let mut record = Record::new();
            record.set_sequence(sequence);
            batch.push(record.as_bytes());
        }
        batch
            .labels
            .annotate(Column::new("zone", [(0, "a"), (3, "d")]));
        batch.lost = 5;

        let picked = batch.pick(&[1, 3]);

        let sequences: Vec<u64> = picked.events().map(Event::sequence).collect();
        assert_eq!(sequences, [1, 3]);
        assert_eq!(picked.labels.columns(), [Column::new("zone", [(1, "d")])]);
        assert_eq!((picked.lost, batch.len()), (0, 4));
    }

    #[test]
    fn parts_put_together_are_the_whole() {
        let whole = || {
            let mut batch = Batch::new();
            for sequence in 0..5 {
                let mut record = Record::new();
                record.set_sequence(sequence);
                batch.push(record.as_bytes());
            }
            let zone = Column::new("zone", [(0, "a"), (1, "b"), (3, "d")]);
            batch.labels.annotate(zone);
            batch.labels.annotate(Column::new("late", [(4, "e")]));
            batch.lost = 7;
            batch
        };
        for at in 0..=5 {
            let mut first = whole();
            let second = first.split_off(at);
            assert_eq!((first.len(), second.len()), (at, 5 - at));
            first.append(&second);
            assert_eq!(first.records(), whole().records(), "{at}");
            assert_eq!(first.labels, whole().labels, "{at}");
            assert_eq!(first.lost, 7);
        }
    }
}
