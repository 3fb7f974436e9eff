//! The engine that all plugins share: its settings, and its epochs.

use std::path::Path;
use std::thread;
use std::time::Duration;

use wasmtime::Config;

use super::cache;

/// How often a running plugin is asked whether its time is up.
const EPOCH: Duration = Duration::from_millis(5);

/// Native stack that a plugin may use in bytes.
const STACK: usize = 512 << 10;

/// The engine of all plugins.
#[derive(Clone)]
pub struct Engine {
    pub(super) wasmtime: wasmtime::Engine,
}

impl Engine {
    /// An engine that keeps compiled code in the user's cache directory.
    pub fn new() -> wasmtime::Result<Engine> {
        Engine::with_cache(cache::open())
    }

    /// An engine that keeps it in this directory, as long as nobody else may write there.
    pub fn with_cache_in(directory: &Path) -> wasmtime::Result<Engine> {
        Engine::with_cache(cache::open_at(directory))
    }

    /// An engine that compiles every time.
    pub fn without_cache() -> wasmtime::Result<Engine> {
        Engine::with_cache(None)
    }

    fn with_cache(cache: Option<wasmtime::Cache>) -> wasmtime::Result<Engine> {
        let mut config = Config::new();
        // Guards and reservations stay as they are: without them a plugin is 25-50 % slower.
        config
            .cache(cache)
            .epoch_interruption(true)
            // An empty call takes 279 ns without it, 849 ns with it.
            .concurrency_support(false)
            .max_wasm_stack(STACK);
        let wasmtime = wasmtime::Engine::new(&config)?;
        tick(&wasmtime);
        Ok(Engine { wasmtime })
    }
}

/// Advances the epoch for as long as the engine lives.
fn tick(engine: &wasmtime::Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(EPOCH);
        }
    });
}
