//! The time that commands are asked for: from, to, since.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use retrans_event::Record;
use retrans_event::synth::Synth;
use serde_json::Value;

use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

#[test]
fn only_the_time_that_is_asked_for_is_replayed() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "3k"]);
    let lines = printed(files.path(), &["a.rtc"]);
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let timestamp = |index: usize| {
        let line: serde_json::Value = serde_json::from_str(lines[index]).expect("JSON");
        line["timestamp"].as_str().expect("text").to_owned()
    };
    let (from, to) = (timestamp(700), timestamp(2_100));
    for (times, range) in [
        (vec!["--from", &from], 700..3_000),
        (vec!["--to", &to], 0..2_100),
        (vec!["--from", &from, "--to", &to], 700..2_100),
        (vec!["--to", "2026-01-01T00:00:00Z"], 0..0),
    ] {
        let mut command = host(files.path(), &["replay", "a.rtc"]);
        let (stdout, stderr) = ran(command.args(&times));
        let delivered = range.len();
        assert!(stdout == lines[range].concat(), "{times:?}");
        let left_out = 3_000 - delivered;
        let ledger =
            format!("ledger: replay read=3000 left_out={left_out} delivered={delivered}\n");
        assert!(stderr.starts_with(&ledger), "{times:?}: {stderr}");
    }
}

#[test]
fn what_happened_before_a_time_ago_is_left_out_by_each_command() {
    let files = Files::new();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    let mut records: Vec<Record> = Synth::new(1).take(7).collect();
    // Two days ago, and half an hour ago.
    let (old, new) = records.split_at_mut(4);
    let at = |records: &mut [Record], ago: u64| {
        let time = now - Duration::from_secs(ago);
        records
            .iter_mut()
            .for_each(|record| record.set_wall_time(time));
    };
    at(old, 172_800);
    at(new, 1_800);
    files.write("a.rtc", capture(&head(), &[vec![events(&records, 0)]]));
    for (since, expected) in [("72h", 7), ("1h", 3), ("10m", 0)] {
        let run = |arguments: &[&str]| {
            let mut command = host(files.path(), arguments);
            ran(command.args(["a.rtc", "--since", since]))
        };
        assert_eq!(run(&["replay"]).0.lines().count(), expected, "{since}");
        let table = run(&["export", "--to", "csv"]).0;
        // With the line of the names.
        assert_eq!(table.lines().count(), expected + 1, "{since}");
        let sums: Value = serde_json::from_str(&run(&["inspect", "--json"]).0).expect("JSON");
        assert_eq!(sums["events"], expected, "{since}");
    }
    let (_, said) = ran(host(files.path(), &["report", "a.rtc", "--since", "1h"])
        .args(["--output", "a.html", "--force"]));
    assert!(said.contains("3 segments"), "{said}");
    let early = "2001-01-01T00:00:00Z";
    for (command, end) in [
        ("replay", "--to"),
        ("inspect", "--to"),
        ("report", "--to"),
        ("export", "--until"),
    ] {
        let mut host = host(
            files.path(),
            &[command, "a.rtc", "--since", "1h", end, early],
        );
        if command == "export" {
            host.args(["--to", "csv"]);
        }
        let words = format!("{end}: {early} is not after --since 1h");
        assert_refused(&mut host, USAGE, &[&words]);
    }
}
