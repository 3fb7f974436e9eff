//! A census is part of the stream: captures hold it, and a replay passes it on.

use std::collections::BTreeMap;
use std::fs;

use retrans_event::CensusRow;
use retrans_event::Kind;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::stream::batch::Item;
use retrans_host::stream::census::Census;

use crate::common::captures::Shown;
use crate::common::captures::capture;
use crate::common::captures::generated;
use crate::common::captures::head;
use crate::common::captures::host;
use crate::common::captures::items;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

/// The position of the version of the format in a file.
const VERSION: usize = 7;

/// The rows of a capture.
fn rows(file: &[u8]) -> Vec<CensusRow> {
    let (items, error) = items(file).expect("a capture");
    assert!(error.is_none(), "{error:?}");
    let rows = items.iter().flat_map(|item| match item {
        Shown::Census(bytes) => CensusRow::rows(bytes).collect(),
        _ => Vec::new(),
    });
    rows.collect()
}

#[test]
fn that_of_synthetic_events_has_as_many_retransmits_as_the_events() {
    let files = Files::new();
    let arguments = ["--events", "5k", "--census", "2s", "--seed", "3"];
    let file = fs::read(generated(files.path(), "a.rtc", &arguments)).expect("it was written");
    assert_eq!(file[VERSION], 2);
    let mut expected = BTreeMap::new();
    for record in Synth::new(3).take(5_000) {
        if !matches!(record.kind(), Kind::Syn | Kind::SynAck) {
            *expected.entry(record.peer()).or_insert(0) += 1;
        }
    }
    let mut found = BTreeMap::new();
    let rows = rows(&file);
    for row in &rows {
        let peer = (row.peer_address, row.service_port).into();
        *found.entry(peer).or_insert(0) += row.retransmitted_segments;
        assert!(row.segments >= 20 * row.retransmitted_segments, "{row:?}");
        assert_eq!(
            u64::from(row.rtt_buckets.iter().sum::<u32>()),
            row.rtt_count
        );
    }
    assert_eq!(found, expected);
    let (page, _) = ran(&mut host(files.path(), &["inspect", "a.rtc"]));
    let again: u64 = rows.iter().map(|row| row.retransmitted_segments).sum();
    let sent: u64 = rows.iter().map(|row| row.segments).sum();
    let words = format!("rows: {sent} segments sent, {again} of them again (");
    assert!(page.contains(&words), "{page}");
}

#[test]
fn a_replay_that_records_keeps_it_and_the_version() {
    let files = Files::new();
    for (name, arguments, version) in [
        ("with.rtc", &["--events", "3k", "--census", "1s"][..], 2),
        ("without.rtc", &["--events", "3k"], 1),
    ] {
        let file = fs::read(generated(files.path(), name, arguments)).expect("it was written");
        assert_eq!(file[VERSION], version, "{name}");
        let again = format!("again-{name}");
        ran(&mut host(
            files.path(),
            &["replay", name, "--record", &again, "--plugin", "sample"],
        ));
        let again = fs::read(files.path().join(again)).expect("it was written");
        assert_eq!(again[VERSION], version, "{name}");
        let read = |file: &[u8]| items(file).expect("a capture").0;
        assert_eq!(read(&again), read(&file), "{name}");
    }
}

#[test]
fn filters_for_the_peer_the_service_and_the_namespace_apply_to_rows() {
    let row = |peer: [u8; 4], port, netns| CensusRow {
        peer_address: peer.into(),
        service_port: port,
        netns_inode: netns,
        ..CensusRow::EMPTY
    };
    let all = [
        row([10, 0, 0, 1], 443, 4_026_531_840),
        row([10, 0, 0, 2], 80, 4_026_531_840),
        row([192, 0, 2, 1], 443, 4_026_531_900),
    ];
    let mut head = head();
    head.has_census = true;
    let file = capture(&head, &[vec![Item::Census(Census::new(all))]]);
    let files = Files::new();
    files.write("a.rtc", &file);
    for (filter, kept) in [
        (&["--peer", "10.0.0.0/8"][..], &all[..2]),
        (&["--port", "443"], &[all[0], all[2]]),
        (&["--netns", "4026531900"], &all[2..]),
        (&["--kind", "fast"], &all),
        (&["-6"], &[]),
    ] {
        let _ = fs::remove_file(files.path().join("b.rtc"));
        let arguments = ["replay", "a.rtc", "--record", "b.rtc"];
        ran(&mut host(files.path(), &[&arguments[..], filter].concat()));
        let kept_rows = rows(&fs::read(files.path().join("b.rtc")).expect("it was written"));
        assert_eq!(kept_rows, kept, "{filter:?}");
    }
}

