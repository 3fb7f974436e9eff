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

#[test]
fn containers_have_the_names_that_their_events_are_labelled_with() {
    let files = Files::new();
    let line = |port: u16, container: &str, labels: serde_json::Value| {
        serde_json::json!({
            "type": "retransmit",
            "timestamp": "2026-11-27T10:00:00Z",
            "state": "ESTABLISHED",
            "source": {"ip": "192.0.2.1", "port": port},
            "destination": {"ip": "192.0.2.2", "port": 443},
            "owner": {"status": "held", "holders": 1, "pid": 7, "comm": "app", "container": container},
            "labels": labels,
        })
        .to_string()
    };
    let of_pod = serde_json::json!({
        "k8s.namespace.name": "shop", "k8s.pod.name": "cart-0", "k8s.container.name": "app",
    });
    let lines = [
        line(1, "4f797c539e6c", of_pod),
        line(
            2,
            "9ec39b91f3d7",
            serde_json::json!({"container.name": "web\u{1b}[2J"}),
        ),
        line(
            3,
            "4c01db0b339c",
            serde_json::json!({"container.id": "4c01"}),
        ),
    ];
    files.write("a.jsonl", (lines.join("\n") + "\n").as_bytes());
    let arguments = ["replay", "a.jsonl", "--record", "a.rtc", "--quiet"];
    ran(&mut host(files.path(), &arguments));

    let found = inspected(&files, &["--by", "container"]);
    let rows = found["by"][0]["top"].as_array().expect("rows").iter();
    let names = rows.map(|row| {
        (
            row["key"]["container"].as_str(),
            row["container_name"].as_str(),
        )
    });
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    let expected = [
        (Some("4c01db0b339c"), None),
        (Some("4f797c539e6c"), Some("shop/cart-0/app")),
        (Some("9ec39b91f3d7"), Some("web\u{1b}[2J")),
    ];
    assert_eq!(names, expected);

    let arguments = ["inspect", "a.rtc", "--by", "container,kind"];
    let (text, _) = ran(&mut host(files.path(), &arguments));
    for name in [
        "shop/cart-0/app (4f797c539e6c) ",
        "web\u{fffd}[2J (9ec39b91f3d7) ",
        " 4c01db0b339c ",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let arguments = ["report", "a.rtc", "-o", "page.html"];
    ran(&mut host(files.path(), &arguments));
    let page = std::fs::read_to_string(files.path().join("page.html")).expect("a page");
    assert!(
        page.contains("shop/cart-0/app (4f797c539e6c)"),
        "no name in the page"
    );
}
