//! Times of day as RFC 3339 text in UTC.

use std::time::Duration;

use jiff::Timestamp;

/// Formats a time since 1970-01-01T00:00:00Z, with this number of digits after the second.
pub fn show(wall_time: Duration, digits: usize) -> String {
    // A time beyond the year 9999 is shown as the latest one in it.
    let time = Timestamp::from_nanosecond(wall_time.as_nanos() as i128).unwrap_or(Timestamp::MAX);
    format!("{time:.digits$}")
}

/// The current time of day, with milliseconds.
pub fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
