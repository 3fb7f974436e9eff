//! Counting within a sliding window, for each of many keys.

use std::hash::Hash;
use std::time::Duration;

use crate::recent::RecentMap;
use crate::window::SlidingCount;
use crate::window::SlidingWindow;

/// How many keys a [`SlidingCounter`] remembers unless told otherwise.
pub const MAX_KEYS: usize = 65_536;

/// Counts within a sliding window, for each key.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// let mut seen = SlidingCounter::new(Duration::from_secs(10), 3);
/// assert_eq!(seen.add("a", Duration::from_secs(1)), 1);
/// assert_eq!(seen.add("a", Duration::from_secs(2)), 2);
/// assert_eq!(seen.add("b", Duration::from_secs(2)), 1);
/// assert_eq!(seen.add("a", Duration::from_secs(11)), 2);
/// ```
#[derive(Debug)]
pub struct SlidingCounter<K> {
    window: SlidingWindow,
    keys: RecentMap<K, SlidingCount>,
    evicted: u64,
}

impl<K: Hash + Eq> SlidingCounter<K> {
    /// Counts that are exact up to `limit`, and more than `limit` above it; memory is bounded by
    /// `limit` + 1 times for each of [`MAX_KEYS`] keys.
    pub fn new(window: Duration, limit: u64) -> SlidingCounter<K> {
        SlidingCounter::with_max_keys(window, limit, MAX_KEYS)
    }

    /// The same for another number of keys.
    pub fn with_max_keys(window: Duration, limit: u64, max_keys: usize) -> SlidingCounter<K> {
        SlidingCounter {
            window: SlidingWindow::new(window, limit),
            keys: RecentMap::new(max_keys),
            evicted: 0,
        }
    }

    /// Counts one, and returns the key's count in the window that ends now.
    pub fn add(&mut self, key: K, now: Duration) -> u64 {
        self.add_many(key, now, 1)
    }

    /// Counts several at once, as the segments of one retransmit.
    pub fn add_many(&mut self, key: K, now: Duration, weight: u32) -> u64 {
        let window = &self.window;
        let (count, evicted) = self
            .keys
            .touch(key, now, |count| count.add(window, now, weight));
        self.evicted += u64::from(evicted.is_some());
        count
    }

    /// Forgets keys of which the window holds nothing any more.
    pub fn forget_idle(&mut self, now: Duration) {
        let window = &self.window;
        self.keys.retain(|_, count| count.count(window, now) > 0);
    }

    /// Keys that were forgotten because there were too many, since the start.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Are there no keys?
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn the_key_unused_for_longest_makes_room() {
        let mut counter = SlidingCounter::with_max_keys(NOW, 10, 2);
        counter.add("a", NOW);
        counter.add("b", NOW);
        counter.add("a", NOW);
        assert_eq!(counter.add("c", NOW), 1);
        assert_eq!((counter.len(), counter.evicted()), (2, 1));
        assert_eq!(counter.add("a", NOW), 3, "a stayed");
        assert_eq!(counter.add("b", NOW), 1, "b had to go");
    }

    #[test]
    fn idle_keys_are_forgotten() {
        let mut counter = SlidingCounter::new(NOW, 10);
        counter.add("a", NOW);
        counter.add("b", NOW + NOW / 2);
        counter.forget_idle(NOW * 2);
        assert_eq!(counter.len(), 1);
        counter.forget_idle(NOW * 3);
        assert!(counter.is_empty());
    }
}
