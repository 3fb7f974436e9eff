//! The chain's side of a run: plugins are made ready, and work in a thread of their own.

pub mod channel;
pub mod reload;
pub mod stop;

use std::thread;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use crossbeam_channel::RecvTimeoutError;
use crossbeam_channel::bounded;

use crate::capture::Summary;
use crate::chain::Chain;
use crate::chain::ChainError;
use crate::chain::Report;
use crate::config;
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
use crate::sink::stdout::Output;
use crate::stats::Board;
use crate::stats::Stats;
use crate::stats::ledger::Ledger;
use crate::stats::ledger::Origin;
use crate::stats::ledger::UNBALANCED;
use crate::system::stdio;
use crate::system::stdio::print_status;

/// Batches that may be on their way: 4,096 events, beyond which the kernel's ring is the buffer.
const CHANNEL_BATCHES: usize = 16;

/// Plugins that are ready, in their order. `None`: a signal came before they were.
pub fn prepare(
    config: &config::Chain,
    stop: &Stop,
    board: &Board,
) -> Result<Option<Chain<Output>>> {
    board
        .print_on_request(stop.outlet().clone(), config.stats_every)
        .context("cannot listen for SIGUSR1")?;
    // Plugins may take seconds to compile, and SIGHUP is no reason to end meanwhile.
    let hangups = Hangups::notice().context("cannot listen for SIGHUP")?;
    confinement::check(config.plugins.len())?;
    let engine = Engine::new().map_err(|error| anyhow!("cannot start wasmtime: {error}"))?;
    let Some(plugins) = start(&engine, &config.plugins, stop)? else {
        return Ok(None);
    };
    let (reloader, reloads) = Reloader::new(engine, &plugins);
    let end = stop.as_signal().context("cannot listen for a hang-up")?;
    reloader.spawn(config.watch_files, hangups, end)?;
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
    let sink = Output::new(stop.outlet().clone(), config.lines, config.json_alerts);
    let sink = sink.context("cannot use standard output")?;
    let chain = Chain::new(plugins, sink).reload_from(reloads);
    Ok(Some(chain.publish_to(board.clone())))
}

/// In a thread that has the stack that plugins may ask for. `None`: a signal came first. The thread, and
/// the compiler that it may wait for, then end with the process.
fn start(engine: &Engine, specs: &[Spec], stop: &Stop) -> Result<Option<Vec<Plugin>>> {
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

/// Runs the chain in a thread while `source` feeds it; what both have counted. `None`: the reader of
/// standard output has gone, and that is no error.
pub fn conduct<B>(
    chain: Chain<Output>,
    stop: &Stop,
    source: impl FnOnce(&Channel) -> Result<B>,
) -> Result<Option<(Ended, B)>> {
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
    let books = source(&channel);
    drop(channel);
    let (report, result) = chain
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
    let error = result.err().filter(|_| !unread);
    let not_printed = outlet.not_printed();
    let ended = Ended {
        report,
        error,
        not_printed,
    };
    Ok(Some((ended, books?)))
}

/// A chain that has come to its end.
pub struct Ended {
    /// What it did.
    report: Report,
    /// Why it ended before the stream did, if so.
    error: Option<ChainError>,
    /// Lines that could not be printed.
    not_printed: u64,
}

impl Ended {
    /// Did it end well?
    pub fn result(self) -> Result<()> {
        self.error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Prints the ledger: what every stage has counted, from the source to the recording.
    pub fn tell(&self, origin: Origin, recorded: Option<Summary>) {
        let plugins = self.report.plugins.clone();
        let balances = Ledger { origin, plugins }.balances();
        let stats = Stats {
            origin: Some(origin),
            chain: self.report.clone(),
            recorded,
            not_printed: self.not_printed,
        };
        match balances {
            true => stdio::print(&stats.to_string()),
            false => stdio::print(&format!("{stats}{UNBALANCED}\n")),
        }
    }
}
