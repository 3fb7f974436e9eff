//! Seconds in which segments to many peers were lost at once.

use std::net::IpAddr;

use arrayvec::ArrayVec;
use retrans_event::Event;

/// From this number of peers on, a second counts as a shared one.
pub const MANY_PEERS: usize = 5;

/// Maximum number of peers that are told apart within a second.
const MAX_PEERS: usize = 64;

/// Sums of the seconds.
#[derive(Debug, Clone, Default)]
pub struct SharedSeconds {
    second: u64,
    peers: ArrayVec<IpAddr, MAX_PEERS>,
    segments_of_second: u64,
    /// Seconds that were shared by [`MANY_PEERS`] or more.
    pub seconds: u64,
    /// Segments in these seconds.
    pub segments: u64,
    /// The largest number of peers in a second. 64 may be more.
    pub most_peers: usize,
}

impl SharedSeconds {
    /// Adds an event. Those of a second follow one another, but for the few that have waited for their owner.
    pub fn add(&mut self, event: &Event) {
        let second = event.wall_time().as_secs();
        if second != self.second {
            self.close();
            self.second = second;
        }
        self.segments_of_second += u64::from(event.segments().unwrap_or(0));
        let peer = event.peer_address();
        if !self.peers.is_full() && !self.peers.contains(&peer) {
            self.peers.push(peer);
        }
    }

    /// The sums, with those of the last second.
    pub fn closed(&self) -> SharedSeconds {
        let mut closed = self.clone();
        closed.close();
        closed
    }

    fn close(&mut self) {
        let peers = self.peers.len();
        if peers >= MANY_PEERS {
            self.seconds += 1;
            self.segments += self.segments_of_second;
        }
        self.most_peers = self.most_peers.max(peers);
        self.peers.clear();
        self.segments_of_second = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use retrans_event::Record;

    use super::*;

    #[test]
    fn seconds_with_many_peers_are_counted() {
        let mut shared = SharedSeconds::default();
        for (second, peers) in [(1, 5), (2, 4), (3, 9)] {
            for number in 0..2 * peers {
                let mut event = Record::new();
                event.set_wall_time(Duration::from_secs(second));
                event.set_peer_address(Ipv4Addr::from_bits(number % peers).into());
                event.set_segments(Some(1));
                shared.add(&event);
            }
        }
        let closed = shared.closed();
        assert_eq!(
            (closed.seconds, closed.segments, closed.most_peers),
            (2, 28, 9)
        );
    }
}
