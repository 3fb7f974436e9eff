//! Lines for given events.

mod cells;
mod layout;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::retrans_event::SendError;
use retrans_plugin_sdk::serde_json::Value;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

use crate::TablePrint;
use crate::columns;

/// 5.123 s after midnight.
const TIME: Duration = Duration::from_millis(5_123);

fn retransmit(local: &str, peer: &str) -> Record {
    let address = |text: &str| text.parse().expect("an address with a port");
    Record::retransmit(address(local), address(peer)).with_time(TIME)
}

/// An event with every value of the ten columns.
fn usual() -> Record {
    let record = retransmit("10.0.0.1:33000", "10.0.0.2:443");
    let record = record.with_process(Process::new(1_077, "postgres"));
    record.with(|event| {
        event.set_srtt(Some(Duration::from_micros(12_345)));
        event.set_rto(Some(Duration::from_millis(204)));
        event.set_cwnd(Some(10));
    })
}

fn lines(scenario: &Scenario) -> Vec<String> {
    let outcome = scenario.run::<TablePrint>();
    outcome.expect("the scenario is sound").lines
}

/// Scenarios with one event.
fn of(record: Record, settings: &[(&str, Value)]) -> Vec<String> {
    let scenario = Scenario::new().event(record);
    let with =
        |scenario: Scenario, (key, value): &(&str, Value)| scenario.setting(key, value.clone());
    lines(&settings.iter().fold(scenario, with))
}

/// The text of one cell.
fn cell(record: Record, column: &str) -> String {
    let lines = of(record, &[("columns", json!(column))]);
    lines[1].trim().to_owned()
}

fn error(settings: &[(&str, Value)]) -> String {
    let scenario = Scenario::new();
    let with =
        |scenario: Scenario, (key, value): &(&str, Value)| scenario.setting(key, value.clone());
    let scenario = settings.iter().fold(scenario, with);
    let run = scenario.run::<TablePrint>();
    run.expect_err("it is refused").to_string()
}

#[test]
fn an_event_is_a_line_of_columns_below_a_heading() {
    let expected = [
        "TIME             PID COMM            LADDR:LPORT           PEER:PPORT            KIND            STATE          SRTT    RTO  CWND",
        "00:00:05.123    1077 postgres        10.0.0.1:33000        10.0.0.2:443          fast            ESTABLISHED  12.3ms  204ms    10",
    ];
    assert_eq!(of(usual(), &[]), expected);
}

#[test]
fn the_heading_is_written_once_and_only_where_there_are_events() {
    let scenario = Scenario::new().tick(Duration::from_secs(1)).lost(1);
    assert_eq!(lines(&scenario), ["-- 1 event lost --"]);
    let scenario = scenario.events(Synth::new(3).take(300)).lost(7);
    let lines = lines(&scenario.tick(Duration::from_secs(3_000)));
    assert_eq!(lines.len(), 1 + 1 + 300 + 1);
    let headings = (0..lines.len()).filter(|number| lines[*number].starts_with("TIME "));
    assert!(headings.eq([1]));
    assert_eq!(lines[302], "-- 7 events lost --");
}

#[test]
fn events_pass_unchanged() {
    let records: Vec<Record> = Synth::new(4).take(50).collect();
    let outcome = Scenario::new().events(records.clone()).run::<TablePrint>();
    let outcome = outcome.expect("the scenario is sound");
    let kept = outcome.kept.iter().map(|kept| &kept.record);
    assert!(kept.eq(&records));
}

