//! Keys: peers, connections, ports, processes and so on, or combinations, each with its own count.

use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::net::Ipv6Addr;
use std::net::SocketAddrV6;
use std::num::NonZeroU32;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::retrans_event::Name;

settings! {
    /// A part of a key.
    pub enum KeyPart {
        /// Address of the peer. A link-local address is counted together with network namespace and interface.
        Peer,
        /// Both addresses and ports; link-local addresses as with `peer`.
        Connection,
        /// Local address; a link-local one as with `peer`.
        Local,
        /// Local port.
        LocalPort,
        /// Port of the peer.
        PeerPort,
        /// Network namespace.
        Netns,
        /// Process that holds the socket or, for a connection that was not accepted yet, the listening socket.
        /// The alert has the labels `process` and `pid`.
        Process,
        /// Container of that process.
        Container,
        /// Namespace in Kubernetes of the pod of that process.
        Namespace,
        /// Pod of that process, in its namespace. The alert has the labels `namespace` and `pod`.
        Pod,
    }
}

/// The parts of an event that form its key; all other parts are zero.
///
/// Addresses (IPv4 as `::ffff:a.b.c.d`) and short names are numbers, because keys are hashed and compared for every
/// event.
///
/// The saved form has only the parts that are not zero, under short names: there may be 65,536 keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde", default)]
pub(crate) struct Key {
    #[serde(rename = "l", skip_serializing_if = "is_zero")]
    local: u128,
    #[serde(rename = "p", skip_serializing_if = "is_zero")]
    peer: u128,
    #[serde(rename = "lp", skip_serializing_if = "is_zero")]
    local_port: u16,
    #[serde(rename = "pp", skip_serializing_if = "is_zero")]
    peer_port: u16,
    /// 0 where it is unknown: no namespace has inode 0. Set for link-local addresses, too.
    #[serde(rename = "n", skip_serializing_if = "is_zero")]
    netns: u32,
    /// 0 where it is unknown: no process has pid 0.
    #[serde(rename = "i", skip_serializing_if = "is_zero")]
    pid: u32,
    #[serde(rename = "m", skip_serializing_if = "is_zero")]
    comm: u128,
    /// 0 where it is unknown, or there is no container.
    #[serde(rename = "c", skip_serializing_if = "is_zero")]
    container: u128,
    /// Index of the interface, for link-local addresses: each link has its own fe80::1. 0 where it is
    /// unknown.
    #[serde(rename = "f", skip_serializing_if = "is_zero")]
    interface: u32,
    /// `None` where it is unknown, or there is no pod.
    #[serde(rename = "s", skip_serializing_if = "is_zero")]
    namespace: Option<Box<str>>,
    #[serde(rename = "o", skip_serializing_if = "is_zero")]
    pod: Option<Box<str>>,
}

/// Labels that the host puts on events.
const NAMESPACE_LABEL: &str = "k8s.namespace.name";
const POD_LABEL: &str = "k8s.pod.name";

fn label(event: &Event<'_>, key: &str) -> Option<Box<str>> {
    event.label(key).map(Box::from)
}

fn is_zero<T: Default + PartialEq>(part: &T) -> bool {
    *part == T::default()
}

fn to_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn from_bits(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).to_canonical()
}

/// Is the address in fe80::/10?
fn is_link_local(bits: u128) -> bool {
    // In 64 bits, because shifts of 128 bits are function calls in WebAssembly.
    (bits >> 64) as u64 >> 54 == 0xfe80 >> 6
}

fn name_to_bits(name: Name) -> u128 {
    u128::from_le_bytes(name.to_bytes())
}

fn name_from_bits(bits: u128) -> Name {
    Name::from_bytes(bits.to_le_bytes())
}

impl Key {
    #[inline]
    pub(crate) fn of(event: &Event<'_>, parts: &[KeyPart]) -> Key {
        let mut key = Key::default();
        for part in parts {
            match part {
                KeyPart::Peer => key.peer = to_bits(event.peer_address()),
                KeyPart::Connection => {
                    key.local = to_bits(event.local_address());
                    key.local_port = event.local_port();
                    key.peer = to_bits(event.peer_address());
                    key.peer_port = event.peer_port();
                }
                KeyPart::Local => key.local = to_bits(event.local_address()),
                KeyPart::LocalPort => key.local_port = event.local_port(),
                KeyPart::PeerPort => key.peer_port = event.peer_port(),
                KeyPart::Netns => key.netns = event.netns_inode().unwrap_or(0),
                KeyPart::Process => {
                    if let Some(process) = event.owner().process() {
                        key.pid = process.pid;
                        key.comm = name_to_bits(process.comm);
                    }
                }
                KeyPart::Container => {
                    let owner = event.owner();
                    let container = owner.process().and_then(|process| process.container);
                    key.container = container.map_or(0, name_to_bits);
                }
                KeyPart::Namespace => key.namespace = label(event, NAMESPACE_LABEL),
                KeyPart::Pod => {
                    key.namespace = label(event, NAMESPACE_LABEL);
                    key.pod = label(event, POD_LABEL);
                }
            }
        }
        if key.is_of_a_link() {
            key.add_link(event);
        }
        key
    }

    /// A function of its own, because nearly all events have other addresses.
    #[cold]
    fn add_link(&mut self, event: &Event<'_>) {
        self.netns = event.netns_inode().unwrap_or(0);
        self.interface = event.interface().unwrap_or(0);
    }

