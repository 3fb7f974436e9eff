//! What the plugin knows of keys: sums, usual ratios and active alerts.

use retrans_plugin_sdk::prelude::*;

use crate::key::Key;
use crate::key::Parts;
use crate::rule::BUCKETS;
use crate::rule::Counted;
use crate::rule::Rule;

/// The most active alerts: as many as the host remembers of a plugin.
const MAX_ALERTS: usize = 10_000;

/// The most keys of which sums are kept. With censuses of a second, in which all of them retransmit, they and a census of
/// 65,536 rows fit into the default limit of 64 MiB of memory: 20,000 keys took 49 MB.
const MAX_KEYS: usize = 20_000;

/// The state of the plugin.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub struct State {
    pub(crate) parts: Parts,
    /// The end of the last census, and its interval.
    pub(crate) last: Option<(Duration, Duration)>,
    sent: BucketedCounter<Key>,
    again: BucketedCounter<Key>,
    usual: LruMap<Key, Option<Usual>>,
    /// Severities of active alerts.
    active: LruMap<Key, Option<Severity>>,
}

/// The usual ratio of a key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Usual {
    ratio: Ewma,
    /// When it was learned for the first time.
    since: Duration,
}

impl State {
    pub(crate) fn new(rule: &Rule) -> State {
        let counter = || BucketedCounter::with_max_keys(rule.window, BUCKETS, MAX_KEYS);
        State {
            parts: rule.parts.clone(),
            last: None,
            sent: counter(),
            again: counter(),
            usual: LruMap::new(MAX_KEYS),
            active: LruMap::new(MAX_ALERTS),
        }
    }

    /// Adds the segments of a row.
    pub(crate) fn add(&mut self, key: Key, row: &CensusRow) {
        if row.segments == 0 && row.retransmitted_segments == 0 {
            // Of connections that are idle: these must not evict other keys.
            return;
        }
        let weight = |segments: u64| u32::try_from(segments).unwrap_or(u32::MAX);
        if self.sent.count(&key, row.time) == 0 {
            // What it sent was evicted, or is too long ago: what it sent again then must not be compared with what it sends
            // now.
            self.again.remove(&key);
        }
        self.sent.add_many(key, row.time, weight(row.segments));
        if row.retransmitted_segments > 0 {
            self.again
                .add_many(key, row.time, weight(row.retransmitted_segments));
        }
    }

    /// Removes the sums of keys that have sent nothing within the window that ends at `now`.
    pub(crate) fn remove_idle(&mut self, now: Duration) {
        self.sent.remove_idle(now);
        self.again.remove_idle(now);
    }

    /// The numbers of keys of which sent segments and those that were sent again are kept.
    #[cfg(test)]
    pub(crate) fn keys_with_sums(&self) -> (usize, usize) {
        (self.sent.len(), self.again.len())
    }

    /// The segments of a key within the window that ends at `now`.
    pub(crate) fn counted(&self, key: &Key, now: Duration) -> Counted {
        Counted {
            sent: self.sent.count(key, now),
            again: self.again.count(key, now),
        }
    }

    /// The number of keys that were evicted.
    pub(crate) fn evicted(&self) -> u64 {
        self.sent.evicted()
    }

    /// The usual ratio of a key, if it is known for long enough.
    pub(crate) fn usual(&self, key: &Key, rule: &Rule, now: Duration) -> Option<f64> {
        let usual = self.usual.get(key)?.as_ref()?;
        let is_known = now.saturating_sub(usual.since) >= rule.learning_time();
        usual.ratio.mean().filter(|_| is_known)
    }

    /// Learns from a ratio of a key.
    pub(crate) fn learn(&mut self, key: Key, rule: &Rule, ratio: f64, now: Duration) {
        self.usual.touch(key, now, |usual| {
            let usual = usual.get_or_insert_with(|| Usual {
                ratio: Ewma::new(rule.history),
                since: now,
            });
            // A stream of another boot has earlier times.
            usual.since = usual.since.min(now);
            usual.ratio.add(ratio, now);
        });
    }

    /// The severity of the active alert of a key.
    pub(crate) fn severity(&self, key: &Key) -> Option<Severity> {
        *self.active.get(key)?
    }

    /// Sets the severity of the alert of a key. Returns false where there are too many alerts.
    pub(crate) fn activate(&mut self, key: Key, severity: Severity, now: Duration) -> bool {
        let is_full = self.active.len() >= self.active.capacity();
        if is_full && !self.active.contains_key(&key) {
            return false;
        }
        self.active
            .touch(key, now, |active| *active = Some(severity));
        true
    }

    /// Ends the alert of a key.
    pub(crate) fn deactivate(&mut self, key: &Key) {
        self.active.remove(key);
    }

    /// The keys with an active alert.
    pub(crate) fn active(&self) -> Vec<Key> {
        self.active.iter().map(|(key, _)| *key).collect()
    }

    /// Takes over the saved state, which has keys of the same parts. The settings apply to it from now on.
    pub(crate) fn restore(&mut self, saved: State, rule: &Rule) {
        let State {
            parts: _,
            last,
            sent,
            again,
            usual,
            active,
        } = saved;
        self.last = last;
        self.sent.restore(sent);
        self.again.restore(again);
        self.usual = usual;
        self.usual.shrink_to(MAX_KEYS);
        self.usual.retain(|_, usual| {
            if let Some(usual) = usual {
                let mut ratio = Ewma::new(rule.history);
                ratio.restore(usual.ratio.clone());
                usual.ratio = ratio;
            }
            true
        });
        self.active = active;
        self.active.set_capacity(MAX_ALERTS);
    }
}
