//! Who has which partition: decides what to claim, renew and release, from what is seen in the broker. Without network
//! and clock.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use super::lease_value::Choice;
use super::lease_value::Lease;
use super::lease_value::Presence;
use super::lease_value::Revised;
use crate::partition::Partition;
use crate::partition::Partitions;

/// A lease and a presence are renewed this often.
pub const RENEW_INTERVAL: Duration = Duration::from_secs(2);

/// A lease that was not renewed for this time is lost: by its owner's clock since it last asked for a renewal, by
/// another's clock since it first saw the last one, which is later.
pub const LEASE_TIMEOUT: Duration = Duration::from_secs(6);

/// After this time without a look at the broker, leases are watched anew: they may have been renewed meanwhile, or the
/// broker was away and no lease could be.
const MAX_BLIND: Duration = Duration::from_secs(3);

/// A partition whose chain failed is left to others for this time.
const AVOID_TIME: Duration = Duration::from_secs(30);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write a lease in the place of this revision; 0 if there is none. Then say [`Leases::claimed`].
    Claim {
        /// The partition.
        partition: Partition,
        /// The revision that is to be replaced.
        revision: u64,
    },
    /// Write the lease again in the place of this revision. Then say [`Leases::renewed`].
    Renew {
        /// The partition.
        partition: Partition,
        /// The revision that is to be replaced.
        revision: u64,
    },
    /// Take the last snapshot and write the lease as released. Then say [`Leases::released`].
    Release {
        /// The partition.
        partition: Partition,
    },
    /// Stop at once: the partition is no longer this consumer's.
    Lost {
        /// The partition.
        partition: Partition,
        /// Why.
        reason: String,
    },
}

/// The leases of one consumer and what it has seen of others.
#[derive(Debug)]
pub struct Leases {
    id: String,
    choice: Choice,
    partitions: Partitions,
    /// None until the broker was read.
    seen: Option<BTreeMap<Partition, Seen<Lease>>>,
    peers: BTreeMap<String, Seen<Presence>>,
    /// When the broker was last read.
    observed: Option<Instant>,
    held: BTreeMap<Partition, Held>,
    avoided: BTreeMap<Partition, Instant>,
}

/// A value as it was seen, on this consumer's clock.
#[derive(Debug, Clone)]
struct Seen<T> {
    revised: Revised<T>,
    first: Instant,
}

#[derive(Debug, Clone)]
struct Held {
    revision: u64,
    /// When the renewal that succeeded last was sent.
    renewed: Instant,
    is_releasing: bool,
    /// The owner that was seen in its place.
    taken_by: Option<String>,
}

impl Leases {
    /// Without leases. `id` is this consumer's identifier, which no other one has ever had.
    pub fn new(id: String, choice: Choice, partitions: Partitions) -> Leases {
        Leases {
            id,
            choice,
            partitions,
            seen: None,
            peers: BTreeMap::new(),
            observed: None,
            held: BTreeMap::new(),
            avoided: BTreeMap::new(),
        }
    }

    /// Takes in all leases and consumers that are in the broker.
    pub fn observe(
        &mut self,
        now: Instant,
        leases: BTreeMap<Partition, Revised<Lease>>,
        peers: BTreeMap<String, Revised<Presence>>,
    ) {
        for (partition, held) in &mut self.held {
            if let Some(seen) = leases.get(partition) {
                held.compare(seen, &self.id);
            }
        }
        let is_blind = |last: Instant| now.saturating_duration_since(last) > MAX_BLIND;
        let not_before = self.observed.filter(|last| is_blind(*last)).map(|_| now);
        self.observed = Some(now);
        let seen = self.seen.take().unwrap_or_default();
        self.seen = Some(merge(seen, leases, now, not_before));
        self.peers = merge(std::mem::take(&mut self.peers), peers, now, not_before);
    }

