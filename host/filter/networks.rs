//! A set of networks, each an address with the length of its prefix.

use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::str::FromStr;

use ipnet::IpNet;
use ipnet::Ipv6Net;

use super::IpVersion;

/// The most ranges of addresses that the probe keeps for one side, as in `bpf/filter.h`.
pub const MAX_RANGES: usize = 512;

/// Number of bits in `::ffff:0:0/96`, the prefix of IPv4 addresses in IPv6.
const MAPPED_BITS: u8 = 96;

/// A set of networks. Empty, it admits every address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    networks: Vec<IpNet>,
    /// The addresses of the networks in ascending order: ranges that neither overlap nor touch.
    ranges: Vec<AddressRange>,
}

/// A range of addresses as numbers, both ends included. IPv4 addresses are in `::ffff:0:0/96`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressRange {
    /// The first address.
    pub first: u128,
    /// The last address.
    pub last: u128,
}

/// Why networks cannot be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Text that is neither a network nor an address.
    #[error("expected an address or a network, such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32")]
    Invalid,
    /// More networks than the probe keeps.
    #[error(
        "{0} separate ranges of addresses, and the probe keeps {MAX_RANGES}; name larger networks"
    )]
    TooMany(usize),
}

/// Parses a network, or an address as the network of that address alone. Bits beyond the prefix are ignored, and
/// networks in `::ffff:0:0/96` are IPv4.
pub fn parse(text: &str) -> Result<IpNet, NetworkError> {
    let network = IpNet::from_str(text).or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| NetworkError::Invalid)?.trunc();
    Ok(unmapped(network))
}

/// The IPv4 network that an IPv6 network in `::ffff:0:0/96` stands for, else the same network.
fn unmapped(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) => v6
            .prefix_len()
            .checked_sub(MAPPED_BITS)
            .zip(v6.addr().to_ipv4_mapped()),
        IpNet::V4(_) => None,
    };
    mapped
        .and_then(|(length, address)| IpNet::new(address.into(), length).ok())
        .unwrap_or(network)
}

impl Networks {
    /// The addresses of these networks.
    ///
    /// # Errors
    ///
    /// If they have more than [`MAX_RANGES`] ranges that do not touch.
    pub fn new(networks: Vec<IpNet>) -> Result<Networks, NetworkError> {
        let mut all: Vec<AddressRange> = networks.iter().map(AddressRange::of).collect();
        all.sort_unstable();
        let mut ranges: Vec<AddressRange> = Vec::new();
        for next in all {
            match ranges.last_mut() {
                Some(last) if next.first <= last.last.saturating_add(1) => {
                    last.last = last.last.max(next.last);
                }
                _ => ranges.push(next),
            }
        }
        match ranges.len() > MAX_RANGES {
            true => Err(NetworkError::TooMany(ranges.len())),
            false => Ok(Networks { networks, ranges }),
        }
    }

    /// The networks.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// Their addresses: ranges in ascending order, at most [`MAX_RANGES`], that neither overlap nor touch.
    pub fn ranges(&self) -> &[AddressRange] {
        &self.ranges
    }

    /// Returns whether the set is empty, so that it admits every address.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// Returns whether the set admits this address.
    pub fn admit(&self, address: IpAddr) -> bool {
        self.is_empty()
            || self
                .networks
                .iter()
                .any(|network| contains(network, address))
    }

    /// The version of IP of all networks; `None` if there are networks of both versions, or none.
    pub fn only_version(&self) -> Option<IpVersion> {
        let mut versions = self.networks.iter().map(version);
        let first = versions.next()??;
        versions.all(|other| other == Some(first)).then_some(first)
    }
}

/// Returns whether the network has the address. An IPv6 network that contains `::ffff:0:0/96` has IPv4 addresses too.
fn contains(network: &IpNet, address: IpAddr) -> bool {
    match (network, address) {
        (IpNet::V6(v6), IpAddr::V4(address)) => v6.contains(&address.to_ipv6_mapped()),
        (network, address) => network.contains(&address),
    }
}

/// The version of the addresses in the network; `None` if there are addresses of both.
fn version(network: &IpNet) -> Option<IpVersion> {
    match network {
        IpNet::V4(_) => Some(IpVersion::V4),
        IpNet::V6(v6) => {
            let mapped = Ipv6Addr::from(0xffff_0000_0000);
            (!v6.contains(&mapped)).then_some(IpVersion::V6)
        }
    }
}

impl AddressRange {
    fn of(network: &IpNet) -> AddressRange {
        let network = match network {
            IpNet::V4(v4) => {
                Ipv6Net::new_assert(v4.addr().to_ipv6_mapped(), MAPPED_BITS + v4.prefix_len())
            }
            IpNet::V6(v6) => *v6,
        };
        AddressRange {
            first: network.network().into(),
            last: network.broadcast().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Networks {
        let networks = text.split(',').map(|text| parse(text).expect("a network"));
        Networks::new(networks.collect()).expect("few enough")
    }

    #[test]
    fn an_ipv4_mapped_network_is_ipv4() {
        assert_eq!(parse("::ffff:10.0.0.0/104"), parse("10.0.0.0/8"));
        assert_eq!(parse("::ffff:192.0.2.7"), parse("192.0.2.7/32"));
        let mapped = networks("::ffff:10.1.0.0/112");
        assert!(mapped.admit(IpAddr::from([10, 1, 2, 3])));
        assert_eq!(mapped.only_version(), Some(IpVersion::V4));
    }

    #[test]
    fn bits_beyond_the_prefix_are_ignored() {
        assert_eq!(parse("10.1.2.3/8"), parse("10.0.0.0/8"));
    }

    #[test]
    fn networks_that_overlap_or_touch_are_one_range() {
        let one = networks("10.0.0.0/9,10.128.0.0/9,10.3.0.0/16");
        assert_eq!(one.ranges(), networks("10.0.0.0/8").ranges());
        assert_eq!(networks("10.0.0.0/8,12.0.0.0/8").ranges().len(), 2);
        let all = networks("::/0,10.0.0.0/8,ffff::/16");
        assert_eq!(all.ranges(), networks("::/0").ranges());
        assert!(all.admit(IpAddr::from([10, 1, 2, 3])));
        assert_eq!(all.only_version(), None);
    }

    #[test]
    fn more_ranges_than_the_probe_keeps_are_refused() {
        let many = |count: u32| {
            let networks =
                (0..count).map(|index| IpNet::from(IpAddr::from((index * 2).to_be_bytes())));
            Networks::new(networks.collect())
        };
        assert!(many(MAX_RANGES as u32).is_ok());
        assert_eq!(many(513), Err(NetworkError::TooMany(513)));
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0",
            "2001:db8::/129",
            "host",
            "10.0.0.0/",
        ] {
            assert_eq!(parse(wrong), Err(NetworkError::Invalid), "{wrong}");
        }
    }
}
