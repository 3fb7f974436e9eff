//! The chains of the partitions that this consumer has, each in a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use retrans_fleet::consume::ChainEnds;
use retrans_fleet::consume::ChainSide;
use retrans_fleet::consume::Chains;
use retrans_fleet::consume::Snapshot;
use retrans_fleet::consume::Work;
use retrans_fleet::partition::Partition;

use super::partition_chain::PartitionChain;
use super::partition_chain::Terms;
use super::partition_sink::SharedSinks;
use super::saved_state::SavedState;
use crate::chain::ChainError;
use crate::plugin::Plugin;
use crate::plugin::Prepared;
use crate::plugin::StartError;
use crate::plugin::THREAD_STACK;
use crate::stats::SharedStats;
use crate::stats::counters::ChainStats;
use crate::stats::fleet::FleetStats;
use crate::stream::moment::Moment;
use crate::system::privileges;
use crate::system::threads;

/// Interval of snapshots. What was done since the last one is done again after the consumer has died.
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(2);

/// How long a snapshot waits for alerts that have not left the host: a receiver may be away for hours.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the chains of partitions.
pub struct PartitionChains {
    plugins: Arc<Vec<Prepared>>,
    sinks: SharedSinks,
    terms: Terms,
    progress: SharedProgress,
}

/// What one consumer does with a partition: the partition, and a number of its own. A partition that was lost may be
/// claimed again before its former chain has ended.
type Tenure = (Partition, u64);

/// What the chains of all partitions have done so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// Of chains that have ended.
    ended: (FleetStats, ChainStats),
    /// Of chains that run.
    running: BTreeMap<Tenure, (FleetStats, ChainStats)>,
    /// Number of tenures that have begun.
    tenures: u64,
    /// Why a chain has ended, if the run must end with it.
    failed: Option<ChainError>,
}

/// Shared by the chains and the main thread.
#[derive(Debug, Clone)]
pub struct SharedProgress {
    progress: Arc<Mutex<Progress>>,
    /// Those of the run: they tell whether the chains go on.
    shared: SharedStats,
}

