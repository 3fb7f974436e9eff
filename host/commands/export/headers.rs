//! The headers of a retransmitted packet, made from what its event knows of it.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use etherparse::IpNumber;
use etherparse::Ipv4Header;
use etherparse::Ipv6Header;
use etherparse::TcpHeader;
use retrans_event::Event;

/// Size of the longest headers in bytes: IPv6, and TCP without options.
pub const MAX_SIZE: usize = Ipv6Header::LEN + TcpHeader::MIN_LEN;

/// Time to live, or hop limit: the default of Linux. No event has it, and a small one would be reported as a fault.
const HOPS: u8 = 64;

/// The receive window of this side. No event has it, and 0 would be reported as a closed window.
const WINDOW: u16 = u16::MAX;

/// Writes the headers of the packet that an event describes, and returns the length of the whole packet in bytes. The
/// packets of an event with several segments are one, which is cut to the length that a header can have.
pub fn write(event: &Event, to: &mut Vec<u8>) -> u32 {
    let tcp = tcp(event).to_bytes();
    let payload = event.length().unwrap_or(0) as usize;
    let within = (tcp.len() + payload).min(usize::from(u16::MAX));
    let total = match (event.local_address(), event.peer_address()) {
        (IpAddr::V4(local), IpAddr::V4(peer)) => {
            let header = ipv4(local, peer, within);
            to.extend_from_slice(&header.to_bytes());
            header.total_len.into()
        }
        (local, peer) => {
            let header = ipv6(v6(local), v6(peer), within);
            to.extend_from_slice(&header.to_bytes());
            Ipv6Header::LEN + usize::from(header.payload_length)
        }
    };
    to.extend_from_slice(&tcp);
    total as u32
}

/// The header with the acknowledged number 0, which no event has, and the checksum 0: it would cover a payload that was
/// not captured.
fn tcp(event: &Event) -> TcpHeader {
    let flags = event.tcp_flags().unwrap_or_default();
    let has = |bit| flags.0 & bit != 0;
    let seq = event.seq().unwrap_or(0);
    TcpHeader {
        fin: has(0x01),
        syn: has(0x02),
        rst: has(0x04),
        psh: has(0x08),
        ack: has(0x10),
        urg: has(0x20),
        ece: has(0x40),
        cwr: has(0x80),
        ns: has(0x100),
        ..TcpHeader::new(event.local_port(), event.peer_port(), seq, WINDOW)
    }
}

/// `within` is the length of what follows the header, in bytes.
fn ipv4(local: Ipv4Addr, peer: Ipv4Addr, within: usize) -> Ipv4Header {
    let length = Ipv4Header::MIN_LEN + within;
    let mut header = Ipv4Header {
        total_len: u16::try_from(length).unwrap_or(u16::MAX),
        dont_fragment: false,
        time_to_live: HOPS,
        protocol: IpNumber::TCP,
        source: local.octets(),
        destination: peer.octets(),
        ..Ipv4Header::default()
    };
    header.header_checksum = header.calc_header_checksum();
    header
}

fn ipv6(local: Ipv6Addr, peer: Ipv6Addr, within: usize) -> Ipv6Header {
    Ipv6Header {
        payload_length: u16::try_from(within).unwrap_or(u16::MAX),
        next_header: IpNumber::TCP,
        hop_limit: HOPS,
        source: local.octets(),
        destination: peer.octets(),
        ..Ipv6Header::default()
    }
}

/// Records of other programs may have addresses of both versions.
fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use retrans_event::Record;
    use retrans_event::TcpFlags;

    use super::*;

    fn written(event: &Event) -> (Vec<u8>, u32) {
        let mut bytes = Vec::new();
        let length = write(event, &mut bytes);
        assert!(bytes.len() <= MAX_SIZE);
        (bytes, length)
    }

    fn event(local: &str, peer: &str) -> Record {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let mut event = Record::new();
        event.set_local(address(local));
        event.set_peer(address(peer));
        event.set_seq(Some(0x0102_0304));
        event.set_tcp_flags(Some(TcpFlags(0x118)));
        event.set_length(Some(100));
        event
    }

    #[test]
    fn an_ipv4_packet_has_every_field_in_its_place_and_a_checksum() {
        let (bytes, length) = written(&event("192.0.2.1:443", "198.51.100.7:40000"));
        let expected = [
            [0x45, 0, 0, 140],
            [0, 0, 0, 0],
            // The checksum by hand: the complement of the sum of the words.
            [64, 6, 0x8e, 0x30],
            [192, 0, 2, 1],
            [198, 51, 100, 7],
            [0x01, 0xbb, 0x9c, 0x40],
            [1, 2, 3, 4],
            [0, 0, 0, 0],
            // AE, PSH and ACK.
            [0x51, 0x18, 0xff, 0xff],
            [0, 0, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(length, 140);
        let words = bytes[..20].chunks(2);
        let sum: u32 = words
            .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
            .sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn an_ipv6_packet_has_the_length_of_what_follows_its_header() {
        let (bytes, length) = written(&event("[2001:db8::1]:443", "[2001:db8::7]:40000"));
        assert_eq!(bytes[..8], [0x60, 0, 0, 0, 0, 120, 6, 64]);
        let local: Ipv6Addr = "2001:db8::1".parse().expect("an address");
        assert_eq!(bytes[8..24], local.octets());
        assert_eq!(bytes[40..44], [0x01, 0xbb, 0x9c, 0x40]);
        assert_eq!((bytes.len(), length), (60, 160));
    }

    #[test]
    fn what_an_event_does_not_know_is_zero() {
        let mut unknown = event("192.0.2.1:443", "198.51.100.7:40000");
        unknown.set_seq(None);
        unknown.set_tcp_flags(None);
        unknown.set_length(None);
        let (bytes, length) = written(&unknown);
        assert_eq!((bytes.len(), length), (40, 40));
        assert_eq!(bytes[24..36], [0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0xff, 0xff]);
    }

    #[test]
    fn a_packet_is_no_longer_than_its_header_can_tell() {
        for bytes in [65_495, 65_496, 65_515, 65_516, 500_000, u32::MAX] {
            let mut long = event("192.0.2.1:443", "198.51.100.7:40000");
            long.set_length(Some(bytes));
            let (headers, length) = written(&long);
            assert_eq!(length, 65_535, "{bytes}");
            assert_eq!(headers[2..4], [0xff, 0xff]);
            let mut long = event("[2001:db8::1]:443", "[2001:db8::7]:40000");
            long.set_length(Some(bytes));
            let (headers, length) = written(&long);
            let within = (bytes.saturating_add(20)).min(65_535);
            assert_eq!(length, 40 + within, "{bytes}");
            assert_eq!(headers[4..6], (within as u16).to_be_bytes());
        }
    }

    #[test]
    fn addresses_of_both_versions_make_an_ipv6_packet() {
        let mut mixed = event("192.0.2.1:443", "198.51.100.7:40000");
        mixed.set_peer_address("2001:db8::7".parse().expect("an address"));
        let (bytes, _) = written(&mixed);
        assert_eq!(bytes[0], 0x60);
        assert_eq!(bytes[18..24], [0xff, 0xff, 192, 0, 2, 1]);
    }
}
