//! What is given up, and why: too many alerts, too large ones, too old ones.

use super::*;
use crate::alertmanager::active::request::MAX_BATCH;

#[test]
fn beyond_the_bound_alerts_that_are_over_make_room_and_others_are_counted_as_dropped() {
    let mut lab = Lab::new(1);
    lab.at(0);
    for number in 0..MAX_ALERTS {
        lab.raise(&format!("a{number}"));
    }
    lab.raise("one more");
    assert_eq!(lab.counted(0), (0, MAX_ALERTS as u64, 1, 0));
    // One that is there takes no room.
    lab.raise("a0");
    let mut requests = 0;
    while !lab.deliver(0).is_empty() {
        requests += 1;
    }
    assert_eq!(requests, MAX_ALERTS.div_ceil(MAX_BATCH));
    lab.at(10).raise("one more");
    lab.resolve("a7").deliver(0);
    lab.raise("another one");
    assert_eq!(lab.counted(0), (MAX_ALERTS as u64 + 2, 1, 2, 0));
    assert_eq!(lab.active.entries.len(), MAX_ALERTS);
    let notes = lab.active.notes(0, lab.now, false);
    let expected = "2 alerts were lost: 4096 alerts are active, and there is no room for more";
    assert_eq!(notes, [Note::Warning(expected.to_owned())]);
}

#[test]
fn the_size_of_alerts_is_bounded() {
    let mut lab = Lab::new(1);
    let mut large = alert("a", State::Firing);
    large.labels[0].1 = "x".repeat(1 << 20);
    for number in 0..20 {
        large.name = format!("a{number}");
        lab.accept(&large);
    }
    assert!(lab.active.bytes <= MAX_BYTES);
    let (_, queued, dropped, _) = lab.counted(0);
    assert_eq!((queued, dropped), (7, 13));
    // Each is larger than a request should be, and goes alone.
    assert_eq!(lab.request(0).len(), 1);
}

#[test]
fn the_summary_of_an_alert_is_bounded() {
    let mut lab = Lab::new(1);
    let mut long = alert("a", State::Firing);
    long.summary = "x".repeat(100_000);
    let request = lab.accept(&long).request(0);
    let summary = request[0]["annotations"]["summary"].as_str().expect("text");
    assert!(
        summary.len() < 4_200 && summary.ends_with('…'),
        "{}",
        summary.len()
    );
}

#[test]
fn what_a_replica_does_not_get_is_given_up_an_hour_after_its_end() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").fail(0);
    lab.at(10).resolve("a");
    lab.at(3_609);
    assert_eq!(lab.request(0).len(), 1);
    lab.answer(0, later());
    assert_eq!(lab.counted(0), (0, 2, 0, 0));
    lab.at(3_610);
    assert_eq!(lab.request(0).len(), 0);
    assert_eq!(lab.counted(0), (0, 0, 0, 2));
    lab.at(3_700);
    assert_eq!(lab.request(0).len(), 0);
    assert_eq!(lab.active.entries.len(), 0);
    assert_eq!(lab.active.bytes, 0);
}

#[test]
fn what_the_limit_holds_back_is_counted_as_dropped() {
    let mut lab = Lab::new(2);
    lab.active.hold_back();
    assert_eq!(
        (lab.counted(0), lab.counted(1)),
        ((0, 0, 1, 0), (0, 0, 1, 0))
    );
}
