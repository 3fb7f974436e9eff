//! A file to read from: where there is nothing yet, it is waited for, until the run is to end.

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

/// Between two looks whether the run is to end, where nothing else wakes the reader.
const RECHECK_INTERVAL: Duration = Duration::from_secs(3_600);

/// The run is to end while more is waited for.
#[derive(Debug, thiserror::Error)]
#[error("the run was ended")]
struct Stopped;

/// Is this the error of a read that was given up because the run is to end?
pub fn is_stop(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Stopped>())
}

/// A regular file, a pipe, a terminal, a socket.
pub struct Readable<'a> {
    file: File,
    /// May there be nothing to read, and more later?
    waits: bool,
    stop: Option<&'a Stop>,
}

impl<'a> Readable<'a> {
    /// Opens a file; `-` is standard input. A FIFO that no process writes to is opened at once: its
    /// writer is waited for when it is read. Without `stop` that is as long as it takes.
    pub fn open(path: &Path, stop: Option<&'a Stop>) -> io::Result<Readable<'a>> {
        let file = if path.as_os_str() == "-" {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            File::from(open(path, flags, Mode::empty())?)
        };
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let waits = !about.is_file();
        Ok(Readable { file, waits, stop })
    }

    /// Bytes of a regular file, as far as they are known before it is read.
    pub fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |about| about.len())
    }

    /// Would a read have to wait?
    pub fn would_wait(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::IN)];
        self.waits && poll(&mut fds, Some(&Timespec::default())) == Ok(0)
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
                Wake::Stop => return Err(io::Error::other(Stopped)),
            }
        }
    }
}

impl Read for Readable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A file has no end of lines that are no events: it is looked here whether the run is to end.
        if self.stop.is_some_and(Stop::is_ending) {
            return Err(io::Error::other(Stopped));
        }
        // A FIFO that no process has opened for writing yet has no end of file either.
        if self.waits {
            self.wait()?;
        }
        loop {
            match self.file.read(buffer) {
                // Another reader was faster, or it is a file of tracefs: regular, and it waits all the same.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
