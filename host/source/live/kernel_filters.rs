//! Hands the filters of a live run to the probe, as constants that it is loaded with.

use std::mem::offset_of;

use super::preflight::ProbeError;
use super::preflight::kernel_features;
use crate::filter::LiveFilters;
use crate::filter::cgroup::MAX_CGROUPS;
use crate::filter::netns::MAX_NETNS;
use crate::filter::networks::MAX_RANGES;
use crate::filter::networks::Networks;
use crate::source::bpf::retrans::types::retrans_address;
use crate::source::bpf::retrans::types::retrans_cgroup;
use crate::source::bpf::retrans::types::retrans_filter;
use crate::source::bpf::retrans::types::retrans_filters;
use crate::source::bpf::retrans::types::retrans_networks;
use crate::source::bpf::retrans::types::retrans_range;

// What the command line admits fits into the arrays of the probe.
const _: () = {
    assert!(
        offset_of!(retrans_filters, cgroups) - offset_of!(retrans_filters, netns) == 4 * MAX_NETNS
    );
    assert!(
        offset_of!(retrans_filters, port) - offset_of!(retrans_filters, cgroups)
            == MAX_CGROUPS * size_of::<retrans_cgroup>()
    );
    assert!(size_of::<retrans_networks>() == 8 + MAX_RANGES * size_of::<retrans_range>());
};

/// Writes the filters into the probe's constants, which are zeros.
pub fn write(filters: &LiveFilters, to: &mut retrans_filters) {
    let LiveFilters {
        common,
        cgroups,
        max_rate,
    } = filters;
    let mut in_use = |filter: retrans_filter, is_used: bool| {
        if is_used {
            to.in_use |= filter.0;
        }
    };
    in_use(
        retrans_filter::FILTER_IP_VERSION,
        common.ip_version.is_some(),
    );
    in_use(retrans_filter::FILTER_PORT, !common.ports.is_empty());
    in_use(
        retrans_filter::FILTER_LOCAL_PORT,
        !common.local_ports.is_empty(),
    );
    in_use(
        retrans_filter::FILTER_PEER_PORT,
        !common.peer_ports.is_empty(),
    );
    in_use(retrans_filter::FILTER_LOCAL, !common.locals.is_empty());
    in_use(retrans_filter::FILTER_PEER, !common.peers.is_empty());
    in_use(retrans_filter::FILTER_KIND, !common.kinds.is_empty());
    in_use(retrans_filter::FILTER_STATE, !common.states.is_empty());
    in_use(retrans_filter::FILTER_NETNS, !common.netns.is_empty());
    in_use(retrans_filter::FILTER_CGROUP, !cgroups.is_empty());
    in_use(retrans_filter::FILTER_SAMPLE, common.sample.is_some());
    in_use(retrans_filter::FILTER_MAX_RATE, max_rate.is_some());

    let bits = |numbers: &mut dyn Iterator<Item = u8>| {
        numbers.fold(0u32, |bits, number| bits | 1 << number)
    };
    to.ip_version = common
        .ip_version
        .map_or(0, |version| version.number().into());
    to.kinds = bits(&mut common.kinds.iter().map(|kind| kind.number()));
    to.states = bits(&mut common.states.iter().map(|state| state.number()));
    // Not 0, by which the probe would divide.
    to.sample = common.sample.map_or(1, |sample| sample.get());
    to.max_rate = max_rate.unwrap_or(0);
    to.port = common.ports.bits();
    to.local_port = common.local_ports.bits();
    to.peer_port = common.peer_ports.bits();
    write_networks(&common.locals, &mut to.local);
    write_networks(&common.peers, &mut to.peer);
    let netns = to.netns.iter_mut().zip(&common.netns);
    to.netns_count = netns.map(|(to, inode)| *to = *inode).count() as u32;
    let groups = to.cgroups.iter_mut().zip(cgroups);
    let groups = groups.map(|(to, group)| {
        *to = retrans_cgroup {
            id: group.id,
            level: group.level,
        };
    });
    to.cgroup_count = groups.count() as u32;
}

fn write_networks(networks: &Networks, to: &mut retrans_networks) {
    let address = |number: u128| retrans_address {
        high: (number >> 64) as u64,
        low: number as u64,
    };
    let ranges = to.ranges.iter_mut().zip(networks.ranges());
    let ranges = ranges.map(|(to, range)| {
        *to = retrans_range {
            first: address(range.first),
            last: address(range.last),
        };
    });
    to.count = ranges.count() as u64;
}

/// Checks that this kernel has what the filters need.
///
/// # Errors
///
/// [`ProbeError`] that names the filter, or if the kernel's types cannot be read.
pub fn check(filters: &LiveFilters) -> Result<(), ProbeError> {
    if filters.cgroups.is_empty() {
        return Ok(());
    }
    match kernel_features()?.socket_cgroups {
        true => Ok(()),
        false => Err(ProbeError::NoSocketCgroup),
    }
}

#[cfg(test)]
mod tests;
