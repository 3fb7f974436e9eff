//! The programs of the census: loads them, gives them orders, and reads what they have counted.

use std::io;
use std::mem::MaybeUninit;
use std::mem::offset_of;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;

use libbpf_rs::Link;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::SkelBuilder as _;

use super::rows::KEY_SIZE;
use super::rows::SUMS_SIZE;
use super::rows::Sums;
use crate::filter::LiveFilters;
use crate::source::bpf::census::CensusSkelBuilder;
use crate::source::bpf::census::types::retrans_census_control;
use crate::source::bpf::census::types::retrans_census_losses;
use crate::source::bpf::census::types::retrans_filters as CensusFilters;
use crate::source::bpf::iterator;
use crate::source::bpf::iterator::LoadError;
use crate::source::bpf::libbpf;
use crate::source::bpf::recursion;
use crate::source::bpf::retrans::types::retrans_filter;
use crate::source::bpf::retrans::types::retrans_filters;
use crate::source::live::kernel_filters;

/// Indices of the map of maps: the rows that connections add to, and those of the interval that has ended.
const CURRENT: u32 = 0;
const PREVIOUS: u32 = 1;

/// Entries that one system call reads.
const BATCH: u32 = 4_096;

/// Connections that one system call of the pass visits: a hundred µs or two, after which the kernel lets other tasks run.
const VISITS_AT_ONCE: usize = 512;

/// The filters that the census obeys: those of a connection. Others are of a retransmit.
const FILTERS: u32 = retrans_filter::FILTER_IP_VERSION.0
    | retrans_filter::FILTER_PORT.0
    | retrans_filter::FILTER_LOCAL_PORT.0
    | retrans_filter::FILTER_PEER_PORT.0
    | retrans_filter::FILTER_LOCAL.0
    | retrans_filter::FILTER_PEER.0
    | retrans_filter::FILTER_NETNS.0;

/// Why there is no census.
#[derive(Debug, thiserror::Error)]
pub enum CensusError {
    /// The kernel refused a program.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The kernel refused to read or change a map.
    #[error("cannot {doing}: {error}")]
    Map {
        /// The step that failed.
        doing: &'static str,
        /// The error of libbpf.
        error: libbpf_rs::Error,
    },
    /// An error of a system call.
    #[error("cannot {doing}: {error}")]
    System {
        /// The step that failed.
        doing: &'static str,
        /// The error of the system call.
        error: io::Error,
    },
}

pub(super) fn system(doing: &'static str) -> impl Fn(io::Error) -> CensusError {
    move |error| CensusError::System { doing, error }
}

fn map(doing: &'static str) -> impl Fn(libbpf_rs::Error) -> CensusError {
    move |error| CensusError::Map { doing, error }
}

/// What the census could not count, since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// Connections for which there was no room.
    pub(super) connections: u64,
    /// Times that something was added to the row that has no address, because there was no room for another row.
    pub(super) beyond: u64,
    /// Connections whose end was missed.
    pub(super) stale: u64,
    /// Calls of the programs that the kernel skipped; 0 where it does not tell (before 5.12).
    pub(super) recursion_misses: u64,
}

impl Losses {
    /// Returns whether everything was counted between `self` and `later`. A connection for which there was no room is
    /// not counted until it ends, and when that is, is not known.
    pub(super) fn is_complete_until(&self, later: &Losses) -> bool {
        later.connections == 0
            && self.stale == later.stale
            && self.recursion_misses == later.recursion_misses
    }
}

/// The programs, loaded and attached. They count once the host begins the census.
pub struct CensusProgram {
    /// The kernel keeps the programs on the tracepoints as long as the links exist.
    _links: [Link; 2],
    /// For the number of skipped calls.
    programs: [OwnedFd; 2],
    pass: Link,
    adopt: Link,
    rows: MapHandle,
    /// The two maps in `rows`.
    halves: [MapHandle; 2],
    losses: MapHandle,
    control: MapHandle,
    /// Number of the last pass, from 1.
    pass_number: u32,
}

/// What the programs are told.
#[derive(Debug, Clone, Copy, Default)]
struct Orders {
    is_passing: bool,
    /// Number of the pass that is made or was made last, from 1.
    pass: u32,
    adopts_listeners: bool,
}

