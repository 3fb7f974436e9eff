//! Counts of many keys over a long window, in few buckets of time.

mod buckets;

use std::borrow::Borrow;
use std::hash::Hash;
use std::time::Duration;

use retrans_event::nanos;
use serde::Deserialize;
use serde::Serialize;
use serde::de;

use crate::lru_map::LruMap;
use crate::sliding_counter::MAX_KEYS;
use crate::window::ANOTHER_STREAM;
use buckets::Buckets;

/// Largest number of buckets of a window.
const MAX_BUCKETS: u32 = 3_600;

/// Counts over a long window, such as an hour, for each key. A window has a number of buckets; a count expires bucket by
/// bucket. [`SlidingCounter`](crate::SlidingCounter) is exact to the nanosecond, and keeps every event for that.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// // An hour in buckets of a minute.
/// let mut seen = BucketedCounter::new(Duration::from_secs(3_600), 60);
/// assert_eq!(seen.add("a", Duration::from_secs(59)), 1);
/// assert_eq!(seen.add("a", Duration::from_secs(60)), 2);
/// assert_eq!(seen.count("a", Duration::from_secs(3_599)), 2);
/// assert_eq!(seen.count("a", Duration::from_secs(3_600)), 1, "the first minute is out");
/// ```
///
/// A bucket is the window divided by the number of buckets, rounded up to whole nanoseconds. A count has the events of the
/// current bucket and of those before it, together the number of buckets: an event counts for at least the window without
/// one bucket, and for at most the window. Counts are exact within that, up to 2^32 - 1 in a bucket.
///
/// The window ends at the latest time that was seen for the key. Times may step back, as they do between sockets by up to
/// 1 s: a late event counts in the bucket of its own time. After a step back by more than the window and a minute, as to
/// the stream of another boot, the counts of the key begin anew.
///
/// Memory is bounded by 16 to 32 bytes for each bucket of a key that has events, and by the number of keys: the least
/// recently used one is evicted. It can be saved as part of a plugin's [state](crate::Stateful).
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Deserialize<'de> + Hash + Eq"))]
pub struct BucketedCounter<K> {
    window: Window,
    keys: LruMap<K, Buckets>,
    evicted: u64,
}

/// Length and number of the buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u64, u32)", into = "(u64, u32)")]
struct Window {
    /// In ns, at least 1.
    bucket: u64,
    /// From 1 to [`MAX_BUCKETS`].
    buckets: u32,
}

impl From<Window> for (u64, u32) {
    fn from(window: Window) -> (u64, u32) {
        (window.bucket, window.buckets)
    }
}

impl TryFrom<(u64, u32)> for Window {
    type Error = de::value::Error;

    fn try_from((bucket, buckets): (u64, u32)) -> Result<Window, Self::Error> {
        if bucket == 0 || buckets == 0 || buckets > MAX_BUCKETS {
            return Err(de::Error::custom("a window that is not possible"));
        }
        Ok(Window { bucket, buckets })
    }
}

impl Window {
    /// The number of the bucket with this time.
    fn bucket_of(self, time: Duration) -> u64 {
        nanos(time) / self.bucket
    }

    /// The first bucket of the window whose last bucket is `last`.
    fn first(self, last: u64) -> u64 {
        last.saturating_sub(u64::from(self.buckets) - 1)
    }

    /// Is `bucket` earlier than the bucket `last` by so much that it is in another stream?
    fn is_another_stream(self, last: u64, bucket: u64) -> bool {
        let margin = nanos(ANOTHER_STREAM).div_ceil(self.bucket);
        let oldest = last.saturating_sub(margin);
        bucket < oldest.saturating_sub(self.buckets.into())
    }
}

impl<K: Hash + Eq> BucketedCounter<K> {
    /// A counter for up to [`MAX_KEYS`] keys, over a window with this number of buckets, from 1 to 3,600.
    pub fn new(window: Duration, buckets: u32) -> BucketedCounter<K> {
        BucketedCounter::with_max_keys(window, buckets, MAX_KEYS)
    }

