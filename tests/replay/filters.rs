//! A replay leaves out what its filters do not admit, and reports every loss that it read.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::printed;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::ledger::Ledger;

/// What a filter is to admit, as a reader of the lines would select it.
type Wanted = fn(&Value) -> bool;

fn values(lines: &str, kind: &str) -> Vec<Value> {
    let values = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    values
        .filter(|value: &Value| value["type"] == kind)
        .collect()
}

/// A line written by hand has a kind, and no evidence from which it could be derived.
#[test]
fn the_kind_is_that_of_the_event() {
    let line = |kind: &str| {
        format!(
            r#"{{"type":"retransmit","timestamp":"2026-01-01T12:00:00Z","state":"ESTABLISHED","source":{{"ip":"10.0.0.1","port":40000}},"destination":{{"ip":"10.0.0.2","port":443}},"retransmit":{{"kind":"{kind}"}}}}"#
        )
    };
    let files = Files::new();
    let lines = [line("timeout"), line("fast"), line("timeout")].join("\n");
    fs::write(files.path().join("a.jsonl"), lines).expect("a temporary file");
    let mut replay = host(files.path(), &["replay", "a.jsonl", "--kind", "timeout"]);
    let found = values(&ran(&mut replay).0, "retransmit");
    let kinds: Vec<_> = found
        .iter()
        .map(|event| &event["retransmit"]["kind"])
        .collect();
    assert_eq!(kinds, ["timeout", "timeout"]);
}

#[test]
fn what_is_replayed_is_what_the_filters_admit() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "20k", "--gaps"]);
    let all = printed(files.path(), &["a.rtc"]);
    let events = values(&all, "retransmit");
    let owner = events.iter().find(|event| event["owner"]["pid"].is_u64());
    let owner = &owner.expect("some owners are known")["owner"];
    let (pid, comm) = (
        owner["pid"].to_string(),
        owner["comm"].as_str().expect("a name"),
    );
    let filters: [(&[&str], Wanted); 7] = [
        (&["-4"], |event| event["ipversion"] == 4),
        (&["-6", "--kind", "fast"], |event| {
            event["ipversion"] == 6 && event["retransmit"]["kind"] == "fast"
        }),
        (&["--kind", "syn,timeout"], |event| {
            let kind = &event["retransmit"]["kind"];
            kind == "syn" || kind == "timeout"
        }),
        (&["--state", "established"], |event| {
            event["state"] == "ESTABLISHED"
        }),
        (&["--port", "443,5432"], |event| {
            let ports = [&event["source"]["port"], &event["destination"]["port"]];
            ports.iter().any(|port| **port == 443 || **port == 5432)
        }),
        (&["--peer", "10.0.0.0/8"], |event| {
            let peer = event["destination"]["ip"].as_str().unwrap_or_default();
            peer.starts_with("10.")
        }),
        (&["--netns", "4026531841"], |event| {
            event["netns"]["inode"] == 4_026_531_841_u32
        }),
    ];
    for (filter, wanted) in filters {
        let arguments = [&["replay", "a.rtc"], filter].concat();
        let (stdout, stderr) = ran(&mut host(files.path(), &arguments));
        let expected: Vec<_> = events
            .iter()
            .filter(|event| wanted(event))
            .cloned()
            .collect();
        let found = values(&stdout, "retransmit");
        // They are numbered as they were.
        assert_eq!(found, expected, "{filter:?}");
        let ledger = Ledger::of(&stderr);
        ledger.assert_replay_balances();
        assert_eq!(ledger.replay.get("read"), events.len() as u64);
        assert_eq!(ledger.replay.get("delivered"), expected.len() as u64);
        // Every loss is reported, whatever is left out around it.
        let lost = |lines: &str| -> u64 {
            let gaps = values(lines, "gap");
            gaps.iter().filter_map(|gap| gap["lost"].as_u64()).sum()
        };
        assert!(lost(&all) > 0);
        assert_eq!(lost(&stdout), lost(&all), "{filter:?}");
    }
    for (filter, value, field) in [("--pid", pid.as_str(), "pid"), ("--comm", comm, "comm")] {
        let stdout = printed(files.path(), &["a.rtc", filter, value]);
        let found = values(&stdout, "retransmit");
        assert!(!found.is_empty(), "{filter} {value}");
        for event in found {
            let names = [&event["owner"][field], &event["owner"]["last"][field]];
            let is_owner = |name: &&Value| name.to_string().trim_matches('"') == value;
            assert!(names.iter().any(is_owner), "{filter} {value}: {event}");
        }
    }
}

#[test]
fn a_sample_has_whole_connections_and_a_sample_of_it_is_itself() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "20k", "--connections", "2k"],
    );
    let of_connections = |lines: &str| {
        let mut connections = BTreeMap::new();
        for event in values(lines, "retransmit") {
            *connections
                .entry(event["socket"]["cookie"].to_string())
                .or_insert(0) += 1;
        }
        connections
    };
    let all = of_connections(&printed(files.path(), &["a.rtc"]));
    let arguments = ["replay", "a.rtc", "--sample", "1/8", "--record", "b.rtc"];
    let (sample, _) = ran(&mut host(files.path(), &arguments));
    let sampled = of_connections(&sample);
    for (connection, events) in &sampled {
        assert_eq!(Some(events), all.get(connection), "{connection}");
    }
    // Six standard deviations.
    let (share, deviation) = (
        all.len() as f64 / 8.0,
        (all.len() as f64 * 7.0 / 64.0).sqrt(),
    );
    let difference = (sampled.len() as f64 - share).abs();
    assert!(
        difference < 6.0 * deviation,
        "{} of {}",
        sampled.len(),
        all.len()
    );
    let again = printed(files.path(), &["b.rtc", "--sample", "1/8"]);
    assert_eq!(again, sample);
}
