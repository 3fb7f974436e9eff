//! How many segments there were lately: a rate over the last seconds, in a fixed number of bytes.

use std::ops::AddAssign;
use std::time::Duration;

/// Length of a bucket in seconds.
const BUCKET: u64 = 5;

/// Number of buckets: the longest time of a rate, and the bucket that has begun.
const BUCKETS: usize = 13;

/// The longest time over which there is a rate.
pub const LONGEST: Duration = Duration::from_secs(BUCKET * (BUCKETS as u64 - 1));

/// Numbers of the last [`LONGEST`], in buckets of five seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent {
    /// Number of the latest bucket since 1970.
    latest: u64,
    /// Number `n` of the buckets since 1970 is at `n % BUCKETS`.
    buckets: [u32; BUCKETS],
}

impl Recent {
    /// Adds a number at a time of day. What is older than the oldest bucket is left out.
    pub fn add(&mut self, time: Duration, number: u64) {
        let bucket = time.as_secs() / BUCKET;
        self.advance(bucket);
        if self.latest - bucket < BUCKETS as u64 {
            let sum = &mut self.buckets[bucket as usize % BUCKETS];
            *sum = sum.saturating_add(u32::try_from(number).unwrap_or(u32::MAX));
        }
    }

    /// Makes `bucket` the latest one, unless a later one is.
    fn advance(&mut self, bucket: u64) {
        let ahead = bucket.saturating_sub(self.latest);
        for number in 1..=ahead.min(BUCKETS as u64) {
            self.buckets[(self.latest + number) as usize % BUCKETS] = 0;
        }
        if ahead >= BUCKETS as u64 {
            self.buckets = [0; BUCKETS];
        }
        self.latest = self.latest.max(bucket);
    }

    /// The number per second over the last `span` before the time of day `now`, which is at most [`LONGEST`]. The time
    /// is that of whole buckets and of the part of the current one, so that the rate of a steady stream is exact.
    pub fn rate(&self, now: Duration, span: Duration) -> f64 {
        let current = now.as_secs() / BUCKET;
        let count = (span.as_secs() / BUCKET).clamp(1, BUCKETS as u64 - 1);
        let first = current.saturating_sub(count);
        let buckets = first..=current;
        let within = buckets
            .filter(|bucket| *bucket <= self.latest && self.latest - bucket < BUCKETS as u64);
        let sum: u64 = within
            .map(|bucket| u64::from(self.buckets[bucket as usize % BUCKETS]))
            .sum();
        let begin = Duration::from_secs(first * BUCKET);
        sum as f64 / now.saturating_sub(begin).as_secs_f64().max(1.0)
    }
}

/// Adds the numbers of the same times.
impl AddAssign for Recent {
    fn add_assign(&mut self, other: Recent) {
        self.advance(other.latest);
        for number in 0..BUCKETS as u64 {
            let Some(bucket) = other.latest.checked_sub(number) else {
                break;
            };
            let place = bucket as usize % BUCKETS;
            if self.latest - bucket < BUCKETS as u64 {
                self.buckets[place] = self.buckets[place].saturating_add(other.buckets[place]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: u64 = 1_800_000_001;
    const TEN: Duration = Duration::from_secs(10);

    fn at(tenths: u64) -> Duration {
        Duration::from_millis(BEGIN * 1_000 + tenths * 100)
    }

    #[test]
    fn the_rate_of_a_steady_stream_is_exact_and_ends_with_it() {
        let mut recent = Recent::default();
        // Five a second for 100 seconds.
        for event in 0..500 {
            recent.add(at(event * 2), 1);
        }
        for span in [TEN, LONGEST] {
            let rate = recent.rate(at(1_000), span);
            assert!((4.5..=5.5).contains(&rate), "{rate}");
        }
        let halved = recent.rate(at(1_050), TEN);
        assert!((1.5..=3.5).contains(&halved), "{halved}");
        assert_eq!(recent.rate(at(1_160), TEN), 0.0);
        assert!(recent.rate(at(1_160), LONGEST) > 3.0);
        assert_eq!(recent.rate(at(9_000), LONGEST), 0.0);
    }

    #[test]
    fn any_order_and_any_time_is_fine() {
        let mut recent = Recent::default();
        for time in [
            at(0),
            Duration::ZERO,
            Duration::MAX,
            at(0),
            Duration::from_secs(u64::MAX),
        ] {
            recent.add(time, u64::MAX);
        }
        assert!(recent.rate(Duration::MAX, TEN) > 0.0);
        assert_eq!(recent.rate(Duration::ZERO, TEN), 0.0);
        let mut recent = Recent::default();
        recent.add(at(100), 7);
        recent.add(at(60), 3);
        assert!((recent.rate(at(100), TEN) - 1.0).abs() < 0.2);
    }

    #[test]
    fn sums_of_parts_are_those_of_the_whole() {
        let (mut whole, mut even, mut odd) = Default::default();
        for event in 0..300 {
            let part: &mut Recent = if event % 2 == 0 { &mut even } else { &mut odd };
            part.add(at(event * 7), event);
            Recent::add(&mut whole, at(event * 7), event);
        }
        let mut sum = even;
        sum += odd;
        assert_eq!(sum, whole);
        odd += even;
        assert_eq!(odd, whole);
    }
}
