//! Generates the parts of the SDKs that follow from the contract, `plugin-sdk/wit`, and from the table of fields,
//! `retrans_event::FIELDS`: one module a language.
//!
//! The files are committed. `cargo run -p sdk-generator` writes them; a test compares them with what it would write.

mod c;
mod fields;
mod go;
mod javascript;
mod python;
mod rust;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::wit_parser::WorldId;

/// The directory `plugin-sdk`.
fn sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The contract, and one of its worlds.
fn contract(sdk: &Path, world: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(sdk.join("wit"))?;
    let world = resolve.select_world(&[package], Some(world))?;
    Ok((resolve, world))
}

/// The generated files of all languages, each with its content.
///
/// # Errors
///
/// If the contract cannot be read, or if no bindings can be made for a world.
pub fn generate() -> Result<Vec<(PathBuf, String)>> {
    let sdk = sdk();
    let languages = [
        rust::files(&sdk).context("Rust")?,
        c::files(&sdk).context("C")?,
        go::files(&sdk).context("Go")?,
        python::files(&sdk).context("Python")?,
        javascript::files(&sdk).context("JavaScript")?,
    ];
    Ok(languages.concat())
}

/// Writes the files.
///
/// # Errors
///
/// Those of [`generate`], and if a file cannot be written.
pub fn write() -> Result<()> {
    for (path, text) in generate()? {
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = parent.and_then(|()| fs::write(&path, text));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_those_of_the_contract_and_the_fields() {
        for (path, text) in generate().expect("the contract is valid") {
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == text,
                "{} is stale: cargo run -p sdk-generator",
                path.display()
            );
        }
    }
}