impl CensusProgram {
    /// Loads the programs into the kernel and attaches them, which needs privileges.
    ///
    /// # Errors
    ///
    /// [`CensusError`] if the kernel refuses a program or the memory of a map.
    pub fn load(filters: &LiveFilters) -> Result<CensusProgram, CensusError> {
        libbpf::log();
        let failed = |doing| LoadError::at(doing, "the programs of the census");
        let mut storage = MaybeUninit::uninit();
        let mut open = CensusSkelBuilder::default()
            .open_opts(libbpf::options(), &mut storage)
            .map_err(failed("open"))?;
        if let Some(rodata) = open.maps.rodata_data.as_deref_mut() {
            write_filters(filters, &mut rodata.filters);
        }
        let skel = open.load().map_err(failed("load"))?;
        let (maps, progs) = (&skel.maps, &skel.progs);
        let handle = |map: &libbpf_rs::MapMut<'_>| {
            MapHandle::try_from(map).map_err(self::map("open a map of the census"))
        };
        let program = |fd: std::os::fd::BorrowedFd<'_>| {
            fd.try_clone_to_owned()
                .map_err(system("duplicate a program of the census"))
        };
        let programs = [
            program(progs.census_state.as_fd())?,
            program(progs.census_retransmit.as_fd())?,
        ];
        let links = [
            progs.census_state.attach().map_err(failed("attach"))?,
            progs.census_retransmit.attach().map_err(failed("attach"))?,
        ];
        let pass = progs.census_pass.attach_iter(maps.connections.as_fd());
        let loaded = CensusProgram {
            _links: links,
            programs,
            pass: pass.map_err(failed("attach"))?,
            adopt: progs.census_adopt.attach().map_err(failed("attach"))?,
            rows: handle(&maps.rows)?,
            halves: [handle(&maps.first_rows)?, handle(&maps.second_rows)?],
            losses: handle(&maps.losses)?,
            control: handle(&maps.control)?,
            pass_number: 0,
        };
        for half in &loaded.halves {
            add_shared_row(half)?;
        }
        Ok(loaded)
    }

    /// Begins to count. What the connections that are there already have sent so far is not counted.
    ///
    /// # Errors
    ///
    /// [`CensusError`] if the kernel refuses an order or the scan of open files.
    pub(super) fn begin(&self) -> Result<(), CensusError> {
        for adopts_listeners in [true, false] {
            self.order(Orders {
                adopts_listeners,
                ..Orders::default()
            })?;
            iterator::run(&self.adopt, VISITS_AT_ONCE)
                .map_err(system("look for connections that are there already"))?;
        }
        Ok(())
    }

    /// Ends an interval: passes over the open connections. Gives the sums of the interval to `take`, which are in no
    /// order. `ended` is called at the moment that divides the intervals, but for what the pass finds later.
    ///
    /// # Errors
    ///
    /// [`CensusError`] if the kernel refuses an order, the pass, or the reading of sums. Those sums are lost then.
    pub(super) fn end_interval(
        &mut self,
        ended: impl FnOnce(),
        mut take: impl FnMut(Sums<'_>),
    ) -> Result<(), CensusError> {
        let pass = self.pass_number.wrapping_add(1).max(1);
        self.pass_number = pass;
        let orders = Orders {
            pass,
            ..Orders::default()
        };
        // The order of the halves changes with each pass.
        let [current, other] = match pass % 2 {
            1 => [&self.halves[0], &self.halves[1]],
            _ => [&self.halves[1], &self.halves[0]],
        };
        self.order(Orders {
            is_passing: true,
            ..orders
        })?;
        let set = |index: u32, half: &MapHandle| {
            let fd = half.as_fd().as_raw_fd() as u32;
            self.rows
                .update(&index.to_ne_bytes(), &fd.to_ne_bytes(), MapFlags::ANY)
                .map_err(self::map("exchange the rows of the census"))
        };
        set(PREVIOUS, current)?;
        ended();
        // When it returns, every program adds to the other rows, and knows of the pass.
        set(CURRENT, other)?;
        let passed = iterator::run(&self.pass, VISITS_AT_ONCE);
        let drained = drain(current, &mut take);
        self.order(orders)?;
        passed.map_err(system("pass over the open connections"))?;
        drained?;
        add_shared_row(current)
    }

    fn order(&self, orders: Orders) -> Result<(), CensusError> {
        let mut bytes = [0; size_of::<retrans_census_control>()];
        let mut put = |offset: usize, value: u32| {
            bytes[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        };
        put(offset_of!(retrans_census_control, is_counting), 1);
        put(
            offset_of!(retrans_census_control, is_passing),
            orders.is_passing.into(),
        );
        put(offset_of!(retrans_census_control, pass), orders.pass);
        put(
            offset_of!(retrans_census_control, adopts_listeners),
            orders.adopts_listeners.into(),
        );
        self.control
            .update(&0u32.to_ne_bytes(), &bytes, MapFlags::ANY)
            .map_err(map("give orders to the programs of the census"))
    }

    /// What could not be counted since the census began.
    pub(super) fn losses(&self) -> Result<Losses, CensusError> {
        let read = self
            .losses
            .lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY);
        let read = read.map_err(map("read the losses of the census"))?;
        let mut losses = Losses::default();
        for cpu in read.unwrap_or_default() {
            let counter = |offset: usize| {
                let bytes = cpu.get(offset..).and_then(<[u8]>::first_chunk);
                bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
            };
            losses.connections += counter(offset_of!(retrans_census_losses, connections));
            losses.beyond += counter(offset_of!(retrans_census_losses, beyond));
            losses.stale += counter(offset_of!(retrans_census_losses, stale));
        }
        let misses = self.programs.iter();
        let misses = misses.filter_map(|program| recursion::misses(program.as_fd()));
        losses.recursion_misses = misses.sum();
        Ok(losses)
    }
}

