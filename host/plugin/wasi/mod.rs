//! The WASI that a standard library imports by itself, linked inert but for what was granted.
//!
//! No environment, arguments or files that were not granted; standard input is at its end, standard
//! output and error are log lines; clocks show the stream's last mark and sleeping returns at once;
//! random numbers are the same every time; sockets are refused. So a plugin has no powers of its own,
//! and replaying a stream gives the same answers.
//!
//! This is not the `wasmtime-wasi` crate: that one sleeps for real (a guest slept 3 s under a
//! deadline of 50 ms), and brings an async runtime along.

mod cli;
mod clocks;
mod file_types;
mod files;
mod random;
mod streams;

use wasmtime::AsContextMut;
use wasmtime::Result;
use wasmtime::StoreContextMut;
use wasmtime::component::ComponentNamedList;
use wasmtime::component::Lift;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;
use wasmtime::component::ResourceType;
use wasmtime::component::Val;
use wasmtime::component::types::ComponentInstance;
use wasmtime::component::types::ComponentItem;
use wasmtime::error::format_err;

use self::files::Descriptor;
use self::files::EntryStream;
use self::streams::IoError;
use super::runtime::store::HostState;

/// The interfaces that are offered, of any 0.2 version.
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

/// The most streams and the like that a plugin may hold at a time.
const MAX_HANDLES: u32 = 10_000;

struct OutputStream;
struct InputStream;
struct Pollable;
/// A resource of which there never is one: sockets, terminals.
struct Never;

/// Is this interface one of those that are offered? `import` is as in
/// `wasi:io/streams@0.2.6`.
pub(crate) fn offers(import: &str) -> bool {
    match import.split_once('@') {
        Some((interface, version)) => version.starts_with("0.2.") && OFFERED.contains(&interface),
        None => false,
    }
}

/// Links what a component imports of one interface.
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
                        state.files.forget(number);
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
        _ => ResourceType::host::<Never>(),
    }
}

/// May it stand for something that is open?
fn is_file(resource: &str) -> bool {
    matches!(
        resource,
        "input-stream" | "descriptor" | "directory-entry-stream"
    )
}

type Store<'a> = StoreContextMut<'a, HostState>;

/// Links a function that is not called any more once the time is up. There are no epochs in the host's
/// own code, nor in a plugin's that does nothing but call it, one time after the other.
fn timed<P, R>(
    linker: &mut LinkerInstance<'_, HostState>,
    name: &str,
    function: impl Fn(Store, P) -> Result<R> + Send + Sync + 'static,
) -> Result<()>
where
    P: ComponentNamedList + Lift + 'static,
    R: ComponentNamedList + Lower + 'static,
{
    linker.func_wrap(name, move |store: Store, params: P| {
        store.data().deadline.check()?;
        function(store, params)
    })
}

/// A handle for the plugin. The table of them is in the host's memory.
fn own<T: 'static>(
    mut store: impl AsContextMut<Data = HostState>,
    number: u32,
) -> Result<Resource<T>> {
    let mut store = store.as_context_mut();
    let handles = &mut store.data_mut().handles;
    if *handles == MAX_HANDLES {
        return Err(format_err!("it holds more than {MAX_HANDLES} handles"));
    }
    *handles += 1;
    Ok(Resource::new_own(number))
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
        | ("wasi:sockets/ip-name-lookup", "resolve-addresses") => link_answer(linker, name, || {
            let denied = Val::Enum("access-denied".to_owned());
            Val::Result(Err(Some(Box::new(denied))))
        }),
        ("wasi:sockets/instance-network", "instance-network") => {
            timed(linker, name, |store: Store, ()| {
                Ok((own::<Never>(store, 0)?,))
            })
        }
        _ => cli::link(linker, interface, name),
    }
}

/// The same answer always. The function's type is what the component says that it is: there may be
/// no result at all.
fn link_answer(
    linker: &mut LinkerInstance<'_, HostState>,
    name: &str,
    answer: fn() -> Val,
) -> Result<()> {
    linker.func_new(name, move |mut store, _, params, results| {
        store.data().deadline.check()?;
        for param in params {
            // What was lent is given back.
            if let Val::Resource(resource) = param {
                resource.resource_drop(&mut store)?;
            }
        }
        let result = results.first_mut();
        *result.ok_or_else(|| format_err!("an import of WASI with a type of its own"))? = answer();
        Ok(())
    })
}

/// What cannot be called with anything but a socket, of which there are none, or is of no use here.
fn link_refusal(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    name: &str,
) -> Result<()> {
    let function = format!("{interface}.{name}");
    linker.func_new(name, move |_, _, _, _| {
        Err(format_err!("{function} is not available in a plugin"))
    })
}
