//! The metrics of the statistics of each stage.

use super::exposition::Writer;
use super::family;
use crate::stats::RecordingStats;
use crate::stats::Stats;
use crate::stats::counters::CensusStats;
use crate::stats::counters::ChainStats;
use crate::stats::counters::KernelStats;
use crate::stats::counters::PluginUsage;
use crate::stats::counters::StreamStats;
use crate::stats::fleet::FleetStats;
use crate::stats::fleet::PartitionStats;

/// Writes them. `lost`: events that were lost before the source had them, by the stream.
pub fn write(stats: &Stats, lost: u64, writer: &mut Writer) {
    write_losses(stats, lost, writer);
    if let Some(stream) = &stats.stream {
        write_stream(stream, writer);
    }
    if let Some(latency) = &stats.chain.latency {
        writer
            .family(&family::LATENCY)
            .histogram(&["at_once"], &latency.at_once.histogram)
            .histogram(&["waited"], &latency.waited.histogram);
    }
    if let Some(census) = &stats.census {
        write_census(census, writer);
    }
    write_plugins(&stats.chain, writer);
    let mut items = writer.family(&family::SINK);
    for sink in &stats.chain.sinks {
        items
            .sample(&[&sink.name, "sent"], sink.sent)
            .sample(&[&sink.name, "dropped"], sink.dropped)
            .sample(&[&sink.name, "failed"], sink.failed);
    }
    let mut queued = writer.family(&family::SINK_QUEUED);
    for sink in &stats.chain.sinks {
        queued.sample(&[&sink.name], sink.queued);
    }
    writer
        .family(&family::NOT_PRINTED)
        .sample(&[], stats.not_printed);
    if let Some(recorded) = &stats.recorded {
        write_capture(recorded, writer);
    }
    write_partitions(&stats.partitions, writer);
    write_hosts(&stats.hosts, writer);
    if let Some(published) = &stats.published {
        writer
            .family(&family::PUBLISHED)
            .sample(&["acknowledged"], published.acknowledged)
            .sample(&["dropped"], published.dropped);
        writer
            .family(&family::SPOOLED)
            .sample(&[], published.spooled);
    }
}

fn write_losses(stats: &Stats, lost: u64, writer: &mut Writer) {
    let mut losses = writer.family(&family::LOST);
    match &stats.stream {
        Some(StreamStats::Live { kernel, .. }) => {
            losses
                .sample(&["ring"], kernel.ring_full)
                .sample(&["rate_limit"], kernel.rate_limited);
        }
        Some(StreamStats::Replay(_)) => {
            losses.sample(&["recording"], lost);
        }
        Some(StreamStats::Fleet(fleet)) => {
            losses
                .sample(&["agent"], fleet.lost)
                .sample(&["late"], fleet.late)
                .sample(&["damaged"], fleet.damaged);
        }
        None => {}
    }
    if let Some(recorded) = &stats.recorded {
        losses.sample(&["capture"], recorded.not_recorded);
    }
    let of_plugins = stats.chain.plugins.iter().map(|plugin| plugin.lost);
    losses.sample(&["plugin"], of_plugins.sum::<u64>());
}

fn write_stream(stream: &StreamStats, writer: &mut Writer) {
    match stream {
        StreamStats::Live {
            kernel,
            source,
            owners,
        } => {
            write_probe(kernel, writer);
            writer
                .family(&family::SOURCE)
                .sample(&["delivered"], source.delivered)
                .sample(&["withheld"], source.withheld)
                .sample(&["filtered"], source.filtered)
                .sample(&["beyond"], source.beyond);
            writer.family(&family::SCANS).sample(&[], owners.scans);
            writer
                .family(&family::SCANS_CUT)
                .sample(&[], owners.scans_cut);
        }
        StreamStats::Replay(replay) => {
            writer
                .family(&family::SOURCE)
                .sample(&["delivered"], replay.delivered)
                .sample(&["left_out"], replay.left_out);
        }
        StreamStats::Fleet(fleet) => {
            writer
                .family(&family::SOURCE)
                .sample(&["delivered"], fleet.delivered)
                .sample(&["duplicate"], fleet.duplicate)
                .sample(&["late"], fleet.late)
                .sample(&["damaged"], fleet.damaged);
            writer
                .family(&family::FLEET_FRAMES)
                .sample(&["damaged"], fleet.damaged_frames)
                .sample(&["missing"], fleet.missing_frames);
        }
    }
}

fn write_partitions(partitions: &[PartitionStats], writer: &mut Writer) {
    if partitions.is_empty() {
        return;
    }
    let mut delivered = writer.family(&family::PARTITION_EVENTS);
    for one in partitions {
        delivered.sample(&[&one.partition.to_string()], one.delivered);
    }
    let mut lag = writer.family(&family::PARTITION_LAG);
    for one in partitions {
        lag.sample(&[&one.partition.to_string()], one.lag);
    }
}

