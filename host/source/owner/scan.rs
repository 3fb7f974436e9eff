//! The scan of open files, on a thread of its own: nobody waits while it runs.

use std::collections::HashSet;
use std::io;
use std::io::Read as _;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use libbpf_rs::Iter;
use libbpf_rs::Link;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::SkelBuilder as _;
use rustix::event::EventfdFlags;
use rustix::event::eventfd;

use super::collect::Collector;
use super::collect::MAX_HOLDERS;
use super::holder_table::HOLDER_SIZE;
use super::holder_table::HolderTable;
use super::holder_table::MIN_HOLD;
use crate::source::bpf::holders::HoldersSkelBuilder;
use crate::source::bpf::kernel_error::KernelError;
use crate::source::bpf::libbpf;
use crate::source::clock::Clock;
use crate::system::threads;

/// From the beginning of one scan to the beginning of the next, at least.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// A scan takes CPU time, 28 ms with 126,000 open files (measured on 6.18): of one CPU at most one part
/// in so many.
const INTERVAL_FACTOR: u32 = 10;

/// How long the answers of a scan hold at most, however far apart scans are.
const MAX_HOLD: Duration = Duration::from_secs(60);

/// Why open files cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The kernel refused the program.
    #[error("cannot {doing} the scan of open files: {cause}")]
    Libbpf {
        /// What was being done: open, load, attach.
        doing: &'static str,
        /// Why it failed.
        cause: KernelError,
    },
    /// Something else is missing.
    #[error("cannot {doing}: {error}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// What a scan found, and the time that it took.
struct Done {
    snapshot: Result<HolderTable, io::Error>,
    /// Of a CPU.
    cost: Duration,
    /// On the clock.
    took: Duration,
}

/// Begins scans, and takes their results.
pub struct Scanner {
    requests: Sender<HashSet<u64>>,
    results: Receiver<Done>,
    /// Readable when there is a result.
    ready: Arc<OwnedFd>,
    running: bool,
    /// When the next scan may begin.
    next: Duration,
    last_begun: Duration,
    scans: u64,
    /// Scans that found more than is kept.
    scans_cut: u64,
    failed: bool,
}

impl Scanner {
    /// Loads the program and starts the thread, which ends when this is dropped.
    pub fn start(clock: Clock) -> Result<Scanner, ScanError> {
        let failed = |doing| {
            move |error| ScanError::Libbpf {
                doing,
                cause: KernelError::of(error),
            }
        };
        let mut storage = MaybeUninit::uninit();
        let open = HoldersSkelBuilder::default()
            .open_opts(libbpf::options(), &mut storage)
            .map_err(failed("open"))?;
        let skel = open.load().map_err(failed("load"))?;
        // The kernel keeps the program for as long as the link is there.
        let link = skel.progs.socket_holders.attach();
        let link = link.map_err(failed("attach"))?;

        let ready = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let ready = Arc::new(ready.map_err(|error| ScanError::System {
            doing: "make an eventfd",
            error: error.into(),
        })?);
        let (requests, requested) = bounded(1);
        let (done, results) = bounded(1);
        threads::named("owners")
            .spawn({
                let ready = Arc::clone(&ready);
                move || serve(&link, clock, &requested, &done, &ready)
            })
            .map_err(|error| ScanError::System {
                doing: "start the thread that scans open files",
                error,
            })?;
        Ok(Scanner {
            requests,
            results,
            ready,
            running: false,
            next: Duration::ZERO,
            last_begun: Duration::ZERO,
            scans: 0,
            scans_cut: 0,
            failed: false,
        })
    }

