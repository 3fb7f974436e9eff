//! The scan of open files. It runs on a thread of its own, so that the source does not wait for it.

use std::collections::HashSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::TryRecvError;
use crossbeam_channel::bounded;
use libbpf_rs::Link;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::SkelBuilder as _;
use rustix::event::EventfdFlags;
use rustix::event::eventfd;

use super::collect::Collector;
use super::collect::MAX_HOLDERS;
use super::holder_table::HolderTable;
use super::holder_table::MIN_VALIDITY;
use crate::source::bpf::holders::HoldersSkelBuilder;
use crate::source::bpf::iterator;
use crate::source::bpf::iterator::LoadError;
use crate::source::bpf::libbpf;
use crate::source::bpf::permissions;
use crate::stream::clock::Clock;
use crate::system::threads;

/// The shortest time from the beginning of one scan to the beginning of the next.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// The shortest time between the beginnings of two scans, as a multiple of the CPU time of the first. Scans thus take
/// a tenth of one CPU at most. A scan takes 28 ms of CPU time with 126,000 open files (measured on 6.18).
const INTERVAL_FACTOR: u32 = 10;

/// The longest validity of the answers of a scan, counted from its beginning.
const MAX_VALIDITY: Duration = Duration::from_secs(60);

/// Why open files cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The kernel refused the program.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An error of a system call that the scan needs.
    #[error("cannot {doing}: {error}")]
    System {
        /// The step that failed.
        doing: &'static str,
        /// The error of the system call.
        error: io::Error,
    },
}

/// The result of a scan, and the time that it took.
struct ScanResult {
    table: Result<HolderTable, io::Error>,
    /// CPU time.
    cpu_time: Duration,
    /// Elapsed time.
    elapsed: Duration,
}

/// Begins scans, and takes their results. Times are times since boot.
pub struct Scanner {
    /// Each request has the inodes that events ask for.
    requests: Sender<HashSet<u64>>,
    results: Receiver<ScanResult>,
    /// An eventfd that is readable when there is a result.
    ready: Arc<OwnedFd>,
    running: bool,
    /// When the next scan may begin.
    next: Duration,
    last_begun: Duration,
    /// The time from the beginning of the last scan that was done to the beginning of the next.
    interval: Duration,
    /// Number of scans that were begun.
    scans: u64,
    /// Number of scans that found more holders than are kept.
    scans_cut: u64,
    /// Whether a failed scan was logged.
    failed: bool,
}

/// The program of the scan, loaded into the kernel.
pub struct ScanProgram {
    /// The kernel keeps the program as long as the link exists.
    link: Link,
}

impl ScanProgram {
    /// Loads the program into the kernel, which needs privileges, unlike the scans.
    ///
    /// # Errors
    ///
    /// [`ScanError`] if the kernel refuses the program.
    pub fn load() -> Result<ScanProgram, ScanError> {
        let failed = |doing| LoadError::at(doing, "the scan of open files");
        let mut storage = MaybeUninit::uninit();
        let open = HoldersSkelBuilder::default()
            .open_opts(libbpf::options(), &mut storage)
            .map_err(failed("open"))?;
        let skel = open.load().map_err(failed("load"))?;
        let link = skel.progs.socket_holders.attach();
        let link = link.map_err(failed("attach"))?;
        Ok(ScanProgram { link })
    }
}

impl Scanner {
    /// Starts the thread that scans, which ends when the scanner is dropped.
    ///
    /// # Errors
    ///
    /// [`ScanError`] if the eventfd or the thread cannot be created.
    pub fn start(program: ScanProgram, clock: Clock) -> Result<Scanner, ScanError> {
        let ScanProgram { link } = program;
        let ready = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let ready = Arc::new(ready.map_err(|error| ScanError::System {
            doing: "create an eventfd",
            error: error.into(),
        })?);
        let (requests, requested) = bounded(1);
        let (finished, results) = bounded(1);
        threads::named("owners")
            .keeping(permissions::needed_after_attach())
            .spawn({
                let ready = Arc::clone(&ready);
                move || run_scans(&link, clock, &requested, &finished, &ready)
            })
            .map_err(|error| ScanError::System {
                doing: "start the thread that scans open files",
                error,
            })?;
        Ok(Scanner::new(requests, results, ready))
    }

    /// A scanner whose thread takes `requests`, sends `results`, and makes `ready` readable.
    fn new(
        requests: Sender<HashSet<u64>>,
        results: Receiver<ScanResult>,
        ready: Arc<OwnedFd>,
    ) -> Scanner {
        Scanner {
            requests,
            results,
            ready,
            running: false,
            next: Duration::ZERO,
            last_begun: Duration::ZERO,
            interval: MIN_INTERVAL,
            scans: 0,
            scans_cut: 0,
            failed: false,
        }
    }

