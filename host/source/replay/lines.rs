//! Lines of JSON, as json-print writes them, or as people write them by hand.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::io;
use std::io::BufRead;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Record;

use super::line;
use super::line::Labels;
use super::line::Said;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::MAX_EVENTS;
use crate::stream::batch::Mark;
use crate::stream::labels::Column;
use crate::stream::labels::MAX_COLUMNS;

/// Between two marks.
const SECOND: Duration = Duration::from_secs(1);

/// After a silence that is longer than so many marks there are none of its beginning: nobody counts
/// longer than an hour. Nor are more losses in a row told one by one.
const MAX_MARKS: u64 = 3_600;

/// Events of one batch are no further apart, so that each comes in its time at `--speed 1x`.
const MAX_BATCH: Duration = Duration::from_millis(10);

/// The longest line that is believed: what has no line ends is not read into memory as a whole.
const MAX_LINE: usize = 1 << 20;

/// Bytes of labels after which a batch takes no further event: so much as one line may have.
const MAX_LABEL_BYTES: usize = MAX_LINE;

/// A line that says no event.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The line is no JSON, or a value is not what it should be.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// Nothing at all.
    #[error("it is empty")]
    Empty,
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Bytes of which some may still be on their way.
pub trait Arriving: BufRead {
    /// Would a read have to wait for more?
    fn would_wait(&self) -> bool;
}

/// Memory has all that there will be.
impl Arriving for &[u8] {
    fn would_wait(&self) -> bool {
        false
    }
}

/// Reads events from lines.
pub struct Lines<R> {
    from: R,
    /// The number of the line that is being read, from 1.
    line: u64,
    /// As much of it as has arrived.
    text: Vec<u8>,
    /// An event that was read, but belongs into a later item.
    next: Option<(Record, Labels)>,
    /// Losses that were read and not told yet: each is told by itself, as it was written.
    lost: VecDeque<u64>,
    /// Items that come before that event.
    ready: VecDeque<Item>,
    /// When the next mark is due, in the stream's time.
    next_mark: Option<Duration>,
    /// The moment of the last event.
    last: Mark,
    /// What is wrong with the line after those that were read.
    failed: Option<LineError>,
    sequence: u64,
}

/// What came of looking for the next event.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum Next {
    Event(Record, Labels),
    /// It is still on its way.
    Later,
    End,
}

/// The labels of the events of a batch, by their keys.
#[derive(Default)]
struct Gathered {
    columns: BTreeMap<String, Vec<(u32, String)>>,
    bytes: usize,
}

impl Gathered {
    /// Is there room for those of one more event, beside those of others?
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

fn bytes_of(labels: &Labels) -> usize {
    let pairs = labels.iter();
    pairs.map(|(key, value)| key.len() + value.len()).sum()
}

impl<R: Arriving> Lines<R> {
    /// From the beginning.
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

