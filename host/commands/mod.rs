//! The commands, each in a file of its own.

mod capture_output;
mod check;
mod config;
mod confine;
#[cfg(feature = "fleet")]
mod consume;
mod demo;
mod export;
#[cfg(feature = "fleet")]
mod fleet;
mod generate;
mod inspect;
#[cfg_attr(not(feature = "network"), path = "listen_without.rs")]
mod listen;
mod manual;
mod plugin;
mod presentation;
mod recording;
mod replay;
mod report;
mod top;
mod watch;

use std::io;
use std::io::Write as _;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Config;
use crate::config::Top;
use crate::config::TopSource;
use crate::config::Verbosity;
use crate::plugin::Compiler;
use crate::plugin::Engine;
use crate::plugin::worker::compile;
use crate::plugin::worker::footprint;
use crate::plugin::worker::helper;
use crate::system::inherited;
use crate::system::privileges;
use crate::system::stdio;
use crate::system::stdio::Stdout;
use crate::system::stdio::StdoutStatus;
pub use crate::system::stdio::print_error;

/// An engine for a command that starts plugins in this process.
fn engine() -> Result<Engine> {
    let engine = Engine::new(Compiler::this_program());
    let mut engine = engine.map_err(|error| anyhow!("cannot start wasmtime: {error}"))?;
    engine.show_compiling = true;
    Ok(engine)
}

/// Runs the command, and returns when it is done.
pub fn run(config: &Config) -> Result<()> {
    inherited::end_at_exec();
    log_to_stderr(config.verbosity());
    match config {
        Config::Watch(_)
        | Config::Top(Top {
            source: TopSource::Live(_),
            ..
        })
        | Config::Check(_)
        | Config::Demo(_) => {}
        Config::Replay(_)
        | Config::Generate(_)
        | Config::Export(_)
        | Config::Inspect(_)
        | Config::Report(_)
        | Config::Top(Top {
            source: TopSource::Replay(_),
            ..
        })
        | Config::Plugin(_) => privileges::keep_files()?,
        #[cfg(feature = "fleet")]
        Config::Consume(_) | Config::Fleet(_) => privileges::keep_files()?,
        Config::CheckFile { .. } | Config::Print(_) | Config::WritePages { .. } => {
            privileges::keep_files()?;
        }
        // They confine themselves, after they have set their limits.
        Config::Compile { .. } | Config::Footprint(_) | Config::Helper => {}
    }
    match config {
        Config::Watch(watch) => watch::watch(watch),
        Config::Replay(replay) => replay::replay(replay),
        #[cfg(feature = "fleet")]
        Config::Consume(consume) => consume::consume(consume),
        #[cfg(feature = "fleet")]
        Config::Fleet(fleet) => fleet::fleet(fleet),
        Config::Generate(generate) => generate::generate(generate),
        Config::Export(config) => export::export(config),
        Config::Inspect(inspect) => inspect::inspect(inspect),
        Config::Report(report) => report::report(report),
        Config::Top(top) => top::top(top),
        Config::Check(check) => check::check(*check),
        Config::Demo(demo) => demo::demo(demo),
        Config::Plugin(plugin) => plugin::run(&plugin.command),
        Config::CheckFile { file, watch } => config::check(file, watch),
        Config::Print(text) => manual::print(text),
        Config::WritePages { directory, pages } => manual::write(directory, pages),
        Config::Compile { seconds, bytes } => compile::run(*seconds, *bytes),
        Config::Footprint(limits) => footprint::child::run(*limits),
        Config::Helper => helper::serve(),
    }
}

/// Sends log messages of plugins, of libbpf and of the host to standard error.
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
    let targets = Targets::new()
        .with_target("retrans_host", level)
        .with_target("retrans_deliver", level)
        .with_target("retrans_fleet", level)
        .with_target("plugin", level)
        .with_target("libbpf", libbpf);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(stdio::Log)
        .with_ansi(stdio::has_colours())
        .with_target(false)
        .log_internal_errors(false);
    let lines = match stdio::is_journal() {
        // The journal has the time of each line.
        true => lines.without_time().boxed(),
        false => lines.boxed(),
    };
    // It fails if this process has a subscriber already, as in tests: that one stays.
    let _ = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
}

/// Prints the result of a command to standard output. A pipe that its reader has closed is a quiet end.
fn print_result(text: &str) -> Result<()> {
    let mut stdout = Stdout::new().context("cannot use standard output")?;
    let printed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match printed {
        Err(error)
            if error.kind() == io::ErrorKind::BrokenPipe && StdoutStatus::new()?.is_pipe() =>
        {
            Ok(())
        }
        printed => printed.context("cannot write to standard output"),
    }
}
