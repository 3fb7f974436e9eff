//! When summaries are written, and what is in them.

mod state;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::retrans_event::SendError;
use retrans_plugin_sdk::serde_json;
use retrans_plugin_sdk::serde_json::Value;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing::Outcome;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

use crate::FlowSummary;

fn record(millis: u64, peer: &str) -> Record {
    let peer: SocketAddr = peer.parse().expect("an address with a port");
    let local = if peer.is_ipv4() {
        "10.0.0.1:33000"
    } else {
        "[2001:db8::1]:33000"
    };
    let record = Record::retransmit(local.parse().expect("an address with a port"), peer);
    record.with_time(Duration::from_millis(millis))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ticks(scenario: Scenario, ticks: impl IntoIterator<Item = u64>) -> Scenario {
    ticks
        .into_iter()
        .map(seconds)
        .fold(scenario, Scenario::tick)
}

/// Runs the scenario also with a reload after every call: the results must be the same.
fn run(scenario: &Scenario) -> Outcome {
    scenario
        .run_stateful::<FlowSummary>()
        .expect("the scenario is sound")
}

/// The lines that begin a summary of the form text.
fn heads(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.lines.iter().map(String::as_str);
    lines.filter(|line| !line.starts_with(' ')).collect()
}

fn lines_of_json(outcome: &Outcome) -> Vec<Value> {
    let lines = outcome.lines.iter();
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

#[test]
fn a_summary_is_in_columns() {
    let nginx = Process {
        container: "4c01db0b339c".parse().ok(),
        ..Process::new(42, "nginx")
    };
    let scenario = ticks(Scenario::new(), [100])
        .events((0..3).map(|number| record(100_000 + number, "10.0.0.2:443").with_process(nginx)))
        .event(
            record(101_000, "10.0.0.2:443")
                .with_kind(Kind::Timeout)
                .with_process(nginx),
        )
        .event(
            record(101_001, "10.0.0.2:8080")
                .with_segments(5)
                .with_kind(Kind::TailLossProbe),
        )
        .event(record(101_002, "[2001:db8::2]:443"))
        .lost(2);
    let outcome = run(&ticks(scenario, 101..=110));
    let expected = "\
10s: 10 segments in 6 retransmits, 2 events lost
  segments  share  peer         causes                                process
         9    90%  10.0.0.2     tail_loss_probe 5, fast 3, timeout 1  nginx[42] in 4c01db0b339c
         1    10%  2001:db8::2  fast 1
  segments  share  connection                                      causes             process
         5    50%  10.0.0.1:33000 > 10.0.0.2:8080                  tail_loss_probe 5
         4    40%  10.0.0.1:33000 > 10.0.0.2:443                   fast 3, timeout 1  nginx[42] in 4c01db0b339c
         1    10%  [2001:db8::1]:33000 > [2001:db8::2]:443         fast 1
0s: no retransmits";
    let shown = outcome.lines.join("\n");
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(&shown), squeezed(expected), "{shown}");
    // The columns of a table begin at the same place.
    let column = |line: &str, word: &str| line.find(word).expect("it has the column");
    let place = column(&outcome.lines[1], "causes");
    assert_eq!(column(&outcome.lines[2], "tail_loss_probe"), place);
    assert_eq!(column(&outcome.lines[3], "fast"), place);
    assert_eq!(outcome.kept.len(), 6);
}

#[test]
fn a_summary_is_written_in_each_interval_and_at_the_end() {
    let scenario = ticks(Scenario::new().setting("interval", "5s"), [10]);
    let scenario = ticks(scenario.event(record(11_000, "10.0.0.2:1")), 11..=16);
    let scenario = scenario.events([record(16_100, "10.0.0.2:1"), record(17_500, "10.0.0.2:1")]);
    let outcome = run(&scenario);
    assert_eq!(
        heads(&outcome),
        [
            "5s: 1 segment in 1 retransmit",
            "2s 500ms: 2 segments in 2 retransmits"
        ]
    );
}

#[test]
fn after_a_time_without_ticks_one_summary_is_written() {
    let scenario = Scenario::new().event(record(10_000, "10.0.0.2:1"));
    let outcome = run(&ticks(scenario, [10, 47, 48, 50]));
    assert_eq!(
        heads(&outcome),
        [
            "37s: 1 segment in 1 retransmit",
            "3s: no retransmits",
            "0s: no retransmits"
        ]
    );
}

#[test]
fn attempts_that_failed_and_unknown_sizes_count_as_they_should() {
    let failed = |record: Record| {
        record.with(|event| {
            event.set_error(Some(SendError(-113)));
            event.set_sent(Some(false));
        })
    };
    let unknown = |millis| record(millis, "10.0.0.3:1").with(|event| event.set_segments(None));
    let scenario = Scenario::new()
        .event(failed(record(1, "10.0.0.2:1")))
        .events([unknown(2), unknown(3)]);
    let outcome = run(&scenario);
    assert_eq!(
        heads(&outcome),
        ["2ms: 2 segments in 2 retransmits, 1 attempt failed"]
    );
    assert!(!outcome.lines.join("\n").contains("10.0.0.2"));
}

#[test]
fn the_json_form_has_the_keys_of_an_event() {
    let netns = |record: Record| record.with(|event| event.set_netns_inode(Some(7)));
    let scenario = Scenario::new()
        .setting("format", "json")
        .event(netns(record(1_000, "10.0.0.2:443")).with_process(Process::new(42, "nginx")))
        .event(netns(record(1_500, "10.0.0.2:443")).with_process(Process::new(43, "nginx")))
        .lost(3);
    let summaries = lines_of_json(&run(&scenario));
    let shared = json!({
        "segments": 2,
        "error": 0,
        "kinds": {"fast": 2},
        "owner": {"pid": 43, "comm": "nginx"},
        "more_owners": true,
    });
    let with = |more: Value| {
        let mut object = shared.clone();
        let (own, more) = (object.as_object_mut(), more.as_object().cloned());
        own.zip(more)
            .into_iter()
            .for_each(|(own, more)| own.extend(more));
        object
    };
    let expected = json!({
        "type": "flow_summary",
        "boot_time_ns": 1_500_000_000,
        "length_ns": 500_000_000,
        "events": 2,
        "segments": 2,
        "failed": 0,
        "lost": 3,
        "peers": [with(json!({"destination": {"ip": "10.0.0.2"}}))],
        "connections": [with(json!({
            "source": {"ip": "10.0.0.1", "port": 33_000},
            "destination": {"ip": "10.0.0.2", "port": 443},
            "netns": {"inode": 7},
        }))],
    });
    assert_eq!(summaries, [expected]);
}

#[test]
fn connections_of_two_namespaces_are_two() {
    let netns = |inode| record(1, "10.0.0.2:1").with(|event| event.set_netns_inode(inode));
    let scenario = Scenario::new().setting("format", "json");
    let summary = &lines_of_json(&run(&scenario.events([
        netns(Some(1)),
        netns(Some(2)),
        netns(None),
    ])))[0];
    assert_eq!(summary["connections"].as_array().map(Vec::len), Some(3));
    assert_eq!(summary["peers"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_namespace_is_shown_where_connections_are_otherwise_the_same() {
    let netns = |peer, inode| record(1, peer).with(|event| event.set_netns_inode(inode));
    let same = "10.0.0.2:1";
    let outcome = run(&Scenario::new().events([
        netns(same, Some(1)).with_segments(4),
        netns(same, Some(4_026_531_840)).with_segments(3),
        netns(same, None).with_segments(2),
        netns("10.0.0.2:2", Some(1)),
    ]));
    let shown = outcome.lines[4..].iter().map(|line| {
        let connection = line.split("%  ").nth(1).expect("a share");
        connection.split("  ").next().expect("a connection")
    });
    let shown: Vec<&str> = shown.collect();
    assert_eq!(
        shown,
        [
            "10.0.0.1:33000 > 10.0.0.2:1 netns 1",
            "10.0.0.1:33000 > 10.0.0.2:1 netns 4026531840",
            "10.0.0.1:33000 > 10.0.0.2:1",
            "10.0.0.1:33000 > 10.0.0.2:2",
        ]
    );
}

#[test]
fn the_heaviest_are_shown_and_a_range_where_a_count_is_not_exact() {
    // 2,000 peers with one segment each, then one with many: more than the 1,000 that are kept.
    let peer = |number: u64| format!("10.1.{}.{}:1", number / 250, number % 250);
    let many = (0..2_000).map(|number| record(number, &peer(number)));
    let heavy = (0..50).map(|number| record(2_000 + number, "10.0.0.9:1").with_segments(3));
    let scenario = Scenario::new().setting("top", 2).events(many.chain(heavy));
    // Without reloads: there are too many keys to save for each event.
    let run = |scenario: Scenario| scenario.run::<FlowSummary>().expect("it is sound");
    let outcome = run(scenario.clone());
    assert_eq!(outcome.lines.len(), 7);
    assert!(
        outcome.lines[2].starts_with("   150-152     7%  10.0.0.9"),
        "{}",
        outcome.lines[2]
    );
    let json = lines_of_json(&run(scenario.setting("format", "json"))).remove(0);
    assert_eq!(json["peers"][0]["error"], 2);
    assert_eq!(json["peers"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_process_cannot_end_the_line() {
    let odd = record(1, "10.0.0.2:1").with_process(Process::new(1, "a\n0s: no\x1b[2J"));
    let outcome = run(&Scenario::new().event(odd));
    assert_eq!(heads(&outcome).len(), 1);
    assert!(
        outcome.lines[2].ends_with("a\u{fffd}0s: no\u{fffd}[2J[1]"),
        "{}",
        outcome.lines[2]
    );
}

#[test]
fn a_stream_of_all_kinds_has_the_same_summaries_however_often_the_plugin_is_reloaded() {
    for format in ["text", "json"] {
        let mut records = Synth::new(3);
        let mut scenario = Scenario::new()
            .setting("interval", "2s")
            .setting("format", format);
        for second in 1_000..1_010 {
            scenario = scenario
                .tick(seconds(second))
                .events(records.by_ref().take(40));
        }
        let outcome = run(&scenario);
        assert!(outcome.lines.len() >= 5);
    }
}

#[test]
fn other_settings_take_over_the_counts() {
    let scenario = Scenario::new().setting("top", 200).tick(seconds(1));
    let scenario = scenario
        .events((0..20).map(|number| record(1_000 + number, &format!("10.0.0.{number}:1"))));
    let scenario = scenario
        .reload()
        .setting("top", 1)
        .setting("interval", "3s")
        .setting("format", "json");
    let summary = lines_of_json(&run(&ticks(scenario, [2, 4]))).remove(0);
    assert_eq!(
        (&summary["events"], &summary["length_ns"]),
        (&json!(20), &json!(3_000_000_000_u64))
    );
    assert_eq!(summary["peers"].as_array().map(Vec::len), Some(1));
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    for (key, value, expected) in [
        ("interval", json!("0s"), "interval: expected more than 0s"),
        ("top", json!(0), "top: expected from 1 to 1000"),
        ("top", json!(1_001), "top: expected from 1 to 1000"),
        (
            "format",
            json!("xml"),
            "format: unknown variant `xml`, expected `text` or `json`",
        ),
    ] {
        let error = Scenario::new()
            .setting(key, value)
            .run::<FlowSummary>()
            .expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
}
