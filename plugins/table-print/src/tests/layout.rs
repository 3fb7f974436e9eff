//! Where the cells are, and what becomes of those that have no room.

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

use super::lines;
use super::of;
use super::retransmit;
use super::usual;
use crate::TablePrint;

const LONG: &str = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535";

fn width(record: Record, width: u32) -> Vec<String> {
    of(record, &[("width", json!(width))])
}

#[test]
fn a_line_of_80_characters_has_the_columns_that_say_who_and_why() {
    let expected = [
        "TIME             PID COMM       LADDR:LPORT      PEER:PPORT      KIND",
        "00:00:05.123    1077 postgres   10.0.0.1:33000   10.0.0.2:443    tail_loss_probe",
    ];
    assert_eq!(width(usual().with_kind(Kind::TailLossProbe), 80), expected);
    let headings = |length| width(usual(), length)[0].split_whitespace().count();
    assert_eq!([86, 87, 105, 106].map(headings), [6, 7, 9, 10]);
}

#[test]
fn a_line_of_20_characters_has_the_time_and_the_process() {
    let expected = ["TIME             PID", "00:00:05.123    1077"];
    assert_eq!(width(usual(), 20), expected);
    assert_eq!(width(usual(), 12), ["TIME", "00:00:05.123"]);
    assert_eq!(width(usual(), 5), ["TIME", "00…23"]);
    assert_eq!(width(usual(), 1), ["…", "…"]);
}

#[test]
fn what_is_left_of_a_line_of_200_characters_widens_addresses() {
    let record = retransmit(LONG, LONG).with_process(Process::new(1_077, "postgres"));
    let expected = [
        "TIME             PID COMM            LADDR:LPORT                                     \
         PEER:PPORT                                      KIND            STATE          SRTT    RTO  CWND",
        "00:00:05.123    1077 postgres        [2001:db8:1234:5678:9abc:def0:1234:5678]:65535  \
         [2001:db8:1234:5678:9abc:def0:1234:5678]:65535  fast            ESTABLISHED       -      -     -",
    ];
    let shown = width(record, 200);
    assert_eq!(shown, expected);
}

#[test]
fn a_long_cell_moves_what_follows_and_free_room_is_used_before_anything_is_shortened() {
    let peer = "192.168.100.200:54321";
    let record = usual().with_peer(peer.parse().expect("an address"));
    assert_eq!(
        width(record.clone(), 80)[1],
        "00:00:05.123    1077 postgres   10.0.0.1:33000   192.168.100.200:54321 fast"
    );
    let record = record.with_local("192.168.100.201:54321".parse().expect("an address"));
    let record = record.with_kind(Kind::TailLossProbe);
    // All cells one beside the other, and with one character less.
    assert_eq!(
        width(record.clone(), 86)[1],
        "00:00:05.123 1077 postgres 192.168.100.201:54321 192.168.100.200:54321 tail_loss_probe"
    );
    assert_eq!(
        width(record, 85)[1],
        "00:00:05.123 1077 postgres 192.168.100.201:54321 192.168.10…200:54321 tail_loss_probe"
    );
}

#[test]
fn of_long_addresses_both_ends_stay() {
    let record = retransmit(LONG, LONG).with_process(Process::new(1_077, "postgres"));
    assert_eq!(
        width(record, 100)[1],
        "00:00:05.123 1077 postgres [2001:db8:123…4:5678]:65535 [2001:db8:123…:5678]:65535 fast ESTABLISHED -"
    );
}

#[test]
fn columns_that_were_asked_for_and_have_no_room_are_logged() {
    let scenario = Scenario::new().event(usual()).setting("width", 40);
    let columns = "time,peer,tcp.mss,retransmit.kind";
    let outcome = scenario
        .clone()
        .setting("columns", columns)
        .run::<TablePrint>();
    let outcome = outcome.expect("the scenario is sound");
    assert_eq!(outcome.lines[0], "TIME         PEER:PPORT          TCP.MSS");
    let logs: Vec<&str> = outcome.logs.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        logs,
        ["a line of 40 characters has no room for RETRANSMIT.KIND; wide=true prints all columns"]
    );
    let outcome = scenario.run::<TablePrint>().expect("the scenario is sound");
    assert!(outcome.logs.is_empty());
}

/// The number of characters that a terminal shows.
fn shown(line: &str) -> usize {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once('m').expect("a colour").1);
    first.chars().count() + rest.map(|part| part.chars().count()).sum::<usize>()
}

#[test]
fn no_line_is_longer_than_the_terminal_and_none_that_fits_is_shortened() {
    let records: Vec<Record> = Synth::new(11).take(60).collect();
    let paths = "sequence,source,labels,tcp.rttvar_us,owner.last,destination,retransmit.kind,comm";
    let reading = |columns: Option<&str>, width: u32| {
        let scenario = Scenario::new().lost(u64::MAX).setting("width", width);
        let scenario = scenario.setting("color", true);
        let scenario = columns.into_iter().fold(scenario, |scenario, columns| {
            scenario.setting("columns", columns)
        });
        let label = [("näme\u{1b}", "a long value that has no room on most lines")];
        let scenario = records.iter().fold(scenario, |scenario, record| {
            scenario.labelled_event(record.clone(), label)
        });
        lines(&scenario)
    };
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    for columns in [None, Some(paths)] {
        let unlimited = reading(columns, 0);
        assert!(!unlimited.concat().contains('…'));
        for width in (1..=260).chain([65_535]) {
            let lines = reading(columns, width);
            assert_eq!(lines.len(), unlimited.len());
            for (line, whole) in lines.iter().zip(&unlimited) {
                assert!(shown(line) <= width as usize, "{width}: {line:?}");
                // All columns are there from some width on.
                let is_whole = width >= 260 || columns.is_none() && width >= 106;
                let fits = shown(&squeezed(whole)) <= width as usize;
                if is_whole && fits {
                    assert_eq!(squeezed(line), squeezed(whole), "{width}");
                }
            }
        }
    }
}
