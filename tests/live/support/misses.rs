//! Calls of BPF programs that the kernel has skipped while a test ran.
//!
//! The kernel skips a call of a program that is running on the same CPU already: a softirq has interrupted it. Since
//! Linux 7.0 a tracepoint does not disable preemption, so that another task may have interrupted it as well. The kernel
//! counts such calls (since 5.12), and what they would have recorded is missing.

use std::cell::Cell;
use std::fs;

use anyhow::Result;
use anyhow::bail;

use super::host::Host;
use super::kernel::is_since;
use super::root_test;
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

/// What the kernel tells of the programs that a process has open; `None` before 5.12, and where it has none.
pub fn of_process(pid: u32) -> Option<u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).ok()?;
    let infos =
        descriptors.filter_map(|descriptor| fs::read_to_string(descriptor.ok()?.path()).ok());
    let misses = infos.filter_map(|info| {
        let misses = info
            .lines()
            .find_map(|line| line.strip_prefix("recursion_misses:"))?;
        misses.trim().parse::<u64>().ok()
    });
    misses.reduce(|sum, misses| sum + misses)
}

#[test]
fn root_the_kernel_tells_what_it_has_skipped_of_a_running_host() -> Result<()> {
    root_test(|root| {
        let host = Host::start(root, &[])?;
        assert_eq!(of_process(host.pid()).is_some(), is_since(5, 12)?);
        host.stop()?;
        Ok(())
    })
}

#[test]
fn root_a_test_that_fails_is_repeated_where_the_kernel_has_skipped_a_call() -> Result<()> {
    let attempts = Cell::new(0);
    root_test(|_| {
        attempts.set(attempts.get() + 1);
        if attempts.get() == 1 {
            add(1);
            bail!("an event is missing");
        }
        assert_eq!(attempts.get(), 2);
        Ok(())
    })
}
