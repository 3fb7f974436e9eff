//! What ends a run: a signal, a time that was set, the end of the chain, or a reader that has gone.
//!
//! After the first signal, or when the time is up, the run has a few seconds: the source stops, the
//! recording ends, and the chain finishes what it was given. Output that is not taken by then is given
//! up, and the process ends even where a plugin, a disk or a reader holds it up.

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
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;
use signal_hook::consts::SIGXFSZ;

use crate::system::procfs;
use crate::system::stdio;
use crate::system::stdio::Outlet;
use crate::system::threads;

/// Exit code of a run that a second signal cut short: 128 + SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Exit code of a run that did not end by itself.
const FAILURE: i32 = 1;

/// A signal that comes so soon after the first is the same one: `timeout` sends its signal to the
/// process and to the process's group.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// While something else is waited for than a descriptor: how often it is looked whether the run is ending.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How long output is waited for after the first signal.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the process may take to end after the first signal.
const END_TIMEOUT: Duration = Duration::from_millis(4_500);

/// The longest wait: an [`Instant`] must not overflow.
const MAX_WAIT: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Tells the source, and everything that waits, that the run is to end.
#[derive(Debug)]
pub struct Stop {
    wake: UnixStream,
    trigger: UnixStream,
    /// To the thread that watches signals.
    signal: UnixStream,
    ending: Arc<AtomicBool>,
    outlet: Arc<Outlet>,
}

/// Why [`Stop::wait`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// There is something to read.
    Ready,
    /// The time is up.
    Timeout,
    /// The run is to end.
    Stop,
}

impl Stop {
    /// Ends the run at the first SIGINT or SIGTERM. One that comes a second later or more ends the
    /// process.
    pub fn at_signals() -> io::Result<Stop> {
        let (wake, trigger) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let (signals, signal) = UnixStream::pair()?;
        for number in [SIGINT, SIGTERM] {
            // As a shell starts what it runs in the background: Ctrl-C is not for it.
            if !procfs::ignores(number) {
                signal_hook::low_level::pipe::register(number, signal.try_clone()?)?;
            }
        }
        // A limit on the size of files is then an error of the write, and not the end of everything.
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        let ending = Arc::new(AtomicBool::new(false));
        let watch = Watch {
            signals,
            trigger: trigger.try_clone()?,
            ending: Arc::clone(&ending),
        };
        threads::named("signals").spawn(move || watch.run())?;
        Ok(Stop {
            wake,
            trigger,
            signal,
            ending,
            outlet: Arc::new(Outlet::new()?),
        })
    }

    /// After this time from now the run ends as at a signal.
    pub fn end_after(&self, time: Duration) -> io::Result<()> {
        let end = self.as_signal()?;
        let waiting = threads::named("duration").spawn(move || {
            thread::sleep(time);
            end.end();
        });
        waiting.map(drop)
    }

    /// Where standard output leads.
    pub fn outlet(&self) -> &Arc<Outlet> {
        &self.outlet
    }

    /// Did a signal come, or is the time up?
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Waits this long; true: the run is to end. A standard output without a reader ends it as well, but
    /// only when something is written to it.
    pub fn comes_within(&self, time: Duration) -> bool {
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

    /// A handle with which another thread ends the run when it drops it.
    pub fn on_drop(&self) -> io::Result<StopOnDrop> {
        Ok(StopOnDrop(self.trigger.try_clone()?))
    }

    /// A handle with which another thread ends the run as a signal does.
    pub fn as_signal(&self) -> io::Result<EndAsSignal> {
        Ok(EndAsSignal {
            signal: self.signal.try_clone()?,
            ending: Arc::clone(&self.ending),
        })
    }

    /// Waits until one of two descriptors can be read, but at most `timeout`. A standard output that has
    /// lost its reader ends the run too, or `retrans-host | head -1` would wait for one more event.
    pub fn wait(
        &self,
        first: BorrowedFd<'_>,
        second: Option<BorrowedFd<'_>>,
        timeout: Duration,
    ) -> io::Result<Wake> {
        let stdout = match self.outlet.ends_with_reader() {
            true => self.outlet.stdout().as_fd(),
            false => self.wake.as_fd(),
        };
        let mut fds = [
            PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stdout, PollFlags::empty()),
            PollFd::from_borrowed_fd(first, PollFlags::IN),
            PollFd::from_borrowed_fd(second.unwrap_or(first), PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(timeout))) {
            // A signal that ends the run also writes to `wake`.
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

/// Ends the run when it is dropped, also by a panic.
#[derive(Debug)]
pub struct StopOnDrop(UnixStream);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        // Full means that the source will wake up anyhow.
        let _ = rustix::io::write(&self.0, &[0]);
    }
}

/// Ends the run as a signal does.
#[derive(Debug)]
pub struct EndAsSignal {
    signal: UnixStream,
    ending: Arc<AtomicBool>,
}

impl EndAsSignal {
    /// Ends it, unless it is ending: this is never a second signal.
    pub fn end(&self) {
        if !self.ending.load(Ordering::Relaxed) {
            let _ = rustix::io::write(&self.signal, &[0]);
        }
    }
}

/// The thread that watches signals: each is a byte that its handler has written.
struct Watch {
    signals: UnixStream,
    trigger: UnixStream,
    ending: Arc<AtomicBool>,
}

impl Watch {
    fn run(mut self) {
        if !self.signal_within(None) {
            return;
        }
        let first = Instant::now();
        self.ending.store(true, Ordering::Relaxed);
        let _ = rustix::io::write(&self.trigger, &[0]);
        let limits: [(Duration, fn()); 2] =
            [(OUTPUT_TIMEOUT, stdio::call_off), (END_TIMEOUT, give_up)];
        for (limit, then) in limits {
            while let Some(left) = limit.checked_sub(first.elapsed()) {
                if self.signal_within(Some(left)) && first.elapsed() >= SAME_SIGNAL {
                    signal_hook::low_level::exit(INTERRUPTED);
                }
            }
            then();
        }
    }

    /// Waits for a signal. False: none came in time, or none can come any more.
    fn signal_within(&mut self, time: Option<Duration>) -> bool {
        // Zero would be no limit at all.
        let limit = time.map(|time| time.max(Duration::from_millis(1)));
        if self.signals.set_read_timeout(limit).is_err() {
            return false;
        }
        loop {
            match self.signals.read(&mut [0; 64]) {
                Ok(read) => return read > 0,
                // This thread ran the handler, which has written its byte.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }
}

/// The process ends, whatever holds it up.
fn give_up() {
    stdio::print(&format!(
        "retrans-host: error: the run did not end within {END_TIMEOUT:?} of the signal: a plugin, a disk \
         or a reader holds it up\n"
    ));
    signal_hook::low_level::exit(FAILURE);
}
