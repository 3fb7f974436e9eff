//! Ends a run: at a signal, after `--duration`, at the end of the chain, or when standard output is closed.
//!
//! After the first signal, or when the duration has passed, the run has a few seconds: the source stops, the recording
//! ends, and the chain processes the remaining events. Writes that still wait after that are cancelled, and the process
//! ends even if a plugin, a disk or a reader blocks it.

use std::io;
use std::io::Read as _;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use signal_hook::consts::SIGHUP;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;
use signal_hook::consts::SIGXFSZ;

use crate::system::procfs;
use crate::system::stdio;
use crate::system::stdio::StdoutStatus;
use crate::system::threads;

/// Exit code of a run that a second signal ended: 128 + SIGINT, as in shells.
const INTERRUPTED: i32 = 130;

/// Exit code of a run that did not end within [`END_TIMEOUT`].
const FAILURE: i32 = 1;

/// A signal within this time after the first is taken for the same one: `timeout` sends its signal to the process and
/// to the process group.
const SAME_SIGNAL_INTERVAL: Duration = Duration::from_secs(1);

/// Interval at which code that waits for something other than a descriptor checks whether the run is ending.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Time after the first signal at which writes are cancelled.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(3);

/// Time after the first signal at which the process ends in any case.
const END_TIMEOUT: Duration = Duration::from_millis(4_500);

/// Maximum wait: an [`Instant`] must not overflow.
const MAX_WAIT: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Handlers of signals, before the thread that acts on them was started. A signal that arrives meanwhile is not lost.
#[derive(Debug)]
pub struct Signals {
    stop: Stop,
    watcher: SignalWatcher,
}

impl Signals {
    /// Registers handlers: the first SIGINT or SIGTERM ends the run, and one that arrives a second later or more ends
    /// the process.
    pub fn listen() -> io::Result<Signals> {
        Signals::listen_to(&[SIGINT, SIGTERM])
    }

    /// The same, with SIGHUP as a further signal: for a run that ends with its terminal.
    pub fn listen_on_terminal() -> io::Result<Signals> {
        Signals::listen_to(&[SIGINT, SIGTERM, SIGHUP])
    }

    fn listen_to(numbers: &[i32]) -> io::Result<Signals> {
        let (wake, trigger) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let (signals, signal) = UnixStream::pair()?;
        for number in numbers {
            // A shell ignores SIGINT in background jobs, which Ctrl-C must not end, and nohup SIGHUP: they stay ignored.
            if !procfs::ignores(*number) {
                signal_hook::low_level::pipe::register(*number, signal.try_clone()?)?;
            }
        }
        // Beyond a limit on the file size, a write then fails with an error. Without a handler, SIGXFSZ would end the
        // process.
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        let ending = Arc::new(AtomicBool::new(false));
        let watcher = SignalWatcher {
            signals,
            trigger: trigger.try_clone()?,
            ending: Arc::clone(&ending),
        };
        let stop = Stop {
            wake,
            trigger,
            signal,
            ending,
            stdout_status: Arc::new(StdoutStatus::new()?),
        };
        Ok(Signals { stop, watcher })
    }

    /// Starts the thread that acts on signals.
    pub fn start(self) -> io::Result<Stop> {
        let Signals { stop, watcher } = self;
        threads::named("signals").spawn(move || watcher.run())?;
        Ok(stop)
    }
}

/// Notifies the source, and all code that waits, of the end of the run.
#[derive(Debug)]
pub struct Stop {
    /// Readable once the run is ending.
    wake: UnixStream,
    /// A byte written here makes `wake` readable.
    trigger: UnixStream,
    /// A byte written here has the effect of a signal.
    signal: UnixStream,
    ending: Arc<AtomicBool>,
    stdout_status: Arc<StdoutStatus>,
}

/// Why [`Stop::wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// A descriptor can be read.
    Ready,
    /// The timeout has passed, or a signal handler ran.
    Timeout,
    /// The run is ending.
    Stop,
}

impl Stop {
    /// As [`Signals::listen`] and [`Signals::start`].
    pub fn at_signals() -> io::Result<Stop> {
        Signals::listen()?.start()
    }

    /// Ends the run after this time, as a signal does.
    pub fn end_after(&self, time: Duration) -> io::Result<()> {
        let end = self.end_handle()?;
        let spawned = threads::named("duration").spawn(move || {
            thread::sleep(time);
            end.end();
        });
        spawned.map(drop)
    }

    /// The status of standard output.
    pub fn stdout_status(&self) -> &Arc<StdoutStatus> {
        &self.stdout_status
    }