#[test]
fn wide_lines_have_more_columns_and_nothing_is_shortened() {
    let record = usual().with(|event| {
        event.set_length(Some(1_448));
        event.set_mss(Some(1_460));
        event.set_netns_inode(Some(4_026_531_840));
    });
    let process = Process {
        container: "4c01db0b339c".parse().ok(),
        ..Process::new(7, "nginx")
    };
    let record = record.with_process(process);
    let record = record.with_peer(
        "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535"
            .parse()
            .expect("an address"),
    );
    for width in [0, 20, 80] {
        let scenario = Scenario::new()
            .setting("wide", true)
            .setting("width", width);
        let labels = [("zone", "eu"), ("service", "web")];
        let lines = lines(&scenario.labelled_event(record.clone(), labels));
        let expected = "00:00:05.123       7 nginx           [::]:33000            \
                        [2001:db8:1234:5678:9abc:def0:1234:5678]:65535 fast            ESTABLISHED  12.3ms  204ms    \
                        10    1   1448  1460 4026531840 4c01db0b339c service=web,zone=eu";
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&lines[1]), squeezed(expected), "{}", lines[1]);
        assert!(
            lines[0].ends_with("SEGS LENGTH   MSS      NETNS CONTAINER    LABELS"),
            "{}",
            lines[0]
        );
    }
}

#[test]
fn columns_are_named_by_words_headings_and_paths_in_a_list_or_with_commas() {
    let record = usual().with(|event| event.set_mss(Some(1_448)));
    let expected = [
        "KIND               TCP.MSS PEER:PPORT",
        "fast                  1448 10.0.0.2:443",
    ];
    for columns in [
        json!("kind, tcp.mss,peer:pport"),
        json!(["KIND", "tcp.mss", "peer"]),
    ] {
        assert_eq!(of(record.clone(), &[("columns", columns)]), expected);
    }
    let source = of(record, &[("columns", json!("source"))]);
    assert_eq!(
        source,
        ["SOURCE.IP       SOURCE.PORT", "10.0.0.1              33000"]
    );
}

#[test]
fn names_of_no_column_are_refused_with_the_nearest_ones() {
    let of = |columns: &str| error(&[("columns", json!(columns))]);
    let start = r#"columns: "tcp.ms" is no column; the nearest are tcp.mss, "#;
    assert!(of("time,tcp.ms").starts_with(start), "{}", of("tcp.ms"));
    let rttvar = of("rttvar");
    assert!(
        rttvar.contains("the nearest") && rttvar.contains("tcp.rttvar_us"),
        "{rttvar}"
    );
    let none = of("###");
    let start = r####"columns: "###" is no column; there are time, pid, comm, local, peer, kind, state, srtt, rto, cwnd, segs"####;
    assert!(none.starts_with(start), "{none}");
    assert!(
        none.contains("labels, and the keys of a line of JSON, such as tcp.mss"),
        "{none}"
    );
    assert!(of("time,").contains(r#""" is no column"#));
    assert_eq!(
        error(&[("width", json!(65_536))]),
        "width: expected at most 65535"
    );
}

#[test]
fn every_name_has_a_column() {
    for (name, heading) in columns::names() {
        let lines = of(usual(), &[("columns", json!(name))]);
        assert_eq!(lines[0].trim(), heading);
        assert_eq!(lines, of(usual(), &[("columns", json!(heading))]));
    }
}

#[test]
fn causes_have_colours_where_that_is_set() {
    let colours = |record: Record| {
        let columns = ("columns", json!("pid,kind,cwnd"));
        of(record, &[columns, ("color", json!(true))])
    };
    let lines = colours(usual());
    assert_eq!(lines[0], "\u{1b}[1m    PID KIND             CWND\u{1b}[0m");
    assert_eq!(
        lines[1],
        "   1077 \u{1b}[38;5;74mfast\u{1b}[0m               10"
    );
    let failed = usual().with(|event| {
        event.set_sent(Some(false));
        event.set_error(Some(SendError(-113)));
    });
    let line = &colours(failed.clone())[1];
    assert_eq!(line, "\u{1b}[31m   1077 fast!              10\u{1b}[0m");
    // Without colours the mark tells it.
    let line = &of(failed, &[("columns", json!("pid,kind,cwnd"))])[1];
    assert_eq!(line, "   1077 fast!              10");
}