    /// What is to be done now.
    pub fn decide(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = self.drop_lost(now);
        actions.extend(self.renewals(now));
        actions.extend(self.surplus(now));
        actions.extend(self.claims(now));
        actions
    }

    /// A lease was claimed: the request was sent at `sent`, and made this revision.
    pub fn claimed(&mut self, partition: Partition, revision: u64, sent: Instant) {
        let held = Held {
            revision,
            renewed: sent,
            is_releasing: false,
            taken_by: None,
        };
        self.held.insert(partition, held);
    }

    /// A lease was renewed: the request was sent at `sent`, and made this revision.
    pub fn renewed(&mut self, partition: Partition, revision: u64, sent: Instant) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.revision = revision;
            held.renewed = sent;
        }
    }

    /// A lease is no longer held: it was written as released, or others will find that it is not renewed.
    pub fn released(&mut self, partition: Partition) {
        self.held.remove(&partition);
    }

    /// A chain failed: the partition is not claimed again for some time, unless others leave it.
    pub fn avoid(&mut self, partition: Partition, now: Instant) {
        self.avoided.insert(partition, now + AVOID_TIME);
    }

    /// The revision of a lease that is held.
    pub fn revision(&self, partition: Partition) -> Option<u64> {
        self.held.get(&partition).map(|held| held.revision)
    }

    /// What this consumer says of its choice.
    pub fn chosen(&self) -> Option<BTreeSet<Partition>> {
        match &self.choice {
            Choice::Some(set) => Some(set.clone()),
            Choice::All | Choice::Auto => None,
        }
    }

    /// Number of consumers that are there, with this one.
    pub fn present(&self, now: Instant) -> usize {
        1 + self.others(now).count()
    }

    /// Most partitions that this consumer takes.
    pub fn share(&self, now: Instant) -> usize {
        let count = usize::from(self.partitions.count());
        match &self.choice {
            Choice::All => count,
            Choice::Some(set) => set.len(),
            Choice::Auto => {
                let sharing = self
                    .others(now)
                    .filter(|peer| peer.chosen.is_none())
                    .count();
                let reserved = self.reserved(now).len();
                count.saturating_sub(reserved).div_ceil(1 + sharing)
            }
        }
    }

    /// The other consumers that are there.
    fn others(&self, now: Instant) -> impl Iterator<Item = &Presence> {
        self.peers.iter().filter_map(move |(id, seen)| {
            let peer = seen.revised.value.as_ref()?;
            (*id != self.id && !peer.left && !seen.is_still(now)).then_some(peer)
        })
    }

    /// The partitions of this fleet that other consumers were told to take.
    fn reserved(&self, now: Instant) -> BTreeSet<Partition> {
        let chosen = self.others(now).filter_map(|peer| peer.chosen.as_ref());
        let is_there = |partition: &Partition| partition.0 < self.partitions.count();
        chosen.flatten().copied().filter(is_there).collect()
    }

    fn drop_lost(&mut self, now: Instant) -> Vec<Action> {
        let reason = |held: &Held| match &held.taken_by {
            Some(owner) => Some(format!("its lease was taken by {owner}")),
            None if now >= held.renewed + LEASE_TIMEOUT => Some(format!(
                "its lease could not be renewed for {LEASE_TIMEOUT:?}"
            )),
            None => None,
        };
        let lost: Vec<(Partition, String)> = self
            .held
            .iter()
            .filter_map(|(partition, held)| Some((*partition, reason(held)?)))
            .collect();
        let drop = |(partition, reason)| {
            self.held.remove(&partition);
            Action::Lost { partition, reason }
        };
        lost.into_iter().map(drop).collect()
    }

    fn renewals(&self, now: Instant) -> Vec<Action> {
        let is_due = |(_, held): &(&Partition, &Held)| now >= held.renewed + RENEW_INTERVAL;
        let renew = |(partition, held): (&Partition, &Held)| Action::Renew {
            partition: *partition,
            revision: held.revision,
        };
        self.held.iter().filter(is_due).map(renew).collect()
    }

    /// What another consumer was told to take, or is above the share, is released one at a time: each release
    /// interrupts its chain.
    fn surplus(&mut self, now: Instant) -> Option<Action> {
        if self.choice != Choice::Auto || self.held.values().any(|held| held.is_releasing) {
            return None;
        }
        let reserved = self.reserved(now);
        let partition = match self.held.keys().find(|held| reserved.contains(held)) {
            Some(partition) => *partition,
            None if self.held.len() > self.share(now) => *self.held.keys().next_back()?,
            None => return None,
        };
        self.held.get_mut(&partition)?.is_releasing = true;
        Some(Action::Release { partition })
    }

    fn claims(&self, now: Instant) -> Vec<Action> {
        let Some(seen) = &self.seen else {
            return Vec::new();
        };
        let room = self.share(now).saturating_sub(self.held.len());
        let reserved = self.reserved(now);
        self.wanted()
            .filter(|partition| self.choice != Choice::Auto || !reserved.contains(partition))
            .filter(|partition| !self.held.contains_key(partition))
            .filter(|partition| {
                self.avoided
                    .get(partition)
                    .is_none_or(|until| now >= *until)
            })
            .filter_map(|partition| {
                let revision = match seen.get(&partition) {
                    None => 0,
                    Some(seen) if seen.is_free(&self.id, now) => seen.revised.revision,
                    Some(_) => return None,
                };
                Some(Action::Claim {
                    partition,
                    revision,
                })
            })
            .take(room)
            .collect()
    }

    /// The partitions of the choice. Consumers begin at different ones, or those that start together would all try the
    /// same.
    fn wanted(&self) -> impl Iterator<Item = Partition> {
        let count = self.partitions.count();
        let first = self.id.bytes().fold(0_u16, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u16::from(byte))
        }) % count;
        let is_chosen = |partition: &Partition| match &self.choice {
            Choice::Some(set) => set.contains(partition),
            Choice::All | Choice::Auto => true,
        };
        (0..count)
            .map(move |at| Partition((first + at) % count))
            .filter(is_chosen)
    }
}

