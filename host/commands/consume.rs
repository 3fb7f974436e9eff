//! The command `consume`: runs a chain for each partition of a fleet that this consumer has.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use retrans_fleet::consume::Choice;
use retrans_fleet::consume::Member;
use retrans_fleet::consume::MemberConfig;
use retrans_fleet::consume::StartAt;
use retrans_fleet::names::STREAM;
use retrans_fleet::partition::Partition;
use retrans_fleet::partition::Partitions;
use retrans_fleet::setup::read_max_age;
use retrans_fleet::setup::read_settings;
use sha2::Digest as _;
use sha2::Sha256;

use super::listen;
use super::presentation::Lines;
use super::presentation::Presentation as _;
use crate::config::Consume;
use crate::config::Verbosity;
use crate::config::WantedPartitions;
use crate::fleet::broker;
use crate::fleet::chains::PartitionChains;
use crate::fleet::chains::SharedProgress;
use crate::fleet::host_counts::HostCounts;
use crate::fleet::partition_chain::Terms;
use crate::fleet::partition_sink::SharedSinks;
use crate::metrics::pages;
use crate::network;
use crate::pipeline;
use crate::pipeline::stop::Stop;
use crate::plugin::Plugin;
use crate::plugin::run::EventSource;
use crate::plugin::run::Run;
use crate::plugin::run::RunInfo;
use crate::sink::Sink as _;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::stats::counters::StreamStats;
use crate::stats::fleet::PartitionStats;
use crate::system::procfs;
use crate::system::service_manager::ServiceManager;
use crate::system::stdio;
use crate::system::stdio::print_status;

/// Interval at which the statistics are refreshed.
const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// Time within which all partitions are released at the end. The process ends 4.5 s after a signal.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Consumes until a signal arrives, or `--duration` has passed.
pub fn consume(config: &Consume) -> Result<()> {
    let presentation = Lines;
    let manager = ServiceManager::connect();
    let server = listen::bind(config.listen)?;
    let (signals, handlers) = presentation.signals()?;
    let stop = signals.start().context("cannot listen for signals")?;
    let name = config.name.clone();
    let name = name.unwrap_or_else(|| procfs::of_kernel("hostname"));
    let of_fleet = of_fleet(config)?;
    let shared = SharedStats::default();
    let run = RunInfo::default();
    run.set(Run {
        source: EventSource::Live,
        host: None,
        kernel: None,
    });
    let mut network = network::Plan::prepare(&config.chain)?;
    let is_verbose = config.chain.verbosity >= Verbosity::Normal;
    let listening = listen::start(
        server,
        &mut network,
        &shared,
        &stop,
        is_verbose,
        pages::of_consumer,
    );
    let mut outputs = presentation.outputs();
    outputs.beside.extend(network.start()?);
    let prepared =
        pipeline::prepare_plugins(&config.chain, handlers, &stop, &shared, &run, outputs)?;
    let Some((plugins, sinks)) = prepared else {
        return Ok(());
    };
    let sinks = SharedSinks::new(sinks);
    let progress = SharedProgress::new(shared.clone());
    let hosts = HostCounts::default();
    let terms = Terms {
        max_lateness: config.max_lateness,
        max_age: of_fleet.max_age,
        chain: digest(&plugins),
        publishes_lines: config.publishes_lines,
        hosts: hosts.clone(),
    };
    let names: Vec<&str> = plugins.iter().map(Plugin::name).collect();
    let line = format!(
        "consuming {} partitions of a fleet as {name} with {}",
        of_fleet.partitions.count(),
        names.join(", ")
    );
    let chains = PartitionChains::new(plugins, sinks.clone(), terms, progress.clone());
    let member = Member::start(member(config, &name, &of_fleet)?, chains)?;
    if let Some(duration) = config.chain.duration {
        stop.end_after(duration)
            .context("cannot measure --duration")?;
    }
    listening.begin();
    if is_verbose {
        print_status(&format!("{line}; Ctrl-C ends"));
    }
    manager.ready(&line);
    let result = wait(&member, &stop, &progress, &hosts, &sinks, &shared);
    listening.end();
    manager.stopping("ending: partitions are released");
    let released = member.stop(RELEASE_TIMEOUT);
    let (fleet, chain) = progress.sums();
    let mut stats = Stats {
        stream: Some(StreamStats::Fleet(fleet)),
        chain,
        ..Stats::default()
    };
    let mut sinks = sinks.lock();
    stats.chain.sinks = sinks.counted();
    // The last metrics have the numbers of the ledger.
    sinks.stats(&stats);
    stats.chain.sinks = sinks.finish();
    drop(sinks);
    stats.not_printed = stop.stdout_status().not_printed();
    *shared.stats() = stats.clone();
    if is_verbose {
        stdio::print(&stats.final_ledger());
    }
    if let Some(error) = progress
        .take_failure()
        .filter(|error| !error.is_broken_pipe())
    {
        return Err(error.into());
    }
    result?;
    released.map_err(Into::into)
}

