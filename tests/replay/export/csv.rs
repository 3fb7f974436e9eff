//! A table has every value of the JSON lines, as Python's csv module reads it.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use retrans_event::FIELDS;
use retrans_event::Format;
use retrans_host::stream::batch::Item;
use retrans_host::stream::moment::Mark;
use serde_json::Value;

use super::CAPTURES;
use super::HOSTILE;
use super::exported;
use super::flat;
use super::least_known;
use super::one_by_one;
use super::printed;
use super::recorded;
use super::some_captures;
use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

/// Prints the rows of a table as lines of JSON.
const READER: &str = "
import csv, json, sys
with open(sys.argv[1], newline='', encoding='utf-8') as table:
    for row in csv.reader(table, strict=True):
        print(json.dumps(row))
";

/// The row of names and the others, as Python's csv module reads them.
#[track_caller]
fn rows(table: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
    let files = Files::new();
    let path = files.write("table.csv", table);
    let mut python = Command::new("python3");
    let python = python.args(["-c", READER]).arg(path).stdin(Stdio::null());
    let output = python
        .output()
        .expect("python3 is there: scripts/setup.sh tests installs it");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut rows = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    (rows.next().expect("a row of names"), rows.collect())
}

/// All columns, from the table of fields.
fn columns() -> Vec<String> {
    let mut columns = Vec::new();
    for field in FIELDS.iter().filter(|field| !field.json.1.is_empty()) {
        let path = match field.json {
            ("", key) => key.to_owned(),
            (object, key) => format!("{object}.{key}"),
        };
        let number = format!("{path}_number");
        columns.push(path);
        let has_number = matches!(
            field.format,
            Format::TcpState
                | Format::CaState
                | Format::Timer
                | Format::TcpFlags
                | Format::SendError
        );
        columns.extend(has_number.then_some(number));
    }
    columns.push("labels".to_owned());
    columns
}

/// The text of a cell without the apostrophe that guards it.
fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// Checks that the table of these files has the rows of the lines that their replay prints. Returns their number.
#[track_caller]
fn assert_has_all(directory: &Path, files: &[&str]) -> usize {
    let output = output(host(directory, &["export", "--to", "csv"]).args(files));
    assert!(output.status.success());
    let (names, rows) = rows(&output.stdout);
    assert_eq!(names, columns());
    let (events, _) = printed(directory, files);
    assert_eq!(rows.len(), events.len());
    for (row, printed) in rows.iter().zip(&events) {
        assert_eq!(row.len(), names.len());
        let mut values = flat(&printed.event);
        for (name, cell) in names.iter().zip(row) {
            let value = values.remove(name).unwrap_or_default();
            match name.as_str() {
                "labels" if !cell.is_empty() => {
                    let labels: Value = serde_json::from_str(cell).expect("JSON");
                    assert_eq!(labels, printed.event["labels"]);
                }
                _ => assert_eq!(unguarded(cell), value, "{name}: {row:?}"),
            }
        }
        assert!(values.is_empty(), "there is no column for {values:?}");
    }
    rows.len()
}

#[test]
fn a_table_has_every_value_of_recorded_events() {
    let files = Files::new();
    for name in CAPTURES {
        let path = recorded(name);
        let path = path.to_str().expect("the path is text");
        assert!(assert_has_all(files.path(), &[path]) > 0, "{name}");
    }
}

#[test]
fn a_table_has_every_value_of_generated_and_of_hostile_events() {
    let files = some_captures();
    assert_eq!(assert_has_all(files.path(), &["a.rtc"]), 12_000);
    assert_eq!(assert_has_all(files.path(), &["hostile.rtc"]), 10);
    assert_eq!(
        assert_has_all(files.path(), &["hostile.rtc", "a.rtc"]),
        12_010
    );
}

#[test]
fn a_table_of_lines_is_that_of_the_capture() {
    let files = some_captures();
    for name in ["a.rtc", "hostile.rtc"] {
        let (lines, _) = ran(&mut host(files.path(), &["replay", "--quiet", name]));
        files.write("a.jsonl", lines);
        let of = |file| output(&mut host(files.path(), &["export", "--to", "csv", file])).stdout;
        assert!(of("a.jsonl") == of(name), "another table: {name}");
    }
}

#[test]
fn an_unknown_value_is_an_empty_cell() {
    let files = Files::new();
    files.write("a.rtc", one_by_one(&head(), &[least_known()]));
    assert_eq!(assert_has_all(files.path(), &["a.rtc"]), 1);
    let fields = "retransmit.seq,owner.status,tcp.srtt_us,labels,destination.port";
    let table = exported(files.path(), &["a.rtc", "--to", "csv", "--fields", fields]);
    let port = least_known().peer_port();
    let expected = format!("{fields}\n,,,,{port}\n");
    assert_eq!(String::from_utf8_lossy(&table), expected);
}

