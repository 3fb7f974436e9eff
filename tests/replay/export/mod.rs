//! `export` writes what a replay prints, in another form.

mod csv;
mod output;
mod pcapng;
mod selection;
mod tshark;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use retrans_event::Record;
use retrans_event::TcpFlags;
use retrans_event::synth::Synth;
use retrans_host::capture::Head;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::labels::Column;
use serde_json::Value;

use crate::common::captures::capture;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::output;

/// The captures of each cause.
const CAPTURES: [&str; 8] = [
    "failed",
    "fast",
    "loss_recovery",
    "orphan",
    "syn",
    "syn_ack",
    "tail_loss_probe",
    "timeout",
];

fn recorded(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    folder.join(format!("{name}.rtc"))
}

/// Standard output of an export, which must succeed without a warning.
#[track_caller]
fn exported(directory: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = output(host(directory, &["export", "--quiet"]).args(arguments));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
    output.stdout
}

/// Standard error of an export into a file, which must succeed.
#[track_caller]
fn exported_to_a_file(directory: &Path, arguments: &[&str]) -> String {
    let (stdout, stderr) = ran(host(directory, &["export"]).args(arguments));
    assert_eq!(stdout, "");
    stderr
}

/// An event as a replay prints it, and the number of events that were lost since the one before it.
struct Printed {
    event: Value,
    lost: u64,
}

/// The events that a replay of these files prints, and the number of those that were lost after the last one.
#[track_caller]
fn printed(directory: &Path, arguments: &[&str]) -> (Vec<Printed>, u64) {
    let (lines, _) = ran(host(directory, &["replay", "--quiet"]).args(arguments));
    let (mut events, mut lost) = (Vec::new(), 0);
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        match event["type"].as_str() {
            Some("gap") => lost += event["lost"].as_u64().expect("a number"),
            _ => events.push(Printed {
                event,
                lost: std::mem::take(&mut lost),
            }),
        }
    }
    (events, lost)
}

/// The values of a line by path, without those that an export has not: `type`, and `pid` on the top level.
fn flat(line: &Value) -> BTreeMap<String, String> {
    fn add(value: &Value, path: &str, values: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(inner) if path != "labels" => {
                for (key, value) in inner {
                    let dot = if path.is_empty() { "" } else { "." };
                    add(value, &format!("{path}{dot}{key}"), values);
                }
            }
            Value::String(text) => drop(values.insert(path.to_owned(), text.clone())),
            other => drop(values.insert(path.to_owned(), other.to_string())),
        }
    }
    let mut values = BTreeMap::new();
    add(line, "", &mut values);
    values.remove("type");
    values.remove("pid");
    values
}

/// Names and labels that spreadsheets, terminals and readers of CSV could take for something else.
const HOSTILE: [&str; 10] = [
    "=1+1",
    "+1",
    "-x",
    "@SUM(A1)",
    "'quoted'",
    "a,b;c",
    "\"two\" words",
    "\tx\r\ny\n",
    "\u{1b}[2J\u{202e}\u{9b}",
    "ä=1 b\\c",
];

/// A capture of events whose owners have hostile names, and labels with such keys and values.
fn hostile() -> Vec<u8> {
    let mut batch = Batch::new();
    for (name, mut event) in HOSTILE.iter().zip(Synth::new(3)) {
        event.set_owner_comm(Some(name.parse().expect("it is short")));
        batch.push(event.as_bytes());
    }
    for key in HOSTILE {
        let values = HOSTILE.iter().zip(0..);
        // Some events have no label of this key.
        let values = values.filter(|(value, _)| **value != key);
        let values = values.map(|(value, event)| (event, *value));
        batch.labels.annotate(Column::new(key, values));
    }
    capture(&head(), &[vec![Item::Events(batch)]])
}

/// A head that names the host.
fn head_of(name: &str, kernel: &str) -> Head {
    let mut head = head();
    let host = format!(
        r#"{{"name":"{name}","kernel":"{kernel}","booted":"2026-01-01T00:00:00.000Z","boot_id":"x","attached":"btf"}}"#
    );
    head.host = serde_json::from_str(&host).expect("a host");
    head
}

/// An event of which nothing is known that may be unknown.
fn least_known() -> Record {
    let mut event = Record::new();
    let known = Synth::new(1).next().expect("an event");
    event.set_local(known.local());
    event.set_peer(known.peer());
    event.set_wall_time(known.wall_time());
    event
}

/// A segment of this many bytes of payload, in this many packets.
fn long(bytes: u32, segments: u32, peer: &str) -> Record {
    let mut event = least_known();
    event.set_peer(peer.parse().expect("an address"));
    event.set_length(Some(bytes));
    event.set_segments(Some(segments));
    event.set_tcp_flags(Some(TcpFlags(0x1ff)));
    event
}

/// A capture with an item for each event.
fn one_by_one(head: &Head, records: &[Record]) -> Vec<u8> {
    let items = records.iter().map(|record| {
        let mut batch = Batch::new();
        batch.push(record.as_bytes());
        Item::Events(batch)
    });
    capture(head, &[items.collect()])
}

/// A directory with a generated capture that has gaps, and with the hostile one.
fn some_captures() -> Files {
    let files = Files::new();
    let arguments = [
        "generate",
        "a.rtc",
        "--events",
        "12k",
        "--connections",
        "300",
    ];
    ran(host(files.path(), &arguments).args(["--seed", "7", "--gaps"]));
    files.write("hostile.rtc", hostile());
    files
}
