//! A map with a maximum number of keys, which evicts the least recently used one.

mod saved;

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::Entry;
use retrans_event::nanos;

/// A map from keys to values with a maximum number of keys, in the order of their last use.
///
/// The order does not depend on hashing, so that results are the same on every machine and in every run. The
/// map can be saved as part of a plugin's [state](crate::Stateful), with its order and capacity.
pub struct LruMap<K, V> {
    /// Created at the first use. The seed of its hasher is the time of that use in nanoseconds: a plugin has
    /// no randomness, and with a fixed seed an attacker could compute addresses that collide.
    map: Option<LinkedHashMap<K, V, FixedState>>,
    seed: u64,
    capacity: usize,
}

impl<K: Hash + Eq, V: Default> LruMap<K, V> {
    /// An empty map for up to `capacity` keys (at least one).
    pub fn new(capacity: usize) -> LruMap<K, V> {
        LruMap {
            map: None,
            seed: 0,
            capacity: capacity.max(1),
        }
    }

    /// Calls the closure with the key's value, which is inserted with its default if there is none. Returns
    /// the closure's result, and the evicted key with its value, if any. `now` may step back: the order of
    /// use is the order of the calls.
    ///
    /// ```
    /// # use retrans_plugin_sdk::prelude::*;
    /// let mut seen = LruMap::<&str, u32>::new(2);
    /// let now = Duration::from_secs(1);
    /// seen.touch("a", now, |times| *times += 1);
    /// seen.touch("b", now, |times| *times += 1);
    /// let (times, evicted) = seen.touch("a", now, |times| { *times += 1; *times });
    /// assert_eq!((times, evicted), (2, None));
    /// let (_, evicted) = seen.touch("c", now, |times| *times += 1);
    /// assert_eq!(evicted, Some(("b", 1)));
    /// ```
    #[inline]
    pub fn touch<R>(
        &mut self,
        key: K,
        now: Duration,
        update: impl FnOnce(&mut V) -> R,
    ) -> (R, Option<(K, V)>) {
        let map = self.map.get_or_insert_with(|| {
            self.seed = nanos(now);
            LinkedHashMap::with_hasher(FixedState::with_seed(self.seed))
        });
        let before = map.len();
        // A single call of the closure, so that the compiler inlines it.
        let value = match map.entry(key) {
            Entry::Occupied(mut entry) => {
                entry.to_back();
                entry.into_mut()
            }
            Entry::Vacant(entry) => entry.insert(V::default()),
        };
        let result = update(value);
        let is_new = map.len() > before;
        if is_new && map.len() > self.capacity {
            return (result, map.pop_front());
        }
        (result, None)
    }

