//! The clocks: the kernel stamps with its time since boot, people read the time of day.
//!
//! A process in a time namespace reads another time since boot than the kernel stamps with, and so do
//! the times in `/proc` differ that such a process reads. All times since boot in this program are the
//! kernel's own; [`Clock`] is the one place where the two meet.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::Timespec;
use rustix::time::clock_getres;
use rustix::time::clock_gettime;

use crate::stream::batch::Mark;

/// The number of the time namespace that the kernel boots with (PROC_TIME_INIT_INO): its offset is 0.
const FIRST_NAMESPACE: &str = "time:[4026531834]";

/// Both clocks of one [`Now`] are read within this time, unless this thread is interrupted each time.
const CLOSE: Duration = Duration::from_micros(50);

/// How often the clocks are read to get them that close.
const READS: u32 = 4;

/// Why the kernel's time cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// `/proc` is not mounted, or not readable.
    #[error(
        "cannot tell the kernel's time since boot from this process's: cannot read {path}: {error}; \
         mount proc at /proc"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// The offsets that are shown are those of another time namespace.
    #[error(
        "cannot tell the kernel's time since boot from this process's: it is in the time namespace \
         {own}, its children in {children}, and the kernel shows offsets of the latter only; start \
         it with `unshare --time --fork`, or outside of time namespaces"
    )]
    OtherNamespace {
        /// As the link `/proc/self/ns/time` shows it.
        own: String,
        /// As the link `/proc/self/ns/time_for_children` shows it.
        children: String,
    },
    /// A line that is not understood.
    #[error(
        "cannot tell the kernel's time since boot from this process's: {path} has no offset of \
         boottime: {text:?}; please report this as a bug"
    )]
    NoOffset {
        /// The file.
        path: String,
        /// What is in it.
        text: String,
    },
}

/// The kernel's clocks, read by a process that may be in a time namespace. It stays in that one for as
/// long as it lives: only a process with a single thread can change it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    /// This process's time since boot less the kernel's, in ns.
    offset: i64,
}

impl Clock {
    /// The clock of this process.
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
            // Built without CONFIG_TIME_NS.
            Err(ClockError::Unreadable { error, .. })
                if error.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(Clock::default());
            }
            Err(error) => return Err(error),
        };
        if own == FIRST_NAMESPACE {
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

    /// Reads both clocks. To be read anew often: the time of day may be set.
    pub fn now(&self) -> Now {
        let boot = || duration(clock_gettime(ClockId::Boottime));
        let wall = || duration(clock_gettime(ClockId::Realtime));
        let (seen, wall) = at_once(boot, wall);
        let boot = shifted(seen, self.offset.saturating_neg());
        Now { boot, wall }
    }

    /// A time since boot as `/proc` shows it to this process.
    pub fn shown_in_proc(&self, boot: Duration) -> Duration {
        shifted(boot, self.offset)
    }
}

/// Time since boot and time of day at the same moment, and so how far they are apart.
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

    /// A moment, since boot, as a mark in the stream.
    pub fn mark(&self, time: Duration, lost: u64) -> Mark {
        let wall_time = self.wall_at(time);
        Mark {
            time,
            wall_time,
            lost,
        }
    }
}

/// The length of a jiffy, 1/HZ: what the kernel's coarse clocks advance by.
pub fn jiffy() -> Duration {
    duration(clock_getres(ClockId::MonotonicCoarse))
}

/// Reads two clocks as good as at the same moment: where something comes in between, such as another
/// process, a suspend, or the setting of the time, they are read again.
fn at_once(boot: impl Fn() -> Duration, wall: impl Fn() -> Duration) -> (Duration, Duration) {
    let read = || {
        let before = boot();
        let wall = wall();
        let took = boot().saturating_sub(before);
        (took, before, wall)
    };
    let mut best = read();
    for _ in 1..READS {
        if best.0 <= CLOSE {
            break;
        }
        best = best.min(read());
    }
    let (_, boot, wall) = best;
    (boot, wall)
}

/// The offset in ns in a file such as `/proc/self/timens_offsets`: a line a clock, with its name,
/// seconds, and nanoseconds that are added to them.
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
