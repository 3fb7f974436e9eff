//! Consumers share what hosts have published.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::http;
use crate::http::sample;
use crate::processes::Fleet;
use crate::processes::eventually;
use crate::processes::ledger;
use crate::processes::output;
use crate::processes::run;
use crate::receivers::rotel::Rotel;
use crate::server::free_port;

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
fn each_host_has_its_own_numbers_in_the_metrics_and_in_the_status() {
    let fleet = Fleet::start(4);
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let consumer = fleet.consumer("one", &["--from-beginning", "--listen", &listen]);
    let consumer = consumer.begun();
    for (name, events) in [("web-1", 300), ("web-2", 200)] {
        let capture = fleet.capture(&format!("{name}.rtc"), events, 20);
        output(&mut fleet.publish(&capture, name, 4));
    }
    let address = listen.parse().expect("an address");
    let events = |host: &str| {
        format!(r#"retrans_fleet_host_events_total{{host="{host}",outcome="delivered"}}"#)
    };
    let text = eventually("the events of both hosts", || {
        let text = http::get(address, "/metrics").body;
        let all = sample(&text, r#"retrans_source_events_total{outcome="delivered"}"#);
        (all == Some(500.0)).then_some(text)
    });
    assert_eq!(sample(&text, &events("web-1")), Some(300.0), "{text}");
    assert_eq!(sample(&text, &events("web-2")), Some(200.0), "{text}");
    let missing = r#"retrans_fleet_host_missing_frames_total{host="web-1"}"#;
    assert_eq!(sample(&text, missing), Some(0.0), "{text}");
    assert_eq!(http::get(address, "/readyz").status, 200);
    // It keeps no events, and does not claim that there were none.
    let page = http::get(address, "/").body;
    assert!(page.contains("no report of events here"), "{page}");
    consumer.end();
    let status = run(&["fleet", "status", &fleet.server.url()]);
    for (name, events) in [("web-1", "300"), ("web-2", "200")] {
        let line = status.lines().find(|line| line.starts_with(name));
        let words: Vec<&str> = line.expect("a host").split_whitespace().collect();
        assert_eq!(words[2..7], [events, "0", "0", "0", "100.00%"], "{status}");
    }
    let status = run(&["fleet", "status", "--json", &fleet.server.url()]);
    assert!(
        status.contains(r#""coverage":{"covered":300,"all":300}"#),
        "{status}"
    );
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

/// How many events were delivered, by the last set of metrics that the collector has shown.
fn last_delivered(output: &str) -> Option<&str> {
    let (_, metric) = output.rsplit_once("Name: retrans.source.events\n")?;
    let (_, point) = metric.split_once("-> outcome: Str(delivered)")?;
    let (_, value) = point.split_once("Value: ")?;
    value.lines().next().map(str::trim)
}

#[test]
fn the_last_metrics_of_a_consumer_have_the_numbers_of_its_ledger() {
    let fleet = Fleet::start(2);
    let rotel = Rotel::start();
    let capture = fleet.capture("a.rtc", 400, 20);
    output(&mut fleet.publish(&capture, "web-1", 2));
    let sink = format!("otlp=http://127.0.0.1:{}", rotel.port);
    let arguments = [
        "--from-beginning",
        "--plugin",
        "json-print",
        "--sink",
        &sink,
    ];
    let consumer = fleet.consumer("one", &arguments).begun();
    eventually("all events", || {
        (consumer.lines().len() == 400).then_some(())
    });
    // At once: most of them are not in the statistics of the last second.
    let ledger = consumer.end();
    assert_eq!(ledger.fleet.expect("a line").get("delivered"), 400);
    eventually("the last metrics", || {
        (last_delivered(&rotel.output()) == Some("400")).then_some(())
    });
}
