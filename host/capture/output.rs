//! The open output of a recording: a file, or standard output.

use std::fs::File;
use std::io;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::MetadataExt as _;

/// The open output of a recording. A file can be cut back to an earlier length; standard output cannot.
pub enum CaptureOutput {
    /// A regular file that this process has created.
    File(File),
    /// Standard output.
    Stdout(Box<dyn Write + Send>),
}

impl CaptureOutput {
    /// Cuts the file back to its first `length` bytes, and continues to write there.
    ///
    /// # Errors
    ///
    /// `Unsupported` for standard output.
    pub fn cut_back(&mut self, length: u64) -> io::Result<()> {
        match self {
            CaptureOutput::File(file) => {
                file.set_len(length)?;
                file.seek(SeekFrom::Start(length)).map(drop)
            }
            CaptureOutput::Stdout(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "data that was written to standard output cannot be taken back",
            )),
        }
    }

    /// Returns whether the file has no name any more (link count 0). Its contents are then lost when this process ends.
    pub fn is_deleted(&self) -> bool {
        match self {
            CaptureOutput::File(file) => file.metadata().is_ok_and(|about| about.nlink() == 0),
            CaptureOutput::Stdout(_) => false,
        }
    }
}

impl Write for CaptureOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            CaptureOutput::File(file) => file.write(bytes),
            CaptureOutput::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            CaptureOutput::File(file) => file.flush(),
            CaptureOutput::Stdout(stdout) => stdout.flush(),
        }
    }
}
