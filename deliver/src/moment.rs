//! Points in time, which are passed to everything that depends on time. Tests make them up.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use jiff::Timestamp;

/// A point in time, by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Time since the start of the clock. It never steps.
    pub(crate) steady: Duration,
    /// Time since 1970-01-01T00:00:00Z. It may step in either direction.
    pub(crate) wall: Duration,
}

/// The clock of all outlets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    /// The time.
    pub(crate) fn now(self) -> Moment {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Moment {
            steady: self.0.elapsed(),
            wall: wall.unwrap_or_default(),
        }
    }

    /// The instant of a steady time.
    pub(crate) fn instant(self, steady: Duration) -> Instant {
        self.0 + steady
    }
}

/// A time since 1970-01-01T00:00:00Z as RFC 3339 text in UTC, with this number of digits after the second.
pub(crate) fn rfc3339(wall: Duration, digits: usize) -> String {
    // A time beyond the year 9999 is shown as the latest one in it.
    let time = Timestamp::from_nanosecond(wall.as_nanos() as i128).unwrap_or(Timestamp::MAX);
    format!("{time:.digits$}")
}

#[cfg(test)]
impl Moment {
    /// The moment this many milliseconds after the start of a test's clock.
    pub(crate) fn at_ms(ms: u64) -> Moment {
        Moment {
            steady: Duration::from_millis(ms),
            // 2027-01-15T08:00:00Z.
            wall: Duration::from_millis(1_800_000_000_000 + ms),
        }
    }

    /// The moment this many seconds after the start of a test's clock.
    pub(crate) fn at(seconds: u64) -> Moment {
        Moment::at_ms(seconds * 1_000)
    }
}
