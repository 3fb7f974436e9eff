//! `plugin componentize`: makes the component of a plugin from a core module.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use bytesize::ByteSize;

use super::super::print_result;
use crate::plugin::componentize;
use crate::system::whole_file;

/// Makes the component, and writes it as a whole. An earlier one is replaced, as by any compiler.
pub fn componentize(module: &Path, output: &Path) -> Result<()> {
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let component =
        componentize::component(&bytes).with_context(|| module.display().to_string())?;
    whole_file::write(output, &component, true)
        .with_context(|| format!("cannot write {}", output.display()))?;
    let size = ByteSize(component.len() as u64);
    print_result(&format!("{}: {size}\n", output.display()))
}
