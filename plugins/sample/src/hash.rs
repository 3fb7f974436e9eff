//! A number of each connection. It must never change: different versions of the plugin select the same connections of a
//! recording.
//!
//! It is not that of the host's `--sample`, which goes by the cookie of the socket where there is one.

use retrans_plugin_sdk::prelude::*;

/// A number of the event's connection and the seed, spread evenly over all numbers of 64 bits.
#[inline]
pub(crate) fn of(event: &Event, seed: u64) -> u64 {
    let (local, peer) = (event.local(), event.peer());
    let ports = u64::from(local.port()) << 16 | u64::from(peer.port());
    let netns = u64::from(event.netns_inode().unwrap_or(0));
    let first = mix(seed) ^ (netns << 32 | ports);
    let [local, peer] = [local.ip(), peer.ip()].map(halves);
    let words = local.into_iter().chain(peer);
    words.fold(mix(first), |hash, word| mix(hash ^ word))
}

/// The two halves of the address, IPv4 as `::ffff:a.b.c.d`.
fn halves(address: IpAddr) -> [u64; 2] {
    let bits = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    };
    [(bits >> 64) as u64, bits as u64]
}

/// Mixes the bits of a number so that each bit of the result depends on all of them: the last steps of SplitMix64 (Steele,
/// Lea and Flood, 2014), after its constant, so that 0 does not stay 0.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
