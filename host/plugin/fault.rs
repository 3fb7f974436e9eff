//! What a plugin can get wrong while it runs.

use std::fmt;

use wasmtime::WasmBacktrace;

use super::limits::DeadlineMissed;
use super::state::BadAnswer;

/// An export of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// Making the instance.
    Instantiate,
    /// `processor.describe`
    Describe,
    /// `processor.configure`
    Configure,
    /// `processor.process`
    Process,
    /// `timer.tick`
    Tick,
    /// `timer.finish`
    Finish,
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Export::Instantiate => "instantiate",
            Export::Describe => "describe",
            Export::Configure => "configure",
            Export::Process => "process",
            Export::Tick => "tick",
            Export::Finish => "finish",
        })
    }
}

/// A call that failed; it has had no effects.
#[derive(Debug, thiserror::Error)]
#[error("plugin {plugin} failed in {export}: {cause}")]
pub struct Fault {
    /// Name of the instance.
    pub plugin: String,
    /// What was called.
    pub export: Export,
    /// What went wrong.
    pub cause: Cause,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The plugin returned an error, in its own words.
    #[error("{0}")]
    Refused(String),
    /// It took too long.
    #[error("{0}; it was stopped")]
    Deadline(#[from] DeadlineMissed),
    /// It asked for more memory than it may have, and did not cope with the answer.
    #[error("it ran out of memory: the limit is {} MiB", .0 >> 20)]
    Memory(usize),
    /// It said something that does not fit the contract.
    #[error("{0}")]
    Answer(#[from] BadAnswer),
    /// WebAssembly stopped it, or it stopped itself. A panic's message is in the log.
    #[error("{0}")]
    Trap(String),
}

impl Cause {
    /// Finds out why wasmtime stopped a call. `memory` is the limit, if more was asked for.
    pub(super) fn of(error: wasmtime::Error, memory: Option<usize>) -> Cause {
        if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
            tracing::debug!("{backtrace}");
        }
        if let Some(missed) = error.downcast_ref::<DeadlineMissed>() {
            return Cause::Deadline(*missed);
        }
        if let Some(answer) = error.downcast_ref::<BadAnswer>() {
            return Cause::Answer(answer.clone());
        }
        match memory {
            Some(limit) => Cause::Memory(limit),
            None => Cause::Trap(error.root_cause().to_string()),
        }
    }
}
