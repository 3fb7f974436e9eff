//! Paces a replay: computes how long to wait for the next event.

use std::time::Duration;
use std::time::Instant;

/// Compares the stream's time since boot with the time that has passed in the replay.
#[derive(Debug)]
pub struct Pace {
    /// The stream's time per time of the replay.
    speed: f64,
    /// The first time of the stream, and when it was replayed.
    begun: Option<(Duration, Instant)>,
    /// The latest time of the stream.
    latest: Duration,
}

/// The most by which events of one stream may be out of order. A larger step back begins another stream.
const MAX_DISORDER: Duration = Duration::from_secs(1);

impl Pace {
    /// A pace of `speed` times the recorded one.
    pub fn new(speed: f64) -> Pace {
        Pace {
            speed,
            begun: None,
            latest: Duration::ZERO,
        }
    }

    /// Begins another stream, whose time is not related to that of the stream before.
    pub fn restart(&mut self) {
        self.begun = None;
        self.latest = Duration::ZERO;
    }

    /// How long to wait until the stream's time `time` is due. A step back of more than
    /// [`MAX_DISORDER`] begins another stream.
    pub fn delay_until(&mut self, time: Duration) -> Duration {
        if time + MAX_DISORDER < self.latest {
            self.restart();
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

    /// Asserts that `wait` is less than `expected` only by the time that passes while a test runs.
    #[track_caller]
    fn assert_about(wait: Duration, expected: Duration) {
        assert!(wait <= expected, "{wait:?} > {expected:?}");
        assert!(wait > expected - HOUR / 2, "{wait:?}");
    }

    #[test]
    fn time_passes_as_many_times_as_fast_as_asked_for() {
        for (speed, expected) in [(1.0, 2 * HOUR), (2.0, HOUR), (0.5, 4 * HOUR)] {
            let mut pace = Pace::new(speed);
            assert_eq!(
                pace.delay_until(5 * HOUR),
                Duration::ZERO,
                "the first begins"
            );
            assert_about(pace.delay_until(7 * HOUR), expected);
        }
    }

    #[test]
    fn a_little_back_is_no_other_stream() {
        let mut pace = Pace::new(1.0);
        pace.delay_until(5 * HOUR);
        let late = 5 * HOUR - Duration::from_millis(100);
        assert_eq!(pace.delay_until(late), Duration::ZERO);
        assert_about(pace.delay_until(7 * HOUR), 2 * HOUR);
    }

    #[test]
    fn another_stream_begins_anew() {
        let mut pace = Pace::new(1.0);
        pace.delay_until(5 * HOUR);
        assert_eq!(pace.delay_until(HOUR), Duration::ZERO, "it went back");
        assert_about(pace.delay_until(2 * HOUR), HOUR);
        pace.restart();
        assert_eq!(pace.delay_until(900 * HOUR), Duration::ZERO);
        assert_about(pace.delay_until(901 * HOUR), HOUR);
    }

    #[test]
    fn a_stream_that_goes_back_behind_its_latest_moment_begins_anew() {
        let mut pace = Pace::new(1.0);
        pace.delay_until(5 * HOUR);
        pace.delay_until(7 * HOUR);
        assert_eq!(pace.delay_until(6 * HOUR), Duration::ZERO);
        assert_about(pace.delay_until(8 * HOUR), 2 * HOUR);
    }

    #[test]
    fn the_longest_wait_is_no_overflow() {
        let mut pace = Pace::new(0.001);
        pace.delay_until(Duration::ZERO);
        let max = Duration::from_nanos(u64::MAX);
        assert!(pace.delay_until(max) > HOUR * 24 * 365 * 500_000);
    }
}
