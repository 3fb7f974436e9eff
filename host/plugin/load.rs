//! From a file to a component that fits the contract, or a clear word why it does not.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use wasmtime::component::Component;
use wasmtime::component::InstancePre;
use wasmtime::component::Linker;
use wasmtime::component::types::ComponentItem;

use super::contract;
use super::contract::PACKAGE;
use super::contract::VERSION;
use super::engine::Engine;
use super::state::State;
use super::wasi;

/// Where a plugin's component comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Embedded in the host, under this name.
    Bundled(&'static str),
    /// A file.
    File(PathBuf),
}

impl Origin {
    fn read(&self) -> Result<Vec<u8>, LoadError> {
        match self {
            Origin::Bundled(name) => crate::bundled::component(name)
                .map(<[u8]>::to_vec)
                .ok_or(LoadError::NotBundled),
            Origin::File(path) => fs::read(path).map_err(|error| LoadError::Read {
                path: path.clone(),
                error,
            }),
        }
    }
}

/// Why a component cannot be used. Says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No such bundled plugin.
    #[error("not one of the bundled plugins")]
    NotBundled,
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
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
    /// Damaged, or with WebAssembly features that this host does not have.
    #[error("not a valid component: {0}")]
    Invalid(String),
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
        "it imports {0}, which is not offered to plugins: they have no files, no network and no \
         environment"
    )]
    Import(String),
    /// Names that fit, with types that do not.
    #[error("it does not fit {PACKAGE} {VERSION}: {0}")]
    Mismatch(String),
}

/// A component that fits: compiled, checked, linked.
pub(super) struct Loaded {
    pub(super) pre: InstancePre<State>,
    /// The full name of the timer interface, where it is exported.
    pub(super) timer: Option<String>,
}

/// Reads, compiles, checks and links.
pub(super) fn load(engine: &Engine, origin: &Origin) -> Result<Loaded, LoadError> {
    let bytes = origin.read()?;
    check_header(&bytes)?;
    let engine = &engine.wasmtime;
    let component =
        Component::new(engine, &bytes).map_err(|error| LoadError::Invalid(one_line(&error)))?;
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
    let linker = link(engine, &component)?;
    let pre = linker.instantiate_pre(&component);
    Ok(Loaded {
        pre: pre.map_err(|error| LoadError::Mismatch(one_line(&error)))?,
        timer: export("timer"),
    })
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
        Err(LoadError::OtherVersion(version.to_owned()))
    }
}

fn link(engine: &wasmtime::Engine, component: &Component) -> Result<Linker<State>, LoadError> {
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
            _ => return Err(LoadError::Import(name.to_owned())),
        }
    }
    Ok(linker)
}

/// An error and its causes in one line.
pub(super) fn one_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How a plugin is named on the command line: a path has a `/` or ends in `.wasm`, anything else
/// is the name of a bundled one.
pub fn origin(text: &str) -> Result<Origin, String> {
    let is_path =
        text.contains('/') || Path::new(text).extension().is_some_and(|ext| ext == "wasm");
    if is_path {
        return Ok(Origin::File(PathBuf::from(text)));
    }
    let bundled = crate::bundled::NAMES.iter().find(|name| **name == text);
    bundled.map(|name| Origin::Bundled(name)).ok_or_else(|| {
        format!(
            "no bundled plugin {text:?}: there are {}; a file needs a / or .wasm in its name, as in \
             ./{text}",
            crate::bundled::NAMES.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_or_wasm_makes_it_a_path() {
        let path = |text: &str| Ok(Origin::File(PathBuf::from(text)));
        assert_eq!(origin("a.wasm"), path("a.wasm"));
        assert_eq!(origin("./json-print"), path("./json-print"));
        assert_eq!(origin("json-print"), Ok(Origin::Bundled("json-print")));
        assert!(origin("jsonprint").is_err_and(|error| error.contains("threshold-alert")));
    }

    #[test]
    fn before_1_0_another_minor_version_is_another_contract() {
        assert!(check_version("retrans:plugin/processor@0.1.0").is_ok());
        assert!(check_version("retrans:plugin/processor@0.1.7").is_ok());
        assert!(check_version("retrans:plugin/processor@0.2.0").is_err());
        assert!(check_version("retrans:plugin/processor@1.1.0").is_err());
    }
}
