//! Reads lines of JSON, as json-print writes them or as written by hand, as a stream of items.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::io;
use std::io::BufRead;
use std::time::Duration;

use retrans_event::CensusRow;
use retrans_event::Record;

use super::line;
use super::line::Labels;
use super::line::ParsedLine;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::MAX_EVENTS;
use crate::stream::census::Census;
use crate::stream::labels::Column;
use crate::stream::labels::MAX_COLUMNS;
use crate::stream::moment::MARK_INTERVAL;
use crate::stream::moment::Mark;
use crate::stream::moment::Moment;

/// The most marks that are inserted for a period without events: those of its last hour, because no window of a plugin
/// is expected to be longer. Also the most losses in a row that are reported separately.
const MAX_MARKS: u64 = 3_600;

/// The longest time from the first event of a batch to any other, so that with `--speed 1x`
/// each event is sent at its time.
const MAX_BATCH_SPAN: Duration = Duration::from_millis(10);

/// The longest line in bytes. A file without line ends is thus never read into memory as a whole.
const MAX_LINE: usize = 1 << 20;

/// The most rows of a census, as of one that was made live.
const MAX_ROWS: usize = 65_536;

/// The most bytes of labels in a batch: as many as one line can have.
const MAX_LABEL_BYTES: usize = MAX_LINE;

