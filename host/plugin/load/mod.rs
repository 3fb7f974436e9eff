//! Loads components: reads, compiles and checks them, and links them to the host. Errors state why a component cannot
//! be used.

pub mod cache;
pub mod component;
pub mod engine;
pub mod epochs;
mod interface;
pub mod regular_file;
pub mod sealed_memory;
pub mod signature;

use std::path::Path;

use wasmtime::component::Component;
use wasmtime::component::InstancePre;
use wasmtime::component::Linker;
use wasmtime::component::types::ComponentItem;

use super::bundled;
use super::load::cache::Key;
use super::load::component::ReadError;
use super::load::engine::Engine;
use super::load::signature::SignatureError;
use super::load::signature::Signed;
use super::run::RunInfo;
use super::runtime::contract;
use super::runtime::contract::ExportIndices;
use super::runtime::contract::PACKAGE;
use super::runtime::contract::VERSION;
use super::runtime::store::HostState;
use super::spec::Spec;
use super::spec::digest::Digest;
use super::spec::origin::Origin;
use super::wasi;
use super::worker::compile;
use super::worker::compile::CompileError;
use super::worker::compiler::Compiler;
use super::worker::footprint;
use super::worker::footprint::Checked;
use super::worker::footprint::FootprintError;
use crate::system::progress;
use crate::system::sanitize::one_line;
use crate::system::sanitize::quoted;

/// Why a component cannot be used. The message states what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The component cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is not WebAssembly.
    #[error(
        "not WebAssembly: it does not begin with \\0asm; give the .wasm file that \
         `cargo build --release --target wasm32-wasip2` makes"
    )]
    NotWasm,
    /// The file is a core module, not a component.
    #[error(
        "a core module, not a component: build it for wasm32-wasip2, or wrap it with \
         `wasm-tools component new`"
    )]
    CoreModule,
    /// The file has another digest than the one that was given.
    #[error("sha256 is {found}, expected {expected}: the file is not the expected one")]
    DigestMismatch {
        /// Digest of the file.
        found: Digest,
        /// Digest that the operator gave.
        expected: Digest,
    },
    /// None of the plugin's keys has signed the file.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Compilation failed.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The footprint check failed, or the footprint exceeds its limit.
    #[error(transparent)]
    Footprint(#[from] FootprintError),
    /// The compiled code cannot be loaded.
    #[error("cannot use its compiled code: {0}")]
    CompiledCode(String),
    /// The component implements another world.
    #[error(
        "a component, but not a retrans-host plugin: it does not export {PACKAGE}/processor; \
         see docs/writing-plugins.md for how to build one"
    )]
    WrongWorld,
    /// The component was built for another version of the contract.
    #[error(
        "this plugin was built for {PACKAGE} {0}, this host supports {VERSION}; rebuild it with the plugin \
         SDK of this host"
    )]
    WrongVersion(String),
    /// The component imports something that the host does not offer.
    #[error(
        "it imports {name}, which is not offered to plugins: they have no network, and only those files and \
         environment variables that the operator grants{cure}"
    )]
    Import {
        /// Name of the import.
        name: String,
        /// How to leave it out, after a semicolon. Empty if that is not known.
        cure: String,
    },
    /// The component uses a function of the component model for asynchronous calls.
    #[error(
        "it is built for asynchronous calls ({0}), which plugins do not have: build it without them; \
         `jco componentize --backend qjs` does so with `--backend-qjs-disable-async`"
    )]
    Async(String),
    /// Names of imports or exports match the contract, but their types do not.
    #[error("it does not fit {PACKAGE} {VERSION}: {0}")]
    Mismatch(String),
}

impl LoadError {
    /// Returns the name of the limit that was exceeded, if that is the cause.
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

/// A component that was compiled, checked against the contract, and linked.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) digest: Digest,
    /// The signature that fits it. `None`: none was needed.
    pub(crate) signed: Option<Signed>,
    /// Size of the component in bytes; 0 if it was not read here.
    pub(crate) size: u64,
    /// What the host needs to hold it, in bytes; `None` if that was not measured now.
    pub(crate) footprint: Option<u64>,
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) exports: ExportIndices,
    /// Full name of the timer interface, if the component exports it.
    pub(crate) timer: Option<String>,
    /// Full name of the state interface, if the component exports it.
    pub(crate) state: Option<String>,
    /// Whether it imports the function that returns a census.
    pub(crate) imports_census: bool,
    /// What the plugin is told of the run.
    pub(crate) run: RunInfo,
}

/// Reads, compiles, checks and links the component of a plugin.
pub(crate) fn load(engine: &Engine, spec: &Spec) -> Result<Loaded, LoadError> {
    let bytes = component::read(&spec.origin, spec.limits.file)?;
    let found = Digest::of(&bytes);
    if let Some(expected) = spec.digest.filter(|expected| *expected != found) {
        return Err(LoadError::DigestMismatch { found, expected });
    }
    // Also of code that is in the cache: what was trusted when it was compiled may not be trusted now.
    let signed = signature::check(spec, &bytes)?;
    check_header(&bytes)?;
    interface::check(&bytes)?;
    let (component, footprint) = find_or_compile(engine, &bytes, found, spec)?;
    Ok(Loaded {
        size: bytes.len() as u64,
        signed,
        footprint,
        run: engine.run.clone(),
        ..check_and_link(component, found)?
    })
}

/// The function of the contract that returns a census.
const CENSUS: &str = "census";

