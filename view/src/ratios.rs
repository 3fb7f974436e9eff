//! What was sent beside what was sent again, from the rows of a census.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::AddAssign;

use foldhash::fast::RandomState;
use retrans_event::CensusRow;

/// Sums of rows of a census.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Segments with data that were sent, retransmits included.
    pub segments: u64,
    /// Those of them that were sent again.
    pub retransmitted: u64,
    /// Bytes of data that were sent, retransmits included.
    pub bytes: u64,
    /// Those of them that were sent again.
    pub retransmitted_bytes: u64,
    /// Duplicates that peers reported.
    pub dsacks: u64,
}

impl Sent {
    /// The share of segments that were sent again, from 0 to 1; `None` if none were sent.
    pub fn ratio(&self) -> Option<f64> {
        (self.segments > 0).then(|| self.retransmitted as f64 / self.segments as f64)
    }
}

impl From<&CensusRow> for Sent {
    fn from(row: &CensusRow) -> Sent {
        Sent {
            segments: row.segments,
            retransmitted: row.retransmitted_segments,
            bytes: row.bytes,
            retransmitted_bytes: row.retransmitted_bytes,
            dsacks: row.dsacks,
        }
    }
}

impl AddAssign for Sent {
    fn add_assign(&mut self, other: Sent) {
        self.segments = self.segments.saturating_add(other.segments);
        self.retransmitted = self.retransmitted.saturating_add(other.retransmitted);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.retransmitted_bytes = self
            .retransmitted_bytes
            .saturating_add(other.retransmitted_bytes);
        self.dsacks = self.dsacks.saturating_add(other.dsacks);
    }
}

/// Sums of all censuses: in all, and by peer.
#[derive(Debug, Clone)]
pub struct Ratios {
    max: usize,
    censuses: u64,
    rows: u64,
    total: Sent,
    is_complete: bool,
    peers: HashMap<IpAddr, Sent, RandomState>,
    /// Whether there were rows of peers for which there was no room.
    has_more: bool,
}

impl Ratios {
    /// Sums of at most `max` peers.
    pub fn new(max: usize) -> Ratios {
        Ratios {
            max,
            censuses: 0,
            rows: 0,
            total: Sent::default(),
            is_complete: true,
            peers: HashMap::default(),
            has_more: false,
        }
    }

    /// Adds the rows of a census.
    pub fn add(&mut self, rows: impl IntoIterator<Item = CensusRow>) {
        self.censuses += 1;
        for row in rows {
            let sent = Sent::from(&row);
            self.rows += 1;
            self.total += sent;
            self.is_complete &= row.is_complete;
            let peer = row.peer_address;
            if row.is_overflow || self.peers.len() >= self.max && !self.peers.contains_key(&peer) {
                self.has_more = true;
                continue;
            }
            *self.peers.entry(peer).or_default() += sent;
        }
    }

    /// Number of censuses.
    pub fn censuses(&self) -> u64 {
        self.censuses
    }

    /// Number of their rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The sums of all rows.
    pub fn total(&self) -> &Sent {
        &self.total
    }

    /// Whether the censuses have counted everything.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What was sent to a peer. `None` if that is not known: without a census, or if some peers are not kept.
    pub fn peer(&self, peer: IpAddr) -> Option<&Sent> {
        self.peers.get(&peer)
    }

    /// All peers that are known.
    pub fn peers(&self) -> impl Iterator<Item = (IpAddr, &Sent)> {
        self.peers.iter().map(|(peer, sent)| (*peer, sent))
    }

    /// Whether there are peers that are not known.
    pub fn has_more(&self) -> bool {
        self.has_more
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn rows_are_added_up_by_peer_and_in_all() {
        let row = |number: u32, segments| CensusRow {
            peer_address: Ipv4Addr::from_bits(number).into(),
            segments,
            retransmitted_segments: segments / 8,
            ..CensusRow::EMPTY
        };
        let mut ratios = Ratios::new(2);
        ratios.add([row(1, 800), row(1, 80), row(2, 8)]);
        ratios.add([row(1, 0), row(3, 16)]);
        assert_eq!((ratios.censuses(), ratios.rows()), (2, 5));
        let first = ratios.peer(Ipv4Addr::from_bits(1).into()).expect("known");
        assert_eq!((first.segments, first.retransmitted), (880, 110));
        assert_eq!(first.ratio(), Some(0.125));
        assert_eq!(ratios.peer(Ipv4Addr::from_bits(3).into()), None);
        assert!(ratios.has_more());
        assert_eq!(ratios.total().segments, 904);
        assert_eq!(Sent::default().ratio(), None);
    }
}