    /// The next item; `None` at the end.
    pub fn item(&mut self, empty: impl FnOnce() -> Batch) -> Result<Option<Item>, LineError> {
        if let Some(item) = self.ready.pop_front() {
            return Ok(Some(item));
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut batch = empty();
        let mut begun = Duration::ZERO;
        let mut labels = Gathered::default();
        while batch.len() < MAX_EVENTS {
            let next = match self.next.take() {
                Some((record, own)) => Next::Event(record, own),
                // What is there is not kept waiting by what is not.
                None => match self.event(batch.is_empty()) {
                    // What was before it comes first.
                    Err(error) if !batch.is_empty() => {
                        self.failed = Some(error);
                        break;
                    }
                    next => next?,
                },
            };
            let Next::Event(record, own) = next else {
                break;
            };
            // A loss is told before the events that follow it, a mark comes between events.
            let time = record.time();
            let due = self.is_mark_due(time);
            let ends = due
                || !self.lost.is_empty()
                || begun.abs_diff(time) > MAX_BATCH
                || !labels.has_room_for(&own);
            if !batch.is_empty() && ends {
                self.next = Some((record, own));
                break;
            }
            if due || self.lost.len() > 1 {
                self.marks(&record);
                self.next = Some((record, own));
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
            // What was lost after the last event.
            let lost = self.lost.pop_front();
            return Ok(lost.map(|lost| Item::Mark(Mark { lost, ..self.last })));
        }
        Ok(Some(Item::Events(batch)))
    }

    fn is_mark_due(&mut self, time: Duration) -> bool {
        let next = self.next_mark.get_or_insert(time + SECOND);
        // Events of two sockets may be out of order by 100 ms: what goes back by more is another
        // stream, such as that of the next boot.
        if time + 2 * SECOND < *next {
            *next = time + SECOND;
        }
        *next <= time
    }

    /// The marks between the last event and this one, with all losses but the one just before it.
    fn marks(&mut self, event: &Event) {
        let mut time = self.next_mark.unwrap_or(event.time() + SECOND);
        let silence = event.time().saturating_sub(time).as_secs();
        if silence >= MAX_MARKS {
            time += Duration::from_secs(silence - MAX_MARKS + 1);
        }
        let all_but_one = self.lost.len().saturating_sub(1);
        let mut lost = self.lost.drain(..all_but_one);
        while time <= event.time() {
            let before = event.time() - time;
            self.ready.push_back(Item::Mark(Mark {
                time,
                wall_time: event.wall_time().saturating_sub(before),
                lost: lost.next().unwrap_or(0),
            }));
            time += SECOND;
        }
        let more = lost.map(|lost| Item::Mark(Mark::at(event, lost)));
        self.ready.extend(more);
        self.next_mark = Some(time);
    }

    /// The next event. Losses on the way are kept, other lines passed over. Where it is still on its
    /// way, it is waited for if `wait` says so.
    fn event(&mut self, wait: bool) -> Result<Next, LineError> {
        loop {
            if !wait && self.from.would_wait() {
                return Ok(Next::Later);
            }
            if !self.read_on()? {
                continue;
            }
            if self.text.is_empty() {
                return Ok(Next::End);
            }
            let said = self.said();
            self.line += 1;
            self.text.clear();
            match said? {
                Said::Event(record, labels) => {
                    self.sequence += 1;
                    return Ok(Next::Event(record, labels));
                }
                Said::Gap(0) | Said::Other => {}
                Said::Gap(lost) => self.lose(lost),
            }
        }
    }

    /// Reads on in the line. True: it is there as a whole, or there is none any more.
    fn read_on(&mut self) -> Result<bool, LineError> {
        let bytes = self.from.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        let is_whole = end.is_some() || bytes.is_empty();
        self.text.extend_from_slice(&bytes[..taken]);
        self.from.consume(taken);
        if self.text.len() > MAX_LINE {
            return Err(self.wrong("it is longer than 1 MiB"));
        }
        Ok(is_whole)
    }

    /// What the line says.
    fn said(&self) -> Result<Said, LineError> {
        let Ok(text) = str::from_utf8(&self.text) else {
            return Err(self.wrong("it is not text, and the file is no capture"));
        };
        // Editors of some systems begin a file with a byte order mark.
        let text = match self.line {
            1 => text.trim_start_matches('\u{feff}'),
            _ => text,
        };
        match text.trim_end() {
            "" => Ok(Said::Other),
            text => line::read(text, self.sequence).map_err(|what| self.wrong(what)),
        }
    }

    fn lose(&mut self, lost: u64) {
        let is_full = self.lost.len() as u64 >= MAX_MARKS;
        match self.lost.back_mut().filter(|_| is_full) {
            Some(last) => *last = last.saturating_add(lost),
            None => self.lost.push_back(lost),
        }
    }

    fn wrong(&self, what: impl ToString) -> LineError {
        LineError::Line {
            line: self.line,
            what: what.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
