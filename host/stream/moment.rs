//! Moments of the stream, and the marks by which it tells that it has reached one.

use std::time::Duration;

use retrans_event::Event;

/// Interval of the marks in a stream.
pub const MARK_INTERVAL: Duration = Duration::from_secs(1);

/// A moment of the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Time since boot, in which windows are measured.
    pub time: Duration,
    /// The same moment as a time since 1970-01-01T00:00:00Z, for display.
    pub wall_time: Duration,
}

/// A mark: the stream has reached this moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    /// Time since boot, in which windows are measured.
    pub time: Duration,
    /// The same moment as a time since 1970-01-01T00:00:00Z, for display.
    pub wall_time: Duration,
    /// Number of events that were lost since the previous item.
    pub lost: u64,
}

impl Mark {
    /// A mark at the time of an event, with this number of losses.
    pub fn at(event: &Event, lost: u64) -> Mark {
        Mark {
            time: event.time(),
            wall_time: event.wall_time(),
            lost,
        }
    }

    /// The moment of the mark.
    pub fn now(&self) -> Moment {
        Moment {
            time: self.time,
            wall_time: self.wall_time,
        }
    }
}
