//! The table of all metrics: names, types, labels, and what each means. `docs/metrics.md` is made of it.
//!
//! No label has an address. The values of labels are fixed by this program or by the operator, who names plugins and
//! sinks; the names of a plugin's own counters are limited in number.

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It grows.
    Counter,
    /// It grows and falls.
    Gauge,
    /// Numbers by class.
    Histogram,
    /// A fact, whose labels are its value.
    Info,
}

impl Kind {
    /// Its name in OpenMetrics.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }
}

/// A metric, with a sample for each of the values of its labels.
#[derive(Debug)]
pub struct Family {
    /// Name without the ending of its type, such as `_total`.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it means. It has no quotation marks and backslashes, which would have to be escaped.
    pub help: &'static str,
}

impl Family {
    /// The unit, with which the name ends.
    pub fn unit(&self) -> Option<&'static str> {
        let units = ["seconds", "bytes"];
        let is_unit = |unit: &&str| self.name.ends_with(&format!("_{unit}"));
        units.into_iter().find(|unit| is_unit(unit))
    }
}

macro_rules! families {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(
            #[doc = $help]
            pub const $constant: Family = Family {
                name: $name,
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )+

        /// All of them, in the order in which they are written.
        pub const FAMILIES: &[Family] = &[$($constant),+];
    };
}

