//! Random numbers that are the same in every run, so that replaying a stream gives the same answers.

use wasmtime::Result;
use wasmtime::component::LinkerInstance;
use wasmtime::error::format_err;

use super::Store;
use super::link_refusal;
use super::timed;
use crate::plugin::runtime::store::HostState;

/// Any number would do, as long as it stays the same.
const SEED: u64 = 0x5eed_0f7e_7a00_0000;

/// The most random bytes given at once.
const MAX_RANDOM: u64 = 64 * 1024;

pub(super) fn link(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    name: &str,
) -> Result<()> {
    match (interface, name) {
        ("wasi:random/insecure-seed", _) => {
            timed(linker, name, |_: Store, ()| Ok(((SEED, !SEED),)))
        }
        (_, "get-random-bytes" | "get-insecure-random-bytes") => {
            timed(linker, name, |_: Store, (count,): (u64,)| {
                if count > MAX_RANDOM {
                    return Err(format_err!("asked for {count} random bytes at once"));
                }
                let bytes = (0..count).map(|index| (SEED >> (index % 8 * 8)) as u8);
                Ok((bytes.collect::<Vec<u8>>(),))
            })
        }
        (_, "get-random-u64" | "get-insecure-random-u64") => {
            timed(linker, name, |_: Store, ()| Ok((SEED,)))
        }
        _ => link_refusal(linker, interface, name),
    }
}