/// Writes the filters that the census obeys into the programs' constants, which are zeros.
fn write_filters(filters: &LiveFilters, to: &mut CensusFilters) {
    const _: () = assert!(size_of::<CensusFilters>() == size_of::<retrans_filters>());
    let to: *mut CensusFilters = to;
    // SAFETY: both types are generated from `struct retrans_filters` of bpf/filter.h, which has numbers alone.
    let to = unsafe { &mut *to.cast::<retrans_filters>() };
    kernel_filters::write(filters, to);
    to.in_use &= FILTERS;
}

/// Adds the row for what finds no room. Its key is all zeros.
fn add_shared_row(half: &MapHandle) -> Result<(), CensusError> {
    half.update(&[0; KEY_SIZE], &[0; SUMS_SIZE], MapFlags::ANY)
        .map_err(map("add a row to the census"))
}

/// Reads and removes all rows of a half to which no program adds any more.
fn drain(half: &MapHandle, take: &mut impl FnMut(Sums<'_>)) -> Result<(), CensusError> {
    let failed = map("read the rows of the census");
    loop {
        let rows = half.lookup_and_delete_batch(BATCH, MapFlags::ANY, MapFlags::ANY);
        let mut is_empty = true;
        for (key, sums) in rows.map_err(&failed)? {
            is_empty = false;
            if let (Ok(key), Ok(sums)) = (key.as_slice().try_into(), sums.as_slice().try_into()) {
                take(Sums { key, sums });
            }
        }
        // The iterator ends at a batch that is not full. The kernel makes such a batch where the next bucket of the map does
        // not fit in it as a whole, which happens in any map with more rows than a batch has.
        if half.keys().next().is_none() {
            return Ok(());
        }
        // It also ends without an error where the kernel refuses the rest: a row that was left would count twice.
        if is_empty {
            let error = io::Error::other("some rows are left");
            return Err(system("read all rows of the census")(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_complete_if_nothing_is_missing_in_it() {
        let none = Losses::default();
        let stale = Losses { stale: 1, ..none };
        let skipped = Losses {
            recursion_misses: 1,
            ..none
        };
        let beyond = Losses { beyond: 1, ..none };
        assert!(none.is_complete_until(&none));
        // What is in the shared row is counted.
        assert!(none.is_complete_until(&beyond));
        for lost in [stale, skipped] {
            assert!(!none.is_complete_until(&lost));
            assert!(lost.is_complete_until(&lost));
        }
        // A connection that was missed may still be open.
        let missed = Losses {
            connections: 1,
            ..none
        };
        assert!(!none.is_complete_until(&missed));
        assert!(!missed.is_complete_until(&missed));
    }
}
