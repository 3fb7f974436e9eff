//! `plugin componentize`: makes the component of a plugin from a core module.

use std::fs;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use bytesize::ByteSize;
use tempfile::Builder;

use super::super::print_result;
use crate::plugin::componentize;

/// Makes the component, and writes it as a whole. An earlier one is replaced, as by any compiler.
pub fn componentize(module: &Path, output: &Path) -> Result<()> {
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let component =
        componentize::component(&bytes).with_context(|| module.display().to_string())?;
    write(output, &component).with_context(|| format!("cannot write {}", output.display()))?;
    let size = ByteSize(component.len() as u64);
    print_result(&format!("{}: {size}\n", output.display()))
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut unfinished = Builder::new();
    // As any other new file: the mask of the process applies.
    unfinished.permissions(Permissions::from_mode(0o666));
    let mut unfinished = unfinished.tempfile_in(directory.unwrap_or(Path::new(".")))?;
    unfinished.write_all(bytes)?;
    unfinished.persist(file)?;
    Ok(())
}
