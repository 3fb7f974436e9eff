//! Consumers share what hosts have published.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::processes::Fleet;
use crate::processes::eventually;
use crate::processes::ledger;
use crate::processes::output;
use crate::processes::run;

/// A value of a line of JSON, between quotes.
fn value<'a>(line: &'a str, key: &str) -> &'a str {
    let begin = line.find(key).unwrap_or_else(|| panic!("{key}: {line}")) + key.len();
    let rest = &line[begin..];
    &rest[..rest.find('"').expect("a quote")]
}

#[test]
fn every_event_of_a_peer_reaches_one_consumer_whichever_host_saw_it() {
    let fleet = Fleet::start(8);
    // The same seed: both hosts see the same peers.
    let capture = fleet.capture("a.rtc", 2_000, 100);
    let arguments = ["--plugin", "json-print", "--from-beginning"];
    let consumers = [
        fleet.consumer("one", &arguments).begun(),
        fleet.consumer("two", &arguments).begun(),
    ];
    // Then no partition moves any more.
    eventually("consumers with four partitions each", || {
        let status = run(&["fleet", "status", &fleet.server.url()]);
        let has_four = |name: &str| {
            let mut lines = status.lines();
            lines.any(|line| line.starts_with(name) && line.split_whitespace().nth(1) == Some("4"))
        };
        (has_four("one") && has_four("two")).then_some(())
    });
    for name in ["web-1", "web-2"] {
        let text = output(&mut fleet.publish(&capture, name, 8));
        let published = ledger(&text).published.expect("a line");
        assert_eq!(published.get("events"), 2_000);
        assert_eq!(published.get("acknowledged"), 2_000);
    }
    eventually("all events", || {
        let seen: usize = consumers.iter().map(|one| one.lines().len()).sum();
        (seen >= 4_000).then_some(())
    });
    let mut owners: HashMap<String, HashSet<usize>> = HashMap::new();
    let mut hosts: HashMap<String, u32> = HashMap::new();
    for (number, consumer) in consumers.iter().enumerate() {
        for line in consumer.lines() {
            let peer = value(&line, r#""destination":{"ip":""#).to_owned();
            owners.entry(peer).or_default().insert(number);
            let host = value(&line, r#""host.name":""#).to_owned();
            *hosts.entry(host).or_default() += 1;
        }
    }
    assert!(
        owners.values().all(|owners| owners.len() == 1),
        "{owners:?}"
    );
    let used: HashSet<usize> = owners.into_values().flatten().collect();
    assert_eq!(used.len(), 2, "both have partitions");
    assert_eq!(hosts["web-1"], 2_000);
    assert_eq!(hosts["web-2"], 2_000);
    let mut received = 0;
    for consumer in consumers {
        let ledger = consumer.end();
        let fleet = ledger.fleet.expect("a line");
        assert_eq!(fleet.get("received"), fleet.get("delivered"), "{fleet:?}");
        received += fleet.get("received");
    }
    assert_eq!(received, 4_000);
}

#[test]
fn a_state_outlives_its_consumer_and_no_event_is_counted_twice() {
    let fleet = Fleet::start(2);
    let capture = fleet.capture("a.rtc", 30, 1);
    let arguments = [
        "--from-beginning",
        "--plugin",
        "exact=threshold-alert",
        "--set",
        "threshold=60",
        "--set",
        "window=1h",
        "--plugin",
        "over=threshold-alert",
        "--set",
        "threshold=61",
        "--set",
        "window=1h",
        "--plugin",
        "json-print",
    ];
    let half = |name: &str, consumer: &str| {
        output(&mut fleet.publish(&capture, name, 2));
        let consumer = fleet.consumer(consumer, &arguments).begun();
        eventually("the events", || {
            (consumer.lines().len() == 30).then_some(())
        });
        let said = consumer.said();
        let ledger = consumer.end();
        assert_eq!(ledger.fleet.expect("a line").get("delivered"), 30, "{said}");
        fleet_said(&fleet, &consumer_name(&said))
    };
    let first = half("web-1", "one");
    assert!(!first.contains("[exact;"), "{first}");
    let second = half("web-2", "two");
    assert_eq!(second.matches("[exact;").count(), 1, "{second}");
    assert!(!second.contains("[over;"), "{second}");
}

fn consumer_name(said: &str) -> String {
    let begin = said.find(" as ").expect("its name") + 4;
    let rest = &said[begin..];
    rest[..rest.find(' ').expect("a blank")].to_owned()
}

fn fleet_said(fleet: &Fleet, name: &str) -> String {
    std::fs::read_to_string(fleet.path(&format!("{name}.err"))).expect("a file")
}
