//! The list of kernels that are run by default, `kernels.txt`.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use crate::kernel::Kernel;
use crate::packages::Apt;

const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels.txt");

/// The kernels.
pub fn kernels() -> Result<Vec<Kernel>> {
    let list = fs::read_to_string(LIST).with_context(|| format!("cannot read {LIST}"))?;
    let lines = list.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::parse)
        .collect()
}

/// Adds a kernel, if Debian has it; its newest package and version.
pub fn add(kernel: &Kernel, apt: &Apt) -> Result<(String, String)> {
    ensure!(!kernels()?.contains(kernel), "{kernel} is in the list");
    let newest = apt.newest(kernel)?;
    let list = fs::read_to_string(LIST).with_context(|| format!("cannot read {LIST}"))?;
    fs::write(LIST, format!("{list}{kernel}\n")).with_context(|| format!("cannot write {LIST}"))?;
    Ok(newest)
}
