//! What ends a run: a signal, the end of the chain, or a reader that has gone.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;
use signal_hook::consts::SIGXFSZ;

/// Exit code of a run that a second signal cut short: 128 + SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Nobody waits a year for the next event, and an [`Instant`] must not overflow.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Wakes the source up when the run is to end.
#[derive(Debug)]
pub struct Stop {
    wake: UnixStream,
    trigger: UnixStream,
    signalled: Arc<AtomicBool>,
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
    /// Ends the run at the first SIGINT or SIGTERM. The second kills the process, so that nobody is
    /// held up by a reader that does not read.
    pub fn at_signals() -> io::Result<Stop> {
        let (wake, trigger) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let seen = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds `seen` false, sets it and wakes the source.
            signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, seen.clone())?;
            signal_hook::flag::register(signal, seen.clone())?;
            signal_hook::low_level::pipe::register(signal, trigger.try_clone()?)?;
        }
        // A limit on the size of files is then an error of the write, and not the end of everything.
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        Ok(Stop {
            wake,
            trigger,
            signalled: seen,
        })
    }

    /// Did a signal come?
    pub fn by_signal(&self) -> bool {
        self.signalled.load(Ordering::Relaxed)
    }

    /// Waits so long; true: the run is to end.
    pub fn comes_within(&self, time: Duration) -> bool {
        // Standard output that was closed ends the run as well, when something is written to it.
        let mut fds = [PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        let end = Instant::now() + time.min(LONGEST_WAIT);
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

    /// Waits until one of two descriptors can be read, but at most so long. A standard output that
    /// nobody reads any more ends the run too, or `retrans-host | head -1` would wait for one more
    /// event.
    pub fn wait(
        &self,
        first: BorrowedFd<'_>,
        second: Option<BorrowedFd<'_>>,
        timeout: Duration,
    ) -> io::Result<Wake> {
        let stdout = io::stdout();
        let mut fds = [
            PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty()),
            PollFd::from_borrowed_fd(first, PollFlags::IN),
            PollFd::from_borrowed_fd(second.unwrap_or(first), PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(timeout))) {
            // A signal that ends the run also wrote to `wake`.
            Err(rustix::io::Errno::INTR) => return Ok(Wake::Timeout),
            result => result?,
        };
        let [wake, stdout, first, second] = fds.map(|fd| fd.revents());
        if !wake.is_empty() || stdout.intersects(PollFlags::ERR | PollFlags::HUP) {
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

/// Has the reader of standard output gone?
pub fn stdout_is_closed() -> bool {
    let stdout = io::stdout();
    let mut fds = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty())];
    poll(&mut fds, Some(&timespec(Duration::ZERO))).is_ok()
        && fds[0].revents().contains(PollFlags::ERR)
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
