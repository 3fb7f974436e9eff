//! A file to be replayed: a capture, or lines of JSON.

use std::fs::File;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;

use super::lines::LineError;
use super::lines::Lines;
use crate::batch::Batch;
use crate::batch::Item;
use crate::capture::CaptureError;
use crate::capture::MAGIC;
use crate::capture::Reader;
use crate::stop::Stop;
use crate::stop::Wake;

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
            | InputError::Line(LineError::Io(error)) => {
                error.get_ref().is_some_and(|error| error.is::<Stopped>())
            }
            _ => false,
        }
    }
}

/// The run is to end while more is waited for.
#[derive(Debug, thiserror::Error)]
#[error("the run was ended")]
struct Stopped;

/// A pipe or a terminal, of which more is waited for only until the run is to end.
struct Interruptible<'a> {
    from: File,
    stop: &'a Stop,
}

impl Read for Interruptible<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const LONG: Duration = Duration::from_secs(3_600);
        loop {
            match self.stop.wait(self.from.as_fd(), None, LONG)? {
                Wake::Ready => return self.from.read(buffer),
                Wake::Timeout => {}
                Wake::Stop => return Err(io::Error::other(Stopped)),
            }
        }
    }
}

/// Buffered: captures are read frame by frame, lines in small pieces.
type Bytes<'a> = BufReader<Box<dyn Read + 'a>>;

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
        let from = if file.as_os_str() == "-" {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            File::open(file)?
        };
        let about = from.metadata()?;
        if about.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        progress.inc_length(about.len());
        let bytes: Box<dyn Read + 'a> = match stop {
            Some(stop) if !about.is_file() => Box::new(Interruptible { from, stop }),
            _ => Box::new(from),
        };
        let bytes: Box<dyn Read + 'a> = Box::new(progress.wrap_read(bytes));
        let mut bytes = BufReader::with_capacity(256 * 1024, bytes);
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

    /// In which run of a machine it was recorded, if it says so.
    pub fn boot_id(&self) -> Option<&str> {
        match self {
            Input::Capture(capture) => Some(&capture.head().host.as_ref()?.boot_id),
            Input::Lines(_) => None,
        }
    }
}