fn write_hosts(hosts: &[(String, FleetStats)], writer: &mut Writer) {
    if hosts.is_empty() {
        return;
    }
    let mut events = writer.family(&family::HOST_EVENTS);
    for (host, counted) in hosts {
        events.sample(&[host, "delivered"], counted.delivered);
        let others = [
            ("duplicate", counted.duplicate),
            ("late", counted.late),
            ("damaged", counted.damaged),
        ];
        // Most hosts have none of them, and a fleet may have thousands of hosts.
        for (outcome, number) in others.into_iter().filter(|(_, number)| *number > 0) {
            events.sample(&[host, outcome], number);
        }
    }
    let mut missing = writer.family(&family::HOST_FRAMES);
    for (host, counted) in hosts {
        missing.sample(&[host], counted.missing_frames);
    }
}

fn write_probe(kernel: &KernelStats, writer: &mut Writer) {
    writer
        .family(&family::PROBE_CALLS)
        .sample(&["recorded"], kernel.recorded)
        .sample(&["ring_full"], kernel.ring_full)
        .sample(&["filtered"], kernel.filtered)
        .sample(&["sampled_out"], kernel.sampled_out)
        .sample(&["rate_limited"], kernel.rate_limited);
    if let Some(misses) = kernel.recursion_misses {
        writer.family(&family::PROBE_MISSES).sample(&[], misses);
    }
}

fn write_census(census: &CensusStats, writer: &mut Writer) {
    let numbers = [
        (&family::CENSUSES, census.made),
        (&family::CENSUS_ROWS, census.rows),
        (&family::CENSUS_BEYOND, census.beyond),
        (&family::CENSUS_MISSED, census.connections_missed),
        (&family::CENSUS_STALE, census.stale),
        (&family::CENSUS_MISSES, census.recursion_misses),
    ];
    for (family, number) in numbers {
        writer.family(family).sample(&[], number);
    }
    writer.family(&family::CENSUS_CPU).sample(&[], census.cpu);
}

fn write_plugins(chain: &ChainStats, writer: &mut Writer) {
    let mut up = writer.family(&family::PLUGIN_UP);
    // Those that were removed are behind them.
    for usage in chain.usage.iter().take(chain.plugins.len()) {
        up.sample(&[&usage.plugin], u64::from(!usage.is_in_quarantine));
    }
    let mut events = writer.family(&family::PLUGIN_EVENTS);
    for plugin in chain.plugins.iter().chain(&chain.removed) {
        events
            .sample(&[&plugin.name, "kept"], plugin.kept)
            .sample(&[&plugin.name, "dropped"], plugin.dropped)
            .sample(&[&plugin.name, "passed_unseen"], plugin.passed_unseen)
            .sample(&[&plugin.name, "lost"], plugin.lost);
    }
    type Number = fn(&PluginUsage) -> u64;
    let numbers: [(_, Number); 6] = [
        (&family::PLUGIN_CHANGED, |usage| usage.changed),
        (&family::PLUGIN_CALLS, |usage| usage.calls),
        (&family::PLUGIN_MEMORY, |usage| usage.memory),
        (&family::PLUGIN_MEMORY_MAX, |usage| usage.memory_max),
        (&family::PLUGIN_RESTARTS, |usage| usage.restarts),
        (&family::PLUGIN_RELOADS, |usage| usage.reloads),
    ];
    for (family, number) in numbers {
        let mut samples = writer.family(family);
        for usage in &chain.usage {
            samples.sample(&[&usage.plugin], number(usage));
        }
    }
    let mut cpu = writer.family(&family::PLUGIN_CPU);
    for usage in &chain.usage {
        cpu.sample(&[&usage.plugin], usage.cpu);
    }
    let mut calls = writer.family(&family::PLUGIN_CALL_CPU);
    for usage in &chain.usage {
        calls.histogram(&[&usage.plugin], &usage.call_cpu);
    }
    let mut faults = writer.family(&family::PLUGIN_FAULTS);
    for usage in &chain.usage {
        for (cause, number) in &usage.faults {
            faults.sample(&[&usage.plugin, cause], *number);
        }
    }
    let mut counters = writer.family(&family::PLUGIN_COUNTS);
    for ((plugin, name), number) in &chain.counters {
        counters.sample(&[plugin, name], *number);
    }
    let mut gauges = writer.family(&family::PLUGIN_GAUGES);
    for ((plugin, name), value) in &chain.gauges {
        gauges.sample(&[plugin, name], *value);
    }
    let mut histograms = writer.family(&family::PLUGIN_HISTOGRAMS);
    for ((plugin, name), histogram) in &chain.histograms {
        let sum = histogram.sum();
        histograms.classes(&[plugin, name], histogram.cumulative(), sum);
    }
    let mut refused = writer.family(&family::PLUGIN_REFUSED);
    for usage in &chain.usage {
        refused.sample(&[&usage.plugin], usage.metrics_refused);
    }
}

fn write_capture(recorded: &RecordingStats, writer: &mut Writer) {
    writer
        .family(&family::CAPTURE)
        .sample(&["recorded"], recorded.written)
        .sample(&["not_recorded"], recorded.not_recorded);
    writer
        .family(&family::CAPTURE_BYTES)
        .sample(&[], recorded.bytes);
    writer
        .family(&family::CAPTURE_FILES)
        .sample(&[], recorded.files);
}
