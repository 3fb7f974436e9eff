//! The capture that a run writes: what goes into it, and what is missing in it where it could not be
//! written.

use std::fmt;
use std::io;
use std::io::Write;
use std::mem;
use std::path::PathBuf;
use std::time::Instant;

use super::Writer;
use super::head::Head;
use super::head::Host;
use super::place::Place;
use super::place::RecordError;
use super::target::Target;
use crate::config;
use crate::source::observer::Observer;
use crate::stats::Stats;
use crate::stream::batch::Item;
use crate::stream::batch::Mark;
use crate::system::sanitize::word;
use crate::system::timestamp::now;

/// Records the items of a stream.
///
/// What cannot be written is counted, and the next mark that can be written carries it as lost: a replay
/// shows the gap where it was.
pub struct Recorder {
    place: Place,
    /// The machine that the events are of; `None` where it is not known.
    host: Option<Host>,
    /// `None` where a file has ended and the next one could not be begun.
    writer: Option<Writer<Target>>,
    begun: Instant,
    /// What the file has.
    in_file: Tally,
    /// What is in memory only.
    pending: Tally,
    /// What no file has, and the next mark is to carry.
    missing: Tally,
    /// Why writing fails, from the first failure until it works again.
    failure: Option<io::ErrorKind>,
    summary: Summary,
}

/// Events, and the losses that were told between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    events: u64,
    lost: u64,
}

impl Tally {
    fn of(item: &Item) -> Tally {
        match item {
            Item::Events(batch) => Tally {
                events: batch.len() as u64,
                lost: batch.lost,
            },
            Item::Mark(mark) | Item::End(mark) => Tally {
                events: 0,
                lost: mark.lost,
            },
        }
    }

    fn add(&mut self, other: Tally) {
        self.events += other.events;
        self.lost += other.lost;
    }
}

/// What was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The file; `-` is standard output.
    pub file: PathBuf,
    /// Events in all files, older ones included.
    pub events: u64,
    /// Events that are in none, because writing failed or the file was deleted.
    pub not_recorded: u64,
    /// Bytes of all files that were not deleted.
    pub bytes: u64,
    /// Files that were begun.
    pub files: u64,
    /// Why the capture on standard output has ended before the run did.
    pub output_failure: Option<OutputFailure>,
}

/// Why a capture on standard output has ended before the run did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputFailure {
    /// It is a pipe or a socket, and closed.
    #[error("its reader has gone")]
    ReaderGone,
    /// The run was ended, and the reader has not read the rest in time.
    #[error("its reader did not take the rest in time")]
    Timeout,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl From<&io::Error> for OutputFailure {
    fn from(error: &io::Error) -> OutputFailure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => OutputFailure::ReaderGone,
            io::ErrorKind::TimedOut => OutputFailure::Timeout,
            _ => OutputFailure::Failed(error.to_string()),
        }
    }
}

/// As a line of the ledger.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            file,
            events,
            not_recorded,
            bytes,
            files,
            output_failure: _,
        } = self;
        writeln!(
            f,
            "ledger: capture {} events={events} not_recorded={not_recorded} bytes={bytes} \
             files={files}",
            word(&file.to_string_lossy())
        )
    }
}

impl Recorder {
    /// Begins the first file. `stdout` is where a capture goes that is to go to standard output.
    pub fn begin(
        config: &config::RecordConfig,
        host: Option<Host>,
        stdout: impl FnOnce() -> io::Result<Box<dyn Write + Send>>,
    ) -> Result<Recorder, RecordError> {
        let (place, writer) = Place::begin(config, &head(&host), stdout)?;
        let summary = Summary {
            file: place.path().to_owned(),
            files: 1,
            ..Summary::default()
        };
        Ok(Recorder {
            place,
            host,
            writer: Some(writer),
            begun: Instant::now(),
            in_file: Tally::default(),
            pending: Tally::default(),
            missing: Tally::default(),
            failure: None,
            summary,
        })
    }

    /// What is recorded so far, with the file that is being written.
    pub fn summary(&self) -> Summary {
        let written = self.writer.as_ref().map_or(0, Writer::written);
        Summary {
            bytes: self.summary.bytes + written,
            ..self.summary.clone()
        }
    }

    /// Before an item: is there a file that it can be written to? After a failure that is tried anew.
    fn mend(&mut self, at_end: bool) -> io::Result<()> {
        if self.failure.is_some()
            && let Some(writer) = &mut self.writer
        {
            writer.cut_back()?;
            if let Err(error) = self.flush() {
                // The end needs less room than what was to come before it, and another file none of this
                // one's.
                if !at_end && !self.is_due() {
                    return Err(error);
                }
                self.give_up_pending();
                self.cut_back();
            }
        }
        let move_on = self.failure.is_some() && self.is_due();
        if !at_end && (move_on || self.writer.is_none()) {
            if self.end_file().is_err() {
                // It stays as one that was cut off: why is told already.
                self.cut_back();
                self.close();
            }
            self.next_file()?;
        }
        Ok(())
    }

    /// Puts an item into the file, and marks through to the disk: a host that is killed takes a second with
    /// it.
    fn put(&mut self, item: &Item) -> io::Result<()> {
        let Some(writer) = &mut self.writer else {
            self.miss(Tally::of(item));
            return Ok(());
        };
        let carried = match item {
            Item::Events(_) => None,
            Item::Mark(mark) => Some(Item::Mark(carry(mark, &mut self.missing))),
            Item::End(mark) => Some(Item::End(carry(mark, &mut self.missing))),
        };
        let item = carried.as_ref().unwrap_or(item);
        self.pending.add(Tally::of(item));
        writer.item(item)?;
        if carried.is_some() {
            return self.flush();
        }
        if writer.is_flushed() {
            self.settle();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.flush()?;
            self.settle();
        }
        Ok(())
    }