/// Why lines cannot be read as events.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The line is not valid JSON, or a field is missing or invalid.
    #[error("line {line}: {what}")]
    Line {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// An I/O error of the file.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A buffered reader that can tell whether a read would block.
pub trait Pollable: BufRead {
    /// Returns whether a read would block, because no more data has arrived.
    fn would_block(&self) -> bool;
}

impl Pollable for &[u8] {
    fn would_block(&self) -> bool {
        false
    }
}

/// Reads lines as a stream of items.
pub struct Lines<R> {
    from: R,
    /// The number of the line that is being read, from 1.
    line: u64,
    /// The part of that line that has arrived.
    text: Vec<u8>,
    /// What was read and belongs to a later item.
    next: Option<Next>,
    /// Losses that were read and not reported yet. Each is reported by itself, as in the file.
    lost: VecDeque<u64>,
    /// Items that precede `next`.
    ready: VecDeque<Item>,
    /// The time of the stream at which the next mark is due.
    next_mark: Option<Duration>,
    /// The times of the last event.
    last: Mark,
    /// The error of the line after those that were read.
    failed: Option<LineError>,
    /// The sequence number of the next event that has none.
    sequence: u64,
}

/// The result of reading up to the next event.
enum Next {
    Event(Record, Labels),
    Census(CensusRow),
    /// The next line has not arrived as a whole.
    NotArrived,
    End,
}

/// The labels of the events of a batch.
#[derive(Default)]
struct LabelColumns {
    /// Index of the event and value, by key.
    columns: BTreeMap<String, Vec<(u32, String)>>,
    /// Bytes of all keys and values.
    bytes: usize,
}

impl LabelColumns {
    /// Returns whether there is room for the labels of one more event.
    fn has_room_for(&self, labels: &Labels) -> bool {
        let new = labels.keys().filter(|key| !self.columns.contains_key(*key));
        self.columns.len() + new.count() <= MAX_COLUMNS
            && self.bytes + bytes_of(labels) <= MAX_LABEL_BYTES
    }

    fn add(&mut self, event: u32, labels: Labels) {
        self.bytes += bytes_of(&labels);
        for (key, value) in labels {
            self.columns.entry(key).or_default().push((event, value));
        }
    }
}

fn moment(event: &Record) -> Moment {
    Moment {
        time: event.time(),
        wall_time: event.wall_time(),
    }
}

fn bytes_of(labels: &Labels) -> usize {
    let pairs = labels.iter();
    pairs.map(|(key, value)| key.len() + value.len()).sum()
}

impl<R: Pollable> Lines<R> {
    /// Reads lines from the beginning of a file. Fails if it is empty.
    pub fn new(mut from: R) -> Result<Lines<R>, LineError> {
        if from.fill_buf()?.is_empty() {
            return Err(LineError::Empty);
        }
        Ok(Lines {
            from,
            line: 1,
            text: Vec::new(),
            next: None,
            lost: VecDeque::new(),
            ready: VecDeque::new(),
            next_mark: None,
            last: Mark::default(),
            failed: None,
            sequence: 0,
        })
    }

    /// Reads the next item; `None` at the end of the file. `empty` provides an empty batch for events.
    ///
    /// Blocks for the first event of a batch only: events that have arrived are not delayed by those that have
    /// not. An error is returned after the items before it.
    pub fn item(&mut self, empty: impl FnOnce() -> Batch) -> Result<Option<Item>, LineError> {
        if let Some(item) = self.ready.pop_front() {
            return Ok(Some(item));
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut batch = empty();
        let mut begun = Duration::ZERO;
        let mut labels = LabelColumns::default();
        while batch.len() < MAX_EVENTS {
            let next = match self.next.take() {
                Some(next) => next,
                // Does not block if the batch has events.
                None => match self.next_event(batch.is_empty()) {
                    // The events before the error are returned first.
                    Err(error) if !batch.is_empty() => {
                        self.failed = Some(error);
                        break;
                    }
                    next => next?,
                },
            };
            let (record, own) = match next {
                Next::Event(record, own) => (record, own),
                Next::Census(row) if batch.is_empty() => return Ok(self.before_census(row)),
                Next::Census(_) => {
                    self.next = Some(next);
                    break;
                }
                Next::NotArrived | Next::End => break,
            };
            // The batch ends before a mark that is due and before a loss, which is reported
            // with the events that follow it.
            let time = record.time();
            let due = self.is_mark_due(time);
            let ends = due
                || !self.lost.is_empty()
                || begun.abs_diff(time) > MAX_BATCH_SPAN
                || !labels.has_room_for(&own);
            if !batch.is_empty() && ends {
                self.next = Some(Next::Event(record, own));
                break;
            }
            if due || self.lost.len() > 1 {
                self.insert_marks(moment(&record));
                self.next = Some(Next::Event(record, own));
                return Ok(self.ready.pop_front());
            }
            if batch.is_empty() {
                batch.lost = self.lost.pop_front().unwrap_or(0);
                begun = time;
            }
            labels.add(batch.len() as u32, own);
            batch.push(record.as_bytes());
            self.last = Mark::at(&record, 0);
        }
        for (key, values) in labels.columns {
            let values = values.iter().map(|(event, value)| (*event, value.as_str()));
            batch.labels.annotate(Column::new(&key, values));
        }
        if batch.is_empty() {
            // Losses after the last event.
            let lost = self.lost.pop_front();
            return Ok(lost.map(|lost| Item::Mark(Mark { lost, ..self.last })));
        }
        Ok(Some(Item::Events(batch)))
    }

    fn is_mark_due(&mut self, time: Duration) -> bool {
        let next = self.next_mark.get_or_insert(time + MARK_INTERVAL);
        // Events of two sockets may be out of order by 1 s. A larger step back begins
        // another stream, such as that of the next boot.
        if time + 2 * MARK_INTERVAL < *next {
            *next = time + MARK_INTERVAL;
        }
        *next <= time
    }

    /// Returns the next item before a census, or the census that begins with `row`: the rows that follow and have the
    /// same time are in it.
    fn before_census(&mut self, row: CensusRow) -> Option<Item> {
        let now = Moment {
            time: row.time,
            wall_time: row.wall_time,
        };
        self.next_mark.get_or_insert(now.time + MARK_INTERVAL);
        // As in a live run, a census precedes the mark of its time.
        let before = Moment {
            time: now.time.saturating_sub(Duration::from_nanos(1)),
            wall_time: now.wall_time.saturating_sub(Duration::from_nanos(1)),
        };
        if self.is_mark_due(before.time) {
            self.insert_marks(before);
            self.next = Some(Next::Census(row));
            return self.ready.pop_front();
        }
        let mut census = Census::new([row]);
        while census.len() < MAX_ROWS {
            match self.next_event(false) {
                Ok(Next::Census(next)) if next.time == row.time => census.push(&next),
                Ok(Next::NotArrived | Next::End) => break,
                Ok(next) => {
                    self.next = Some(next);
                    break;
                }
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        self.last = Mark {
            time: now.time,
            wall_time: now.wall_time,
            lost: 0,
        };
        Some(Item::Census(census))
    }

    /// Inserts the marks that are due before `now`. They report all losses except the last
    /// one, which is reported with the event that follows.
    fn insert_marks(&mut self, now: Moment) {
        let mut time = self.next_mark.unwrap_or(now.time + MARK_INTERVAL);
        let silence = now.time.saturating_sub(time).as_secs();
        if silence >= MAX_MARKS {
            time += Duration::from_secs(silence - MAX_MARKS + 1);
        }
        let all_but_one = self.lost.len().saturating_sub(1);
        let mut lost = self.lost.drain(..all_but_one);
        while time <= now.time {
            let before = now.time - time;
            self.ready.push_back(Item::Mark(Mark {
                time,
                wall_time: now.wall_time.saturating_sub(before),
                lost: lost.next().unwrap_or(0),
            }));
            time += MARK_INTERVAL;
        }
        let more = lost.map(|lost| {
            Item::Mark(Mark {
                time: now.time,
                wall_time: now.wall_time,
                lost,
            })
        });
        self.ready.extend(more);
        self.next_mark = Some(time);
    }

    /// Reads up to the next event or row of a census. Keeps the losses before it, and ignores other lines. If the line
    /// has not arrived, blocks if `wait` is true.
    fn next_event(&mut self, wait: bool) -> Result<Next, LineError> {
        loop {
            if !wait && self.from.would_block() {
                return Ok(Next::NotArrived);
            }
            if !self.read_more()? {
                continue;
            }
            if self.text.is_empty() {
                return Ok(Next::End);
            }
            let parsed = self.parse();
            self.line += 1;
            self.text.clear();
            match parsed? {
                ParsedLine::Event(record, labels) => {
                    self.sequence += 1;
                    return Ok(Next::Event(record, labels));
                }
                ParsedLine::Census(row) => return Ok(Next::Census(row)),
                ParsedLine::Gap(0) | ParsedLine::Other => {}
                ParsedLine::Gap(lost) => self.add_lost(lost),
            }
        }
    }

    /// Reads more of the line. Returns true if the line is complete, or at the end of the file.
    fn read_more(&mut self) -> Result<bool, LineError> {
        let bytes = self.from.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        let is_whole = end.is_some() || bytes.is_empty();
        self.text.extend_from_slice(&bytes[..taken]);
        self.from.consume(taken);
        if self.text.len() > MAX_LINE {
            return Err(self.error("it is longer than 1 MiB"));
        }
        Ok(is_whole)
    }

    /// Parses the line.
    fn parse(&self) -> Result<ParsedLine, LineError> {
        let Ok(text) = str::from_utf8(&self.text) else {
            return Err(self.error("it is not text, and the file is not a capture"));
        };
        // Some editors write a byte order mark at the beginning of a file.
        let text = match self.line {
            1 => text.trim_start_matches('\u{feff}'),
            _ => text,
        };
        match text.trim_end() {
            "" => Ok(ParsedLine::Other),
            text => line::parse(text, self.sequence).map_err(|what| self.error(what)),
        }
    }

    /// Keeps a loss for a later item. Beyond [`MAX_MARKS`] losses in a row, it is added to the last one.
    fn add_lost(&mut self, lost: u64) {
        let is_full = self.lost.len() as u64 >= MAX_MARKS;
        match self.lost.back_mut().filter(|_| is_full) {
            Some(last) => *last = last.saturating_add(lost),
            None => self.lost.push_back(lost),
        }
    }

    fn error(&self, what: impl ToString) -> LineError {
        LineError::Line {
            line: self.line,
            what: what.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
