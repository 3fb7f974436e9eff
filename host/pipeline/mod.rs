//! A run: plugins and sinks are started, the chain works in a thread of its own while a source feeds it, and the
//! ledger accounts for all of it at the end.

pub mod channel;
pub mod reload;
pub mod stop;

use std::sync::Arc;
use std::thread;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::bounded;

use crate::chain::Chain;
use crate::chain::ChainError;
use crate::config::ChainConfig;
use crate::config::SinkConfig;
use crate::config::Verbosity;
use crate::pipeline::channel::Channel;
use crate::pipeline::reload::Hangups;
use crate::pipeline::reload::Reloader;
use crate::pipeline::stop::LOOK_INTERVAL;
use crate::pipeline::stop::Stop;
use crate::plugin;
use crate::plugin::Engine;
use crate::plugin::Plugin;
use crate::plugin::Spec;
use crate::plugin::StartError;
use crate::plugin::THREAD_STACK;
use crate::plugin::worker::confinement;
use crate::sink::alerts_file::AlertsFile;
use crate::sink::fan_out::FanOut;
use crate::sink::queue::Queue;
use crate::sink::stdout::Output;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::system::stdio;
use crate::system::stdio::Outlet;
use crate::system::stdio::print_status;

/// The sinks of a run.
pub type Sinks = FanOut<Output>;

/// Batches that may be on their way: 4,096 events, beyond which the kernel's ring is the buffer.
const CHANNEL_BATCHES: usize = 16;

/// Starts sinks and plugins. `None`: a signal came before all plugins were ready.
pub fn prepare(
    config: &ChainConfig,
    stop: &Stop,
    shared: &SharedStats,
) -> Result<Option<Chain<Sinks>>> {
    shared
        .print_on_request(stop.outlet().clone(), config.stats_every)
        .context("cannot listen for SIGUSR1")?;
    // Plugins may take seconds to compile, and SIGHUP is no reason to end meanwhile.
    let hangups = Hangups::notice().context("cannot listen for SIGHUP")?;
    let sinks = start_sinks(config, stop.outlet())?;
    confinement::check(config.plugins.len())?;
    let engine = Engine::new().map_err(|error| anyhow!("cannot start wasmtime: {error}"))?;
    let Some(plugins) = start_plugins(&engine, &config.plugins, stop)? else {
        return Ok(None);
    };
    let (reloader, reloads) = Reloader::new(engine, &plugins);
    let end = stop.as_signal().context("cannot listen for a hang-up")?;
    reloader.spawn(config.watch_files, hangups, sinks.reopens(), end)?;
    // Who reads it may replace a file, or send the signal.
    if config.verbosity >= Verbosity::Normal {
        for plugin in &plugins {
            let (spec, digest) = (plugin.prepared.spec(), plugin.prepared.digest());
            if let plugin::Origin::File(path) = &spec.origin {
                let path = path.display();
                print_status(&format!("plugin {}: {path} sha256={digest}", spec.name));
            }
        }
    }
    let chain = Chain::new(plugins, sinks).reload_from(reloads);
    Ok(Some(chain.publish_to(shared.clone())))
}

/// Standard output, and the sinks behind queues. A new sink is a line here.
fn start_sinks(config: &ChainConfig, outlet: &Arc<Outlet>) -> Result<Sinks> {
    let mut queues = Vec::new();
    for sink in &config.sinks {
        let queue = match sink {
            SinkConfig::AlertsFile(path) => Queue::start(AlertsFile::open(path)?),
        };
        queues.push(queue.context("cannot start the thread of a sink")?);
        // It has a purpose without a reader of standard output.
        outlet.set_other_work();
    }
    let output = Output::new(outlet.clone(), config.lines, config.json_alerts);
    Ok(FanOut::new(
        output.context("cannot use standard output")?,
        queues,
    ))
}

/// In a thread that has the stack that plugins may ask for. `None`: a signal came first. The thread, and
/// the compiler that it may wait for, then end with the process.
fn start_plugins(engine: &Engine, specs: &[Spec], stop: &Stop) -> Result<Option<Vec<Plugin>>> {
    let (done, started) = bounded(1);
    let (engine, specs) = (engine.clone(), specs.to_vec());
    let start = move || {
        let plugins = specs.iter().map(|spec| Plugin::start(&engine, spec));
        let plugins: Result<Vec<Plugin>, StartError> = plugins.collect();
        // It may not be waited for any more.
        let _ = done.send(plugins);
    };
    thread::Builder::new()
        .name("start".to_owned())
        .stack_size(THREAD_STACK)
        .spawn(start)
        .context("cannot run the thread that starts plugins")?;
    loop {
        match started.recv_timeout(LOOK_INTERVAL) {
            Ok(plugins) => return Ok(Some(plugins?)),
            Err(RecvTimeoutError::Timeout) if stop.is_ending() => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the thread that starts plugins panicked"),
        }
    }
}

/// Runs the chain in a thread while `source` feeds it, until both have ended. `None`: standard output was closed;
/// exit quietly.
pub fn run(
    chain: Chain<Sinks>,
    stop: &Stop,
    source: impl FnOnce(&Channel) -> Result<Stats>,
) -> Result<Option<Ended>> {
    let (items, received) = bounded(CHANNEL_BATCHES);
    let (used, recycled) = bounded(CHANNEL_BATCHES);
    let end = stop
        .on_drop()
        .context("cannot listen for the chain's end")?;
    let chain = thread::Builder::new()
        .name("chain".to_owned())
        .stack_size(THREAD_STACK)
        .spawn(move || chain.run(&received, &used, end))
        .context("cannot start the chain's thread")?;
    // Sending blocks, so that a slow plugin fills the ring, where losses are counted.
    let channel = Channel { items, recycled };
    let stats = source(&channel);
    drop(channel);
    let (chain, result) = chain
        .join()
        .map_err(|_| anyhow!("the chain's thread panicked"))?;

    // As `| head -1` ends: silently, whether a write failed or the source saw it first. Not after
    // Ctrl-C, which ends the reader of a pipe as well: the ledger is then still wanted.
    let outlet = stop.outlet();
    let broken = matches!(&result, Err(error) if error.is_broken_pipe());
    let unread = broken || result.is_ok() && outlet.has_lost_reader();
    let unread = unread && outlet.ends_with_reader();
    if unread && !stop.is_ending() {
        return Ok(None);
    }
    let stats = Stats {
        chain,
        not_printed: outlet.not_printed(),
        ..stats?
    };
    let error = result.err().filter(|_| !unread);
    Ok(Some(Ended { stats, error }))
}

/// A run that has come to its end.
pub struct Ended {
    /// What every stage has counted.
    pub stats: Stats,
    /// Why the chain ended before the stream did, if so.
    error: Option<ChainError>,
}

impl Ended {
    /// Did the chain end well?
    pub fn result(self) -> Result<()> {
        self.error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Prints the ledger.
    pub fn print_ledger(&self) {
        stdio::print(&self.stats.final_ledger());
    }
}
