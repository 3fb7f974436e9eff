//! The WASI that a standard library imports by itself, linked inert.
//!
//! No environment, arguments or files; standard input is at its end, standard output and error are
//! log lines; clocks show the time of the stream and sleeping returns at once; random numbers are
//! the same every time; sockets are refused. So a plugin has no powers, and replaying a stream gives
//! the same answers.
//!
//! This is not the `wasmtime-wasi` crate: that one sleeps for real (a guest slept 3 s under a
//! deadline of 50 ms), and brings an async runtime along.

use std::time::Duration;

use wasmtime::Result;
use wasmtime::StoreContextMut;
use wasmtime::component::ComponentType;
use wasmtime::component::Lift;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;
use wasmtime::component::ResourceType;
use wasmtime::component::Val;
use wasmtime::component::types::ComponentInstance;
use wasmtime::component::types::ComponentItem;
use wasmtime::error::format_err;

use super::logs::Stdio;
use super::state::State;

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

/// How much may be printed before asking again; nothing is ever held back.
const WRITABLE: u64 = 64 * 1024;

/// The most streams and the like that a plugin may hold at a time.
const MOST_HANDLES: u32 = 10_000;

/// The most random bytes given at once.
const MOST_RANDOM: u64 = 64 * 1024;

struct OutputStream;
struct InputStream;
struct Pollable;
struct IoError;
/// A resource of which there never is one: files, sockets, terminals.
struct Never;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code, reason = "part of the type; nothing here fails that way")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// Is this interface one of those that are offered? `import` is as in
/// `wasi:io/streams@0.2.6`.
pub(super) fn offers(import: &str) -> bool {
    match import.split_once('@') {
        Some((interface, version)) => version.starts_with("0.2.") && OFFERED.contains(&interface),
        None => false,
    }
}

/// Links what a component imports of one interface.
pub(super) fn link(
    linker: &mut LinkerInstance<'_, State>,
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
                linker.resource(name, resource(name), |mut store, _| {
                    let handles = &mut store.data_mut().handles;
                    *handles = handles.saturating_sub(1);
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
        _ => ResourceType::host::<Never>(),
    }
}

type Store<'a> = StoreContextMut<'a, State>;

/// A handle for the plugin. The table of them is in the host's memory.
fn own<T: 'static>(mut store: Store, rep: u32) -> Result<(Resource<T>,)> {
    let handles = &mut store.data_mut().handles;
    if *handles == MOST_HANDLES {
        return Err(format_err!("it holds more than {MOST_HANDLES} handles"));
    }
    *handles += 1;
    Ok((Resource::new_own(rep),))
}

fn link_function(
    linker: &mut LinkerInstance<'_, State>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match (interface, name) {
        ("wasi:cli/environment", "get-environment") => {
            linker.func_wrap(name, |_: Store, ()| Ok((Vec::<(String, String)>::new(),)))
        }
        ("wasi:cli/environment", "get-arguments") => {
            linker.func_wrap(name, |_: Store, ()| Ok((Vec::<String>::new(),)))
        }
        ("wasi:cli/environment", "initial-cwd") => {
            linker.func_wrap(name, |_: Store, ()| Ok((None::<String>,)))
        }
        ("wasi:cli/exit", "exit") => linker.func_wrap(name, |_: Store, (_,): (Result<(), ()>,)| {
            Err::<(), _>(format_err!("the plugin called exit"))
        }),
        ("wasi:cli/stdin", "get-stdin") => {
            linker.func_wrap(name, |store: Store, ()| own::<InputStream>(store, 0))
        }
        ("wasi:cli/stdout", "get-stdout") => {
            linker.func_wrap(name, |store: Store, ()| own::<OutputStream>(store, STDOUT))
        }
        ("wasi:cli/stderr", "get-stderr") => {
            linker.func_wrap(name, |store: Store, ()| own::<OutputStream>(store, STDERR))
        }
        (
            "wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr",
            _,
        ) => linker.func_wrap(name, |_: Store, ()| Ok((None::<Resource<Never>>,))),
        ("wasi:clocks/monotonic-clock" | "wasi:clocks/wall-clock", _) => {
            link_clock(linker, interface, name)
        }
        ("wasi:io/poll", _) => link_poll(linker, name),
        ("wasi:io/streams", _) => link_stream(linker, interface, name),
        ("wasi:io/error", "[method]error.to-debug-string") => linker
            .func_wrap(name, |_: Store, (_,): (Resource<IoError>,)| {
                Ok(("not available in a plugin".to_owned(),))
            }),
        ("wasi:random/insecure-seed", _) => {
            linker.func_wrap(name, |_: Store, ()| Ok(((SEED, !SEED),)))
        }
        ("wasi:random/random" | "wasi:random/insecure", _) => link_random(linker, interface, name),
        ("wasi:filesystem/preopens", "get-directories") => {
            link_answer(linker, name, || Val::List(Vec::new()))
        }
        ("wasi:sockets/tcp-create-socket" | "wasi:sockets/udp-create-socket", _)
        | ("wasi:sockets/ip-name-lookup", "resolve-addresses") => link_answer(linker, name, || {
            let denied = Val::Enum("access-denied".to_owned());
            Val::Result(Err(Some(Box::new(denied))))
        }),
        ("wasi:sockets/instance-network", "instance-network") => {
            linker.func_wrap(name, |store: Store, ()| own::<Never>(store, 0))
        }
        _ => link_refusal(linker, interface, name),
    }
}

