//! Histograms of durations, whose classes are fixed when the program is compiled.

use std::time::Duration;

/// Maximum number of bounds of a histogram.
const MAX_BOUNDS: usize = 15;

/// A number of durations by class: each class has those up to its bound that no smaller class has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [Duration],
    /// The last one in use counts those beyond all bounds.
    counts: [u64; MAX_BOUNDS + 1],
    sum: Duration,
}

impl Histogram {
    /// Without durations. At most 15 bounds, in ascending order: in a constant, more of them fail the build.
    pub const fn new(bounds: &'static [Duration]) -> Histogram {
        assert!(bounds.len() <= MAX_BOUNDS, "too many bounds");
        Histogram {
            bounds,
            counts: [0; MAX_BOUNDS + 1],
            sum: Duration::ZERO,
        }
    }

    /// Adds a duration.
    #[inline]
    pub fn record(&mut self, duration: Duration) {
        let class = self.bounds.partition_point(|bound| *bound < duration);
        self.counts[class] += 1;
        self.sum = self.sum.saturating_add(duration);
    }

    /// Adds the durations of another one with the same bounds.
    pub fn add(&mut self, other: &Histogram) {
        for (own, other) in self.counts.iter_mut().zip(other.counts) {
            *own += other;
        }
        self.sum += other.sum;
    }

    /// Each bound, and the number of durations up to it. The last one has no bound: it is the number of all.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let mut sum = 0;
        bounds.zip(self.counts).map(move |(bound, count)| {
            sum += count;
            (bound, sum)
        })
    }

    /// Number of durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Sum of the durations.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

/// Without bounds.
impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const BOUNDS: &[Duration] = &[MS, Duration::from_millis(10)];

    #[test]
    fn a_bound_is_in_its_class_and_what_is_beyond_all_is_counted() {
        let mut histogram = Histogram::new(BOUNDS);
        for ms in [0, 1, 2, 10, 11, 1_000] {
            histogram.record(ms * MS);
        }
        let classes: Vec<_> = histogram.cumulative().collect();
        assert_eq!(
            classes,
            [(Some(MS), 2), (Some(10 * MS), 4), (None, 6)],
            "up to each bound"
        );
        assert_eq!((histogram.count(), histogram.sum()), (6, 1_024 * MS));
        histogram.record(Duration::MAX);
        assert_eq!(histogram.sum(), Duration::MAX);
    }

    #[test]
    fn without_bounds_there_is_one_class() {
        let mut histogram = Histogram::default();
        histogram.record(MS);
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), [(None, 1)]);
    }
}
