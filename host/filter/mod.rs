//! Filters: the retransmits that a run is about.
//!
//! Live, the probe applies them in the kernel, so that what is not wanted costs nothing there (`bpf/filter.h`); only
//! the owner is matched in the host, which finds it. A replay applies all of them here.

pub mod cgroup;
pub mod netns;
pub mod networks;
mod owner;
pub mod ports;
mod sample;

use std::fmt;
use std::num::NonZeroU32;

use retrans_event::CensusRow;
use retrans_event::Event;
use retrans_event::Kind;
use retrans_event::TcpState;

use self::cgroup::Cgroup;
use self::networks::Networks;
pub use self::owner::OwnerFilter;
use self::ports::Ports;

/// The wanted retransmits: those that every filter admits. An empty list admits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// The version of IP. An IPv4 connection of a dual-stack socket counts as IPv4.
    pub ip_version: Option<IpVersion>,
    /// Ports, of which either side has one.
    pub ports: Ports,
    /// Local ports.
    pub local_ports: Ports,
    /// Ports of the peer.
    pub peer_ports: Ports,
    /// Networks of the local address.
    pub locals: Networks,
    /// Networks of the peer's address.
    pub peers: Networks,
    /// Kinds of retransmits.
    pub kinds: Vec<Kind>,
    /// TCP states.
    pub states: Vec<TcpState>,
    /// Inodes of network namespaces.
    pub netns: Vec<u32>,
    /// One connection of this number, with all of its retransmits.
    pub sample: Option<NonZeroU32>,
    /// The owner of the socket.
    pub owner: OwnerFilter,
}

/// The filters of a live run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveFilters {
    /// Those that a replay has as well.
    pub common: Filters,
    /// Control groups: the socket's is one of these, or below one.
    pub cgroups: Vec<Cgroup>,
    /// Maximum number of events a second. Further ones are lost, and counted.
    pub max_rate: Option<u64>,
}

impl LiveFilters {
    /// Returns whether the probe leaves anything out.
    pub fn are_in_kernel(&self) -> bool {
        let without_owner = Filters {
            owner: OwnerFilter::default(),
            ..self.common.clone()
        };
        let in_host = LiveFilters::default();
        without_owner != in_host.common
            || self.cgroups != in_host.cgroups
            || self.max_rate != in_host.max_rate
    }
}

/// A version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    /// The number of the version.
    pub fn number(self) -> u8 {
        match self {
            IpVersion::V4 => 4,
            IpVersion::V6 => 6,
        }
    }
}

/// Filters that no event can pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A version of IP, and only networks of the other version: the two options.
    #[error("{0} and {1} exclude each other: no connection has addresses of both versions of IP")]
    IpVersions(&'static str, &'static str),
    /// Ports of either side, and only other ports on both sides.
    #[error(
        "--port, --local-port and --peer-port exclude each other: no port of --port is one of the others"
    )]
    Ports,
}

impl Filters {
    /// Returns whether the filters admit the event. Sampling and the owner are not considered.
    pub fn admit(&self, event: &Event) -> bool {
        let Filters {
            ip_version,
            ports,
            local_ports,
            peer_ports,
            locals,
            peers,
            kinds,
            states,
            netns,
            sample: _,
            owner: _,
        } = self;
        let (local, peer) = (event.local(), event.peer());
        let is_ipv4 = event.is_ipv4();
        ip_version.is_none_or(|version| is_ipv4 == (version == IpVersion::V4))
            && (ports.admit(local.port()) || ports.admit(peer.port()))
            && local_ports.admit(local.port())
            && peer_ports.admit(peer.port())
            && locals.admit(local.ip())
            && peers.admit(peer.ip())
            && (kinds.is_empty() || kinds.contains(&event.kind()))
            && (states.is_empty() || states.contains(&event.state()))
            && (netns.is_empty() || event.netns_inode().is_some_and(|ns| netns.contains(&ns)))
    }

