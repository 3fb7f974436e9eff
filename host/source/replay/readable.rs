//! A file whose reads block until there is data or the run is to end.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::open;
use rustix::io::Errno;

use crate::pipeline::stop::Stop;
use crate::pipeline::stop::Wake;

/// The time-out of a single wait. The end of the run wakes the reader before it.
const RECHECK_INTERVAL: Duration = Duration::from_secs(3_600);

/// The error of a read that was interrupted because the run is to end.
#[derive(Debug, thiserror::Error)]
#[error("the run was ended")]
struct Stopped;

/// The error of a read that is interrupted because the run is to end.
pub fn stopped() -> io::Error {
    io::Error::other(Stopped)
}

/// Returns whether a read was interrupted because the run is to end.
pub fn is_stop(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Stopped>())
}

/// A regular file, a pipe, a terminal or a socket.
pub struct Readable<'a> {
    file: File,
    /// Whether data can arrive later: the file is not a regular one.
    can_block: bool,
    /// Interrupts reads that block; `None`: they are not interrupted.
    stop: Option<&'a Stop>,
}

impl<'a> Readable<'a> {
    /// Opens a file; `-` is standard input. Opening a FIFO without a writer does not block;
    /// reading it does. Without `stop`, reads may block forever.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or is a directory.
    pub fn open(path: &Path, stop: Option<&'a Stop>) -> io::Result<Readable<'a>> {
        let file = if path.as_os_str() == "-" {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            File::from(open(path, flags, Mode::empty())?)
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let can_block = !metadata.is_file();
        Ok(Readable {
            file,
            can_block,
            stop,
        })
    }

    /// Size of a regular file in bytes; 0 if it is unknown.
    pub fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Returns whether a read would block.
    pub fn would_block(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::IN)];
        self.can_block && poll(&mut fds, Some(&Timespec::default())) == Ok(0)
    }

    fn wait(&self) -> io::Result<()> {
        let Some(stop) = self.stop else {
            let mut fds = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::IN)];
            return match poll(&mut fds, None::<&Timespec>) {
                Err(Errno::INTR) | Ok(_) => Ok(()),
                Err(error) => Err(error.into()),
            };
        };
        loop {
            match stop.wait(self.file.as_fd(), None, RECHECK_INTERVAL)? {
                Wake::Ready => return Ok(()),
                Wake::Timeout => {}
                Wake::Stop => return Err(stopped()),
            }
        }
    }
}

impl Read for Readable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The caller checks for the end of the run at items only. Lines without events produce no items, so that the
        // check is also needed here.
        if self.stop.is_some_and(Stop::is_ending) {
            return Err(stopped());
        }
        // A FIFO that no process has opened for writing yet would report the end of the file.
        if self.can_block {
            self.wait()?;
        }
        loop {
            match self.file.read(buffer) {
                // Another reader took the data, or it is a file in tracefs: a regular file that blocks nevertheless.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
