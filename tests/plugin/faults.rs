//! A plugin that fails harms nobody but itself, and as little of that as can be.

use std::time::Duration;

use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::plugin::Limits;
use retrans_host::plugin::OnFault;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use retrans_host::stream::alert::State;
use retrans_host::stream::batch::Item;

use crate::common::chain::Ran;
use crate::common::chain::batch;
use crate::common::chain::bundled;
use crate::common::chain::engine;
use crate::common::chain::mark;
use crate::common::chain::run;
use crate::common::chain::spec;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::WITNESS;
use crate::common::fixtures::fixture;
use crate::support::log::logged;

/// The sequences of events on which the witness fails.
fn failing_at(sequences: &[u64]) -> Spec {
    let sequences = format!("{sequences:?}");
    spec("witness", &at(WITNESS), &[("panic_at", &sequences)])
}

fn at(name: &str) -> Origin {
    Origin::File(fixture(name))
}

fn start(spec: &Spec) -> Plugin {
    Plugin::start(engine(), spec).unwrap_or_else(|error| panic!("{error}"))
}

/// Events of the same moment, one a millisecond, the first one a second after boot.
fn events(count: usize) -> Vec<Record> {
    let records = Synth::new(3).take(count).enumerate();
    let timed = records.map(|(number, mut record)| {
        record.set_time(Duration::from_millis(1_000 + number as u64));
        record
    });
    timed.collect()
}

/// Batches of these sizes, which are all events.
fn cut(events: &[Record], sizes: &[usize]) -> Vec<Item> {
    let mut rest = events;
    let items = sizes.iter().map(|size| {
        let (first, second) = rest.split_at(*size);
        rest = second;
        Item::Events(batch(first))
    });
    let items = items.collect();
    assert!(rest.is_empty());
    items
}

/// The plugin, and behind it one that prints what it sees.
fn run_before_printer(spec: &Spec, items: impl IntoIterator<Item = Item>) -> Ran {
    run(vec![start(spec), bundled("json-print")], items)
}

/// What the printer saw, as sequences.
#[track_caller]
fn printed(ran: &Ran) -> Vec<u64> {
    let lines = ran.said.lines.iter().filter(|line| line.starts_with('{'));
    let sequence = lines.map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        line["sequence"].as_u64().expect("a retransmit")
    });
    sequence.collect()
}

/// Kept, dropped, passed unseen, lost.
fn fates(ran: &Ran) -> (u64, u64, u64, u64) {
    let page = &ran.report.plugins[0];
    (page.kept, page.dropped, page.passed_unseen, page.lost)
}

#[track_caller]
fn counted(ran: &Ran, counter: &str) -> u64 {
    let key = ("witness".to_owned(), counter.to_owned());
    ran.report.counters[&key]
}

#[test]
fn the_event_that_a_plugin_fails_on_is_found_and_all_others_are_seen_once() {
    for poison in [0, 1, 100, 254, 255] {
        let items = cut(&events(256), &[256]);
        let ran = run_before_printer(&failing_at(&[poison]), items);
        ran.assert_balances(256);
        assert_eq!(printed(&ran), (0..256).collect::<Vec<_>>(), "{poison}");
        assert_eq!(fates(&ran), (255, 0, 1, 0), "{poison}");
        assert_eq!(counted(&ran, "seen"), 255, "{poison}");
        // The whole, and its halves down to one event.
        let usage = &ran.report.usage[0];
        assert_eq!(usage.faults["trap"], 9, "{poison}");
        assert_eq!(usage.restarts, 9, "{poison}");
        ran.result.expect("the host goes on");
    }
}

#[test]
fn what_was_said_about_the_other_events_is_said_once_and_in_order() {
    let spec = Spec {
        settings: vec![
            ("panic_at".into(), "[5]".into()),
            ("alert_at".into(), "[0,4,6,9]".into()),
        ],
        ..Spec::new("witness", at(WITNESS))
    };
    let ran = run_before_printer(&spec, cut(&events(10), &[10]));
    let alerts = ran.said.alerts.iter();
    let alerts: Vec<&str> = alerts.map(|alert| alert.labels[0].1.as_str()).collect();
    // It knows of each part that it took well: nothing is left firing that it has forgotten.
    assert_eq!(alerts, ["0", "4", "6", "9"]);
    let firing = |alert: &&retrans_host::stream::alert::Alert| alert.state == State::Firing;
    assert_eq!(ran.said.alerts.iter().filter(firing).count(), 4);
}

