//! What a consumer has got from each host, over all of its partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use retrans_fleet::names::HostToken;

use crate::stats::fleet::FleetStats;

/// Hosts that are counted at most. Further ones are only in the sums: names come from the network.
const MAX_HOSTS: usize = 16_384;

/// Shared by the chains of all partitions and the main thread.
#[derive(Debug, Clone, Default)]
pub struct HostCounts(Arc<Mutex<BTreeMap<HostToken, FleetStats>>>);

impl HostCounts {
    /// Adds what a message of this host was counted as.
    pub fn add(&self, host: &HostToken, counted: FleetStats) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() < MAX_HOSTS || hosts.contains_key(host) {
            *hosts.entry(host.clone()).or_default() += counted;
        }
    }

    /// The hosts, and what was counted since this consumer began.
    pub fn counted(&self) -> Arc<[(String, FleetStats)]> {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hosts = hosts.iter();
        hosts
            .map(|(host, counted)| (host.name(), *counted))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_beyond_the_maximum_are_not_counted_and_the_others_go_on() {
        let hosts = HostCounts::default();
        let one = FleetStats {
            received: 1,
            delivered: 1,
            ..FleetStats::default()
        };
        let name = |number: usize| HostToken::of(&format!("{number:05}"));
        (0..=MAX_HOSTS).for_each(|number| hosts.add(&name(number), one));
        hosts.add(&name(7), one);
        hosts.add(&name(MAX_HOSTS), one);
        let counted = hosts.counted();
        assert_eq!(counted.len(), MAX_HOSTS);
        assert_eq!(
            (counted[7].0.as_str(), counted[7].1.delivered),
            ("00007", 2)
        );
    }
}
