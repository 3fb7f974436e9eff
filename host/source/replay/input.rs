//! Opens and reads what is replayed: a capture, lines of JSON, or the stream of a fleet.

use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;
use std::task::Poll;
use std::time::Duration;

use indicatif::ProgressBar;

use super::lines::LineError;
use super::lines::Lines;
use super::lines::Pollable;
use super::readable::Readable;
use super::readable::is_stop;
use super::readable::stopped;
use crate::capture::CaptureError;
use crate::capture::Host;
use crate::capture::MAGIC;
use crate::capture::Reader;
use crate::config::Observe;
use crate::config::Recorded;
use crate::pipeline::stop::Stop;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;

/// Why a file cannot be replayed, or cannot be replayed to its end.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A line is invalid.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The broker of a fleet cannot be used.
    #[error("{0:#}")]
    Fleet(anyhow::Error),
    /// An I/O error of the file.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl InputError {
    /// Returns whether reading was only interrupted because the run is to end.
    pub fn is_stop(&self) -> bool {
        match self {
            InputError::Io(error)
            | InputError::Capture(CaptureError::Io(error))
            | InputError::Line(LineError::Io(error)) => is_stop(error),
            _ => false,
        }
    }
}

/// Advances a progress bar by the bytes that are read.
pub struct Progress<'a> {
    from: Readable<'a>,
    bar: ProgressBar,
}

impl Read for Progress<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

/// The buffered bytes of a file. Captures are read frame by frame, lines in small pieces.
type Bytes<'a> = BufReader<Progress<'a>>;

impl Pollable for Bytes<'_> {
    fn would_block(&self) -> bool {
        self.buffer().is_empty() && self.get_ref().from.would_block()
    }
}

/// A stream of items that is not in a file.
pub trait ItemStream {
    /// The next item; `None` at the end. Pending: there is none now. It waits a moment at most.
    ///
    /// # Errors
    ///
    /// If it cannot be read to its end.
    fn item(&mut self) -> Poll<anyhow::Result<Option<Item>>>;
}

/// Opens what the hosts of a fleet have published.
pub type OpenFleet = fn(&Observe) -> anyhow::Result<Box<dyn ItemStream>>;

/// What is being replayed.
pub enum Input<'a> {
    /// A capture.
    Capture(Box<Reader<Bytes<'a>>>),
    /// Lines of JSON.
    Lines(Box<Lines<Bytes<'a>>>),
    /// The stream of a fleet.
    Fleet(Box<dyn ItemStream>, Option<&'a Stop>),
}

impl<'a> Input<'a> {
    /// Opens what was recorded; a file as [`Input::open`] does. Without `stop`, a stream without an end is read for ever.
    ///
    /// # Errors
    ///
    /// Those of [`Input::open`], and [`InputError::Fleet`] if the broker cannot be used.
    pub fn of(
        recorded: &Recorded,
        open_fleet: OpenFleet,
        progress: &ProgressBar,
        stop: Option<&'a Stop>,
    ) -> Result<Input<'a>, InputError> {
        match recorded {
            Recorded::File(file) => Input::open(file, progress, stop),
            Recorded::Fleet(fleet) => {
                let stream = open_fleet(fleet).map_err(InputError::Fleet)?;
                Ok(Input::Fleet(stream, stop))
            }
        }
    }

    /// Opens a file; `-` is standard input. Adds its size to the length of `progress`, which reading then advances.
    /// A read that blocks returns when `stop` ends the run.
    ///
    /// # Errors
    ///
    /// [`InputError`] if the file cannot be opened or is empty, or if the head of a capture is invalid.
    pub fn open(
        file: &Path,
        progress: &ProgressBar,
        stop: Option<&'a Stop>,
    ) -> Result<Input<'a>, InputError> {
        let from = Readable::open(file, stop)?;
        progress.inc_length(from.size());
        let bar = progress.clone();
        let mut bytes = BufReader::with_capacity(256 * 1024, Progress { from, bar });
        let first = bytes.fill_buf()?.first().copied();
        if first == Some(MAGIC[0]) {
            return Ok(Input::Capture(Box::new(Reader::new(bytes)?)));
        }
        Ok(Input::Lines(Box::new(Lines::new(bytes)?)))
    }

    /// Reads the next item; `None` at the end. `empty` provides an empty batch for events.
    pub fn item(&mut self, empty: impl FnOnce() -> Batch) -> Result<Option<Item>, InputError> {
        match self {
            Input::Capture(capture) => Ok(capture.item(empty)?),
            Input::Lines(lines) => Ok(lines.item(empty)?),
            Input::Fleet(stream, stop) => loop {
                match stream.item() {
                    Poll::Ready(item) => return item.map_err(InputError::Fleet),
                    Poll::Pending => {
                        // The caller checks for the end of the run at items only.
                        if stop.is_some_and(|stop| stop.is_ending_within(Duration::ZERO)) {
                            return Err(stopped().into());
                        }
                    }
                }
            },
        }
    }

    /// Whether there may be a census. Of lines and of a stream that is not known before they were read.
    pub fn may_have_census(&self) -> bool {
        match self {
            Input::Capture(capture) => capture.head().has_census,
            Input::Lines(_) | Input::Fleet(..) => true,
        }
    }

    /// Whether marks were recorded. Those of lines are inserted while they are read, for the chain.
    pub fn has_recorded_marks(&self) -> bool {
        !matches!(self, Input::Lines(_))
    }

    /// The machine that the events come from, if the file is a capture and names it.
    pub fn host(&self) -> Option<&Host> {
        match self {
            Input::Capture(capture) => capture.head().host.as_ref(),
            Input::Lines(_) | Input::Fleet(..) => None,
        }
    }
}
