//! Threads of the host: each has a name, and a stack size that does not depend on the environment.

use std::thread::Builder;
use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;

/// Stack size in bytes: Rust's default. It is set explicitly because the variable `RUST_MIN_STACK` would replace the
/// default: with too small a stack the host crashes, and with too large a one the thread cannot be started.
const STACK_SIZE: usize = 2 << 20;

/// A builder of a thread with this name. A thread that runs plugins needs a stack of
/// [`THREAD_STACK`](crate::plugin::THREAD_STACK) instead.
pub fn named(name: &str) -> Builder {
    Builder::new().name(name.to_owned()).stack_size(STACK_SIZE)
}

/// CPU time that the calling thread has used. This is a system call, which takes 250 to 550 ns.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}
