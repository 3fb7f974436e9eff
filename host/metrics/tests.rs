//! All metrics together, in both formats.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::time::Duration;

use retrans_event::CensusRow;
use retrans_event::Kind;
use retrans_event::Record;
use retrans_event::TcpState;

use super::family::Family;
use super::*;
use crate::stats::RecordingStats;
use crate::stats::counters::CensusStats;
use crate::stats::counters::ChainStats;
use crate::stats::counters::KernelStats;
use crate::stats::counters::LatencyStats;
use crate::stats::counters::OwnerStats;
use crate::stats::counters::PluginStats;
use crate::stats::counters::PluginUsage;
use crate::stats::counters::ReplayStats;
use crate::stats::counters::SinkStats;
use crate::stats::counters::SourceStats;
use crate::stats::counters::StreamStats;
use crate::stats::fleet::FleetStats;
use crate::stats::fleet::PartitionStats;
use crate::stats::fleet::PublishStats;
use crate::stats::histogram::Histogram;
use crate::stats::plugin_histogram::PluginHistogram;
use crate::stream::batch::Batch;
use crate::stream::census::Census;
use crate::stream::moment::Mark;

fn chain() -> ChainStats {
    const BOUNDS: &[Duration] = &[Duration::from_millis(1)];
    let mut call_cpu = Histogram::new(BOUNDS);
    call_cpu.record(Duration::from_micros(500));
    call_cpu.record(Duration::from_secs(2));
    let mut rtt = PluginHistogram::default();
    [0.012, 3.0]
        .into_iter()
        .for_each(|value| rtt.observe(value));
    ChainStats {
        plugins: vec![PluginStats {
            name: "alert".to_owned(),
            events: 15,
            kept: 1,
            dropped: 2,
            passed_unseen: 4,
            lost: 8,
        }],
        usage: vec![PluginUsage {
            plugin: "alert".to_owned(),
            calls: 16,
            changed: 17,
            cpu: Duration::from_millis(2_500),
            call_cpu,
            memory: 65_536,
            memory_max: 131_072,
            restarts: 18,
            reloads: 19,
            faults: BTreeMap::from([("deadline", 20)]),
            is_in_quarantine: true,
            metrics_refused: 21,
            ..PluginUsage::default()
        }],
        counters: BTreeMap::from([(("alert".to_owned(), "a\"b".to_owned()), 22)]),
        gauges: BTreeMap::from([(("alert".to_owned(), "keys".to_owned()), -0.5)]),
        histograms: BTreeMap::from([(("alert".to_owned(), "rtt_seconds".to_owned()), rtt)]),
        latency: Some(LatencyStats::default()),
        sinks: vec![SinkStats {
            name: "alerts-file".to_owned(),
            received: 30,
            sent: 23,
            queued: 1,
            dropped: 2,
            failed: 4,
        }],
        ..ChainStats::default()
    }
}

fn live() -> Stats {
    Stats {
        stream: Some(StreamStats::Live {
            kernel: KernelStats {
                entered: 31,
                recorded: 1,
                ring_full: 2,
                filtered: 4,
                sampled_out: 8,
                rate_limited: 16,
                recursion_misses: Some(32),
            },
            source: SourceStats {
                recorded: 1,
                withheld: 2,
                filtered: 3,
                beyond: 4,
                delivered: 5,
            },
            owners: OwnerStats {
                scans: 6,
                scans_cut: 7,
                ..OwnerStats::default()
            },
        }),
        census: Some(CensusStats {
            made: 1,
            rows: 2,
            beyond: 3,
            connections_missed: 4,
            stale: 5,
            recursion_misses: 6,
            cpu: Duration::from_millis(1_500),
        }),
        chain: chain(),
        recorded: Some(RecordingStats {
            events: 7,
            written: 9,
            not_recorded: 1,
            bytes: 1_000,
            files: 2,
            ..RecordingStats::default()
        }),
        published: Some(PublishStats {
            events: 10,
            acknowledged: 6,
            dropped: 3,
            spooled: 1,
            earlier: 0,
        }),
        ..Stats::default()
    }
}

