//! `wasi:random`. The numbers are the same in every run, so that a replay of a stream gives the same answers.

use wasmtime::Result;
use wasmtime::component::LinkerInstance;
use wasmtime::error::format_err;

use super::linking::Store;
use super::linking::link_timed;
use super::linking::link_unavailable;
use crate::plugin::runtime::store::HostState;

/// An arbitrary constant.
const SEED: u64 = 0x5eed_0f7e_7a00_0000;

/// Maximum number of random bytes of one call.
const MAX_RANDOM: u64 = 64 * 1024;

pub(super) fn link(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match (interface, name) {
        ("wasi:random/insecure-seed", _) => {
            link_timed(linker, name, |_: Store, ()| Ok(((SEED, !SEED),)))
        }
        (_, "get-random-bytes" | "get-insecure-random-bytes") => {
            link_timed(linker, name, |_: Store, (count,): (u64,)| {
                if count > MAX_RANDOM {
                    return Err(format_err!(
                        "asked for {count} random bytes at once, more than {MAX_RANDOM}"
                    ));
                }
                let bytes = (0..count).map(|index| (SEED >> (index % 8 * 8)) as u8);
                Ok((bytes.collect::<Vec<u8>>(),))
            })
        }
        (_, "get-random-u64" | "get-insecure-random-u64") => {
            link_timed(linker, name, |_: Store, ()| Ok((SEED,)))
        }
        _ => link_unavailable(linker, interface, name),
    }
}
