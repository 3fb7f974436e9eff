//! The signals of a terminal: its size has changed, the process is to stop, it goes on, or it is to end.

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

use rustix::process::Signal;
use rustix::process::getpid;
use rustix::process::getppid;
use rustix::process::getsid;
use rustix::process::kill_process;
use signal_hook::consts::SIGCONT;
use signal_hook::consts::SIGHUP;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGTERM;
use signal_hook::consts::SIGTSTP;
use signal_hook::consts::SIGWINCH;

use crate::system::procfs;

/// Maximum time between the signal that stops this process and the stop, and the interval at which this thread looks
/// whether the process was continued.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
const STOP_POLL: Duration = Duration::from_millis(5);

/// What has arrived. A byte can be read from it after each signal.
#[derive(Debug)]
pub struct TerminalSignals {
    wake: UnixStream,
    /// A byte written here wakes as a signal does.
    waker: UnixStream,
    end: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    resume: Arc<AtomicBool>,
}

impl TerminalSignals {
    /// Registers handlers. Those that end the run have others as well, which end it: here they only wake.
    pub fn listen() -> io::Result<TerminalSignals> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let signals = TerminalSignals {
            wake,
            waker,
            end: Arc::default(),
            stop: Arc::default(),
            resume: Arc::default(),
        };
        for (number, flag) in [
            (SIGINT, Some(&signals.end)),
            (SIGTERM, Some(&signals.end)),
            (SIGHUP, Some(&signals.end)),
            (SIGTSTP, Some(&signals.stop)),
            (SIGCONT, Some(&signals.resume)),
            (SIGWINCH, None),
        ] {
            if procfs::ignores(number) {
                continue;
            }
            // The flag is set before the byte is there.
            if let Some(flag) = flag {
                signal_hook::flag::register(number, Arc::clone(flag))?;
            }
            signal_hook::low_level::pipe::register(number, signals.waker.try_clone()?)?;
        }
        Ok(signals)
    }

    /// A stream that wakes the thread that waits for a signal, by a byte.
    pub fn waker(&self) -> io::Result<UnixStream> {
        self.waker.try_clone()
    }

    /// Can be read after a signal.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Reads the bytes of all signals so far.
    pub fn clear(&mut self) {
        while matches!(self.wake.read(&mut [0; 64]), Ok(1..)) {}
    }

    /// Whether the run is to end.
    pub fn is_end(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }

    /// Returns whether the process is to stop, and clears the request.
    pub fn takes_stop(&self) -> bool {
        self.stop.swap(false, Ordering::Relaxed)
    }

    /// Stops this process, as SIGTSTP does without a handler, until it is continued.
    pub fn stop_this_process(&self) {
        self.takes_resume();
        let _ = kill_process(getpid(), Signal::STOP);
        // The signal may stop another thread first: this one must not go on before the process was continued.
        for _ in 0..STOP_TIMEOUT.as_millis() / STOP_POLL.as_millis() {
            if self.takes_resume() {
                break;
            }
            thread::sleep(STOP_POLL);
        }
    }

    /// Returns whether the process was stopped and goes on, and clears that.
    pub fn takes_resume(&self) -> bool {
        self.resume.swap(false, Ordering::Relaxed)
    }
}

/// Returns whether there is a shell that could continue this process: whether its parent is of the same session.
pub fn can_stop_this_process() -> bool {
    let session = |pid| getsid(pid).ok();
    session(getppid()).is_some_and(|parent| Some(parent) == session(None))
}
