//! Records a stream to files or to standard output, and accounts for the events that cannot be written.

use std::io;
use std::io::Write;
use std::mem;
use std::time::Instant;

use super::Writer;
use super::destination::Destination;
use super::destination::RecordError;
use super::head::Head;
use super::head::Host;
use super::output::CaptureOutput;
use crate::config;
use crate::observer::Observer;
use crate::stats::RecordingStats;
use crate::stats::Stats;
use crate::stream::batch::Item;
use crate::stream::moment::Mark;
use crate::system::timestamp::now;

/// Records the items of a stream.
///
/// Events that cannot be written are counted as missing. The next mark that can be written reports them as
/// lost, so that a replay shows the gap at its position in the stream.
pub struct Recorder {
    destination: Destination,
    /// The machine that the events come from; `None` if it is unknown.
    host: Option<Host>,
    /// Whether files may have a census.
    has_census: bool,
    /// The file that is being written; `None` if the last file has ended and the next one could not be begun.
    writer: Option<Writer<CaptureOutput>>,
    /// When the current file was begun.
    begun: Instant,
    /// Counts of the items that were written to the current file.
    in_file: Tally,
    /// Counts of the items that are in the writer's memory only.
    pending: Tally,
    /// Counts of the items that are in no file, and that the next mark is to report as lost.
    missing: Tally,
    /// The error of the first failed write since writing last worked; `None` while writing works.
    failure: Option<io::ErrorKind>,
    summary: RecordingStats,
}

/// Counts of a part of the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    /// Events.
    events: u64,
    /// Events that the source had lost, as reported between them.
    lost: u64,
}

impl Tally {
    fn of(item: &Item) -> Tally {
        match item {
            Item::Events(batch) => Tally {
                events: batch.len() as u64,
                lost: batch.lost,
            },
            Item::Census(_) => Tally::default(),
            Item::Mark(mark) | Item::End(mark) => Tally {
                events: 0,
                lost: mark.lost,
            },
        }
    }

    /// A file that is replayed may tell of any number of losses.
    fn add(&mut self, other: Tally) {
        self.events += other.events;
        self.lost = self.lost.saturating_add(other.lost);
    }
}

impl Recorder {
    /// Begins the first file. `has_census`: the stream may have a census, which makes captures that older versions of this
    /// program do not read. `stdout` opens standard output; it is called only if `config`
    /// names it as the destination.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if the destination exists and may not be replaced, or if the head cannot be written.
    pub fn begin(
        config: &config::RecordConfig,
        host: Option<Host>,
        has_census: bool,
        stdout: impl FnOnce() -> io::Result<Box<dyn Write + Send>>,
    ) -> Result<Recorder, RecordError> {
        let (destination, writer) = Destination::begin(config, &head(&host, has_census), stdout)?;
        let summary = RecordingStats {
            file: destination.path().to_owned(),
            files: 1,
            ..RecordingStats::default()
        };
        Ok(Recorder {
            destination,
            host,
            has_census,
            writer: Some(writer),
            begun: Instant::now(),
            in_file: Tally::default(),
            pending: Tally::default(),
            missing: Tally::default(),
            failure: None,
            summary,
        })
    }

    /// The counters so far, including the file that is being written.
    pub fn summary(&self) -> RecordingStats {
        let written = self.writer.as_ref().map_or(0, Writer::written);
        RecordingStats {
            bytes: self.summary.bytes + written,
            ..self.summary.clone()
        }
    }

    /// Prepares for writing an item. After a failure it retries to write the pending items, and begins another
    /// file if rotation is due or if no file is open.
    fn recover(&mut self, at_end: bool) -> io::Result<()> {
        if self.failure.is_some()
            && let Some(writer) = &mut self.writer
        {
            writer.cut_back()?;
            if let Err(error) = self.flush() {
                // The pending items are given up in two cases. At the end of the stream, because the end frame
                // needs less room than they do. If rotation is due, because the next file may have room.
                if !at_end && !self.is_rotation_due() {
                    return Err(error);
                }
                self.discard_pending();
                self.cut_back();
            }
        }
        let must_rotate = self.failure.is_some() && self.is_rotation_due();
        if !at_end && (must_rotate || self.writer.is_none()) {
            if self.end_file().is_err() {
                // The file stays without an end frame, as one that was cut off. The failure was reported before.
                self.cut_back();
                self.close();
            }
            self.next_file()?;
        }
        Ok(())
    }

    /// Writes an item. A mark is flushed to the file at once, so that a host that is killed
    /// loses a second of the stream at most.
    fn write(&mut self, item: &Item) -> io::Result<()> {
        let Some(writer) = &mut self.writer else {
            self.count_missing(Tally::of(item));
            return Ok(());
        };
        let mark = match item {
            Item::Events(_) | Item::Census(_) => None,
            Item::Mark(mark) => Some(Item::Mark(with_missing(mark, &mut self.missing))),
            Item::End(mark) => Some(Item::End(with_missing(mark, &mut self.missing))),
        };
        let item = mark.as_ref().unwrap_or(item);
        self.pending.add(Tally::of(item));
        writer.item(item)?;
        if mark.is_some() {
            return self.flush();
        }
        if writer.is_flushed() {
            self.count_written();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.flush()?;
            self.count_written();
        }
        Ok(())
    }

    /// Counts the pending items as written.
    fn count_written(&mut self) {
        let written = mem::take(&mut self.pending);
        self.summary.events += written.events;
        self.summary.written += written.events;
        self.in_file.add(written);
    }

