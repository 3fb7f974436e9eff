//! The counters of each stage of a run. A stage counts every event in exactly one of its counters.

use std::collections::BTreeMap;
use std::time::Duration;

use retrans_event::Owner;
use retrans_event::OwnerStatus;

use super::fleet::FleetStats;
use super::histogram::Histogram;
use super::plugin_histogram::PluginHistogram;

/// Counters of the probe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KernelStats {
    /// Calls of the probe.
    pub entered: u64,
    /// Records written to the ring.
    pub recorded: u64,
    /// Records that were lost because the ring had no room.
    pub ring_full: u64,
    /// Calls that a filter left out.
    pub filtered: u64,
    /// Calls for a connection that is not in the sample (`--sample`).
    pub sampled_out: u64,
    /// Events that were lost because there were more than `--max-rate` admits.
    pub rate_limited: u64,
    /// Calls that the kernel skipped because the probe was already running on that CPU. The probe cannot count them
    /// itself. `None` before Linux 5.12.
    pub recursion_misses: Option<u64>,
}

impl KernelStats {
    /// Number of wanted events that were lost.
    pub fn lost(&self) -> u64 {
        self.ring_full + self.rate_limited
    }

    /// Returns whether the probe accounts for every call.
    pub fn balances(&self) -> bool {
        self.entered == self.recorded + self.lost() + self.filtered + self.sampled_out
    }
}

/// Counters of the census of a live run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CensusStats {
    /// Censuses that were made.
    pub made: u64,
    /// Their rows.
    pub rows: u64,
    /// Times that something was added to the row for what finds no room.
    pub beyond: u64,
    /// Connections for which there was no room.
    pub connections_missed: u64,
    /// Connections whose end was missed.
    pub stale: u64,
    /// Calls of the programs that the kernel skipped.
    pub recursion_misses: u64,
    /// CPU time of the thread that makes them, which makes the passes over the connections.
    pub cpu: Duration,
}

/// Counters of the live source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceStats {
    /// Records read from the ring.
    pub recorded: u64,
    /// Attempts that were not passed to the chain on purpose (EBUSY).
    pub withheld: u64,
    /// Events whose owner a filter left out (`--pid`, `--comm`, `--container`).
    pub filtered: u64,
    /// Events read after the last one that `--count` allows.
    pub beyond: u64,
    /// Events passed to the chain.
    pub delivered: u64,
}

/// Number of delivered events by the status of their owner, and of scans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnerStats {
    /// A process holds the socket.
    pub held: u64,
    /// The socket is closed.
    pub orphaned: u64,
    /// The connection is not accepted yet.
    pub not_accepted: u64,
    /// The socket is the kernel's own.
    pub kernel: u64,
    /// No owner was found.
    pub unknown: u64,
    /// Scans of open files.
    pub scans: u64,
    /// Scans, out of these, that found more pairs than the host keeps.
    pub scans_cut: u64,
}

impl OwnerStats {
    /// Counts one event.
    pub fn count(&mut self, owner: &Owner) {
        *match owner.status() {
            OwnerStatus::Held => &mut self.held,
            OwnerStatus::Orphaned => &mut self.orphaned,
            OwnerStatus::NotAccepted => &mut self.not_accepted,
            OwnerStatus::Kernel => &mut self.kernel,
            OwnerStatus::Unknown | OwnerStatus::Other(_) => &mut self.unknown,
        } += 1;
    }

    fn total(&self) -> u64 {
        self.held + self.orphaned + self.not_accepted + self.kernel + self.unknown
    }
}

/// Events of one plugin, by what happened to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginStats {
    /// Name of the instance.
    pub name: String,
    /// Events that it received.
    pub events: u64,
    /// Events that it passed on.
    pub kept: u64,
    /// Events that it filtered out.
    pub dropped: u64,
    /// Events that were passed on without the plugin having seen them.
    pub passed_unseen: u64,
    /// Events that were neither kept nor dropped by the plugin: it failed on them with `--on-fault drop`, or the host
    /// ended.
    pub lost: u64,
}

/// Resource usage of one plugin, over all its instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginUsage {
    /// Name of the instance.
    pub plugin: String,
    /// Number of calls.
    pub calls: u64,
    /// Number of events that it changed.
    pub changed: u64,
    /// CPU time of all calls and restarts.
    pub cpu: Duration,
    /// CPU time of each call.
    pub call_cpu: Histogram,
    /// CPU time that half of the calls did not exceed.
    pub p50: Duration,
    /// CPU time that 99 of 100 calls did not exceed.
    pub p99: Duration,
    /// CPU time that no call exceeded.
    pub max: Duration,
    /// Linear memory at the end, in bytes.
    pub memory: u64,
    /// Maximum of the linear memory, in bytes.
    pub memory_max: u64,
    /// Instances that replaced a failed one.
    pub restarts: u64,
    /// Versions that replaced an earlier one.
    pub reloads: u64,
    /// Number of failed calls, by their cause.
    pub faults: BTreeMap<&'static str, u64>,
    /// Whether it is left out for a while, because it failed too often.
    pub is_in_quarantine: bool,
    /// Changes of the plugin's own metrics that had no effect, because it has as many as it may have.
    pub metrics_refused: u64,
}

