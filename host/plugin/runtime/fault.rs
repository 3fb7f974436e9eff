//! What a plugin can get wrong while it runs.

use std::fmt;

use wasmtime::Trap;
use wasmtime::WasmBacktrace;

use super::bad_answer::BadAnswer;
use super::meter::DeadlineMissed;
use super::meter::Refused;
use crate::plugin::worker::confinement;
use crate::plugin::worker::confinement::is_out_of_memory;
use crate::plugin::worker::confinement::lacks_address_space;
use crate::system::sanitize::printable;
use crate::system::sanitize::quoted;

/// The most functions of a backtrace that are kept, the innermost first.
const MAX_FRAMES: usize = 16;

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
    /// `state.save`
    Save,
    /// `state.restore`
    Restore,
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
            Export::Save => "save",
            Export::Restore => "restore",
        })
    }
}

/// A call that failed; it has had no effects. It is told in a line, and one for each function that was
/// running.
#[derive(Debug)]
pub struct Fault {
    /// Name of the instance.
    pub plugin: String,
    /// What was called.
    pub export: Export,
    /// What went wrong.
    pub cause: Cause,
    /// The functions that were running, the innermost first.
    pub backtrace: Vec<String>,
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
    #[error("{0}")]
    Memory(#[from] Refused),
    /// It said something that does not fit the contract.
    #[error("{0}")]
    Answer(#[from] BadAnswer),
    /// What crossed the boundary could not be read: too much of it, text that is none, and the like.
    #[error("{0}")]
    Malformed(String),
    /// WebAssembly stopped it, or it stopped itself. A panic's message is in the log.
    #[error("{0}")]
    Trap(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_about(f, "")
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// A fault that WebAssembly has no part in.
    pub(crate) fn new(plugin: &str, export: Export, cause: impl Into<Cause>) -> Fault {
        Fault {
            plugin: plugin.to_owned(),
            export,
            cause: cause.into(),
            backtrace: Vec::new(),
        }
    }

    /// Finds out why wasmtime stopped a call. `refused`: memory that was asked for in vain.
    pub(crate) fn of(
        plugin: &str,
        export: Export,
        error: &wasmtime::Error,
        refused: Option<Refused>,
    ) -> Fault {
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        Fault {
            backtrace: backtrace.map(functions).unwrap_or_default(),
            ..Fault::new(plugin, export, Cause::of(export, error, refused))
        }
    }

    /// Tells it with what the call was about, where there is anything to say of that.
    pub fn fmt_about(&self, f: &mut fmt::Formatter<'_>, about: &str) -> fmt::Result {
        let Fault {
            plugin,
            export,
            cause,
            backtrace,
        } = self;
        write!(f, "plugin {plugin} failed in {export}: {cause}")?;
        if !about.is_empty() {
            write!(f, " [{about}]")?;
        }
        let mut functions = backtrace.iter();
        functions.try_for_each(|function| write!(f, "\n    in {function}"))
    }

    /// The limit that was exceeded, if that is the cause.
    pub fn limit(&self) -> Option<&'static str> {
        match (&self.cause, self.export) {
            (Cause::Deadline(_), Export::Instantiate | Export::Describe | Export::Configure) => {
                Some("start-time")
            }
            (Cause::Deadline(_), _) => Some("time"),
            (Cause::Memory(Refused::Memory(_)), _) => Some("memory"),
            (Cause::Memory(Refused::Table(_)), _) => Some("table"),
            _ => None,
        }
    }

    /// Did it take too long?
    pub fn is_deadline(&self) -> bool {
        matches!(self.cause, Cause::Deadline(_))
    }
}

impl Cause {
    fn of(export: Export, error: &wasmtime::Error, refused: Option<Refused>) -> Cause {
        if let Some(missed) = error.downcast_ref::<DeadlineMissed>() {
            return Cause::Deadline(*missed);
        }
        if let Some(answer) = error.downcast_ref::<BadAnswer>() {
            return Cause::Answer(answer.clone());
        }
        let trap = error.downcast_ref::<Trap>();
        // Who gets no memory gives up, or is not even made. Whatever else goes wrong after that, memory
        // is not to blame.
        let gave_up = trap == Some(&Trap::UnreachableCodeReached) || export == Export::Instantiate;
        if let Some(refused) = refused.filter(|_| gave_up) {
            return Cause::Memory(refused);
        }
        if is_out_of_memory(error) && lacks_address_space() {
            return Cause::Malformed(confinement::address_space().to_string());
        }
        let words = printable(&error.root_cause().to_string());
        match trap {
            Some(_) => Cause::Trap(words),
            None => Cause::Malformed(words),
        }
    }

    /// Without the details, to be counted by.
    pub fn name(&self) -> &'static str {
        match self {
            Cause::Refused(_) => "error",
            Cause::Deadline(_) => "deadline",
            Cause::Memory(_) => "memory",
            Cause::Answer(_) | Cause::Malformed(_) => "contract",
            Cause::Trap(_) => "trap",
        }
    }
}

/// How the names of functions begin that a Rust program runs to end itself: where it did so is of
/// more interest.
const PANICKING: &[&str] = &[
    "abort",
    "std::",
    "__rustc::",
    "core::panicking::",
    "core::option::",
    "core::result::",
];

/// Names, as far as the component has them: `strip` takes them out.
fn functions(backtrace: &WasmBacktrace) -> Vec<String> {
    let names = backtrace
        .frames()
        .iter()
        .map(|frame| match frame.func_name() {
            Some(name) => quoted(&format!("{:#}", rustc_demangle::demangle(name))),
            None => format!("<function {}>", frame.func_index()),
        });
    let panicking = |name: &String| PANICKING.iter().any(|prefix| name.starts_with(prefix));
    names.skip_while(panicking).take(MAX_FRAMES).collect()
}
