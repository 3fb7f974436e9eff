//! Invalid, hostile and unusual components, built from WIT and the text format.

use std::fmt::Write as _;
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

/// A component of a world in the last of these packages. Each of its exports is `unreachable`.
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

/// A plugin with this many functions of a hundred additions each: slow to compile.
pub fn large(functions: usize) -> Vec<u8> {
    let mut code = String::new();
    for function in 0..functions {
        let _ = write!(code, "(func (param i32) (result i32) local.get 0");
        for step in 0..100 {
            let _ = write!(code, " i32.const {} i32.add", function * step + 1);
        }
        code.push(')');
    }
    let module = processor_module("", "").replace("(memory", &format!("{code} (memory"));
    implemented(&[CONTRACT], "plugin", &module).expect("a component")
}

/// The component with another one inside, given in the text format, and one instance of that.
pub fn with_inner(mut component: Vec<u8>, inner: &str) -> Result<Vec<u8>> {
    const HEADER: usize = 8;
    const COMPONENT: u8 = 4;
    const INSTANCE: u8 = 5;
    let mut inside = 0;
    let mut rest = &component[HEADER..];
    while let [id, sized @ ..] = rest {
        inside += u8::from(*id == COMPONENT);
        rest = skip_section(sized);
    }
    let inner = wat::parse_str(inner)?;
    component.push(COMPONENT);
    component.extend(leb128(inner.len()));
    component.extend(inner);
    // One instance, of the inner component, without arguments.
    component.extend([INSTANCE, 4, 1, 0, inside, 0]);
    Ok(component)
}

/// The bytes behind a section, which starts with its length.
fn skip_section(bytes: &[u8]) -> &[u8] {
    let last = bytes.iter().position(|byte| byte & 0x80 == 0);
    let (length, section) = bytes.split_at(last.expect("a length") + 1);
    let length = length
        .iter()
        .rev()
        .fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
    &section[length..]
}

fn leb128(number: usize) -> Vec<u8> {
    let (low, high) = ((number & 0x7f) as u8, number >> 7);
    match high {
        0 => vec![low],
        _ => [vec![low | 0x80], leb128(high)].concat(),
    }
}

/// A component of `count` nested instances without contents. It is less than a megabyte when compiled,
/// and some hundred megabytes once the host has loaded it.
pub fn instances_in_instances(count: usize) -> String {
    let level = |name, of, count| {
        let instances = "(instance (instantiate $c))".repeat(count);
        format!("(component {name} (alias outer 1 {of} (component $c)) {instances})")
    };
    format!(
        "(component (component $leaf) {} {} {})",
        level("$middle", "$leaf", 900),
        level("$outer", "$middle", 900),
        "(instance (instantiate $outer))".repeat(count)
    )
}

/// A temporary directory, deleted when it is dropped.
pub struct Files(TempDir);

impl Files {
    /// Makes an empty one.
    pub fn new() -> Files {
        Files(tempfile::tempdir().expect("a temporary directory"))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a temporary file can be written");
        path
    }
}
