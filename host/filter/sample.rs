//! A number of each connection, by which connections are sampled. The probe computes the same one (`bpf/filter.h`), so
//! that the sample of a capture is the one that was recorded.

use std::net::IpAddr;

use retrans_event::Event;

/// A number of the event's connection: the same for all of its retransmits.
pub fn hash(event: &Event) -> u64 {
    if let Some(cookie) = event.socket_cookie() {
        return mix(cookie);
    }
    let (local, peer) = (event.local(), event.peer());
    let ports = u64::from(local.port()) << 16 | u64::from(peer.port());
    let first = u64::from(event.netns_inode().unwrap_or(0)) << 32 | ports;
    let [local, peer] = [local.ip(), peer.ip()].map(halves);
    let words = local.into_iter().chain(peer);
    words.fold(mix(first), |hash, word| mix(hash ^ word))
}

/// The two halves of the address, IPv4 as `::ffff:a.b.c.d`.
fn halves(address: IpAddr) -> [u64; 2] {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let number = u128::from(address);
    [(number >> 64) as u64, number as u64]
}

/// Mixes the bits of a number so that each bit of the result depends on all of them (MurmurHash3).
fn mix(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xff51_afd7_ed55_8ccd);
    number ^= number >> 33;
    number = number.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ number >> 33
}
