//! A summary as a line of JSON. Keys are those of the line of an event, where there are any.

use std::collections::BTreeMap;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::retrans_event::nanos;

use crate::Period;
use crate::holder::Holder;
use crate::ranking::Detail;
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
    length_ns: u64,
    events: u64,
    segments: u64,
    failed: u64,
    lost: u64,
    peers: Vec<Ranked<'a>>,
    connections: Vec<Ranked<'a>>,
}

/// A peer, which is an address of destination alone, or a connection.
#[derive(Serialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Ranked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<End>,
    destination: End,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<Netns>,
    /// Too high by at most `error`.
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
struct End {
    ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
#[serde(crate = "retrans_plugin_sdk::serde")]
struct Netns {
    inode: u32,
}

/// Writes the line.
pub(crate) fn write(period: &Period, top: usize, now: Duration, out: &mut Output) -> Result<()> {
    let peers = period.peers.top(top);
    let connections = period.connections.top(top);
    out.json(&Line {
        boot_time_ns: nanos(now),
        length_ns: nanos(period.length(now)),
        events: period.events,
        segments: period.segments,
        failed: period.failed,
        lost: period.lost,
        peers: peers.iter().map(ranked).collect(),
        connections: connections.iter().map(ranked).collect(),
    })
}

fn ranked<'a>(row: &Row<'a>) -> Ranked<'a> {
    let connection = row.flow.connection.as_ref();
    let kinds = row.detail.map(Detail::kinds).unwrap_or_default();
    let kinds = kinds.into_iter();
    Ranked {
        source: connection.map(|connection| End {
            ip: connection.local.ip(),
            port: Some(connection.local.port()),
        }),
        destination: End {
            ip: row.flow.peer,
            port: connection.map(|connection| connection.peer_port),
        },
        netns: connection.and_then(|connection| connection.netns.map(|inode| Netns { inode })),
        segments: row.most,
        error: row.most - row.least,
        kinds: kinds
            .map(|(kind, segments)| (kind.to_string(), segments))
            .collect(),
        owner: row.detail.and_then(|detail| detail.holder.as_ref()),
        more_owners: row.detail.is_some_and(|detail| detail.more_holders),
    }
}
