//! The default command: attaches the probe, and passes its events to the chain.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use rustix::thread::CapabilitySet;

use super::confine::confine;
use super::listen;
use super::presentation::Lines;
use super::presentation::Presentation;
use super::presentation::Stream;
use super::recording;
use crate::capture;
use crate::config::Verbosity;
use crate::config::Watch;
use crate::fleet;
use crate::fleet::AgentClock;
use crate::metrics::pages;
use crate::network;
use crate::pipeline;
use crate::pipeline::heartbeat::EndNotice;
use crate::pipeline::heartbeat::Heartbeat;
use crate::plugin;
use crate::plugin::Compiler;
use crate::plugin::run::EventSource;
use crate::plugin::run::Run;
use crate::plugin::run::RunInfo;
use crate::plugin::worker::helper::Helper;
use crate::source::bpf::permissions::Facts;
use crate::source::census::CensusError;
use crate::source::census::CensusProgram;
use crate::source::census::CensusTaker;
use crate::source::live::intake::Processing;
use crate::source::live::kernel_filters;
use crate::source::live::members::MemberList;
use crate::source::live::preflight;
use crate::source::live::probe::Probe;
use crate::source::live::probe::ProbeOptions;
use crate::source::owner::Owners;
use crate::source::owner::ScanError;
use crate::source::owner::ScanProgram;
use crate::source::owner::names::NameFinder;
use crate::source::owner::names::Places;
use crate::stats::Publisher;
use crate::stats::SharedStats;
use crate::stats::reconcile::LeftOutSums;
use crate::stats::reconcile::Reconciliation;
use crate::stream::clock::Clock;
use crate::system::privileges;
use crate::system::procfs;
use crate::system::sandbox::Lacking;
use crate::system::service_manager::ServiceManager;
use crate::system::stdio;
use crate::system::timestamp;

/// Watches until a signal arrives, `--count` or `--duration` is reached, or the reader closes standard output.
pub fn watch(config: &Watch) -> Result<()> {
    watch_with(config, &mut Lines)
}

