//! The clocks: the kernel stamps events with its time since boot; output shows the time of day.
//!
//! In a time namespace, the time since boot that a process reads differs from the kernel's by an offset. So do
//! the times that the process reads in `/proc`. All times since boot in this program are the kernel's own.
//! [`Clock`] is the only type that converts between the two.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::Timespec;
use rustix::time::clock_getres;
use rustix::time::clock_gettime;

use crate::stream::moment::Mark;

/// The initial time namespace, with which the kernel boots (PROC_TIME_INIT_INO). Its offset is 0.
const INITIAL_NAMESPACE: &str = "time:[4026531834]";

/// The longest time between the readings of the two clocks of one [`Now`], unless this thread
/// is interrupted at each of [`MAX_READS`] attempts.
const MAX_READ_GAP: Duration = Duration::from_micros(50);

/// How often the two clocks are read at most to get within [`MAX_READ_GAP`].
const MAX_READS: u32 = 4;

/// Why the kernel's time since boot cannot be determined.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// `/proc` is not mounted, or is not readable.
    #[error(
        "cannot determine the kernel's time since boot: cannot read {path}: {error}; mount proc at \
         /proc"
    )]
    Unreadable {
        /// Path of the file.
        path: String,
        /// The error of the system call.
        error: io::Error,
    },
    /// The kernel shows only the offsets of another time namespace.
    #[error(
        "cannot determine the kernel's time since boot: this process is in the time namespace {own}, \
         its children will be in {children}, and the kernel shows only the offsets of the latter; \
         start it with `unshare --time --fork`, or outside of time namespaces"
    )]
    OtherNamespace {
        /// Target of the link `/proc/self/ns/time`.
        own: String,
        /// Target of the link `/proc/self/ns/time_for_children`.
        children: String,
    },
    /// The file has another form than expected.
    #[error(
        "cannot determine the kernel's time since boot: {path} has no offset of boottime: {text:?}; \
         please report this as a bug"
    )]
    NoOffset {
        /// Path of the file.
        path: String,
        /// Contents of the file.
        text: String,
    },
}

/// Reads the kernel's clocks in a process that may be in a time namespace. The offset is read once, because a process
/// with more than one thread cannot change its time namespace.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    /// Time since boot as this process reads it, minus the kernel's, in ns.
    offset: i64,
}

impl Clock {
    /// The clock of this process.
    ///
    /// # Errors
    ///
    /// [`ClockError`] if the offset of the process's time namespace cannot be determined.
    pub fn of_this_process() -> Result<Clock, ClockError> {
        Clock::of(Path::new("/proc/self"))
    }

    fn of(process: &Path) -> Result<Clock, ClockError> {
        let unreadable = |path: &Path| {
            let path = path.display().to_string();
            move |error| ClockError::Unreadable { path, error }
        };
        let namespaces = process.join("ns");
        let link = |name| {
            let path = namespaces.join(name);
            let target = fs::read_link(&path).map_err(unreadable(&path))?;
            Ok(target.to_string_lossy().into_owned())
        };
        fs::metadata(&namespaces).map_err(unreadable(&namespaces))?;
        let own = match link("time") {
            Ok(own) => own,
            // The kernel was built without CONFIG_TIME_NS.
            Err(ClockError::Unreadable { error, .. })
                if error.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(Clock::default());
            }
            Err(error) => return Err(error),
        };
        if own == INITIAL_NAMESPACE {
            return Ok(Clock::default());
        }
        let children = link("time_for_children")?;
        if own != children {
            return Err(ClockError::OtherNamespace { own, children });
        }
        let path = process.join("timens_offsets");
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        let offset = boottime_offset(&text).ok_or_else(|| ClockError::NoOffset {
            path: path.display().to_string(),
            text,
        })?;
        Ok(Clock { offset })
    }

    /// Reads both clocks. Callers must not keep the result for long, because the time of day may be set.
    pub fn now(&self) -> Now {
        let boot = || duration(clock_gettime(ClockId::Boottime));
        let wall = || duration(clock_gettime(ClockId::Realtime));
        let (seen, wall) = read_together(boot, wall);
        let boot = shifted(seen, self.offset.saturating_neg());
        Now { boot, wall }
    }

    /// Converts a time since boot to the value that `/proc` shows to this process.
    pub fn shown_in_proc(&self, boot: Duration) -> Duration {
        shifted(boot, self.offset)
    }
}

/// The time since boot and the time of day of the same moment, which give the difference between the two clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    boot: Duration,
    wall: Duration,
}

impl Now {
    /// The kernel's time since boot.
    pub fn boot(&self) -> Duration {
        self.boot
    }

    /// The time of day when the time since boot was `boot`.
    pub fn wall_at(&self, boot: Duration) -> Duration {
        (self.wall + boot).saturating_sub(self.boot)
    }

    /// A mark at the time since boot `time`, which reports `lost` events as lost.
    pub fn mark(&self, time: Duration, lost: u64) -> Mark {
        let wall_time = self.wall_at(time);
        Mark {
            time,
            wall_time,
            lost,
        }
    }
}

/// The length of a jiffy, 1/HZ. It is the resolution of the kernel's coarse clocks.
pub fn jiffy() -> Duration {
    duration(clock_getres(ClockId::MonotonicCoarse))
}

/// Reads two clocks at almost the same moment. If more than [`MAX_READ_GAP`] passes between the readings (another
/// process ran, the machine was suspended, the time was set), it reads them again. Returns the closest pair.
fn read_together(boot: impl Fn() -> Duration, wall: impl Fn() -> Duration) -> (Duration, Duration) {
    let read = || {
        let before = boot();
        let wall = wall();
        let took = boot().saturating_sub(before);
        (took, before, wall)
    };
    let mut best = read();
    for _ in 1..MAX_READS {
        if best.0 <= MAX_READ_GAP {
            break;
        }
        best = best.min(read());
    }
    let (_, boot, wall) = best;
    (boot, wall)
}

/// Parses the offset of boottime, in ns, in the text of `/proc/self/timens_offsets`. Each line has the name
/// of a clock, seconds, and nanoseconds to be added to them.
fn boottime_offset(text: &str) -> Option<i64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("boottime"))?;
    let mut numbers = line.split_ascii_whitespace();
    let seconds: i64 = numbers.next()?.parse().ok()?;
    let nanoseconds: i64 = numbers.next()?.parse().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

fn shifted(time: Duration, nanoseconds: i64) -> Duration {
    let by = Duration::from_nanos(nanoseconds.unsigned_abs());
    if nanoseconds < 0 {
        time.saturating_sub(by)
    } else {
        time.saturating_add(by)
    }
}

fn duration(time: Timespec) -> Duration {
    let seconds = Duration::from_secs(time.tv_sec.try_into().unwrap_or(0));
    seconds + Duration::from_nanos(time.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests;
