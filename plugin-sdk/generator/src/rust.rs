//! The bindings of the Rust SDK. They are committed: the macro that would make them in each build brings a parser of WIT
//! and a formatter of Rust into the first build of every plugin.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;
use wit_bindgen_core::Files;
use wit_bindgen_core::WorldGenerator as _;
use wit_bindgen_rust::Opts;
use wit_bindgen_rust::Ownership;

use crate::contract;

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

/// The files, each with its content. `sdk` is the directory `plugin-sdk`.
pub(crate) fn files(sdk: &Path) -> Result<Vec<(PathBuf, String)>> {
    let bindings = all().into_iter().map(|bindings| {
        let text = bindings
            .generate(sdk)
            .with_context(|| format!("world {}", bindings.world))?;
        Ok((sdk.join("bindings").join(bindings.file), text))
    });
    bindings.collect()
}

impl Bindings {
    fn generate(&self, sdk: &Path) -> Result<String> {
        let (mut resolve, world) = contract(sdk, self.world)?;
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
