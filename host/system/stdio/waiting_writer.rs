//! A writer that waits until the file takes more, whatever kind of file it is, and whose writes can be cancelled.
//!
//! The flag O_NONBLOCK belongs to the open file description, which other processes share and may change at any time.
//! It is not changed here, and nothing depends on it. No write may block in the kernel, or it could not be cancelled:
//! a pipe or terminal is opened again, for this process alone, and a socket gets MSG_DONTWAIT with each call.

use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use rustix::event::EventfdFlags;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::eventfd;
use rustix::event::poll;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::fstat;
use rustix::fs::major;
use rustix::fs::minor;
use rustix::fs::open;
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::net::send;
use rustix::termios::isatty;

/// Bytes that always fit into a pipe that is writable (PIPE_BUF).
const PIPE_CHUNK: usize = 4096;

/// Bytes that always fit into a terminal that is writable.
const TERMINAL_CHUNK: usize = 1;

/// Major and minor number of /dev/ptmx, and of the controlling side of each pseudo-terminal. Opening it again would
/// create another pseudo-terminal.
const PTMX: (u32, u32) = (5, 2);

/// An eventfd that is readable once writes are cancelled.
static CANCEL_EVENT: OnceLock<OwnedFd> = OnceLock::new();

static ARE_WRITES_CANCELLED: AtomicBool = AtomicBool::new(false);

/// Cancels all writes: from now on none waits. One that would have to wait, or is waiting, fails with
/// [`io::ErrorKind::TimedOut`].
pub fn cancel_writes() {
    ARE_WRITES_CANCELLED.store(true, Ordering::Relaxed);
    if let Some(event) = cancel_event() {
        // It can fail only if the counter is at its maximum, and the eventfd is readable then.
        let _ = rustix::io::write(event, &1u64.to_ne_bytes());
    }
}

/// Returns whether writes are cancelled.
pub(super) fn are_writes_cancelled() -> bool {
    ARE_WRITES_CANCELLED.load(Ordering::Relaxed)
}

/// Returns whether this is the error of a write that was cancelled.
pub fn is_cancelled(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

/// The eventfd, created at the first call. `None`: the process has no descriptor left, and writes cannot be
/// interrupted.
fn cancel_event() -> Option<BorrowedFd<'static>> {
    if CANCEL_EVENT.get().is_none()
        && let Ok(event) = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
    {
        let _ = CANCEL_EVENT.set(event);
    }
    CANCEL_EVENT.get().map(OwnedFd::as_fd)
}

/// A file to write to.
#[derive(Debug)]
pub struct WaitingWriter {
    file: File,
    mode: WriteMode,
}

/// How to write without blocking in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteMode {
    /// `write`: a file that does not block, such as a regular file, or one that was opened again with O_NONBLOCK.
    Write,
    /// `send` with MSG_DONTWAIT: a socket.
    Send,
    /// `poll`, then `write` of at most this number of bytes: a pipe or terminal that could not be opened again. Once
    /// it is writable, it takes that number without blocking.
    Chunks(usize),
}

impl WaitingWriter {
    /// Creates a writer to the file that this descriptor refers to.
    pub fn new(fd: BorrowedFd<'_>) -> io::Result<WaitingWriter> {
        let status = fstat(fd)?;
        let is_ptmx = (major(status.st_rdev), minor(status.st_rdev)) == PTMX;
        let chunk = match FileType::from_raw_mode(status.st_mode) {
            FileType::Fifo => Some(PIPE_CHUNK),
            FileType::CharacterDevice if isatty(fd) => Some(TERMINAL_CHUNK),
            _ => None,
        };
        let shared = || fd.try_clone_to_owned();
        let (file, mode) = match chunk {
            Some(chunk) if is_ptmx => (shared()?, WriteMode::Chunks(chunk)),
            Some(chunk) => match reopen(fd) {
                Ok(own) => (own, WriteMode::Write),
                // Another user's terminal, or a pipe without a reader.
                Err(_) => (shared()?, WriteMode::Chunks(chunk)),
            },
            None if FileType::from_raw_mode(status.st_mode) == FileType::Socket => {
                (shared()?, WriteMode::Send)
            }
            None => (shared()?, WriteMode::Write),
        };
        let file = File::from(file);
        Ok(WaitingWriter { file, mode })
    }

    /// Waits until the file is writable, or fails with [`io::ErrorKind::TimedOut`] if writes are cancelled.
    fn wait(&self) -> io::Result<()> {
        let event = cancel_event();
        let mut fds = [
            PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::OUT),
            PollFd::from_borrowed_fd(event.unwrap_or(self.file.as_fd()), PollFlags::IN),
        ];
        let watched = if event.is_some() { 2 } else { 1 };
        loop {
            match poll(&mut fds[..watched], None::<&Timespec>) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                // This includes POLLERR and POLLHUP: the write then returns the error.
                Ok(_) if !fds[0].revents().is_empty() => return Ok(()),
                Ok(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }
}

/// Opens the file of a descriptor again, with O_NONBLOCK for this process alone.
fn reopen(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // The link leads to the open file itself. The file's path may lead to another file by now.
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    open(link, flags, Mode::empty())
}

impl Write for WaitingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = match self.mode {
                WriteMode::Write => rustix::io::write(&self.file, bytes),
                WriteMode::Send => {
                    send(&self.file, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
                }
                WriteMode::Chunks(chunk) => {
                    self.wait()?;
                    rustix::io::write(&self.file, &bytes[..bytes.len().min(chunk)])
                }
            };
            match written {
                Err(Errno::AGAIN) => self.wait()?,
                Err(Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
