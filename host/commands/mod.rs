//! What the command line asks for: one command a file, from its beginning to its end.

mod generate;
mod inspect;
mod progress;
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
use crate::config::Verbosity;
use crate::plugin::worker::compile;
use crate::plugin::worker::footprint;
use crate::system::privileges;
use crate::system::stdio;
use crate::system::stdio::Stdout;
pub use crate::system::stdio::print_status;

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

/// Standard output for a capture.
fn capture_output() -> io::Result<Stdout> {
    if io::stdout().is_terminal() {
        return Err(io::Error::other(
            "it is a terminal, which cannot show a capture; direct it into a file or a pipe",
        ));
    }
    Stdout::new()
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
