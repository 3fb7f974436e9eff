//! The last run of each kernel in docs/kernels.md, between two marks.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;

use crate::image::REPOSITORY;
use crate::report::Report;

const BEGIN: &str = "<!-- begin of the last run -->\n";
const END: &str = "<!-- end of the last run -->\n";

/// Replaces the last run.
pub fn write(report: &Report) -> Result<()> {
    let path = Path::new(REPOSITORY).join("docs/kernels.md");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (before, rest) = text
        .split_once(BEGIN)
        .context("docs/kernels.md has no begin of the last run")?;
    let (_, after) = rest
        .split_once(END)
        .context("docs/kernels.md has no end of the last run")?;
    let run = format!(
        "{BEGIN}\n{}\n## What kernels lack\n\n{}\n## Versions\n\n{}\n{END}",
        report.table(),
        report.lacks(),
        report.versions()
    );
    fs::write(&path, format!("{before}{run}{after}"))
        .with_context(|| format!("cannot write {}", path.display()))
}
