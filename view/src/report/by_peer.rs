//! What is known of the connections to each peer, put together.

use std::collections::HashMap;
use std::net::IpAddr;

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;
use retrans_event::Kind;

use super::evidence::Evidence;
use super::track::Track;
use crate::key::Connection;

/// Maximum number of peers that are told apart: 25 MB.
const MAX_PEERS: usize = 32_768;

/// Maximum number of ports that are told apart.
const MAX_PORTS: usize = 4;

/// Some different ports.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    ports: ArrayVec<u16, MAX_PORTS>,
    has_more: bool,
}

impl Ports {
    fn add(&mut self, port: u16) {
        if !self.ports.contains(&port) {
            self.has_more |= self.ports.try_push(port).is_err();
        }
    }

    /// The port, if there is only one.
    pub fn only(&self) -> Option<u16> {
        match (self.ports.as_slice(), self.has_more) {
            ([port], false) => Some(*port),
            _ => None,
        }
    }

    /// Their number, and whether there are more.
    pub fn count(&self) -> (usize, bool) {
        (self.ports.len(), self.has_more)
    }
}

/// What is known of some connections.
#[derive(Debug, Clone, Default)]
pub struct Together {
    /// What their events tell.
    pub evidence: Evidence,
    /// Their number.
    pub connections: u64,
    /// Ports of the peers to which there was no connection: of those with a SYN that was sent again.
    pub syn_ports: Ports,
    /// Local ports of connections whose SYN-ACK was sent again.
    pub syn_ack_ports: Ports,
}

impl Together {
    /// Adds a connection.
    pub fn add(&mut self, connection: &Connection, track: &Track) {
        let evidence = track.told.evidence();
        self.evidence += *evidence;
        self.connections += 1;
        if evidence.of(Kind::Syn) > 0 {
            self.syn_ports.add(connection.peer().port());
        }
        if evidence.of(Kind::SynAck) > 0 {
            self.syn_ack_ports.add(connection.local().port());
        }
    }
}

/// Connections by peer, and all together.
#[derive(Debug, Clone, Default)]
pub struct ByPeer {
    peers: HashMap<IpAddr, Together, RandomState>,
    /// All connections.
    pub all: Together,
}

impl ByPeer {
    /// Adds a connection.
    pub fn add(&mut self, connection: &Connection, track: &Track) {
        self.all.add(connection, track);
        let peer = connection.peer().ip();
        if self.peers.len() < MAX_PEERS || self.peers.contains_key(&peer) {
            let together = self.peers.entry(peer).or_default();
            together.add(connection, track);
        }
    }

    /// What is known of the connections to a peer.
    pub fn get(&self, peer: IpAddr) -> Option<&Together> {
        self.peers.get(&peer)
    }

    /// The peers with the most segments, of which there are at most `number`.
    pub fn top(&self, number: usize) -> Vec<(IpAddr, &Together)> {
        let mut all: Vec<_> = self
            .peers
            .iter()
            .map(|(peer, together)| (*peer, together))
            .collect();
        all.sort_unstable_by_key(|(peer, together)| {
            let sums = &together.evidence.sums;
            (std::cmp::Reverse((sums.segments, sums.events)), *peer)
        });
        all.truncate(number);
        all
    }

    /// Number of peers.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}