#[test]
fn no_name_is_a_formula() {
    let files = some_captures();
    let arguments = [
        "hostile.rtc",
        "--to",
        "csv",
        "--fields",
        "owner.comm,labels",
    ];
    let (_, rows) = rows(&exported(files.path(), &arguments));
    let expected = [
        "'=1+1",
        "'+1",
        "'-x",
        "'@SUM(A1)",
        "''quoted'",
        "a,b;c",
        "\"two\" words",
        "'\tx\r\ny\n",
        "\u{1b}[2J\u{202e}\u{9b}",
        "ä=1 b\\c",
    ];
    let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, expected);
    assert!(names.iter().map(|name| unguarded(name)).eq(HOSTILE));
    for row in &rows {
        assert!(row[1].starts_with('{'), "{row:?}");
    }
}

#[test]
fn columns_are_the_fields_that_are_asked_for_in_their_order() {
    let files = some_captures();
    let table = |fields: &str| {
        let arguments = ["hostile.rtc", "--to", "csv", "--fields", fields];
        rows(&exported(files.path(), &arguments))
    };
    let (all, whole) = rows(&exported(files.path(), &["hostile.rtc", "--to", "csv"]));
    for (fields, expected) in [
        ("destination.ip", &["destination.ip"][..]),
        (
            "labels,source,timestamp",
            &["labels", "source.ip", "source.port", "timestamp"],
        ),
        (
            "state_number, state,source.port,source",
            &["state_number", "state", "source.port", "source.ip"],
        ),
        (
            "owner.last",
            &[
                "owner.last.pid",
                "owner.last.comm",
                "owner.last.uid",
                "owner.last.container",
            ],
        ),
    ] {
        let (names, rows) = table(fields);
        assert_eq!(names, expected);
        assert_eq!(rows.len(), whole.len());
        for (row, whole) in rows.iter().zip(&whole) {
            for (name, cell) in names.iter().zip(row) {
                let place = all.iter().position(|other| other == name);
                assert_eq!(cell, &whole[place.expect("a column")], "{name}");
            }
        }
    }
    for (fields, wrong) in [
        ("", "\"\""),
        ("source.ip,", "\"\""),
        ("timestamp,ip", "\"ip\""),
        ("tcp.", "\"tcp.\""),
        ("pid", "\"pid\""),
    ] {
        let arguments = ["export", "hostile.rtc", "--to", "csv", "--fields", fields];
        let words = ["--fields: ", wrong, "source.ip", "labels"];
        assert_refused(&mut host(files.path(), &arguments), USAGE, &words);
    }
}

#[test]
fn what_was_lost_is_told_beside_the_table() {
    let files = some_captures();
    let export = ["export", "a.rtc", "--to", "csv"];
    let (_, stderr) = ran(&mut host(files.path(), &export));
    let (events, after) = printed(files.path(), &["a.rtc"]);
    let lost: u64 = events.iter().map(|printed| printed.lost).sum();
    assert!(lost > 0 && after == 0);
    let warning = format!(
        "WARN {lost} events are missing, in 1 gaps: they were lost when the others were recorded"
    );
    assert!(stderr.contains(&warning), "{stderr}");
    assert!(
        stderr.ends_with("retrans-host: exported 12000 events to standard output\n"),
        "{stderr}"
    );
    // At the end as well.
    let mark = Mark {
        lost: 5,
        ..Mark::default()
    };
    let items = vec![events_of(2), Item::Mark(mark), Item::End(mark)];
    files.write("b.rtc", capture(&head(), &[items]));
    let (_, stderr) = ran(&mut host(files.path(), &["export", "b.rtc", "--to", "csv"]));
    assert!(
        stderr.contains("WARN 12 events are missing, in 3 gaps"),
        "{stderr}"
    );
}

/// Events before which two were lost.
fn events_of(count: usize) -> Item {
    let records: Vec<_> = retrans_event::synth::Synth::new(4).take(count).collect();
    events(&records, 2)
}

#[test]
fn a_capture_without_events_is_a_table_without_rows() {
    let files = Files::new();
    files.write("none.rtc", capture(&head(), &[]));
    let (names, rows) = rows(&exported(files.path(), &["none.rtc", "--to", "csv"]));
    assert_eq!(names, columns());
    assert_eq!(rows.len(), 0);
}

#[test]
fn a_census_has_no_rows_in_a_table() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "20k", "--census", "1s"],
    );
    let (with, _) = ran(&mut host(files.path(), &["inspect", "a.rtc"]));
    assert!(with.contains("censuses"), "{with}");
    let (_, rows) = rows(&exported(files.path(), &["a.rtc", "--to", "csv"]));
    assert_eq!(rows.len(), 20_000);
}