/// Like [`watch`], shown by `presentation`.
pub fn watch_with(config: &Watch, presentation: &mut impl Presentation) -> Result<()> {
    // Until the process is confined it has one thread: those that it starts later are confined as well.
    privileges::forbid_new()?;
    let manager = ServiceManager::connect();
    let server = listen::bind(config.listen)?;
    let (signals, handlers) = presentation.signals()?;
    preflight::check(config.attach)?;
    kernel_filters::check(&config.filters)?;
    let clock = Clock::of_this_process()?;
    let helper = Helper::start(config.user.as_ref());
    let helper = helper.with_context(|| match config.user {
        Some(_) => "cannot start the process that starts compilers, as the user of --user, who must be able to execute this program",
        None => "cannot start the process that starts compilers",
    })?;
    let comparison = config.reconcile.then(prepare_comparison).transpose()?;
    // Its files are read here, with all rights.
    let mut network = network::Plan::prepare(&config.chain)?;
    let fleet = fleet::Plan::prepare(config.publish.as_ref())?.make_directory()?;
    let mut storage = [MaybeUninit::uninit(), MaybeUninit::uninit()];
    let options = ProbeOptions {
        ring_size: config.ring_size,
        filters: &config.filters,
        sums_left_out: config.reconcile && config.filters.are_in_kernel(),
    };
    let mut probe = Probe::attach(&mut storage, config.attach, &options)?;
    let left_out: Box<dyn LeftOutSums> = match options.sums_left_out {
        true => Box::new(probe.left_out()?),
        false => Box::new(()),
    };
    let attached = probe.attached.name();
    let scan = config.owners.then(ScanProgram::load);
    let census = may_have_census(config).then(|| CensusProgram::load(&config.filters));
    let written = presentation.written_directories();
    let places = config.owners.then(Places::open);
    let lacking = confine(
        config,
        &written,
        census.is_some(),
        &network,
        &fleet,
        places.as_ref(),
    )?;
    let names = places.map(name_finder).transpose()?;

    manager.status("preparing plugins");
    let stop = signals.start().context("cannot listen for signals")?;
    let shared = SharedStats::default();
    let compiler = Compiler::Helper(Arc::new(helper));
    let host = this_host(attached, clock);
    let run = RunInfo::default();
    run.set(Run {
        source: EventSource::Live,
        host: Some(host.name.clone()),
        kernel: Some(host.kernel.clone()),
    });
    let is_verbose = config.chain.verbosity >= Verbosity::Normal;
    let listening = listen::start(
        server,
        &mut network,
        &shared,
        &stop,
        is_verbose,
        pages::pages,
    );
    let mut outputs = presentation.outputs();
    outputs.receivers = Some(network.receivers());
    outputs.manager = manager.clone();
    outputs.without_census = config.census.is_none();
    outputs.beside.extend(network.start()?);
    outputs.queues.extend(listening.queue()?);
    let prepared = pipeline::prepare_with(
        &config.chain,
        compiler,
        handlers,
        &stop,
        &shared,
        &run,
        outputs,
    )?;
    let Some(chain) = prepared else {
        return Ok(());
    };
    let chain = chain.measure_latency(clock);
    let chain = match Heartbeat::new(&manager, &shared) {
        Some(mut heartbeat) => chain.after_items(move || heartbeat.beat()),
        None => chain,
    };
    let interval = match (config.census, chain.asks_for_census()) {
        (None, true) => Some(CENSUS_INTERVAL),
        (interval, _) => interval,
    };
    // Without an interval, the memory of the census is freed here.
    let census = census.zip(interval);
    let published = fleet.start(Some(&host), AgentClock::Live(clock))?;
    if published.is_some() {
        stop.stdout_status().set_other_output();
    }
    let shown = presentation.observers(&Stream {
        host: Some(&host),
        has_census: census.is_some(),
        progress: None,
    });
    let watched = listening.observer(true, Some(&host));
    let mut observers = match recording::begin(
        config.record.as_ref(),
        Some(host),
        census.is_some(),
        stop.stdout_status(),
    ) {
        // The reader closed the pipe before the first byte, as in `--record - | true`.
        Err(error) if error.is_broken_pipe() && stop.stdout_status().is_pipe() => return Ok(()),
        begun => begun?,
    };
    observers.extend(published);
    observers.extend(shown);
    observers.extend(watched);
    observers.push(Box::new(EndNotice(manager.clone())));
    let owners = owners(scan, clock);
    let census = census.and_then(|(program, interval)| begin_census(program, interval, clock));
    probe.begin_to_record();
    listening.begin();
    let processing = Processing {
        clock,
        owners,
        names,
        show_queued: config.show_queued,
        // Reads the counters after the probe began to record, and before the message about that: segments that are
        // retransmitted after the message are compared.
        reconciliation: comparison.map(|(reports_failed, members)| {
            Reconciliation::begin(clock, reports_failed, Box::new(members), left_out)
        }),
        census,
        observers,
        owner_filter: config.filters.common.owner.clone(),
        count: config.chain.count,
        publisher: Publisher::new(shared),
    };
    let verbosity = config.chain.verbosity;
    let line = attached_line(config, attached, &lacking);
    presentation.begin(&format!("{line}; Ctrl-C ends"), verbosity, &stop)?;
    manager.ready(&line);
    if let Some(duration) = config.chain.duration {
        stop.end_after(duration)
            .context("cannot measure --duration")?;
    }
    let source = |channel: &_| Ok(probe.run(processing, channel, &stop)?);
    let ended = pipeline::run(chain, &stop, config.backlog, source);
    let shown = presentation.end();
    let ended = ended?;
    shown?;
    let Some(ended) = ended else {
        return Ok(());
    };
    if presentation.prints_ledger(verbosity) {
        ended.print_ledger();
    }
    // --reconcile is an explicit request: --quiet does not suppress its report.
    if let Some(report) = &ended.stats.reconciliation {
        stdio::print(&report.to_string());
    }
    let recorded = ended.stats.recorded.clone();
    ended.result()?;
    recording::result(recorded, stop.stdout_status())
}

