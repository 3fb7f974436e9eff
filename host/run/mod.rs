//! One run: what the command line asks for, from beginning to end.

mod bar;
mod chain;
mod generate;
mod inspect;
mod recording;
mod replay;
mod watch;

use std::io;
use std::io::IsTerminal as _;

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Config;
use crate::config::UsageError;
use crate::config::Verbosity;
use crate::plugin::StartError;
use crate::plugin::compile;
use crate::plugin::footprint;
use crate::plugin::settings::SettingsError;
use crate::privileges;
use crate::stdio;
use crate::stdio::Stdout;
use crate::text::clean_lines;

/// Does what the command line says, and returns when it is done.
pub fn run(config: &Config) -> Result<()> {
    log_to_stderr(config.verbosity());
    match config {
        Config::Watch(_) => {}
        Config::Replay(_) | Config::Generate(_) | Config::Inspect(_) => {
            privileges::drop_unless_root()?;
        }
        // They set limits first.
        Config::Compile { .. } | Config::Footprint(_) => {}
    }
    match config {
        Config::Watch(watch) => watch::watch(watch),
        Config::Replay(replay) => replay::replay(replay),
        Config::Generate(generate) => generate::generate(generate),
        Config::Inspect(files) => inspect::inspect(files),
        Config::Compile { seconds, bytes } => compile::run(*seconds, *bytes),
        Config::Footprint(limits) => footprint::child::run(*limits),
    }
}

/// Is this the fault of the command line?
pub fn is_usage(error: &anyhow::Error) -> bool {
    let refused =
        |error: &StartError| matches!(error, StartError::Settings(_, SettingsError::Refused(_)));
    let settings = error.downcast_ref().is_some_and(refused);
    settings || error.is::<UsageError>()
}

/// Standard output for a capture.
fn capture_output() -> io::Result<Stdout> {
    if io::stdout().is_terminal() {
        return Err(io::Error::other(
            "it is a terminal, which cannot show a capture; direct it into a file or a pipe",
        ));
    }
    Stdout::new()
}

/// Prints a line for people, or several. Names of files and arguments may be in it: it has no colours.
pub fn say(line: &str) {
    stdio::print(&format!("retrans-host: {}\n", clean_lines(line)));
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
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(stdio::stderr)
        .with_ansi(stdio::has_colours())
        .with_target(false)
        .log_internal_errors(false);
    // A second run in one process keeps the first one's log.
    let _ = tracing_subscriber::registry()
        .with(ours)
        .with(lines)
        .try_init();
}
