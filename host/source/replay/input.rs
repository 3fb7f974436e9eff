//! A file to be replayed: a capture, or lines of JSON.

use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;

use indicatif::ProgressBar;

use super::lines::Arriving;
use super::lines::LineError;
use super::lines::Lines;
use super::readable::Readable;
use super::readable::is_stop;
use crate::capture::CaptureError;
use crate::capture::Host;
use crate::capture::MAGIC;
use crate::capture::Reader;
use crate::pipeline::stop::Stop;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;

/// Why a file cannot be replayed, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A line says no event.
    #[error(transparent)]
    Line(#[from] LineError),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl InputError {
    /// Is nothing wrong, but the run is to end?
    pub fn is_stop(&self) -> bool {
        match self {
            InputError::Io(error)
            | InputError::Capture(CaptureError::Io(error))
            | InputError::Line(LineError::Io(error)) => is_stop(error),
            _ => false,
        }
    }
}

/// Moves a bar on by what is read.
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

/// Buffered: captures are read frame by frame, lines in small pieces.
type Bytes<'a> = BufReader<Progress<'a>>;

impl Arriving for Bytes<'_> {
    fn would_wait(&self) -> bool {
        self.buffer().is_empty() && self.get_ref().from.would_wait()
    }
}

/// A file that is being replayed.
pub enum Input<'a> {
    /// A capture.
    Capture(Box<Reader<Bytes<'a>>>),
    /// Lines of JSON.
    Lines(Box<Lines<Bytes<'a>>>),
}

impl<'a> Input<'a> {
    /// Opens a file; `-` is standard input, which is read until `stop` says that the run is to end.
    /// The bytes that are read move `progress` on.
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

    /// The next item; `None` at the end.
    pub fn item(&mut self, empty: impl FnOnce() -> Batch) -> Result<Option<Item>, InputError> {
        match self {
            Input::Capture(capture) => Ok(capture.item(empty)?),
            Input::Lines(lines) => Ok(lines.item(empty)?),
        }
    }

    /// The machine that it was recorded on, if it says so.
    pub fn host(&self) -> Option<&Host> {
        match self {
            Input::Capture(capture) => capture.head().host.as_ref(),
            Input::Lines(_) => None,
        }
    }
}
