//! Calls of BPF programs that the kernel has skipped while a test ran.
//!
//! The kernel skips a call of a program that is running on the same CPU already: a softirq has interrupted it. Since
//! Linux 7.0 a tracepoint does not disable preemption, so that another task may have interrupted it as well. The kernel
//! counts such calls (since 5.12), and what they would have recorded is missing.

use std::cell::Cell;
use std::fs;

use crate::common::ledger::Ledger;

thread_local! {
    static MISSES: Cell<u64> = const { Cell::new(0) };
}

/// Adds calls that were skipped in this test.
pub fn add(misses: u64) {
    MISSES.set(MISSES.get() + misses);
}

/// The number of calls that were skipped in this test since the last call of this function.
pub fn take() -> u64 {
    MISSES.take()
}

/// What a host has reported at its end.
pub fn in_ledger(ledger: &Ledger) -> u64 {
    let stages = [Some(&ledger.kernel), ledger.census.as_ref()];
    let stages = stages.into_iter().flatten();
    stages
        .filter_map(|stage| stage.find("recursion_misses"))
        .sum()
}

/// What the kernel tells of the programs that a process has open.
pub fn of_process(pid: u32) -> u64 {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
        return 0; // the process has ended
    };
    let infos =
        descriptors.filter_map(|descriptor| fs::read_to_string(descriptor.ok()?.path()).ok());
    infos
        .filter_map(|info| {
            let misses = info
                .lines()
                .find_map(|line| line.strip_prefix("recursion_misses:"))?;
            misses.trim().parse::<u64>().ok()
        })
        .sum()
}
