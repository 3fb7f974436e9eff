//! `wasi:clocks` and `wasi:io/poll`. Clocks show the last mark of the stream, or its start before the first mark.
//! Waiting returns at once.
//!
//! Clocks do not show the time of an event: the number of events in a call depends on how many have arrived, and the
//! same events must give the same answers. Before any item, as in `configure`, clocks show the smallest time that is
//! not 0: the runtime of Go takes a monotonic clock at 0 for broken, and ends the program.
//!
//! Sleeping does not advance clocks, and returns at once because an epoch deadline does not interrupt a host call. With
//! real sleeping a guest slept 3 s under a deadline of 50 ms.

use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::ComponentType;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;

use super::linking::Pollable;
use super::linking::Store;
use super::linking::link_timed;
use super::linking::link_unavailable;
use super::linking::new_handle;
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

/// The time that clocks show before any item of the stream.
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
        "now" if wall => link_timed(linker, name, |store: Store, ()| Ok((wall_time(&store),))),
        "resolution" if wall => link_timed(linker, name, |_: Store, ()| {
            Ok((Datetime::from(Duration::from_nanos(1)),))
        }),
        "now" => link_timed(linker, name, |store: Store, ()| Ok((time(&store),))),
        "resolution" => link_timed(linker, name, |_: Store, ()| Ok((1u64,))),
        "subscribe-instant" | "subscribe-duration" => {
            link_timed(linker, name, |store: Store, (_,): (u64,)| {
                Ok((new_handle::<Pollable>(store, 0)?,))
            })
        }
        _ => link_unavailable(linker, interface, name),
    }
}

/// Links `wasi:io/poll`: every pollable is always ready.
pub(super) fn link_poll(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name {
        "[method]pollable.ready" => {
            link_timed(linker, name, |_: Store, (_,): (Resource<Pollable>,)| {
                Ok((true,))
            })
        }
        "[method]pollable.block" => {
            link_timed(linker, name, |_: Store, (_,): (Resource<Pollable>,)| Ok(()))
        }
        "poll" => link_timed(
            linker,
            name,
            |_: Store, (all,): (Vec<Resource<Pollable>>,)| {
                Ok(((0..all.len() as u32).collect::<Vec<u32>>(),))
            },
        ),
        _ => link_unavailable(linker, "wasi:io/poll", name),
    }
}
