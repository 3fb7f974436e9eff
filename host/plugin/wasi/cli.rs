//! `wasi:cli`: environment, arguments and standard streams.
//!
//! There are no arguments, no terminals, and no variables except those that were granted.

use wasmtime::Result;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Resource;
use wasmtime::error::format_err;

use super::linking::InputStream;
use super::linking::OutputStream;
use super::linking::Store;
use super::linking::Unavailable;
use super::linking::link_timed;
use super::linking::link_unavailable;
use super::linking::new_handle;
use super::streams::STDERR;
use super::streams::STDIN;
use super::streams::STDOUT;
use crate::plugin::runtime::store::HostState;

pub(super) fn link(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match (interface, name) {
        ("wasi:cli/environment", "get-environment") => {
            link_timed(linker, name, |store: Store, ()| {
                Ok((store.data().variables.clone(),))
            })
        }
        ("wasi:cli/environment", "get-arguments") => {
            link_timed(linker, name, |_: Store, ()| Ok((Vec::<String>::new(),)))
        }
        ("wasi:cli/environment", "initial-cwd") => {
            link_timed(linker, name, |_: Store, ()| Ok((None::<String>,)))
        }
        ("wasi:cli/exit", "exit") => {
            link_timed(linker, name, |_: Store, (_,): (Result<(), ()>,)| {
                Err::<(), _>(format_err!("the plugin called exit"))
            })
        }
        ("wasi:cli/stdin", "get-stdin") => link_timed(linker, name, |store: Store, ()| {
            Ok((new_handle::<InputStream>(store, STDIN)?,))
        }),
        ("wasi:cli/stdout", "get-stdout") => link_timed(linker, name, |store: Store, ()| {
            Ok((new_handle::<OutputStream>(store, STDOUT)?,))
        }),
        ("wasi:cli/stderr", "get-stderr") => link_timed(linker, name, |store: Store, ()| {
            Ok((new_handle::<OutputStream>(store, STDERR)?,))
        }),
        (
            "wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr",
            _,
        ) => link_timed(linker, name, |_: Store, ()| {
            Ok((None::<Resource<Unavailable>>,))
        }),
        _ => link_unavailable(linker, interface, name),
    }
}
