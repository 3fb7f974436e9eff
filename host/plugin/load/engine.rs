//! The engine that plugins share: its settings, its epochs, and the source of compiled code.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use wasmtime::Config;
use wasmtime::WasmBacktraceDetails;

use super::cache::Cache;
use super::epochs;
use crate::plugin::run::RunInfo;
use crate::plugin::spec::limits::Limits;
use crate::plugin::worker::compiler::Compiler;

/// Address space that wasmtime reserves for each linear memory, and the guard at each of its ends. These are wasmtime's
/// defaults. Without them every access is checked, and a plugin is 25-50 % slower.
pub(crate) const RESERVATION: u64 = 4 << 30;
pub(crate) const GUARD: u64 = 32 << 20;

/// Maximum number of frames in a backtrace.
const MAX_FRAMES: usize = 128;

/// The wasmtime engines of all plugins.
///
/// The stack size of plugins is a setting of the wasmtime engine, so that there is one engine for each size in use.
/// Most often there is one.
#[derive(Clone)]
pub struct Engine {
    by_stack: Arc<Mutex<BTreeMap<usize, wasmtime::Engine>>>,
    pub(crate) cache: Arc<Option<Cache>>,
    pub(crate) compiler: Compiler,
    /// What plugins are told of the run.
    pub run: RunInfo,
    /// Whether a compilation that takes long is shown on a terminal.
    pub show_compiling: bool,
}

impl Engine {
    /// Returns an engine that caches compiled code in the user's cache directory.
    pub fn new(compiler: Compiler) -> wasmtime::Result<Engine> {
        Engine::with(compiler, Cache::in_user_directory())
    }

    /// Returns an engine that caches compiled code in this directory, unless other users can write to it.
    pub fn with_cache_in(directory: &Path, compiler: Compiler) -> wasmtime::Result<Engine> {
        Engine::with(compiler, Cache::in_directory(directory))
    }

    /// Returns an engine without a cache: plugins are compiled at every start.
    pub fn without_cache(compiler: Compiler) -> wasmtime::Result<Engine> {
        Engine::with(compiler, None)
    }

    fn with(compiler: Compiler, cache: Option<Cache>) -> wasmtime::Result<Engine> {
        let engine = Engine {
            by_stack: Arc::default(),
            cache: Arc::new(cache),
            compiler,
            run: RunInfo::default(),
            show_compiling: false,
        };
        // If wasmtime cannot run here at all, this fails before any plugin is loaded, and no plugin is reported as the
        // cause.
        engine.with_stack(Limits::default().stack)?;
        Ok(engine)
    }

    /// Returns the wasmtime engine for plugins with `stack` bytes of native stack.
    pub(crate) fn with_stack(&self, stack: usize) -> wasmtime::Result<wasmtime::Engine> {
        let mut engines = self.by_stack.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&stack) {
            return Ok(engine.clone());
        }
        let mut config = config();
        config.max_wasm_stack(stack);
        // Nothing is async here, but wasmtime checks this value, and refuses a stack larger than its default of 2 MiB.
        config.async_stack_size(stack);
        let engine = wasmtime::Engine::new(&config)?;
        epochs::advance(engine.weak())?;
        engines.insert(stack, engine.clone());
        Ok(engine)
    }
}

/// Returns the settings on which compiled code depends.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .memory_reservation(RESERVATION)
        .memory_guard_size(GUARD)
        .epoch_interruption(true)
        // An empty call takes 279 ns without concurrency support, and 849 ns with it.
        .concurrency_support(false)
        // For samples of `plugin profile`. A fault shows fewer.
        .wasm_backtrace_max_frames(NonZeroUsize::new(MAX_FRAMES))
        // By default the variable WASMTIME_BACKTRACE_DETAILS decides. The processes that compile and run the footprint
        // check have another environment than the host, and compiled code depends on this setting.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}