    /// A descriptor that becomes readable when a scan is done.
    pub fn ready(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    /// Number of scans that were begun.
    pub fn scans(&self) -> u64 {
        self.scans
    }

    /// Number of scans that found more holders than are kept.
    pub fn scans_cut(&self) -> u64 {
        self.scans_cut
    }

    /// The time since boot at which the next scan may begin; `None` while one is running.
    pub fn earliest_start(&self) -> Option<Duration> {
        (!self.running).then_some(self.next)
    }

    /// The time since boot at which the first scan that begins after `time` begins or has begun, as far as is known;
    /// `None` if there are no more scans.
    pub fn begin_after(&self, time: Duration) -> Option<Duration> {
        let begin = match self.running && self.last_begun > time {
            true => self.last_begun,
            // While a scan runs, `next` is that of the scan before it.
            false if self.running => self.last_begun + self.interval,
            false => self.next,
        };
        (begin < Duration::MAX).then_some(begin)
    }

    /// Begins a scan, unless one is running or the last one began too recently. Returns whether a scan was
    /// begun. `wanted` returns the inodes that events ask for.
    pub fn begin(&mut self, now: Duration, wanted: impl FnOnce() -> HashSet<u64>) -> bool {
        if self.running || now < self.next {
            return false;
        }
        if self.requests.try_send(wanted()).is_err() {
            // As in `result`.
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
                 socket counted once), which is the most that the host keeps: `holders` may be too \
                 low, and the first events of a socket may have no owner; count the entries of \
                 /proc/PID/fd to find the process"
            );
        }
    }

    /// Takes the result of the scan that was running, if it is done and has succeeded.
    pub fn result(&mut self) -> Option<HolderTable> {
        // Resets the eventfd, whether or not there is a result: the result may have been taken before the thread
        // wrote to the eventfd. The read fails if the eventfd is 0 already.
        let _ = rustix::io::read(&self.ready, &mut [0; 8]);
        let ScanResult {
            table,
            cpu_time,
            elapsed,
        } = match self.results.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return None,
            // The thread has panicked, which was printed. There are no more scans.
            Err(TryRecvError::Disconnected) => {
                self.running = false;
                self.next = Duration::MAX;
                return None;
            }
        };
        self.running = false;
        let interval = MIN_INTERVAL.max(cpu_time * INTERVAL_FACTOR);
        self.next = self.last_begun + interval;
        self.interval = interval;
        match table {
            Ok(mut table) => {
                table.validity = validity(interval, elapsed);
                if table.is_cut {
                    self.note_cut();
                }
                Some(table)
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

/// How long the answers of a scan are valid, counted from its beginning: until the next scan is done, with some
/// reserve, but within [`MIN_VALIDITY`] and [`MAX_VALIDITY`]. A user with many open files makes scans slow. Without
/// this rule, all owners would then be unknown between two scans.
fn validity(interval: Duration, elapsed: Duration) -> Duration {
    (interval + interval / 2 + elapsed).clamp(MIN_VALIDITY, MAX_VALIDITY)
}

/// Makes a scan for each request, until the scanner is dropped.
fn run_scans(
    link: &Link,
    clock: Clock,
    requests: &Receiver<HashSet<u64>>,
    results: &Sender<ScanResult>,
    ready: &OwnedFd,
) {
    for wanted in requests {
        let begun = clock.now().boot();
        let before = threads::cpu_time();
        let mut found = Collector::new(wanted);
        let read = iterator::read(link, |holders| found.take(holders));
        let table = read.map(|()| found.finish(begun));
        let result = ScanResult {
            table,
            cpu_time: threads::cpu_time().saturating_sub(before),
            elapsed: clock.now().boot().saturating_sub(begun),
        };
        if results.send(result).is_err() {
            return;
        }
        // The write fails if the eventfd is at its maximum. It is then readable, so the source wakes up in any case.
        let _ = rustix::io::write(ready, &1u64.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise all events of a socket that is not known yet would wait for a scan that never ends.
    #[test]
    fn there_are_no_more_scans_once_the_thread_has_panicked() {
        let (requests, requested) = bounded(1);
        let (finished, results) = bounded(1);
        let ready = eventfd(0, EventfdFlags::NONBLOCK).expect("an eventfd");
        let mut scanner = Scanner::new(requests, results, Arc::new(ready));
        let now = Duration::from_secs(5);
        assert!(scanner.begin(now, HashSet::new));
        assert!(scanner.result().is_none(), "it runs");
        assert!(scanner.begin_after(now).is_some());
        drop((requested, finished));
        assert!(scanner.result().is_none());
        assert_eq!(scanner.begin_after(now), None);
        assert!(!scanner.begin(now * 2, HashSet::new));
    }

    #[test]
    fn answers_hold_until_the_next_scan_is_done_but_a_second_at_least_and_a_minute_at_most() {
        let validity = |interval, elapsed| {
            let [interval, elapsed] = [interval, elapsed].map(Duration::from_millis);
            validity(interval, elapsed).as_millis()
        };
        assert_eq!(validity(100, 3), 1_000);
        assert_eq!(validity(500, 80), 1_000);
        // The times of a scan with 8 million open files.
        assert_eq!(validity(14_500, 1_500), 23_250);
        assert_eq!(validity(100_000, 10_000), 60_000);
    }
}
