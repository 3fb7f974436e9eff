//! What a plugin may use, unless it is told otherwise.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

/// Limits of one plugin. Sizes are in bytes, times are CPU time of the thread that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// `process` with up to 256 events, `tick`, `finish`, `save`, `restore`.
    pub time: Duration,
    /// Each of instantiate, `describe`, `configure`.
    pub start_time: Duration,
    /// Linear memory, over all memories.
    pub memory: usize,
    /// What the host itself needs to hold the plugin: compiled code, what wasmtime keeps of it, and of
    /// one instance without its linear memory.
    pub footprint: u64,
    /// Elements of tables, over all tables.
    pub table: usize,
    /// Core instances: a component is a handful, itself, the adapter of its language, and shims.
    pub instances: usize,
    /// Native stack of its code.
    pub stack: usize,
    /// What one call of the host may hand over, and what one call of the plugin may say in all.
    pub output: usize,
    /// What `save` may return.
    pub state: usize,
    /// Alerts in one call.
    pub alerts: usize,
    /// Label columns in one call.
    pub labels: usize,
    /// Times that one call may count something.
    pub counts: usize,
    /// Log lines a second.
    pub log: u32,
    /// Size of the file.
    pub file: u64,
    /// CPU time of compilation, all threads together; whole seconds.
    pub compile_time: Duration,
    /// Memory of compilation.
    pub compile_memory: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            time: Duration::from_millis(250),
            start_time: Duration::from_secs(2),
            memory: 64 << 20,
            footprint: 256 << 20,
            table: 100_000,
            instances: 64,
            stack: 512 << 10,
            output: 8 << 20,
            state: 16 << 20,
            alerts: 10_000,
            labels: 256,
            counts: 256,
            log: 100,
            file: 64 << 20,
            compile_time: Duration::from_secs(120),
            compile_memory: 2 << 30,
        }
    }
}

/// The largest stack that a plugin may be given: threads that run plugins have room for it.
pub const MOST_STACK: usize = 8 << 20;

/// Stack of a thread that runs plugins: theirs, and room for the host.
pub const THREAD_STACK: usize = MOST_STACK + (2 << 20);