    /// Returns whether the run is ending: a signal arrived, or the duration has passed.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Waits for this time, or until the run is ending. Returns whether it is. A closed standard output is not noticed
    /// here, but at the next write.
    pub fn is_ending_within(&self, time: Duration) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        let end = Instant::now() + time.min(MAX_WAIT);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match poll(&mut fds, Some(&timespec(left))) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) => return false,
                _ => return true,
            }
        }
    }

    /// Returns a guard for another thread. Dropping it wakes the source, which then ends the run.
    pub fn stop_on_drop(&self) -> io::Result<StopOnDrop> {
        Ok(StopOnDrop(self.trigger.try_clone()?))
    }

    /// Returns a handle with which another thread ends the run as a signal does.
    pub fn end_handle(&self) -> io::Result<EndHandle> {
        Ok(EndHandle {
            signal: self.signal.try_clone()?,
            ending: Arc::clone(&self.ending),
        })
    }

    /// Waits until one of two descriptors can be read, until the run is ending, or for `timeout`. A closed standard
    /// output ends the run too: otherwise `retrans-host | head -1` would wait for one more event.
    pub fn wait(
        &self,
        first: BorrowedFd<'_>,
        second: Option<BorrowedFd<'_>>,
        timeout: Duration,
    ) -> io::Result<Wake> {
        let stdout = match self.stdout_status.ends_run_when_closed() {
            true => self.stdout_status.stdout().as_fd(),
            false => self.wake.as_fd(),
        };
        let mut fds = [
            PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stdout, PollFlags::empty()),
            PollFd::from_borrowed_fd(first, PollFlags::IN),
            PollFd::from_borrowed_fd(second.unwrap_or(first), PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(timeout))) {
            // If the signal ends the run, `wake` is readable at the next call.
            Err(rustix::io::Errno::INTR) => return Ok(Wake::Timeout),
            result => result?,
        };
        let [wake, stdout, first, second] = fds.map(|fd| fd.revents());
        if !wake.is_empty() || stdout.contains(PollFlags::ERR) {
            return Ok(Wake::Stop);
        }
        Ok(if (first | second).is_empty() {
            Wake::Timeout
        } else {
            Wake::Ready
        })
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Ends the run when it is dropped, also if its thread panics.
#[derive(Debug)]
pub struct StopOnDrop(UnixStream);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        // If the stream is full, the source wakes up without this byte.
        let _ = rustix::io::write(&self.0, &[0]);
    }
}

/// A handle that ends the run as a signal does.
#[derive(Debug)]
pub struct EndHandle {
    signal: UnixStream,
    ending: Arc<AtomicBool>,
}

impl EndHandle {
    /// Ends the run, unless it is ending already: this never counts as a second signal.
    pub fn end(&self) {
        if !self.ending.load(Ordering::Relaxed) {
            let _ = rustix::io::write(&self.signal, &[0]);
        }
    }
}

/// The thread that waits for signals. The handler of a signal writes a byte to `signals`.
#[derive(Debug)]
struct SignalWatcher {
    signals: UnixStream,
    trigger: UnixStream,
    ending: Arc<AtomicBool>,
}

impl SignalWatcher {
    fn run(mut self) {
        if !self.wait_for_signal(None) {
            return;
        }
        let first = Instant::now();
        self.ending.store(true, Ordering::Relaxed);
        let _ = rustix::io::write(&self.trigger, &[0]);
        let steps: [(Duration, fn()); 2] = [
            (OUTPUT_TIMEOUT, stdio::cancel_writes),
            (END_TIMEOUT, exit_with_error),
        ];
        for (timeout, step) in steps {
            while let Some(left) = timeout.checked_sub(first.elapsed()) {
                if self.wait_for_signal(Some(left)) && first.elapsed() >= SAME_SIGNAL_INTERVAL {
                    stdio::leave_screen();
                    signal_hook::low_level::exit(INTERRUPTED);
                }
            }
            step();
        }
    }

    /// Waits for a signal. False: none arrived within the timeout, or the stream is closed.
    fn wait_for_signal(&mut self, timeout: Option<Duration>) -> bool {
        // `set_read_timeout` refuses a timeout of zero.
        let timeout = timeout.map(|timeout| timeout.max(Duration::from_millis(1)));
        if self.signals.set_read_timeout(timeout).is_err() {
            return false;
        }
        loop {
            match self.signals.read(&mut [0; 64]) {
                Ok(read) => return read > 0,
                // The handler ran in this thread, and has written its byte.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }
}

/// Ends the process, whatever blocks it.
fn exit_with_error() {
    stdio::leave_screen();
    stdio::print_error(&format!(
        "error: the run did not end within {END_TIMEOUT:?} of the signal: a plugin, a disk or a reader blocks it"
    ));
    signal_hook::low_level::exit(FAILURE);
}
