//! Components that nobody would build on purpose, from WIT and the text format.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;
use wit_component::ComponentEncoder;
use wit_component::StringEncoding;
use wit_component::dummy_module;
use wit_component::embed_component_metadata;
use wit_parser::LiftLowerAbi;
use wit_parser::ManglingAndAbi;
use wit_parser::Resolve;

/// The contract.
pub const CONTRACT: &str = include_str!("../../plugin-sdk/wit/plugin.wit");

/// A core module that implements the processor of the contract, with `body` as the code of
/// `describe` and `imports` before it.
pub fn processor_module(imports: &str, body: &str) -> String {
    let export = |function: &str, parameters: &str, body: &str| {
        format!(
            r#"(func (export "retrans:plugin/processor@0.1.0#{function}")
                (param {parameters}) (result i32) {body} unreachable)"#
        )
    };
    let describe = export("describe", "", body);
    let configure = export("configure", "i32 i32", "");
    let process = export("process", "i32 i32 i32 i32", "");
    format!(
        r#"(module {imports} (memory (export "memory") 1) {describe} {configure} {process}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))"#
    )
}

/// A component of a world in the last of these packages. All that it exports is `unreachable`.
pub fn unimplemented(packages: &[&str], world: &str) -> Result<Vec<u8>> {
    component(packages, world, None)
}

/// A component of a world in the last of these packages, around a core module in the text format.
pub fn implemented(packages: &[&str], world: &str, module: &str) -> Result<Vec<u8>> {
    component(packages, world, Some(module))
}

fn component(packages: &[&str], world: &str, module: Option<&str>) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let mut last = Vec::new();
    for package in packages {
        last = vec![resolve.push_str("inline.wit", package)?];
    }
    let world = resolve.select_world(&last, Some(world))?;
    let mut module = match module {
        Some(text) => wat::parse_str(text)?,
        None => dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync)),
    };
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.encode()
}

/// A directory of made-up files, gone when it is dropped.
pub struct Files(TempDir);

impl Files {
    /// An empty one.
    pub fn new() -> Files {
        Files(tempfile::tempdir().expect("a temporary directory"))
    }

    /// Where the files are.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file; its path.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a temporary file can be written");
        path
    }
}
