//! The last run in docs/kernels.md, between two marks.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use jiff::Timestamp;

use crate::command::output;
use crate::image::REPOSITORY;
use crate::report::Report;

const BEGIN: &str = "<!-- begin of the last run -->\n";
const END: &str = "<!-- end of the last run -->\n";

/// Replaces the last run. `qemu` is QEMU's version.
pub fn write(report: &Report, qemu: &str) -> Result<()> {
    let path = Path::new(REPOSITORY).join("docs/kernels.md");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (before, rest) = text
        .split_once(BEGIN)
        .context("docs/kernels.md has no begin of the last run")?;
    let (_, after) = rest
        .split_once(END)
        .context("docs/kernels.md has no end of the last run")?;
    let mut git = Command::new("git");
    let commit = output(
        git.args(["describe", "--always", "--dirty"])
            .current_dir(REPOSITORY),
    )?;
    let run = format!(
        "{BEGIN}\nRun on {} with commit `{}`, {}.\n\n{}\n## What kernels lack\n\n{}\n## Versions\n\n{}\n{END}",
        Timestamp::now().strftime("%Y-%m-%d"),
        commit.trim(),
        qemu,
        report.table(),
        report.lacks(),
        report.versions()
    );
    fs::write(&path, format!("{before}{run}{after}"))
        .with_context(|| format!("cannot write {}", path.display()))
}
