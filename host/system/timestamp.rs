//! Times of day as text: RFC 3339, UTC.

use std::time::Duration;

use jiff::Timestamp;

/// With so many digits of a second.
pub fn show(wall_time: Duration, digits: usize) -> String {
    // Beyond the year 9999: nobody will read it.
    let time = Timestamp::from_nanosecond(wall_time.as_nanos() as i128).unwrap_or(Timestamp::MAX);
    format!("{time:.digits$}")
}

/// This moment.
pub fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
