//! Statistics that are shared between threads: each stage refreshes its own at its marks, and they are printed at
//! SIGUSR1 or regularly.

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

use super::Stats;
use crate::system::stdio;
use crate::system::stdio::Outlet;
use crate::system::threads;
use crate::system::timestamp;

/// How often a stage refreshes its statistics at most: a replay has thousands of marks a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// The statistics of a run, shared by the stages that refresh them and those that show them.
#[derive(Debug, Clone, Default)]
pub struct SharedStats(Arc<Mutex<Stats>>);

impl SharedStats {
    /// Locks the statistics, to read or change them.
    pub fn stats(&self) -> MutexGuard<'_, Stats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints the statistics at SIGUSR1, and regularly where that is asked for, as long as the process lives.
    pub fn print_on_request(&self, outlet: Arc<Outlet>, every: Option<Duration>) -> io::Result<()> {
        let (mut requests, request) = UnixStream::pair()?;
        signal_hook::low_level::pipe::register(SIGUSR1, request)?;
        requests.set_read_timeout(every)?;
        let shared = self.clone();
        let waiting = threads::named("statistics").spawn(move || {
            loop {
                match requests.read(&mut [0; 64]) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    // The time is up.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                }
                let mut stats = shared.stats().clone();
                stats.not_printed = outlet.not_printed();
                let now = timestamp::now();
                stdio::print(&format!("retrans-host: statistics at {now}\n{stats}"));
            }
        });
        waiting.map(drop)
    }
}

/// Refreshes the statistics of one stage, but not more often than every [`INTERVAL`].
#[derive(Debug)]
pub struct Publisher {
    shared: SharedStats,
    last: Option<Instant>,
}

impl Publisher {
    /// Of a stage that has not counted anything yet.
    pub fn new(shared: SharedStats) -> Publisher {
        Publisher { shared, last: None }
    }

    /// At a mark: changes the statistics, unless that was done just before.
    pub fn publish(&mut self, change: impl FnOnce(&mut Stats)) {
        if self.last.is_none_or(|last| last.elapsed() >= INTERVAL) {
            self.last = Some(Instant::now());
            change(&mut self.shared.stats());
        }
    }
}
