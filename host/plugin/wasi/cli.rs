//! What a program finds when it begins: its environment, arguments and standard streams.
//!
//! There are no arguments, no variables but those that were granted, and no terminals.

use wasmtime::Result;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Resource;
use wasmtime::error::format_err;

use super::InputStream;
use super::Never;
use super::OutputStream;
use super::Store;
use super::link_refusal;
use super::own;
use super::streams::STDERR;
use super::streams::STDIN;
use super::streams::STDOUT;
use super::timed;
use crate::plugin::runtime::store::HostState;

pub(super) fn link(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match (interface, name) {
        ("wasi:cli/environment", "get-environment") => timed(linker, name, |store: Store, ()| {
            Ok((store.data().variables.clone(),))
        }),
        ("wasi:cli/environment", "get-arguments") => {
            timed(linker, name, |_: Store, ()| Ok((Vec::<String>::new(),)))
        }
        ("wasi:cli/environment", "initial-cwd") => {
            timed(linker, name, |_: Store, ()| Ok((None::<String>,)))
        }
        ("wasi:cli/exit", "exit") => timed(linker, name, |_: Store, (_,): (Result<(), ()>,)| {
            Err::<(), _>(format_err!("the plugin called exit"))
        }),
        ("wasi:cli/stdin", "get-stdin") => timed(linker, name, |store: Store, ()| {
            Ok((own::<InputStream>(store, STDIN)?,))
        }),
        ("wasi:cli/stdout", "get-stdout") => timed(linker, name, |store: Store, ()| {
            Ok((own::<OutputStream>(store, STDOUT)?,))
        }),
        ("wasi:cli/stderr", "get-stderr") => timed(linker, name, |store: Store, ()| {
            Ok((own::<OutputStream>(store, STDERR)?,))
        }),
        (
            "wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr",
            _,
        ) => timed(linker, name, |_: Store, ()| Ok((None::<Resource<Never>>,))),
        _ => link_refusal(linker, interface, name),
    }
}
