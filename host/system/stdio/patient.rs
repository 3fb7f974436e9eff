//! Writes that wait until the file takes more, whatever kind of file it is, and that can be called off.
//!
//! The flag O_NONBLOCK belongs to the open file, which other processes share and may set or take away at
//! any time. It is not changed here, and nothing depends on it. So that a write can be called off, none
//! may block in the kernel: a pipe or terminal is opened anew, for this process alone, and a socket is
//! told with each call.

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

/// Bytes that a pipe takes at once when it takes any (PIPE_BUF).
const PIPE_PIECE: usize = 4096;

/// Bytes that a terminal takes at once when it takes any.
const TERMINAL_PIECE: usize = 1;

/// Of /dev/ptmx, and of what controls a pseudo-terminal: to open that anew makes another terminal.
const CONTROLLER: (u32, u32) = (5, 2);

/// Readable once writes are called off.
static CALLED_OFF: OnceLock<OwnedFd> = OnceLock::new();

static IS_CALLED_OFF: AtomicBool = AtomicBool::new(false);

/// From now on no write waits: one that would is an error of kind [`io::ErrorKind::TimedOut`].
pub fn call_off() {
    IS_CALLED_OFF.store(true, Ordering::Relaxed);
    if let Some(event) = event() {
        // It can only fail where the counter is at its maximum, and then it is readable.
        let _ = rustix::io::write(event, &1u64.to_ne_bytes());
    }
}

/// Are writes called off?
pub(super) fn are_called_off() -> bool {
    IS_CALLED_OFF.load(Ordering::Relaxed)
}

/// Is this the error of a write that was called off?
pub fn is_called_off(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

/// `None` where the process has no descriptor left: writes then wait as long as they must.
fn event() -> Option<BorrowedFd<'static>> {
    if CALLED_OFF.get().is_none()
        && let Ok(event) = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
    {
        let _ = CALLED_OFF.set(event);
    }
    CALLED_OFF.get().map(OwnedFd::as_fd)
}

/// A file to write to.
#[derive(Debug)]
pub struct Patient {
    file: File,
    how: How,
}

/// How to write without blocking in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// It does not block: a regular file, or one that was opened anew with O_NONBLOCK.
    Write,
    /// A socket.
    Send,
    /// It blocks where it is given more than it has room for, and could not be opened anew: it is asked
    /// first, and given as much as fits whenever anything does.
    Pieces(usize),
}

impl Patient {
    /// Writes to what this descriptor is open for.
    pub fn new(fd: BorrowedFd<'_>) -> io::Result<Patient> {
        let about = fstat(fd)?;
        let is_controller = (major(about.st_rdev), minor(about.st_rdev)) == CONTROLLER;
        let piece = match FileType::from_raw_mode(about.st_mode) {
            FileType::Fifo => Some(PIPE_PIECE),
            FileType::CharacterDevice if isatty(fd) => Some(TERMINAL_PIECE),
            _ => None,
        };
        let shared = || fd.try_clone_to_owned();
        let (file, how) = match piece {
            Some(piece) if is_controller => (shared()?, How::Pieces(piece)),
            Some(piece) => match open_anew(fd) {
                Ok(own) => (own, How::Write),
                // Another user's terminal, or a pipe without a reader.
                Err(_) => (shared()?, How::Pieces(piece)),
            },
            None if FileType::from_raw_mode(about.st_mode) == FileType::Socket => {
                (shared()?, How::Send)
            }
            None => (shared()?, How::Write),
        };
        let file = File::from(file);
        Ok(Patient { file, how })
    }

    /// Waits until something can be written, or until writes are called off.
    fn wait(&self) -> io::Result<()> {
        let event = event();
        let mut fds = [
            PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::OUT),
            PollFd::from_borrowed_fd(event.unwrap_or(self.file.as_fd()), PollFlags::IN),
        ];
        let watched = if event.is_some() { 2 } else { 1 };
        loop {
            match poll(&mut fds[..watched], None::<&Timespec>) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                // Also where an error is to be had by writing.
                Ok(_) if !fds[0].revents().is_empty() => return Ok(()),
                Ok(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }
}

fn open_anew(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // Not the path of the file, which may lead elsewhere by now: the link leads to the file itself.
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    open(link, flags, Mode::empty())
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = match self.how {
                How::Write => rustix::io::write(&self.file, bytes),
                How::Send => send(&self.file, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
                How::Pieces(piece) => {
                    self.wait()?;
                    rustix::io::write(&self.file, &bytes[..bytes.len().min(piece)])
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
