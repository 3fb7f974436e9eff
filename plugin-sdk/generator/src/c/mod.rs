//! The files of the SDK of C: bindings, and an accessor for each field.

mod accessors;
mod changes;

use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;
use wit_bindgen_c::Opts;
use wit_bindgen_core::Files;

use crate::contract;

/// The world that all plugins in C have: those without state or ticks answer that they have none.
const WORLD: &str = "stateful-plugin";

/// The files, each with its content. `sdk` is the directory `plugin-sdk`.
pub(crate) fn files(sdk: &Path) -> Result<Vec<(PathBuf, String)>> {
    let to = sdk.join("c/retrans");
    let (mut resolve, world) = contract(sdk, WORLD)?;
    let options = Opts {
        // The host finds the world by the exports.
        no_object_file: true,
        rename_world: Some("bindings".to_owned()),
        ..Opts::default()
    };
    let mut made = Files::default();
    options.build().generate(&mut resolve, world, &mut made)?;
    let mut files = Vec::new();
    for (name, text) in made.iter() {
        let text = String::from_utf8(text.to_vec())?;
        files.push((to.join(name), without_object_file(&text)));
    }
    files.push((to.join("fields.h"), accessors::header()?));
    files.push((to.join("test_fields.c"), changes::source()?));
    Ok(files)
}

/// The bindings without the reference to an object file that tells the linker the world: the host finds it by the exports.
fn without_object_file(text: &str) -> String {
    // The reference is the end of the file.
    let (bindings, _) = text
        .split_once("// Ensure that the *_component_type.o")
        .unwrap_or((text, ""));
    bindings.trim_end().to_owned() + "\n"
}
