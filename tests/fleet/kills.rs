//! Consumers and the broker are killed in mid-stream. An alert whose threshold is the number of all events of a peer shows
//! that each was counted, and one with a threshold above it that none was counted twice.

use std::time::Duration;

use crate::processes::Consumer;
use crate::processes::Feed;
use crate::processes::Fleet;
use crate::processes::eventually;
use crate::processes::json_lines;

/// Events, all of one peer.
const EVENTS: u32 = 200;

/// How often something is killed. `RETRANS_FLEET_KILLS` sets another number.
fn kills() -> u32 {
    let set = std::env::var("RETRANS_FLEET_KILLS").ok();
    set.map_or(2, |number| number.parse().expect("a number"))
}

/// Times that look random and are the same in each run, in milliseconds.
fn delay(seed: u32) -> Duration {
    let mixed = seed.wrapping_mul(2_654_435_761) >> 16;
    Duration::from_millis(u64::from(mixed % 3_000))
}

fn consumer(fleet: &Fleet, number: u32) -> Consumer {
    let alerts = fleet.path("alerts.jsonl");
    let threshold = |add| format!("threshold={}", EVENTS + add);
    fleet.consumer(
        &format!("consumer-{number}"),
        &[
            "--from-beginning",
            "--alerts-file",
            alerts.to_str().expect("UTF-8"),
            "--plugin",
            "exact=threshold-alert",
            "--set",
            &threshold(0),
            "--set",
            "window=1h",
            "--plugin",
            "over=threshold-alert",
            "--set",
            &threshold(1),
            "--set",
            "window=1h",
        ],
    )
}

/// Publishes all events while `disturb` is called, and checks the alerts. The consumers that are left keep all partitions.
fn exact_in_spite_of(fleet: &mut Fleet, mut disturb: impl FnMut(&mut Fleet, u32)) {
    let capture = fleet.capture("a.rtc", EVENTS, 1);
    let lines = json_lines(&capture);
    let mut feed = Feed::start(&mut fleet.publish("-".as_ref(), "web-1", 2));
    let times = kills();
    for (number, chunk) in (0..).zip(lines.chunks(lines.len().div_ceil(times as usize + 1))) {
        feed.give(chunk);
        if number < times {
            std::thread::sleep(delay(number));
            disturb(fleet, number);
        }
    }
    let published = feed.end().published.expect("a line");
    assert_eq!(published.get("acknowledged"), u64::from(EVENTS));
    let alerts = fleet.path("alerts.jsonl");
    let raised = eventually("the alert about all events", || {
        let raised = std::fs::read_to_string(&alerts).unwrap_or_default();
        raised.contains(r#""plugin":"exact""#).then_some(raised)
    });
    assert!(!raised.contains(r#""plugin":"over""#), "{raised}");
}

#[test]
fn a_consumer_that_is_killed_is_replaced_and_each_event_counts_once() {
    let mut fleet = Fleet::start(2);
    let mut running = Some(consumer(&fleet, 0).begun());
    exact_in_spite_of(&mut fleet, |fleet, number| {
        running.take().expect("it runs").kill();
        running = Some(consumer(fleet, number + 1));
    });
    running.expect("it runs").end();
}

#[test]
fn a_broker_that_is_killed_loses_nothing_that_it_has_acknowledged() {
    let mut fleet = Fleet::start(2);
    let running = consumer(&fleet, 0).begun();
    exact_in_spite_of(&mut fleet, |fleet, _| {
        fleet.server.kill();
        fleet.server.restart();
    });
    running.end();
}

#[test]
fn a_consumer_that_wakes_up_after_its_partitions_were_taken_gives_them_up() {
    let mut fleet = Fleet::start(2);
    let stopped = consumer(&fleet, 0).begun();
    let mut taker = None;
    exact_in_spite_of(&mut fleet, |fleet, number| {
        if number == 0 {
            stopped.signal("STOP");
            taker = Some(consumer(fleet, 1).begun());
            // Its leases have ended by then.
            std::thread::sleep(Duration::from_secs(10));
            stopped.signal("CONT");
        }
    });
    taker.expect("it runs").end();
    stopped.end();
}
