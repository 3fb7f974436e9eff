//! What each counter becomes.

use std::collections::BTreeSet;

use super::*;
use crate::stats::counters::ReplayStats;
use crate::stats::plugin_histogram::PluginHistogram;

fn named<'a>(metrics: &'a Metrics, name: &str) -> &'a Metric {
    let mut metrics = metrics.metrics.iter();
    metrics
        .find(|metric| metric.name == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

/// The values of a counter, each with its attributes.
fn counted(metrics: &Metrics, name: &str) -> Vec<(String, u64)> {
    let Values::Counter(points) = &named(metrics, name).values else {
        panic!("{name} is no counter");
    };
    let attributes = |point: &Point<u64>| {
        let values = point.attributes.iter().map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>().join(" ")
    };
    points
        .iter()
        .map(|point| (attributes(point), point.value))
        .collect()
}

fn expected(values: &[(&str, u64)]) -> Vec<(String, u64)> {
    values
        .iter()
        .map(|(attributes, value)| ((*attributes).to_owned(), *value))
        .collect()
}

#[test]
fn each_counter_is_a_value_of_a_metric() {
    let plugin = PluginStats {
        name: "a".to_owned(),
        events: 15,
        kept: 1,
        dropped: 2,
        passed_unseen: 4,
        lost: 8,
    };
    let usage = PluginUsage {
        plugin: "a".to_owned(),
        calls: 3,
        cpu: Duration::from_millis(1_500),
        memory: 65_536,
        faults: [("deadline", 2)].into(),
        ..PluginUsage::default()
    };
    let sink = SinkStats {
        name: "webhook/b".to_owned(),
        received: 15,
        sent: 1,
        queued: 2,
        dropped: 4,
        failed: 8,
    };
    let kernel = KernelStats {
        entered: 31,
        recorded: 1,
        ring_full: 2,
        filtered: 4,
        sampled_out: 8,
        rate_limited: 16,
        recursion_misses: Some(32),
    };
    let stats = Stats {
        stream: Some(StreamStats::Live {
            kernel,
            source: SourceStats {
                delivered: 5,
                withheld: 6,
                ..SourceStats::default()
            },
            owners: OwnerStats {
                held: 5,
                ..OwnerStats::default()
            },
        }),
        census: Some(CensusStats {
            made: 7,
            ..CensusStats::default()
        }),
        chain: ChainStats {
            plugins: vec![plugin],
            usage: vec![usage],
            counters: [(("a".to_owned(), "seen".to_owned()), 9)].into(),
            sinks: vec![sink],
            ..ChainStats::default()
        },
        recorded: Some(RecordingStats {
            events: 8,
            written: 10,
            not_recorded: 11,
            ..RecordingStats::default()
        }),
        ..Stats::default()
    };
    let metrics = of(&stats, Duration::from_secs(1), Duration::from_secs(2));
    assert_eq!((metrics.start.as_secs(), metrics.at.as_secs()), (1, 2));
    let names: BTreeSet<_> = metrics.metrics.iter().map(|metric| &metric.name).collect();
    assert_eq!(names.len(), metrics.metrics.len(), "names differ");
    for (name, values) in [
        (
            "retrans.probe.calls",
            &[
                ("recorded", 1),
                ("ring_full", 2),
                ("rate_limited", 16),
                ("filtered", 4),
                ("sampled_out", 8),
            ][..],
        ),
        ("retrans.probe.recursion_misses", &[("", 32)]),
        (
            "retrans.source.events",
            &[
                ("delivered", 5),
                ("withheld", 6),
                ("filtered", 0),
                ("beyond", 0),
            ],
        ),
        (
            "retrans.owner.events",
            &[
                ("held", 5),
                ("orphaned", 0),
                ("not_accepted", 0),
                ("kernel", 0),
                ("unknown", 0),
            ],
        ),
        ("retrans.censuses", &[("", 7)]),
        (
            "retrans.plugin.events",
            &[
                ("a kept", 1),
                ("a dropped", 2),
                ("a passed_unseen", 4),
                ("a lost", 8),
            ],
        ),
        ("retrans.plugin.calls", &[("a", 3)]),
        ("retrans.plugin.faults", &[("a deadline", 2)]),
        ("retrans.plugin.counter", &[("a seen", 9)]),
        (
            "retrans.sink.items",
            &[
                ("webhook/b sent", 1),
                ("webhook/b dropped", 4),
                ("webhook/b failed", 8),
            ],
        ),
        (
            "retrans.capture.events",
            &[("recorded", 10), ("not_recorded", 11)],
        ),
    ] {
        assert_eq!(counted(&metrics, name), expected(values), "{name}");
    }
    let cpu = Values::Time(vec![point([("plugin", "a")], Duration::from_millis(1_500))]);
    assert_eq!(named(&metrics, "retrans.plugin.cpu").values, cpu);
    let queued = Values::Gauge(vec![point([("sink", "webhook/b")], 2.0)]);
    assert_eq!(named(&metrics, "retrans.sink.queued_items").values, queued);
}

#[test]
fn a_replay_has_no_probe() {
    let stats = Stats::of_replay(ReplayStats {
        read: 12,
        left_out: 3,
        delivered: 9,
    });
    let metrics = of(&stats, Duration::ZERO, Duration::ZERO);
    assert_eq!(
        counted(&metrics, "retrans.source.events"),
        expected(&[("delivered", 9), ("left_out", 3)])
    );
    let probe = |metric: &&Metric| metric.name.starts_with("retrans.probe");
    assert_eq!(metrics.metrics.iter().find(probe), None);
}

#[test]
fn gauges_and_histograms_of_plugins_have_their_names() {
    let key = || ("a".to_owned(), "keys".to_owned());
    let mut histogram = PluginHistogram::default();
    [0.5, 2e6]
        .into_iter()
        .for_each(|value| histogram.observe(value));
    let chain = ChainStats {
        gauges: [(key(), -0.5)].into(),
        histograms: [(key(), histogram)].into(),
        ..ChainStats::default()
    };
    let stats = Stats {
        chain,
        ..Stats::default()
    };
    let metrics = of(&stats, Duration::ZERO, Duration::ZERO);
    let attributes = [("plugin", "a"), ("name", "keys")];
    let gauge = Values::Gauge(vec![point(attributes, -0.5)]);
    assert_eq!(named(&metrics, "retrans.plugin.gauge").values, gauge);
    let Values::Histogram(points) = &named(&metrics, "retrans.plugin.histogram").values else {
        panic!("it is a histogram");
    };
    let [Point { value, .. }] = points.as_slice() else {
        panic!("one histogram: {points:?}");
    };
    assert_eq!(value.counts.len(), value.bounds.len() + 1);
    assert_eq!(value.counts.last(), Some(&1));
    assert_eq!(value.sum, Some(2_000_000.5));
}
