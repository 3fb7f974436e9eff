//! Whether the host can hold a plugin: tried in a process that may fail.
//!
//! What wasmtime makes of compiled code, and what it keeps of an instance beside its linear memory, is
//! asked of no limiter: 16 MB of code can become more than a gigabyte, and who gets none is aborted. So
//! another process does first what the host is about to do, and says what that took. It is not the one
//! that compiles: in there, memory that the compiler has freed would be taken anew and not be noticed.

use std::env;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use anyhow::Context as _;
use anyhow::anyhow;
use anyhow::bail;
use bytesize::ByteSize;
use rustix::process::Signal;

use super::compile;
use super::compile::CompileError;
use super::confinement;
use super::confinement::is_out_of_memory;
use super::digest::Digest;
use super::engine::Compiler;
use super::engine::Engine;
use super::instance::Instance;
use super::limits::Limits;
use super::limits::THREAD_STACK;
use super::load;
use super::load::LoadError;
use super::meter::LogBudget;
use super::origin::Origin;
use super::powers::Powers;
use super::spec::Spec;
use crate::privileges;
use crate::process;
use crate::text::one_line;

/// The hidden subcommand that tries: `trial LIMITS`.
pub const SUBCOMMAND: &str = "trial";

/// Bytes that it may take beside what it may turn out to need: a stack, and what is soon freed again.
const SLACK: u64 = 32 << 20;

/// The longest answer, in bytes.
const LONGEST_ANSWER: u64 = 64;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// An instance was made: all that it takes was seen.
    Whole,
    /// The instance failed, as it will in the host: no more than that is known.
    Failed,
}

/// Has a process of this program load compiled code and make an instance of it. More than it may take
/// is an error.
pub(super) fn in_process(program: &Path, compiled: &File, spec: &Spec) -> Result<Tried, LoadError> {
    let limits = serde_json::to_string(&spec.limits).map_err(io::Error::from);
    let variables = spec.powers.env.iter();
    let variables = variables.filter_map(|name| Some((name, env::var_os(name)?)));
    let run = || {
        let mut child = Command::new(program)
            .arg(SUBCOMMAND)
            .arg(limits?)
            // What it finds in its environment is what the plugin was granted.
            .env_clear()
            .envs(variables)
            .stdin(compiled.try_clone()?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the host, which ends this process when it ends.
            .process_group(0)
            .spawn()?;
        // There is no end to what it may complain of. Its answer fits into the pipe until that is read.
        let (status, said) = compile::ended(&mut child)?;
        let mut answer = String::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
        }
        Ok((status, answer, said, compiled.metadata()?.len()))
    };
    let (status, answer, said, code) = run().map_err(CompileError::Process)?;
    let limit = spec.limits.footprint;
    if let Some(signal) = status.signal() {
        // What Rust says when it gets no memory, before it aborts. Other aborts have other causes.
        if signal == Signal::ABORT.as_raw() && said.contains("memory allocation of ") {
            return Err(LoadError::Footprint { taken: None, limit });
        }
        let signal = compile::signal_name(signal);
        return Err(LoadError::TrialEnded { signal, said });
    }
    let (bytes, tried) = match Answer::read(&answer).filter(|_| status.success()) {
        None => return Err(LoadError::Trial(said)),
        Some(Answer::NoMemory) => return Err(LoadError::Footprint { taken: None, limit }),
        Some(Answer::NoAddressSpace) => {
            return Err(LoadError::AddressSpace(confinement::address_space()));
        }
        Some(Answer::Held(bytes, tried)) => (bytes, tried),
    };
    let taken = bytes.saturating_add(code);
    if taken > limit {
        let taken = Some(taken);
        return Err(LoadError::Footprint { taken, limit });
    }
    let bytes = ByteSize(taken);
    tracing::debug!(
        "plugin {}: it takes {bytes} of the host's memory to hold it",
        spec.name
    );
    Ok(tried)
}

/// What the process that tries has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Bytes, and whether all is in them.
    Held(u64, Tried),
    /// There was less memory than was needed.
    NoMemory,
    /// There was less address space than is reserved.
    NoAddressSpace,
}

impl Answer {
    /// Which of the two it was that an allocation has just failed for.
    fn for_want_of_memory() -> Answer {
        match confinement::lacks_address_space() {
            true => Answer::NoAddressSpace,
            false => Answer::NoMemory,
        }
    }

