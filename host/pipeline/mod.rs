//! A run: starts plugins and sinks, runs the chain in a thread of its own while a source sends it items, and returns
//! the statistics at the end.

pub mod channel;
pub mod hangups;
pub mod heartbeat;
pub mod reconfigure;
pub mod reload;
pub mod running;
pub mod stop;

use std::sync::Arc;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::bounded;
use rustix::thread::CapabilitySet;

use crate::chain::Chain;
use crate::chain::ChainError;
use crate::config::ChainConfig;
use crate::config::SinkConfig;
use crate::config::Verbosity;
use crate::network::Receivers;
use crate::pipeline::channel::Channel;
use crate::pipeline::channel::MAX_RECYCLED;
use crate::pipeline::hangups::Hangups;
use crate::pipeline::reconfigure::Can;
use crate::pipeline::reconfigure::Reconfigurer;
use crate::pipeline::reload::Reloader;
use crate::pipeline::stop::POLL_INTERVAL;
use crate::pipeline::stop::Stop;
use crate::plugin;
use crate::plugin::Compiler;
use crate::plugin::Engine;
use crate::plugin::Plugin;
use crate::plugin::Spec;
use crate::plugin::StartError;
use crate::plugin::THREAD_STACK;
use crate::plugin::run::RunInfo;
use crate::plugin::worker::confinement;
use crate::sink::Sink;
use crate::sink::alerts_file::AlertsFile;
use crate::sink::fan_out::FanOut;
use crate::sink::queue::Queue;
use crate::sink::stdout::StdSink;
use crate::stats::Requests;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::stream::batch::MAX_EVENTS;
use crate::system::privileges;
use crate::system::service_manager::ServiceManager;
use crate::system::stdio;
use crate::system::stdio::StdoutStatus;
use crate::system::stdio::print_status;
use crate::system::threads;

/// The sinks of a run.
pub type Sinks = FanOut<Box<dyn Sink + Send>>;

/// Handlers of signals that would otherwise end the process. They are registered before anything that takes time.
pub struct Handlers {
    hangups: Hangups,
    requests: Requests,
}

impl Handlers {
    /// Registers a handler of SIGUSR1: SIGHUP ends the run.
    pub fn listen_on_terminal() -> Result<Handlers> {
        Ok(Handlers {
            hangups: Hangups::none().context("cannot start without SIGHUP")?,
            requests: Requests::listen().context("cannot listen for SIGUSR1")?,
        })
    }

    /// Registers handlers of SIGHUP and SIGUSR1.
    pub fn listen() -> Result<Handlers> {
        Ok(Handlers {
            hangups: Hangups::listen().context("cannot listen for SIGHUP")?,
            requests: Requests::listen().context("cannot listen for SIGUSR1")?,
        })
    }
}

/// Starts sinks and plugins, which `compiler` compiles, and which are told of this `run`. `None`: a signal arrived before
/// all plugins were ready.
pub fn prepare(
    config: &ChainConfig,
    compiler: Compiler,
    handlers: Handlers,
    stop: &Stop,
    shared: &SharedStats,
    run: &RunInfo,
) -> Result<Option<Chain<Sinks>>> {
    let outputs = Outputs::default();
    prepare_with(config, compiler, handlers, stop, shared, run, outputs)
}

/// Outputs of a command that are not configured.
#[derive(Default)]
pub struct Outputs {
    /// A sink in the place of that of the standard streams.
    pub direct: Option<Box<dyn Sink + Send>>,
    /// Queues beside those of the configured sinks.
    pub queues: Vec<Queue>,
    /// Sinks that are called in the chain's thread and never wait.
    pub beside: Vec<Box<dyn Sink + Send>>,
    /// What changes those over the network when the configuration is read again. `None`: they stay.
    pub receivers: Option<Receivers>,
    /// Told when the configuration and the plugins are read again.
    pub manager: ServiceManager,
    /// Whether the run has no census unless a plugin asks for one at the start.
    pub without_census: bool,
}

