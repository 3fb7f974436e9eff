//! The distribution of values, in bounded memory.

mod saved;

use std::time::Duration;

use retrans_event::nanos;

/// Bits of a value that its bucket keeps: there are 2^5 buckets from each power of two to the next.
const BITS: u32 = 5;

/// Buckets from one power of two to the next.
const STEPS: usize = 1 << BITS;

/// Number of buckets for all values of 64 bits.
const BUCKETS: usize = (64 - BITS as usize + 1) * STEPS;

/// A histogram of values from 0 to 2^64 - 1, in bounded memory. The width of its buckets grows with the values.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// let mut rtts = Histogram::new();
/// for millis in 1..=100 {
///     rtts.add_duration(Duration::from_millis(millis));
/// }
/// let median = rtts.quantile_duration(0.5).unwrap_or_default();
/// assert!(median.abs_diff(Duration::from_millis(50)) < Duration::from_millis(1));
/// assert_eq!(rtts.max_duration(), Some(Duration::from_millis(100)));
/// ```
///
/// Values below 64 are exact. For a larger value, [`quantile`](Histogram::quantile) has a relative error of at most 1/64
/// (1.6%). Minimum and maximum are exact, and so are count and sum, which saturate at `u64::MAX`. A histogram takes at most
/// 15,360 bytes, less where all values are small. It can be saved as part of a plugin's [state](crate::Stateful): 2 to 4
/// bytes for each bucket with a few values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Ends with the last bucket that has values.
    buckets: Vec<u64>,
    count: u64,
    sum: u64,
    /// 0 where there are no values.
    min: u64,
    max: u64,
}

impl Histogram {
    /// An empty histogram.
    pub const fn new() -> Histogram {
        Histogram {
            buckets: Vec::new(),
            count: 0,
            sum: 0,
            min: 0,
            max: 0,
        }
    }

    /// Adds a value.
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.add_many(value, 1);
    }

    /// Adds a value that occurred `times` times.
    pub fn add_many(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        let bucket = bucket_of(value);
        self.grow(bucket + 1);
        self.buckets[bucket] = self.buckets[bucket].saturating_add(times);
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.max = self.max.max(value);
        self.count = self.count.saturating_add(times);
        self.sum = self.sum.saturating_add(value.saturating_mul(times));
    }

    /// Adds a duration, in nanoseconds.
    pub fn add_duration(&mut self, duration: Duration) {
        self.add(nanos(duration));
    }

    /// The value below or at which a share of the values is: 0.5 is the median, 0.99 the 99th percentile. A share of 0 is
    /// the minimum, and a share of 1 the maximum; both are exact. A share below 0 counts as 0, one above 1 as 1. `None`
    /// without values.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        // Rounds up: the median of two values is the first. As an integer, the largest product may be too large by the
        // error of an f64.
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        let rank = rank.clamp(1, self.count);
        if rank == self.count {
            return Some(self.max);
        }
        if rank == 1 {
            return Some(self.min);
        }
        let mut below = 0_u64;
        let bucket = self.buckets.iter().position(|values| {
            below = below.saturating_add(*values);
            below >= rank
        });
        Some(bucket.map_or(self.max, middle_of).clamp(self.min, self.max))
    }

    /// [`quantile`](Histogram::quantile) of durations.
    pub fn quantile_duration(&self, share: f64) -> Option<Duration> {
        self.quantile(share).map(Duration::from_nanos)
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of the values.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Average of the values; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The smallest value; `None` without values.
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest value; `None` without values.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The longest duration; `None` without values.
    pub fn max_duration(&self) -> Option<Duration> {
        self.max().map(Duration::from_nanos)
    }

    /// Are there no values?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds the values of another histogram. The result is the same as if all had been added to this one.
    pub fn merge(&mut self, other: &Histogram) {
        if other.is_empty() {
            return;
        }
        self.grow(other.buckets.len());
        for (own, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *own = own.saturating_add(*more);
        }
        self.min = if self.is_empty() {
            other.min
        } else {
            self.min.min(other.min)
        };
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// Makes room for this number of buckets, and not for more, as doubling would.
    fn grow(&mut self, buckets: usize) {
        if let Some(more @ 1..) = buckets.checked_sub(self.buckets.len()) {
            self.buckets.reserve_exact(more);
            self.buckets.resize(buckets, 0);
        }
    }

    /// Removes all values.
    pub fn clear(&mut self) {
        *self = Histogram::new();
    }
}

/// The bucket of a value. Up to 2 × [`STEPS`] each value has its own.
#[inline]
fn bucket_of(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(BITS + 1);
    shift as usize * STEPS + (value >> shift) as usize
}

/// The smallest value of a bucket, and the number of its values.
fn range_of(bucket: usize) -> (u64, u64) {
    let shift = (bucket / STEPS).saturating_sub(1);
    let step = bucket - shift * STEPS;
    ((step as u64) << shift, 1 << shift)
}

/// The value in the middle of a bucket.
fn middle_of(bucket: usize) -> u64 {
    let (start, width) = range_of(bucket);
    start + width / 2
}

#[cfg(test)]
mod tests;
