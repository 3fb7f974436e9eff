//! A plugin that fails too often is put in quarantine; the host resolves alerts that it no longer can.

use std::time::Duration;

use retrans_host::plugin::OnFault;
use retrans_host::plugin::Spec;
use retrans_host::stream::alert::State;
use retrans_host::stream::batch::Item;

use crate::common::chain::Ran;
use crate::common::chain::bundled;
use crate::common::chain::mark;
use crate::common::chain::run;
use crate::common::chain::spec;
use crate::common::fixtures::WITNESS;
use crate::support::log::logged;
use crate::support::witness::at;
use crate::support::witness::cut;
use crate::support::witness::events;
use crate::support::witness::failing_at;
use crate::support::witness::outcomes;
use crate::support::witness::printed;
use crate::support::witness::run_before_printer;
use crate::support::witness::start;

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
    assert_eq!(outcomes(&ran), (0, 0, 20, 0));
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
    // `panic_every` does not include sequence 0.
    assert_eq!(outcomes(&ran), (1, 0, 1_999, 0));
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
    // The ten seconds of quarantine after the fifth fault end between 10.99 s and 11.1 s; the minute in
    // which faults are counted does not.
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
    // The plugin that is tried again sees 20 to 29. Its next fault puts it in quarantine at once.
    assert_eq!(outcomes(&ran), (10, 0, 30, 0));
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
    assert_eq!(outcomes(&ran), (1, 0, 0, 99));
}

/// The sequence in each alert's label, and the summary if it is resolved.
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
    let forgotten = "resolved by the host: witness was started anew and does not know of it";
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
