//! The calls of a BPF program that the kernel skipped.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::fd::BorrowedFd;

/// The number of calls that the kernel skipped because the program was already running on that CPU; `None` before 5.12.
pub fn misses(program: BorrowedFd<'_>) -> Option<u64> {
    let fd = program.as_raw_fd();
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    let mut lines = info.lines();
    let misses = lines.find_map(|line| line.strip_prefix("recursion_misses:"))?;
    misses.trim().parse().ok()
}
