//! Partitions: events of one key are in one partition, whichever host saw them.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use serde::Deserialize;
use serde::Serialize;

/// A partition, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub u16);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of partitions of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partitions(NonZeroU16);

impl Partitions {
    /// The number where none is chosen.
    pub const DEFAULT: Partitions = Partitions(NonZeroU16::new(32).unwrap());

    /// The most that a fleet may have: each has a chain and a tick a second.
    pub const MAX: u16 = 1024;

    /// This number. `None` if it is 0 or above [`Partitions::MAX`].
    pub fn new(count: u16) -> Option<Partitions> {
        NonZeroU16::new(count)
            .filter(|count| count.get() <= Partitions::MAX)
            .map(Partitions)
    }

    /// How many there are.
    pub fn count(self) -> u16 {
        self.0.get()
    }

    /// All of them.
    pub fn all(self) -> impl Iterator<Item = Partition> {
        (0..self.count()).map(Partition)
    }

    /// The partition of events about this peer: FNV-1a over the 16 bytes of the address (IPv4 as an IPv4-mapped
    /// address), modulo the number of partitions. All versions must agree on it.
    pub fn of_peer(self, peer: IpAddr) -> Partition {
        let bytes = match peer {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // The low bits of FNV-1a depend on few bits of the bytes: the high half is mixed in.
        let mixed = hash ^ (hash >> 32);
        Partition((mixed % u64::from(self.count())) as u16)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_number_has_bounds() {
        assert_eq!(Partitions::new(0), None);
        assert_eq!(Partitions::new(1025), None);
        assert_eq!(Partitions::new(1024).map(Partitions::count), Some(1024));
        assert_eq!(Partitions::DEFAULT.count(), 32);
    }

    #[test]
    fn a_peer_has_one_partition_in_each_form_of_its_address() {
        let partitions = Partitions::DEFAULT;
        let address = Ipv4Addr::new(192, 0, 2, 1);
        let mapped = IpAddr::V6(address.to_ipv6_mapped());
        assert_eq!(
            partitions.of_peer(address.into()),
            partitions.of_peer(mapped)
        );
    }

    #[test]
    fn peers_are_spread_evenly() {
        let mut counts = [0; 32];
        for last in 0..=u16::MAX {
            let [high, low] = last.to_be_bytes();
            let partition = Partitions::DEFAULT.of_peer(Ipv4Addr::new(10, 0, high, low).into());
            counts[usize::from(partition.0)] += 1;
        }
        // 2,048 each on average; three standard deviations of a random spread are 134.
        assert!(
            counts.iter().all(|count| (1_500..2_600).contains(count)),
            "{counts:?}"
        );
    }
}
