//! State for each key, with a bound: the key that was unused for longest makes room.

mod saved;

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::Entry;
use retrans_event::nanos;

/// A map of bounded size from keys to state, in the order of their last use.
///
/// What it does is the same on every machine and in every run, whatever the hashing. It can be saved
/// as part of a plugin's [state](crate::Stateful), with the order and the bound.
pub struct LruMap<K, V> {
    /// Made at the first use. Its seed is the time of that, to the nanosecond: there is no
    /// randomness in a plugin, and whoever picks their addresses could otherwise work out at home
    /// which of them collide.
    map: Option<LinkedHashMap<K, V, FixedState>>,
    seed: u64,
    capacity: usize,
}

impl<K: Hash + Eq, V: Default> LruMap<K, V> {
    /// An empty map for so many keys, at least one.
    pub fn new(capacity: usize) -> LruMap<K, V> {
        LruMap {
            map: None,
            seed: 0,
            capacity: capacity.max(1),
        }
    }

    /// Uses a key's state, a new one if need be. Returns what the closure returned, and the key
    /// that had to make room, with its state. `now` may step back: the order is that of the calls.
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
        use_state: impl FnOnce(&mut V) -> R,
    ) -> (R, Option<(K, V)>) {
        let map = self.map.get_or_insert_with(|| {
            self.seed = nanos(now);
            LinkedHashMap::with_hasher(FixedState::with_seed(self.seed))
        });
        let before = map.len();
        // One place that uses the state, so that the compiler makes one function of it all.
        let state = match map.entry(key) {
            Entry::Occupied(mut entry) => {
                entry.to_back();
                entry.into_mut()
            }
            Entry::Vacant(entry) => entry.insert(V::default()),
        };
        let result = use_state(state);
        let is_new = map.len() > before;
        if is_new && map.len() > self.capacity {
            return (result, map.pop_front());
        }
        (result, None)
    }

    /// How many keys there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes room for another number of keys, at least one. Where there are more already they stay,
    /// until [`pop_least_recent`](LruMap::pop_least_recent) takes them out.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.max(1);
    }

    /// Takes out the key that was unused for longest.
    pub fn pop_least_recent(&mut self) -> Option<(K, V)> {
        self.map.as_mut()?.pop_front()
    }

    /// Keeps only keys for which the closure returns true. The one unused for longest comes first.
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
}
