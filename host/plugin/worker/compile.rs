//! Compilation in a process of its own.
//!
//! Cranelift can neither be interrupted nor be told how much memory it may take, and what it is fed
//! is somebody else's code. A process can be given limits by the kernel, and whatever becomes of it,
//! the host goes on, and so do the plugins that run meanwhile.

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::Signal;
use rustix::process::getrlimit;
use rustix::process::set_parent_process_death_signal;
use rustix::process::setrlimit;

use crate::plugin::load::engine;
use crate::plugin::load::sealed;
use crate::plugin::load::sealed::Sealed;
use crate::plugin::spec::limits;
use crate::plugin::spec::limits::Limits;
use crate::system::privileges;
use crate::system::sanitize::joined;
use crate::system::sanitize::one_line;

/// The hidden subcommand that compiles: `compile SECONDS BYTES`.
pub const SUBCOMMAND: &str = "compile";

/// Threads of the compiler: each has a stack, which counts as memory.
const THREADS: &str = "4";

/// The longest complaint of the compiler that is passed on, in bytes.
const MAX_COMPLAINT: u64 = 4096;

/// Why there is no compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Damaged, or with WebAssembly features that this host does not have.
    #[error("not a valid component: {0}")]
    Invalid(String),
    /// The compiler ended with an error, in its words: most often [`CompileError::Invalid`].
    #[error("{0}")]
    Failed(String),
    /// It took too long.
    #[error("its compilation takes too much CPU time: {}", limits::shown("compile-time", .0.as_nanos() as u64))]
    Time(Duration),
    /// Its result is a file in memory, and the limit on the size of a file is too low for it.
    #[error(
        "the compiled code is larger than a file may be here; raise the limit (ulimit -f, LimitFSIZE=)"
    )]
    FileSize,
    /// It crashed, most often for want of memory.
    #[error(
        "the compiler ended by {signal}, most often for want of memory: {}{said}",
        limits::shown("compile-memory", *.memory)
    )]
    Crashed {
        /// The signal's name.
        signal: String,
        /// Bytes.
        memory: u64,
        /// What it said last, after a colon.
        said: String,
    },
    /// The process could not be started, or not be talked to.
    #[error("cannot run the compiler: {0}")]
    Process(#[from] io::Error),
}

/// Has a process of this program compile a component, within limits.
pub(crate) fn in_process(
    program: &Path,
    component: &[u8],
    limits: &Limits,
) -> Result<Sealed, CompileError> {
    let compiled = sealed::memory()?;
    let seconds = limits.compile_time.as_secs().max(1);
    let mut child = Command::new(program)
        .arg(SUBCOMMAND)
        .arg(seconds.to_string())
        .arg(limits.compile_memory.to_string())
        // Nothing that this process was told is of use to that one.
        .env_clear()
        .env("RAYON_NUM_THREADS", THREADS)
        .stdin(Stdio::piped())
        .stdout(Stdio::from(compiled.try_clone()?))
        .stderr(Stdio::piped())
        // Ctrl-C is for the host, which ends this process when it ends.
        .process_group(0)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // It reads all before it says anything. Where it ended instead, its status says why.
        let _ = stdin.write_all(component);
    }
    let (status, said) = ended(&mut child)?;
    outcome(status, said, limits)?;
    Ok(Sealed::new(compiled)?)
}

/// Waits until a process of this program ends; how it did, and what it said on standard error.
pub(crate) fn ended(child: &mut Child) -> io::Result<(ExitStatus, String)> {
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        stderr.take(MAX_COMPLAINT).read_to_end(&mut said)?;
    }
    let said = String::from_utf8_lossy(&said);
    let words = said.strip_prefix("retrans-host: error: ").unwrap_or(&said);
    Ok((child.wait()?, joined(words)))
}

fn outcome(status: ExitStatus, said: String, limits: &Limits) -> Result<(), CompileError> {
    if status.success() {
        return Ok(());
    }
    let Some(signal) = status.signal() else {
        return Err(CompileError::Failed(match said.is_empty() {
            true => format!("the compiler ended with {status} and did not say why"),
            false => said,
        }));
    };
    if signal == Signal::XFSZ.as_raw() {
        return Err(CompileError::FileSize);
    }
    // The soft limit sends SIGXCPU; a process that ignores it gets SIGKILL a second later.
    if signal == Signal::XCPU.as_raw() {
        let seconds = limits.compile_time.as_secs().max(1);
        return Err(CompileError::Time(Duration::from_secs(seconds)));
    }
    Err(CompileError::Crashed {
        signal: signal_name(signal),
        memory: limits.compile_memory,
        said: match said.is_empty() {
            true => said,
            false => format!(": {said}"),
        },
    })
}

pub(crate) fn signal_name(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    name.map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// The process that compiles: standard input to standard output.
pub fn run(seconds: u64, bytes: u64) -> anyhow::Result<()> {
    limit_this_process(seconds, bytes)?;
    privileges::drop_all()?;
    let mut component = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut component)
        .context("cannot read the component")?;
    let compiled = here(&component).map_err(CompileError::Invalid)?;
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(&compiled)
        .and_then(|()| stdout.flush())
        .context("cannot write the compiled code")
}

/// Compiles without limits.
pub(crate) fn here(component: &[u8]) -> Result<Vec<u8>, String> {
    wasmtime::Engine::new(&engine::config())
        .and_then(|engine| engine.precompile_component(component))
        .map_err(|error| one_line(&error))
}

/// Limits of a process that works for the host: CPU time in seconds, and memory in bytes.
pub(crate) fn limit_this_process(seconds: u64, bytes: u64) -> anyhow::Result<()> {
    // When the host has ended, its result is of no use.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A crash leaves no core file either.
    limit(Resource::Core, "RLIMIT_CORE", 0, 0)?;
    limit(
        Resource::Cpu,
        "RLIMIT_CPU",
        seconds,
        seconds.saturating_add(1),
    )?;
    // What is reserved but not used does not count, as it would for Resource::As: each thread's
    // allocator reserves 64 MiB.
    limit(Resource::Data, "RLIMIT_DATA", bytes, bytes)
}

fn limit(resource: Resource, name: &str, soft: u64, hard: u64) -> anyhow::Result<()> {
    let inherited = getrlimit(resource).maximum;
    let limit = Rlimit {
        current: Some(soft),
        maximum: Some(hard),
    };
    setrlimit(resource, limit).with_context(|| match inherited {
        Some(inherited) if inherited < hard => format!(
            "cannot set {name} to {hard}, as the limits of the plugin ask for: this process inherited a hard \
             limit of {inherited}; raise that, or lower the limits compile-time, compile-memory or footprint"
        ),
        _ => format!("cannot set {name}"),
    })
}