    /// Discards the pending items, and counts them as missing.
    fn discard_pending(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.discard_items();
        }
        let pending = mem::take(&mut self.pending);
        self.count_missing(pending);
    }

    fn count_missing(&mut self, tally: Tally) {
        self.summary.not_recorded += tally.events;
        self.missing.add(tally);
    }

    /// Handles a failed write: cuts the file back to its last whole frame, and logs the first failure.
    fn fail(&mut self, error: &io::Error) {
        self.cut_back();
        let is_first = self.failure.replace(error.kind()).is_none();
        let file = self.destination.path().display();
        match self.destination {
            // A part of a frame on standard output cannot be taken back: the recording ends, and the run with it.
            Destination::Stdout if is_first => self.summary.output_failure = Some(error.into()),
            Destination::File(_) if is_first => tracing::error!(
                "cannot record to {file}: {error}; events are not recorded until a write succeeds; writing is \
                 retried every second"
            ),
            _ => {}
        }
    }

    fn cut_back(&mut self) {
        if let Some(writer) = &mut self.writer {
            // If this fails, it is tried again before anything else is written.
            let _ = writer.cut_back();
        }
    }

    /// Logs that writing works again. To be called after a mark was written; it reported `missing` events as lost.
    fn log_recovery(&mut self, missing: u64, at_end: bool) {
        if self.failure.take().is_none() {
            return;
        }
        let file = self.destination.path().display();
        match at_end {
            false if missing == 0 => tracing::warn!("recording to {file} works again"),
            false => tracing::warn!(
                "recording to {file} works again; {missing} events are missing in it"
            ),
            true => {
                tracing::warn!("the end of {file} was written; {missing} events are missing in it")
            }
        }
    }

    /// Closes the file if it was deleted or replaced. Its contents end with this process, so its events and the
    /// pending ones are counted as missing.
    fn check_deletion(&mut self, at_end: bool) {
        if !self.writer.as_ref().is_some_and(Writer::is_deleted) {
            return;
        }
        self.writer = None;
        let in_file = mem::take(&mut self.in_file);
        self.summary.events -= in_file.events;
        let mut deleted = in_file;
        deleted.add(mem::take(&mut self.pending));
        self.count_missing(deleted);
        let next = if at_end { "" } else { "; a new file is begun" };
        tracing::error!(
            "{} was deleted or replaced while it was recorded to: its {} events are not recorded{next}",
            self.destination.path().display(),
            deleted.events
        );
    }

    /// Returns whether another file is to be begun: the current one has the configured size or age, or has reached a
    /// limit on the size of files.
    fn is_rotation_due(&self) -> bool {
        let rotate = self.destination.rotate();
        let written = self.writer.as_ref().map_or(0, Writer::written);
        let too_large = self.failure == Some(io::ErrorKind::FileTooLarge);
        rotate != config::Rotate::default() && too_large
            || rotate.bytes.is_some_and(|bytes| written >= bytes)
            || rotate.age.is_some_and(|age| self.begun.elapsed() >= age)
    }

    fn next_file(&mut self) -> io::Result<()> {
        self.end_file()?;
        self.writer = Some(
            self.destination
                .begin_next(&head(&self.host, self.has_census))?,
        );
        self.begun = Instant::now();
        self.summary.files += 1;
        Ok(())
    }

    /// Ends the file that is being written, if there is one. After an error the file stays open.
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
    /// Records an item. A failure is logged once and the item is counted as missing. Writing is
    /// tried again at each mark.
    fn item(&mut self, item: &Item) {
        if matches!(item, Item::Census(_)) && !self.has_census {
            // Not readable in a file of the first version. Such a stream has none.
            return;
        }
        let is_mark = matches!(item, Item::Mark(_) | Item::End(_));
        let is_end = matches!(item, Item::End(_));
        if is_mark {
            self.check_deletion(is_end);
        }
        if self.failure.is_some() && !is_mark {
            self.count_missing(Tally::of(item));
            return;
        }
        if let Err(error) = self.recover(is_end) {
            self.count_missing(Tally::of(item));
            self.fail(&error);
            return;
        }
        let missing = self.missing.events;
        match self.write(item) {
            Ok(()) if is_mark => self.log_recovery(missing, is_end),
            Ok(()) => {}
            Err(error) => self.fail(&error),
        }
        // No file is begun after the end of the stream: it would contain no items.
        if self.failure.is_none()
            && self.is_rotation_due()
            && !is_end
            && let Err(error) = self.next_file()
        {
            self.fail(&error);
        }
    }

    /// Returns whether writing to standard output has failed. A part of a frame cannot be taken back there, so the
    /// recording cannot continue.
    fn must_end_run(&self) -> bool {
        self.summary.output_failure.is_some()
    }

    /// Ends the last file.
    fn finish(&mut self) {
        self.check_deletion(true);
        if let Err(error) = self.end_file() {
            self.fail(&error);
            self.discard_pending();
            self.close();
        }
    }

    fn report(&self, stats: &mut Stats) {
        stats.recorded = Some(self.summary());
    }
}

/// A copy of `mark` that also reports the missing events as lost. Resets `missing`.
fn with_missing(mark: &Mark, missing: &mut Tally) -> Mark {
    let Tally { events, lost } = mem::take(missing);
    Mark {
        lost: mark.lost.saturating_add(lost).saturating_add(events),
        ..*mark
    }
}

fn head(host: &Option<Host>, has_census: bool) -> Head {
    Head {
        has_census,
        ..Head::new(host.clone(), now())
    }
}

/// Ends the file if the run failed before [`Observer::finish`]: the capture of a failed run is needed most.
impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.end_file();
    }
}

#[cfg(test)]
mod tests;
