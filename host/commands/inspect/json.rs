//! The summary as a line of JSON.

use std::collections::BTreeMap;
use std::io;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use retrans_view::groups::Groups;
use retrans_view::key::Key;
use retrans_view::key::Part;
use retrans_view::key::Value;
use retrans_view::ratios::Sent;
use retrans_view::sums::ByKind;
use retrans_view::sums::Sums;
use serde::Serialize;

use super::summary::Summary;
use crate::capture::Host;
use crate::system::timestamp;

#[derive(Serialize)]
struct Line<'a> {
    file: String,
    writer: &'a str,
    begun: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a Host>,
    record_size: u32,
    fields: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<Span>,
    #[serde(flatten)]
    sums: Counts,
    connections: usize,
    /// Whether there are more connections than are counted.
    more_connections: bool,
    lost: u64,
    gaps: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    census: Option<Census>,
    histogram: Histogram,
    by: Vec<Table<'a>>,
    /// Where the file was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<&'a str>,
}

#[derive(Serialize)]
struct Span {
    from: String,
    to: String,
}

#[derive(Serialize)]
struct Counts {
    events: u64,
    segments: u64,
    failed: u64,
    bytes: u64,
    /// Events of each kind.
    kinds: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Census {
    censuses: u64,
    rows: u64,
    is_complete: bool,
    #[serde(flatten)]
    sent: SentCounts,
}

#[derive(Serialize)]
struct SentCounts {
    sent_segments: u64,
    retransmitted_segments: u64,
    sent_bytes: u64,
    retransmitted_bytes: u64,
}

#[derive(Serialize)]
struct Histogram {
    interval_ns: u64,
    intervals: Vec<Interval>,
}

#[derive(Serialize)]
struct Interval {
    timestamp: String,
    events: u64,
    segments: u64,
}

#[derive(Serialize)]
struct Table<'a> {
    by: Vec<&'static str>,
    /// Number of keys.
    keys: usize,
    /// Whether keys were evicted, so that numbers may be too low.
    more_keys: bool,
    top: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    key: BTreeMap<&'static str, serde_json::Value>,
    /// The name of the container of the key, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    container_name: Option<&'a str>,
    #[serde(flatten)]
    sums: Counts,
    /// What was sent to the peer, if the key is a peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    census: Option<SentCounts>,
}

/// Prints a summary, with the `top` keys of each grouping.
pub(super) fn print(
    summary: &Summary,
    file: &Path,
    top: usize,
    to: &mut impl Write,
) -> io::Result<()> {
    let (connections, more_connections) = summary.connections();
    let ratios = &summary.ratios;
    let line = Line {
        file: file.to_string_lossy().into_owned(),
        writer: &summary.head.writer,
        begun: &summary.head.begun,
        host: summary.head.host.as_ref(),
        record_size: summary.head.record_size,
        fields: summary.head.layout.len(),
        span: summary.sums.span.map(|(first, last)| Span {
            from: time(first),
            to: time(last),
        }),
        sums: (&summary.sums).into(),
        connections,
        more_connections,
        lost: summary.lost,
        gaps: summary.gaps,
        census: (ratios.censuses() > 0).then(|| Census {
            censuses: ratios.censuses(),
            rows: ratios.rows(),
            is_complete: ratios.is_complete(),
            sent: ratios.total().into(),
        }),
        histogram: Histogram {
            interval_ns: summary.timeline.width().as_nanos() as u64,
            intervals: summary
                .timeline
                .iter()
                .map(|(begin, sums)| Interval {
                    timestamp: time(begin),
                    events: sums.events,
                    segments: sums.segments,
                })
                .collect(),
        },
        by: summary
            .groups
            .iter()
            .map(|groups| table(summary, groups, top))
            .collect(),
        cut: summary.cut.as_deref(),
    };
    serde_json::to_writer(&mut *to, &line)?;
    writeln!(to)
}

fn time(time: Duration) -> String {
    timestamp::show(time, 9)
}

fn table<'a>(summary: &'a Summary, groups: &Groups, top: usize) -> Table<'a> {
    let ratios = &summary.ratios;
    let by: Vec<_> = groups
        .grouping()
        .parts()
        .iter()
        .map(|part| part.name())
        .collect();
    let top = groups.top(top, |sums| (sums.events, sums.segments));
    let rows = top.into_iter().map(|(key, sums)| {
        let values = key.values().iter().map(value);
        let sent = match key.values() {
            [Value::Address(peer)] if by == ["peer"] => ratios.peer(*peer).map(SentCounts::from),
            _ => None,
        };
        Row {
            key: by.iter().copied().zip(values).collect(),
            container_name: container_name(summary, groups, key),
            sums: sums.into(),
            census: sent,
        }
    });
    Table {
        top: rows.collect(),
        keys: groups.len(),
        more_keys: groups.evicted() > 0,
        by,
    }
}

/// The name of the container that is a part of a key.
fn container_name<'a>(summary: &'a Summary, groups: &Groups, key: &Key) -> Option<&'a str> {
    let mut parts = groups.grouping().parts().iter().zip(key.values());
    parts.find_map(|part| match part {
        (Part::Container, Value::Name(id)) => summary.containers.get(*id),
        _ => None,
    })
}

/// A value: numbers as numbers, what is unknown as null, a connection and a process as objects, all else as text.
fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::Unknown => serde_json::Value::Null,
        Value::Port(port) => (*port).into(),
        Value::Number(number) => (*number).into(),
        Value::Process { pid, comm } => serde_json::json!({"pid": pid, "comm": comm.as_str()}),
        Value::Connection(connection) => {
            let end =
                |end: std::net::SocketAddr| serde_json::json!({"ip": end.ip(), "port": end.port()});
            let mut object = serde_json::json!({
                "source": end(connection.local()),
                "destination": end(connection.peer()),
            });
            if let Some(inode) = connection.netns() {
                object["netns"] = serde_json::json!({"inode": inode});
            }
            object
        }
        Value::Address(_) | Value::Name(_) | Value::Kind(_) | Value::State(_) => {
            value.to_string().into()
        }
    }
}

impl From<&Sums> for Counts {
    fn from(sums: &Sums) -> Counts {
        Counts {
            events: sums.events,
            segments: sums.segments,
            failed: sums.failed,
            bytes: sums.bytes,
            kinds: kinds(&sums.kinds),
        }
    }
}

impl From<&Sent> for SentCounts {
    fn from(sent: &Sent) -> SentCounts {
        SentCounts {
            sent_segments: sent.segments,
            retransmitted_segments: sent.retransmitted,
            sent_bytes: sent.bytes,
            retransmitted_bytes: sent.retransmitted_bytes,
        }
    }
}

fn kinds(kinds: &ByKind) -> BTreeMap<&'static str, u64> {
    let kinds = kinds.iter();
    kinds
        .map(|(kind, events)| (kind.and_then(|kind| kind.name()).unwrap_or("other"), events))
        .collect()
}
