//! The histograms that plugins keep. Their buckets are the same everywhere, so that those of several hosts can be added.

/// Upper bounds of the buckets, which belong to them: 1, 2 and 5 times each power of ten.
pub const BOUNDS: [f64; 37] = [
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1,
    2e-1, 5e-1, 1.0, 2.0, 5.0, 1e1, 2e1, 5e1, 1e2, 2e2, 5e2, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5,
    2e5, 5e5, 1e6,
];

/// A histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginHistogram {
    /// Numbers in each bucket; the last one is for those above all bounds.
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Default for PluginHistogram {
    fn default() -> PluginHistogram {
        PluginHistogram {
            buckets: [0; BOUNDS.len() + 1],
            sum: 0.0,
        }
    }
}

impl PluginHistogram {
    /// Adds a finite number.
    pub fn observe(&mut self, value: f64) {
        let bucket = BOUNDS.partition_point(|bound| *bound < value);
        self.buckets[bucket] = self.buckets[bucket].saturating_add(1);
        self.sum += value;
    }

    /// Adds the numbers of another one.
    pub fn add(&mut self, other: &PluginHistogram) {
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own = own.saturating_add(*other);
        }
        self.sum += other.sum;
    }

    /// Numbers in each bucket, in the order of [`BOUNDS`]; the last one is for those above all bounds.
    pub fn buckets(&self) -> &[u64] {
        &self.buckets
    }

    /// Each bound, and how many numbers there are up to it. The last one has no bound.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<f64>, u64)> {
        let bounds = BOUNDS.iter().copied().map(Some).chain([None]);
        let mut sum = 0_u64;
        bounds.zip(self.buckets).map(move |(bound, count)| {
            sum = sum.saturating_add(count);
            (bound, sum)
        })
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .fold(0, |count, bucket| count.saturating_add(*bucket))
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_ascend_and_belong_to_their_bucket() {
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
        let mut histogram = PluginHistogram::default();
        for value in [-1.0, 0.0, 1e-6, 1.1e-6, 1.0, 1e6, 1.1e6] {
            histogram.observe(value);
        }
        let one = BOUNDS.iter().position(|bound| *bound == 1.0);
        let filled: Vec<_> = (0..)
            .zip(histogram.buckets())
            .filter(|(_, n)| **n > 0)
            .collect();
        assert_eq!(
            filled,
            [
                (0, &3),
                (1, &1),
                (one.unwrap_or_default(), &1),
                (36, &1),
                (37, &1)
            ]
        );
        assert_eq!(histogram.count(), 7);
        assert!((histogram.sum() - 2_100_000.000_002_1).abs() < 1e-6);
    }
}
