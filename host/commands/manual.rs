//! `completions` and `man`: what helps to type and to look up command lines.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;

use super::print_result;

/// Prints a script or a manual page.
pub fn print(text: &str) -> Result<()> {
    print_result(text)
}

/// Writes manual pages to a directory, which is made if it does not exist.
pub fn write(directory: &Path, pages: &[(String, String)]) -> Result<()> {
    let failed = || format!("cannot write manual pages to {}", directory.display());
    fs::create_dir_all(directory).with_context(failed)?;
    pages
        .iter()
        .try_for_each(|(name, page)| fs::write(directory.join(name), page))
        .with_context(failed)
}