#[test]
fn what_it_fails_on_is_passed_on_dropped_or_ends_the_host_as_the_operator_says() {
    let with = |on_fault| {
        let spec = Spec {
            on_fault,
            ..failing_at(&[3])
        };
        run_before_printer(&spec, cut(&events(10), &[10]))
    };
    let pass = with(OnFault::Pass);
    assert_eq!((printed(&pass).len(), fates(&pass)), (10, (9, 0, 1, 0)));

    let drop = with(OnFault::Drop);
    drop.assert_balances(10);
    assert_eq!(printed(&drop), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert_eq!(fates(&drop), (9, 0, 0, 1));

    let stop = with(OnFault::Stop);
    stop.assert_balances(10);
    assert_eq!(fates(&stop), (0, 0, 0, 10));
    assert_eq!(stop.report.usage[0].faults["trap"], 1);
    let error = stop.result.expect_err("it panics").to_string();
    let expected = "plugin witness failed in process: wasm trap: wasm `unreachable` instruction \
                    executed [10 events, 0 to 9]\n    in ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_message_names_plugin_call_event_cause_and_functions() {
    let events = events(10);
    let (ran, log) = logged(|| run_before_printer(&failing_at(&[3]), cut(&events, &[10])));
    ran.result.expect("the host goes on");
    let errors: Vec<_> = log
        .iter()
        .filter(|line| line.starts_with("ERROR plugin"))
        .collect();
    let [error] = errors.as_slice() else {
        panic!("one message an event that it fails on: {log:#?}");
    };
    let expected = format!(
        "ERROR plugin witness failed in process: wasm trap: wasm `unreachable` instruction executed \
         [event 3 ({} -> {})]",
        events[3].local(),
        events[3].peer()
    );
    assert_eq!(**error, expected);
    let function = |line: &String| line.starts_with("in <retrans_plugin_sdk::");
    assert!(log.iter().any(function), "{log:#?}");
    let fate = "passed on unseen; started anew with the state that was saved last".to_owned();
    assert!(log.contains(&fate), "{log:#?}");
    let panic =
        |line: &&String| line.contains("witness/src/lib.rs:") && line.ends_with(": event 3");
    assert_eq!(log.iter().filter(panic).count(), 5, "once a try");
}

#[test]
fn a_new_instance_knows_what_the_old_one_knew_at_the_last_tick() {
    let events = events(30);
    let mut items = cut(&events, &[10, 10, 10]);
    items.insert(1, Item::Mark(mark(1)));
    items.push(Item::End(mark(2)));
    let ran = run_before_printer(&failing_at(&[20]), items);
    ran.assert_balances(30);
    // 0 to 9 were saved by the tick. 10 to 19 were seen, and are forgotten. The rest of the batch is
    // tried again in parts, each of which is saved.
    let last = ran.said.lines.last().expect("the end of the stream");
    assert_eq!(last, "version 1: seen 19, gaps 1");
    assert_eq!(counted(&ran, "seen"), 29, "what was said stays said");
}

#[test]
fn a_fault_that_no_part_shows_is_a_fault_all_the_same() {
    let act = "panics_at_two_events_and_more";
    let liar = spec("liar", &at(LIAR), &[("act", act)]);
    let (ran, log) = logged(|| run_before_printer(&liar, cut(&events(10), &[2, 2, 2, 2, 2])));
    ran.assert_balances(10);
    assert_eq!(printed(&ran), (0..10).collect::<Vec<_>>());
    assert_eq!(fates(&ran), (10, 0, 0, 0));
    let words = "and on none of those events that were tried again in parts";
    let told: Vec<usize> = (0..log.len()).filter(|line| log[*line] == words).collect();
    assert_eq!(told.len(), 5, "{log:#?}");
    for (line, events) in told.into_iter().zip(["0 to 1", "2 to 3", "4 to 5"]) {
        let blame = log[..line].iter().rev();
        let mut blame = blame.skip_while(|line| line.starts_with("in "));
        let fault =
            "plugin liar failed in process: wasm trap: wasm `unreachable` instruction executed";
        let expected = format!("ERROR {fault} [2 events, {events}]");
        assert_eq!(blame.next(), Some(&expected), "{log:#?}");
        assert!(log[line - 1].starts_with("in "), "{log:#?}");
    }
    assert!(log.iter().any(|line| line.contains("is in quarantine")));
}

#[test]
fn a_missed_deadline_is_not_tried_again() {
    let spec = Spec {
        limits: Limits {
            time: Duration::from_millis(20),
            ..Limits::default()
        },
        ..spec("liar", &at(LIAR), &[("act", "loops")])
    };
    let (ran, log) = logged(|| run_before_printer(&spec, cut(&events(20), &[10, 10])));
    ran.assert_balances(20);
    assert_eq!(fates(&ran), (0, 0, 20, 0));
    assert_eq!(ran.report.usage[0].faults["deadline"], 2);
    assert_eq!(ran.report.usage[0].restarts, 2);
    let expected = "plugin liar failed in process: took more than 20ms of CPU time; it was stopped \
                    [10 events, 0 to 9]";
    assert!(log.iter().any(|line| line.contains(expected)), "{log:#?}");
}

#[test]
fn the_search_for_an_event_takes_no_longer_than_two_calls_may() {
    // Some milliseconds a call: 255 of them would be seconds.
    let act = "takes_its_time_and_panics_at_two_events_and_more 60000000";
    let spec = Spec {
        limits: Limits {
            time: Duration::from_millis(50),
            ..Limits::default()
        },
        ..spec("liar", &at(LIAR), &[("act", act)])
    };
    let (ran, log) = logged(|| run_before_printer(&spec, cut(&events(256), &[256])));
    ran.assert_balances(256);
    assert_eq!(printed(&ran), (0..256).collect::<Vec<_>>());
    let usage = &ran.report.usage[0];
    assert!(usage.cpu < Duration::from_secs(1), "{usage:?}");
    let (_, _, passed_unseen, _) = fates(&ran);
    assert!(passed_unseen > 0);
    let told = format!(
        "ERROR plugin liar took too long when it was tried again in parts; the last {passed_unseen} \
         events of the batch: passed on unseen"
    );
    assert!(log.contains(&told), "{log:#?}");
}

#[test]
fn where_nothing_can_be_started_anew_the_fault_is_told_all_the_same() {
    let granted = tempfile::tempdir().expect("a temporary directory");
    let mut spec = failing_at(&[3]);
    spec.grants.read.push(granted.path().to_owned());
    let plugins = vec![start(&spec), bundled("json-print")];
    drop(granted);
    let (ran, log) = logged(|| run(plugins, cut(&events(20), &[10, 10])));
    ran.assert_balances(20);
    assert_eq!(printed(&ran), (0..20).collect::<Vec<_>>());
    assert_eq!(fates(&ran), (0, 0, 20, 0));
    let blame = "ERROR plugin witness failed in process: ";
    assert_eq!(log.iter().filter(|line| line.starts_with(blame)).count(), 1);
    let quarantine = log.iter().filter(|line| line.contains("quarantine"));
    let quarantine: Vec<_> = quarantine.collect();
    let [line] = quarantine.as_slice() else {
        panic!("it is said once: {log:#?}");
    };
    let begin = "ERROR plugin witness cannot be started anew and is in quarantine: ";
    assert!(line.starts_with(begin), "{line}");
}

#[test]
fn five_faults_within_a_minute_are_answered_with_quarantine_that_is_said_once() {
    let (ran, log) = logged(|| {
        let every = spec("witness", &at(WITNESS), &[("panic_every", "1")]);
        run_before_printer(&every, cut(&events(2_000), &[250; 8]))
    });
    ran.assert_balances(2_000);
    assert_eq!(printed(&ran), (0..2_000).collect::<Vec<_>>());
    // Number 0 is no multiple.
    assert_eq!(fates(&ran), (1, 0, 1_999, 0));
    let usage = &ran.report.usage[0];
    assert_eq!(usage.memory, 0, "it has no instance");
    assert!(usage.memory_max > 0);
    let quarantined = log.iter().filter(|line| line.contains("quarantine"));
    let quarantined: Vec<_> = quarantined.collect();
    let expected = "ERROR plugin witness failed too often and is in quarantine; it is tried again in \
                    10s";
    assert_eq!(quarantined, [expected]);
    let faults = log.iter().filter(|line| line.contains("failed in process"));
    assert_eq!(faults.count(), 5);
}

#[test]
fn who_was_in_quarantine_is_tried_again_and_starts_empty() {
    let mut events = events(40);
    // Ten seconds after the fifth fault; then a whole minute.
    for (first, time) in [(10, 10_990), (20, 11_100), (30, 11_200)] {
        for record in &mut events[first..first + 10] {
            record.set_time(Duration::from_millis(time));
        }
    }
    let spec = failing_at(&[0, 1, 2, 3, 4, 30]);
    let (ran, log) = logged(|| {
        let mut items = cut(&events, &[10; 4]);
        items.insert(0, Item::Mark(mark(0)));
        items.push(Item::End(mark(12)));
        run_before_printer(&spec, items)
    });
    ran.assert_balances(40);
    assert_eq!(printed(&ran), (0..40).collect::<Vec<_>>());
    // 20 to 29 are seen by the one that was tried again; its first fault is one too many.
    assert_eq!(fates(&ran), (10, 0, 30, 0));
    assert!(
        log.iter()
            .any(|line| line == "INFO plugin witness is tried again")
    );
    let expected = "it is tried again in 20s";
    assert!(log.iter().any(|line| line.ends_with(expected)), "{log:#?}");
}

#[test]
fn events_are_dropped_in_quarantine_where_the_operator_says_so() {
    let spec = Spec {
        on_fault: OnFault::Drop,
        ..spec("witness", &at(WITNESS), &[("panic_every", "1")])
    };
    let ran = run_before_printer(&spec, cut(&events(100), &[100]));
    ran.assert_balances(100);
    assert_eq!(printed(&ran), [0]);
    assert_eq!(fates(&ran), (1, 0, 0, 99));
}

/// Name of the sequence, and the summary where it was resolved.
fn alerts(ran: &Ran) -> Vec<(String, Option<String>)> {
    let alerts = ran.said.alerts.iter().map(|alert| {
        let resolved = alert.state == State::Resolved;
        let summary = resolved.then(|| alert.summary.clone());
        (alert.labels[0].1.clone(), summary)
    });
    alerts.collect()
}

fn firing_at(alerts: &str, faults: &str) -> Spec {
    let settings = [("alert_at", alerts), ("panic_at", faults)];
    spec("witness", &at(WITNESS), &settings)
}

#[test]
fn alerts_that_a_new_instance_knows_nothing_of_are_resolved_by_the_host() {
    let mut items = cut(&events(30), &[10, 10, 10]);
    items.insert(1, Item::Mark(mark(1)));
    let ran = run_before_printer(&firing_at("[1,12,25]", "[20]"), items);
    let forgotten = "resolved by the host: witness was started anew and knows nothing of it";
    let expected = [
        ("1".to_owned(), None),
        ("12".to_owned(), None),
        ("12".to_owned(), Some(forgotten.to_owned())),
        ("25".to_owned(), None),
    ];
    assert_eq!(alerts(&ran), expected, "the state of the tick knows of 1");
}

#[test]
fn alerts_of_a_plugin_in_quarantine_are_resolved_by_the_host() {
    let mut items = cut(&events(30), &[10, 10, 10]);
    items.insert(1, Item::Mark(mark(1)));
    let ran = run_before_printer(&firing_at("[1]", "[10,11,12,13,14]"), items);
    let expected = [
        ("1".to_owned(), None),
        (
            "1".to_owned(),
            Some("resolved by the host: witness is in quarantine".to_owned()),
        ),
    ];
    assert_eq!(alerts(&ran), expected);
}

#[test]
fn a_fault_in_a_tick_costs_what_was_learnt_since_the_last_one() {
    for act in [
        "tick_panics",
        "tick_loops",
        "tick_refuses",
        "tick_annotates",
    ] {
        let spec = Spec {
            limits: Limits {
                time: Duration::from_millis(20),
                ..Limits::default()
            },
            ..spec("liar", &at(LIAR), &[("act", act)])
        };
        let mut items = cut(&events(20), &[10, 10]);
        items.insert(1, Item::Mark(mark(1)));
        let ran = run_before_printer(&spec, items);
        ran.assert_balances(20);
        assert_eq!(fates(&ran), (20, 0, 0, 0), "{act}");
        assert_eq!(ran.report.usage[0].restarts, 1, "{act}");
        ran.result.expect("the host goes on");
    }
}

#[test]
fn the_ledger_says_what_a_plugin_has_used_and_how_it_failed() {
    let mut items = cut(&events(20), &[10, 10]);
    items.push(Item::Mark(mark(2)));
    let ran = run_before_printer(&failing_at(&[13]), items);
    let usage = &ran.report.usage[0];
    // The second batch, and its parts: five, three, two and one.
    assert_eq!(usage.faults["trap"], 5);
    assert!(usage.calls > 8, "{usage:?}");
    assert!(usage.p50 <= usage.p99 && usage.p99 <= usage.max);
    assert!(usage.max <= usage.cpu);
    assert!(usage.memory > 0 && usage.memory <= usage.memory_max);
    let lines = usage.to_string();
    let lines: Vec<&str> = lines.lines().collect();
    let prefix = format!(
        "ledger: usage witness calls={} changed=0 cpu_us=",
        usage.calls
    );
    assert!(lines[0].starts_with(&prefix), "{lines:?}");
    assert_eq!(
        lines[1],
        "ledger: faults witness trap=5 restarts=5 reloads=0"
    );
    let well = ran.report.usage[1].to_string();
    assert_eq!(well.lines().count(), 1, "{well}");
}
