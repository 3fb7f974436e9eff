//! The footprint check: measures in a child process how much memory the host needs to hold a plugin.
//!
//! wasmtime asks no limiter for what it makes of compiled code, nor for what it keeps of an instance beside linear
//! memory. 16 MB of code can become more than a gigabyte, and a process to which memory is refused is aborted. So a
//! child process ([`child`]) first does what the host is about to do, and reports how much memory that took. It is not
//! the process that compiles: in that one, memory that the compiler has freed would be used again and not be counted.

pub mod child;

use std::env;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::os::unix::process::ExitStatusExt as _;

use bytesize::ByteSize;
use rustix::process::Signal;

use super::compile;
use super::compiler::Compiler;
use super::confinement;
use super::confinement::AddressSpaceError;
use super::job::Job;
use super::job::Order;
use crate::plugin::load::sealed_memory;
use crate::plugin::spec::Spec;
use crate::plugin::spec::limits;

/// Bytes that the child process may allocate in addition to the footprint and to linear memory: a stack, and temporary
/// allocations.
const SLACK: u64 = 32 << 20;

/// Maximum length of the answer in bytes.
const MAX_ANSWER: u64 = 64;

/// Why the host cannot hold a plugin, or why this could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum FootprintError {
    /// The host would need more memory than the limit allows.
    #[error(
        "the host needs {} of memory to hold it: {}",
        amount(*.taken, *.limit),
        limits::show_limit("footprint", *.limit)
    )]
    TooLarge {
        /// The measured footprint in bytes. `None`: it is more than the limit.
        taken: Option<u64>,
        /// The limit in bytes.
        limit: u64,
    },
    /// There is too little address space for the plugin.
    #[error("{0}")]
    AddressSpace(AddressSpaceError),
    /// The check failed with this message, most often because the component does not match the contract.
    #[error("{0}")]
    CheckFailed(String),
    /// A signal ended the check.
    #[error("the footprint check was ended by {signal}: {message}")]
    Crashed {
        /// Name of the signal.
        signal: String,
        /// The last message of the child process.
        message: String,
    },
    /// The child process could not be started, or communication with it failed.
    #[error("cannot run the footprint check: {0}")]
    Process(io::Error),
}

fn amount(bytes: Option<u64>, limit: u64) -> String {
    match bytes {
        Some(bytes) => bytesize::ByteSize(bytes).to_string(),
        None => format!("more than {}", bytesize::ByteSize(limit)),
    }
}

/// How far a footprint check came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// An instance was made, so that the whole footprint was measured.
    Instantiated,
    /// The instance could not be made, and cannot be made in the host either. The footprint was measured up to that
    /// point.
    InstantiationFailed,
}

/// Loads compiled code and makes an instance of it in a child process. Returns the footprint in bytes, and an error if
/// it exceeds its limit.
pub(crate) fn in_child_process(
    compiler: &Compiler,
    compiled: &File,
    spec: &Spec,
) -> Result<(u64, Checked), FootprintError> {
    let run = || {
        let variables = spec.grants.env.iter();
        let variables = variables.filter_map(|name| Some((name.clone(), env::var(name).ok()?)));
        let mut output = sealed_memory::create()?;
        let ended = compiler.run(Job {
            order: Order::Footprint {
                limits: spec.limits,
                variables: variables.collect(),
            },
            input: compiled.try_clone()?,
            output: output.try_clone()?,
        })?;
        let mut answer = String::new();
        output.rewind()?;
        output.take(MAX_ANSWER).read_to_string(&mut answer)?;
        Ok((ended, answer, compiled.metadata()?.len()))
    };
    let (ended, answer, code) = run().map_err(FootprintError::Process)?;
    let (status, message) = (ended.status(), ended.message);
    let limit = spec.limits.footprint;
    if let Some(signal) = status.signal() {
        // Rust prints this when an allocation fails, before it aborts. Aborts without it have other causes.
        if signal == Signal::ABORT.as_raw() && message.contains("memory allocation of ") {
            return Err(FootprintError::TooLarge { taken: None, limit });
        }
        let signal = compile::signal_name(signal);
        return Err(FootprintError::Crashed { signal, message });
    }
    let (bytes, checked) = match Answer::read(&answer).filter(|_| status.success()) {
        None => return Err(FootprintError::CheckFailed(message)),
        Some(Answer::NoMemory) => return Err(FootprintError::TooLarge { taken: None, limit }),
        Some(Answer::NoAddressSpace) => {
            return Err(FootprintError::AddressSpace(
                confinement::address_space_error(),
            ));
        }
        Some(Answer::Measured(bytes, checked)) => (bytes, checked),
    };
    let taken = bytes.saturating_add(code);
    if taken > limit {
        let taken = Some(taken);
        return Err(FootprintError::TooLarge { taken, limit });
    }
    let bytes = ByteSize(taken);
    tracing::debug!(
        "plugin {}: the host needs {bytes} of memory to hold it",
        spec.name
    );
    Ok((taken, checked))
}

/// The answer of the child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The measured footprint in bytes, and how far the check came.
    Measured(u64, Checked),
    /// The process ran out of memory.
    NoMemory,
    /// The process ran out of address space.
    NoAddressSpace,
}

impl Answer {
    /// Returns the answer after an allocation has failed: lack of memory, or of address space.
    fn for_failed_allocation() -> Answer {
        match confinement::lacks_address_space() {
            true => Answer::NoAddressSpace,
            false => Answer::NoMemory,
        }
    }

    fn read(line: &str) -> Option<Answer> {
        let measured = |bytes: &str, checked| Some(Answer::Measured(bytes.parse().ok()?, checked));
        match line.trim_end().split_once(' ')? {
            (bytes, "whole") => measured(bytes, Checked::Instantiated),
            (bytes, "failed") => measured(bytes, Checked::InstantiationFailed),
            ("no", "memory") => Some(Answer::NoMemory),
            ("no", "address-space") => Some(Answer::NoAddressSpace),
            _ => None,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Measured(bytes, Checked::Instantiated) => write!(f, "{bytes} whole"),
            Answer::Measured(bytes, Checked::InstantiationFailed) => write!(f, "{bytes} failed"),
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
            Answer::Measured(7, Checked::Instantiated),
            Answer::Measured(u64::MAX, Checked::InstantiationFailed),
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
