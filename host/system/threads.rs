//! Threads of the host: each has a name, a stack size that does not depend on the environment, and no capabilities.

use std::io;
use std::thread;
use std::thread::JoinHandle;
use std::thread::Scope;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use rustix::thread::CapabilitySet;
use rustix::time::ClockId;
use rustix::time::clock_gettime;

use super::privileges;

/// Stack size in bytes: Rust's default. It is set explicitly because the variable `RUST_MIN_STACK` would replace the
/// default: with too small a stack the host crashes, and with too large a one the thread cannot be started.
const STACK_SIZE: usize = 2 << 20;

/// A thread that is not started yet.
#[derive(Debug)]
pub struct Thread {
    builder: thread::Builder,
    kept: CapabilitySet,
}

/// A thread with this name. A thread that runs plugins needs another
/// [`stack_size`](Thread::stack_size).
///
/// A new thread has the capabilities of the thread that starts it, and drops them first.
pub fn named(name: &str) -> Thread {
    Thread {
        builder: thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK_SIZE),
        kept: CapabilitySet::empty(),
    }
}

impl Thread {
    /// Sets the size of its stack in bytes.
    pub fn stack_size(self, bytes: usize) -> Thread {
        Thread {
            builder: self.builder.stack_size(bytes),
            ..self
        }
    }

    /// The capabilities that it keeps, if it has them.
    pub fn keeping(self, kept: CapabilitySet) -> Thread {
        Thread { kept, ..self }
    }

    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system refuses a further thread.
    pub fn spawn<T: Send + 'static>(
        self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let Thread { builder, kept } = self;
        builder.spawn(move || confined(kept, run))
    }

    /// Starts a thread that ends within `scope`.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Thread::spawn).
    pub fn spawn_scoped<'scope, T: Send + 'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        run: impl FnOnce() -> T + Send + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        let Thread { builder, kept } = self;
        builder.spawn_scoped(scope, move || confined(kept, run))
    }
}

/// Drops capabilities of the calling thread, then runs.
fn confined<T>(kept: CapabilitySet, run: impl FnOnce() -> T) -> T {
    if let Err(error) = privileges::keep_only(kept) {
        tracing::warn!("{error:#}; the thread keeps its capabilities");
    }
    run()
}

/// CPU time that the calling thread has used. This is a system call, which takes 250 to 550 ns.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}
