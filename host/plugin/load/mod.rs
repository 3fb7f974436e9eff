//! From a file to a component that fits the contract, or a clear word why it does not.

pub mod cache;
pub mod component;
pub mod engine;
pub mod regular;
pub mod sealed;

use std::path::Path;

use wasmtime::component::Component;
use wasmtime::component::InstancePre;
use wasmtime::component::Linker;
use wasmtime::component::types::ComponentItem;

use super::load::cache::Key;
use super::load::component::ReadError;
use super::load::engine::Compiler;
use super::load::engine::Engine;
use super::runtime::contract;
use super::runtime::contract::ExportIndices;
use super::runtime::contract::PACKAGE;
use super::runtime::contract::VERSION;
use super::runtime::store::HostState;
use super::spec::Spec;
use super::spec::digest::Digest;
use super::wasi;
use super::worker::compile;
use super::worker::compile::CompileError;
use super::worker::footprint;
use super::worker::footprint::Checked;
use super::worker::footprint::FootprintError;
use crate::system::sanitize::one_line;
use crate::system::sanitize::quoted;

/// Why a component cannot be used. Says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its bytes cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Anything but WebAssembly.
    #[error(
        "not WebAssembly: it does not begin with \\0asm; give the .wasm file that \
         `cargo build --release --target wasm32-wasip2` makes"
    )]
    NotWasm,
    /// A core module.
    #[error(
        "a core module, not a component: build it for wasm32-wasip2, or wrap it with \
         `wasm-tools component new`"
    )]
    CoreModule,
    /// Another file than the one that was meant.
    #[error("sha256 is {found}, expected {expected}: it is not the file that was meant")]
    OtherDigest {
        /// That of the file.
        found: Digest,
        /// That on the command line.
        expected: Digest,
    },
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The host cannot hold it, or that could not be checked.
    #[error(transparent)]
    Footprint(#[from] FootprintError),
    /// Its compiled code cannot be read.
    #[error("cannot use its compiled code: {0}")]
    Code(String),
    /// A component of some other world.
    #[error(
        "a component, but not a retrans-host plugin: it does not export {PACKAGE}/processor; \
         docs/writing-plugins.md says how to build one"
    )]
    OtherWorld,
    /// Another version of the contract.
    #[error(
        "this plugin speaks {PACKAGE} {0}, this host speaks {VERSION}; rebuild it with the plugin \
         SDK of this host"
    )]
    OtherVersion(String),
    /// An import that is not offered.
    #[error(
        "it imports {0}, which is not offered to plugins: there is no network, and files and \
         environment are there only where the operator grants them"
    )]
    Import(String),
    /// Names that fit, with types that do not.
    #[error("it does not fit {PACKAGE} {VERSION}: {0}")]
    Mismatch(String),
}

impl LoadError {
    /// The limit that was exceeded, if that is the cause.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            LoadError::Read(ReadError::TooLarge(_)) => Some("file"),
            LoadError::Compile(CompileError::Time(_)) => Some("compile-time"),
            LoadError::Compile(CompileError::Crashed { .. }) => Some("compile-memory"),
            LoadError::Footprint(FootprintError::TooLarge { .. }) => Some("footprint"),
            _ => None,
        }
    }
}

/// A component that fits: compiled, checked, linked.
pub(crate) struct Loaded {
    pub(crate) digest: Digest,
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) exports: ExportIndices,
    /// The full name of the timer interface, where it is exported.
    pub(crate) timer: Option<String>,
    /// The full name of the state interface, where it is exported.
    pub(crate) state: Option<String>,
}

/// Reads, compiles, checks and links.
pub(crate) fn load(engine: &Engine, spec: &Spec) -> Result<Loaded, LoadError> {
    let bytes = component::read(&spec.origin, spec.limits.file)?;
    let found = Digest::of(&bytes);
    if let Some(expected) = spec.digest.filter(|expected| *expected != found) {
        return Err(LoadError::OtherDigest { found, expected });
    }
    check_header(&bytes)?;
    fit(compiled(engine, &bytes, found, spec)?, found)
}

/// Checks and links.
pub(crate) fn fit(component: Component, digest: Digest) -> Result<Loaded, LoadError> {
    let engine = component.engine();
    let exports = component.component_type();
    let exports = exports.exports(engine).map(|(name, _)| name.to_owned());
    let exports: Vec<String> = exports.collect();
    let export = |interface: &str| {
        let prefix = format!("{PACKAGE}/{interface}@");
        exports
            .iter()
            .find(|name| name.starts_with(&prefix))
            .cloned()
    };
    check_version(&export("processor").ok_or(LoadError::OtherWorld)?)?;
    let mismatch = |error| LoadError::Mismatch(one_line(&error));
    let linker = link(engine, &component)?;
    let pre = linker.instantiate_pre(&component).map_err(mismatch)?;
    Ok(Loaded {
        digest,
        exports: ExportIndices::new(&pre).map_err(mismatch)?,
        pre,
        timer: export("timer"),
        state: export("state"),
    })
}

