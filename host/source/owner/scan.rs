//! The scan of open files, on a thread of its own: nobody waits while it runs.

use std::io;
use std::io::Read as _;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
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

use self::skeleton::HoldersSkelBuilder;
use super::snapshot::HOLDER_SIZE;
use super::snapshot::Snapshot;
use crate::source::clock;
use crate::source::clock::Clock;

#[allow(
    missing_docs,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used
)]
pub mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/holders.skel.rs"));
}

/// From the beginning of one scan to the beginning of the next, at least.
const INTERVAL: Duration = Duration::from_millis(100);

/// A scan takes CPU time, 28 ms with 126,000 open files (measured on 6.18): of one CPU at most one part
/// in so many.
const SHARE: u32 = 10;

/// Why open files cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The kernel refused the program.
    #[error("cannot {doing} the scan of open files: {error}")]
    Libbpf {
        /// What was being done: open, load, attach.
        doing: &'static str,
        /// What libbpf said.
        error: libbpf_rs::Error,
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

/// What a scan found, and the CPU time that it took.
struct Done {
    snapshot: Result<Snapshot, io::Error>,
    cost: Duration,
}

/// Begins scans, and takes their results.
pub struct Scanner {
    requests: Sender<()>,
    results: Receiver<Done>,
    /// Readable when there is a result.
    ready: Arc<OwnedFd>,
    running: bool,
    /// When the next scan may begin.
    next: Duration,
    last_begun: Duration,
    scans: u64,
    failed: bool,
}

impl Scanner {
    /// Loads the program and starts the thread, which ends when this is dropped.
    pub fn start(clock: Clock) -> Result<Scanner, ScanError> {
        let failed = |doing| move |error| ScanError::Libbpf { doing, error };
        let mut storage = MaybeUninit::uninit();
        let open = HoldersSkelBuilder::default()
            .open(&mut storage)
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
        thread::Builder::new()
            .name("owners".to_owned())
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

    /// When the next scan may begin; `None` while one is running.
    pub fn may_begin_at(&self) -> Option<Duration> {
        (!self.running).then_some(self.next)
    }

    /// Begins a scan, unless one is running or the last one was just now; did it?
    pub fn begin(&mut self, now: Duration) -> bool {
        if self.running || now < self.next {
            return false;
        }
        if self.requests.try_send(()).is_err() {
            // The thread has panicked, which was printed: there will be no more scans.
            self.next = Duration::MAX;
            return false;
        }
        self.running = true;
        self.last_begun = now;
        self.scans += 1;
        true
    }

    /// What the scan found that was running, once it is done.
    pub fn result(&mut self) -> Option<Snapshot> {
        // Back to zero, whether or not there is a result: it was perhaps taken before this was
        // written. An error says that it is zero already.
        let _ = rustix::io::read(&self.ready, &mut [0; 8]);
        let Done { snapshot, cost } = self.results.try_recv().ok()?;
        self.running = false;
        self.next = self.last_begun + INTERVAL.max(cost * SHARE);
        match snapshot {
            Ok(snapshot) => Some(snapshot),
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

/// Scans whenever it is asked to.
fn serve(
    link: &Link,
    clock: Clock,
    requests: &Receiver<()>,
    results: &Sender<Done>,
    ready: &OwnedFd,
) {
    let mut bytes = Vec::new();
    for () in requests {
        let begun = clock.now().boot();
        let before = clock::of_thread();
        let snapshot = read(link, &mut bytes).map(|()| Snapshot::new(begun, &bytes));
        let cost = clock::of_thread().saturating_sub(before);
        if results.send(Done { snapshot, cost }).is_err() {
            return;
        }
        // Full means that the source will wake up anyhow.
        let _ = rustix::io::write(ready, &1u64.to_ne_bytes());
    }
}

/// One pass over all open files.
fn read(link: &Link, bytes: &mut Vec<u8>) -> io::Result<()> {
    /// The kernel fills at most 8 pages at a time.
    const CHUNK: usize = 32 * 1024;
    bytes.clear();
    let mut files = Iter::new(link).map_err(io::Error::other)?;
    loop {
        let length = bytes.len();
        bytes.resize(length + CHUNK, 0);
        let read = files.read(&mut bytes[length..]);
        bytes.truncate(length + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => break,
            Ok(_) => {}
            // The kernel pauses after a million files without a socket.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    debug_assert_eq!(bytes.len() % HOLDER_SIZE, 0);
    Ok(())
}
