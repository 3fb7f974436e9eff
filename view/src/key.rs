//! Keys: what events are grouped by.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::str::FromStr;

use arrayvec::ArrayVec;
use retrans_event::Event;
use retrans_event::Kind;
use retrans_event::Name;
use retrans_event::Owner;
use retrans_event::Process;
use retrans_event::TcpState;

/// Maximum number of parts of a key.
pub const MAX_PARTS: usize = 4;

/// What tells two keys apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Address of the peer.
    Peer,
    /// Port of the peer.
    PeerPort,
    /// Local address.
    Local,
    /// Local port.
    LocalPort,
    /// Both addresses and ports, and the network namespace.
    Connection,
    /// Process that holds the socket, or the listening socket of a connection that was not accepted yet; the last
    /// holder of a closed socket.
    Process,
    /// Container of that process.
    Container,
    /// User that created the socket.
    User,
    /// Network namespace.
    Netns,
    /// Cause of the retransmit.
    Kind,
    /// State of the connection.
    State,
    /// Algorithm of congestion control.
    CongestionControl,
}

/// A text that names no part of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGrouping {
    /// There is no such part.
    #[error("cannot group by {0:?}: expected some of {names}, with commas", names = Part::names())]
    Unknown(String),
    /// A part is there twice.
    #[error("cannot group by {0} twice")]
    Twice(Part),
    /// There are more than [`MAX_PARTS`].
    #[error("cannot group by more than {MAX_PARTS} things at once")]
    TooMany,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 12] = [
        Part::Peer,
        Part::PeerPort,
        Part::Local,
        Part::LocalPort,
        Part::Connection,
        Part::Process,
        Part::Container,
        Part::User,
        Part::Netns,
        Part::Kind,
        Part::State,
        Part::CongestionControl,
    ];

    /// The name, as the user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Peer => "peer",
            Part::PeerPort => "peer_port",
            Part::Local => "local",
            Part::LocalPort => "local_port",
            Part::Connection => "connection",
            Part::Process => "process",
            Part::Container => "container",
            Part::User => "user",
            Part::Netns => "netns",
            Part::Kind => "kind",
            Part::State => "state",
            Part::CongestionControl => "congestion_control",
        }
    }

    /// All names, for messages.
    fn names() -> String {
        Part::ALL.map(Part::name).join(", ")
    }

    /// This part of the key of an event.
    fn of(self, event: &Event) -> Value {
        let number = |number: Option<u32>| number.map_or(Value::Unknown, Value::Number);
        match self {
            Part::Peer => Value::Address(event.peer_address()),
            Part::PeerPort => Value::Port(event.peer_port()),
            Part::Local => Value::Address(event.local_address()),
            Part::LocalPort => Value::Port(event.local_port()),
            Part::Connection => Value::Connection(Connection::of(event)),
            Part::Process => process(event).map_or(Value::Unknown, |process| Value::Process {
                pid: process.pid,
                comm: process.comm,
            }),
            Part::Container => process(event)
                .and_then(|process| process.container)
                .map_or(Value::Unknown, Value::Name),
            Part::User => number(event.uid()),
            Part::Netns => number(event.netns_inode()),
            Part::Kind => Value::Kind(event.kind()),
            Part::State => Value::State(event.state()),
            Part::CongestionControl => event
                .congestion_control()
                .map_or(Value::Unknown, Value::Name),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Part {
    type Err = BadGrouping;

    /// A name; a hyphen is as good as an underscore.
    fn from_str(text: &str) -> Result<Part, BadGrouping> {
        let name = text.replace('-', "_");
        let found = Part::ALL.into_iter().find(|part| part.name() == name);
        found.ok_or_else(|| BadGrouping::Unknown(text.to_owned()))
    }
}

/// The process that an event is about: see [`Part::Process`].
pub fn process(event: &Event) -> Option<Process> {
    let owner = event.owner();
    match owner {
        Owner::Orphaned { last } => last,
        owner => owner.process().copied(),
    }
}

/// A connection: what tells it apart from all others at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connection {
    local_address: IpAddr,
    local_port: u16,
    peer_address: IpAddr,
    peer_port: u16,
    /// Inode of the network namespace; 0 if it is unknown.
    netns: u32,
}

impl Connection {
    /// The connection of an event.
    pub fn of(event: &Event) -> Connection {
        Connection {
            local_address: event.local_address(),
            local_port: event.local_port(),
            peer_address: event.peer_address(),
            peer_port: event.peer_port(),
            netns: event.netns_inode().unwrap_or(0),
        }
    }

    /// This machine's side.
    pub fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local_address, self.local_port)
    }

    /// The peer.
    pub fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.peer_address, self.peer_port)
    }

    /// Inode of the network namespace, if it is known.
    pub fn netns(&self) -> Option<u32> {
        (self.netns != 0).then_some(self.netns)
    }
}

