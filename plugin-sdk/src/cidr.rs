//! A network of IP addresses, such as `10.0.0.0/8`.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::str::FromStr;

use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use schemars::json_schema;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;
use serde::de::Visitor;

/// Leading bits of an IPv4-mapped IPv6 address that are not part of the IPv4 address.
const MAPPED: u8 = 96;

/// A network of IPv4 or IPv6 addresses: an address, and how many of its leading bits all addresses of the network
/// share. All other bits of the address are 0.
///
/// IPv4 has one form: `::ffff:10.0.0.0/104` is `10.0.0.0/8`, and an address such as `::ffff:10.0.0.1` is in it. An IPv6
/// network contains no IPv4 address, not even `::/0` or `::ffff:0:0/95`.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// # fn main() -> Result<()> {
/// let network: Cidr = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.1.2.3".parse()?));
/// assert_eq!("2001:db8::1".parse::<Cidr>()?.to_string(), "2001:db8::1/128");
/// let error = "10.1.2.3/8".parse::<Cidr>().unwrap_err();
/// assert_eq!(error.to_string(), "10.1.2.3/8 has bits after the first 8: expected 10.0.0.0/8");
/// # Ok(())
/// # }
/// ```
///
/// It can be a setting, written as text, and a key or a value of saved state. The order is IPv4 before IPv6, then by
/// address, then the larger network first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// Not IPv4-mapped.
    address: IpAddr,
    /// At most 32 for IPv4, 128 for IPv6.
    prefix_len: u8,
}

/// Why a text, or an address with a number of bits, is not a network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CidrError {
    /// The text is neither an address nor an address with a number of bits.
    Syntax {
        /// The text.
        text: String,
    },
    /// More bits than the address has.
    TooLong {
        /// The address.
        address: IpAddr,
        /// The number of bits that was given.
        prefix_len: u8,
        /// The number of bits of the address.
        most: u8,
    },
    /// The address has bits beyond those that the network shares.
    HostBits {
        /// The address.
        address: IpAddr,
        /// The number of bits that was given.
        prefix_len: u8,
        /// The network that the address is in.
        network: Cidr,
    },
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CidrError::Syntax { text } => write!(
                f,
                "{text:?} is not a network: expected an address with a number of bits, such as 10.0.0.0/8 or \
                 2001:db8::/32, or an address"
            ),
            CidrError::TooLong {
                address,
                prefix_len,
                most,
            } => write!(
                f,
                "{address}/{prefix_len} has too many bits: expected at most {most}"
            ),
            CidrError::HostBits {
                address,
                prefix_len,
                network,
            } => write!(
                f,
                "{address}/{prefix_len} has bits after the first {prefix_len}: expected {network}"
            ),
        }
    }
}

impl std::error::Error for CidrError {}

impl Cidr {
    /// The network with this address, whose addresses share the first `prefix_len` bits.
    ///
    /// # Errors
    ///
    /// For more bits than the address has, and for an address with bits beyond those. The message has the network that
    /// was probably meant.
    pub fn new(address: IpAddr, prefix_len: u8) -> Result<Cidr, CidrError> {
        let most = width(address);
        if prefix_len > most {
            return Err(CidrError::TooLong {
                address,
                prefix_len,
                most,
            });
        }
        let network = Cidr::truncate(address, prefix_len);
        if masked(address, prefix_len) != address {
            return Err(CidrError::HostBits {
                address,
                prefix_len,
                network,
            });
        }
        Ok(network)
    }

    /// The network of this address that has the given number of leading bits, or all bits of the address if it has
    /// fewer. Use it to count by network, with a number of bits for each version of IP: 24 bits are a site of IPv4, and
    /// millions of sites of IPv6.
    ///
    /// ```
    /// # use retrans_plugin_sdk::prelude::*;
    /// fn network(event: &Event) -> Cidr {
    ///     let bits = if event.is_ipv4() { 24 } else { 48 };
    ///     Cidr::truncate(event.peer_address(), bits)
    /// }
    /// ```
    ///
    /// The bits are those of the address as it is given: of an IPv4-mapped IPv6 address, 96 more than of the IPv4 address.
    /// With fewer than 96, the result is an IPv6 network, which contains no IPv4 address. Addresses of events are never
    /// mapped; [`IpAddr::to_canonical`] converts others.
    pub fn truncate(address: IpAddr, prefix_len: u8) -> Cidr {
        let prefix_len = prefix_len.min(width(address));
        match masked(address, prefix_len) {
            IpAddr::V6(v6) if prefix_len >= MAPPED && v6.to_ipv4_mapped().is_some() => Cidr {
                address: IpAddr::V6(v6).to_canonical(),
                prefix_len: prefix_len - MAPPED,
            },
            address => Cidr {
                address,
                prefix_len,
            },
        }
    }

    /// The first address of the network.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The number of bits that all addresses of the network share: from 0 to 32 for IPv4, to 128 for IPv6.
    pub fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    /// Is the address in the network?
    #[inline]
    pub fn contains(&self, address: IpAddr) -> bool {
        let shared = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        shared >= self.prefix_len.into()
    }
}

/// The number of bits of an address.
fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with 0 for all bits after the first `prefix_len`.
fn masked(address: IpAddr, prefix_len: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let zeros = u32::from(32 - prefix_len);
            let mask = u32::MAX.checked_shl(zeros).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let zeros = u32::from(128 - prefix_len);
            let mask = u128::MAX.checked_shl(zeros).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// The network of one address, of 32 or 128 bits.
impl From<IpAddr> for Cidr {
    fn from(address: IpAddr) -> Cidr {
        Cidr::truncate(address, u8::MAX)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let syntax = || CidrError::Syntax {
            text: text.to_owned(),
        };
        let Some((address, prefix_len)) = text.split_once('/') else {
            return text.parse().map(IpAddr::into).map_err(|_| syntax());
        };
        let is_number = prefix_len.bytes().all(|byte| byte.is_ascii_digit());
        match (address.parse(), prefix_len.parse()) {
            (Ok(address), Ok(prefix_len)) if is_number => Cidr::new(address, prefix_len),
            _ => Err(syntax()),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cidr, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Cidr {
    fn schema_name() -> Cow<'static, str> {
        "cidr".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
            "examples": ["10.0.0.0/8", "2001:db8::/32"],
        })
    }
}

/// Reads a network from text.
struct Text;

impl Visitor<'_> for Text {
    type Value = Cidr;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cidr, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests;