/// Like [`prepare`], with these outputs.
pub fn prepare_with(
    config: &ChainConfig,
    compiler: Compiler,
    handlers: Handlers,
    stop: &Stop,
    shared: &SharedStats,
    run: &RunInfo,
    mut outputs: Outputs,
) -> Result<Option<Chain<Sinks>>> {
    let receivers = outputs.receivers.take();
    let manager = outputs.manager.clone();
    let without_census = outputs.without_census;
    let hangups = handlers.hangups;
    let started = start(
        config,
        compiler,
        handlers.requests,
        stop,
        shared,
        run,
        outputs,
    )?;
    let Some(Started {
        engine,
        plugins,
        sinks,
    }) = started
    else {
        return Ok(None);
    };
    let (reloader, changes) = Reloader::new(engine, &plugins);
    let any = |has: fn(&Plugin) -> bool| plugins.iter().any(has);
    let can_have_census = !without_census || any(|plugin| plugin.prepared.asks_for_census());
    let mut reloader = reloader.tell(manager).refuse_census_unless(can_have_census);
    if let Some(reread) = config.reread.clone() {
        let can = Can {
            have_census: can_have_census,
            read_files: any(|plugin| !plugin.prepared.spec().grants.read.is_empty()),
        };
        reloader = reloader.reconfigure_by(Reconfigurer::new(reread, can, receivers));
    }
    let end = stop.end_handle().context("cannot listen for a hang-up")?;
    reloader.spawn(config.watch_files, hangups, sinks.reopens(), end)?;
    // Only now: a reader of these lines may replace a file or send SIGHUP, and both are noticed from here on.
    name_plugins(&plugins, config.verbosity);
    let chain = Chain::new(plugins, sinks).change_by(changes);
    Ok(Some(chain.publish_to(shared.clone())))
}

/// Plugins and sinks for chains that the caller makes. `None`: a signal arrived before all plugins were ready. At SIGHUP,
/// sinks open their files again; plugins stay.
#[cfg(feature = "fleet")]
pub fn prepare_plugins(
    config: &ChainConfig,
    handlers: Handlers,
    stop: &Stop,
    shared: &SharedStats,
    run: &RunInfo,
    outputs: Outputs,
) -> Result<Option<(Vec<Plugin>, Sinks)>> {
    let compiler = Compiler::this_program();
    let hangups = handlers.hangups;
    let requests = handlers.requests;
    let started = start(config, compiler, requests, stop, shared, run, outputs)?;
    let Some(Started {
        engine,
        plugins,
        sinks,
    }) = started
    else {
        return Ok(None);
    };
    let (reloader, _) = Reloader::new(engine, &[]);
    let end = stop.end_handle().context("cannot listen for a hang-up")?;
    reloader.spawn(false, hangups, sinks.reopens(), end)?;
    name_plugins(&plugins, config.verbosity);
    Ok(Some((plugins, sinks)))
}

/// What a run begins with.
struct Started {
    engine: Engine,
    plugins: Vec<Plugin>,
    sinks: Sinks,
}

/// Starts sinks and plugins.
fn start(
    config: &ChainConfig,
    compiler: Compiler,
    requests: Requests,
    stop: &Stop,
    shared: &SharedStats,
    run: &RunInfo,
    outputs: Outputs,
) -> Result<Option<Started>> {
    shared
        .print_on_request(requests, stop.stdout_status().clone(), config.stats_every)
        .context("cannot listen for SIGUSR1")?;
    let sinks = start_sinks(config, stop.stdout_status(), outputs)?;
    confinement::check(config.plugins.len())?;
    let mut engine =
        Engine::new(compiler).map_err(|error| anyhow!("cannot start wasmtime: {error}"))?;
    engine.run = run.clone();
    engine.show_compiling = config.verbosity >= Verbosity::Normal;
    let Some(plugins) = start_plugins(&engine, &config.plugins, stop)? else {
        return Ok(None);
    };
    // From now on standard error has the lines of the run.
    engine.show_compiling = false;
    Ok(Some(Started {
        engine,
        plugins,
        sinks,
    }))
}

/// Logs which files the plugins are, and which files they have read.
fn name_plugins(plugins: &[Plugin], verbosity: Verbosity) {
    if verbosity >= Verbosity::Normal {
        for plugin in plugins {
            let (spec, identity) = (plugin.prepared.spec(), plugin.prepared.identity());
            if let plugin::Origin::File(path) = &spec.origin {
                let path = path.display();
                print_status(&format!("plugin {}: {path} {identity}", spec.name));
            }
        }
    }
    plugins.iter().for_each(Plugin::log_files);
}

