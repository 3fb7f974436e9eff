//! Counts within a sliding window, for each of many keys.

use std::hash::Hash;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::lru_map::LruMap;
use crate::window::SlidingWindow;
use crate::window::WindowCount;

/// Default limit for the number of keys of a [`SlidingCounter`].
pub const MAX_KEYS: usize = 65_536;

/// Counts within a sliding window, for each key. Memory is bounded: counts are exact up to a limit, and the
/// least recently used key is evicted where there are too many keys.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// let mut seen = SlidingCounter::new(Duration::from_secs(10), 3);
/// assert_eq!(seen.add("a", Duration::from_secs(1)), 1);
/// assert_eq!(seen.add("a", Duration::from_secs(2)), 2);
/// assert_eq!(seen.add("b", Duration::from_secs(2)), 1);
/// assert_eq!(seen.add("a", Duration::from_secs(11)), 2);
/// ```
///
/// It can be a plugin's [state](crate::Stateful), or part of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Deserialize<'de> + Hash + Eq"))]
pub struct SlidingCounter<K> {
    window: SlidingWindow,
    keys: LruMap<K, WindowCount>,
    evicted: u64,
}

impl<K: Hash + Eq> SlidingCounter<K> {
    /// A counter for up to [`MAX_KEYS`] keys. Counts are exact up to `limit`; a larger count is only known
    /// to be larger. Memory is bounded by `limit` + 1 entries of 16 to 32 bytes for each key.
    pub fn new(window: Duration, limit: u64) -> SlidingCounter<K> {
        SlidingCounter::with_max_keys(window, limit, MAX_KEYS)
    }

    /// A counter for up to `max_keys` keys (at least one), otherwise as [`new`](SlidingCounter::new).
    pub fn with_max_keys(window: Duration, limit: u64, max_keys: usize) -> SlidingCounter<K> {
        SlidingCounter {
            window: SlidingWindow::new(window, limit),
            keys: LruMap::new(max_keys),
            evicted: 0,
        }
    }

    /// Adds one at the time `now`, and returns the key's count within the window.
    pub fn add(&mut self, key: K, now: Duration) -> u64 {
        self.add_many(key, now, 1)
    }

    /// Adds several at once, as the segments of one retransmit.
    pub fn add_many(&mut self, key: K, now: Duration, weight: u32) -> u64 {
        let window = &self.window;
        let (count, evicted) = self
            .keys
            .touch(key, now, |count| count.add(window, now, weight));
        self.evicted = self.evicted.saturating_add(evicted.is_some().into());
        count
    }

    /// Replaces the counts by those of another counter, such as a saved one. Window, limit and maximum number
    /// of keys stay the same: counts outside of the window and keys beyond the maximum are removed.
    pub fn restore(&mut self, other: SlidingCounter<K>) {
        let max_keys = self.keys.capacity();
        self.keys = other.keys;
        let evicted = self.keys.shrink_to(max_keys) as u64;
        self.evicted = other.evicted.saturating_add(evicted);
        self.keys.retain(|_, count| {
            count.change_window(&self.window);
            true
        });
    }

    /// Removes keys whose count is 0 within the window that ends at `now`.
    pub fn remove_idle(&mut self, now: Duration) {
        let window = &self.window;
        self.keys.retain(|_, count| count.count(window, now) > 0);
    }

    /// Number of keys that were evicted because there were too many.
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
    fn counts_that_are_taken_over_go_on_within_the_counters_own_bounds() {
        let counted = || {
            let mut counter = SlidingCounter::new(NOW * 10, 10);
            for (second, key) in (1..).zip(["a", "b", "b", "c", "b", "c"]) {
                counter.add(key, NOW * second);
            }
            counter
        };
        let mut same = SlidingCounter::new(NOW * 10, 10);
        same.restore(counted());
        assert_eq!(same.add("b", NOW * 6), 4);
        assert_eq!(same.add("a", NOW * 6), 2);

        let mut other = SlidingCounter::with_max_keys(NOW * 3, 10, 2);
        other.restore(counted());
        assert_eq!((other.len(), other.evicted()), (2, 1), "a had to go");
        assert_eq!(other.add("b", NOW * 6), 2, "those of 5 s and 6 s");
        assert_eq!(other.add("c", NOW * 6), 3);
        other.add("d", NOW * 6);
        assert_eq!(other.evicted(), 2);
    }

    #[test]
    fn idle_keys_are_forgotten() {
        let mut counter = SlidingCounter::new(NOW, 10);
        counter.add("a", NOW);
        counter.add("b", NOW + NOW / 2);
        counter.remove_idle(NOW * 2);
        assert_eq!(counter.len(), 1);
        counter.remove_idle(NOW * 3);
        assert!(counter.is_empty());
    }
}
