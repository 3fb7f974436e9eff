//! The saved form of the heaviest keys: the keys in the order of their places, with their counts.

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;

use super::MAX_CAPACITY;
use super::Place;
use super::TopK;

/// A list of four: capacity, total, largest missing weight, and the keys with count and error.
impl<K: Serialize + Ord + Clone> Serialize for TopK<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let places = self.places.iter();
        let places: Vec<_> = places
            .map(|place| (&place.key, place.count, place.error))
            .collect();
        (self.capacity as u64, self.total, self.floor, places).serialize(serializer)
    }
}

impl<'de, K: Deserialize<'de> + Ord + Clone> Deserialize<'de> for TopK<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (capacity, total, floor, places) =
            <(u64, u64, u64, Vec<(K, u64, u64)>)>::deserialize(deserializer)?;
        let capacity = usize::try_from(capacity).unwrap_or(MAX_CAPACITY);
        let mut read = TopK::new(capacity);
        if places.len() > read.capacity {
            return Err(de::Error::custom("more keys than the capacity"));
        }
        read.total = total;
        read.floor = floor;
        read.places.reserve_exact(places.len());
        for (index, (key, count, error)) in (0..).zip(places) {
            if error > count {
                return Err(de::Error::custom("an error is larger than its count"));
            }
            if read.index.insert(key.clone(), index).is_some() {
                return Err(de::Error::custom("a key occurs twice"));
            }
            read.places.push(Place { key, count, error });
        }
        read.rank();
        Ok(read)
    }
}
