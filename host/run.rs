//! One run: plugins are made ready, the probe is attached, and the two threads do their work.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::IsTerminal as _;
use std::io::Write;
use std::mem::MaybeUninit;
use std::thread;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use crossbeam_channel::bounded;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::alert::Alert;
use crate::chain::Chain;
use crate::chain::Report;
use crate::chain::Sink;
use crate::config::Config;
use crate::config::UsageError;
use crate::config::Verbosity;
use crate::ledger::Ledger;
use crate::plugin::Engine;
use crate::plugin::Limits;
use crate::plugin::Plugin;
use crate::plugin::StartError;
use crate::plugin::settings::SettingsError;
use crate::reconcile::Reconciliation;
use crate::sink::alerts;
use crate::sink::stdout::stdout;
use crate::source::owner::Owners;
use crate::source::preflight;
use crate::source::probe::Probe;
use crate::source::ring::Books;
use crate::source::ring::Processing;
use crate::source::stream::Channel;
use crate::stop::Stop;
use crate::stop::stdout_is_closed;

/// Batches that may be on their way: 4,096 events, beyond which the kernel's ring is the buffer.
const CHANNEL_BATCHES: usize = 16;

/// Does what the command line says, and returns when it is done.
pub fn run(config: &Config) -> Result<()> {
    log_to_stderr(config.verbosity);
    let stop = Stop::at_signals().context("cannot listen for signals")?;
    let engine = Engine::new().map_err(|error| anyhow!("cannot start wasmtime: {error}"))?;
    let plugins = config.plugins.iter().map(|plugin| {
        let limits = Limits::default();
        Plugin::start(
            &engine,
            &plugin.name,
            &plugin.origin,
            &plugin.settings,
            limits,
        )
    });
    let plugins = plugins.collect::<Result<Vec<Plugin>, StartError>>()?;
    let names: Vec<_> = config
        .plugins
        .iter()
        .map(|plugin| plugin.name.as_str())
        .collect();
    let sink = Output {
        stdout: stdout().context("cannot use standard output")?,
        json_alerts: config.json_alerts,
    };
    let chain = Chain::new(plugins, sink);

    let tells_errors = config.reconcile.then(preflight::tells_errors).transpose()?;
    let mut storage = [MaybeUninit::uninit(), MaybeUninit::uninit()];
    let probe = Probe::attach(&mut storage, config.attach, config.ring_size)?;
    let processing = Processing {
        owners: owners(config.owners),
        show_queued: config.show_queued,
        // From here on: the probe is attached, and nobody was told yet.
        reconciliation: tells_errors.map(Reconciliation::begin),
    };
    if config.verbosity >= Verbosity::Normal {
        let ring = bytesize::ByteSize(config.ring_size.into());
        say(&format!(
            "watching TCP retransmits ({}, ring {ring}) with {}; Ctrl-C ends",
            probe.attached.name(),
            names.join(", "),
        ));
    }

    let (items, received) = bounded(CHANNEL_BATCHES);
    let (used, recycled) = bounded(CHANNEL_BATCHES);
    let end = stop
        .on_drop()
        .context("cannot listen for the chain's end")?;
    let chain = thread::Builder::new()
        .name("chain".to_owned())
        .spawn(move || chain.run(&received, &used, end))
        .context("cannot start the chain's thread")?;
    // Sending blocks, so that a slow plugin fills the ring, where losses are counted.
    let channel = Channel { items, recycled };
    let books = probe.run(processing, &channel, &stop);
    drop(channel);
    let (report, result) = chain
        .join()
        .map_err(|_| anyhow!("the chain's thread panicked"))?;

    // As `| head -1` ends: silently, whether a write failed or the source saw it first. Not after
    // Ctrl-C, which ends the reader of a pipe as well: the ledger is then still wanted.
    let broken = matches!(&result, Err(error) if error.is_broken_pipe());
    let unread = broken || result.is_ok() && stdout_is_closed();
    if unread && !stop.by_signal() {
        return Ok(());
    }
    let books = books?;
    if config.verbosity >= Verbosity::Normal {
        tell(&report, &books);
    }
    // It was asked for: however quiet the rest is to be.
    if let Some(report) = &books.reconciled {
        let _ = write!(io::stderr().lock(), "{report}");
    }
    if broken {
        return Ok(());
    }
    Ok(result?)
}

/// Is this the fault of the command line?
pub fn is_usage(error: &anyhow::Error) -> bool {
    let refused =
        |error: &StartError| matches!(error, StartError::Settings(_, SettingsError::Refused(_)));
    let settings = error.downcast_ref().is_some_and(refused);
    settings || error.is::<UsageError>()
}

/// Says one line to the person in front of it.
pub fn say(line: &str) {
    // Where standard error is closed, nobody is there to be told.
    let _ = writeln!(anstream::stderr(), "retrans-host: {line}");
}

/// The owners of events are worth having, but no condition: without them the rest is still true.
fn owners(wanted: bool) -> Owners {
    if !wanted {
        return Owners::unknown();
    }
    Owners::scanning().unwrap_or_else(|error| {
        tracing::warn!("{error}; owners are unknown (--no-owners does without them)");
        Owners::unknown()
    })
}

fn tell(report: &Report, books: &Books) {
    let ledger = Ledger {
        kernel: books.kernel,
        source: books.source,
        owners: books.owners,
        plugins: report.plugins.clone(),
    };
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{ledger}");
    for ((plugin, counter), count) in &report.counters {
        let _ = writeln!(stderr, "ledger: counter {plugin} {counter}={count}");
    }
}

/// Plugins' log lines and our own warnings.
fn log_to_stderr(verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::WARN,
        Verbosity::Normal => LevelFilter::INFO,
        Verbosity::Debug | Verbosity::Trace => LevelFilter::DEBUG,
    };
    let libbpf = match verbosity {
        Verbosity::Trace => LevelFilter::DEBUG,
        _ => LevelFilter::OFF,
    };
    let ours = Targets::new()
        .with_target("retrans_host", level)
        .with_target("plugin", level)
        .with_target("libbpf", libbpf);
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .log_internal_errors(false);
    // A second run in one process keeps the first one's log.
    let _ = tracing_subscriber::registry()
        .with(ours)
        .with(lines)
        .try_init();
}

/// Standard output for lines, standard error for alerts.
struct Output {
    stdout: BufWriter<File>,
    json_alerts: bool,
}

impl Sink for Output {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.stdout.write_all(lines)
    }

    fn alert(&mut self, alert: &Alert) -> io::Result<()> {
        let _ = writeln!(anstream::stderr(), "{}", alerts::line(alert));
        if self.json_alerts {
            alerts::write_json(alert, &mut self.stdout)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}
