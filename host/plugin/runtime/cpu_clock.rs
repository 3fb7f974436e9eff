//! CPU time of the current thread. The thread's clock is read rarely, because reading it is a system call.

use std::cell::Cell;
use std::time::Duration;
use std::time::Instant;

use crate::system::threads::cpu_time;

/// Minimum interval between two readings of the thread's clock. In between, elapsed time counts as CPU time.
const READING_INTERVAL: Duration = Duration::from_micros(100);

thread_local! {
    /// The last reading of the thread's clock, and the time at which it was read.
    static READING: Cell<Option<(Duration, Instant)>> = const { Cell::new(None) };
}

/// Returns the CPU time of the current thread. The difference between two calls may be up to 100 µs too long if the
/// thread did not run all the time.
///
/// Reading the thread's clock is a system call (250 to 550 ns here); reading the monotonic clock is not (25 ns). A call
/// with 256 events may take 6 µs, of which two system calls would be a tenth. So the thread's clock is read at most
/// every 100 µs.
pub fn now() -> Duration {
    READING.with(|reading| {
        if let Some((cpu, at)) = reading.get() {
            let passed = at.elapsed();
            if passed < READING_INTERVAL {
                return cpu + passed;
            }
        }
        let cpu = cpu_time();
        reading.set(Some((cpu, Instant::now())));
        cpu
    })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_that_sleeps_uses_no_cpu_time() {
        let before = now();
        thread::sleep(Duration::from_millis(50));
        let used = now().saturating_sub(before);
        assert!(used < Duration::from_millis(20), "{used:?}");
    }

    #[test]
    fn a_thread_that_works_uses_the_time_that_its_own_clock_shows() {
        let (before, clock) = (now(), cpu_time());
        while cpu_time() - clock < Duration::from_millis(20) {}
        let used = now().saturating_sub(before);
        let least = Duration::from_millis(20) - READING_INTERVAL;
        assert!(used >= least, "{used:?}");
    }
}
