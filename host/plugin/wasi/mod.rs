//! The part of WASI that a guest's standard library imports. It has no effects, except that granted files and variables
//! can be read.
//!
//! Environment, arguments and files are empty unless they were granted. Standard input is at its end; standard output
//! and error become log lines. Clocks show the stream's last mark, and sleeping returns at once. Random numbers are the
//! same in every run. Sockets are refused. So a plugin can do nothing that was not granted, and a replay of a stream
//! gives the same answers.
//!
//! The `wasmtime-wasi` crate is not used: in it a guest can really sleep (one slept 3 s under a deadline of 50 ms), and
//! it needs an async runtime.

mod cli;
mod clocks;
mod file_types;
mod files;
mod linking;
mod random;
mod streams;

use wasmtime::Result;
use wasmtime::component::LinkerInstance;
use wasmtime::component::ResourceType;
use wasmtime::component::Val;
use wasmtime::component::types::ComponentInstance;
use wasmtime::component::types::ComponentItem;

use self::files::Descriptor;
use self::files::EntryStream;
use self::linking::InputStream;
use self::linking::OutputStream;
use self::linking::Pollable;
use self::linking::Store;
use self::linking::Unavailable;
use self::linking::link_constant;
use self::linking::link_timed;
use self::linking::new_handle;
use self::streams::IoError;
use super::runtime::store::HostState;

/// The interfaces that are offered, in any 0.2 version.
const OFFERED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Returns whether an interface is offered. `import` has the form `wasi:io/streams@0.2.6`.
pub(crate) fn is_offered(import: &str) -> bool {
    match import.split_once('@') {
        Some((interface, version)) => version.starts_with("0.2.") && OFFERED.contains(&interface),
        None => false,
    }
}

/// Links the functions and resources that a component imports from one interface.
pub(crate) fn link(
    linker: &mut LinkerInstance<'_, HostState>,
    import: &str,
    imported: &ComponentInstance,
    engine: &wasmtime::Engine,
) -> Result<()> {
    let interface = import
        .split_once('@')
        .map_or(import, |(interface, _)| interface);
    for (name, item) in imported.exports(engine) {
        match item.ty {
            ComponentItem::Resource(_) => {
                let files = is_file(name);
                linker.resource(name, resource(name), move |mut store, number| {
                    let state = store.data_mut();
                    state.handles = state.handles.saturating_sub(1);
                    if files {
                        state.files.drop_handle(number);
                    }
                    Ok(())
                })?;
            }
            ComponentItem::ComponentFunc(_) => link_function(linker, interface, name)?,
            _ => {}
        }
    }
    Ok(())
}

fn resource(name: &str) -> ResourceType {
    match name {
        "output-stream" => ResourceType::host::<OutputStream>(),
        "input-stream" => ResourceType::host::<InputStream>(),
        "pollable" => ResourceType::host::<Pollable>(),
        "error" => ResourceType::host::<IoError>(),
        "descriptor" => ResourceType::host::<Descriptor>(),
        "directory-entry-stream" => ResourceType::host::<EntryStream>(),
        _ => ResourceType::host::<Unavailable>(),
    }
}

/// Returns whether handles of this resource may refer to an open file.
fn is_file(resource: &str) -> bool {
    matches!(
        resource,
        "input-stream" | "descriptor" | "directory-entry-stream"
    )
}

fn link_function(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match (interface, name) {
        ("wasi:clocks/monotonic-clock" | "wasi:clocks/wall-clock", _) => {
            clocks::link(linker, interface, name)
        }
        ("wasi:filesystem/preopens", _) => files::link_preopens(linker, name),
        ("wasi:filesystem/types", _) => files::link_types(linker, name),
        ("wasi:io/error", _) => streams::link_error(linker, name),
        ("wasi:io/poll", _) => clocks::link_poll(linker, name),
        ("wasi:io/streams", _) => streams::link(linker, name),
        ("wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed", _) => {
            random::link(linker, interface, name)
        }
        ("wasi:sockets/tcp-create-socket" | "wasi:sockets/udp-create-socket", _)
        | ("wasi:sockets/ip-name-lookup", "resolve-addresses") => {
            link_constant(linker, name, || {
                let denied = Val::Enum("access-denied".to_owned());
                Val::Result(Err(Some(Box::new(denied))))
            })
        }
        ("wasi:sockets/instance-network", "instance-network") => {
            link_timed(linker, name, |store: Store, ()| {
                Ok((new_handle::<Unavailable>(store, 0)?,))
            })
        }
        _ => cli::link(linker, interface, name),
    }
}
