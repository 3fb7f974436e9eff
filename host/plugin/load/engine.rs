//! The engine that plugins share: its settings, its epochs, and where compiled code comes from.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use wasmtime::Config;
use wasmtime::EngineWeak;
use wasmtime::WasmBacktraceDetails;

use super::cache::Cache;
use crate::plugin::spec::limits::Limits;
use crate::system::threads;

/// How often a running plugin is asked whether its time is up.
const EPOCH: Duration = Duration::from_millis(5);

/// Address space that wasmtime reserves for each linear memory, and the guard at each of its ends: its
/// own defaults. Without them every access is checked, and a plugin is 25-50 % slower.
pub(crate) const RESERVATION: u64 = 4 << 30;
pub(crate) const GUARD: u64 = 32 << 20;

/// The program that is running. Not what it links to: the file there may be another version by now.
pub(crate) const THIS_PROGRAM: &str = "/proc/self/exe";

/// The engines of all plugins.
///
/// The stack that a plugin may use is a setting of wasmtime's engine, so that there is one for each
/// size: most often one.
#[derive(Clone)]
pub struct Engine {
    by_stack: Arc<Mutex<BTreeMap<usize, wasmtime::Engine>>>,
    pub(crate) cache: Arc<Option<Cache>>,
    pub(crate) compiler: Compiler,
}

/// Where WebAssembly is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiler {
    /// In a process of its own, which is this program: it can be given limits, and nothing that
    /// happens in it harms this one. What is compiled is checked in another one ([`super::footprint`]).
    Process(PathBuf),
    /// Here, without limits, and without a footprint check: for fuzzing.
    Here,
}

impl Compiler {
    /// A process of the program that is running.
    pub fn this_program() -> Compiler {
        Compiler::Process(THIS_PROGRAM.into())
    }
}

impl Engine {
    /// An engine that keeps compiled code in the user's cache directory.
    pub fn new() -> wasmtime::Result<Engine> {
        Engine::with(Compiler::this_program(), Cache::of_user())
    }

    /// An engine that keeps it in this directory, as long as nobody else may write there.
    pub fn with_cache_in(directory: &Path, compiler: Compiler) -> wasmtime::Result<Engine> {
        Engine::with(compiler, Cache::in_directory(directory))
    }

    /// An engine that compiles every time.
    pub fn without_cache(compiler: Compiler) -> wasmtime::Result<Engine> {
        Engine::with(compiler, None)
    }

    fn with(compiler: Compiler, cache: Option<Cache>) -> wasmtime::Result<Engine> {
        let engine = Engine {
            by_stack: Arc::default(),
            cache: Arc::new(cache),
            compiler,
        };
        // If wasmtime does not run here at all, it is said before any plugin is blamed.
        engine.with_stack(Limits::default().stack)?;
        Ok(engine)
    }

    /// Wasmtime's engine for plugins with so many bytes of stack.
    pub(crate) fn with_stack(&self, stack: usize) -> wasmtime::Result<wasmtime::Engine> {
        let mut engines = self.by_stack.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&stack) {
            return Ok(engine.clone());
        }
        let mut config = config();
        config.max_wasm_stack(stack);
        // Nothing here is async, but wasmtime checks it: more than its 2 MiB would be refused.
        config.async_stack_size(stack);
        let engine = wasmtime::Engine::new(&config)?;
        tick(engine.weak())?;
        engines.insert(stack, engine.clone());
        Ok(engine)
    }
}

/// The settings that compiled code depends on.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .memory_reservation(RESERVATION)
        .memory_guard_size(GUARD)
        .epoch_interruption(true)
        // An empty call takes 279 ns without it, 849 ns with it.
        .concurrency_support(false)
        // By default the variable WASMTIME_BACKTRACE_DETAILS decides, and the processes that compile
        // and try have another environment than the host.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// Advances the epoch for as long as the engine lives.
fn tick(engine: EngineWeak) -> io::Result<()> {
    let ticking = threads::named("epochs").spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(EPOCH);
        }
    });
    ticking.map(drop)
}