    /// A counter for up to `max_keys` keys (at least one), otherwise as [`new`](BucketedCounter::new).
    pub fn with_max_keys(window: Duration, buckets: u32, max_keys: usize) -> BucketedCounter<K> {
        let buckets = buckets.clamp(1, MAX_BUCKETS);
        BucketedCounter {
            window: Window {
                bucket: nanos(window).div_ceil(buckets.into()).max(1),
                buckets,
            },
            keys: LruMap::new(max_keys),
            evicted: 0,
        }
    }

    /// Adds one at the time `now`, and returns the key's count.
    pub fn add(&mut self, key: K, now: Duration) -> u64 {
        self.add_many(key, now, 1)
    }

    /// Adds several at once, as the segments of one retransmit.
    pub fn add_many(&mut self, key: K, now: Duration, weight: u32) -> u64 {
        let (window, bucket) = (self.window, self.window.bucket_of(now));
        let (count, evicted) = self
            .keys
            .touch(key, now, |buckets| buckets.add(window, bucket, weight));
        self.evicted = self.evicted.saturating_add(evicted.is_some().into());
        count
    }

    /// The count of a key in the window that ends at `now`, or at the latest time seen for the key if that is later; 0 for
    /// an unknown key, and for one of another stream. Does not count as a use.
    pub fn count<Q: Hash + Eq + ?Sized>(&self, key: &Q, now: Duration) -> u64
    where
        K: Borrow<Q>,
    {
        let buckets = self.keys.get(key);
        buckets.map_or(0, |buckets| {
            buckets.count(self.window, self.window.bucket_of(now))
        })
    }

    /// All keys with a count above 0 in the window that ends at `now`, the least recently used one first.
    pub fn iter(&self, now: Duration) -> impl Iterator<Item = (&K, u64)> {
        let (window, last) = (self.window, self.window.bucket_of(now));
        let counts = self.keys.iter();
        let counts = counts.map(move |(key, buckets)| (key, buckets.count(window, last)));
        counts.filter(|(_, count)| *count > 0)
    }

    /// Removes a key with its count. Returns whether it was there.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.keys.remove(key).is_some()
    }

    /// Removes keys whose count is 0 in the window that ends at `now`. Takes time by the number of keys that it removes:
    /// it ends at the first key, from the least recently used one, that stays.
    pub fn remove_idle(&mut self, now: Duration) {
        let (window, last) = (self.window, self.window.bucket_of(now));
        let is_idle = |(_, buckets): (&K, &Buckets)| buckets.count(window, last) == 0;
        while self.keys.iter().next().is_some_and(is_idle) {
            self.keys.pop_least_recent();
        }
    }

    /// Replaces the counts by those of another counter, such as a saved one. Window, buckets and maximum number of keys
    /// stay the same: keys beyond the maximum are removed, and where the length of a bucket differs, the counts of a bucket
    /// go to that with its first moment.
    pub fn restore(&mut self, other: BucketedCounter<K>) {
        let max_keys = self.keys.capacity();
        self.keys = other.keys;
        let evicted = self.keys.shrink_to(max_keys) as u64;
        self.evicted = other.evicted.saturating_add(evicted);
        self.keys.retain(|_, buckets| {
            buckets.change_window(other.window, self.window);
            true
        });
    }

    /// Removes all keys.
    pub fn clear(&mut self) {
        self.keys.clear();
    }

    /// The window: that of [`new`](BucketedCounter::new), rounded up to whole buckets.
    pub fn window(&self) -> Duration {
        Duration::from_nanos(
            self.window
                .bucket
                .saturating_mul(self.window.buckets.into()),
        )
    }

    /// The length of a bucket.
    pub fn bucket(&self) -> Duration {
        Duration::from_nanos(self.window.bucket)
    }

    /// Number of keys that were evicted because there were too many.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The number of keys, including those whose count is 0 since.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Are there no keys?
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests;
