//! What the running kernel has, by its version: where a test must expect something else.

use std::fs;

use anyhow::Context;
use anyhow::Result;

/// Returns whether the running kernel is of this series or of a later one.
pub fn is_since(major: u32, minor: u32) -> Result<bool> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next()?.parse().ok();
    let version: Option<(u32, u32)> = next().zip(next());
    let version = version.with_context(|| format!("no version of a kernel: {release}"))?;
    Ok(version >= (major, minor))
}
