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

/// What the chains of all partitions have done so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// Of chains that have ended.
    ended: (FleetStats, ChainStats),
    /// Of chains that run.
    running: BTreeMap<Partition, (FleetStats, ChainStats)>,
    /// Why a chain has ended, if the run must end with it.
    failed: Option<ChainError>,
}

/// Shared by the chains and the main thread.
#[derive(Debug, Clone, Default)]
pub struct SharedProgress(Arc<Mutex<Progress>>);

impl SharedProgress {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Events that were passed to the chains that run.
    pub fn delivered(&self) -> BTreeMap<Partition, u64> {
        let progress = self.lock();
        let running = progress.running.iter();
        running
            .map(|(partition, (fleet, _))| (*partition, fleet.delivered))
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

    fn note(&self, partition: Partition, counted: (FleetStats, ChainStats)) {
        self.lock().running.insert(partition, counted);
    }

    fn end(&self, partition: Partition, (fleet, chain): (FleetStats, ChainStats)) {
        let mut progress = self.lock();
        progress.running.remove(&partition);
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
    let result = take_all(&mut chain, partition, resumed, &mut side, progress);
    progress.end(partition, chain.counted());
    if let Err(error) = result {
        progress.lock().failed.get_or_insert(error);
    }
}

fn take_all(
    chain: &mut PartitionChain,
    partition: Partition,
    resumed: Option<(Snapshot, SavedState)>,
    side: &mut ChainSide,
    progress: &SharedProgress,
) -> Result<(), ChainError> {
    if let Some((snapshot, saved)) = resumed {
        chain.restore(snapshot, saved)?;
    }
    let mut due = Instant::now() + SNAPSHOT_INTERVAL;
    while let Some(work) = side.take() {
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
        chain
            .take_lines()
            .into_iter()
            .for_each(|line| side.line(line));
        if is_tick {
            progress.note(partition, chain.counted());
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
