//! The chain's side of a run: plugins are made ready, and work in a thread of their own.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::IsTerminal as _;
use std::io::Write;
use std::thread;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use crossbeam_channel::bounded;

use super::say;
use crate::alert::Alert;
use crate::chain::Chain;
use crate::chain::ChainError;
use crate::chain::Report;
use crate::chain::Sink;
use crate::config;
use crate::config::Verbosity;
use crate::ledger::Ledger;
use crate::ledger::Origin;
use crate::plugin;
use crate::plugin::Engine;
use crate::plugin::Plugin;
use crate::plugin::Spec;
use crate::plugin::StartError;
use crate::plugin::THREAD_STACK;
use crate::plugin::confinement;
use crate::reload::Hangups;
use crate::reload::Reloader;
use crate::sink::alerts;
use crate::sink::stdout::stdout;
use crate::source::stream::Channel;
use crate::stop::Stop;
use crate::stop::stdout_is_closed;
use crate::terminal;
use crate::text::clean_lines;

/// Batches that may be on their way: 4,096 events, beyond which the kernel's ring is the buffer.
const CHANNEL_BATCHES: usize = 16;

/// Plugins that are ready, in their order.
pub fn prepare(config: &config::Chain, stop: &Stop) -> Result<Chain<Output>> {
    // Plugins may take seconds to compile, and SIGHUP is no reason to end meanwhile.
    let hangups = Hangups::notice().context("cannot listen for SIGHUP")?;
    confinement::check(config.plugins.len())?;
    let engine = Engine::new().map_err(|error| anyhow!("cannot start wasmtime: {error}"))?;
    let plugins = start(&engine, &config.plugins)?;
    let (reloader, reloads) = Reloader::new(engine, &plugins);
    let end = stop.on_drop().context("cannot listen for a hang-up")?;
    reloader.spawn(config.watch_files, hangups, end)?;
    // Who reads it may replace a file, or send the signal.
    if config.verbosity >= Verbosity::Normal {
        for plugin in &plugins {
            let (spec, digest) = (plugin.prepared.spec(), plugin.prepared.digest());
            if let plugin::Origin::File(path) = &spec.origin {
                let path = path.display();
                say(&format!("plugin {}: {path} sha256={digest}", spec.name));
            }
        }
    }
    let sink = Output {
        stdout: stdout().context("cannot use standard output")?,
        is_terminal: io::stdout().is_terminal(),
        json_alerts: config.json_alerts,
    };
    Ok(Chain::new(plugins, sink).reload_from(reloads))
}

/// In a thread that has the stack that plugins may ask for.
fn start(engine: &Engine, specs: &[Spec]) -> Result<Vec<Plugin>> {
    let started = thread::scope(|scope| {
        let start = || {
            specs
                .iter()
                .map(|spec| Plugin::start(engine, spec))
                .collect()
        };
        let started = thread::Builder::new()
            .name("start".to_owned())
            .stack_size(THREAD_STACK)
            .spawn_scoped(scope, start)?;
        let panicked = |_| io::Error::other("it panicked");
        started.join().map_err(panicked)
    });
    let started: Result<Vec<Plugin>, StartError> =
        started.context("cannot run the thread that starts plugins")?;
    Ok(started?)
}

/// Runs the chain in a thread while `source` feeds it; what both have counted. `None`: the reader of
/// standard output has gone, and nobody wants to know.
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
    let broken = matches!(&result, Err(error) if error.is_broken_pipe());
    let unread = broken || result.is_ok() && stdout_is_closed();
    if unread && !stop.by_signal() {
        return Ok(None);
    }
    let error = result.err().filter(|_| !broken);
    Ok(Some((Ended { report, error }, books?)))
}

/// A chain that has come to its end.
pub struct Ended {
    /// What it did.
    report: Report,
    /// Why it ended before the stream did, if so.
    error: Option<ChainError>,
}

impl Ended {
    /// Did it end well?
    pub fn result(self) -> Result<()> {
        self.error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Prints the books, and what plugins have counted for themselves.
    pub fn tell(&self, origin: Origin) {
        let Report {
            plugins,
            usage,
            counters,
        } = &self.report;
        let plugins = plugins.clone();
        let ledger = Ledger { origin, plugins };
        let mut stderr = io::stderr().lock();
        // Where standard error is closed, nobody is there to be told.
        let _ = write!(stderr, "{ledger}");
        for usage in usage {
            let _ = write!(stderr, "{usage}");
        }
        for ((plugin, counter), count) in counters {
            let _ = writeln!(stderr, "ledger: counter {plugin} {counter}={count}");
        }
    }
}

/// Standard output for lines, standard error for alerts.
pub struct Output {
    stdout: BufWriter<File>,
    /// Into a pipe or a file goes what plugins write; a terminal does what it is told.
    is_terminal: bool,
    json_alerts: bool,
}

impl Sink for Output {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        if !self.is_terminal {
            return self.stdout.write_all(lines);
        }
        let shown = clean_lines(&String::from_utf8_lossy(lines));
        self.stdout.write_all(shown.as_bytes())
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        let lines = alerts
            .iter()
            .map(|alert| format!("{}\n", alerts::line(alert)));
        // Where standard error is closed, nobody is there to be told.
        let _ = terminal::stderr().write_all(lines.collect::<String>().as_bytes());
        if self.json_alerts {
            alerts
                .iter()
                .try_for_each(|alert| alerts::write_json(alert, &mut self.stdout))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}
