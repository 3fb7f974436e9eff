//! The capture that a live run writes: what goes into it, and what happens when the disk is full.

use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::time::Instant;

use super::Writer;
use super::files;
use super::head::Head;
use super::head::Host;
use crate::batch::Item;
use crate::config;
use crate::timestamp::now;

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is there already.
    #[error("cannot record to {}: the file exists; --force overwrites it", .0.display())]
    Exists(PathBuf),
    /// The file cannot be made.
    #[error("cannot record to {}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Records the items of a live stream.
pub struct Recording {
    config: config::Record,
    host: Host,
    /// `None` once it has failed. Without another buffer: a frame that was written is in the file.
    writer: Option<Writer<File>>,
    begun: Instant,
    /// Events that are in memory only.
    pending: u64,
    summary: Summary,
}

/// What was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The file.
    pub file: PathBuf,
    /// Events in all files, older ones included.
    pub events: u64,
    /// Events that are in none, because writing failed.
    pub not_recorded: u64,
    /// Bytes of all files, without the rest of a frame that a full disk has cut off.
    pub bytes: u64,
    /// Files that were begun.
    pub files: u64,
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
        } = self;
        writeln!(
            f,
            "ledger: capture {} events={events} not_recorded={not_recorded} bytes={bytes} \
             files={files}",
            file.display()
        )
    }
}

impl Recording {
    /// Begins the first file.
    pub fn begin(config: &config::Record, host: Host) -> Result<Recording, RecordError> {
        let file = &config.file;
        let failed = |error: io::Error| {
            let file = file.clone();
            if error.kind() == io::ErrorKind::AlreadyExists {
                return RecordError::Exists(file);
            }
            RecordError::Io { file, error }
        };
        if files::is_special(file) {
            return Err(failed(io::Error::other("it is no regular file")));
        }
        // With --force those of an earlier run grow older with those of this one.
        if !config.force
            && config.rotate != config::Rotate::default()
            && let Some(older) = files::find_older(file, config.keep)
        {
            return Err(RecordError::Exists(older));
        }
        let writer = files::begin(file, &head(&host), config.force).map_err(failed)?;
        Ok(Recording {
            config: config.clone(),
            host,
            writer: Some(writer),
            begun: Instant::now(),
            pending: 0,
            summary: Summary {
                file: file.clone(),
                files: 1,
                ..Summary::default()
            },
        })
    }

    /// Records an item. A failure is said once and counted; observing goes on.
    pub fn item(&mut self, item: &Item) {
        let events = match item {
            Item::Events(batch) => batch.len() as u64,
            Item::Mark(_) | Item::End(_) => 0,
        };
        let Some(writer) = &mut self.writer else {
            self.summary.not_recorded += events;
            return;
        };
        self.pending += events;
        let mut written = writer.item(item);
        if written.is_ok() && !matches!(item, Item::Events(_)) {
            // Every second, so that a host that is killed takes no more than that with it.
            written = writer.flush();
        }
        if written.is_ok() && writer.is_flushed() {
            self.summary.events += mem::take(&mut self.pending);
        }
        // Nothing comes after the end: another file would hold nothing.
        if written.is_ok() && self.is_due() && !matches!(item, Item::End(_)) {
            written = self.rotate();
        }
        if let Err(error) = written {
            self.fail(&error);
        }
    }

    /// Ends the recording.
    pub fn finish(mut self) -> Summary {
        if let Err(error) = self.end_file() {
            self.fail(&error);
        }
        mem::take(&mut self.summary)
    }

    fn fail(&mut self, error: &io::Error) {
        let file = self.config.file.display();
        tracing::error!("recording to {file} has stopped: {error}; watching goes on");
        if let Some(writer) = self.writer.take() {
            self.summary.bytes += writer.written();
        }
        self.summary.not_recorded += mem::take(&mut self.pending);
    }

    fn is_due(&self) -> bool {
        let rotate = self.config.rotate;
        let written = self.writer.as_ref().map_or(0, Writer::written);
        rotate.bytes.is_some_and(|bytes| written >= bytes)
            || rotate.age.is_some_and(|age| self.begun.elapsed() >= age)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.end_file()?;
        let config::Record { file, keep, .. } = &self.config;
        files::make_room(file, *keep)?;
        self.writer = Some(files::begin(file, &head(&self.host), *keep == 0)?);
        self.begun = Instant::now();
        self.summary.files += 1;
        Ok(())
    }

    /// Ends the file that is being written, if there is one.
    fn end_file(&mut self) -> io::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.flush()?;
            self.summary.events += mem::take(&mut self.pending);
        }
        if let Some(writer) = self.writer.take() {
            let flushed = writer.written();
            let written = writer.finish();
            self.summary.bytes += written.as_ref().map_or(flushed, |bytes| *bytes);
            written?;
        }
        Ok(())
    }
}

fn head(host: &Host) -> Head {
    Head::new(Some(host.clone()), now())
}

/// Where the run has failed, the capture of it is wanted most.
impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.end_file();
    }
}
