//! Several plugins in a chain: each sees what the one before it kept, labelled and changed, and the
//! output equals that of the same logic in plain Rust.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::stream::alert::Alert;
use retrans_host::stream::alert::Severity;
use retrans_host::stream::alert::State;
use retrans_host::stream::batch::Item;
use retrans_host::stream::batch::MAX_EVENTS;
use serde_json::Value;
use serde_json::json;

use crate::common::chain::Ran;
use crate::common::chain::batch;
use crate::common::chain::batches;
use crate::common::chain::bundled;
use crate::common::chain::mark;
use crate::common::chain::plugin;
use crate::common::chain::run;
use crate::common::chain::start;
use crate::common::fixtures::BURST;
use crate::common::fixtures::DROP_EVERY;
use crate::common::fixtures::HTTPS_ONLY;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::TAG_NETWORK;
use crate::support::events;
use crate::support::liar::liar;

fn https_only() -> Plugin {
    plugin("https_only", HTTPS_ONLY, &[])
}

fn drop_every(n: &str) -> Plugin {
    plugin("drop_every", DROP_EVERY, &[("n", n)])
}

fn tag(name: &'static str, network: &str) -> Plugin {
    plugin(name, TAG_NETWORK, &[("network", network), ("name", name)])
}

fn burst(name: &str, threshold: &str) -> Plugin {
    plugin(name, BURST, &[("threshold", threshold), ("window", "1s")])
}

/// Runs plugins on events in full batches. They must not fail, and the statistics must balance.
#[track_caller]
fn run_on(plugins: Vec<Plugin>, events: &[Record]) -> Ran {
    let ran = run(plugins, batches(events, MAX_EVENTS));
    if let Err(error) = &ran.result {
        panic!("{error}");
    }
    ran.assert_balances(events.len() as u64);
    ran
}

/// The line that json-print prints for an event with these labels.
fn printed(event: &Event, labels: &[(&str, &str)]) -> Value {
    let mut value = serde_json::to_value(event).expect("an event has a JSON form");
    for (key, text) in labels {
        value["labels"][key] = json!(text);
    }
    value
}

fn is_https(event: &&Record) -> bool {
    event.peer_port() == 443
}

/// The label for a peer in 10.0.0.0/8, where all generated IPv4 addresses are.
fn network(event: &Event) -> &'static [(&'static str, &'static str)] {
    match event.peer().ip() {
        IpAddr::V4(_) => &[("network", "internal")],
        IpAddr::V6(_) => &[],
    }
}

/// The events at which a peer reaches `threshold` within a second, after it was below for as long.
fn bursts<'a>(events: impl IntoIterator<Item = &'a Record>, threshold: usize) -> Vec<&'a Record> {
    let second = Duration::from_secs(1);
    // For each peer the times within the window, and the last one at which a peer with an alert had so many.
    let mut seen: HashMap<IpAddr, (VecDeque<Duration>, Option<Duration>)> = HashMap::new();
    let mut reached = Vec::new();
    for event in events {
        let now = event.time();
        let (times, last) = seen.entry(event.peer().ip()).or_default();
        times.push_back(now);
        times.retain(|time| now - *time < second);
        if times.len() >= threshold {
            if last.replace(now).is_none() {
                reached.push(event);
            }
        } else if last.is_some_and(|last| now >= last + second) {
            *last = None;
        }
    }
    reached
}

/// Checks which events the alerts of the burst plugin are about.
#[track_caller]
fn assert_bursts(alerts: &[Alert], plugin: &str, expected: &[&Record]) {
    let alerts: Vec<&Alert> = alerts
        .iter()
        .filter(|alert| alert.plugin == plugin && alert.state == State::Firing)
        .collect();
    assert_eq!(alerts.len(), expected.len(), "{plugin}");
    for (alert, event) in alerts.iter().zip(expected) {
        let peer = event.peer().ip().to_string();
        assert_eq!(alert.name, "retransmit-burst");
        assert_eq!(alert.severity, Severity::Warning);
        assert_eq!(alert.labels, [("peer".to_owned(), peer)]);
        assert_eq!(alert.connection, Some((event.local(), event.peer())));
        assert_eq!(alert.wall_time, event.wall_time());
    }
}

