//! The keys with the largest sums, in bounded memory.

mod saved;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Largest capacity of a [`TopK`].
const MAX_CAPACITY: usize = 65_536;

/// The heaviest keys of a stream, each with its sum of weights, in bounded memory: the space-saving algorithm (Metwally,
/// Agrawal and El Abbadi, 2005).
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// let mut peers = TopK::new(100);
/// for (peer, segments) in [("10.0.0.2", 5), ("10.0.0.3", 1), ("10.0.0.2", 7)] {
///     peers.add(peer, segments);
/// }
/// let first = &peers.top(1)[0];
/// assert_eq!((*first.key, first.count, first.error), ("10.0.0.2", 12, 0));
/// ```
///
/// It keeps `capacity` keys. A new key beyond them takes the place of the lightest one, and the count of that one as its
/// error: `count - error <= weight of the key <= count`. Every error is at most [`total`](TopK::total) / `capacity`, and
/// each key with a larger weight than that is kept. So a capacity of ten times the number of keys that are shown is a
/// good choice. Until there are more keys than the capacity, all counts are exact.
///
/// Memory is bounded by two copies of a key and 60 bytes for each place. Keys are compared, not hashed: no choice of
/// addresses makes it slower. It can be saved as part of a plugin's [state](crate::Stateful), and continues exactly.
#[derive(Debug, Clone)]
pub struct TopK<K> {
    capacity: usize,
    places: Vec<Place<K>>,
    /// Index of each key's place.
    index: BTreeMap<K, u32>,
    /// The index of each place with its count, or with one that it had before: counts grow, and only the smallest matters.
    lightest: BinaryHeap<Reverse<(u64, u32)>>,
    /// The largest count that a key without a place may have.
    floor: u64,
    total: u64,
}

#[derive(Debug, Clone)]
struct Place<K> {
    key: K,
    count: u64,
    error: u64,
}

/// A key of a [`TopK`], with its sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heavy<'a, K> {
    /// The key.
    pub key: &'a K,
    /// Sum of the weights, too large by at most `error`.
    pub count: u64,
    /// Largest possible error of `count`. 0 where the count is exact.
    pub error: u64,
}

impl<K: Ord + Clone> TopK<K> {
    /// An empty collection of up to `capacity` keys, from 1 to 65,536.
    pub fn new(capacity: usize) -> TopK<K> {
        TopK {
            capacity: capacity.clamp(1, MAX_CAPACITY),
            places: Vec::new(),
            index: BTreeMap::new(),
            lightest: BinaryHeap::new(),
            floor: 0,
            total: 0,
        }
    }

    /// Adds a weight, such as a number of segments, to a key. Sums saturate at `u64::MAX`.
    pub fn add(&mut self, key: K, weight: u64) {
        self.total = self.total.saturating_add(weight);
        if weight > 0 {
            self.add_with_error(key, weight, 0);
        }
    }

    fn add_with_error(&mut self, key: K, weight: u64, error: u64) {
        if let Some(index) = self.index.get(&key).copied() {
            let place = &mut self.places[index as usize];
            place.count = place.count.saturating_add(weight);
            place.error = place.error.saturating_add(error);
            return;
        }
        let index = if self.places.len() < self.capacity {
            self.grow();
            self.places.len() as u32
        } else {
            self.pop_lightest()
        };
        let place = Place {
            key: key.clone(),
            count: self.floor.saturating_add(weight),
            error: self.floor.saturating_add(error),
        };
        self.lightest.push(Reverse((place.count, index)));
        self.index.insert(key, index);
        match self.places.get_mut(index as usize) {
            Some(old) => *old = place,
            None => self.places.push(place),
        }
    }

    /// Makes room for another place. Doubles it, but not beyond the capacity.
    fn grow(&mut self) {
        let places = self.places.len();
        if places == self.places.capacity() {
            let more = places.max(4).min(self.capacity - places);
            self.places.reserve_exact(more);
            self.lightest.reserve_exact(more);
        }
    }