/// Counters of the chain.
#[derive(Debug, Clone, Default)]
pub struct ChainStats {
    /// Events of each plugin, in the order of the chain.
    pub plugins: Vec<PluginStats>,
    /// Events of plugins that were removed from the chain.
    pub removed: Vec<PluginStats>,
    /// The accounts before the last change of the order.
    pub since: Since,
    /// Resource usage of each plugin.
    pub usage: Vec<PluginUsage>,
    /// Counters that plugins count themselves, by instance and name.
    pub counters: BTreeMap<(String, String), u64>,
    /// Gauges of plugins, by instance and name.
    pub gauges: BTreeMap<(String, String), f64>,
    /// Histograms of plugins, by instance and name.
    pub histograms: BTreeMap<(String, String), PluginHistogram>,
    /// How old events were when the first plugin got them; `None` in a replay.
    pub latency: Option<LatencyStats>,
    /// Counters of each sink behind a queue. Standard output has none.
    pub sinks: Vec<SinkStats>,
}

/// How old events were when the first plugin got them: the time since the kernel's stamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LatencyStats {
    /// Of events that were passed on at once.
    pub at_once: Quantiles,
    /// Of events that have waited for their owner.
    pub waited: Quantiles,
}

/// Quantiles of durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Number of events.
    pub events: u64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// None took longer.
    pub max: Duration,
    /// All of them by class.
    pub histogram: Histogram,
}

/// Counters of one sink, in its own unit: alerts for a file of alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkStats {
    /// Name of the sink.
    pub name: String,
    /// Received from the chain.
    pub received: u64,
    /// Delivered.
    pub sent: u64,
    /// Still in the queue.
    pub queued: u64,
    /// Not queued, because the queue was full.
    pub dropped: u64,
    /// Queued, but not delivered because of an error.
    pub failed: u64,
}

impl SinkStats {
    fn balances(&self) -> bool {
        self.received == self.sent + self.queued + self.dropped + self.failed
    }
}

/// Counters of a replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayStats {
    /// Events read from the files.
    pub read: u64,
    /// Events that a filter left out, those outside of `--from` and `--to`, and those beyond `--count`.
    pub left_out: u64,
    /// Events passed to the chain.
    pub delivered: u64,
}

/// Counters of the stages before the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStats {
    /// The live probe.
    Live {
        /// Counters of the probe.
        kernel: KernelStats,
        /// Counters of the source.
        source: SourceStats,
        /// Owners of the events.
        owners: OwnerStats,
    },
    /// A replay of files.
    Replay(ReplayStats),
    /// The hosts of a fleet.
    Fleet(FleetStats),
}

impl ChainStats {
    /// Returns whether each plugin accounts for what it received, beginning with `delivered` events, and each sink as
    /// well.
    pub(super) fn balances(&self, delivered: u64) -> bool {
        let received = self.since.received(&self.plugins);
        received == Some(delivered)
            && self.removed.iter().all(PluginStats::balances)
            && self.sinks.iter().all(SinkStats::balances)
    }
}

impl PluginStats {
    fn balances(&self) -> bool {
        self.events == self.kept + self.dropped + self.passed_unseen + self.lost
    }

    fn passed_on(&self) -> u64 {
        self.kept + self.passed_unseen
    }
}

/// The accounts of a chain until plugins were last added, removed or put in another order. From then on a plugin gets
/// what the one before it passes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// Events that the chain had received; `None` if the plugins did not account for all of them.
    received: Option<u64>,
    /// The counts of the plugins that are there now, in their order; empty if all were zero.
    plugins: Vec<PluginStats>,
}

impl Default for Since {
    fn default() -> Since {
        Since {
            received: Some(0),
            plugins: Vec::new(),
        }
    }
}

impl Since {
    /// Events that the chain has received so far, as of the counts of its plugins; `None` if these do not account for
    /// all of them.
    fn received(&self, plugins: &[PluginStats]) -> Option<u64> {
        let before = self.received?;
        let mut passed_on = None;
        let mut received = 0;
        for (place, plugin) in plugins.iter().enumerate() {
            let at_change = self.plugins.get(place);
            let at_change = |count: fn(&PluginStats) -> u64| at_change.map_or(0, count);
            let events = plugin
                .events
                .checked_sub(at_change(|plugin| plugin.events))?;
            match passed_on {
                None => received = events,
                Some(passed_on) if passed_on != events => return None,
                Some(_) => {}
            }
            if !plugin.balances() {
                return None;
            }
            let passed = plugin.passed_on();
            passed_on = Some(passed.checked_sub(at_change(PluginStats::passed_on))?);
        }
        Some(before + received)
    }

    /// Closes the accounts at a change, with the counts of the plugins that were there.
    pub fn close(&mut self, plugins: &[PluginStats]) {
        self.received = self.received(plugins);
    }

    /// Begins the accounts after a change, with the counts of the plugins that are there.
    pub fn begin(&mut self, plugins: Vec<PluginStats>) {
        self.plugins = plugins;
    }
}

impl StreamStats {
    /// Number of events that were passed to the chain.
    pub(super) fn delivered(&self) -> u64 {
        match self {
            StreamStats::Live { source, .. } => source.delivered,
            StreamStats::Replay(replay) => replay.delivered,
            StreamStats::Fleet(fleet) => fleet.delivered,
        }
    }

    /// Returns whether every stage before the chain accounts for all events that it received.
    pub(super) fn balances(&self) -> bool {
        match self {
            StreamStats::Live {
                kernel,
                source,
                owners,
            } => {
                kernel.balances()
                    && kernel.recorded == source.recorded
                    && source.recorded
                        == source.withheld + source.filtered + source.beyond + source.delivered
                    && source.delivered == owners.total()
            }
            StreamStats::Replay(replay) => replay.read == replay.left_out + replay.delivered,
            StreamStats::Fleet(fleet) => fleet.balances(),
        }
    }
}