/// Of a consumer of a fleet, with two partitions.
fn consumer() -> Stats {
    let partition = |partition: u16| PartitionStats {
        partition,
        delivered: 100 + u64::from(partition),
        lag: u64::from(partition),
    };
    Stats {
        stream: Some(StreamStats::Fleet(FleetStats {
            received: 20,
            delivered: 11,
            duplicate: 2,
            late: 3,
            damaged: 4,
            damaged_frames: 5,
            missing_frames: 6,
            lost: 7,
        })),
        chain: chain(),
        partitions: vec![partition(3), partition(17)],
        hosts: [
            (
                "web-1",
                FleetStats {
                    delivered: 8,
                    ..FleetStats::default()
                },
            ),
            (
                "web-\"2",
                FleetStats {
                    delivered: 3,
                    late: 3,
                    missing_frames: 6,
                    ..FleetStats::default()
                },
            ),
        ]
        .map(|(name, counted)| (name.to_owned(), counted))
        .into(),
        ..Stats::default()
    }
}

fn metrics(stats: Stats) -> Arc<Metrics> {
    let shared = SharedStats::default();
    *shared.stats() = stats;
    let stdout_status = StdoutStatus::new().expect("standard output is open");
    Arc::new(Metrics::new(shared, Arc::new(stdout_status)))
}

/// Those of a live run that has seen an event and a census.
fn of_everything() -> Arc<Metrics> {
    let metrics = metrics(live());
    let mut observer = metrics.observer(About {
        is_live: true,
        host: None,
    });
    let mut event = Record::new();
    event.set_kind(Kind::Fast);
    event.set_state(TcpState::Established);
    event.set_segments(Some(3));
    event.set_srtt(Some(Duration::from_micros(250)));
    let mut batch = Batch::new();
    batch.push(event.as_bytes());
    observer.item(&Item::Events(batch));
    let row = CensusRow {
        segments: 1_000,
        retransmitted_segments: 10,
        rtt_sum_us: 1_500_000,
        rtt_count: 2,
        rtt_buckets: std::array::from_fn(|class| u32::from(class == 0 || class == 23)),
        ..CensusRow::EMPTY
    };
    observer.item(&Item::Census(Census::new([row])));
    observer.item(&Item::Mark(Mark::default()));
    metrics
}

#[track_caller]
fn assert_has(text: &str, lines: &[&str]) {
    for line in lines {
        let number = text.lines().filter(|found| found == line).count();
        assert_eq!(number, 1, "{line}\n{text}");
    }
}

#[test]
fn every_metric_of_the_table_is_written_and_no_sample_twice() {
    // What a host has, and what a consumer of a fleet has.
    let pages = [of_everything(), metrics(consumer())]
        .map(|metrics| metrics.exposition(Format::OpenMetrics));
    let heads = pages.iter().flat_map(|text| text.lines());
    let heads = heads.filter_map(|line| line.strip_prefix("# TYPE "));
    let written: BTreeSet<_> = heads.filter_map(|head| head.split(' ').next()).collect();
    let all = families::FAMILIES.iter().map(|family| family.name);
    assert_eq!(written, all.collect());
    for text in &pages {
        let lines = text.lines();
        let (heads, samples): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with('#'));
        let names = samples.iter().filter_map(|line| line.rsplit_once(' '));
        let different: HashSet<_> = names.map(|(name, _)| name).collect();
        assert_eq!(different.len(), samples.len());
        let different: HashSet<_> = heads.iter().collect();
        assert_eq!(different.len(), heads.len());
        assert!(text.ends_with("\n# EOF\n"));
    }
}