families! {
    BUILD: Info "retrans_build" ["version"] "The version of this program.";
    START: Gauge "process_start_time_seconds" [] "When the process began, in seconds since 1970.";
    RUN: Info "retrans_run" ["source", "attached"]
        "Where events come from (live, replay), and how the probe is attached (btf, tracepoint).";
    READY: Gauge "retrans_ready" [] "Whether /readyz answers 200.";

    EVENTS: Counter "retrans_events" ["kind", "ip_version", "state"]
        "Retransmits by cause, IP version and TCP state, before any plugin.";
    SEGMENTS: Counter "retrans_segments" ["kind", "ip_version", "state"]
        "Segments that were sent again, as RetransSegs counts them.";
    FAILED: Counter "retrans_failed_attempts" ["kind"]
        "Retransmits out of retrans_events_total that failed in this host: no segment was sent.";
    OWNERS: Counter "retrans_owner_events" ["status"] "Retransmits by what is known of the owner of the socket.";
    TRACEPOINTS: Counter "retrans_tracepoint_events" ["tracepoint"] "Retransmits by the tracepoint that reported them.";
    RTT: Histogram "retrans_rtt_seconds" ["kind"] "Smoothed round-trip times of the connections at their retransmits.";
    RTO: Histogram "retrans_rto_seconds" ["kind"] "Retransmission timeouts of the connections at their retransmits.";
    LOST: Counter "retrans_lost_events" ["stage"]
        "Retransmits that were lost: in the ring, by --max-rate (rate_limit), before they were recorded (recording, \
        in a replay), on their way to the file of --record (capture), at a plugin that failed (plugin); of a \
        fleet: at the hosts (agent), too old (late), damaged.";

    PROBE_CALLS: Counter "retrans_probe_calls" ["outcome"]
        "Calls of the probe: recorded, ring_full, or left out as filtered, sampled_out, rate_limited.";
    PROBE_MISSES: Counter "retrans_probe_recursion_misses" []
        "Calls of the probe that the kernel skipped, because it was already running on that CPU (Linux 5.12 and \
        later).";
    SOURCE: Counter "retrans_source_events" ["outcome"]
        "Events that the source has read: delivered to the chain, or withheld, filtered, beyond --count, left_out of \
        a replay; duplicate, late, damaged of a fleet.";
    FLEET_FRAMES: Counter "retrans_fleet_frames" ["outcome"]
        "Frames of a fleet that could not be consumed: damaged, or missing in the sequence of an agent.";
    PARTITION_EVENTS: Gauge "retrans_fleet_partition_events" ["partition"]
        "Events of a partition that were passed to the chain since this consumer has it.";
    PARTITION_LAG: Gauge "retrans_fleet_partition_lag_messages" ["partition"]
        "Messages of a partition that this consumer has not read yet.";
    HOST_EVENTS: Counter "retrans_fleet_host_events" ["host", "outcome"]
        "Events of a host of the fleet since this consumer began: delivered to the chains, duplicate, late, damaged.";
    HOST_FRAMES: Counter "retrans_fleet_host_missing_frames" ["host"]
        "Frames of a host of the fleet that are missing in its sequences.";
    SCANS: Counter "retrans_owner_scans" [] "Scans of open files for the owners of sockets.";
    SCANS_CUT: Counter "retrans_owner_scans_cut" [] "Scans of open files that found more than the host keeps.";
    LATENCY: Histogram "retrans_latency_seconds" ["path"]
        "Age of events when the first plugin got them: at once, or after they waited for their owner.";

    CENSUSES: Counter "retrans_censuses" [] "Censuses that were made.";
    CENSUS_SEGMENTS: Counter "retrans_census_segments" []
        "Segments with data that all connections have sent, retransmits included, by census.";
    CENSUS_AGAIN: Counter "retrans_census_retransmitted_segments" []
        "Segments with data that all connections have sent again, by census.";
    CENSUS_BYTES: Counter "retrans_census_sent_bytes" []
        "Bytes of data that all connections have sent, retransmits included, by census.";
    CENSUS_BYTES_AGAIN: Counter "retrans_census_retransmitted_bytes" []
        "Bytes of data that all connections have sent again, by census.";
    CENSUS_DSACKS: Counter "retrans_census_dsacks" []
        "Duplicates that peers reported, by census: needless retransmits, or segments that the network doubled.";
    CENSUS_OPEN: Gauge "retrans_census_open_connections" [] "Connections that were open at the end of the last census.";
    CENSUS_OPENED: Counter "retrans_census_opened_connections" [] "Connections that have begun, by census.";
    CENSUS_CLOSED: Counter "retrans_census_closed_connections" [] "Connections that have ended, by census.";
    CENSUS_RTT: Histogram "retrans_census_rtt_seconds" []
        "Smoothed round-trip times: one of each connection that sent data in an interval of the census.";
    CENSUS_ROWS: Counter "retrans_census_rows" [] "Rows of the censuses.";
    CENSUS_BEYOND: Counter "retrans_census_rows_beyond" []
        "Times that something was added to the row for what finds no room.";
    CENSUS_MISSED: Counter "retrans_census_connections_missed" [] "Connections for which the census had no room.";
    CENSUS_STALE: Counter "retrans_census_connections_stale" [] "Connections whose end the census has missed.";
    CENSUS_MISSES: Counter "retrans_census_recursion_misses" []
        "Calls of the programs of the census that the kernel skipped.";
    CENSUS_CPU: Counter "retrans_census_cpu_seconds" [] "CPU time of the thread that makes the censuses.";

    PLUGIN_UP: Gauge "retrans_plugin_up" ["plugin"]
        "Whether the plugin runs: 0 while it is left out because it failed too often.";
    PLUGIN_EVENTS: Counter "retrans_plugin_events" ["plugin", "outcome"]
        "Events that reached the plugin: kept, dropped, passed_unseen (not seen, because of a fault), lost.";
    PLUGIN_CHANGED: Counter "retrans_plugin_changed_events" ["plugin"] "Events that the plugin changed.";
    PLUGIN_CALLS: Counter "retrans_plugin_calls" ["plugin"] "Calls of the plugin.";
    PLUGIN_CPU: Counter "retrans_plugin_cpu_seconds" ["plugin"]
        "CPU time of the plugin: calls, their effects, and restarts.";
    PLUGIN_CALL_CPU: Histogram "retrans_plugin_call_cpu_seconds" ["plugin"] "CPU time of each call.";
    PLUGIN_MEMORY: Gauge "retrans_plugin_memory_bytes" ["plugin"] "Linear memory of the plugin.";
    PLUGIN_MEMORY_MAX: Gauge "retrans_plugin_memory_max_bytes" ["plugin"] "Maximum of the linear memory of the plugin.";
    PLUGIN_FAULTS: Counter "retrans_plugin_faults" ["plugin", "cause"] "Calls that failed, by cause.";
    PLUGIN_RESTARTS: Counter "retrans_plugin_restarts" ["plugin"] "Instances that replaced one that failed.";
    PLUGIN_RELOADS: Counter "retrans_plugin_reloads" ["plugin"] "New versions that replaced an earlier one.";
    PLUGIN_COUNTS: Counter "retrans_plugin_counts" ["plugin", "name"]
        "What the plugin counts itself, by its name for it: at most 256 names of each plugin.";
    PLUGIN_GAUGES: Gauge "retrans_plugin_gauge" ["plugin", "name"]
        "What the plugin has set itself, by its name for it: at most 256 names of each plugin.";
    PLUGIN_HISTOGRAMS: Histogram "retrans_plugin_histogram" ["plugin", "name"]
        "Values that the plugin has observed itself, by its name for them: at most 32 names of each plugin.";
    PLUGIN_REFUSED: Counter "retrans_plugin_metrics_refused" ["plugin"]
        "Times that the plugin counted, set or observed something under a further name, which was not kept.";

    SINK: Counter "retrans_sink_items" ["sink", "outcome"]
        "Items for the sink, such as alerts: sent, dropped (its queue was full), failed.";
    SINK_QUEUED: Gauge "retrans_sink_queued_items" ["sink"] "Items that wait for the sink.";
    NOT_PRINTED: Counter "retrans_stdout_lines_not_printed" [] "Lines that could not be printed to standard output.";
    CAPTURE: Counter "retrans_capture_events" ["outcome"]
        "Events for the file of --record: recorded, not_recorded. Recorded events whose file is deleted later count \
        in both.";
    CAPTURE_BYTES: Gauge "retrans_capture_bytes" [] "Size of all files of this run that were not deleted.";
    CAPTURE_FILES: Counter "retrans_capture_files" [] "Files of --record that were begun.";
    PUBLISHED: Counter "retrans_published_events" ["outcome"]
        "Events for the broker of --publish: acknowledged, or dropped because the spool was full.";
    SPOOLED: Gauge "retrans_published_spooled_events" [] "Events that wait for the broker of --publish.";
}
