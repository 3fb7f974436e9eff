//! The census of synthetic events: as many segments are sent again as the events have, and a share of all that depends on
//! the service.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use retrans_event::CensusRow;
use retrans_event::Event;
use retrans_event::Kind;
use retrans_event::RTT_BUCKETS;

use crate::stream::census::Census;
use crate::stream::moment::Moment;

/// Payload of a segment of synthetic events in bytes.
const MSS: u64 = 1_448;

/// Namespace, peer and port of the service.
type Key = (u32, IpAddr, u16);

/// Sums up events between two censuses.
pub(super) struct SyntheticCensus {
    interval: Duration,
    /// The end of the last interval; `None` before the first event.
    begun: Option<Duration>,
    rows: BTreeMap<Key, CensusRow>,
}

impl SyntheticCensus {
    /// A census of each interval.
    pub(super) fn new(interval: Duration) -> SyntheticCensus {
        SyntheticCensus {
            interval,
            begun: None,
            rows: BTreeMap::new(),
        }
    }

    /// Counts an event. Those of handshakes are no data.
    pub(super) fn add(&mut self, event: &Event) {
        self.begun.get_or_insert(event.time());
        if matches!(event.kind(), Kind::Syn | Kind::SynAck) {
            return;
        }
        let peer = event.peer();
        let key = (event.netns_inode().unwrap_or(0), peer.ip(), peer.port());
        let row = self.rows.entry(key).or_insert(CensusRow::EMPTY);
        row.open = 1;
        row.retransmitted_segments += u64::from(event.segments().unwrap_or(0));
        row.retransmitted_bytes += u64::from(event.length().unwrap_or(0));
        if let Some(rtt) = event.srtt() {
            let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
            let class = micros.checked_ilog2().unwrap_or(0) as usize;
            row.rtt_sum_us += micros;
            row.rtt_count += 1;
            row.rtt_buckets[class.min(RTT_BUCKETS - 1)] += 1;
        }
    }

    /// The census at a mark, if one is due.
    pub(super) fn due(&mut self, now: Moment) -> Option<Census> {
        let begun = self.begun?;
        (begun + self.interval <= now.time).then(|| self.take(now))
    }

    /// The census of what is left at the end.
    pub(super) fn take(&mut self, now: Moment) -> Census {
        let begun = self.begun.replace(now.time).unwrap_or(now.time);
        let rows = std::mem::take(&mut self.rows).into_iter();
        Census::new(
            rows.map(|((netns_inode, peer_address, service_port), row)| {
                // From 0.1 % to 5 % of the segments are sent again.
                let segments = row.retransmitted_segments * factor(peer_address, service_port);
                CensusRow {
                    wall_time: now.wall_time,
                    time: now.time,
                    interval: now.time.saturating_sub(begun),
                    peer_address,
                    service_port,
                    netns_inode,
                    segments,
                    bytes: segments * MSS,
                    ..row
                }
            }),
        )
    }
}

/// The same number for a service in every run and every version.
fn factor(peer: IpAddr, port: u16) -> u64 {
    let address = match peer {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let bytes = address.octets().into_iter().chain(port.to_be_bytes());
    // FNV-1a, 32 bits.
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    20 + u64::from(hash % 981)
}
