//! Where the capture of a live run goes: a file, or standard output.

use std::fs::File;
use std::io;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::MetadataExt as _;

/// A file, from which what was written last can be taken back, or standard output, from which it cannot.
pub enum Target {
    /// A regular file that this process has made.
    File(File),
    /// Standard output.
    Stdout(Box<dyn Write + Send>),
}

impl Target {
    /// Takes back all but the first `length` bytes: what follows is written behind those.
    pub fn cut_back(&mut self, length: u64) -> io::Result<()> {
        match self {
            Target::File(file) => {
                file.set_len(length)?;
                file.seek(SeekFrom::Start(length)).map(drop)
            }
            Target::Stdout(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "what went to standard output cannot be taken back",
            )),
        }
    }

    /// Has the file no name any more? It is then gone with this process.
    pub fn is_deleted(&self) -> bool {
        match self {
            Target::File(file) => file.metadata().is_ok_and(|about| about.nlink() == 0),
            Target::Stdout(_) => false,
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::File(file) => file.write(bytes),
            Target::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::File(file) => file.flush(),
            Target::Stdout(stdout) => stdout.flush(),
        }
    }
}