    /// Removes the lightest key from both indices; of those with the same count, the one with the first place. Returns the
    /// index of its place, which is free then.
    fn pop_lightest(&mut self) -> u32 {
        while let Some(mut lightest) = self.lightest.peek_mut() {
            let Reverse((count, index)) = *lightest;
            let place = &self.places[index as usize];
            if count < place.count {
                // Its count has grown since.
                *lightest = Reverse((place.count, index));
                continue;
            }
            PeekMut::pop(lightest);
            self.floor = self.floor.max(count);
            self.index.remove(&place.key);
            return index;
        }
        0
    }

    /// The `n` heaviest keys, the heaviest first; of those with the same count, the smaller key first.
    pub fn top(&self, n: usize) -> Vec<Heavy<'_, K>> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by_key(|heavy| (Reverse(heavy.count), heavy.key));
        all.truncate(n);
        all
    }

    /// All keys that are kept, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = Heavy<'_, K>> {
        self.places.iter().map(|place| Heavy {
            key: &place.key,
            count: place.count,
            error: place.error,
        })
    }

    /// The count of a key that is kept.
    pub fn get(&self, key: &K) -> Option<Heavy<'_, K>> {
        let place = &self.places[*self.index.get(key)? as usize];
        Some(Heavy {
            key: &place.key,
            count: place.count,
            error: place.error,
        })
    }

    /// The sum of all weights, also those of keys that are not kept.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The largest weight that a key which is not kept may have.
    pub fn max_missing(&self) -> u64 {
        self.floor
    }

    /// Adds the counts of another collection. Errors add up: afterwards they are at most the sum of both totals divided by
    /// the smaller capacity.
    pub fn merge(&mut self, other: &TopK<K>) {
        let total = self.total.saturating_add(other.total);
        let capacity = self.capacity;
        // With room for all keys, no count is lost before all are complete.
        self.capacity = capacity + other.places.len();
        // A key that one of the two does not keep may have had its largest missing weight there.
        for place in &mut self.places {
            if !other.index.contains_key(&place.key) {
                place.count = place.count.saturating_add(other.floor);
                place.error = place.error.saturating_add(other.floor);
            }
        }
        self.rank();
        for place in &other.places {
            self.add_with_error(place.key.clone(), place.count, place.error);
        }
        self.floor = self.floor.saturating_add(other.floor);
        self.capacity = capacity;
        self.shrink();
        self.total = total;
    }

    /// Replaces the counts by those of another collection, such as a saved one. The capacity stays the same: of more keys,
    /// the heaviest stay. Errors stay, too: afterwards they are at most the total divided by the smaller capacity of both.
    pub fn restore(&mut self, other: TopK<K>) {
        let capacity = self.capacity;
        *self = other;
        self.capacity = capacity;
        self.shrink();
    }

    /// Removes all keys and sums.
    pub fn clear(&mut self) {
        *self = TopK::new(self.capacity);
    }

    /// The number of keys that are kept.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Are there no keys?
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The largest number of keys.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Removes the lightest keys beyond the capacity.
    fn shrink(&mut self) {
        if self.places.len() <= self.capacity {
            return;
        }
        self.places
            .sort_by(|a, b| (b.count, &a.key).cmp(&(a.count, &b.key)));
        let dropped = self.places[self.capacity].count;
        self.floor = self.floor.max(dropped);
        self.places.truncate(self.capacity);
        self.places.shrink_to_fit();
        self.index = (0..)
            .zip(&self.places)
            .map(|(index, place)| (place.key.clone(), index))
            .collect();
        self.rank();
    }

    /// Orders the places by their counts.
    fn rank(&mut self) {
        let places = (0..).zip(&self.places);
        self.lightest = places
            .map(|(index, place)| Reverse((place.count, index)))
            .collect();
    }
}

#[cfg(test)]
mod tests;
