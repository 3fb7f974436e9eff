//! The sum of the statistics of several chains of the same plugins, such as those of the partitions of a fleet.

use super::counters::ChainStats;
use super::counters::PluginStats;
use super::counters::PluginUsage;

impl ChainStats {
    /// Adds the statistics of another chain. Quantiles of the CPU time become the largest ones; gauges those of the chain
    /// that was added last. Sinks are shared by the chains, and not added.
    pub fn add(&mut self, other: &ChainStats) {
        for plugin in &other.plugins {
            match self.plugins.iter_mut().find(|own| own.name == plugin.name) {
                Some(own) => add_events(own, plugin),
                None => self.plugins.push(plugin.clone()),
            }
        }
        for usage in &other.usage {
            match self.usage.iter_mut().find(|own| own.plugin == usage.plugin) {
                Some(own) => add_usage(own, usage),
                None => self.usage.push(usage.clone()),
            }
        }
        for (name, count) in &other.counters {
            *self.counters.entry(name.clone()).or_default() += count;
        }
        self.gauges.extend(other.gauges.clone());
        for (name, histogram) in &other.histograms {
            self.histograms
                .entry(name.clone())
                .or_default()
                .add(histogram);
        }
    }
}

fn add_events(own: &mut PluginStats, other: &PluginStats) {
    own.events += other.events;
    own.kept += other.kept;
    own.dropped += other.dropped;
    own.passed_unseen += other.passed_unseen;
    own.lost += other.lost;
}

fn add_usage(own: &mut PluginUsage, other: &PluginUsage) {
    own.calls += other.calls;
    own.changed += other.changed;
    own.cpu += other.cpu;
    own.call_cpu.add(&other.call_cpu);
    own.p50 = own.p50.max(other.p50);
    own.p99 = own.p99.max(other.p99);
    own.max = own.max.max(other.max);
    own.memory += other.memory;
    own.memory_max += other.memory_max;
    own.restarts += other.restarts;
    own.reloads += other.reloads;
    for (cause, count) in &other.faults {
        *own.faults.entry(cause).or_default() += count;
    }
    own.is_in_quarantine |= other.is_in_quarantine;
    own.metrics_refused += other.metrics_refused;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(events: u64) -> ChainStats {
        let mut chain = ChainStats::default();
        for (name, events) in [("a", events), ("b", events - 1)] {
            chain.plugins.push(PluginStats {
                name: name.to_owned(),
                events,
                kept: events - 1,
                dropped: 1,
                ..PluginStats::default()
            });
            chain.usage.push(PluginUsage {
                plugin: name.to_owned(),
                calls: 2,
                ..PluginUsage::default()
            });
        }
        let name = ("a".to_owned(), "seen".to_owned());
        chain.counters.insert(name.clone(), events);
        chain.histograms.entry(name).or_default().observe(1.0);
        chain
    }

    #[test]
    fn chains_that_balance_do_so_together() {
        let mut sum = chain(10);
        sum.add(&chain(5));
        assert!(sum.balances(15));
        assert!(!sum.balances(14));
        assert_eq!(sum.usage.len(), 2);
        assert_eq!(sum.usage[0].calls, 4);
        let name = ("a".to_owned(), "seen".to_owned());
        assert_eq!(sum.counters[&name], 15);
        assert_eq!(sum.histograms[&name].count(), 2);
    }
}
