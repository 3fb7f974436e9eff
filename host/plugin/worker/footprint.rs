//! The footprint check: whether the host can hold a plugin, found out in a process that may fail.
//!
//! What wasmtime makes of compiled code, and what it keeps of an instance beside its linear memory, no
//! limiter is asked for: 16 MB of code can become more than a gigabyte, and a process that gets no memory
//! is aborted. So another process ([`child`]) does first what the host is about to do, and says what that
//! took. It is not the one that compiles: in there, memory that the compiler has freed would be taken
//! anew and not be noticed.

pub mod child;

use std::env;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use bytesize::ByteSize;
use rustix::process::Signal;

use super::compile;
use super::confinement;
use super::confinement::AddressSpace;
use crate::plugin::spec::Spec;
use crate::plugin::spec::limits;

/// The hidden subcommand of that process: `footprint LIMITS`.
pub const SUBCOMMAND: &str = "footprint";

/// Bytes that it may take beside what it may turn out to need: a stack, and what is soon freed again.
const SLACK: u64 = 32 << 20;

/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 64;

/// Why the host cannot hold a plugin, or why that could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum FootprintError {
    /// The host would have to take too much memory for it.
    #[error(
        "it takes {} of the host's memory to hold it: {}",
        amount(*.taken, *.limit),
        limits::shown("footprint", *.limit)
    )]
    TooLarge {
        /// Bytes; `None`: more than the limit.
        taken: Option<u64>,
        /// Bytes.
        limit: u64,
    },
    /// This process has too little address space for it.
    #[error("{0}")]
    AddressSpace(AddressSpace),
    /// What was said when it was checked: most often why it does not fit.
    #[error("{0}")]
    Said(String),
    /// It crashed when it was checked.
    #[error("the footprint check ended by {signal}: {said}")]
    Ended {
        /// The signal's name.
        signal: String,
        /// What it said last.
        said: String,
    },
    /// The process could not be started, or not be talked to.
    #[error("cannot run the footprint check: {0}")]
    Process(io::Error),
}

fn amount(bytes: Option<u64>, limit: u64) -> String {
    match bytes {
        Some(bytes) => bytesize::ByteSize(bytes).to_string(),
        None => format!("more than {}", bytesize::ByteSize(limit)),
    }
}

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// An instance was made: all that it takes was seen.
    Whole,
    /// The instance failed, as it will in the host: no more than that is known.
    Failed,
}

/// Has a process of this program load compiled code and make an instance of it. More than it may take
/// is an error.
pub(crate) fn in_process(
    program: &Path,
    compiled: &File,
    spec: &Spec,
) -> Result<Checked, FootprintError> {
    let limits = serde_json::to_string(&spec.limits).map_err(io::Error::from);
    let variables = spec.grants.env.iter();
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
            stdout.take(MAX_ANSWER).read_to_string(&mut answer)?;
        }
        Ok((status, answer, said, compiled.metadata()?.len()))
    };
    let (status, answer, said, code) = run().map_err(FootprintError::Process)?;
    let limit = spec.limits.footprint;
    if let Some(signal) = status.signal() {
        // What Rust says when it gets no memory, before it aborts. Other aborts have other causes.
        if signal == Signal::ABORT.as_raw() && said.contains("memory allocation of ") {
            return Err(FootprintError::TooLarge { taken: None, limit });
        }
        let signal = compile::signal_name(signal);
        return Err(FootprintError::Ended { signal, said });
    }
    let (bytes, checked) = match Answer::read(&answer).filter(|_| status.success()) {
        None => return Err(FootprintError::Said(said)),
        Some(Answer::NoMemory) => return Err(FootprintError::TooLarge { taken: None, limit }),
        Some(Answer::NoAddressSpace) => {
            return Err(FootprintError::AddressSpace(confinement::address_space()));
        }
        Some(Answer::Held(bytes, checked)) => (bytes, checked),
    };
    let taken = bytes.saturating_add(code);
    if taken > limit {
        let taken = Some(taken);
        return Err(FootprintError::TooLarge { taken, limit });
    }
    let bytes = ByteSize(taken);
    tracing::debug!(
        "plugin {}: it takes {bytes} of the host's memory to hold it",
        spec.name
    );
    Ok(checked)
}

/// What the process has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Bytes, and whether all is in them.
    Held(u64, Checked),
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
        let held = |bytes: &str, checked| Some(Answer::Held(bytes.parse().ok()?, checked));
        match line.trim_end().split_once(' ')? {
            (bytes, "whole") => held(bytes, Checked::Whole),
            (bytes, "failed") => held(bytes, Checked::Failed),
            ("no", "memory") => Some(Answer::NoMemory),
            ("no", "address-space") => Some(Answer::NoAddressSpace),
            _ => None,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Held(bytes, Checked::Whole) => write!(f, "{bytes} whole"),
            Answer::Held(bytes, Checked::Failed) => write!(f, "{bytes} failed"),
            Answer::NoMemory => f.write_str("no memory"),
            Answer::NoAddressSpace => f.write_str("no address-space"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_is_written_and_nothing_else_is_one() {
        for answer in [
            Answer::Held(7, Checked::Whole),
            Answer::Held(u64::MAX, Checked::Failed),
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