#[test]
fn a_consumer_of_a_fleet_has_its_partitions() {
    let text = metrics(consumer()).exposition(Format::Text);
    assert_has(
        &text,
        &[
            "retrans_source_events_total{outcome=\"delivered\"} 11",
            "retrans_source_events_total{outcome=\"duplicate\"} 2",
            "retrans_fleet_frames_total{outcome=\"missing\"} 6",
            "retrans_lost_events_total{stage=\"agent\"} 7",
            "retrans_lost_events_total{stage=\"late\"} 3",
            "retrans_fleet_partition_events{partition=\"17\"} 117",
            "retrans_fleet_partition_lag_messages{partition=\"3\"} 3",
            "retrans_fleet_host_events_total{host=\"web-1\",outcome=\"delivered\"} 8",
            "retrans_fleet_host_events_total{host=\"web-\\\"2\",outcome=\"late\"} 3",
            "retrans_fleet_host_missing_frames_total{host=\"web-\\\"2\"} 6",
        ],
    );
}

#[test]
fn numbers_of_every_stage_are_those_of_the_statistics() {
    let text = of_everything().exposition(Format::Text);
    assert_has(
        &text,
        &[
            concat!(
                "retrans_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "retrans_run_info{source=\"live\",attached=\"\"} 1",
            "retrans_ready 0",
            "retrans_events_total{kind=\"fast\",ip_version=\"6\",state=\"ESTABLISHED\"} 1",
            "retrans_segments_total{kind=\"fast\",ip_version=\"6\",state=\"ESTABLISHED\"} 3",
            "retrans_owner_events_total{status=\"unknown\"} 1",
            "retrans_tracepoint_events_total{tracepoint=\"tcp_retransmit_skb\"} 1",
            "retrans_rtt_seconds_bucket{kind=\"fast\",le=\"0.0002\"} 0",
            "retrans_rtt_seconds_bucket{kind=\"fast\",le=\"0.0005\"} 1",
            "retrans_rtt_seconds_sum{kind=\"fast\"} 0.00025",
            "retrans_lost_events_total{stage=\"ring\"} 2",
            "retrans_lost_events_total{stage=\"rate_limit\"} 16",
            "retrans_lost_events_total{stage=\"capture\"} 1",
            "retrans_lost_events_total{stage=\"plugin\"} 8",
            "retrans_probe_calls_total{outcome=\"recorded\"} 1",
            "retrans_probe_calls_total{outcome=\"sampled_out\"} 8",
            "retrans_probe_recursion_misses_total 32",
            "retrans_source_events_total{outcome=\"delivered\"} 5",
            "retrans_owner_scans_total 6",
            "retrans_latency_seconds_count{path=\"waited\"} 0",
            "retrans_census_segments_total 1000",
            "retrans_census_retransmitted_segments_total 10",
            "retrans_census_rtt_seconds_bucket{le=\"0.000002\"} 1",
            "retrans_census_rtt_seconds_bucket{le=\"+Inf\"} 2",
            "retrans_census_rtt_seconds_sum 1.5",
            "retrans_census_cpu_seconds_total 1.5",
            "retrans_plugin_up{plugin=\"alert\"} 0",
            "retrans_plugin_events_total{plugin=\"alert\",outcome=\"passed_unseen\"} 4",
            "retrans_plugin_calls_total{plugin=\"alert\"} 16",
            "retrans_plugin_changed_events_total{plugin=\"alert\"} 17",
            "retrans_plugin_cpu_seconds_total{plugin=\"alert\"} 2.5",
            "retrans_plugin_call_cpu_seconds_bucket{plugin=\"alert\",le=\"0.001\"} 1",
            "retrans_plugin_call_cpu_seconds_count{plugin=\"alert\"} 2",
            "retrans_plugin_memory_bytes{plugin=\"alert\"} 65536",
            "retrans_plugin_memory_max_bytes{plugin=\"alert\"} 131072",
            "retrans_plugin_restarts_total{plugin=\"alert\"} 18",
            "retrans_plugin_reloads_total{plugin=\"alert\"} 19",
            "retrans_plugin_faults_total{plugin=\"alert\",cause=\"deadline\"} 20",
            "retrans_plugin_metrics_refused_total{plugin=\"alert\"} 21",
            "retrans_plugin_counts_total{plugin=\"alert\",name=\"a\\\"b\"} 22",
            "retrans_plugin_gauge{plugin=\"alert\",name=\"keys\"} -0.5",
            "retrans_plugin_histogram_bucket{plugin=\"alert\",name=\"rtt_seconds\",le=\"0.01\"} 0",
            "retrans_plugin_histogram_bucket{plugin=\"alert\",name=\"rtt_seconds\",le=\"0.02\"} 1",
            "retrans_plugin_histogram_bucket{plugin=\"alert\",name=\"rtt_seconds\",le=\"+Inf\"} 2",
            "retrans_plugin_histogram_sum{plugin=\"alert\",name=\"rtt_seconds\"} 3.012",
            "retrans_sink_items_total{sink=\"alerts-file\",outcome=\"sent\"} 23",
            "retrans_sink_queued_items{sink=\"alerts-file\"} 1",
            "retrans_stdout_lines_not_printed_total 0",
            "retrans_capture_events_total{outcome=\"recorded\"} 9",
            "retrans_capture_bytes 1000",
            "retrans_capture_files_total 2",
        ],
    );
}

#[test]
fn a_replay_has_no_probe_and_tells_what_its_recording_lacks() {
    let metrics = metrics(Stats {
        chain: chain(),
        ..Stats::of_replay(ReplayStats {
            read: 5,
            left_out: 2,
            delivered: 3,
        })
    });
    let mut observer = metrics.observer(About {
        is_live: false,
        host: None,
    });
    observer.item(&Item::Mark(Mark {
        lost: 4,
        ..Mark::default()
    }));
    let text = metrics.exposition(Format::Text);
    assert_has(
        &text,
        &[
            "retrans_run_info{source=\"replay\",attached=\"\"} 1",
            "retrans_source_events_total{outcome=\"left_out\"} 2",
            "retrans_lost_events_total{stage=\"recording\"} 4",
        ],
    );
    assert!(!text.contains("retrans_probe_"), "{text}");
    // A file may tell of more losses than can be counted.
    observer.item(&Item::Mark(Mark {
        lost: u64::MAX,
        ..Mark::default()
    }));
    let text = metrics.exposition(Format::Text);
    let lost = "retrans_lost_events_total{stage=\"recording\"} 18446744073709551615";
    assert_has(&text, &[lost]);
}

#[test]
fn before_the_source_begins_there_are_few_metrics_and_the_run_is_not_ready() {
    let metrics = metrics(Stats::default());
    let text = metrics.exposition(Format::Text);
    assert_has(
        &text,
        &[
            "retrans_ready 0",
            "retrans_lost_events_total{stage=\"plugin\"} 0",
        ],
    );
    assert!(!text.contains("retrans_run_info"), "{text}");
    assert!(metrics.ready().is_err());
    assert_eq!(metrics.alive(), Ok(()));
    metrics.begin();
    assert_eq!(metrics.ready(), Ok(()));
    assert_has(&metrics.exposition(Format::Text), &["retrans_ready 1"]);
    let mut observer = metrics.observer(About {
        is_live: true,
        host: None,
    });
    observer.finish();
    assert!(metrics.ready().is_err());
}

#[test]
fn the_process_began_a_short_time_ago() {
    let began = metrics(Stats::default()).begun;
    let age = now() - began;
    assert!((0.0..3_600.0).contains(&age), "{age}");
}

#[test]
fn names_and_texts_are_as_prometheus_wants_them() {
    let is_name = |name: &str| {
        name.chars()
            .all(|char| matches!(char, 'a'..='z' | '0'..='9' | '_'))
    };
    for family in families::FAMILIES {
        let Family {
            name, labels, help, ..
        } = family;
        assert!(
            is_name(name) && labels.iter().all(|label| is_name(label)),
            "{name}"
        );
        assert!(name.starts_with("retrans_") || *name == "process_start_time_seconds");
        for ending in ["_total", "_info", "_count", "_sum", "_bucket", "_created"] {
            assert!(!name.ends_with(ending), "{name}");
        }
        assert!(
            help.ends_with('.') && !help.contains(['"', '\\', '\n']),
            "{help}"
        );
        assert!(!labels.contains(&"le"), "{name}");
    }
}
