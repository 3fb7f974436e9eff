//! Every event accounted for: what each stage was given, and what became of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use retrans_event::Owner;
use retrans_event::OwnerStatus;

/// Said where the stages do not account for every event at the end of a run.
pub const UNBALANCED: &str = "ledger: does not balance; please report this as a bug";

/// What the probe counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kernel {
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
pub struct Source {
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
pub struct Owners {
    /// Held by a process.
    pub held: u64,
    /// Closed.
    pub orphaned: u64,
    /// Not accepted yet.
    pub not_accepted: u64,
    /// The kernel's own.
    pub kernel: u64,
    /// Nobody was found.
    pub unknown: u64,
    /// Scans of open files.
    pub scans: u64,
    /// Of these, scans that found more than is kept.
    pub scans_cut: u64,
}

impl Owners {
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
pub struct Plugin {
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

/// A line.
impl fmt::Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "ledger: plugin {} in={} kept={} dropped={} passed_unseen={} lost={}",
            self.name, self.events, self.kept, self.dropped, self.passed_unseen, self.lost
        )
    }
}

/// What one plugin has used, over all its instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
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
    /// Versions that were.
    pub reloads: u64,
    /// Calls that failed, by their causes.
    pub faults: BTreeMap<&'static str, u64>,
}

/// A line, and a second one where the plugin has failed or was reloaded.
impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "ledger: usage {} calls={} changed={} cpu_us={} p50_ns={} p99_ns={} max_ns={} memory={} \
             memory_max={}",
            self.plugin,
            self.calls,
            self.changed,
            self.cpu.as_micros(),
            self.p50.as_nanos(),
            self.p99.as_nanos(),
            self.max.as_nanos(),
            self.memory,
            self.memory_max
        )?;
        if self.restarts == 0 && self.reloads == 0 && self.faults.is_empty() {
            return Ok(());
        }
        write!(f, "ledger: faults {}", self.plugin)?;
        for (cause, count) in &self.faults {
            write!(f, " {cause}={count}")?;
        }
        writeln!(f, " restarts={} reloads={}", self.restarts, self.reloads)
    }
}

/// What the chain did.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// A page a plugin.
    pub plugins: Vec<Plugin>,
    /// What each has used.
    pub usage: Vec<Usage>,
    /// Each plugin's own counters, by instance and name.
    pub counters: BTreeMap<(String, String), u64>,
}

/// What a replay read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replay {
    /// Events in the files.
    pub read: u64,
    /// Outside of the time that was asked for.
    pub left_out: u64,
    /// Given to the chain.
    pub delivered: u64,
}

/// Where the events came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the live probe.
    Live {
        /// In the kernel.
        kernel: Kernel,
        /// In the source.
        source: Source,
        /// Whose the events were.
        owners: Owners,
    },
    /// From files.
    Replay(Replay),
}

/// The books of a whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Where the events came from.
    pub origin: Origin,
    /// In the order of the chain.
    pub plugins: Vec<Plugin>,
}

impl Origin {
    /// Events that the chain was given.
    fn delivered(&self) -> u64 {
        match self {
            Origin::Live { source, .. } => source.delivered,
            Origin::Replay(replay) => replay.delivered,
        }
    }

    fn balances(&self) -> bool {
        match self {
            Origin::Live {
                kernel,
                source,
                owners,
            } => {
                kernel.entered == kernel.recorded + kernel.ring_full
                    && kernel.recorded == source.recorded
                    && source.recorded == source.withheld + source.beyond + source.delivered
                    && source.delivered == owners.total()
            }
            Origin::Replay(replay) => replay.read == replay.left_out + replay.delivered,
        }
    }
}

impl Ledger {
    /// Does every stage account for all that the one before it passed on?
    pub fn balances(&self) -> bool {
        let mut passed_on = self.origin.delivered();
        let chain = self.plugins.iter().all(|plugin| {
            let given = std::mem::replace(&mut passed_on, plugin.kept + plugin.passed_unseen);
            plugin.events == given
                && plugin.events
                    == plugin.kept + plugin.dropped + plugin.passed_unseen + plugin.lost
        });
        chain && self.origin.balances()
    }
}

