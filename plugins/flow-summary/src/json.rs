//! A summary as a line of JSON. Keys are those of the line of an event, where there are any.

use std::collections::BTreeMap;

use retrans_plugin_sdk::prelude::*;

use crate::Period;
use crate::holder::Holder;
use crate::ranking::Connection;
use crate::ranking::Row;

/// The whole line.
#[derive(Serialize)]
#[serde(
    crate = "retrans_plugin_sdk::serde",
    tag = "type",
    rename = "flow_summary"
)]
struct Line<'a> {
    /// End of the period.
    boot_time_ns: u64,
    /// Length of the period.
    seconds: f64,
    events: u64,
    segments: u64,
    failed: u64,
    lost: u64,
    peers: Vec<Ranked<'a, Peer<'a>>>,
    connections: Vec<Ranked<'a, Ends<'a>>>,
}

/// A peer or a connection.
#[derive(Serialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Ranked<'a, K> {
    #[serde(flatten)]
    key: K,
    /// The sum is too high by at most `error`.
    segments: u64,
    error: u64,
    kinds: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a Holder>,
    /// Have events named other processes, too?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more_owners: bool,
}

#[derive(Serialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Peer<'a> {
    destination: Address<'a>,
}

#[derive(Serialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Address<'a> {
    ip: &'a IpAddr,
}

#[derive(Serialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Ends<'a> {
    source: End,
    destination: End,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<Netns<'a>>,
}

#[derive(Serialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct End {
    ip: IpAddr,
    port: u16,
}

#[derive(Serialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Netns<'a> {
    inode: &'a u32,
}

/// Writes the line.
pub(crate) fn write(period: &Period, top: usize, now: Duration, out: &mut Output) -> Result<()> {
    let peers = period.peers.top(top);
    let connections = period.connections.top(top);
    out.json(&Line {
        boot_time_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
        seconds: period.length(now).as_secs_f64(),
        events: period.events,
        segments: period.segments,
        failed: period.failed,
        lost: period.lost,
        peers: peers.iter().map(|row| ranked(row, peer(row.key))).collect(),
        connections: connections
            .iter()
            .map(|row| ranked(row, ends(row.key)))
            .collect(),
    })
}

fn ranked<'a, K, J>(row: &Row<'a, K>, key: J) -> Ranked<'a, J> {
    let kinds = row.detail.map(|detail| detail.kinds()).unwrap_or_default();
    Ranked {
        key,
        segments: row.most,
        error: row.most - row.least,
        kinds: kinds
            .into_iter()
            .map(|(kind, segments)| (kind.to_string(), segments))
            .collect(),
        owner: row.detail.and_then(|detail| detail.holder.as_ref()),
        more_owners: row.detail.is_some_and(|detail| detail.more_holders),
    }
}

fn peer(ip: &IpAddr) -> Peer<'_> {
    Peer {
        destination: Address { ip },
    }
}

fn ends(connection: &Connection) -> Ends<'_> {
    let end = |end: SocketAddr| End {
        ip: end.ip(),
        port: end.port(),
    };
    Ends {
        source: end(connection.local),
        destination: end(connection.peer),
        netns: connection.netns.as_ref().map(|inode| Netns { inode }),
    }
}
