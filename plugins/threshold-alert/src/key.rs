//! What is counted separately: a peer, a connection, a port, a network namespace, or several.

use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::net::Ipv6Addr;

use retrans_plugin_sdk::prelude::*;

settings! {
    /// A part of what is counted by.
    pub enum KeyPart {
        /// Address of the peer.
        Peer,
        /// Both addresses and ports.
        Connection,
        /// Local address.
        Local,
        /// Local port.
        LocalPort,
        /// Port of the peer.
        PeerPort,
        /// Network namespace.
        Netns,
    }
}

/// The parts of an event that it is counted by; the others are the same in every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    local: IpAddr,
    peer: IpAddr,
    local_port: u16,
    peer_port: u16,
    netns: Option<u32>,
}

impl Key {
    #[inline]
    pub(crate) fn of(event: &Event<'_>, parts: &[KeyPart]) -> Key {
        let mut key = Key {
            local: Ipv6Addr::UNSPECIFIED.into(),
            peer: Ipv6Addr::UNSPECIFIED.into(),
            local_port: 0,
            peer_port: 0,
            netns: None,
        };
        for part in parts {
            match part {
                KeyPart::Peer => key.peer = event.peer_address(),
                KeyPart::Connection => {
                    key.local = event.local_address();
                    key.local_port = event.local_port();
                    key.peer = event.peer_address();
                    key.peer_port = event.peer_port();
                }
                KeyPart::Local => key.local = event.local_address(),
                KeyPart::LocalPort => key.local_port = event.local_port(),
                KeyPart::PeerPort => key.peer_port = event.peer_port(),
                KeyPart::Netns => key.netns = event.netns_inode(),
            }
        }
        key
    }

    fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local, self.local_port)
    }

    fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.peer, self.peer_port)
    }

    /// Names and values of the parts. An unknown network namespace is left out.
    pub(crate) fn labels(&self, parts: &[KeyPart]) -> impl Iterator<Item = (&'static str, String)> {
        parts.iter().filter_map(|part| {
            Some(match part {
                KeyPart::Peer => ("peer", self.peer.to_string()),
                KeyPart::Connection => {
                    ("connection", format!("{} -> {}", self.local(), self.peer()))
                }
                KeyPart::Local => ("local", self.local.to_string()),
                KeyPart::LocalPort => ("local_port", self.local_port.to_string()),
                KeyPart::PeerPort => ("peer_port", self.peer_port.to_string()),
                KeyPart::Netns => ("netns", self.netns?.to_string()),
            })
        })
    }

    /// In words, to go on after "12 segments retransmitted".
    pub(crate) fn in_words<'a>(&'a self, parts: &'a [KeyPart]) -> impl fmt::Display {
        InWords { key: self, parts }
    }
}

/// By hand, because the derived one takes the hasher four times as many steps.
impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bits = |address| match address {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => address.to_bits(),
        };
        state.write_u128(bits(self.local));
        state.write_u128(bits(self.peer));
        state.write_u32(u32::from(self.local_port) << 16 | u32::from(self.peer_port));
        state.write_u32(self.netns.unwrap_or(0));
    }
}

struct InWords<'a> {
    key: &'a Key,
    parts: &'a [KeyPart],
}

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InWords { key, parts } = self;
        let counted = |part| parts.contains(&part);
        let end = |whole: SocketAddr, address, port| match (address, port) {
            (true, true) => Some(whole.to_string()),
            (true, false) => Some(whole.ip().to_string()),
            (false, true) => Some(format!("port {}", whole.port())),
            (false, false) => None,
        };
        let connection = counted(KeyPart::Connection);
        let local = end(
            key.local(),
            connection || counted(KeyPart::Local),
            connection || counted(KeyPart::LocalPort),
        );
        let peer = end(
            key.peer(),
            connection || counted(KeyPart::Peer),
            connection || counted(KeyPart::PeerPort),
        );
        let netns = counted(KeyPart::Netns).then(|| match key.netns {
            Some(inode) => format!("network namespace {inode}"),
            None => "an unknown network namespace".to_owned(),
        });
        let words = [("from", local), ("to", peer), ("in", netns)];
        let words = words
            .iter()
            .filter_map(|(word, what)| Some((word, what.as_ref()?)));
        for (number, (word, what)) in words.enumerate() {
            let separator = if number == 0 { "" } else { " " };
            write!(f, "{separator}{word} {what}")?;
        }
        Ok(())
    }
}