/// A line a stage.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kernel, source, owners) = match self {
            Origin::Live {
                kernel,
                source,
                owners,
            } => (kernel, source, owners),
            Origin::Replay(replay) => {
                let Replay {
                    read,
                    left_out,
                    delivered,
                } = replay;
                return writeln!(
                    f,
                    "ledger: replay read={read} left_out={left_out} delivered={delivered}"
                );
            }
        };
        write!(
            f,
            "ledger: kernel entered={} recorded={} ring_full={}",
            kernel.entered, kernel.recorded, kernel.ring_full
        )?;
        if let Some(misses) = kernel.recursion_misses {
            write!(f, " recursion_misses={misses}")?;
        }
        writeln!(f)?;
        write!(
            f,
            "ledger: host recorded={} withheld={}",
            source.recorded, source.withheld
        )?;
        // Only where the run was bounded.
        if source.beyond > 0 {
            write!(f, " beyond={}", source.beyond)?;
        }
        writeln!(f, " delivered={}", source.delivered)?;
        let Owners {
            held,
            orphaned,
            not_accepted,
            kernel,
            unknown,
            scans,
            scans_cut,
        } = owners;
        write!(
            f,
            "ledger: owners held={held} orphaned={orphaned} not_accepted={not_accepted} \
             kernel={kernel} unknown={unknown} scans={scans}"
        )?;
        if *scans_cut > 0 {
            write!(f, " scans_cut={scans_cut}")?;
        }
        writeln!(f)
    }
}

/// A line a stage, for people and for scripts.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        for plugin in &self.plugins {
            write!(f, "{plugin}")?;
        }
        match self.balances() {
            true => Ok(()),
            false => writeln!(f, "{UNBALANCED}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugins() -> Vec<Plugin> {
        let plugin = |name: &str, events, kept| Plugin {
            name: name.to_owned(),
            events,
            kept,
            dropped: events - kept,
            ..Plugin::default()
        };
        vec![plugin("a", 9, 4), plugin("b", 4, 4)]
    }

    const KERNEL: Kernel = Kernel {
        entered: 12,
        recorded: 10,
        ring_full: 2,
        recursion_misses: Some(1),
    };
    const SOURCE: Source = Source {
        recorded: 10,
        withheld: 1,
        beyond: 0,
        delivered: 9,
    };
    const OWNERS: Owners = Owners {
        held: 5,
        orphaned: 1,
        not_accepted: 1,
        kernel: 1,
        unknown: 1,
        scans: 3,
        scans_cut: 0,
    };
    const REPLAY: Replay = Replay {
        read: 12,
        left_out: 3,
        delivered: 9,
    };

    fn live(kernel: Kernel, source: Source, owners: Owners) -> Ledger {
        let origin = Origin::Live {
            kernel,
            source,
            owners,
        };
        let plugins = plugins();
        Ledger { origin, plugins }
    }

    fn replay(replay: Replay) -> Ledger {
        Ledger {
            origin: Origin::Replay(replay),
            plugins: plugins(),
        }
    }

    #[track_caller]
    fn assert_unbalanced(ledger: &Ledger) {
        assert!(!ledger.balances(), "{ledger}");
        assert!(ledger.to_string().contains("does not balance"));
    }

    #[test]
    fn books_balance_when_every_event_is_accounted_for() {
        assert!(live(KERNEL, SOURCE, OWNERS).balances());
        assert!(replay(REPLAY).balances());
    }

    #[test]
    fn one_event_missing_anywhere_unbalances_the_books() {
        let (mut kernel, mut owners) = (KERNEL, OWNERS);
        kernel.entered += 1;
        assert_unbalanced(&live(kernel, SOURCE, OWNERS));
        owners.held += 1;
        assert_unbalanced(&live(KERNEL, SOURCE, owners));
        for change in [
            |source: &mut Source| source.recorded -= 1,
            |source: &mut Source| source.delivered -= 1,
        ] {
            let mut source = SOURCE;
            change(&mut source);
            assert_unbalanced(&live(KERNEL, source, OWNERS));
        }
        for change in [
            |replay: &mut Replay| replay.read += 1,
            |replay: &mut Replay| replay.delivered -= 1,
        ] {
            let mut changed = REPLAY;
            change(&mut changed);
            assert_unbalanced(&replay(changed));
        }
        let break_it: [fn(&mut Ledger); 3] = [
            |ledger| ledger.plugins[0].events += 1,
            |ledger| ledger.plugins[0].dropped -= 1,
            |ledger| ledger.plugins[1].kept -= 1,
        ];
        for change in break_it {
            let mut ledger = live(KERNEL, SOURCE, OWNERS);
            change(&mut ledger);
            assert_unbalanced(&ledger);
        }
    }
}