/// The same answer always. The function's type is what the component says that it is: there may be
/// no result at all.
fn link_answer(
    linker: &mut LinkerInstance<'_, State>,
    name: &str,
    answer: fn() -> Val,
) -> Result<()> {
    linker.func_new(name, move |mut store, _, params, results| {
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

/// What cannot be called with anything but a file or a socket, of which there are none.
fn link_refusal(linker: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> Result<()> {
    let function = format!("{interface}.{name}");
    linker.func_new(name, move |_, _, _, _| {
        Err(format_err!("{function} is not available in a plugin"))
    })
}

fn link_clock(linker: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> Result<()> {
    let wall = interface == "wasi:clocks/wall-clock";
    match name {
        "now" if wall => linker.func_wrap(name, |store: Store, ()| {
            Ok((datetime(store.data().call.wall_time),))
        }),
        "resolution" if wall => linker.func_wrap(name, |_: Store, ()| {
            Ok((datetime(Duration::from_nanos(1)),))
        }),
        "now" => linker.func_wrap(name, |store: Store, ()| {
            Ok((u64::try_from(store.data().call.time.as_nanos()).unwrap_or(u64::MAX),))
        }),
        "resolution" => linker.func_wrap(name, |_: Store, ()| Ok((1u64,))),
        // Ready at once: sleeping advances nothing.
        "subscribe-instant" | "subscribe-duration" => {
            linker.func_wrap(name, |store: Store, (_,): (u64,)| own::<Pollable>(store, 0))
        }
        _ => link_refusal(linker, interface, name),
    }
}

fn datetime(time: Duration) -> Datetime {
    Datetime {
        seconds: time.as_secs(),
        nanoseconds: time.subsec_nanos(),
    }
}

fn link_poll(linker: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    match name {
        "[method]pollable.ready" => {
            linker.func_wrap(name, |_: Store, (_,): (Resource<Pollable>,)| Ok((true,)))
        }
        "[method]pollable.block" => {
            linker.func_wrap(name, |_: Store, (_,): (Resource<Pollable>,)| Ok(()))
        }
        "poll" => linker.func_wrap(name, |_: Store, (all,): (Vec<Resource<Pollable>>,)| {
            Ok(((0..all.len() as u32).collect::<Vec<u32>>(),))
        }),
        _ => link_refusal(linker, "wasi:io/poll", name),
    }
}

const STDOUT: u32 = 1;
const STDERR: u32 = 2;

fn stdio(stream: &Resource<OutputStream>) -> Stdio {
    match stream.rep() {
        STDOUT => Stdio::Stdout,
        _ => Stdio::Stderr,
    }
}

fn link_stream(linker: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> Result<()> {
    type Written = Result<(), StreamError>;
    type Read = Result<Vec<u8>, StreamError>;
    match name {
        "[method]output-stream.check-write" => linker
            .func_wrap(name, |_: Store, (_,): (Resource<OutputStream>,)| {
                Ok((Ok::<u64, StreamError>(WRITABLE),))
            }),
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => linker
            .func_wrap(
                name,
                |mut store: Store, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
                    store.data_mut().logs.print(stdio(&stream), &bytes);
                    Ok((Written::Ok(()),))
                },
            ),
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => linker
            .func_wrap(name, |_: Store, (_,): (Resource<OutputStream>,)| {
                Ok((Written::Ok(()),))
            }),
        "[method]output-stream.subscribe" => linker
            .func_wrap(name, |store: Store, (_,): (Resource<OutputStream>,)| {
                own::<Pollable>(store, 0)
            }),
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => linker
            .func_wrap(name, |_: Store, (_, _): (Resource<InputStream>, u64)| {
                Ok((Read::Err(StreamError::Closed),))
            }),
        "[method]input-stream.subscribe" => linker
            .func_wrap(name, |store: Store, (_,): (Resource<InputStream>,)| {
                own::<Pollable>(store, 0)
            }),
        _ => link_refusal(linker, interface, name),
    }
}

/// Any number would do, as long as it stays the same.
const SEED: u64 = 0x5eed_0f7e_7a00_0000;

fn link_random(linker: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> Result<()> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            linker.func_wrap(name, |_: Store, (count,): (u64,)| {
                if count > MOST_RANDOM {
                    return Err(format_err!("asked for {count} random bytes at once"));
                }
                let bytes = (0..count).map(|index| (SEED >> (index % 8 * 8)) as u8);
                Ok((bytes.collect::<Vec<u8>>(),))
            })
        }
        "get-random-u64" | "get-insecure-random-u64" => {
            linker.func_wrap(name, |_: Store, ()| Ok((SEED,)))
        }
        _ => link_refusal(linker, interface, name),
    }
}
