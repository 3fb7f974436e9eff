//! A map from networks to values that finds the smallest network of an address.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;
use serde::de::MapAccess;
use serde::de::Visitor;

use crate::cidr::Cidr;

/// A map from networks to values. [`get`](PrefixMap::get) returns the value of the smallest network that contains an
/// address: the longest match.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// # fn main() -> Result<()> {
/// let mut networks = PrefixMap::new();
/// networks.insert("10.0.0.0/8".parse()?, "internal");
/// networks.insert("10.1.0.0/16".parse()?, "office");
/// assert_eq!(networks.get("10.1.2.3".parse()?), Some(&"office"));
/// assert_eq!(networks.get("10.2.3.4".parse()?), Some(&"internal"));
/// assert_eq!(networks.get("192.0.2.1".parse()?), None);
/// # Ok(())
/// # }
/// ```
///
/// A look-up takes time by the logarithm of the number of networks, once for each level of networks around the address,
/// at most 33 times for IPv4 and 129 times for IPv6. Nothing is hashed: no choice of addresses makes it slower.
///
/// The map has no limit: its memory is about 15 bytes for an IPv4 network and 60 for an IPv6 network, with the value in
/// addition. Networks come from settings and files of the operator, not from events. It can be saved as part of a
/// plugin's [state](crate::Stateful).
#[derive(Clone)]
pub struct PrefixMap<V> {
    v4: Table<u32, V>,
    v6: Table<u128, V>,
}

/// The networks of one version of IP.
#[derive(Clone)]
struct Table<B, V> {
    /// By first address and number of bits.
    networks: BTreeMap<(B, u8), V>,
    /// No network has fewer bits.
    shortest: u8,
}

impl<V> PrefixMap<V> {
    /// An empty map.
    pub const fn new() -> PrefixMap<V> {
        PrefixMap {
            v4: Table::new(),
            v6: Table::new(),
        }
    }

    /// Sets the value of a network. Returns the value that the same network had before.
    pub fn insert(&mut self, network: Cidr, value: V) -> Option<V> {
        let length = network.prefix_len();
        match network.address() {
            IpAddr::V4(address) => self.v4.insert(address.to_bits(), length, value),
            IpAddr::V6(address) => self.v6.insert(address.to_bits(), length, value),
        }
    }

    /// Removes a network, and returns its value.
    pub fn remove(&mut self, network: Cidr) -> Option<V> {
        let length = network.prefix_len();
        match network.address() {
            IpAddr::V4(address) => self.v4.networks.remove(&(address.to_bits(), length)),
            IpAddr::V6(address) => self.v6.networks.remove(&(address.to_bits(), length)),
        }
    }

    /// The value of the smallest network that contains the address.
    #[inline]
    pub fn get(&self, address: IpAddr) -> Option<&V> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.longest(address.to_bits()).map(|(_, value)| value),
            IpAddr::V6(address) => self.v6.longest(address.to_bits()).map(|(_, value)| value),
        }
    }

    /// The smallest network that contains the address, with its value.
    pub fn get_with_prefix(&self, address: IpAddr) -> Option<(Cidr, &V)> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.longest(address.to_bits()).map(v4),
            IpAddr::V6(address) => self.v6.longest(address.to_bits()).map(v6),
        }
    }

    /// All networks with their values, in the order of [`Cidr`].
    pub fn iter(&self) -> impl Iterator<Item = (Cidr, &V)> {
        self.v4
            .networks
            .iter()
            .map(v4)
            .chain(self.v6.networks.iter().map(v6))
    }

    /// The number of networks.
    pub fn len(&self) -> usize {
        self.v4.networks.len() + self.v6.networks.len()
    }

    /// Are there no networks?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn v4<'a, V>(((bits, length), value): (&(u32, u8), &'a V)) -> (Cidr, &'a V) {
    let address = Ipv4Addr::from_bits(*bits).into();
    (Cidr::truncate(address, *length), value)
}

fn v6<'a, V>(((bits, length), value): (&(u128, u8), &'a V)) -> (Cidr, &'a V) {
    let address = Ipv6Addr::from_bits(*bits).into();
    (Cidr::truncate(address, *length), value)
}

/// The bits of an address.
trait Bits: Copy + Ord {
    const WIDTH: u8;

    /// The number of leading bits that are the same in both.
    fn shared(self, other: Self) -> u8;

    /// These bits with 0 after the first `length`, which is less than [`WIDTH`](Bits::WIDTH).
    fn masked(self, length: u8) -> Self;
}

macro_rules! bits {
    ($($type:ty),+) => {$(
        impl Bits for $type {
            const WIDTH: u8 = <$type>::BITS as u8;

            #[inline]
            fn shared(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }

            #[inline]
            fn masked(self, length: u8) -> Self {
                self & !(<$type>::MAX >> length)
            }
        }
    )+};
}

bits!(u32, u128);

impl<B: Bits, V> Table<B, V> {
    const fn new() -> Table<B, V> {
        Table {
            networks: BTreeMap::new(),
            shortest: u8::MAX,
        }
    }

    fn insert(&mut self, bits: B, length: u8, value: V) -> Option<V> {
        self.shortest = self.shortest.min(length);
        self.networks.insert((bits, length), value)
    }

    /// The network with the most bits that contains the address.
    ///
    /// In the order of the keys, the networks of an address are before it, the smallest last. The key before the address
    /// is either that one, or it differs from the address after some bits: then only networks with at most as many bits
    /// are left, and the search goes on before them. Each round shortens the bits.
    #[inline]
    fn longest(&self, address: B) -> Option<(&(B, u8), &V)> {
        let mut end = (address, B::WIDTH);
        loop {
            let found = self.networks.range(..=end).next_back()?;
            let (start, length) = *found.0;
            let shared = start.shared(address);
            if shared >= length {
                return Some(found);
            }
            if shared < self.shortest {
                return None;
            }
            end = (address.masked(shared), shared);
        }
    }
}

impl<V> Default for PrefixMap<V> {
    fn default() -> PrefixMap<V> {
        PrefixMap::new()
    }
}

impl<V> FromIterator<(Cidr, V)> for PrefixMap<V> {
    fn from_iter<I: IntoIterator<Item = (Cidr, V)>>(networks: I) -> PrefixMap<V> {
        let mut map = PrefixMap::new();
        map.extend(networks);
        map
    }
}

impl<V> Extend<(Cidr, V)> for PrefixMap<V> {
    fn extend<I: IntoIterator<Item = (Cidr, V)>>(&mut self, networks: I) {
        for (network, value) in networks {
            self.insert(network, value);
        }
    }
}

impl<V: fmt::Debug> fmt::Debug for PrefixMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A map of networks as text.
impl<V: Serialize> Serialize for PrefixMap<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for PrefixMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Networks(PrefixMap::new()))
    }
}

struct Networks<V>(PrefixMap<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Networks<V> {
    type Value = PrefixMap<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("networks with their values")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut networks: A) -> Result<Self::Value, A::Error> {
        while let Some((network, value)) = networks.next_entry()? {
            if self.0.insert(network, value).is_some() {
                return Err(de::Error::custom(format_args!("{network} occurs twice")));
            }
        }
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests;
