//! What the run knows about standard output: its kind, whether it was used, and whether the run goes on without it.
//!
//! `retrans-host | head -1` ends when `head` closes the pipe: for a run that only prints lines, a closed pipe is a
//! normal end, without a message. Any other error of standard output is an error of the run: a socket does not close
//! because its reader has read enough. A run that also records or has raised alerts goes on in both cases, and so does
//! one whose standard output is the journal: a service outlives a journal that breaks.

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

use super::journal::is_journal;

/// The status of standard output, shared by the source, the thread of the chain, and the end of the run.
#[derive(Debug)]
pub struct StdoutStatus {
    stdout: OwnedFd,
    is_pipe: bool,
    /// Whether a write was attempted.
    used: AtomicBool,
    has_other_output: AtomicBool,
    not_printed: AtomicU64,
}

impl StdoutStatus {
    /// Standard output of this process.
    pub fn new() -> io::Result<StdoutStatus> {
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        let mode = fstat(&stdout)?.st_mode;
        Ok(StdoutStatus {
            is_pipe: FileType::from_raw_mode(mode) == FileType::Fifo,
            // The alerts of a service have other ways out, and its journal may break.
            has_other_output: AtomicBool::new(is_journal(stdout.as_fd())),
            stdout,
            used: AtomicBool::new(false),
            not_printed: AtomicU64::new(0),
        })
    }

    /// The descriptor of standard output.
    pub fn stdout(&self) -> &OwnedFd {
        &self.stdout
    }

    /// Notes that a write was attempted.
    pub fn set_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Notes that the run records or has raised alerts: it goes on without standard output.
    pub fn set_other_output(&self) {
        self.has_other_output.store(true, Ordering::Relaxed);
    }

    /// Returns whether the run goes on without standard output.
    pub fn has_other_output(&self) -> bool {
        self.has_other_output.load(Ordering::Relaxed)
    }

    /// Counts lines that could not be printed.
    pub fn add_not_printed(&self, lines: u64) {
        self.not_printed.fetch_add(lines, Ordering::Relaxed);
    }

    /// Number of lines that could not be printed.
    pub fn not_printed(&self) -> u64 {
        self.not_printed.load(Ordering::Relaxed)
    }

    /// Returns whether standard output is a pipe.
    pub fn is_pipe(&self) -> bool {
        self.is_pipe
    }

    /// Returns whether the run ends, without a message, once the reader closes standard output. Before the first line
    /// it does not: nothing is missing until then.
    pub fn ends_run_when_closed(&self) -> bool {
        self.is_pipe && self.used.load(Ordering::Relaxed) && !self.has_other_output()
    }

    /// Returns whether the reader has closed standard output.
    pub fn is_closed(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(
            self.stdout.as_fd(),
            PollFlags::empty(),
        )];
        poll(&mut fds, Some(&Timespec::default())).is_ok()
            && fds[0].revents().contains(PollFlags::ERR)
    }
}
