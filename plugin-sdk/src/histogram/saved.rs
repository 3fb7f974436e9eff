//! The saved form of a histogram: the buckets that have values.

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;

use super::BUCKETS;
use super::Histogram;
use super::bucket_of;

/// A list of four: sum, minimum, maximum, and the number of each bucket that has values, as a distance to the one before,
/// followed by the number of its values.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut numbers = Vec::new();
        let mut next = 0;
        for (bucket, values) in self.buckets.iter().enumerate() {
            if *values > 0 {
                numbers.extend([(bucket - next) as u64, *values]);
                next = bucket + 1;
            }
        }
        (self.sum, self.min, self.max, numbers).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (sum, min, max, numbers) = <(u64, u64, u64, Vec<u64>)>::deserialize(deserializer)?;
        read(sum, min, max, &numbers).map_err(de::Error::custom)
    }
}

fn read(sum: u64, min: u64, max: u64, numbers: &[u64]) -> Result<Histogram, &'static str> {
    let (pairs, rest) = numbers.as_chunks();
    if !rest.is_empty() {
        return Err("a bucket without a number of values");
    }
    let mut buckets = Vec::new();
    let mut count = 0_u64;
    let mut lowest = None;
    for [distance, values] in pairs {
        let bucket = buckets.len() as u64;
        let bucket = bucket.saturating_add(*distance);
        let bucket = usize::try_from(bucket).unwrap_or(usize::MAX);
        if bucket >= BUCKETS {
            return Err("a bucket that does not exist");
        }
        if *values == 0 {
            return Err("a bucket without values");
        }
        lowest.get_or_insert(bucket);
        buckets.resize(bucket, 0);
        buckets.push(*values);
        count = count.saturating_add(*values);
    }
    buckets.shrink_to_fit();
    let highest = buckets.len().checked_sub(1);
    let own = |value| (count > 0).then(|| bucket_of(value));
    if own(min) != lowest || own(max) != highest || min > max {
        return Err("minimum or maximum are not in the first and last bucket");
    }
    if count == 0 && (sum, min, max) != (0, 0, 0) {
        return Err("a sum without values");
    }
    Ok(Histogram {
        buckets,
        count,
        sum,
        min,
        max,
    })
}
