//! Samples of what a plugin executes: backtraces that are taken at the ends of epochs.
//!
//! WebAssembly looks for the end of an epoch where a function begins and where a loop repeats, so that a sample is taken at
//! the next such place. Functions of the host do not look: a sample that is due in one is taken after its return.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use wasmtime::AsContext;
use wasmtime::WasmBacktrace;

use super::fault::function_name;

/// Maximum number of different stacks. Samples of others are counted alone.
const MAX_STACKS: usize = 100_000;

/// Samples by stack, shared by all instances that are sampled.
#[derive(Debug, Clone, Default)]
pub struct Samples(Arc<Mutex<Stacks>>);

/// The numbers of samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stacks {
    /// For each stack, from its outermost function to the running one.
    pub by_stack: HashMap<Vec<String>, u64>,
    /// Of stacks beyond the maximum number of different ones.
    pub other: u64,
}

impl Samples {
    /// The samples so far.
    pub fn stacks(&self) -> Stacks {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes a sample of the stack of a running store.
    pub(crate) fn take(&self, store: impl AsContext) {
        let backtrace = WasmBacktrace::force_capture(store);
        let stack = backtrace.frames().iter().rev().map(function_name);
        let stack: Vec<String> = stack.collect();
        let mut stacks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stacks.by_stack.len() >= MAX_STACKS && !stacks.by_stack.contains_key(&stack) {
            stacks.other += 1;
        } else {
            *stacks.by_stack.entry(stack).or_default() += 1;
        }
    }
}