    fn read(line: &str) -> Option<Answer> {
        let held = |bytes: &str, tried| Some(Answer::Held(bytes.parse().ok()?, tried));
        match line.trim_end().split_once(' ')? {
            (bytes, "whole") => held(bytes, Tried::Whole),
            (bytes, "failed") => held(bytes, Tried::Failed),
            ("no", "memory") => Some(Answer::NoMemory),
            ("no", "address-space") => Some(Answer::NoAddressSpace),
            _ => None,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Held(bytes, Tried::Whole) => write!(f, "{bytes} whole"),
            Answer::Held(bytes, Tried::Failed) => write!(f, "{bytes} failed"),
            Answer::NoMemory => f.write_str("no memory"),
            Answer::NoAddressSpace => f.write_str("no address-space"),
        }
    }
}

/// The process that tries: compiled code on standard input; on standard output, the bytes that were
/// taken, but for linear memory and the code itself.
pub fn run(limits: Limits) -> anyhow::Result<()> {
    let time = limits.compile_time.saturating_add(limits.start_time * 2);
    let seconds = time.as_secs().saturating_add(1);
    let most = limits.footprint.saturating_add(limits.memory as u64);
    let most = data()?.saturating_add(most).saturating_add(SLACK);
    compile::limit_this_process(seconds, most)?;
    privileges::drop_all()?;
    // Its stack must have room for the plugin's.
    let trial = thread::Builder::new().stack_size(THREAD_STACK);
    let trial = trial.spawn(move || measure(limits));
    let trial = trial.context("cannot start a thread to try it")?;
    let answer = trial.join().map_err(|_| anyhow!("the trial panicked"))??;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{answer}")?;
    Ok(stdout.flush()?)
}

fn measure(limits: Limits) -> anyhow::Result<Answer> {
    let engine =
        Engine::without_cache(Compiler::Here).and_then(|engine| engine.with_stack(limits.stack));
    let engine = engine.map_err(|error| anyhow!("cannot start wasmtime: {}", one_line(&error)))?;
    let before = data()?;
    let component = match load::read_code(&engine, Path::new("/proc/self/fd/0")) {
        Ok(component) => component,
        Err(error) if is_out_of_memory(&error) => return Ok(Answer::for_want_of_memory()),
        Err(error) => bail!("cannot load its compiled code: {}", one_line(&error)),
    };
    let loaded = load::fit(component, Digest::of(&[]))?;
    // Who is in time in the host must be in time here: he could otherwise fail here alone.
    let limits = Limits {
        start_time: limits.start_time * 2,
        ..limits
    };
    let spec = Spec {
        limits,
        powers: granted(),
        ..Spec::new("trial", Origin::Bundled("trial"))
    };
    let mut store = Instance::store(&spec, &engine, &LogBudget::new(0))?;
    let tried = match loaded.pre.instantiate(&mut store) {
        Ok(_) => Tried::Whole,
        Err(error) if is_out_of_memory(&error) => return Ok(Answer::for_want_of_memory()),
        Err(_) => Tried::Failed,
    };
    let (linear, _) = store.data().memory.memory();
    let taken = data()?.saturating_sub(before);
    Ok(Answer::Held(taken.saturating_sub(linear as u64), tried))
}

/// What the plugin was granted is all that there is.
fn granted() -> Powers {
    let names = env::vars_os().map(|(name, _)| name.into_string());
    Powers {
        env: names.filter_map(Result::ok).collect(),
        ..Powers::default()
    }
}

/// Bytes of memory that are this process's own, whether they were ever written to or not: what
/// RLIMIT_DATA counts.
fn data() -> anyhow::Result<u64> {
    let data = process::own_status("VmData").context("/proc/self/status has no VmData")?;
    let kib: u64 = data.trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_is_written_and_nothing_else_is_one() {
        for answer in [
            Answer::Held(7, Tried::Whole),
            Answer::Held(u64::MAX, Tried::Failed),
            Answer::NoMemory,
            Answer::NoAddressSpace,
        ] {
            assert_eq!(Answer::read(&format!("{answer}\n")), Some(answer));
        }
        for line in ["", "7", "whole", "-7 whole", "7 no memory", "no", "no idea"] {
            assert_eq!(Answer::read(line), None, "{line}");
        }
    }
}
