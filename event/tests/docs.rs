//! `docs/events.md` agrees with the table of fields. `UPDATE_DOCS=1 cargo test -p retrans-event --test docs`
//! regenerates its generated parts.
#![allow(clippy::unwrap_used)]
#![cfg(not(miri))]

use std::env;
use std::fmt::Display;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use retrans_event::CENSUS_FIELDS;
use retrans_event::CENSUS_ROW_SIZE;
use retrans_event::CaState;
use retrans_event::FIELDS;
use retrans_event::Field;
use retrans_event::Format;
use retrans_event::Kind;
use retrans_event::OwnerStatus;
use retrans_event::PRESENCE_WORDS;
use retrans_event::RECORD_SIZE;
use retrans_event::SendError;
use retrans_event::TcpFlags;
use retrans_event::TcpState;
use retrans_event::Timer;
use retrans_event::Tracepoint;
use retrans_event::synth::Synth;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.md");

fn document() -> String {
    let path = Path::new(PATH);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The document with the text between the markers of this name replaced.
fn with_generated(document: &str, name: &str, text: &str) -> String {
    let begin = format!("<!-- begin {name}: generated, see event/tests/docs.rs -->\n");
    let end = format!("<!-- end {name} -->\n");
    let (before, rest) = document.split_once(&begin).expect(&begin);
    let (_, after) = rest.split_once(&end).expect(&end);
    format!("{before}{begin}\n{text}\n{end}{after}")
}

#[test]
fn the_generated_parts_of_the_document_are_up_to_date() {
    let old = document();
    let mut new = old.clone();
    for (name, text) in [
        ("example", example()),
        ("fields", fields()),
        ("names", names()),
        ("layout", layout()),
        ("census", census()),
    ] {
        new = with_generated(&new, name, &text);
    }
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(PATH, &new).unwrap();
    } else {
        assert!(
            old == new,
            "docs/events.md is stale; run: UPDATE_DOCS=1 cargo test -p retrans-event --test docs"
        );
    }
}

#[test]
fn every_kind_is_explained() {
    let document = document();
    let section = document.split("### Kinds").nth(1).unwrap();
    for kind in Kind::ALL {
        let row = format!("| `{kind}` | {} | ", kind.number());
        assert!(section.contains(&row), "no row {row}");
    }
}

#[test]
fn every_owner_status_is_explained() {
    let document = document();
    let section = document.split("### Owner").nth(1).unwrap();
    for status in OwnerStatus::ALL {
        let row = format!("| `{status}` | {} | ", status.number());
        assert!(section.contains(&row), "no row {row}");
    }
}