    /// Returns whether the connection of the event is in the sample.
    pub fn is_in_sample(&self, event: &Event) -> bool {
        let rate = self.sample.map_or(1, NonZeroU32::get);
        rate == 1 || sample::hash(event).is_multiple_of(rate.into())
    }

    /// Returns whether all filters admit the event, whose owner is in its record.
    pub fn want(&self, event: &Event) -> bool {
        self.admit(event) && self.is_in_sample(event) && self.owner.admits(&event.owner(), None)
    }

    /// Returns whether the filters admit a row of a census. A row has the peer's address, the port of the service, which
    /// is that of either side, and the network namespace: filters for other facts do not apply to it.
    pub fn want_row(&self, row: &CensusRow) -> bool {
        let is_ipv4 = row.peer_address.is_ipv4();
        let (peers, netns) = (&self.peers, &self.netns);
        self.ip_version
            .is_none_or(|version| is_ipv4 == (version == IpVersion::V4))
            && (self.ports.admit(row.service_port))
            && peers.admit(row.peer_address)
            && (netns.is_empty() || netns.contains(&row.netns_inode))
    }

    /// Returns why no event can pass, if that is certain.
    pub fn contradiction(&self) -> Option<Contradiction> {
        let versions = [
            self.ip_version
                .map(|version| (IpVersion::option(version), version)),
            self.peers.only_version().map(|version| ("--peer", version)),
            self.locals
                .only_version()
                .map(|version| ("--local", version)),
        ];
        let mut versions = versions.into_iter().flatten();
        if let Some((first, version)) = versions.next()
            && let Some((other, _)) = versions.find(|(_, other)| *other != version)
        {
            return Some(Contradiction::IpVersions(first, other));
        }
        let meets = |side: &Ports| side.is_empty() || side.meets(&self.ports);
        let excluded =
            !self.ports.is_empty() && !meets(&self.local_ports) && !meets(&self.peer_ports);
        excluded.then_some(Contradiction::Ports)
    }
}

impl IpVersion {
    fn option(self) -> &'static str {
        match self {
            IpVersion::V4 => "-4",
            IpVersion::V6 => "-6",
        }
    }
}

/// The filters in use as options, each after a comma; nothing if there are none.
impl fmt::Display for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(version) = self.ip_version {
            write!(f, ", {}", version.option())?;
        }
        list(f, "--port", self.ports.ranges())?;
        list(f, "--local-port", self.local_ports.ranges())?;
        list(f, "--peer-port", self.peer_ports.ranges())?;
        list(f, "--local", self.locals.networks())?;
        list(f, "--peer", self.peers.networks())?;
        list(f, "--kind", &self.kinds)?;
        list(f, "--state", &self.states)?;
        list(f, "--netns", &self.netns)?;
        if let Some(sample) = self.sample {
            write!(f, ", --sample 1/{sample}")?;
        }
        let OwnerFilter {
            pids,
            comms,
            containers,
        } = &self.owner;
        list(f, "--pid", pids)?;
        list(f, "--comm", comms)?;
        list(f, "--container", containers)
    }
}

/// As [`Filters`].
impl fmt::Display for LiveFilters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LiveFilters {
            common,
            cgroups,
            max_rate,
        } = self;
        write!(f, "{common}")?;
        list(f, "--cgroup", cgroups)?;
        match max_rate {
            Some(rate) => write!(f, ", --max-rate {rate}/s"),
            None => Ok(()),
        }
    }
}

/// Writes an option with its values, unless there are none. Of many values, it writes the first ones.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, option: &str, values: &[T]) -> fmt::Result {
    const SHOWN: usize = 4;
    for (index, value) in values.iter().take(SHOWN).enumerate() {
        match index {
            0 => write!(f, ", {option} {value}")?,
            _ => write!(f, ",{value}")?,
        }
    }
    match values.len().checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => write!(f, " and {more} more"),
    }
}

#[cfg(test)]
mod tests;