    /// What was in memory is in the file.
    fn settle(&mut self) {
        let written = mem::take(&mut self.pending);
        self.summary.events += written.events;
        self.in_file.add(written);
    }

    /// What was in memory will not be in the file.
    fn give_up_pending(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.forget_items();
        }
        let pending = mem::take(&mut self.pending);
        self.miss(pending);
    }

    fn miss(&mut self, what: Tally) {
        self.summary.not_recorded += what.events;
        self.missing.add(what);
    }

    /// Notes why nothing can be written. The file keeps its whole frames.
    fn fail(&mut self, error: &io::Error) {
        self.cut_back();
        let is_first = self.failure.replace(error.kind()).is_none();
        let file = self.place.path().display();
        match self.place {
            // It cannot go on, and the run that it is for ends.
            Place::Stdout if is_first => self.summary.output_failure = Some(error.into()),
            Place::File(_) if is_first => tracing::error!(
                "cannot record to {file}: {error}; events are not recorded meanwhile, and writing is \
                 tried again every second"
            ),
            _ => {}
        }
    }

    fn cut_back(&mut self) {
        if let Some(writer) = &mut self.writer {
            // Where it fails it is tried again before anything else is written.
            let _ = writer.cut_back();
        }
    }

    /// A mark was written, which carries what is missing before it.
    fn works_again(&mut self, missing: u64, at_end: bool) {
        if self.failure.take().is_none() {
            return;
        }
        let file = self.place.path().display();
        match at_end {
            false if missing == 0 => tracing::warn!("recording to {file} works again"),
            false => tracing::warn!(
                "recording to {file} works again; {missing} events are missing in it"
            ),
            true => tracing::warn!("{file} was ended; {missing} events are missing in it"),
        }
    }

    /// Was the file deleted, or replaced by another one? What it held is gone with this process.
    fn notice_deletion(&mut self, at_end: bool) {
        if !self.writer.as_ref().is_some_and(Writer::is_deleted) {
            return;
        }
        self.writer = None;
        let in_file = mem::take(&mut self.in_file);
        self.summary.events -= in_file.events;
        let mut gone = in_file;
        gone.add(mem::take(&mut self.pending));
        self.miss(gone);
        let next = if at_end { "" } else { "; a new file is begun" };
        tracing::error!(
            "{} was deleted or replaced while it was recorded: its {} events are not recorded{next}",
            self.place.path().display(),
            gone.events
        );
    }

    /// Is it time for another file? Also where this one has reached a limit on the size of files.
    fn is_due(&self) -> bool {
        let rotate = self.place.rotate();
        let written = self.writer.as_ref().map_or(0, Writer::written);
        let too_large = self.failure == Some(io::ErrorKind::FileTooLarge);
        rotate != config::Rotate::default() && too_large
            || rotate.bytes.is_some_and(|bytes| written >= bytes)
            || rotate.age.is_some_and(|age| self.begun.elapsed() >= age)
    }

    fn next_file(&mut self) -> io::Result<()> {
        self.end_file()?;
        self.writer = Some(self.place.begin_next(&head(&self.host))?);
        self.begun = Instant::now();
        self.summary.files += 1;
        Ok(())
    }

    /// Ends the file that is being written, if there is one. After an error it is still there.
    fn end_file(&mut self) -> io::Result<()> {
        self.flush()?;
        if let Some(writer) = &mut self.writer {
            writer.finish()?;
        }
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.summary.bytes += writer.written();
        }
        self.in_file = Tally::default();
    }
}

impl Observer for Recorder {
    /// Records an item. A failure is told once and counted, and writing is tried again at each mark;
    /// observing goes on.
    fn item(&mut self, item: &Item) {
        let is_mark = !matches!(item, Item::Events(_));
        let is_end = matches!(item, Item::End(_));
        if is_mark {
            self.notice_deletion(is_end);
        }
        if self.failure.is_some() && !is_mark {
            self.miss(Tally::of(item));
            return;
        }
        if let Err(error) = self.mend(is_end) {
            self.miss(Tally::of(item));
            self.fail(&error);
            return;
        }
        let missing = self.missing.events;
        match self.put(item) {
            Ok(()) if is_mark => self.works_again(missing, is_end),
            Ok(()) => {}
            Err(error) => self.fail(&error),
        }
        // Nothing comes after the end: another file would hold nothing.
        if self.failure.is_none()
            && self.is_due()
            && !is_end
            && let Err(error) = self.next_file()
        {
            self.fail(&error);
        }
    }

    /// Has it ended for good? What went to standard output cannot be taken back and written anew.
    fn is_over(&self) -> bool {
        self.summary.broken.is_some()
    }

    /// Ends the last file.
    fn finish(&mut self) {
        self.notice_deletion(true);
        if let Err(error) = self.end_file() {
            self.fail(&error);
            self.give_up_pending();
            self.close();
        }
    }

    fn report(&self, stats: &mut Stats) {
        stats.recorded = Some(self.summary());
    }
}

/// A mark that tells of what is missing before it, too.
fn carry(mark: &Mark, missing: &mut Tally) -> Mark {
    let Tally { events, lost } = mem::take(missing);
    Mark {
        lost: mark.lost + lost + events,
        ..*mark
    }
}

fn head(host: &Option<Host>) -> Head {
    Head::new(host.clone(), now())
}

/// Where the run has failed, the capture of it is wanted most.
impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.end_file();
    }
}

#[cfg(test)]
mod tests;
