//! The keys with the most segments, with their causes and processes.

use std::fmt;

use retrans_plugin_sdk::prelude::*;

use crate::holder::Holder;

/// Keys that are kept for each key that is shown: the more, the smaller the errors.
const KEPT_FOR_EACH: usize = 10;

/// Smallest number of keys that are kept.
const MIN_KEPT: usize = 1_000;

/// A peer or a connection: one type, so that the code that saves and restores it exists once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Flow {
    #[serde(rename = "p")]
    pub(crate) peer: IpAddr,
    /// `None` for a peer.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<Connection>,
}

/// What a connection has beside the address of its peer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Connection {
    #[serde(rename = "l")]
    pub(crate) local: SocketAddr,
    #[serde(rename = "p")]
    pub(crate) peer_port: u16,
    /// Inode of the network namespace.
    #[serde(rename = "n")]
    pub(crate) netns: Option<u32>,
}

impl Flow {
    /// The peer of an event.
    pub(crate) fn peer(event: &Event) -> Flow {
        Flow {
            peer: event.peer_address(),
            connection: None,
        }
    }

    /// The connection of an event.
    pub(crate) fn connection(event: &Event) -> Flow {
        Flow {
            peer: event.peer_address(),
            connection: Some(Connection {
                local: event.local(),
                peer_port: event.peer_port(),
                netns: event.netns_inode(),
            }),
        }
    }
}

/// Text such as `10.0.0.2` for a peer, `10.0.0.1:33000 > 10.0.0.2:443` for a connection. The alternate form has the network
/// namespace as well, if it is known: `10.0.0.1:33000 > 10.0.0.2:443 netns 4026531840`.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.connection {
            None => self.peer.fmt(f),
            Some(connection) => {
                let peer = SocketAddr::new(self.peer, connection.peer_port);
                write!(f, "{} > {peer}", connection.local)?;
                match connection.netns {
                    Some(netns) if f.alternate() => write!(f, " netns {netns}"),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Sums of segments by key, and what is known about the keys that were used last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Ranking {
    sums: TopK<Flow>,
    details: LruMap<Flow, Detail>,
}

/// What is known about a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
pub(crate) struct Detail {
    /// Segments of each kind, by its number.
    #[serde(rename = "k")]
    kinds: Vec<u64>,
    /// The process that an event named last.
    #[serde(rename = "h")]
    pub(crate) holder: Option<Holder>,
    /// Has an event named another process?
    #[serde(rename = "m")]
    pub(crate) more_holders: bool,
}

/// A line of the ranking.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) flow: &'a Flow,
    /// At least and at most this number of segments.
    pub(crate) least: u64,
    pub(crate) most: u64,
    /// `None` where the key was forgotten among others.
    pub(crate) detail: Option<&'a Detail>,
}

impl Ranking {
    pub(crate) fn new(top: usize) -> Ranking {
        let kept = (KEPT_FOR_EACH * top).max(MIN_KEPT);
        Ranking {
            sums: TopK::new(kept),
            details: LruMap::new(kept),
        }
    }

    /// Adds the segments of an event, and the process that has its socket.
    pub(crate) fn add(
        &mut self,
        flow: Flow,
        segments: u32,
        event: &Event,
        process: Option<&Process>,
    ) {
        self.sums.add(flow.clone(), segments.into());
        let update = |detail: &mut Detail| detail.add(segments, event.kind(), process);
        self.details.touch(flow, event.time(), update);
    }

    /// The heaviest keys, the heaviest first.
    pub(crate) fn top(&self, n: usize) -> Vec<Row<'_>> {
        let top = self.sums.top(n).into_iter();
        let rows = top.map(|heavy| Row {
            flow: heavy.key,
            least: heavy.count - heavy.error,
            most: heavy.count,
            detail: self.details.get(heavy.key),
        });
        rows.collect()
    }

    /// Takes over the sums of another ranking, and keeps the numbers of keys.
    pub(crate) fn restore(&mut self, other: Ranking) {
        let kept = self.details.capacity();
        self.sums.restore(other.sums);
        self.details = other.details;
        self.details.shrink_to(kept);
    }
}

impl Detail {
    fn add(&mut self, segments: u32, kind: Kind, process: Option<&Process>) {
        // A kind that this version does not know counts as unknown.
        let number = match kind {
            Kind::Other(_) => 0,
            kind => usize::from(kind.number()),
        };
        if self.kinds.len() <= number {
            self.kinds.resize(number + 1, 0);
        }
        self.kinds[number] = self.kinds[number].saturating_add(segments.into());
        if let Some(process) = process
            && self
                .holder
                .as_ref()
                .is_none_or(|holder| !holder.is(process))
        {
            self.more_holders |= self.holder.is_some();
            self.holder = Some(Holder::of(process));
        }
    }

    /// Kinds with their segments, the most frequent first.
    pub(crate) fn kinds(&self) -> Vec<(Kind, u64)> {
        let kinds = (0..=u8::MAX)
            .zip(&self.kinds)
            .filter(|(_, segments)| **segments > 0);
        let kinds = kinds.map(|(number, segments)| (Kind::from_number(number), *segments));
        let mut kinds: Vec<_> = kinds.collect();
        kinds.sort_by_key(|(kind, segments)| (std::cmp::Reverse(*segments), *kind));
        kinds
    }
}