impl SharedProgress {
    /// Of a run with these statistics.
    pub fn new(shared: SharedStats) -> SharedProgress {
        SharedProgress {
            progress: Arc::default(),
            shared,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sums over all partitions.
    pub fn sums(&self) -> (FleetStats, ChainStats) {
        let progress = self.lock();
        let (mut fleet, mut chain) = progress.ended.clone();
        for (counted, stats) in progress.running.values() {
            fleet += *counted;
            chain.add(stats);
        }
        (fleet, chain)
    }

    /// Events that were passed to the chains that run. Of a partition with two, to the later one.
    pub fn delivered(&self) -> BTreeMap<Partition, u64> {
        let progress = self.lock();
        let running = progress.running.iter();
        running
            .map(|((partition, _), (fleet, _))| (*partition, fleet.delivered))
            .collect()
    }

    /// Returns whether a chain has ended with an error.
    pub fn has_failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// Takes the error with which the run must end.
    pub fn take_failure(&self) -> Option<ChainError> {
        self.lock().failed.take()
    }

    fn begin(&self, partition: Partition) -> Tenure {
        let mut progress = self.lock();
        progress.tenures += 1;
        (partition, progress.tenures)
    }

    fn note(&self, tenure: Tenure, counted: (FleetStats, ChainStats)) {
        self.lock().running.insert(tenure, counted);
    }

    fn end(&self, tenure: Tenure, (fleet, chain): (FleetStats, ChainStats)) {
        self.shared.progress().end_work(tenure.1);
        let mut progress = self.lock();
        progress.running.remove(&tenure);
        progress.ended.0 += fleet;
        progress.ended.1.add(&chain);
    }
}

impl PartitionChains {
    /// Chains of these plugins.
    pub fn new(
        plugins: Vec<Plugin>,
        sinks: SharedSinks,
        terms: Terms,
        progress: SharedProgress,
    ) -> PartitionChains {
        let plugins = plugins.into_iter().map(|plugin| plugin.prepared);
        PartitionChains {
            plugins: Arc::new(plugins.collect()),
            sinks,
            terms,
            progress,
        }
    }
}

impl Chains for PartitionChains {
    fn begin(
        &mut self,
        partition: Partition,
        snapshot: Option<Snapshot>,
    ) -> Result<ChainEnds, String> {
        let resumed = snapshot.map(|snapshot| {
            let saved = SavedState::read(&snapshot.body);
            saved.map(|saved| (snapshot, saved))
        });
        let resumed = resumed.transpose().map_err(|error| {
            format!("the state of partition {partition} cannot be used: {error}")
        })?;
        let (ends, side) = ChainEnds::new();
        let (plugins, sinks) = (Arc::clone(&self.plugins), self.sinks.clone());
        let (terms, progress) = (self.terms.clone(), self.progress.clone());
        let reads_files = plugins
            .iter()
            .any(|prepared| !prepared.spec().grants.read.is_empty());
        let run = move || {
            let plugins = plugins.iter().map(copy).collect::<Result<Vec<_>, _>>();
            let plugins = match plugins {
                Ok(plugins) => plugins,
                Err(error) => {
                    tracing::error!("partition {partition}: {error}");
                    return;
                }
            };
            let chain = PartitionChain::new(partition, terms, plugins, sinks);
            run(chain, partition, resumed, side, &progress);
        };
        let thread = threads::named(&format!("partition {partition}")).stack_size(THREAD_STACK);
        let thread = match reads_files {
            true => thread.keeping(privileges::of_files()),
            false => thread,
        };
        let spawned = thread.spawn(run);
        spawned.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(ends)
    }
}

/// Another instance of a plugin.
fn copy(prepared: &Prepared) -> Result<Plugin, StartError> {
    let instance = prepared.instance(None, Moment::default())?;
    Ok(Plugin {
        prepared: prepared.clone(),
        instance,
    })
}

/// Runs a chain until its partition is released or lost.
fn run(
    mut chain: PartitionChain,
    partition: Partition,
    resumed: Option<(Snapshot, SavedState)>,
    mut side: ChainSide,
    progress: &SharedProgress,
) {
    let tenure = progress.begin(partition);
    let result = take_all(&mut chain, tenure, resumed, &mut side, progress);
    progress.end(tenure, chain.counted());
    if let Err(error) = result {
        progress.lock().failed.get_or_insert(error);
    }
}

fn take_all(
    chain: &mut PartitionChain,
    tenure: Tenure,
    resumed: Option<(Snapshot, SavedState)>,
    side: &mut ChainSide,
    progress: &SharedProgress,
) -> Result<(), ChainError> {
    let (_, number) = tenure;
    let working = progress.shared.progress();
    working.begin_work(number);
    if let Some((snapshot, saved)) = resumed {
        chain.restore(snapshot, saved)?;
    }
    working.end_work(number);
    let mut due = Instant::now() + SNAPSHOT_INTERVAL;
    while let Some(work) = side.take() {
        working.begin_work(number);
        let is_tick = match work {
            Work::Message(message) => chain.message(message)?,
            Work::Break(missing) => {
                chain.missing(missing);
                false
            }
            Work::Release => {
                wait_for_delivery(chain);
                let snapshot = chain.snapshot()?;
                chain
                    .take_lines()
                    .into_iter()
                    .for_each(|line| side.line(line));
                side.save(snapshot);
                break;
            }
        };
        // Lines and snapshots may wait for the broker: a chain is not held up by that.
        working.end_work(number);
        chain
            .take_lines()
            .into_iter()
            .for_each(|line| side.line(line));
        if is_tick {
            progress.note(tenure, chain.counted());
            let now = Instant::now();
            if now >= due && (chain.has_delivered() || now >= due + DELIVERY_TIMEOUT) {
                side.save(chain.snapshot()?);
                due = now + SNAPSHOT_INTERVAL;
            }
        }
    }
    Ok(())
}

/// Waits until alerts have left, for a short time: the release of a partition has a time limit.
fn wait_for_delivery(chain: &PartitionChain) {
    let end = Instant::now() + Duration::from_secs(1);
    while !chain.has_delivered() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use retrans_fleet::consume::Content;
    use retrans_fleet::consume::Message;

    use super::*;
    use crate::fleet::host_counts::HostCounts;
    use crate::sink::Sink;
    use crate::sink::fan_out::FanOut;
    use crate::stream::alert::Alert;

    struct Nowhere;

    impl Sink for Nowhere {
        fn lines(&mut self, _lines: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn alerts(&mut self, _alerts: &[Alert]) -> io::Result<()> {
            Ok(())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[track_caller]
    fn wait_until(what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !is_so() {
            assert!(Instant::now() < end, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_chain_that_ends_late_leaves_the_counters_of_the_next_one() {
        let progress = SharedProgress::new(SharedStats::default());
        let partition = Partition(3);
        let counted = |delivered| {
            let fleet = FleetStats {
                delivered,
                ..FleetStats::default()
            };
            (fleet, ChainStats::default())
        };
        let delivered = || progress.sums().0.delivered;
        let former = progress.begin(partition);
        progress.note(former, counted(5));
        // The partition was lost and claimed again.
        let next = progress.begin(partition);
        progress.note(next, counted(2));
        assert_eq!(delivered(), 7);
        progress.end(former, counted(6));
        assert_eq!(delivered(), 8);
        assert_eq!(progress.delivered(), BTreeMap::from([(partition, 2)]));
        progress.end(next, counted(3));
        assert_eq!(delivered(), 9);
        assert!(progress.delivered().is_empty());
    }

    #[test]
    fn a_chain_is_at_work_while_its_sink_takes_nothing() {
        let shared = SharedStats::default();
        let direct: Box<dyn Sink + Send> = Box::new(Nowhere);
        let sinks = SharedSinks::new(FanOut::new(direct, Vec::new(), Vec::new()));
        let terms = Terms {
            max_lateness: Duration::from_secs(30),
            max_age: Duration::from_secs(3_600),
            chain: String::new(),
            publishes_lines: false,
            hosts: HostCounts::default(),
        };
        let progress = SharedProgress::new(shared.clone());
        let mut chains = PartitionChains::new(Vec::new(), sinks.clone(), terms, progress);
        let ends = chains.begin(Partition(3), None).expect("it begins");
        let is_idle = || shared.progress().stalled().is_none();
        // Another chain, or a reader that takes nothing, has the sinks.
        let held = sinks.lock();
        let tick = Message {
            sequence: 1,
            stamped: Duration::from_secs(1),
            content: Content::Tick,
        };
        let sent = ends.work.blocking_send(Work::Message(tick));
        sent.expect("the chain runs");
        let is_long = || {
            let stalled = shared.progress().stalled();
            stalled.is_some_and(|time| time >= Duration::from_millis(100))
        };
        wait_until("the chain is held up", is_long);
        drop(held);
        wait_until("the chain goes on", is_idle);
        drop(ends);
    }
}
