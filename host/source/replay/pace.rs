//! How long to wait for the next event, so that time passes as it was recorded.

use std::time::Duration;
use std::time::Instant;

/// The stream's time beside the clock on the wall.
#[derive(Debug)]
pub struct Pace {
    speed: f64,
    /// The first moment of the stream, and when it was.
    begun: Option<(Duration, Instant)>,
    /// The latest moment of the stream.
    latest: Duration,
}

/// Events of two sockets may be out of order by so much; what goes back further is another stream.
const DISORDER: Duration = Duration::from_secs(1);

impl Pace {
    /// So many times as fast as it was recorded.
    pub fn new(speed: f64) -> Pace {
        Pace {
            speed,
            begun: None,
            latest: Duration::ZERO,
        }
    }

    /// Another stream begins, whose time has nothing to do with that of the one before.
    pub fn begin_anew(&mut self) {
        self.begun = None;
        self.latest = Duration::ZERO;
    }

    /// How long to wait until this moment of the stream has come. A stream that goes back in time
    /// begins anew.
    pub fn until(&mut self, time: Duration) -> Duration {
        if time + DISORDER < self.latest {
            self.begin_anew();
        }
        self.latest = self.latest.max(time);
        let (first, begun) = *self.begun.get_or_insert_with(|| (time, Instant::now()));
        let passed = time.saturating_sub(first);
        let due = Duration::try_from_secs_f64(passed.as_secs_f64() / self.speed);
        due.unwrap_or(Duration::MAX).saturating_sub(begun.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// The time that passes while a test runs is less.
    #[track_caller]
    fn assert_about(wait: Duration, expected: Duration) {
        assert!(wait <= expected, "{wait:?} > {expected:?}");
        assert!(wait > expected - HOUR / 2, "{wait:?}");
    }

    #[test]
    fn time_passes_as_many_times_as_fast_as_asked_for() {
        for (speed, expected) in [(1.0, 2 * HOUR), (2.0, HOUR), (0.5, 4 * HOUR)] {
            let mut pace = Pace::new(speed);
            assert_eq!(pace.until(5 * HOUR), Duration::ZERO, "the first begins");
            assert_about(pace.until(7 * HOUR), expected);
        }
    }

    #[test]
    fn a_little_back_is_no_other_stream() {
        let mut pace = Pace::new(1.0);
        pace.until(5 * HOUR);
        let late = 5 * HOUR - Duration::from_millis(100);
        assert_eq!(pace.until(late), Duration::ZERO);
        assert_about(pace.until(7 * HOUR), 2 * HOUR);
    }

    #[test]
    fn another_stream_begins_anew() {
        let mut pace = Pace::new(1.0);
        pace.until(5 * HOUR);
        assert_eq!(pace.until(HOUR), Duration::ZERO, "it went back");
        assert_about(pace.until(2 * HOUR), HOUR);
        pace.begin_anew();
        assert_eq!(pace.until(900 * HOUR), Duration::ZERO);
        assert_about(pace.until(901 * HOUR), HOUR);
    }

    #[test]
    fn a_stream_that_goes_back_behind_its_latest_moment_begins_anew() {
        let mut pace = Pace::new(1.0);
        pace.until(5 * HOUR);
        pace.until(7 * HOUR);
        assert_eq!(pace.until(6 * HOUR), Duration::ZERO);
        assert_about(pace.until(8 * HOUR), 2 * HOUR);
    }

    #[test]
    fn the_longest_wait_is_no_overflow() {
        let mut pace = Pace::new(0.001);
        pace.until(Duration::ZERO);
        let most = Duration::from_nanos(u64::MAX);
        assert!(pace.until(most) > HOUR * 24 * 365 * 500_000);
    }
}