    /// The value of a key. Does not count as a use.
    ///
    /// ```
    /// # use retrans_plugin_sdk::prelude::*;
    /// let mut seen = LruMap::<String, u32>::new(2);
    /// seen.touch("a".to_owned(), Duration::from_secs(1), |times| *times += 1);
    /// assert_eq!(seen.get("a"), Some(&1));
    /// assert_eq!(seen.get("b"), None);
    /// ```
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.as_ref()?.get(key)
    }

    /// The value of a key, to be changed. Does not count as a use.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.map.as_mut()?.get_mut(key)
    }

    /// Does the map have the key?
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Removes a key, and returns its value.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.map.as_mut()?.remove(key)
    }

    /// All keys with their values, the least recently used one first. Does not count as a use. `rev()` starts with the
    /// most recently used one.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.map.iter().flatten()
    }

    /// Removes all keys.
    pub fn clear(&mut self) {
        if let Some(map) = &mut self.map {
            map.clear();
        }
    }

    /// Maximum number of keys.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sets the maximum number of keys (at least one). Where the map has more, they stay until
    /// [`pop_least_recent`](LruMap::pop_least_recent) removes them.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.max(1);
    }

    /// Sets the maximum number of keys (at least one), and removes the least recently used keys beyond it. Returns the number
    /// of keys that it removed.
    ///
    /// ```
    /// # use retrans_plugin_sdk::prelude::*;
    /// let mut seen = LruMap::<&str, u32>::new(10);
    /// for key in ["a", "b", "c"] {
    ///     seen.touch(key, Duration::from_secs(1), |times| *times += 1);
    /// }
    /// assert_eq!(seen.shrink_to(2), 1);
    /// assert!(!seen.contains_key("a"));
    /// ```
    pub fn shrink_to(&mut self, capacity: usize) -> usize {
        self.set_capacity(capacity);
        let before = self.len();
        while self.len() > self.capacity {
            self.pop_least_recent();
        }
        before - self.len()
    }

    /// Removes the least recently used key. `None` for an empty map.
    pub fn pop_least_recent(&mut self) -> Option<(K, V)> {
        self.map.as_mut()?.pop_front()
    }

    /// Removes the keys for which the closure returns `false`. Starts with the least recently used key.
    pub fn retain(&mut self, keep: impl FnMut(&K, &mut V) -> bool) {
        if let Some(map) = &mut self.map {
            map.retain_with_order(keep);
        }
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.map.as_ref().map_or(0, LinkedHashMap::len)
    }

    /// Are there no keys?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V> fmt::Debug for LruMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LruMap")
            .field("len", &self.map.as_ref().map_or(0, LinkedHashMap::len))
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn keys_are_retained_in_the_order_of_their_use() {
        let mut map = LruMap::<u32, ()>::new(1_000);
        for key in 0..100 {
            map.touch(key, NOW, |()| ());
        }
        map.touch(0, NOW, |()| ());
        let mut order = Vec::new();
        map.retain(|key, ()| {
            order.push(*key);
            key % 2 == 0
        });
        assert_eq!(order, (1..100).chain([0]).collect::<Vec<_>>());
        assert_eq!(map.len(), 50);
        assert_eq!(map.pop_least_recent(), Some((2, ())));
    }

    #[test]
    fn a_key_that_is_used_with_an_earlier_time_is_used_later_all_the_same() {
        let mut map = LruMap::<&str, ()>::new(2);
        map.touch("a", NOW, |()| ());
        map.touch("b", NOW, |()| ());
        map.touch("a", NOW / 2, |()| ());
        let ((), evicted) = map.touch("c", NOW / 2, |()| ());
        assert_eq!(evicted, Some(("b", ())));
    }

    #[test]
    fn reading_is_no_use() {
        let mut map = LruMap::<String, u32>::new(2);
        assert_eq!((map.get("a"), map.iter().count()), (None, 0));
        for key in ["a", "b"] {
            map.touch(key.to_owned(), NOW, |times| *times += 1);
        }
        assert_eq!(map.get("a"), Some(&1));
        map.get_mut("a").into_iter().for_each(|times| *times = 7);
        let all: Vec<_> = map
            .iter()
            .map(|(key, times)| (key.as_str(), *times))
            .collect();
        assert_eq!(all, [("a", 7), ("b", 1)]);
        let newest = map.iter().next_back().map(|(key, _)| key.as_str());
        assert_eq!(newest, Some("b"));
        let (_, evicted) = map.touch("c".to_owned(), NOW, |_| ());
        assert_eq!(evicted, Some(("a".to_owned(), 7)), "it was used first");
    }

    #[test]
    fn a_key_that_was_removed_makes_room() {
        let mut map = LruMap::<&str, u32>::new(2);
        assert_eq!(map.remove("a"), None);
        map.touch("a", NOW, |times| *times += 1);
        map.touch("b", NOW, |_| ());
        assert!(map.contains_key("a"));
        assert_eq!(map.remove("a"), Some(1));
        assert!(!map.contains_key("a"));
        let ((), evicted) = map.touch("c", NOW, |_| ());
        assert_eq!((evicted, map.len()), (None, 2));
        map.clear();
        assert!(map.is_empty());
    }
}
