//! Keys: what a row of a census has, each with a ratio of its own.

use std::fmt;

use retrans_plugin_sdk::prelude::*;

settings! {
    /// A part of a key.
    pub enum KeyPart {
        /// Address of the peer.
        Peer,
        /// Network of the peer: `prefix4` or `prefix6` bits.
        Network,
        /// Port of the service: that of this host for a connection that it accepted, else that of the peer.
        Port,
        /// Network namespace.
        Netns,
    }
}

/// The parts of a row that form its key.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Key {
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    peer: Option<IpAddr>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    network: Option<Cidr>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
}

/// Which parts keys have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Parts {
    pub(crate) parts: Vec<KeyPart>,
    pub(crate) prefix4: u8,
    pub(crate) prefix6: u8,
}

impl Parts {
    pub(crate) fn key(&self, row: &CensusRow) -> Key {
        let mut key = Key::default();
        for part in &self.parts {
            match part {
                KeyPart::Peer => key.peer = Some(row.peer_address),
                KeyPart::Network => {
                    let bits = match row.peer_address {
                        IpAddr::V4(_) => self.prefix4,
                        IpAddr::V6(_) => self.prefix6,
                    };
                    key.network = Some(Cidr::truncate(row.peer_address, bits));
                }
                KeyPart::Port => key.port = Some(row.service_port),
                KeyPart::Netns => key.netns = Some(row.netns_inode),
            }
        }
        key
    }
}

impl Key {
    /// Adds a label for each part.
    pub(crate) fn label(&self, alert: Alert) -> Alert {
        let Key {
            peer,
            network,
            port,
            netns,
        } = self;
        let parts = [
            ("peer", peer.map(|peer| peer.to_string())),
            ("network", network.map(|network| network.to_string())),
            ("service_port", port.map(|port| port.to_string())),
            ("netns", netns.map(|netns| netns.to_string())),
        ];
        let parts = parts.into_iter();
        let parts = parts.filter_map(|(name, value)| Some((name, value?)));
        parts.fold(alert, |alert, (name, value)| alert.label(name, value))
    }
}

/// As in "segments to 10.0.0.2, port 443".
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Key {
            peer,
            network,
            port,
            netns,
        } = self;
        let mut parts = Vec::new();
        parts.extend(peer.map(|peer| format!("to {peer}")));
        parts.extend(network.map(|network| format!("to {network}")));
        parts.extend(port.map(|port| format!("of port {port}")));
        parts.extend(netns.map(|netns| format!("in netns {netns}")));
        f.write_str(&parts.join(" "))
    }
}
