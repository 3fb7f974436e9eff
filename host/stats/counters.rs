//! What each stage of a run counts. Every event is in exactly one of a stage's counters.

use std::collections::BTreeMap;
use std::time::Duration;

use retrans_event::Owner;
use retrans_event::OwnerStatus;

/// What the probe counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KernelStats {
    /// Calls of the probe.
    pub entered: u64,
    /// Records put into the ring.
    pub recorded: u64,
    /// Records that the ring had no room for: lost.
    pub ring_full: u64,
    /// Calls that the kernel skipped because the probe was running on that CPU already: what the
    /// probe cannot count itself. `None` before Linux 5.12.
    pub recursion_misses: Option<u64>,
}

/// What the source did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceStats {
    /// Records read from the ring.
    pub recorded: u64,
    /// Not given to the chain on purpose.
    pub withheld: u64,
    /// Read after the last event that was asked for (`--count`).
    pub beyond: u64,
    /// Given to the chain.
    pub delivered: u64,
}

/// How many of the delivered events had which owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnerStats {
    /// Held by a process.
    pub held: u64,
    /// Closed.
    pub orphaned: u64,
    /// Not accepted yet.
    pub not_accepted: u64,
    /// The kernel's own.
    pub kernel: u64,
    /// No owner was found.
    pub unknown: u64,
    /// Scans of open files.
    pub scans: u64,
    /// Of these, scans that found more than is kept.
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

/// What one plugin did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginStats {
    /// Name of the instance.
    pub name: String,
    /// Events given to it.
    pub events: u64,
    /// Passed on.
    pub kept: u64,
    /// Filtered out.
    pub dropped: u64,
    /// Passed on without the plugin having seen them.
    pub passed_unseen: u64,
    /// Neither: the plugin failed on them and was to drop what it fails on, or the host ended.
    pub lost: u64,
}

/// What one plugin has used, over all its instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginUsage {
    /// Name of the instance.
    pub plugin: String,
    /// Calls.
    pub calls: u64,
    /// Events that it has changed.
    pub changed: u64,
    /// CPU time of all calls and restarts.
    pub cpu: Duration,
    /// Half of the calls took no more CPU time.
    pub p50: Duration,
    /// 99 of 100 calls took no more.
    pub p99: Duration,
    /// No call took more.
    pub max: Duration,
    /// Bytes of linear memory at the end.
    pub memory: u64,
    /// The most that there were.
    pub memory_max: u64,
    /// Instances that were started in the place of others.
    pub restarts: u64,
    /// Versions that took over from an earlier one.
    pub reloads: u64,
    /// Calls that failed, by their causes.
    pub faults: BTreeMap<&'static str, u64>,
}

/// What the chain did.
#[derive(Debug, Clone, Default)]
pub struct ChainStats {
    /// What became of the events, plugin by plugin, in the order of the chain.
    pub plugins: Vec<PluginStats>,
    /// What each has used.
    pub usage: Vec<PluginUsage>,
    /// Each plugin's own counters, by instance and name.
    pub counters: BTreeMap<(String, String), u64>,
    /// What became of what the sinks were given, sink by sink; standard output has none.
    pub sinks: Vec<SinkStats>,
}

/// What became of what one sink was given. The unit is the sink's own: alerts for a file of alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkStats {
    /// Name of the sink.
    pub name: String,
    /// Given to it.
    pub received: u64,
    /// Delivered.
    pub sent: u64,
    /// In its queue.
    pub queued: u64,
    /// Not taken, because its queue was full.
    pub dropped: u64,
    /// Taken, but not delivered.
    pub failed: u64,
}

impl SinkStats {
    fn balances(&self) -> bool {
        self.received == self.sent + self.queued + self.dropped + self.failed
    }
}

/// What a replay read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayStats {
    /// Events in the files.
    pub read: u64,
    /// Outside of the time that was asked for.
    pub left_out: u64,
    /// Given to the chain.
    pub delivered: u64,
}

/// Where the events came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStats {
    /// From the live probe.
    Live {
        /// In the kernel.
        kernel: KernelStats,
        /// In the source.
        source: SourceStats,
        /// Whose the events were.
        owners: OwnerStats,
    },
    /// From files.
    Replay(ReplayStats),
}

impl ChainStats {
    /// Does each plugin account for what it was given, beginning with `delivered` events, and each sink?
    pub(super) fn balances(&self, delivered: u64) -> bool {
        let mut passed_on = delivered;
        let plugins = self.plugins.iter().all(|plugin| {
            let given = std::mem::replace(&mut passed_on, plugin.kept + plugin.passed_unseen);
            plugin.events == given
                && plugin.events
                    == plugin.kept + plugin.dropped + plugin.passed_unseen + plugin.lost
        });
        plugins && self.sinks.iter().all(SinkStats::balances)
    }
}

impl StreamStats {
    /// Events that the chain was given.
    pub(super) fn delivered(&self) -> u64 {
        match self {
            StreamStats::Live { source, .. } => source.delivered,
            StreamStats::Replay(replay) => replay.delivered,
        }
    }

    /// Does every stage before the chain account for all that it was given?
    pub(super) fn balances(&self) -> bool {
        match self {
            StreamStats::Live {
                kernel,
                source,
                owners,
            } => {
                kernel.entered == kernel.recorded + kernel.ring_full
                    && kernel.recorded == source.recorded
                    && source.recorded == source.withheld + source.beyond + source.delivered
                    && source.delivered == owners.total()
            }
            StreamStats::Replay(replay) => replay.read == replay.left_out + replay.delivered,
        }
    }
}
