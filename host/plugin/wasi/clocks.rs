//! Clocks that show the last mark of the stream, or before it the stream's start, and waiting that is over at
//! once.
//!
//! They do not show the time of an event: a call has as many as happened to arrive, and the same events must
//! give the same answers. Before any item, as in `configure`, they show the least that is not 0: the runtime of
//! Go takes a monotonic clock at 0 for broken, and ends the program.
//!
//! Sleeping advances nothing: an epoch deadline does not interrupt a host call, and a guest that was
//! let to would sleep for 3 s under a deadline of 50 ms.

use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::ComponentType;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;

use super::Pollable;
use super::Store;
use super::link_refusal;
use super::own;
use super::timed;
use crate::plugin::runtime::store::HostState;

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Datetime {
    pub(super) seconds: u64,
    pub(super) nanoseconds: u32,
}

impl From<Duration> for Datetime {
    fn from(time: Duration) -> Datetime {
        Datetime {
            seconds: time.as_secs(),
            nanoseconds: time.subsec_nanos(),
        }
    }
}

/// What clocks show before any item of the stream.
const MIN_TIME: Duration = Duration::from_nanos(1);

fn wall_time(store: &Store) -> Datetime {
    store.data().call.clock.wall_time.max(MIN_TIME).into()
}

fn time(store: &Store) -> u64 {
    let time = store.data().call.clock.time.max(MIN_TIME);
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn link(
    linker: &mut LinkerInstance<'_, HostState>,
    interface: &str,
    name: &str,
) -> Result<()> {
    let wall = interface == "wasi:clocks/wall-clock";
    match name {
        "now" if wall => timed(linker, name, |store: Store, ()| Ok((wall_time(&store),))),
        "resolution" if wall => timed(linker, name, |_: Store, ()| {
            Ok((Datetime::from(Duration::from_nanos(1)),))
        }),
        "now" => timed(linker, name, |store: Store, ()| Ok((time(&store),))),
        "resolution" => timed(linker, name, |_: Store, ()| Ok((1u64,))),
        "subscribe-instant" | "subscribe-duration" => {
            timed(linker, name, |store: Store, (_,): (u64,)| {
                Ok((own::<Pollable>(store, 0)?,))
            })
        }
        _ => link_refusal(linker, interface, name),
    }
}

/// Whatever is waited for is there.
pub(super) fn link_poll(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name {
        "[method]pollable.ready" => timed(linker, name, |_: Store, (_,): (Resource<Pollable>,)| {
            Ok((true,))
        }),
        "[method]pollable.block" => {
            timed(linker, name, |_: Store, (_,): (Resource<Pollable>,)| Ok(()))
        }
        "poll" => timed(
            linker,
            name,
            |_: Store, (all,): (Vec<Resource<Pollable>>,)| {
                Ok(((0..all.len() as u32).collect::<Vec<u32>>(),))
            },
        ),
        _ => link_refusal(linker, "wasi:io/poll", name),
    }
}
