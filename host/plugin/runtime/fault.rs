//! Faults: calls of a plugin that failed, and their causes.

use std::fmt;

use wasmtime::FrameInfo;
use wasmtime::Trap;
use wasmtime::WasmBacktrace;

use super::bad_answer::BadAnswer;
use super::limiters::DeadlineMissed;
use super::limiters::GrowthRefused;
use super::logs::HeldLines;
use crate::plugin::worker::confinement;
use crate::plugin::worker::confinement::is_out_of_memory;
use crate::plugin::worker::confinement::lacks_address_space;
use crate::system::sanitize::printable;
use crate::system::sanitize::quoted;

/// Maximum number of functions of a backtrace, counted from the innermost.
const MAX_FRAMES: usize = 16;

/// An export of the contract, or the instantiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// Instantiation of the component.
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

/// A call that failed. It has had no effects. It is displayed as one line, followed by a line for each function that
/// was running.
#[derive(Debug)]
pub struct Fault {
    /// Name of the instance.
    pub plugin: String,
    /// The export that was called.
    pub export: Export,
    /// Why the call failed.
    pub cause: Cause,
    /// The functions that were running, the innermost first.
    pub backtrace: Vec<String>,
    /// The lines that a call of `process` had logged: the message of a panic is one of them.
    pub log: Option<HeldLines>,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The plugin returned an error, with this message.
    #[error("{0}")]
    PluginError(String),
    /// The call took more CPU time than the limit allows.
    #[error("{0}; it was stopped")]
    Deadline(#[from] DeadlineMissed),
    /// The plugin requested more memory than the limit allows, and failed when it was refused.
    #[error("{0}")]
    Memory(#[from] GrowthRefused),
    /// The plugin violated the contract.
    #[error("{0}")]
    Answer(#[from] BadAnswer),
    /// The call ended without a trap, most often because data between plugin and host could not be read: it was too
    /// large, or not UTF-8.
    #[error("{0}")]
    Malformed(String),
    /// The plugin trapped. If it panicked, the message is in the log.
    #[error("{0}")]
    Trap(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_with_events(f, "")
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// Returns a fault without a backtrace.
    pub(crate) fn new(plugin: &str, export: Export, cause: impl Into<Cause>) -> Fault {
        Fault {
            plugin: plugin.to_owned(),
            export,
            cause: cause.into(),
            backtrace: Vec::new(),
            log: None,
        }
    }

    /// Determines why wasmtime ended a call. `refused` is the growth of memory or tables that was refused during the
    /// call, if any.
    pub(crate) fn from_wasmtime(
        plugin: &str,
        export: Export,
        error: &wasmtime::Error,
        refused: Option<GrowthRefused>,
    ) -> Fault {
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        Fault {
            backtrace: backtrace.map(function_names).unwrap_or_default(),
            ..Fault::new(plugin, export, Cause::from_wasmtime(export, error, refused))
        }
    }

    /// Writes what the plugin logged during the call to the log, once.
    pub fn write_log(&mut self) {
        if let Some(lines) = self.log.take() {
            lines.write();
        }
    }

    /// Writes the fault. `events` describes the events of the call; it is empty for a call without events.
    pub fn fmt_with_events(&self, f: &mut fmt::Formatter<'_>, events: &str) -> fmt::Result {
        let Fault {
            plugin,
            export,
            cause,
            backtrace,
            log: _,
        } = self;
        write!(f, "plugin {plugin} failed in {export}: {cause}")?;
        if !events.is_empty() {
            write!(f, " [{events}]")?;
        }
        let mut function_names = backtrace.iter();
        function_names.try_for_each(|function| write!(f, "\n    in {function}"))
    }

    /// Returns the name of the limit that was exceeded, if that is the cause.
    pub fn limit(&self) -> Option<&'static str> {
        match (&self.cause, self.export) {
            (Cause::Deadline(_), Export::Instantiate | Export::Describe | Export::Configure) => {
                Some("start-time")
            }
            (Cause::Deadline(_), _) => Some("time"),
            (Cause::Memory(GrowthRefused::Memory(_)), _) => Some("memory"),
            (Cause::Memory(GrowthRefused::Table(_)), _) => Some("table"),
            _ => None,
        }
    }

    /// Returns whether the call missed its deadline.
    pub fn is_deadline(&self) -> bool {
        matches!(self.cause, Cause::Deadline(_))
    }
}

impl Cause {
    fn from_wasmtime(
        export: Export,
        error: &wasmtime::Error,
        refused: Option<GrowthRefused>,
    ) -> Cause {
        if let Some(missed) = error.downcast_ref::<DeadlineMissed>() {
            return Cause::Deadline(*missed);
        }
        if let Some(answer) = error.downcast_ref::<BadAnswer>() {
            return Cause::Answer(answer.clone());
        }
        let trap = error.downcast_ref::<Trap>();
        // A guest that is refused memory usually traps with `unreachable`, or cannot be instantiated at all. Any other
        // error after a refusal has another cause.
        let gave_up = trap == Some(&Trap::UnreachableCodeReached) || export == Export::Instantiate;
        if let Some(refused) = refused.filter(|_| gave_up) {
            return Cause::Memory(refused);
        }
        if is_out_of_memory(error) && lacks_address_space() {
            return Cause::Malformed(confinement::address_space_error().to_string());
        }
        let message = printable(&error.root_cause().to_string());
        match trap {
            Some(_) => Cause::Trap(message),
            None => Cause::Malformed(message),
        }
    }

    /// Returns the name of the cause in the ledger, without details.
    pub fn name(&self) -> &'static str {
        match self {
            Cause::PluginError(_) => "error",
            Cause::Deadline(_) => "deadline",
            Cause::Memory(_) => "memory",
            Cause::Answer(_) | Cause::Malformed(_) => "contract",
            Cause::Trap(_) => "trap",
        }
    }
}

/// Prefixes of the names of functions that a Rust program runs when it panics or aborts. They are left out at the start
/// of a backtrace, because the place of the panic is more useful.
const PANICKING: &[&str] = &[
    "abort",
    "std::",
    "__rustc::",
    "core::panicking::",
    "core::option::",
    "core::result::",
];

/// Returns the name of the function of a frame. A function without a name, as after `strip`, is shown by number.
pub(super) fn function_name(frame: &FrameInfo) -> String {
    match frame.func_name() {
        Some(name) => quoted(&format!("{:#}", rustc_demangle::demangle(name))),
        None => format!("<function {}>", frame.func_index()),
    }
}

/// Returns the names of the functions in a backtrace.
fn function_names(backtrace: &WasmBacktrace) -> Vec<String> {
    let names = backtrace.frames().iter().map(function_name);
    let panicking = |name: &String| PANICKING.iter().any(|prefix| name.starts_with(prefix));
    names.skip_while(panicking).take(MAX_FRAMES).collect()
}
