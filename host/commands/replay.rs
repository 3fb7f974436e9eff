//! The command `replay`: passes recorded events to the chain, and to another capture if that was requested.

use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;

use super::listen;
use super::presentation::Lines;
use super::presentation::Presentation;
use super::presentation::Stream;
use super::recording;
use crate::config::Replay;
use crate::config::Verbosity;
use crate::fleet;
use crate::fleet::AgentClock;
use crate::metrics::pages;
use crate::network;
use crate::pipeline;
use crate::pipeline::channel::REPLAY_BACKLOG;
use crate::plugin::Compiler;
use crate::plugin::run::EventSource;
use crate::plugin::run::Run;
use crate::plugin::run::RunInfo;
use crate::source::replay;
use crate::source::replay::Input;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::stats::counters::ReplayStats;
use crate::system::progress;
use crate::system::stdio::print_status;

/// Replays what was recorded, until its end, `--count`, `--duration` or a signal.
pub fn replay(config: &Replay) -> Result<()> {
    replay_with(config, &mut Lines)
}

/// Like [`replay`], shown by `presentation`.
pub fn replay_with(config: &Replay, presentation: &mut impl Presentation) -> Result<()> {
    recording::refuse_inputs(config)?;
    let server = listen::bind(config.listen)?;
    let (signals, handlers) = presentation.signals()?;
    let stop = signals.start().context("cannot listen for signals")?;
    let shared = SharedStats::default();
    let compiler = Compiler::this_program();
    let run = RunInfo::default();
    let mut network = network::Plan::prepare(&config.chain)?;
    let fleet = fleet::Plan::prepare(config.publish.as_ref())?.make_directory()?;
    let verbosity = config.chain.verbosity;
    let is_verbose = verbosity >= Verbosity::Normal;
    let listening = listen::start(
        server,
        &mut network,
        &shared,
        &stop,
        is_verbose,
        pages::pages,
    );
    let mut outputs = presentation.outputs();
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
    if let Some(duration) = config.chain.duration {
        stop.end_after(duration)
            .context("cannot measure --duration")?;
    }
    let progress = presentation.progress(verbosity);
    let begun = Instant::now();
    let source = |channel: &_| {
        let inputs = match replay::open(&config.inputs, fleet::observe, &stop, &progress)? {
            Some(inputs) => inputs,
            // The run ends before anything was read. The ledger counts no event, and no capture is begun.
            None => return Ok(Stats::of_replay(ReplayStats::default())),
        };
        progress::show_percentage(&progress);
        if config.record.is_some() && !replay::are_of_one_boot(&inputs) {
            tracing::warn!(
                "the new capture has events of several boots, or of unknown ones: a replay of it with --speed \
                 will wait for the time between them"
            );
        }
        let host = inputs.iter().find_map(Input::host).cloned();
        run.set(Run {
            source: EventSource::Replay,
            host: host.as_ref().map(|host| host.name.clone()),
            kernel: host.as_ref().map(|host| host.kernel.clone()),
        });
        let has_census = inputs.iter().any(Input::may_have_census);
        let record = config.record.as_ref();
        let shown = presentation.observers(&Stream {
            host: host.as_ref(),
            has_census,
            progress: Some(&progress),
        });
        let published = fleet.start(host.as_ref(), AgentClock::Stream)?;
        if published.is_some() {
            stop.stdout_status().set_other_output();
        }
        let watched = listening.observer(false, host.as_ref());
        let mut observers = recording::begin(record, host, has_census, stop.stdout_status())?;
        observers.extend(published);
        observers.extend(shown);
        observers.extend(watched);
        listening.begin();
        presentation.begin("", verbosity, &stop)?;
        let stats = replay::run(config, inputs, observers, channel, &stop, &shared);
        progress.finish_and_clear();
        if let Err(error) = &stats {
            presentation.failed(error);
        }
        presentation.hold(&stop);
        Ok(stats?)
    };
    let ended = pipeline::run(chain, &stop, REPLAY_BACKLOG, source);
    let shown = presentation.end();
    let ended = match ended {
        // The reader closed the pipe before the first byte, as in `--record - | true`.
        Err(error) if recording::has_no_reader(&error, stop.stdout_status()) => return Ok(()),
        ended => ended?,
    };
    shown?;
    let Some(ended) = ended else {
        return Ok(());
    };
    if presentation.prints_ledger(verbosity) {
        ended.print_ledger();
        let seconds = begun.elapsed().as_secs_f64();
        let events = ended.stats.delivered();
        let rate = events as f64 / seconds;
        print_status(&format!(
            "replayed {events} events in {seconds:.2} s ({rate:.0} events/s)"
        ));
    }
    let not_published = ended.stats.published.as_ref().map_or(0, |all| all.dropped);
    let recorded = ended.stats.recorded.clone();
    ended.result()?;
    recording::result_of_replay(recorded, stop.stdout_status())?;
    ensure!(
        not_published == 0,
        "{not_published} events were not published"
    );
    Ok(())
}