#[test]
fn a_later_version_is_named_and_an_item_of_a_later_kind_is_skipped() {
    let files = Files::new();
    let arguments = ["--events", "10", "--census", "1s"];
    let file = fs::read(generated(files.path(), "a.rtc", &arguments)).expect("it was written");
    let mut later = file.clone();
    later[VERSION] = 3;
    let error = items(&later).expect_err("a later version").to_string();
    assert!(error.contains("version 3"), "{error}");
    // As an older host would find it: kinds of items that the first version does not have.
    let mut first = file;
    first[VERSION] = 1;
    let (_, error) = items(&first).expect("the head is the same");
    let error = error.expect("no such item").to_string();
    assert!(error.contains("an item of an unknown kind"), "{error}");
}

#[test]
fn an_interval_that_is_none_is_refused() {
    let files = Files::new();
    for interval in ["0s", "999ms", "301s", "1d", "10", "", "often"] {
        for arguments in [
            &["--census", interval][..],
            &["generate", "a.rtc", "--census", interval],
        ] {
            let mut command = host(files.path(), arguments);
            assert_refused(&mut command, USAGE, &["--census", "a time from 1s to 5m"]);
        }
    }
}

#[test]
fn events_alone_are_as_before() {
    let files = Files::new();
    let with = generated(
        files.path(),
        "a.rtc",
        &["--events", "500", "--census", "1s"],
    );
    let file = fs::read(with).expect("it was written");
    let (items, _) = items(&file).expect("a capture");
    let records = items.iter().filter_map(|item| match item {
        Shown::Events(records, ..) => Some(records.as_slice()),
        _ => None,
    });
    let expected: Vec<Record> = Synth::new(1).take(500).collect();
    let expected: Vec<u8> = expected
        .iter()
        .flat_map(|r| r.as_bytes().to_vec())
        .collect();
    assert!(records.collect::<Vec<_>>().concat() == expected);
}

#[test]
fn lines_that_were_printed_are_replayed_to_the_same_lines_and_alerts() {
    let files = Files::new();
    let arguments = ["--events", "20k", "--census", "1s", "--connections", "50"];
    generated(files.path(), "a.rtc", &arguments);
    let plugins = [
        "--plugin",
        "ratio-alert",
        "--set",
        "key=port",
        "--set",
        "percent=0.2",
        "--plugin",
        "json-print",
        "--set",
        "census=true",
        "--alerts",
        "json",
        "--quiet",
    ];
    let replayed = |file: &str| {
        let arguments = [&["replay", file], &plugins[..]].concat();
        ran(&mut host(files.path(), &arguments)).0
    };
    let printed = replayed("a.rtc");
    files.write("a.jsonl", printed.as_bytes());
    let again = replayed("a.jsonl");
    let of_type = |text: &str, name: &str| {
        let start = format!("{{\"type\":\"{name}\"");
        let lines = text.lines().filter(|line| line.starts_with(&start));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for name in ["census", "alert", "retransmit"] {
        assert!(!of_type(&printed, name).is_empty(), "{name}");
        assert!(of_type(&again, name) == of_type(&printed, name), "{name}");
    }
    // And recorded: the capture of the lines has them too.
    ran(&mut host(
        files.path(),
        &["replay", "a.jsonl", "--record", "b.rtc", "--quiet"],
    ));
    let read = |name: &str| rows(&fs::read(files.path().join(name)).expect("it was written"));
    assert!(read("b.rtc") == read("a.rtc"));
}