#[test]
fn filter_transform_alert_and_print_do_what_plain_rust_does() {
    let events = events(2_000);
    let plugins = vec![
        https_only(),
        tag("internal", "10.0.0.0/8"),
        burst("burst", "8"),
        bundled("json-print"),
    ];
    let ran = run_on(plugins, &events);

    let kept: Vec<&Record> = events.iter().filter(is_https).collect();
    let expected: Vec<Value> = kept
        .iter()
        .map(|event| printed(event, network(event)))
        .collect();
    assert!(!kept.is_empty() && kept.len() < events.len());
    assert_eq!(ran.said.json(), expected);
    let expected = bursts(kept.iter().copied(), 8);
    assert!(!expected.is_empty());
    assert_bursts(&ran.said.alerts, "burst", &expected);

    let pages = ran.report.plugins.iter();
    let pages: Vec<_> = pages
        .map(|page| (page.name.as_str(), page.events, page.kept, page.dropped))
        .collect();
    let (all, some) = (events.len() as u64, kept.len() as u64);
    assert_eq!(
        pages,
        [
            ("https_only", all, some, all - some),
            ("internal", some, some, 0),
            ("burst", some, some, 0),
            ("json-print", some, some, 0),
        ]
    );
}

#[test]
fn the_order_of_the_plugins_is_that_of_the_chain() {
    let events = events(300);
    let third_of = |events: Vec<&Record>| -> Vec<Value> {
        let kept = events.iter().zip(1u64..).filter(|(_, n)| n % 3 != 0);
        kept.map(|(event, _)| printed(event, &[])).collect()
    };
    let filter_first = third_of(events.iter().filter(is_https).collect());
    let mut filter_last = third_of(events.iter().collect());
    filter_last.retain(|event| event["destination"]["port"] == 443);
    assert_ne!(filter_first, filter_last);

    let chain = vec![https_only(), drop_every("3"), bundled("json-print")];
    assert_eq!(run_on(chain, &events).said.json(), filter_first);
    let chain = vec![drop_every("3"), https_only(), bundled("json-print")];
    assert_eq!(run_on(chain, &events).said.json(), filter_last);
}

#[test]
fn labels_stay_with_their_events_when_others_are_dropped() {
    let events = events(600);
    let plugins = vec![
        tag("internal", "10.0.0.0/8"),
        drop_every("3"),
        https_only(),
        bundled("json-print"),
    ];
    let ran = run_on(plugins, &events);

    let kept = events.iter().zip(1u64..).filter(|(_, n)| n % 3 != 0);
    let kept = kept.map(|(event, _)| event).filter(is_https);
    let expected: Vec<Value> = kept.map(|event| printed(event, network(event))).collect();
    let labelled = expected.iter().filter(|line| line["labels"].is_object());
    assert!((1..expected.len()).contains(&labelled.count()));
    assert_eq!(ran.said.json(), expected);
}

#[test]
fn for_the_same_label_the_later_plugin_wins() {
    let events = events(300);
    let expected = |label: fn(u8) -> &'static str| -> Vec<Value> {
        let lines = events.iter().map(|event| match event.peer().ip() {
            IpAddr::V4(peer) => printed(event, &[("network", label(peer.octets()[3]))]),
            IpAddr::V6(_) => printed(event, &[]),
        });
        lines.collect()
    };
    let far = || tag("far", "10.0.0.0/8");
    let near = || tag("near", "10.2.0.0/27");

    let ran = run_on(vec![far(), near(), bundled("json-print")], &events);
    let near_wins = expected(|host| if host < 32 { "near" } else { "far" });
    assert_eq!(ran.said.json(), near_wins);
    let ran = run_on(vec![near(), far(), bundled("json-print")], &events);
    assert_eq!(ran.said.json(), expected(|_| "far"));
    assert_ne!(near_wins, expected(|_| "near"));
    assert_ne!(near_wins, expected(|_| "far"));
}

#[test]
fn a_changed_event_is_what_the_next_plugin_sees() {
    let events = events(100);
    let others = events.iter().filter(|event| !is_https(event)).count();
    assert!(others > 0);
    let plugins = vec![
        liar("change_port_to_443"),
        https_only(),
        bundled("json-print"),
    ];
    let ran = run_on(plugins, &events);

    let expected = events.iter().map(|event| {
        let mut event = event.clone();
        event.set_peer_port(443);
        printed(&event, &[])
    });
    assert_eq!(ran.said.json(), expected.collect::<Vec<_>>());
}

#[test]
fn what_belongs_to_the_host_reaches_the_next_plugin_unchanged() {
    let events = events(100);
    let plugins = vec![liar("change_every_byte"), bundled("json-print")];
    let ran = run_on(plugins, &events);

    let lines = ran.said.json();
    assert_eq!(lines.len(), events.len());
    for (line, event) in lines.iter().zip(&events) {
        let original = printed(event, &[]);
        assert_eq!(line["timestamp"], original["timestamp"]);
        assert_eq!(line["sequence"], original["sequence"]);
        assert_ne!(line["destination"], original["destination"]);
    }
}

