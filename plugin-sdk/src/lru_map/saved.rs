//! The saved form of a map: its capacity, and the keys in the order of their last use.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use foldhash::fast::FixedState;
use hashlink::LinkedHashMap;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;
use serde::de::DeserializeSeed;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde::ser::SerializeTuple;

use super::LruMap;

/// Maximum number of keys to allocate for in advance: the number in the saved bytes is not trusted.
const MAX_PREALLOCATED: usize = 4_096;

/// A list of three: the capacity, the seed, and the keys with their values. The seed is saved because an
/// attacker must not be able to compute the seed of a restored map.
impl<K: Serialize, V: Serialize> Serialize for LruMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_tuple(3)?;
        parts.serialize_element(&(self.capacity as u64))?;
        parts.serialize_element(&self.seed)?;
        parts.serialize_element(&InOrder(self))?;
        parts.end()
    }
}

struct InOrder<'a, K, V>(&'a LruMap<K, V>);

impl<K: Serialize, V: Serialize> Serialize for InOrder<'_, K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.map {
            Some(map) => serializer.collect_map(map),
            None => serializer.collect_map::<K, V, _>([]),
        }
    }
}

impl<'de, K, V> Deserialize<'de> for LruMap<K, V>
where
    K: Deserialize<'de> + Hash + Eq,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(3, Parts(PhantomData))
    }
}

struct Parts<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for Parts<K, V>
where
    K: Deserialize<'de> + Hash + Eq,
    V: Deserialize<'de>,
{
    type Value = LruMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of a capacity, a seed and keys with their values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let missing = |at| de::Error::invalid_length(at, &self);
        let capacity: u64 = parts.next_element()?.ok_or_else(|| missing(0))?;
        let seed = parts.next_element()?.ok_or_else(|| missing(1))?;
        let keys = Keys {
            seed,
            map: PhantomData,
        };
        let map = parts.next_element_seed(keys)?.ok_or_else(|| missing(2))?;
        Ok(LruMap {
            map: (!map.is_empty()).then_some(map),
            seed,
            // The map may have been saved on a machine with a larger usize.
            capacity: usize::try_from(capacity).unwrap_or(usize::MAX).max(1),
        })
    }
}

/// Reads the keys one by one into a map with this seed: there may not be enough memory for all of them
/// twice.
struct Keys<K, V> {
    seed: u64,
    map: PhantomData<(K, V)>,
}

impl<'de, K, V> DeserializeSeed<'de> for Keys<K, V>
where
    K: Deserialize<'de> + Hash + Eq,
    V: Deserialize<'de>,
{
    type Value = LinkedHashMap<K, V, FixedState>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, K, V> Visitor<'de> for Keys<K, V>
where
    K: Deserialize<'de> + Hash + Eq,
    V: Deserialize<'de>,
{
    type Value = LinkedHashMap<K, V, FixedState>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys with their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut keys: A) -> Result<Self::Value, A::Error> {
        let room = keys.size_hint().unwrap_or(0).min(MAX_PREALLOCATED);
        let hashing = FixedState::with_seed(self.seed);
        let mut map = LinkedHashMap::with_capacity_and_hasher(room, hashing);
        while let Some((key, state)) = keys.next_entry()? {
            if map.insert(key, state).is_some() {
                return Err(de::Error::custom("a key occurs twice"));
            }
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    const NOW: Duration = Duration::from_nanos(7);

    fn handed_over(map: &LruMap<String, u32>) -> LruMap<String, u32> {
        let text = serde_json::to_string(map).expect("it is plain");
        serde_json::from_str(&text).expect("it was just written")
    }

    #[test]
    fn the_order_of_use_the_capacity_and_the_values_survive() {
        let mut map = LruMap::new(3);
        for key in ["a", "b", "c", "a"] {
            map.touch(key.to_owned(), NOW, |times| *times += 1);
        }
        let value = serde_json::to_string(&map).expect("it is plain");
        assert_eq!(value, r#"[3,7,{"b":1,"c":1,"a":2}]"#);
        let mut map = handed_over(&map);
        let ((), evicted) = map.touch("d".to_owned(), NOW, |_| ());
        assert_eq!(evicted, Some(("b".to_owned(), 1)));
        assert_eq!((map.len(), map.capacity(), map.seed), (3, 3, 7));
    }

    #[test]
    fn a_map_that_was_never_used_takes_its_seed_from_the_first_use_all_the_same() {
        let mut map = handed_over(&LruMap::new(3));
        assert!(map.is_empty());
        map.touch("a".to_owned(), NOW, |_| ());
        assert_eq!(map.seed, 7);
    }

    #[test]
    fn more_keys_than_the_capacity_become_no_more() {
        let value = json!([0, 0, {"a": 1, "b": 2}]);
        let mut map: LruMap<String, u32> = serde_json::from_value(value).expect("it is sound");
        for key in 0..10 {
            map.touch(key.to_string(), NOW, |_| ());
        }
        assert_eq!((map.len(), map.capacity()), (2, 1));
    }

    #[test]
    fn nonsense_is_refused() {
        for (text, expected) in [
            ("[1,2]", "invalid length 2, expected a list of a capacity"),
            ("{}", "invalid type: map, expected a list of a capacity"),
            ("[1,2,[]]", "expected keys with their values"),
            (r#"[1,2,{"a":1,"a":1}]"#, "a key occurs twice"),
            (r#"[-1,2,{"a":1}]"#, "invalid value: integer `-1`"),
        ] {
            let read = serde_json::from_str::<LruMap<String, u32>>(text);
            let error = read.expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
