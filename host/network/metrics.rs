//! The statistics of a run as metrics of OTLP. Their names are those of the metrics for Prometheus, with `.` for `_`.

use std::time::Duration;

use retrans_deliver::otlp::Distribution;
use retrans_deliver::otlp::Metric;
use retrans_deliver::otlp::Metrics;
use retrans_deliver::otlp::Point;
use retrans_deliver::otlp::Values;

use crate::stats::RecordingStats;
use crate::stats::Stats;
use crate::stats::counters::CensusStats;
use crate::stats::counters::ChainStats;
use crate::stats::counters::KernelStats;
use crate::stats::counters::OwnerStats;
use crate::stats::counters::PluginStats;
use crate::stats::counters::PluginUsage;
use crate::stats::counters::SinkStats;
use crate::stats::counters::SourceStats;
use crate::stats::counters::StreamStats;
use crate::stats::fleet::PublishStats;
use crate::stats::plugin_histogram::BOUNDS;

/// The metrics of these statistics. `begun` is when they began to count, `now` the present, as times since 1970.
pub fn of(stats: &Stats, begun: Duration, now: Duration) -> Metrics {
    let mut list = List::default();
    match &stats.stream {
        Some(StreamStats::Live {
            kernel,
            source,
            owners,
        }) => {
            list.kernel(kernel);
            list.source(source);
            list.owners(owners);
        }
        Some(StreamStats::Replay(replay)) => list.counter(
            SOURCE,
            [
                point([("outcome", "delivered")], replay.delivered),
                point([("outcome", "left_out")], replay.left_out),
            ],
        ),
        Some(StreamStats::Fleet(fleet)) => list.counter(
            SOURCE,
            [
                point([("outcome", "delivered")], fleet.delivered),
                point([("outcome", "duplicate")], fleet.duplicate),
                point([("outcome", "late")], fleet.late),
                point([("outcome", "damaged")], fleet.damaged),
            ],
        ),
        None => {}
    }
    if let Some(census) = &stats.census {
        list.census(census);
    }
    list.chain(&stats.chain);
    if let Some(recorded) = &stats.recorded {
        list.capture(recorded);
    }
    if let Some(published) = &stats.published {
        list.published(published);
    }
    Metrics {
        start: begun,
        at: now,
        metrics: list.0,
    }
}