/// Checks a compiled component against the contract, and links it to the host.
pub(crate) fn check_and_link(component: Component, digest: Digest) -> Result<Loaded, LoadError> {
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
    check_version(&export("processor").ok_or(LoadError::WrongWorld)?)?;
    let mismatch = |error| LoadError::Mismatch(one_line(&error));
    let linker = link(engine, &component)?;
    let imports_census = imports_census(engine, &component);
    let pre = linker.instantiate_pre(&component).map_err(mismatch)?;
    Ok(Loaded {
        digest,
        signed: None,
        size: 0,
        footprint: None,
        exports: ExportIndices::new(&pre).map_err(mismatch)?,
        pre,
        timer: export("timer"),
        state: export("state"),
        imports_census,
        run: RunInfo::default(),
    })
}

/// Returns the component's compiled code, from the cache or newly compiled, and its footprint in bytes if it was compiled
/// in a process of its own.
fn find_or_compile(
    engine: &Engine,
    bytes: &[u8],
    digest: Digest,
    spec: &Spec,
) -> Result<(Component, Option<u64>), LoadError> {
    let code_error = |error: wasmtime::Error| LoadError::CompiledCode(one_line(&error));
    let wasmtime = engine.with_stack(spec.limits.stack).map_err(code_error)?;
    let compiler = &engine.compiler;
    if let Compiler::ThisProcess = compiler {
        let component = Component::new(&wasmtime, bytes);
        let component = component.map_err(|error| CompileError::Invalid(one_line(&error)))?;
        return Ok((component, None));
    }
    let limits = &spec.limits;
    let key = Key::new(digest, &wasmtime, limits.footprint);
    let cache = engine.cache.as_ref().as_ref();
    if let Some(cached) = cache.and_then(|cache| cache.find(&key))
        && let Ok(component) = deserialize(&wasmtime, &cached.path())
    {
        return Ok((component, None));
    }
    let _shown = engine
        .show_compiling
        .then(|| progress::waiting(format!("compiling plugin {}", spec.name)));
    let compiled = compile::in_child_process(compiler, bytes, limits)?;
    let (footprint, checked) = footprint::in_child_process(compiler, compiled.file(), spec)?;
    if let Some(cache) = cache.filter(|_| checked == Checked::Instantiated) {
        cache.store(&key, compiled.file());
    }
    let component = deserialize(&wasmtime, &compiled.path()).map_err(code_error)?;
    Ok((component, Some(footprint)))
}

/// Loads compiled code from a file. wasmtime maps a file only if it is given by its path.
pub(crate) fn deserialize(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file is sealed memory (`Sealed`) with code that `compile::in_child_process` has produced: just now,
    // or earlier and read from the cache, a directory to which no process with fewer privileges can write
    // (`cache::open_in`), with a checksum that matches. Only `footprint::child::run` loads code that any process may
    // have passed to it, and it has dropped all privileges before. wasmtime refuses code of another version, processor
    // or setting.
    unsafe { Component::deserialize_file(engine, path) }
}

/// Checks magic number, version and layer, as the specifications of modules and components define them.
fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [0, b'a', b's', b'm', ..] => Ok(()),
        _ => Err(LoadError::NotWasm),
    }
}

/// Checks the version of an interface of the contract. Before 1.0, every minor version is an incompatible contract.
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
        Err(LoadError::WrongVersion(quoted(version)))
    }
}

/// Whether the component imports the function of the contract that returns a census.
fn imports_census(engine: &wasmtime::Engine, component: &Component) -> bool {
    let host = format!("{PACKAGE}/host@");
    let component = component.component_type();
    component
        .imports(engine)
        .any(|(name, import)| match import.ty {
            ComponentItem::ComponentInstance(interface) if name.starts_with(&host) => {
                let mut functions = interface.exports(engine);
                functions.any(|(function, _)| function == CENSUS)
            }
            _ => false,
        })
}

/// Returns whether the component of a plugin may import the function that returns a census, without reading it as a
/// component: it has the name of the function somewhere. The programs of the census need privileges that the host has
/// only before it reads untrusted files more closely.
pub fn may_import_census(spec: &Spec) -> bool {
    match &spec.origin {
        Origin::Bundled(name) => bundled::ASKING_FOR_CENSUS.contains(name),
        Origin::File(_) => {
            // Errors are reported when the plugin is loaded.
            let bytes = component::read(&spec.origin, spec.limits.file).unwrap_or_default();
            let mut parts = bytes.windows(CENSUS.len());
            parts.any(|part| part == CENSUS.as_bytes())
        }
    }
}

fn link(engine: &wasmtime::Engine, component: &Component) -> Result<Linker<HostState>, LoadError> {
    let mismatch = |error: wasmtime::Error| LoadError::Mismatch(one_line(&error));
    let mut linker = Linker::new(engine);
    contract::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state| state)
        .map_err(mismatch)?;
    for (name, import) in component.component_type().imports(engine) {
        // An imported type needs no function of the host.
        if let ComponentItem::Type(_) = import.ty {
            continue;
        }
        interface::check_import(name)?;
        match import.ty {
            ComponentItem::ComponentInstance(interface) if wasi::is_offered(name) => {
                let mut instance = linker.instance(name).map_err(mismatch)?;
                wasi::link(&mut instance, name, &interface, engine).map_err(mismatch)?;
            }
            // The contract is linked. wasmtime names an import of the wrong kind.
            _ => {}
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
