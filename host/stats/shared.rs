//! Shares the statistics between threads: each stage refreshes its part at its marks, and a thread prints all of them
//! at SIGUSR1 or at an interval.

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

use super::Progress;
use super::Stats;
use crate::system::stdio;
use crate::system::stdio::StdoutStatus;
use crate::system::threads;
use crate::system::timestamp;

/// Minimum interval at which a stage refreshes its statistics: a replay has thousands of marks a second.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Requests for the statistics: SIGUSR1. Before it exists, the signal ends the process.
#[derive(Debug)]
pub struct Requests(UnixStream);

impl Requests {
    /// Registers a handler of SIGUSR1.
    pub fn listen() -> io::Result<Requests> {
        let (requests, request) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGUSR1, request)?;
        Ok(Requests(requests))
    }
}

/// The statistics of a run, shared by the stages that refresh them and the code that prints them.
#[derive(Debug, Clone, Default)]
pub struct SharedStats {
    stats: Arc<Mutex<Stats>>,
    progress: Arc<Progress>,
}

impl SharedStats {
    /// Locks the statistics, to read or change them.
    pub fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the chain takes what it is offered.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Starts a thread that prints the statistics at each request, and at the interval `every` if there is one, as long
    /// as the process lives.
    pub fn print_on_request(
        &self,
        Requests(mut requests): Requests,
        stdout_status: Arc<StdoutStatus>,
        every: Option<Duration>,
    ) -> io::Result<()> {
        requests.set_read_timeout(every)?;
        let shared = self.clone();
        let spawned = threads::named("statistics").spawn(move || {
            loop {
                match requests.read(&mut [0; 64]) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    // The interval has passed.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                }
                let mut stats = shared.stats().clone();
                stats.not_printed = stdout_status.not_printed();
                let now = timestamp::now();
                stdio::print(&format!("retrans-host: statistics at {now}\n{stats}"));
            }
        });
        spawned.map(drop)
    }
}

/// Refreshes the statistics of one stage, at most once per [`MIN_INTERVAL`].
#[derive(Debug)]
pub struct Publisher {
    shared: SharedStats,
    last: Option<Instant>,
}

impl Publisher {
    /// For a stage that has not counted anything yet.
    pub fn new(shared: SharedStats) -> Publisher {
        Publisher { shared, last: None }
    }

    /// Refreshes the statistics with `change` at the end of the stage.
    pub fn publish_last(&mut self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.shared.stats());
    }

    /// Notes that the chain has taken an item.
    pub fn note_taken(&self) {
        self.shared.progress.take();
    }

    /// Refreshes the statistics with `change`, unless that was done within [`MIN_INTERVAL`]. A stage calls it at its
    /// marks.
    pub fn publish(&mut self, change: impl FnOnce(&mut Stats)) {
        if self.last.is_none_or(|last| last.elapsed() >= MIN_INTERVAL) {
            self.last = Some(Instant::now());
            change(&mut self.shared.stats());
        }
    }
}
