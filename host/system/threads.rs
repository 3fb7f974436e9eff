//! Threads of the host: named, and with a stack that the environment does not size.

use std::thread::Builder;
use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;

/// What Rust gives a thread, unless the variable `RUST_MIN_STACK` says otherwise: too little of it is
/// a crash, too much is a thread that cannot be started.
const STACK: usize = 2 << 20;

/// A thread that is still to be started; one that runs plugins needs
/// [`THREAD_STACK`](crate::plugin::THREAD_STACK).
pub fn named(name: &str) -> Builder {
    Builder::new().name(name.to_owned()).stack_size(STACK)
}

/// CPU time that the calling thread has used. A system call: 250 to 550 ns.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}
