//! The metrics that a plugin keeps itself: counters, gauges and histograms, of a limited number.

use std::collections::BTreeMap;

use crate::plugin::Metric;
use crate::stats::counters::ChainStats;
use crate::stats::plugin_histogram::PluginHistogram;

/// Maximum number of counters of one plugin, and of gauges.
const MAX_METRICS: usize = 256;

/// Maximum number of histograms of one plugin. Each has as many time series as it has buckets.
const MAX_HISTOGRAMS: usize = 32;

/// The metrics of one plugin, by name.
#[derive(Debug, Default)]
pub(super) struct OwnMetrics {
    counters: BTreeMap<String, u64>,
    gauges: BTreeMap<String, f64>,
    histograms: BTreeMap<String, PluginHistogram>,
    /// Changes of metrics beyond the maximum, which have no other effect.
    refused: u64,
}

impl OwnMetrics {
    /// Applies what a call says of a metric.
    pub(super) fn apply(&mut self, name: String, metric: Metric) {
        let is_applied = match metric {
            Metric::Count(by) => entry(&mut self.counters, name, MAX_METRICS)
                .map(|count| *count = count.saturating_add(by)),
            Metric::Gauge(value) => {
                entry(&mut self.gauges, name, MAX_METRICS).map(|gauge| *gauge = value)
            }
            Metric::Observed(values) => entry(&mut self.histograms, name, MAX_HISTOGRAMS)
                .map(|histogram| values.iter().for_each(|value| histogram.observe(*value))),
        };
        if is_applied.is_none() {
            self.refused = self.refused.saturating_add(1);
        }
    }

    /// Adds the metrics to the statistics of the chain, as those of the plugin `plugin`.
    pub(super) fn report(&self, plugin: &str, chain: &mut ChainStats) {
        let key = |name: &String| (plugin.to_owned(), name.clone());
        let counters = self.counters.iter();
        chain
            .counters
            .extend(counters.map(|(name, count)| (key(name), *count)));
        let gauges = self.gauges.iter();
        chain
            .gauges
            .extend(gauges.map(|(name, value)| (key(name), *value)));
        let histograms = self.histograms.iter();
        chain
            .histograms
            .extend(histograms.map(|(name, histogram)| (key(name), histogram.clone())));
    }

    /// Changes of metrics that had no effect, because there is no room.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}

/// The metric of this name, which is added if there is room. `None`: there is none.
fn entry<V: Default>(
    metrics: &mut BTreeMap<String, V>,
    name: String,
    max: usize,
) -> Option<&mut V> {
    let has_room = metrics.len() < max || metrics.contains_key(&name);
    has_room.then(|| metrics.entry(name).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_beyond_the_maximum_are_counted_and_the_others_go_on() {
        let mut metrics = OwnMetrics::default();
        for number in 0..MAX_METRICS + 3 {
            metrics.apply(format!("m{number}"), Metric::Count(2));
            metrics.apply(format!("m{number}"), Metric::Gauge(0.5));
            metrics.apply(format!("m{number}"), Metric::Observed(vec![1.0, 7.0]));
        }
        for again in [
            Metric::Count(u64::MAX),
            Metric::Gauge(-4.0),
            Metric::Observed(vec![1.0]),
        ] {
            metrics.apply("m0".to_owned(), again);
        }
        let mut chain = ChainStats::default();
        metrics.report("p", &mut chain);
        let key = |name: &str| ("p".to_owned(), name.to_owned());
        assert_eq!(chain.counters.len(), MAX_METRICS);
        assert_eq!(chain.counters[&key("m0")], u64::MAX);
        assert_eq!(chain.counters[&key("m1")], 2);
        assert_eq!(chain.gauges.len(), MAX_METRICS);
        assert_eq!(chain.gauges[&key("m0")], -4.0);
        assert_eq!(chain.histograms.len(), MAX_HISTOGRAMS);
        assert_eq!(chain.histograms[&key("m0")].count(), 3);
        let beyond = 3 + 3 + (MAX_METRICS + 3 - MAX_HISTOGRAMS) as u64;
        assert_eq!(metrics.refused(), beyond);
    }
}
