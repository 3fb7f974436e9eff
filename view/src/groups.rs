//! Sums by key, of a bounded number of keys.

use std::ops::AddAssign;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::RawEntryMut;
use retrans_event::Event;

use crate::key::Grouping;
use crate::key::Key;
use crate::sums::Sums;

/// What is known about the events of a key.
pub trait Tally: Default + AddAssign {
    /// Adds an event.
    fn add(&mut self, event: &Event);
}

impl Tally for Sums {
    fn add(&mut self, event: &Event) {
        Sums::add(self, event);
    }
}

/// Sums by key.
pub type Groups = GroupsOf<Sums>;

/// Sums by key, or more than sums. Once there are as many keys as it may keep, the one whose last event came first makes
/// room: its sums are added to those of the rest.
#[derive(Debug, Clone)]
pub struct GroupsOf<T> {
    grouping: Grouping,
    max: usize,
    sums: LinkedHashMap<Key, T, RandomState>,
    rest: T,
    evicted: u64,
}

impl<T: Tally> GroupsOf<T> {
    /// Groups of at most `max` keys, at least one.
    pub fn new(grouping: impl Into<Grouping>, max: usize) -> GroupsOf<T> {
        GroupsOf {
            grouping: grouping.into(),
            max: max.max(1),
            sums: LinkedHashMap::with_hasher(RandomState::default()),
            rest: T::default(),
            evicted: 0,
        }
    }

    /// What events are grouped by.
    pub fn grouping(&self) -> &Grouping {
        &self.grouping
    }

    /// Adds an event to the sums of its key.
    pub fn add(&mut self, event: &Event) {
        let key = self.grouping.key(event);
        match self.sums.raw_entry_mut().from_key(&key) {
            RawEntryMut::Occupied(mut entry) => {
                entry.to_back();
                entry.get_mut().add(event);
            }
            RawEntryMut::Vacant(entry) => {
                let (_, sums) = entry.insert(key, T::default());
                sums.add(event);
                self.make_room();
            }
        }
    }

    /// Evicts the key whose last event came first, if there are too many.
    fn make_room(&mut self) {
        if self.sums.len() > self.max
            && let Some((_, evicted)) = self.sums.pop_front()
        {
            self.rest += evicted;
            self.evicted += 1;
        }
    }

    /// Number of keys that have sums of their own.
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Returns whether there was no event.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// The sums of a key.
    pub fn get(&self, key: &Key) -> Option<&T> {
        self.sums.get(key)
    }

    /// All keys that have sums of their own, the one with the latest event last.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &T)> {
        self.sums.iter()
    }

    /// The sums of all keys that made room. A key that came back is in both.
    pub fn rest(&self) -> &T {
        &self.rest
    }

    /// How often a key made room. If it is 0, the sums of all keys are exact, and [`len`](GroupsOf::len) is their number.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The `number` keys with the largest measure, the largest first. Of equal ones the smaller key is first.
    pub fn top<M: Ord>(&self, number: usize, measure: impl Fn(&T) -> M) -> Vec<(&Key, &T)> {
        self.top_by(number, |_, sums| measure(sums))
    }

    /// Like [`top`](GroupsOf::top), with a measure that depends on the key as well.
    pub fn top_by<M: Ord>(
        &self,
        number: usize,
        measure: impl Fn(&Key, &T) -> M,
    ) -> Vec<(&Key, &T)> {
        let mut all: Vec<_> = self.sums.iter().collect();
        let order = |(one, of_one): &(&Key, &T), (other, of_other): &(&Key, &T)| {
            let measures = measure(other, of_other).cmp(&measure(one, of_one));
            measures.then(one.cmp(other))
        };
        if all.len() > number && number > 0 {
            all.select_nth_unstable_by(number - 1, order);
        }
        all.truncate(number);
        all.sort_unstable_by(order);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use retrans_event::Record;
    use retrans_event::synth::Synth;

    use super::*;
    use crate::key::Part;

    fn to_peer(number: u32) -> Record {
        let mut event = Record::new();
        event.set_peer_address(Ipv4Addr::from_bits(0x0a00_0000 + number).into());
        event.set_segments(Some(1));
        event
    }

    #[test]
    fn the_top_is_that_of_all_keys_in_order() {
        let mut groups = Groups::new(Part::Connection, usize::MAX);
        let mut total = Sums::default();
        for event in Synth::new(1).take(5_000) {
            groups.add(&event);
            total.add(&event);
        }
        let mut sum = Sums::default();
        groups.iter().for_each(|(_, sums)| sum += *sums);
        assert_eq!(sum, total);
        let all = groups.top(usize::MAX, |sums| sums.segments);
        assert_eq!(all.len(), groups.len());
        assert!(all.is_sorted_by_key(|(key, sums)| (std::cmp::Reverse(sums.segments), *key)));
        for number in [0, 1, 10] {
            assert_eq!(groups.top(number, |sums| sums.segments), all[..number]);
        }
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_lost() {
        let mut groups = Groups::new(Part::Peer, 100);
        for number in 0..1_000 {
            groups.add(&to_peer(0));
            groups.add(&to_peer(number));
        }
        assert_eq!((groups.len(), groups.evicted()), (100, 900));
        let kept: u64 = groups.iter().map(|(_, sums)| sums.events).sum();
        assert_eq!(kept + groups.rest().events, 2_000);
        // The key that has events all the time stays.
        let (_, first) = groups.top(1, |sums| sums.events)[0];
        assert_eq!(first.events, 1_001);
    }
}