impl Held {
    /// Finds out from what is in the broker whether the lease is still held.
    fn compare(&mut self, seen: &Revised<Lease>, id: &str) {
        if seen.revision <= self.revision {
            return;
        }
        match &seen.value {
            // The answer to a renewal was lost. When it was sent is not known: it does not extend the lease.
            Some(lease) if lease.owner == id && !lease.released => self.revision = seen.revision,
            Some(lease) => self.taken_by = Some(lease.name.clone()),
            None => self.taken_by = Some("no consumer: its key was deleted".to_owned()),
        }
    }
}

impl<T> Seen<T> {
    fn is_still(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.first) >= LEASE_TIMEOUT
    }
}

impl Seen<Lease> {
    fn is_free(&self, id: &str, now: Instant) -> bool {
        match &self.revised.value {
            None => true,
            // This consumer could not renew it, and no other one has taken it.
            Some(lease) if lease.owner == id => true,
            Some(lease) => lease.released || self.is_still(now),
        }
    }
}

/// What is in the broker now, with the time at which each revision was first seen, or `not_before` if that is later. An
/// older revision comes from a
/// server of the cluster that is behind.
fn merge<K: Ord, T>(
    mut before: BTreeMap<K, Seen<T>>,
    now_there: BTreeMap<K, Revised<T>>,
    now: Instant,
    not_before: Option<Instant>,
) -> BTreeMap<K, Seen<T>> {
    let merge = |(key, revised): (K, Revised<T>)| {
        let seen = match before.remove(&key) {
            Some(seen) if seen.revised.revision >= revised.revision => Seen {
                first: not_before.unwrap_or(seen.first),
                ..seen
            },
            _ => Seen {
                revised,
                first: now,
            },
        };
        (key, seen)
    };
    now_there.into_iter().map(merge).collect()
}

#[cfg(test)]
mod tests;