#[test]
fn however_the_stream_is_cut_the_output_is_the_same() {
    let events = events(700);
    let plugins = || {
        vec![
            https_only(),
            tag("internal", "10.0.0.0/8"),
            drop_every("5"),
            burst("burst", "4"),
            bundled("json-print"),
        ]
    };
    let [singly, by_seven, full] = [1, 7, MAX_EVENTS].map(|cut| {
        let ran = run(plugins(), batches(&events, cut));
        ran.assert_balances(events.len() as u64);
        ran.result.expect("no plugin fails");
        (ran.said.lines, ran.said.alerts, ran.report.plugins)
    });
    assert!(!full.0.is_empty() && !full.1.is_empty());
    assert_eq!(singly, full);
    assert_eq!(by_seven, full);
}

#[test]
fn two_instances_of_one_file_have_their_own_settings_and_state() {
    let events = events(1_000);
    let ran = run_on(vec![burst("few", "3"), burst("many", "10")], &events);
    let (few, many) = (bursts(&events, 3), bursts(&events, 10));
    assert!(few.len() > many.len() && !many.is_empty());
    assert_bursts(&ran.said.alerts, "few", &few);
    assert_bursts(&ran.said.alerts, "many", &many);
}

#[test]
fn every_plugin_is_told_once_of_lost_events() {
    let lost = |mut item: Item, events: u64| {
        match &mut item {
            Item::Events(batch) => batch.lost = events,
            Item::Census(_) => {}
            Item::Mark(mark) | Item::End(mark) => mark.lost = events,
        }
        item
    };
    let instance = |name: &str| plugin(name, LIAR, &[("act", "write_lost")]);
    let full = || Item::Events(batch(&events(4)));
    let items = [
        lost(full(), 3),
        lost(full(), 0),
        lost(Item::Mark(mark(1)), 2),
        lost(full(), 4),
        lost(Item::End(mark(2)), 1),
    ];
    // The last plugin sees no event: the one before it drops all.
    let ran = run(
        vec![instance("first"), drop_every("1"), instance("last")],
        items,
    );
    ran.result.expect("no plugin fails");
    let told = [
        "lost 3", // first, events
        "lost 0", // first, events
        "lost 2", // first, mark
        "lost 5", // last, mark
        "lost 4", // first, events
        "lost 1", // first, end
        "lost 5", // last, end
    ];
    assert_eq!(ran.said.lines, told);
}

#[test]
fn marks_and_the_end_reach_every_plugin_in_order() {
    let instance = |name: &str, act: &str| plugin(name, LIAR, &[("act", act)]);
    let plugins = vec![
        instance("a", "tick_says_things"),
        drop_every("1"),
        instance("b", "tick_says_things"),
        instance("c", "finish_says_things"),
    ];
    let items = [Item::Mark(mark(1)), Item::Mark(mark(2)), Item::End(mark(3))];
    let ran = run(plugins, items);
    ran.result.expect("no plugin fails");
    let alerts = ran.said.alerts.iter();
    let alerts: Vec<_> = alerts
        .map(|alert| (alert.plugin.as_str(), alert.wall_time))
        .collect();
    let at = |seconds| mark(seconds).wall_time;
    assert_eq!(
        alerts,
        [
            ("a", at(1)),
            ("b", at(1)),
            ("a", at(2)),
            ("b", at(2)),
            ("c", at(3))
        ]
    );
    assert_eq!(ran.said.flushes, 3, "each is written through");
}

#[test]
fn a_tick_resolves_an_alert() {
    let settings = [("threshold", "3"), ("window", "1s"), ("count", "events")];
    let origin = Origin::Bundled("threshold-alert");
    let plugin = start("watch", &origin, &settings, Limits::default());
    let plugin = plugin.expect("the settings fit");
    // `Synth` starts 1,000 s after boot, and these events take less than a second.
    let events: Vec<Record> = Synth::with_connections(1, 1).take(5).collect();
    let items = [
        Item::Events(batch(&events)),
        Item::Mark(mark(1_001)),
        Item::Mark(mark(1_010)),
        Item::End(mark(1_011)),
    ];
    let ran = run(vec![plugin], items);
    ran.result.expect("no plugin fails");
    let alerts = ran.said.alerts.iter();
    let alerts: Vec<_> = alerts
        .map(|alert| (alert.name.as_str(), alert.state, alert.wall_time))
        .collect();
    let name = "retransmit-threshold";
    assert_eq!(
        alerts,
        [
            (name, State::Firing, events[2].wall_time()),
            (name, State::Resolved, mark(1_010).wall_time),
        ]
    );
}