/// Name, unit and description of a metric.
type About = (&'static str, &'static str, &'static str);

const SOURCE: About = (
    "retrans.source.events",
    "{event}",
    "Events that the source has read: delivered to the chain, or left out.",
);

/// A value with its attributes.
fn point<T, const N: usize>(attributes: [(&str, &str); N], value: T) -> Point<T> {
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Point {
        attributes: attributes.into(),
        value,
    }
}

/// A value of a metric that a plugin keeps itself, by the names of both.
fn own<T>((plugin, name): &(String, String), value: T) -> Point<T> {
    point([("plugin", plugin.as_str()), ("name", name)], value)
}

/// The metrics that were put together so far.
#[derive(Default)]
struct List(Vec<Metric>);

impl List {
    fn add(&mut self, (name, unit, description): About, values: Values) {
        self.0.push(Metric {
            name: name.to_owned(),
            description: description.to_owned(),
            unit: unit.to_owned(),
            values,
        });
    }

    fn counter(&mut self, about: About, points: impl IntoIterator<Item = Point<u64>>) {
        self.add(about, Values::Counter(points.into_iter().collect()));
    }

    fn gauge(&mut self, about: About, points: impl IntoIterator<Item = Point<u64>>) {
        // Exact up to 2^53.
        let points = points.into_iter().map(|point| Point {
            attributes: point.attributes,
            value: point.value as f64,
        });
        self.add(about, Values::Gauge(points.collect()));
    }

    fn time(&mut self, about: About, points: impl IntoIterator<Item = Point<Duration>>) {
        self.add(about, Values::Time(points.into_iter().collect()));
    }

    fn kernel(&mut self, kernel: &KernelStats) {
        let outcomes = [
            ("recorded", kernel.recorded),
            ("ring_full", kernel.ring_full),
            ("rate_limited", kernel.rate_limited),
            ("filtered", kernel.filtered),
            ("sampled_out", kernel.sampled_out),
        ];
        self.counter(
            (
                "retrans.probe.calls",
                "{call}",
                "Calls of the probe: recorded, lost because the ring was full or by --max-rate, or left out.",
            ),
            outcomes.map(|(outcome, calls)| point([("outcome", outcome)], calls)),
        );
        if let Some(misses) = kernel.recursion_misses {
            self.counter(
                (
                    "retrans.probe.recursion_misses",
                    "{call}",
                    "Calls of the probe that the kernel skipped, because it was already running on that CPU.",
                ),
                [point([], misses)],
            );
        }
    }

    fn source(&mut self, source: &SourceStats) {
        let outcomes = [
            ("delivered", source.delivered),
            ("withheld", source.withheld),
            ("filtered", source.filtered),
            ("beyond", source.beyond),
        ];
        self.counter(
            SOURCE,
            outcomes.map(|(outcome, events)| point([("outcome", outcome)], events)),
        );
    }

    fn owners(&mut self, owners: &OwnerStats) {
        let statuses = [
            ("held", owners.held),
            ("orphaned", owners.orphaned),
            ("not_accepted", owners.not_accepted),
            ("kernel", owners.kernel),
            ("unknown", owners.unknown),
        ];
        self.counter(
            (
                "retrans.owner.events",
                "{event}",
                "Events by what is known of the owner of the socket.",
            ),
            statuses.map(|(status, events)| point([("status", status)], events)),
        );
    }

    fn census(&mut self, census: &CensusStats) {
        let made = "Censuses that were made.";
        self.counter(
            ("retrans.censuses", "{census}", made),
            [point([], census.made)],
        );
        let missed = "Connections for which the census had no room.";
        self.counter(
            ("retrans.census.connections_missed", "{connection}", missed),
            [point([], census.connections_missed)],
        );
        let cpu = "CPU time of the thread that makes the censuses.";
        self.time(("retrans.census.cpu", "s", cpu), [point([], census.cpu)]);
    }

    fn chain(&mut self, chain: &ChainStats) {
        self.plugins(chain.plugins.iter().chain(&chain.removed));
        self.usage(&chain.usage);
        self.own(chain);
        self.sinks(&chain.sinks);
    }

    /// The metrics that plugins keep themselves.
    fn own(&mut self, chain: &ChainStats) {
        let counters = chain.counters.iter().map(|(key, count)| own(key, *count));
        let about = "What plugins count themselves.";
        self.counter(("retrans.plugin.counter", "1", about), counters);
        let gauges = chain.gauges.iter().map(|(key, value)| own(key, *value));
        let about = "What plugins have set themselves.";
        let gauges = Values::Gauge(gauges.collect());
        self.add(("retrans.plugin.gauge", "1", about), gauges);
        let histograms = chain.histograms.iter().map(|(key, histogram)| {
            let distribution = Distribution {
                bounds: BOUNDS.to_vec(),
                counts: histogram.buckets().to_vec(),
                sum: Some(histogram.sum()),
            };
            own(key, distribution)
        });
        let about = "Values that plugins have observed themselves.";
        let histograms = Values::Histogram(histograms.collect());
        self.add(("retrans.plugin.histogram", "1", about), histograms);
    }

    fn plugins<'a>(&mut self, plugins: impl Iterator<Item = &'a PluginStats>) {
        let points = plugins.flat_map(|plugin| {
            let outcomes = [
                ("kept", plugin.kept),
                ("dropped", plugin.dropped),
                ("passed_unseen", plugin.passed_unseen),
                ("lost", plugin.lost),
            ];
            outcomes.map(|(outcome, events)| {
                point([("plugin", &plugin.name), ("outcome", outcome)], events)
            })
        });
        self.counter(
            (
                "retrans.plugin.events",
                "{event}",
                "Events that reached the plugin, by what became of them.",
            ),
            points,
        );
    }

    fn usage(&mut self, usage: &[PluginUsage]) {
        let each = |value: fn(&PluginUsage) -> u64| {
            usage
                .iter()
                .map(move |usage| point([("plugin", &usage.plugin)], value(usage)))
        };
        let calls = "Calls of the plugin.";
        self.counter(
            ("retrans.plugin.calls", "{call}", calls),
            each(|usage| usage.calls),
        );
        let cpu = usage
            .iter()
            .map(|usage| point([("plugin", &usage.plugin)], usage.cpu));
        let about = "CPU time of the calls and starts of the plugin.";
        self.time(("retrans.plugin.cpu", "s", about), cpu);
        let memory = "Linear memory of the plugin.";
        self.gauge(
            ("retrans.plugin.memory", "By", memory),
            each(|usage| usage.memory),
        );
        let restarts = "Instances that replaced a failed one.";
        self.counter(
            ("retrans.plugin.restarts", "{instance}", restarts),
            each(|usage| usage.restarts),
        );
        let reloads = "Versions that replaced an earlier one.";
        self.counter(
            ("retrans.plugin.reloads", "{version}", reloads),
            each(|usage| usage.reloads),
        );
        let faults = usage.iter().flat_map(|usage| {
            let faults = usage.faults.iter();
            faults
                .map(|(cause, count)| point([("plugin", &usage.plugin), ("cause", cause)], *count))
        });
        let about = "Calls of the plugin that failed.";
        self.counter(("retrans.plugin.faults", "{call}", about), faults);
    }

    fn sinks(&mut self, sinks: &[SinkStats]) {
        let points = sinks.iter().flat_map(|sink| {
            let outcomes = [
                ("sent", sink.sent),
                ("dropped", sink.dropped),
                ("failed", sink.failed),
            ];
            outcomes
                .map(|(outcome, items)| point([("sink", &sink.name), ("outcome", outcome)], items))
        });
        let items = "What sinks were given: alerts, events, lines or sets of metrics.";
        self.counter(("retrans.sink.items", "{item}", items), points);
        let queued = sinks
            .iter()
            .map(|sink| point([("sink", &sink.name)], sink.queued));
        let about = "What sinks have not delivered yet.";
        self.gauge(("retrans.sink.queued_items", "{item}", about), queued);
    }

    fn published(&mut self, published: &PublishStats) {
        let outcomes = [
            ("acknowledged", published.acknowledged),
            ("dropped", published.dropped),
        ];
        let events = "Events for the broker.";
        self.counter(
            ("retrans.published.events", "{event}", events),
            outcomes.map(|(outcome, events)| point([("outcome", outcome)], events)),
        );
        let spooled = "Events that wait for the broker.";
        self.gauge(
            ("retrans.published.spooled", "{event}", spooled),
            [point([], published.spooled)],
        );
    }

    fn capture(&mut self, recorded: &RecordingStats) {
        let outcomes = [
            ("recorded", recorded.written),
            ("not_recorded", recorded.not_recorded),
        ];
        let events =
            "Events for the recording. Recorded events whose file is deleted later count in both.";
        self.counter(
            ("retrans.capture.events", "{event}", events),
            outcomes.map(|(outcome, events)| point([("outcome", outcome)], events)),
        );
    }
}

#[cfg(test)]
mod tests;
