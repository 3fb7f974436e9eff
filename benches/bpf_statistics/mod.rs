//! The kernel's statistics of BPF programs.

use std::fs;
use std::os::fd::FromRawFd as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use anyhow::Result;
use anyhow::ensure;
use libbpf_rs::libbpf_sys;

/// Has the kernel measure the runs of all BPF programs as long as the descriptor is open.
pub fn enable_statistics() -> Result<OwnedFd> {
    // SAFETY: the call has no pointers, and the descriptor that it returns belongs to the caller.
    let fd = unsafe { libbpf_sys::bpf_enable_stats(libbpf_sys::BPF_STATS_RUN_TIME) };
    ensure!(
        fd >= 0,
        "cannot enable the statistics of BPF programs: error {fd}"
    );
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The files with the statistics of a process's BPF programs.
pub fn programs_of(pid: u32) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo"))?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let paths = paths.collect::<Result<Vec<_>>>()?.into_iter();
    let is_program =
        |path: &PathBuf| fs::read_to_string(path).is_ok_and(|info| info.contains("prog_type:"));
    Ok(paths.filter(is_program).collect())
}
