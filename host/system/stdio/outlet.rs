//! Where standard output leads, and whether the run has a purpose without its reader.
//!
//! `retrans-host | head -1` ends when its reader does: a pipe that was closed is a quiet end of a run
//! that does nothing but print lines. Anything else that breaks is an error: a socket, such as that of
//! a service's journal, does not break because its reader has seen enough. A run that also records or
//! raises alerts goes on either way.

use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::fs::FileType;
use rustix::fs::fstat;

/// What the source, the chain's thread and the end of the run have to know of standard output.
#[derive(Debug)]
pub struct Outlet {
    stdout: OwnedFd,
    is_pipe: bool,
    /// Was anything written, or tried?
    used: AtomicBool,
    has_other_work: AtomicBool,
    not_printed: AtomicU64,
}

impl Outlet {
    /// That of this process.
    pub fn new() -> io::Result<Outlet> {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        let mode = fstat(&stdout)?.st_mode;
        Ok(Outlet {
            is_pipe: FileType::from_raw_mode(mode) == FileType::Fifo,
            stdout,
            used: AtomicBool::new(false),
            has_other_work: AtomicBool::new(false),
            not_printed: AtomicU64::new(0),
        })
    }

    /// Standard output.
    pub fn stdout(&self) -> &OwnedFd {
        &self.stdout
    }

    /// Something is written to it.
    pub fn set_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// The run records, or has raised alerts: it has a purpose without standard output.
    pub fn set_other_work(&self) {
        self.has_other_work.store(true, Ordering::Relaxed);
    }

    /// Has the run a purpose without standard output?
    pub fn has_other_work(&self) -> bool {
        self.has_other_work.load(Ordering::Relaxed)
    }

    /// Lines that could not be printed.
    pub fn add_not_printed(&self, lines: u64) {
        self.not_printed.fetch_add(lines, Ordering::Relaxed);
    }

    /// How many lines could not be printed.
    pub fn not_printed(&self) -> u64 {
        self.not_printed.load(Ordering::Relaxed)
    }

    /// Is it a pipe?
    pub fn is_pipe(&self) -> bool {
        self.is_pipe
    }

    /// Does the run end, quietly, when its reader goes away? Not before the first line: until then nothing
    /// is missing.
    pub fn ends_with_reader(&self) -> bool {
        self.is_pipe && self.used.load(Ordering::Relaxed) && !self.has_other_work()
    }

    /// Has its reader gone away?
    pub fn has_lost_reader(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(
            self.stdout.as_fd(),
            PollFlags::empty(),
        )];
        poll(&mut fds, Some(&Timespec::default())).is_ok()
            && fds[0].revents().contains(PollFlags::ERR)
    }
}