/// The interval of a census that a plugin asks for and the user does not.
const CENSUS_INTERVAL: Duration = Duration::from_secs(10);

/// Returns whether the programs of the census may be needed. What plugins ask for is known only when they are loaded,
/// without privileges.
fn may_have_census(config: &Watch) -> bool {
    config.census.is_some() || config.chain.plugins.iter().any(plugin::may_import_census)
}

/// Begins the census. If that fails, there is none, and all else works.
fn begin_census(
    program: Result<CensusProgram, CensusError>,
    interval: Duration,
    clock: Clock,
) -> Option<CensusTaker> {
    let begun = program.and_then(|program| CensusTaker::start(program, interval, clock));
    begun
        .inspect_err(|error| tracing::warn!("{error}; there is no census"))
        .ok()
}

fn attached_line(config: &Watch, attached: &str, lacking: &[Lacking]) -> String {
    let ring = bytesize::ByteSize(config.ring_size.into());
    let plugins = config.chain.plugins.iter();
    let lacking = lacking
        .iter()
        .map(|lacking| format!(", {}", lacking.short()));
    let lacking: String = lacking.collect();
    let names: Vec<_> = plugins.map(|plugin| plugin.name.as_str()).collect();
    format!(
        "watching TCP retransmits ({attached}, ring {ring}{}{lacking}) with {}",
        config.filters,
        names.join(", "),
    )
}

/// Returns what `--reconcile` needs: whether failed attempts are events, and the list of processes. It is an explicit
/// request: if it cannot be fulfilled, the host does not start.
fn prepare_comparison() -> Result<(bool, MemberList)> {
    let features = preflight::kernel_features()?;
    let members = MemberList::load().context("cannot compare with --reconcile")?;
    Ok((features.failed_attempts, members))
}

/// Starts the search for owners, if it is wanted. If that fails, owners are unknown and all else works: they are not
/// essential.
fn owners(scan: Option<Result<ScanProgram, ScanError>>, clock: Clock) -> Owners {
    let Some(scan) = scan else {
        return Owners::unknown(clock);
    };
    if Facts::gather().is_ok_and(|facts| !facts.sees_all_processes()) {
        tracing::warn!(
            "this process is in a PID namespace, as in a container: sockets of processes outside of it \
             have the owner unknown; run it in the machine's initial PID namespace (docker run \
             --pid=host), or with --no-owners"
        );
    }
    let scanning = scan.and_then(|program| Owners::scanning(program, clock));
    scanning.unwrap_or_else(|error| {
        tracing::warn!("{error}; all owners are unknown (--no-owners turns the search off)");
        Owners::unknown(clock)
    })
}

/// Starts the search for names of containers, which keeps the right to read files of other users. This thread, which
/// has had it for that, gives it up.
fn name_finder(places: Places) -> Result<NameFinder> {
    let finder = NameFinder::start(places);
    let finder = finder.context("cannot start the thread that reads names of containers")?;
    privileges::give_up(CapabilitySet::DAC_READ_SEARCH)?;
    Ok(finder)
}

/// The description of this machine in a capture.
fn this_host(attached: &str, clock: Clock) -> capture::Host {
    let now = clock.now();
    capture::Host {
        name: procfs::of_kernel("hostname"),
        kernel: procfs::of_kernel("osrelease"),
        booted: timestamp::show(now.wall_at(Duration::ZERO), 3),
        boot_id: procfs::of_kernel("random/boot_id"),
        attached: attached.to_owned(),
    }
}
