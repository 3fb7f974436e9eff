//! Compilation in a child process.
//!
//! Cranelift can neither be interrupted nor be given a limit on memory, and its input is untrusted code. The kernel
//! limits the resources of a process. Whatever happens in it, the host goes on, and so do the plugins that run
//! meanwhile.

use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::Signal;
use rustix::process::getrlimit;
use rustix::process::set_parent_process_death_signal;
use rustix::process::setrlimit;

use super::compiler::Compiler;
use super::job::Job;
use super::job::Order;
use crate::plugin::load::engine;
use crate::plugin::load::sealed_memory;
use crate::plugin::load::sealed_memory::Sealed;
use crate::plugin::spec::limits;
use crate::plugin::spec::limits::Limits;
use crate::system::privileges;
use crate::system::sandbox;
use crate::system::sandbox::files::Files;
use crate::system::sandbox::system_calls::Calls;
use crate::system::sandbox::system_calls::Sockets;
use crate::system::sanitize::one_line;

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The component is damaged, or uses WebAssembly features that this host does not support.
    #[error("not a valid component: {0}")]
    Invalid(String),
    /// The compiler exited with an error. Its message is most often that of [`CompileError::Invalid`].
    #[error("{0}")]
    Failed(String),
    /// Compilation took more CPU time than the limit allows.
    #[error("its compilation takes too much CPU time: {}", limits::show_limit("compile-time", .0.as_nanos() as u64))]
    Time(Duration),
    /// The component or its compiled code is larger than RLIMIT_FSIZE. The limit applies because both are written to
    /// files in memory.
    #[error(
        "the compiled code is larger than the file size limit (RLIMIT_FSIZE); raise it (ulimit -f, LimitFSIZE=)"
    )]
    FileSize,
    /// A signal ended the compiler, most often because it ran out of memory.
    #[error(
        "the compiler was ended by {signal}, most often because it ran out of memory: {}{message}",
        limits::show_limit("compile-memory", *.memory)
    )]
    Crashed {
        /// Name of the signal.
        signal: String,
        /// The limit on memory in bytes.
        memory: u64,
        /// The last message of the compiler, after a colon. Empty if there was none.
        message: String,
    },
    /// The child process could not be started, or communication with it failed.
    #[error("cannot run the compiler: {0}")]
    Process(#[from] io::Error),
}

/// Compiles a component in a child process, within the limits of the plugin.
pub(crate) fn in_child_process(
    compiler: &Compiler,
    component: &[u8],
    limits: &Limits,
) -> Result<Sealed, CompileError> {
    let mut input = sealed_memory::create()?;
    let written = input.write_all(component);
    written.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => CompileError::FileSize,
        _ => error.into(),
    })?;
    input.rewind()?;
    let compiled = sealed_memory::create()?;
    let seconds = limits.compile_time.as_secs().max(1);
    let order = Order::Compile {
        seconds,
        bytes: limits.compile_memory,
    };
    let ended = compiler.run(Job {
        order,
        input,
        output: compiled.try_clone()?,
    })?;
    check_status(ended.status(), ended.message, limits)?;
    Ok(Sealed::new(compiled)?)
}

fn check_status(status: ExitStatus, message: String, limits: &Limits) -> Result<(), CompileError> {
    if status.success() {
        return Ok(());
    }
    let Some(signal) = status.signal() else {
        return Err(CompileError::Failed(match message.is_empty() {
            true => format!("the compiler ended with {status} without an error message"),
            false => message,
        }));
    };
    if signal == Signal::XFSZ.as_raw() {
        return Err(CompileError::FileSize);
    }
    // The soft limit sends SIGXCPU. A process that ignores it gets SIGKILL a second later.
    if signal == Signal::XCPU.as_raw() {
        let seconds = limits.compile_time.as_secs().max(1);
        return Err(CompileError::Time(Duration::from_secs(seconds)));
    }
    Err(CompileError::Crashed {
        signal: signal_name(signal),
        memory: limits.compile_memory,
        message: match message.is_empty() {
            true => message,
            false => format!(": {message}"),
        },
    })
}

pub(crate) fn signal_name(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    name.map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// Runs the child process that compiles: reads the component from standard input, and writes the compiled code to
/// standard output.
pub fn run(seconds: u64, bytes: u64) -> anyhow::Result<()> {
    limit_this_process(seconds, bytes)?;
    confine()?;
    let mut component = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut component)
        .context("cannot read the component")?;
    let compiled = precompile(&component).map_err(CompileError::Invalid)?;
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(&compiled)
        .and_then(|()| stdout.flush())
        .context("cannot write the compiled code")
}

/// Compiles a component in this process, without limits.
pub(crate) fn precompile(component: &[u8]) -> Result<Vec<u8>, String> {
    wasmtime::Engine::new(&engine::config())
        .and_then(|engine| engine.precompile_component(component))
        .map_err(|error| one_line(&error))
}

/// Gives up all rights of this process, which handles the code of a plugin: capabilities, files, and most system calls.
pub(crate) fn confine() -> anyhow::Result<()> {
    privileges::drop_all()?;
    sandbox::confine(&Files::default(), Calls::Threads, Sockets::default())?;
    Ok(())
}

/// Limits the CPU time (in seconds) and the memory (in bytes) of this process, a child of the host.
pub(crate) fn limit_this_process(seconds: u64, bytes: u64) -> anyhow::Result<()> {
    // Without the host there is no use for the result.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    ensure!(!is_unread(io::stderr().as_fd())?, "the host has ended");
    // No core file after a crash.
    limit(Resource::Core, "RLIMIT_CORE", 0, 0)?;
    limit(
        Resource::Cpu,
        "RLIMIT_CPU",
        seconds,
        seconds.saturating_add(1),
    )?;
    // RLIMIT_DATA does not count memory that is reserved but not used. RLIMIT_AS would: the allocator reserves 64 MiB
    // for each thread.
    limit(Resource::Data, "RLIMIT_DATA", bytes, bytes)
}

/// Returns whether a pipe has no reader. The host reads the standard error of this process: if it does not any more, it has
/// ended before this process could ask for the signal.
fn is_unread(stderr: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(stderr, PollFlags::OUT)];
    poll(&mut fds, Some(&Timespec::default()))?;
    Ok(fds[0].revents().contains(PollFlags::ERR))
}

fn limit(resource: Resource, name: &str, soft: u64, hard: u64) -> anyhow::Result<()> {
    let inherited = getrlimit(resource).maximum;
    let limit = Rlimit {
        current: Some(soft),
        maximum: Some(hard),
    };
    setrlimit(resource, limit).with_context(|| match inherited {
        Some(inherited) if inherited < hard => format!(
            "cannot set {name} to {hard}, which the limits of the plugin require: this process inherited a hard \
             limit of {inherited}; raise it, or lower the limits compile-time, compile-memory or footprint"
        ),
        _ => format!("cannot set {name}"),
    })
}