/// What the broker says of the fleet.
#[derive(Debug, Clone, Copy)]
struct OfFleet {
    partitions: Partitions,
    max_age: Duration,
}

fn of_fleet(config: &Consume) -> Result<OfFleet> {
    let found = broker::with(&config.broker, async |broker| {
        let settings = read_settings(broker).await?;
        Ok(OfFleet {
            partitions: settings.partitions,
            max_age: read_max_age(broker).await?,
        })
    })?;
    if let WantedPartitions::Some(wanted) = &config.partitions {
        let count = found.partitions.count();
        let beyond = wanted.last().filter(|last| **last >= count);
        if let Some(beyond) = beyond {
            bail!("--partitions: there is no partition {beyond}; the fleet has {count}, from 0");
        }
    }
    ensure!(
        found.max_age > Duration::ZERO,
        "the stream {STREAM} keeps messages for ever: run `retrans-host fleet init`"
    );
    Ok(found)
}

fn member(config: &Consume, name: &str, of_fleet: &OfFleet) -> Result<MemberConfig> {
    let prepared = broker::prepare(&config.broker, &format!("retrans-host consume {name}"))?;
    let choice = match &config.partitions {
        WantedPartitions::All => Choice::All,
        WantedPartitions::Auto => Choice::Auto,
        WantedPartitions::Some(wanted) => {
            Choice::Some(wanted.iter().copied().map(Partition).collect())
        }
    };
    Ok(MemberConfig {
        broker: prepared,
        name: name.to_owned(),
        choice,
        partitions: Some(of_fleet.partitions),
        fresh: match config.from_beginning {
            true => StartAt::Beginning,
            false => StartAt::End,
        },
    })
}

/// Returns at the end of the run: a signal, a failure of a chain, or of the connection for good.
fn wait(
    member: &Member,
    stop: &Stop,
    progress: &SharedProgress,
    hosts: &HostCounts,
    sinks: &SharedSinks,
    shared: &SharedStats,
) -> Result<()> {
    let mut refreshed = Instant::now();
    loop {
        if stop.is_ending_within(Duration::from_millis(100)) || progress.has_failed() {
            return Ok(());
        }
        ensure!(
            member.is_running(),
            "the thread that consumes has ended: {}",
            member.status().last_error.unwrap_or_default()
        );
        if refreshed.elapsed() >= STATS_INTERVAL {
            refreshed = Instant::now();
            let (fleet, mut chain) = progress.sums();
            let mut sinks = sinks.lock();
            chain.sinks = sinks.counted();
            let mut stats = shared.stats();
            stats.stream = Some(StreamStats::Fleet(fleet));
            stats.chain = chain;
            stats.partitions = partitions(member, progress);
            stats.hosts = hosts.counted();
            sinks.stats(&stats);
        }
    }
}

fn partitions(member: &Member, progress: &SharedProgress) -> Vec<PartitionStats> {
    let delivered = progress.delivered();
    let status = member.status();
    let partitions = status.partitions.iter();
    let partitions = partitions.map(|(partition, status)| PartitionStats {
        partition: partition.0,
        delivered: delivered.get(partition).copied().unwrap_or(0),
        lag: status.lag.unwrap_or(0),
    });
    partitions.collect()
}

/// A digest of the plugins with their settings.
fn digest(plugins: &[Plugin]) -> String {
    let mut hash = Sha256::new();
    for plugin in plugins {
        hash.update(plugin.name());
        hash.update([0]);
        hash.update(plugin.prepared.identity());
        hash.update([0]);
        hash.update(plugin.prepared.settings());
        hash.update([0]);
    }
    let digest = hash.finalize();
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
