//! `inspect` groups events by key and over time, as text and as JSON.

use std::collections::BTreeMap;

use retrans_event::Kind;
use retrans_event::Record;
use retrans_event::synth::Synth;

use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// The summary as JSON.
fn inspected(files: &Files, arguments: &[&str]) -> serde_json::Value {
    let arguments = [&["inspect", "a.rtc", "--json"], arguments].concat();
    let (line, stderr) = ran(&mut host(files.path(), &arguments));
    assert_eq!((stderr.as_str(), line.lines().count()), ("", 1));
    serde_json::from_str(&line).expect("it is JSON")
}

#[test]
fn inspect_groups_the_events_that_filters_admit() {
    let files = Files::new();
    generated(
        files.path(),
        "a.rtc",
        &["--events", "5k", "--seed", "4", "--census", "1s"],
    );
    let records: Vec<Record> = Synth::with_connections(4, 1_000).take(5_000).collect();

    let found = inspected(
        &files,
        &["--by", "peer,kind", "--by", "process", "--top", "3"],
    );
    assert_eq!(found["events"], 5_000);
    let mut by: BTreeMap<_, u64> = BTreeMap::new();
    for record in &records {
        let key = (record.peer_address().to_string(), record.kind().to_string());
        *by.entry(key).or_default() += 1;
    }
    let table = &found["by"][0];
    assert_eq!(table["by"], serde_json::json!(["peer", "kind"]));
    assert_eq!(table["keys"], by.len());
    let top = table["top"].as_array().expect("rows");
    assert_eq!(top.len(), 3);
    let most = by.values().max().expect("one");
    assert_eq!(top[0]["events"], *most);
    for row in top {
        let text = |part: &str| row["key"][part].as_str().unwrap_or_default().to_owned();
        let events = by.get(&(text("peer"), text("kind")));
        assert_eq!(row["events"].as_u64().as_ref(), events, "{row}");
    }
    let rows = found["by"][1]["top"].as_array().expect("rows");
    let process = rows
        .iter()
        .map(|row| &row["key"]["process"])
        .find(|process| !process.is_null())
        .expect("a process");
    assert!(
        process["pid"].is_u64() && process["comm"].is_string(),
        "{process}"
    );
    // Intervals are consecutive, and have all events.
    let histogram = &found["histogram"];
    let intervals = histogram["intervals"].as_array().expect("intervals");
    let events = intervals
        .iter()
        .filter_map(|interval| interval["events"].as_u64());
    assert_eq!(events.sum::<u64>(), 5_000);
    assert!((2..=20).contains(&intervals.len()), "{histogram}");

    let fast = records
        .iter()
        .filter(|record| record.kind() == Kind::Fast)
        .count();
    let found = inspected(&files, &["--kind", "fast", "--by", "kind"]);
    assert_eq!(found["events"], fast);
    assert_eq!(found["by"][0]["top"][0]["key"]["kind"], "fast");
    assert_eq!(found["by"][0]["keys"], 1);

    // Beside a peer there is what was sent to it.
    let found = inspected(&files, &["--top", "5"]);
    let row = &found["by"][0]["top"][0];
    assert!(
        row["census"]["sent_segments"].as_u64() >= row["segments"].as_u64(),
        "{row}"
    );
    let middle = &found["histogram"]["intervals"][1]["timestamp"];
    let middle = middle.as_str().expect("a time");
    let events = |option: &str| inspected(&files, &[option, middle])["events"].as_u64();
    let parts = [events("--from"), events("--to")].map(|events| events.expect("a number"));
    assert!(parts.iter().all(|part| *part > 0), "{parts:?}");
    assert_eq!(parts.iter().sum::<u64>(), 5_000);
}

#[test]
fn a_key_that_inspect_does_not_know_is_refused() {
    let files = Files::new();
    files.write("a.rtc", b"");
    for (by, words) in [
        (
            "port",
            "--by: cannot group by \"port\": expected some of peer, peer_port,",
        ),
        ("peer,peer", "--by: cannot group by peer twice"),
    ] {
        let mut command = host(files.path(), &["inspect", "a.rtc", "--by", by]);
        assert_refused(&mut command, USAGE, &[words]);
    }
}