/// Starts the sink of the standard streams, and the sinks behind queues. Each kind of sink has a line in the `match`.
fn start_sinks(
    config: &ChainConfig,
    stdout_status: &Arc<StdoutStatus>,
    outputs: Outputs,
) -> Result<Sinks> {
    let Outputs {
        direct,
        mut queues,
        beside,
        receivers: _,
        manager: _,
        without_census: _,
    } = outputs;
    if !beside.is_empty() {
        stdout_status.set_other_output();
    }
    for sink in &config.sinks {
        let queue = match sink {
            SinkConfig::AlertsFile(path) => Queue::start(AlertsFile::open(path)?),
        };
        queues.push(queue.context("cannot start the thread of a sink")?);
        // The run goes on without a reader of standard output.
        stdout_status.set_other_output();
    }
    let direct = match direct {
        Some(direct) => direct,
        None => {
            let output = StdSink::new(stdout_status.clone(), config.lines, config.json_alerts);
            Box::new(output.context("cannot use standard output")?)
        }
    };
    Ok(FanOut::new(direct, beside, queues))
}

/// Starts the plugins, in a thread with the stack size that plugins may use. `None`: a signal arrived first. The thread
/// and a compiler that it may be waiting for then end with the process.
fn start_plugins(engine: &Engine, specs: &[Spec], stop: &Stop) -> Result<Option<Vec<Plugin>>> {
    let (done, started) = bounded(1);
    let (engine, specs) = (engine.clone(), specs.to_vec());
    let start = move || {
        let plugins = specs.iter().map(|spec| Plugin::start(&engine, spec));
        let plugins: Result<Vec<Plugin>, StartError> = plugins.collect();
        // It fails if a signal arrived, which dropped the receiver.
        let _ = done.send(plugins);
    };
    threads::named("start")
        .stack_size(THREAD_STACK)
        .keeping(privileges::of_files())
        .spawn(start)
        .context("cannot run the thread that starts plugins")?;
    loop {
        match started.recv_timeout(POLL_INTERVAL) {
            Ok(plugins) => return Ok(Some(plugins?)),
            Err(RecvTimeoutError::Timeout) if stop.is_ending() => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the thread that starts plugins panicked"),
        }
    }
}

/// Runs the chain in a thread of its own and `source` in this one, until both have ended. `None`: standard output was
/// closed; exit quietly. `backlog` is the number of events that wait for the chain at most, in full batches; beyond it,
/// sending blocks.
pub fn run(
    chain: Chain<Sinks>,
    stop: &Stop,
    backlog: usize,
    source: impl FnOnce(&Channel) -> Result<Stats>,
) -> Result<Option<Ended>> {
    let (items, received) = bounded(backlog.div_ceil(MAX_EVENTS));
    let (used, recycled) = bounded(MAX_RECYCLED);
    let end = stop
        .stop_on_drop()
        .context("cannot listen for the chain's end")?;
    let chain = threads::named("chain")
        .stack_size(THREAD_STACK)
        .keeping(match chain.reads_files() {
            true => privileges::of_files(),
            false => CapabilitySet::empty(),
        })
        .spawn(move || chain.run(&received, &used, end))
        .context("cannot start the chain's thread")?;
    // Sending blocks: a slow plugin makes the ring fill, where losses are counted.
    let channel = Channel { items, recycled };
    let stats = source(&channel);
    drop(channel);
    let (chain, result) = chain
        .join()
        .map_err(|_| anyhow!("the chain's thread panicked"))?;

    // A closed pipe, as with `| head -1`, is a quiet end, whether a write failed or the source noticed it first. It is
    // not after Ctrl-C, which ends the reader of the pipe as well: the ledger is printed then.
    let stdout_status = stop.stdout_status();
    let is_broken = matches!(&result, Err(error) if error.is_broken_pipe());
    let is_closed = is_broken || result.is_ok() && stdout_status.is_closed();
    let is_quiet_end = is_closed && stdout_status.ends_run_when_closed();
    if is_quiet_end && !stop.is_ending() {
        return Ok(None);
    }
    let stats = Stats {
        chain,
        not_printed: stdout_status.not_printed(),
        ..stats?
    };
    let error = result.err().filter(|_| !is_quiet_end);
    Ok(Some(Ended { stats, error }))
}

/// The outcome of a run.
pub struct Ended {
    /// The final statistics.
    pub stats: Stats,
    /// The error that ended the chain before the end of the stream.
    error: Option<ChainError>,
}

impl Ended {
    /// Returns the error that ended the chain, if there is one.
    pub fn result(self) -> Result<()> {
        self.error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Prints the ledger to standard error.
    pub fn print_ledger(&self) {
        stdio::print(&self.stats.final_ledger());
    }
}
