//! The times at which the alert fires and is resolved.

mod bounds;
mod keys;
mod owners;
mod settings;
mod state;

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::retrans_event::SendError;
use retrans_plugin_sdk::testing::Outcome;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

use crate::ThresholdAlert;

const PEER: &str = "10.0.0.2:443";

/// One segment sent again from 10.0.0.1:33000.
fn retransmit(millis: u64, peer: &str) -> Record {
    let peer: SocketAddr = peer.parse().expect("an address with a port");
    let mut record = Record::new();
    record.set_time(Duration::from_millis(millis));
    record.set_local_address(match peer {
        SocketAddr::V4(_) => "10.0.0.1".parse().expect("an address"),
        SocketAddr::V6(_) => "2001:db8::1".parse().expect("an address"),
    });
    record.set_local_port(33_000);
    record.set_peer_address(peer.ip());
    record.set_peer_port(peer.port());
    record.set_segments(Some(1));
    record.set_netns_inode(Some(4_026_531_840));
    record
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A threshold of three within 10 s.
fn three_in_ten_seconds() -> Scenario {
    Scenario::new()
        .setting("threshold", 3)
        .setting("window", "10s")
}

/// Adds a retransmit to one peer at each of these times, in ms.
fn at(scenario: Scenario, times: impl IntoIterator<Item = u64>) -> Scenario {
    scenario.events(times.into_iter().map(|millis| retransmit(millis, PEER)))
}

/// Runs the scenario also with a reload after every call: the results must be the same.
fn run(scenario: &Scenario) -> Outcome {
    scenario
        .run_stateful::<ThresholdAlert>()
        .expect("the scenario is sound")
}

fn states(outcome: &Outcome) -> Vec<AlertState> {
    outcome.alerts.iter().map(|alert| alert.state).collect()
}

#[test]
fn reaching_the_threshold_fires_once() {
    let outcome = run(&at(three_in_ten_seconds(), [0, 100, 200, 300, 400]));
    assert_eq!(outcome.alerts.len(), 1);
    let alert = &outcome.alerts[0];
    assert_eq!(alert.name, "retransmit-threshold");
    assert_eq!(alert.severity, Severity::Warning);
    assert_eq!(alert.state, AlertState::Firing);
    assert_eq!(
        alert.summary,
        "3 segments retransmitted to 10.0.0.2 within 10s"
    );
    assert_eq!(alert.labels, [("peer".to_owned(), "10.0.0.2".to_owned())]);
    assert_eq!(alert.event, Some(2), "the third event");
}

#[test]
fn one_below_the_threshold_does_not_fire() {
    let outcome = run(&at(three_in_ten_seconds(), [0, 100]));
    assert_eq!(outcome.alerts, []);
}

#[test]
fn a_threshold_of_one_fires_at_the_first() {
    let scenario = Scenario::new().setting("threshold", 1);
    let outcome = run(&at(scenario, [0]));
    assert_eq!(
        outcome.alerts[0].summary,
        "1 segment retransmitted to 10.0.0.2 within 10s"
    );
}

#[test]
fn the_window_slides_and_does_not_tumble() {
    let outcome = run(&at(three_in_ten_seconds(), [9_000, 9_900, 10_100]));
    assert_eq!(outcome.alerts.len(), 1);
}

#[test]
fn an_event_as_old_as_the_window_does_not_count() {
    let outcome = run(&at(three_in_ten_seconds(), [0, 5_000, 10_000]));
    assert_eq!(outcome.alerts, []);
    let outcome = run(&at(three_in_ten_seconds(), [0, 5_000, 9_999]));
    assert_eq!(outcome.alerts.len(), 1);
}

#[test]
fn events_that_waited_for_their_owner_count_all_the_same() {
    // 100 ms late, among other events and after a tick.
    let outcome = run(&at(three_in_ten_seconds(), [5_100, 5_000, 5_050]));
    assert_eq!(outcome.alerts.len(), 1);
    let scenario = at(three_in_ten_seconds(), [5_000, 5_050]).tick(seconds(6));
    let outcome = run(&at(scenario, [5_900]));
    assert_eq!(outcome.alerts.len(), 1);
}

#[test]
fn the_window_does_not_go_back_with_an_event_that_comes_late() {
    let in_time = run(&at(three_in_ten_seconds(), [5_020, 5_030, 15_010]));
    assert_eq!(in_time.alerts.len(), 1);
    let late = run(&at(three_in_ten_seconds(), [5_020, 5_030, 15_080, 15_010]));
    assert_eq!(late.alerts, [], "two within the 10 s before 15.08 s");
}

#[test]
fn a_retransmit_of_several_segments_counts_each() {
    let mut large = retransmit(100, PEER);
    large.set_segments(Some(11));
    let scenario = at(three_in_ten_seconds(), [0]).event(large);
    let outcome = run(&scenario);
    assert_eq!(
        outcome.alerts[0].summary,
        "12 segments retransmitted to 10.0.0.2 within 10s"
    );
    let outcome = run(&scenario.setting("count", "events"));
    assert_eq!(outcome.alerts, [], "two events");
}

#[test]
fn events_are_counted_if_asked_for() {
    let outcome = run(&at(
        three_in_ten_seconds().setting("count", "events"),
        [0, 1, 2],
    ));
    assert_eq!(
        outcome.alerts[0].summary,
        "3 retransmits to 10.0.0.2 within 10s"
    );
}

#[test]
fn a_retransmit_of_unknown_size_is_one_segment() {
    let unknown = (0..3).map(|millis| {
        let mut record = retransmit(millis, PEER);
        record.set_segments(None);
        record
    });
    let outcome = run(&three_in_ten_seconds().events(unknown));
    assert_eq!(outcome.alerts.len(), 1);
}

#[test]
fn attempts_that_failed_do_not_count() {
    // No route, and a segment that a queue dropped, which the kernel has counted.
    let failed = (0..10).map(|millis| {
        let (error, segments) = [(-113, 0), (1, 2)][millis as usize % 2];
        let mut record = retransmit(millis, PEER);
        record.set_error(Some(SendError(error)));
        record.set_sent(Some(false));
        record.set_segments(Some(segments));
        record
    });
    let outcome = run(&at(three_in_ten_seconds().events(failed), [10, 11]));
    assert_eq!(outcome.alerts, []);
    assert_eq!(outcome.kept.len(), 12);
}

#[test]
fn after_a_whole_quiet_window_the_alert_is_resolved() {
    // The count falls below 3 at 10 s, and at 20 s it has been below for a window.
    let scenario = at(three_in_ten_seconds(), [0, 1_000, 2_000]);
    let scenario = (1..20).map(seconds).fold(scenario, Scenario::tick);
    assert_eq!(states(&run(&scenario)), [AlertState::Firing]);

    let outcome = run(&scenario.tick(seconds(20)).tick(seconds(21)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
    let [fired, resolved] = outcome.alerts.as_slice() else {
        unreachable!("there are two")
    };
    assert_eq!(
        (&fired.name, &fired.labels),
        (&resolved.name, &resolved.labels)
    );
    assert_eq!(resolved.event, None);
    assert_eq!(
        resolved.summary,
        "fewer than 3 segments retransmitted to 10.0.0.2 within 10s, for the last 10s"
    );
}

#[test]
fn a_few_retransmits_do_not_keep_the_alert_firing() {
    // Two within every 10 s: below the threshold.
    let scenario = at(three_in_ten_seconds(), [0, 0, 0, 10_000, 15_000, 20_000]);
    let outcome = run(&scenario.tick(seconds(20)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
}

#[test]
fn reaching_the_threshold_again_starts_the_quiet_window_anew() {
    let scenario = at(three_in_ten_seconds(), [0, 0, 0, 15_000, 15_000, 15_000]);
    let scenario = scenario.tick(seconds(25)).tick(seconds(34));
    assert_eq!(states(&run(&scenario)), [AlertState::Firing]);
    let outcome = run(&scenario.tick(seconds(35)));
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
}

#[test]
fn after_it_was_resolved_it_fires_again() {
    let scenario = at(three_in_ten_seconds(), [0, 0, 0]).tick(seconds(20));
    let outcome = run(&at(scenario, [21_000, 22_000, 23_000]));
    assert_eq!(
        states(&outcome),
        [AlertState::Firing, AlertState::Resolved, AlertState::Firing]
    );
}

#[test]
fn the_end_of_the_stream_resolves_nothing() {
    let outcome = run(&at(three_in_ten_seconds(), [0, 0, 0]));
    assert_eq!(states(&outcome), [AlertState::Firing]);
}

#[test]
fn events_pass_unchanged() {
    let records: Vec<Record> = Synth::new(9).take(2_000).collect();
    let outcome = run(&Scenario::new().events(records.clone()));
    let kept = outcome.kept.iter().map(|kept| &kept.record);
    assert!(kept.eq(&records));
    assert!(outcome.kept.iter().all(|kept| kept.labels.is_empty()));
    assert!(
        outcome.alerts.len() > 10,
        "there is something to alert about"
    );
}
