//! A fault in a plugin affects that plugin alone, and as few events as possible.

use std::time::Duration;

use retrans_host::plugin::Limits;
use retrans_host::plugin::OnFault;
use retrans_host::plugin::Spec;
use retrans_host::stream::alert::State;
use retrans_host::stream::batch::Item;

use crate::common::chain::mark;
use crate::common::chain::spec;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::WITNESS;
use crate::support::log::logged;
use crate::support::witness::at;
use crate::support::witness::counted;
use crate::support::witness::cut;
use crate::support::witness::events;
use crate::support::witness::failing_at;
use crate::support::witness::outcomes;
use crate::support::witness::printed;
use crate::support::witness::run_before_printer;

#[test]
fn the_event_that_a_plugin_fails_on_is_found_and_all_others_are_seen_once() {
    for poison in [0, 1, 100, 254, 255] {
        let items = cut(&events(256), &[256]);
        let ran = run_before_printer(&failing_at(&[poison]), items);
        ran.assert_balances(256);
        assert_eq!(printed(&ran), (0..256).collect::<Vec<_>>(), "{poison}");
        assert_eq!(outcomes(&ran), (255, 0, 1, 0), "{poison}");
        assert_eq!(counted(&ran, "seen"), 255, "{poison}");
        // The whole batch, and its halves down to one event.
        let usage = &ran.report.usage[0];
        assert_eq!(usage.faults["trap"], 9, "{poison}");
        assert_eq!(usage.restarts, 9, "{poison}");
        ran.result.expect("the host goes on");
    }
}

#[test]
fn what_was_said_about_the_other_events_is_said_once_and_in_order() {
    let spec = Spec {
        settings: [("panic_at", "[5]"), ("alert_at", "[0,4,6,9]")]
            .map(|(key, value)| (key.into(), value.into()))
            .into_iter()
            .collect(),
        ..Spec::new("witness", at(WITNESS))
    };
    let ran = run_before_printer(&spec, cut(&events(10), &[10]));
    let alerts = ran.said.alerts.iter();
    let alerts: Vec<&str> = alerts.map(|alert| alert.labels[0].1.as_str()).collect();
    // Its state has each part that it processed: no active alert is left behind.
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
    assert_eq!((printed(&pass).len(), outcomes(&pass)), (10, (9, 0, 1, 0)));

    let drop = with(OnFault::Drop);
    drop.assert_balances(10);
    assert_eq!(printed(&drop), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert_eq!(outcomes(&drop), (9, 0, 0, 1));

    let stop = with(OnFault::Stop);
    stop.assert_balances(10);
    assert_eq!(outcomes(&stop), (0, 0, 0, 10));
    assert_eq!(stop.report.usage[0].faults["trap"], 1);
    let error = stop.result.expect_err("it panics").to_string();
    let event = &events(10)[3];
    let expected = format!(
        "plugin witness failed in process: wasm trap: wasm `unreachable` instruction executed \
         [event 3 ({} -> {})]\n    in ",
        event.local(),
        event.peer()
    );
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn an_end_names_the_event_also_where_the_state_before_it_is_the_cause() {
    let spec = Spec {
        on_fault: OnFault::Stop,
        ..spec(
            "liar",
            &at(LIAR),
            &[("act", "panics_at_two_events_and_more")],
        )
    };
    let (ran, log) = logged(|| run_before_printer(&spec, cut(&events(10), &[1, 9])));
    let error = ran.result.expect_err("it panics").to_string();
    // Its condition is the size of the call: two events are the fewest on which it fails.
    assert!(error.contains("executed [event 2 ("), "{error}");
    let panics = log.iter().filter(|line| line.contains("panicked at"));
    assert_eq!(panics.count(), 1, "{log:#?}");
}

#[test]
fn a_deadline_tells_what_is_left_for_each_event() {
    let limits = Limits {
        time: Duration::from_millis(20),
        ..Limits::default()
    };
    let spec = Spec {
        limits,
        on_fault: OnFault::Stop,
        ..spec("liar", &at(LIAR), &[("act", "loops")])
    };
    let ran = run_before_printer(&spec, cut(&events(10), &[10]));
    let error = ran.result.expect_err("it loops").to_string();
    assert!(
        error.contains("[10 events, 0 to 9: 2ms for each event]"),
        "{error}"
    );
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
    assert_eq!(log.iter().filter(panic).count(), 1, "once, not at each try");
}

#[test]
fn a_new_instance_knows_what_the_old_one_knew_at_the_last_tick() {
    let events = events(30);
    let mut items = cut(&events, &[10, 10, 10]);
    items.insert(1, Item::Mark(mark(1)));
    items.push(Item::End(mark(2)));
    let ran = run_before_printer(&failing_at(&[20]), items);
    ran.assert_balances(30);
    // 0 to 9 are in the state that the tick saved. 10 to 19 were seen after that, and are not in it.
    // The rest of the batch is retried in parts, and the state is saved after each.
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
    assert_eq!(outcomes(&ran), (10, 0, 0, 0));
    let words = "and the fault did not occur again when parts of the batch were retried";
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
    assert_eq!(outcomes(&ran), (0, 0, 20, 0));
    assert_eq!(ran.report.usage[0].faults["deadline"], 2);
    assert_eq!(ran.report.usage[0].restarts, 2);
    let expected = "plugin liar failed in process: took more than 20ms of CPU time; it was stopped \
                    [10 events, 0 to 9: 2ms for each event]";
    assert!(log.iter().any(|line| line.contains(expected)), "{log:#?}");
}

#[test]
fn the_search_for_an_event_takes_no_longer_than_two_calls_may() {
    // Some milliseconds a call: 255 calls would take seconds.
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
    let (_, _, passed_unseen, _) = outcomes(&ran);
    assert!(passed_unseen > 0);
    let told = format!(
        "ERROR plugin liar took too long when parts of the batch were retried; the last {passed_unseen} \
         events were not retried: passed on unseen"
    );
    assert!(log.contains(&told), "{log:#?}");
    // It may occur again among them.
    let words = "and the event was not found, because the time for the search was over";
    assert!(log.iter().any(|line| line == words), "{log:#?}");
    let words = "the fault did not occur again";
    assert!(!log.iter().any(|line| line.contains(words)), "{log:#?}");
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
        assert_eq!(outcomes(&ran), (20, 0, 0, 0), "{act}");
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