    /// Does the key have an address that is unique only within its link?
    #[inline]
    fn is_of_a_link(&self) -> bool {
        is_link_local(self.peer) || is_link_local(self.local)
    }

    fn local(&self) -> SocketAddr {
        self.end(self.local, self.local_port)
    }

    fn peer(&self) -> SocketAddr {
        self.end(self.peer, self.peer_port)
    }

    fn end(&self, address: u128, port: u16) -> SocketAddr {
        if is_link_local(address) {
            let address = Ipv6Addr::from_bits(address);
            return SocketAddrV6::new(address, port, 0, self.interface).into();
        }
        SocketAddr::new(from_bits(address), port)
    }

    fn netns(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.netns)
    }

    /// Name and pid of the process.
    fn process(&self) -> Option<(Name, NonZeroU32)> {
        Some((name_from_bits(self.comm), NonZeroU32::new(self.pid)?))
    }

    fn container(&self) -> Option<Name> {
        (self.container != 0).then(|| name_from_bits(self.container))
    }

    /// Names and values of the parts, without unknown ones. Alerts with the same labels are the same alert:
    /// with a link-local address, the network namespace is a label as well.
    pub(crate) fn labels(&self, parts: &[KeyPart]) -> Vec<(&'static str, String)> {
        let mut labels = Vec::new();
        for part in parts {
            match part {
                KeyPart::Peer => labels.push(("peer", shown(self.peer()))),
                KeyPart::Connection => {
                    let connection = format!("{} -> {}", self.local(), self.peer());
                    labels.push(("connection", connection));
                }
                KeyPart::Local => labels.push(("local", shown(self.local()))),
                KeyPart::LocalPort => labels.push(("local_port", self.local_port.to_string())),
                KeyPart::PeerPort => labels.push(("peer_port", self.peer_port.to_string())),
                KeyPart::Netns => {
                    labels.extend(self.netns().map(|inode| ("netns", inode.to_string())));
                }
                KeyPart::Process => {
                    // Two labels, so that receivers of the alert can use the name alone.
                    if let Some((comm, pid)) = self.process() {
                        labels.push(("process", comm.to_string()));
                        labels.push(("pid", pid.to_string()));
                    }
                }
                KeyPart::Container => {
                    let container = self.container();
                    labels.extend(container.map(|id| ("container", id.to_string())));
                }
                KeyPart::Namespace => {
                    let namespace = self.namespace.iter();
                    labels.extend(namespace.map(|name| ("namespace", name.to_string())));
                }
                KeyPart::Pod => {
                    if let (Some(namespace), Some(pod)) = (&self.namespace, &self.pod) {
                        if !parts.contains(&KeyPart::Namespace) {
                            labels.push(("namespace", namespace.to_string()));
                        }
                        labels.push(("pod", pod.to_string()));
                    }
                }
            }
        }
        if self.is_of_a_link() && !parts.contains(&KeyPart::Netns) {
            labels.extend(self.netns().map(|inode| ("netns", inode.to_string())));
        }
        labels
    }

    /// The key as text that continues "12 segments retransmitted".
    pub(crate) fn in_words<'a>(&'a self, parts: &'a [KeyPart]) -> impl fmt::Display {
        InWords { key: self, parts }
    }
}

/// The address; a link-local one with its interface, as in `fe80::72%2`.
fn shown(end: SocketAddr) -> String {
    match end {
        SocketAddr::V6(end) if end.scope_id() > 0 => format!("{}%{}", end.ip(), end.scope_id()),
        end => end.ip().to_string(),
    }
}

/// Written by hand, because the derived one takes the hasher more steps.
impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ports = u64::from(self.local_port) << 16 | u64::from(self.peer_port);
        state.write_u128(self.local);
        state.write_u128(self.peer);
        state.write_u64(ports << 32 | u64::from(self.netns));
        if self.pid | self.interface != 0 || self.container != 0 {
            state.write_u128(self.comm);
            state.write_u128(self.container);
            state.write_u64(u64::from(self.interface) << 32 | u64::from(self.pid));
        }
        if let Some(namespace) = &self.namespace {
            namespace.hash(state);
            self.pod.hash(state);
        }
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
            (true, false) => Some(shown(whole)),
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
        let netns = counted(KeyPart::Netns).then(|| match key.netns() {
            Some(inode) => format!("network namespace {inode}"),
            None => "an unknown network namespace".to_owned(),
        });
        let process = counted(KeyPart::Process).then(|| match key.process() {
            Some((comm, pid)) => format!("{comm} ({pid})"),
            None => "no known process".to_owned(),
        });
        let container = counted(KeyPart::Container).then(|| match key.container() {
            Some(id) => format!("container {id}"),
            None => "no known container".to_owned(),
        });
        let pod = counted(KeyPart::Pod).then(|| match (&key.namespace, &key.pod) {
            (Some(namespace), Some(pod)) => format!("pod {namespace}/{pod}"),
            _ => "no known pod".to_owned(),
        });
        // That of a pod is in its name.
        let namespace = counted(KeyPart::Namespace) && !counted(KeyPart::Pod);
        let namespace = namespace.then(|| match &key.namespace {
            Some(name) => format!("namespace {name}"),
            None => "no known namespace".to_owned(),
        });
        let words = [
            ("from", local),
            ("to", peer),
            ("for", process),
            ("in", container),
            ("in", pod),
            ("in", namespace),
            ("in", netns),
        ];
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
