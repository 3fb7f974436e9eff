//! The counts of one key, in the order of their buckets.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;

use super::MAX_BUCKETS;
use super::Window;

/// The buckets of a key that have events.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    /// In the order of the buckets, each bucket once.
    counts: VecDeque<Count>,
    sum: u64,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    bucket: u64,
    count: u32,
}

impl Buckets {
    /// Adds to a bucket, and returns the count of the window.
    pub(super) fn add(&mut self, window: Window, bucket: u64, weight: u32) -> u64 {
        let last = self.last().map_or(bucket, |last| last.max(bucket));
        let first = window.first(last);
        self.expire(first);
        if bucket < first {
            return self.sum;
        }
        let position = match self.counts.back() {
            Some(newest) if newest.bucket == bucket => self.counts.len() - 1,
            Some(newest) if newest.bucket > bucket => {
                self.counts.partition_point(|count| count.bucket < bucket)
            }
            _ => self.counts.len(),
        };
        if self
            .counts
            .get(position)
            .is_none_or(|count| count.bucket != bucket)
        {
            self.counts.insert(position, Count { bucket, count: 0 });
        }
        let count = &mut self.counts[position].count;
        let before = *count;
        *count = before.saturating_add(weight);
        self.sum += u64::from(*count - before);
        self.sum
    }

    /// The count of the window that ends with the bucket `last`, or with the newest bucket if that is later.
    pub(super) fn count(&self, window: Window, last: u64) -> u64 {
        let newest = self.last().unwrap_or(0);
        let first = window.first(newest.max(last));
        if newest < first {
            return 0;
        }
        let expired = self.counts.iter().take_while(|count| count.bucket < first);
        self.sum - expired.map(|count| u64::from(count.count)).sum::<u64>()
    }

    /// Converts the counts to buckets of another length.
    pub(super) fn change_window(&mut self, old: Window, new: Window) {
        if old == new {
            return;
        }
        let counts = std::mem::take(self).counts;
        for Count { bucket, count } in counts {
            let begin = bucket.saturating_mul(old.bucket);
            self.add(new, begin / new.bucket, count);
        }
        self.counts.shrink_to_fit();
    }

    fn last(&self) -> Option<u64> {
        self.counts.back().map(|count| count.bucket)
    }

    fn expire(&mut self, first: u64) {
        while let Some(oldest) = self.counts.front()
            && oldest.bucket < first
        {
            self.sum -= u64::from(oldest.count);
            self.counts.pop_front();
        }
    }
}

/// A list of numbers: for each bucket its distance to the one before, and its count.
impl Serialize for Buckets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut before = 0;
        serializer.collect_seq(self.counts.iter().flat_map(|Count { bucket, count }| {
            let distance = bucket - before;
            before = *bucket;
            [distance, (*count).into()]
        }))
    }
}

impl<'de> Deserialize<'de> for Buckets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Vec::<u64>::deserialize(deserializer)?;
        read(&numbers).map_err(de::Error::custom)
    }
}

fn read(numbers: &[u64]) -> Result<Buckets, &'static str> {
    let (pairs, rest) = numbers.as_chunks();
    if !rest.is_empty() {
        return Err("a bucket without a count");
    }
    if pairs.len() > MAX_BUCKETS as usize {
        return Err("too many buckets");
    }
    let mut read = Buckets {
        counts: VecDeque::with_capacity(pairs.len()),
        sum: 0,
    };
    for [distance, count] in pairs {
        let bucket = match read.last() {
            Some(_) if *distance == 0 => return Err("a bucket occurs twice"),
            Some(before) => before
                .checked_add(*distance)
                .ok_or("a bucket is too late")?,
            None => *distance,
        };
        let count = u32::try_from(*count).map_err(|_| "a count is too large")?;
        read.sum += u64::from(count);
        read.counts.push_back(Count { bucket, count });
    }
    Ok(read)
}