    /// Becomes readable when a scan is done.
    pub fn ready(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    /// Scans that were begun.
    pub fn scans(&self) -> u64 {
        self.scans
    }

    /// Of these, scans that found more than is kept.
    pub fn scans_cut(&self) -> u64 {
        self.scans_cut
    }

    /// When the next scan may begin; `None` while one is running.
    pub fn may_begin_at(&self) -> Option<Duration> {
        (!self.running).then_some(self.next)
    }

    /// Begins a scan, unless one is running or the last one was just now; did it? `wanted` are the
    /// sockets that matter most.
    pub fn begin(&mut self, now: Duration, wanted: impl FnOnce() -> HashSet<u64>) -> bool {
        if self.running || now < self.next {
            return false;
        }
        if self.requests.try_send(wanted()).is_err() {
            // The thread has panicked, which was printed: there will be no more scans.
            self.next = Duration::MAX;
            return false;
        }
        self.running = true;
        self.last_begun = now;
        self.scans += 1;
        true
    }

    fn note_cut(&mut self) {
        self.scans_cut += 1;
        if self.scans_cut == 1 {
            tracing::warn!(
                "processes have TCP sockets open more than {MAX_HOLDERS} times (each process and \
                 socket counted once), of which no more are kept: `holders` may be too low, and the \
                 first events of a socket may have no owner; count the entries of \
                 /proc/PID/fd to find the process"
            );
        }
    }

    /// What the scan found that was running, once it is done.
    pub fn result(&mut self) -> Option<HolderTable> {
        // Back to zero, whether or not there is a result: it was perhaps taken before this was
        // written. An error says that it is zero already.
        let _ = rustix::io::read(&self.ready, &mut [0; 8]);
        let Done {
            snapshot,
            cost,
            took,
        } = self.results.try_recv().ok()?;
        self.running = false;
        let interval = MIN_INTERVAL.max(cost * INTERVAL_FACTOR);
        self.next = self.last_begun + interval;
        match snapshot {
            Ok(mut snapshot) => {
                snapshot.holds = holds(interval, took);
                if snapshot.is_cut {
                    self.note_cut();
                }
                Some(snapshot)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    tracing::warn!(
                        "cannot read the scan of open files: {error}; owners are unknown"
                    );
                }
                None
            }
        }
    }
}

/// For events how much later than the beginning of a scan its answers hold: a second, or until the next
/// scan is done, with some time to spare. Otherwise a user who makes scans slow, with many open files,
/// would make all owners unknown between them.
fn holds(interval: Duration, took: Duration) -> Duration {
    (interval + interval / 2 + took).clamp(MIN_HOLD, MAX_HOLD)
}

/// Scans whenever it is asked to.
fn serve(
    link: &Link,
    clock: Clock,
    requests: &Receiver<HashSet<u64>>,
    results: &Sender<Done>,
    ready: &OwnedFd,
) {
    for wanted in requests {
        let begun = clock.now().boot();
        let before = threads::cpu_time();
        let mut found = Collector::new(wanted);
        let snapshot = read(link, &mut found).map(|()| found.finish(begun));
        let done = Done {
            snapshot,
            cost: threads::cpu_time().saturating_sub(before),
            took: clock.now().boot().saturating_sub(begun),
        };
        if results.send(done).is_err() {
            return;
        }
        // Full means that the source will wake up anyhow.
        let _ = rustix::io::write(ready, &1u64.to_ne_bytes());
    }
}

/// One pass over all open files.
fn read(link: &Link, found: &mut Collector) -> io::Result<()> {
    /// The kernel fills at most 8 pages at a time. Whole holders: with larger pages it would cut one.
    const CHUNK: usize = 32 * 1024 / HOLDER_SIZE * HOLDER_SIZE;
    let mut bytes = [0; CHUNK];
    let mut files = Iter::new(link).map_err(|error| io::Error::other(format!("{error:#}")))?;
    loop {
        match files.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(length) => found.take(&bytes[..length]),
            // The kernel pauses after a million files without a socket.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_hold_until_the_next_scan_is_done_but_a_second_at_least_and_a_minute_at_most() {
        let holds = |interval, took| {
            let [interval, took] = [interval, took].map(Duration::from_millis);
            holds(interval, took).as_millis()
        };
        assert_eq!(holds(100, 3), 1_000);
        assert_eq!(holds(500, 80), 1_000);
        // 8 million open files.
        assert_eq!(holds(14_500, 1_500), 23_250);
        assert_eq!(holds(100_000, 10_000), 60_000);
    }
}