/// The component's code: what was kept of it, or newly made.
fn compiled(
    engine: &Engine,
    bytes: &[u8],
    digest: Digest,
    spec: &Spec,
) -> Result<Component, LoadError> {
    let code = |error: wasmtime::Error| LoadError::Code(one_line(&error));
    let wasmtime = engine.with_stack(spec.limits.stack).map_err(code)?;
    let program = match &engine.compiler {
        Compiler::Process(program) => program,
        Compiler::Here => {
            let component = Component::new(&wasmtime, bytes);
            return component.map_err(|error| CompileError::Invalid(one_line(&error)).into());
        }
    };
    let limits = &spec.limits;
    let key = Key::new(digest, &wasmtime, limits.footprint);
    let cache = engine.cache.as_ref().as_ref();
    if let Some(kept) = cache.and_then(|cache| cache.find(&key))
        && let Ok(component) = read_code(&wasmtime, &kept.path())
    {
        return Ok(component);
    }
    let made = compile::in_process(program, bytes, limits)?;
    let checked = footprint::in_process(program, made.file(), spec)?;
    if let Some(cache) = cache.filter(|_| checked == Checked::Whole) {
        cache.keep(&key, made.file());
    }
    read_code(&wasmtime, &made.path()).map_err(code)
}

/// Compiled code from a file, by its path: wasmtime takes nothing else.
pub(crate) fn read_code(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file is sealed memory (`Sealed`) with what `compile::in_process` has made: just now,
    // or earlier and kept in a directory where no process with fewer privileges can write
    // (`cache::open_in`), with a digest that still fits. `footprint::child::run` alone reads what any process may
    // have given it, and has no privileges then. Code of another version, processor or setting is
    // refused by wasmtime.
    unsafe { Component::deserialize_file(engine, path) }
}

/// Magic number, version and layer, as in the specifications of modules and components.
fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [0, b'a', b's', b'm', ..] => Ok(()),
        _ => Err(LoadError::NotWasm),
    }
}

/// Before 1.0 every minor version is another contract.
fn check_version(interface: &str) -> Result<(), LoadError> {
    let minor = |version: &str| {
        let mut parts = version.split('.').map(str::to_owned);
        (parts.next(), parts.next())
    };
    let version = interface
        .rsplit_once('@')
        .map_or("", |(_, version)| version);
    if minor(version) == minor(VERSION) {
        Ok(())
    } else {
        Err(LoadError::OtherVersion(quoted(version)))
    }
}

fn link(engine: &wasmtime::Engine, component: &Component) -> Result<Linker<HostState>, LoadError> {
    let mismatch = |error: wasmtime::Error| LoadError::Mismatch(one_line(&error));
    let mut linker = Linker::new(engine);
    contract::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state| state)
        .map_err(mismatch)?;
    let host = format!("{PACKAGE}/host@");
    for (name, import) in component.component_type().imports(engine) {
        if name.starts_with(&host) {
            check_version(name)?;
            continue;
        }
        match import.ty {
            ComponentItem::ComponentInstance(interface) if wasi::offers(name) => {
                let mut instance = linker.instance(name).map_err(mismatch)?;
                wasi::link(&mut instance, name, &interface, engine).map_err(mismatch)?;
            }
            // A type that a world uses asks for nothing.
            ComponentItem::Type(_) => {}
            _ => return Err(LoadError::Import(quoted(name))),
        }
    }
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_component_cannot_steer_the_terminal() {
        let error = wasmtime::Error::msg("export name `\x1b[2J\0`\n  is not valid");
        let line = "export name `\u{fffd}[2J\u{fffd}` is not valid";
        assert_eq!(one_line(&error), line);
    }

    #[test]
    fn before_1_0_another_minor_version_is_another_contract() {
        assert!(check_version("retrans:plugin/processor@0.1.0").is_ok());
        assert!(check_version("retrans:plugin/processor@0.1.7").is_ok());
        assert!(check_version("retrans:plugin/processor@0.2.0").is_err());
        assert!(check_version("retrans:plugin/processor@1.1.0").is_err());
    }
}