/// Text such as `10.0.0.1:443 > 10.0.0.2:50000`, without the network namespace.
impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", self.local(), self.peer())
    }
}

/// The value of one part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// The events do not have it.
    Unknown,
    /// An address.
    Address(IpAddr),
    /// A port.
    Port(u16),
    /// A connection.
    Connection(Connection),
    /// A process.
    Process {
        /// Process number in the host's pid namespace.
        pid: u32,
        /// Name of the main thread, which may be any text.
        comm: Name,
    },
    /// A name, which may be any text.
    Name(Name),
    /// A number: a user, an inode.
    Number(u32),
    /// A cause.
    Kind(Kind),
    /// A state.
    State(TcpState),
}

/// Text for people. Names are as they are: whatever prints them must replace control characters.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unknown => f.write_str("unknown"),
            Value::Address(address) => address.fmt(f),
            Value::Port(port) => port.fmt(f),
            Value::Connection(connection) => connection.fmt(f),
            Value::Process { pid, comm } => write!(f, "{comm}[{pid}]"),
            Value::Name(name) => name.fmt(f),
            Value::Number(number) => number.fmt(f),
            Value::Kind(kind) => kind.fmt(f),
            Value::State(state) => state.fmt(f),
        }
    }
}

/// The key of an event: a value for each part of a [`Grouping`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(ArrayVec<Value, MAX_PARTS>);

impl Key {
    /// The values, in the order of the grouping.
    pub fn values(&self) -> &[Value] {
        &self.0
    }
}

/// The values with a comma and a space between them.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, value) in self.0.iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{value}")?;
        }
        Ok(())
    }
}

/// The parts of keys: 1 to [`MAX_PARTS`], each once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grouping(ArrayVec<Part, MAX_PARTS>);

impl Grouping {
    /// The parts.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The key of an event.
    pub fn key(&self, event: &Event) -> Key {
        Key(self.0.iter().map(|part| part.of(event)).collect())
    }
}

impl From<Part> for Grouping {
    fn from(part: Part) -> Grouping {
        Grouping(ArrayVec::from_iter([part]))
    }
}

/// The names with commas, as the user writes them.
impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|part| part.name()).collect();
        f.pad(&names.join(","))
    }
}

impl FromStr for Grouping {
    type Err = BadGrouping;

    /// Names of parts with commas, as in `peer,kind`.
    fn from_str(text: &str) -> Result<Grouping, BadGrouping> {
        let mut parts = ArrayVec::new();
        for name in text.split(',') {
            let part: Part = name.trim().parse()?;
            if parts.contains(&part) {
                return Err(BadGrouping::Twice(part));
            }
            parts.try_push(part).map_err(|_| BadGrouping::TooMany)?;
        }
        Ok(Grouping(parts))
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;

    fn event() -> Record {
        let mut event = Record::new();
        event.set_local("192.0.2.1:443".parse().expect("an address"));
        event.set_peer("192.0.2.2:50000".parse().expect("an address"));
        event.set_kind(Kind::Timeout);
        event.set_state(TcpState::Established);
        event.set_netns_inode(Some(7));
        event.set_owner(&Owner::Orphaned {
            last: Some(Process::new(42, "curl")),
        });
        event
    }

    #[test]
    fn a_key_has_the_parts_of_its_grouping() {
        for (grouping, expected) in [
            ("peer", "192.0.2.2"),
            ("peer,kind", "192.0.2.2, timeout"),
            ("kind, peer-port", "timeout, 50000"),
            ("local,local_port", "192.0.2.1, 443"),
            ("connection", "192.0.2.1:443 > 192.0.2.2:50000"),
            (
                "process,netns,state,user",
                "curl[42], 7, ESTABLISHED, unknown",
            ),
            ("container,congestion_control", "unknown, unknown"),
        ] {
            let grouping: Grouping = grouping.parse().expect("a grouping");
            assert_eq!(grouping.key(&event()).to_string(), expected);
        }
    }

    #[test]
    fn connections_of_two_network_namespaces_differ() {
        let mut other = event();
        other.set_netns_inode(Some(8));
        assert_ne!(Connection::of(&event()), Connection::of(&other));
    }

    #[test]
    fn a_grouping_that_makes_no_sense_is_refused() {
        let refused = |text: &str| text.parse::<Grouping>().expect_err(text).to_string();
        assert_eq!(
            refused("peer,port"),
            "cannot group by \"port\": expected some of peer, peer_port, local, local_port, connection, process, \
             container, user, netns, kind, state, congestion_control, with commas"
        );
        assert_eq!(refused("kind,kind"), "cannot group by kind twice");
        assert_eq!(
            refused("peer,kind,state,user,netns"),
            "cannot group by more than 4 things at once"
        );
        assert!(refused("").starts_with("cannot group by \"\""));
    }
}
