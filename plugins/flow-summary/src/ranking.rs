//! The keys with the most segments, with their causes and processes.

use std::hash::Hash;

use retrans_plugin_sdk::prelude::*;

use crate::holder::Holder;

/// Keys that are kept for each key that is shown: the error of a count is then at most a tenth of what a key needs to be
/// shown for certain.
const KEPT_FOR_EACH: usize = 10;

/// Smallest number of keys that are kept.
const MIN_KEPT: usize = 1_000;

/// Both ends of a connection, and its network namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Connection {
    #[serde(rename = "l")]
    pub(crate) local: SocketAddr,
    #[serde(rename = "p")]
    pub(crate) peer: SocketAddr,
    /// Inode of the network namespace.
    #[serde(rename = "n")]
    pub(crate) netns: Option<u32>,
}

impl Connection {
    pub(crate) fn of(event: &Event) -> Connection {
        Connection {
            local: event.local(),
            peer: event.peer(),
            netns: event.netns_inode(),
        }
    }
}

/// Sums of segments by key, and what is known about the keys that were used last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(
    crate = "retrans_plugin_sdk::serde",
    bound(deserialize = "K: Deserialize<'de> + Ord + Clone + Hash")
)]
pub(crate) struct Ranking<K: Serialize + Ord + Clone + Hash> {
    sums: TopK<K>,
    details: LruMap<K, Detail>,
}

/// What is known about a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Detail {
    /// Segments of each kind, by its number.
    #[serde(rename = "k")]
    kinds: Vec<u64>,
    /// The process that an event named last.
    #[serde(rename = "h")]
    pub(crate) holder: Option<Holder>,
    /// Has an event named another process?
    #[serde(rename = "m")]
    pub(crate) more_holders: bool,
}

/// A line of the ranking.
#[derive(Debug)]
pub(crate) struct Row<'a, K> {
    pub(crate) key: &'a K,
    /// At least and at most this number of segments.
    pub(crate) least: u64,
    pub(crate) most: u64,
    /// `None` where the key was forgotten among others.
    pub(crate) detail: Option<&'a Detail>,
}

impl<K: Serialize + Ord + Clone + Hash> Ranking<K> {
    pub(crate) fn new(top: usize) -> Ranking<K> {
        let kept = (KEPT_FOR_EACH * top).max(MIN_KEPT);
        Ranking {
            sums: TopK::new(kept),
            details: LruMap::new(kept),
        }
    }

    pub(crate) fn add(&mut self, key: K, segments: u32, event: &Event) {
        self.sums.add(key.clone(), segments.into());
        self.details
            .touch(key, event.time(), |detail| detail.add(segments, event));
    }

    /// The heaviest keys, the heaviest first.
    pub(crate) fn top(&self, n: usize) -> Vec<Row<'_, K>> {
        let top = self.sums.top(n).into_iter();
        let rows = top.map(|heavy| Row {
            key: heavy.key,
            least: heavy.count - heavy.error,
            most: heavy.count,
            detail: self.details.get(heavy.key),
        });
        rows.collect()
    }

    /// Takes over the sums of another ranking, and keeps the numbers of keys.
    pub(crate) fn restore(&mut self, other: Ranking<K>) {
        let kept = self.details.capacity();
        self.sums.restore(other.sums);
        self.details = other.details;
        self.details.set_capacity(kept);
        while self.details.len() > kept {
            self.details.pop_least_recent();
        }
    }
}

impl Detail {
    fn add(&mut self, segments: u32, event: &Event) {
        // A kind that this version does not know counts as unknown.
        let number = match event.kind() {
            Kind::Other(_) => 0,
            kind => usize::from(kind.number()),
        };
        if self.kinds.len() <= number {
            self.kinds.resize(number + 1, 0);
        }
        self.kinds[number] = self.kinds[number].saturating_add(segments.into());
        if let Some(process) = event.owner().process()
            && self
                .holder
                .as_ref()
                .is_none_or(|holder| !holder.is(process))
        {
            self.more_holders |= self.holder.is_some();
            self.holder = Some(Holder::of(process));
        }
    }

    /// Kinds with their segments, the most frequent first.
    pub(crate) fn kinds(&self) -> Vec<(Kind, u64)> {
        let kinds = (0..)
            .zip(&self.kinds)
            .filter(|(_, segments)| **segments > 0);
        let kinds = kinds.map(|(number, segments)| (Kind::from_number(number), *segments));
        let mut kinds: Vec<_> = kinds.collect();
        kinds.sort_by_key(|(kind, segments)| (std::cmp::Reverse(*segments), *kind));
        kinds
    }
}
