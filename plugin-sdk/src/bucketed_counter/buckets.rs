//! The counts of one key, in the order of their buckets.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

use super::MAX_BUCKETS;
use super::Window;
use crate::packed;
use crate::packed::CONTINUES;
use crate::packed::read_number;
use crate::packed::write;

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
        if self
            .last()
            .is_some_and(|last| window.is_another_stream(last, bucket))
        {
            self.counts.clear();
            self.sum = 0;
        }
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

    /// The count of the window that ends with the bucket `last`, or with the newest bucket if that is later; 0 if `last` is
    /// of another stream.
    pub(super) fn count(&self, window: Window, last: u64) -> u64 {
        let newest = self.last().unwrap_or(0);
        let first = window.first(newest.max(last));
        if newest < first || window.is_another_stream(newest, last) {
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

/// The bytes: for each bucket its distance to the one before, and its count. Each is a LEB128 number, as in the saved form
/// of `WindowCount`.
impl Serialize for Buckets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(8 + 3 * self.counts.len());
        let mut before = 0;
        for Count { bucket, count } in &self.counts {
            write(&mut bytes, bucket - before);
            write(&mut bytes, (*count).into());
            before = *bucket;
        }
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Buckets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        packed::deserialize(deserializer, "the bytes of counts", read)
    }
}

fn read(mut bytes: &[u8]) -> Result<Buckets, &'static str> {
    let numbers = bytes.iter().filter(|byte| **byte < CONTINUES).count();
    if numbers > 2 * MAX_BUCKETS as usize {
        return Err("too many buckets");
    }
    let mut read = Buckets {
        counts: VecDeque::with_capacity(numbers / 2),
        sum: 0,
    };
    while !bytes.is_empty() {
        let distance = read_number(&mut bytes)?;
        let bucket = match read.last() {
            Some(_) if distance == 0 => return Err("a bucket occurs twice"),
            Some(before) => before.checked_add(distance).ok_or("a bucket is too late")?,
            None => distance,
        };
        let count = read_number(&mut bytes)?;
        let count = u32::try_from(count).map_err(|_| "a count is too large")?;
        read.sum += u64::from(count);
        read.counts.push_back(Count { bucket, count });
    }
    Ok(read)
}