#[test]
fn every_format_is_explained() {
    let document = document();
    let section = document.split("### Formats").nth(1).unwrap();
    for field in FIELDS {
        let name = format!("`{}`", field.format.name());
        let rows = section.lines().filter_map(|line| line.split('|').nth(1));
        assert_eq!(
            rows.filter(|first| first.contains(&name)).count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn every_link_within_the_document_has_its_heading() {
    let document = document();
    let headings = document.lines().filter_map(|line| line.strip_prefix("##"));
    let anchors: Vec<String> = headings
        .map(|text| text.trim_start_matches('#').trim())
        .map(|text| text.to_lowercase().replace(' ', "-"))
        .collect();
    for link in document.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap().to_owned();
        assert!(anchors.contains(&anchor), "#{anchor}");
    }
}

/// A fast retransmit over IPv4.
fn example() -> String {
    let event = Synth::new(1)
        .find(|event| event.kind() == Kind::Fast && event.is_ipv4())
        .unwrap();
    let text = serde_json::to_string_pretty(&event).unwrap();
    format!("```json\n{text}\n```\n")
}

fn key(field: &Field) -> String {
    match field.json {
        ("", "") => String::new(),
        ("", key) => format!("`{key}`"),
        (group, key) => format!("`{group}.{key}`"),
    }
}

/// The unit of a number; identifiers have the unit "number".
fn number(field: &Field) -> &'static str {
    match field.name {
        "length" | "mss" | "snd_wnd" | "bytes_sent" | "bytes_retrans" => "number of bytes",
        "segments" | "cwnd" | "ssthresh" | "packets_out" | "lost_out" | "sacked_out"
        | "retrans_out" | "total_retrans" | "data_segs_out" | "delivered" | "dsack_dups" => {
            "number of segments"
        }
        "seq" | "end_seq" | "snd_una" | "snd_nxt" | "tlp_high_seq" | "undo_marker" => {
            "sequence number"
        }
        "sequence" | "cpu_sequence" => "number of events",
        "retransmits" => "number of timeouts",
        "backoff" => "number of doublings",
        "reord_seen" => "number of times",
        "owner_holders" => "number of processes",
        "sacked" => "bits",
        "ip_version" | "local_port" | "peer_port" | "cpu" | "family" | "mark" | "interface"
        | "uid" | "owner_pid" | "owner_uid" | "last_pid" | "last_uid" | "netns_inode"
        | "netns_cookie" | "socket_inode" | "socket_cookie" | "listener_inode" | "cgroup_id" => {
            "number"
        }
        other => panic!("{other} needs a unit here"),
    }
}

/// The type of the value at the key, with its unit.
fn value(field: &Field) -> String {
    let numbered = format!("name, `{}_number`", field.json.1);
    match field.format {
        Format::U8 | Format::U16 | Format::U32 | Format::U64 => number(field).to_owned(),
        Format::BootTime => "number of ns".to_owned(),
        Format::Micros => "number of µs".to_owned(),
        Format::WallTime => "time".to_owned(),
        Format::Address => "address".to_owned(),
        Format::Text => "text".to_owned(),
        Format::Bool => "true or false".to_owned(),
        Format::Kind | Format::Tracepoint | Format::OwnerStatus => "name".to_owned(),
        Format::TcpState | Format::CaState | Format::Timer => numbered,
        Format::TcpFlags | Format::SendError => numbered,
        other => panic!("{other:?} is not documented"),
    }
}

/// The table of the fields of a census row.
fn census() -> String {
    let mut text = format!("A row of this version has {CENSUS_ROW_SIZE} bytes.\n\n");
    text.push_str("| key | meaning | offset | size | format |\n");
    text.push_str("| --- | --- | --- | --- | --- |\n");
    for field in CENSUS_FIELDS {
        let key = match field.name {
            "wall_time_ns" => "timestamp",
            name => name,
        };
        writeln!(
            text,
            "| `{key}` | {} | {} | {} | `{}` |",
            field.doc, field.offset, field.size, field.kind
        )
        .unwrap();
    }
    text
}

/// The table of JSON keys in their order, with the top level first.
fn fields() -> String {
    let mut text = String::from("| key | value | meaning | present | source | Linux |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    let shown = FIELDS.iter().filter(|field| !field.json.1.is_empty());
    let (top, inner): (Vec<&Field>, Vec<&Field>) = shown.partition(|field| field.json.0.is_empty());
    for field in top.into_iter().chain(inner) {
        let present = match field.presence_bit {
            None => "always",
            Some(_) => "if known",
        };
        let Field {
            doc, source, since, ..
        } = field;
        let (key, value) = (key(field), value(field));
        writeln!(
            text,
            "| {key} | {value} | {doc} | {present} | {source} | {since} |"
        )
        .unwrap();
    }
    text
}

fn list<N: Display, T: Display>(numbers: impl Iterator<Item = (N, T)>) -> String {
    let items = numbers.map(|(number, name)| format!("{number} `{name}`"));
    items.collect::<Vec<_>>().join(", ")
}

fn names() -> String {
    let mut text = String::from("| format | numbers and names |\n| --- | --- |\n");
    let bits = TcpFlags::NAMES.iter();
    for (format, items) in [
        (
            Format::Kind,
            list(Kind::ALL.iter().map(|v| (v.number(), v))),
        ),
        (
            Format::Tracepoint,
            list(Tracepoint::ALL.iter().map(|v| (v.number(), v))),
        ),
        (
            Format::TcpState,
            list(TcpState::ALL.iter().map(|v| (v.number(), v))),
        ),
        (
            Format::CaState,
            list(CaState::ALL.iter().map(|v| (v.number(), v))),
        ),
        (
            Format::Timer,
            list(Timer::ALL.iter().map(|v| (v.number(), v))),
        ),
        (
            Format::OwnerStatus,
            list(OwnerStatus::ALL.iter().map(|v| (v.number(), v))),
        ),
        (
            Format::TcpFlags,
            format!(
                "{}; joined by `\\|`",
                list(bits.map(|(bit, name)| (format!("0x{bit:02x}"), name)))
            ),
        ),
        (
            Format::SendError,
            list(SendError::NAMES.iter().map(|(number, name)| (number, name))),
        ),
    ] {
        writeln!(text, "| `{}` | {items} |", format.name()).unwrap();
    }
    text
}

/// The table of the record's bytes, including those that belong to no field.
fn layout() -> String {
    let mut fields: Vec<&Field> = FIELDS.iter().collect();
    fields.sort_by_key(|field| field.offset);
    let mut text = format!("A record of this version has {RECORD_SIZE} bytes.\n\n");
    text.push_str("| offset | size | name | format | presence bit | JSON key |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    let gap = |text: &mut String, start: usize, end: usize| {
        let what = match PRESENCE_WORDS.contains(&start) {
            true => format!("*presence bits {} to {}*", 8 * start, 8 * end - 1),
            false => "*free, zero*".to_owned(),
        };
        if start < end {
            writeln!(text, "| {start} | {} | {what} | | | |", end - start).unwrap();
        }
    };
    let mut end = 0;
    for field in fields {
        gap(&mut text, end, field.offset);
        end = field.offset + field.size;
        let Field {
            offset, size, name, ..
        } = field;
        let format = field.format.name();
        let bit = match field.presence_bit {
            None => "always present".to_owned(),
            Some(bit) => bit.to_string(),
        };
        let key = key(field);
        writeln!(
            text,
            "| {offset} | {size} | `{name}` | `{format}` | {bit} | {key} |"
        )
        .unwrap();
    }
    gap(&mut text, end, RECORD_SIZE);
    text
}
