//! Generates the bindings of the Rust SDK from `plugin-sdk/wit`.
//!
//! They are committed: the macro that would make them in each build brings a parser of WIT and a formatter of Rust into
//! the first build of every plugin. `cargo run -p sdk-generator` writes them; a test compares them with the contract.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use wit_bindgen_core::Files;
use wit_bindgen_core::WorldGenerator as _;
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_rust::Opts;
use wit_bindgen_rust::Ownership;

/// The bindings of one world.
struct Bindings {
    world: &'static str,
    file: &'static str,
    export_macro: &'static str,
    ownership: Ownership,
}

/// A component has the exports of all worlds that its crate exports.
fn all() -> [Bindings; 2] {
    [
        Bindings {
            world: "ticking-plugin",
            file: "plugin.rs",
            export_macro: "export_component",
            ownership: Ownership::Borrowing {
                duplicate_if_necessary: true,
            },
        },
        Bindings {
            world: "stateful",
            file: "state.rs",
            export_macro: "export_state_component",
            ownership: Ownership::Owning,
        },
    ]
}

/// The directory of the SDK.
fn sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of the bindings, each with its content.
///
/// # Errors
///
/// If the contract cannot be read, or if no bindings can be made for a world.
pub fn generate() -> Result<Vec<(PathBuf, String)>> {
    let sdk = sdk();
    all()
        .into_iter()
        .map(|bindings| {
            let text = bindings
                .generate(&sdk.join("wit"))
                .with_context(|| format!("world {}", bindings.world))?;
            Ok((sdk.join("bindings").join(bindings.file), text))
        })
        .collect()
}

/// Writes the files.
///
/// # Errors
///
/// Those of [`generate`], and if a file cannot be written.
pub fn write() -> Result<()> {
    for (path, text) in generate()? {
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

impl Bindings {
    fn generate(&self, wit: &Path) -> Result<String> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(wit)?;
        let world = resolve.select_world(&[package], Some(self.world))?;
        let options = Opts {
            format: true,
            ownership: self.ownership,
            pub_export_macro: true,
            export_macro_name: Some(self.export_macro.to_owned()),
            ..Opts::default()
        };
        let mut files = Files::default();
        options.build().generate(&mut resolve, world, &mut files)?;
        let (_, text) = files.iter().next().context("there is no file")?;
        Ok(String::from_utf8(text.to_vec())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bindings_are_those_of_the_contract() {
        for (path, text) in generate().expect("the contract is valid") {
            let committed = fs::read_to_string(&path).expect("it is committed");
            assert!(
                committed == text,
                "{} is stale: cargo run -p sdk-generator",
                path.display()
            );
        }
    }
}
