//! The statistics of a run at any moment: each stage leaves its own at its marks, and they are shown when that
//! is asked for, by SIGUSR1 or regularly.

pub mod ledger;
pub mod reconcile;

use std::fmt;
use std::io;
use std::io::ErrorKind;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use signal_hook::consts::SIGUSR1;

use crate::capture::Summary;
use crate::stats::ledger::Origin;
use crate::stats::ledger::Report;
use crate::system::sanitize;
use crate::system::stdio;
use crate::system::stdio::Outlet;
use crate::system::threads;
use crate::system::timestamp;

/// How often a stage leaves its statistics at most: a replay has thousands of marks a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// What each stage had counted by its last mark.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// The source; `None` before its first mark.
    pub origin: Option<Origin>,
    /// The chain.
    pub chain: Report,
    /// What is recorded.
    pub recorded: Option<Summary>,
    /// Lines that could not be printed.
    pub not_printed: u64,
}

/// As lines of the ledger. The stages are not at the same event while the run goes on: they balance at its
/// end.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}")?;
        }
        let Report {
            plugins,
            usage,
            counters,
        } = &self.chain;
        for plugin in plugins {
            write!(f, "{plugin}")?;
        }
        for usage in usage {
            write!(f, "{usage}")?;
        }
        for ((plugin, counter), count) in counters {
            let counter = sanitize::key(counter);
            writeln!(f, "ledger: counter {plugin} {counter}={count}")?;
        }
        if self.not_printed > 0 {
            writeln!(f, "ledger: stdout not_printed={}", self.not_printed)?;
        }
        match &self.recorded {
            Some(recorded) => write!(f, "{recorded}"),
            None => Ok(()),
        }
    }
}

/// Where the stages leave their statistics.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<Stats>>);

impl Board {
    /// The statistics, to be read or changed.
    pub fn stats(&self) -> MutexGuard<'_, Stats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints the statistics at SIGUSR1, and regularly where that is asked for, as long as the process lives.
    pub fn print_on_request(&self, outlet: Arc<Outlet>, every: Option<Duration>) -> io::Result<()> {
        let (mut requests, request) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGUSR1, request)?;
        requests.set_read_timeout(every)?;
        let board = self.clone();
        let waiting = threads::named("statistics").spawn(move || {
            loop {
                match requests.read(&mut [0; 64]) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    // The time is up.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                }
                let mut stats = board.stats().clone();
                stats.not_printed = outlet.not_printed();
                let now = timestamp::now();
                stdio::print(&format!("retrans-host: statistics at {now}\n{stats}"));
            }
        });
        waiting.map(drop)
    }
}

/// One stage's way to the board.
#[derive(Debug)]
pub struct Publisher {
    board: Board,
    last: Option<Instant>,
}

impl Publisher {
    /// Leaves statistics there.
    pub fn new(board: Board) -> Publisher {
        Publisher { board, last: None }
    }

    /// At a mark: changes the statistics, unless that was done just before.
    pub fn publish(&mut self, change: impl FnOnce(&mut Stats)) {
        if self.last.is_none_or(|last| last.elapsed() >= INTERVAL) {
            self.last = Some(Instant::now());
            change(&mut self.board.stats());
        }
    }
}
