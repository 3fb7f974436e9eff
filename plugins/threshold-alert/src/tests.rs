//! The promises of the plugin.

use retrans_plugin_sdk::retrans_event::SendError;
use retrans_plugin_sdk::serde_json;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing;
use retrans_plugin_sdk::testing::Outcome;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

use crate::ThresholdAlert;
use retrans_plugin_sdk::prelude::*;

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

/// Three within 10 s are too many.
fn three_in_ten_seconds() -> Scenario {
    Scenario::new()
        .setting("threshold", 3)
        .setting("window", "10s")
}

/// Adds a retransmit to one peer at each of these times, in ms.
fn at(scenario: Scenario, times: impl IntoIterator<Item = u64>) -> Scenario {
    scenario.events(times.into_iter().map(|millis| retransmit(millis, PEER)))
}

fn run(scenario: &Scenario) -> Outcome {
    scenario
        .run::<ThresholdAlert>()
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
fn the_window_slides_over_what_would_be_a_boundary() {
    let outcome = run(&at(three_in_ten_seconds(), [9_000, 9_900, 10_100]));
    assert_eq!(outcome.alerts.len(), 1);
}

#[test]
fn what_is_as_old_as_the_window_does_not_count() {
    let outcome = run(&at(three_in_ten_seconds(), [0, 5_000, 10_000]));
    assert_eq!(outcome.alerts, []);
    let outcome = run(&at(three_in_ten_seconds(), [0, 5_000, 9_999]));
    assert_eq!(outcome.alerts.len(), 1);
}

#[test]
fn times_that_step_back_between_cpus_count_all_the_same() {
    let outcome = run(&at(three_in_ten_seconds(), [5_001, 5_000, 4_999]));
    assert_eq!(outcome.alerts.len(), 1);
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
    let failed = (0..10).map(|millis| {
        let mut record = retransmit(millis, PEER);
        record.set_error(Some(SendError(-113)));
        record
    });
    let outcome = run(&at(three_in_ten_seconds().events(failed), [10, 11]));
    assert_eq!(outcome.alerts, []);
    assert_eq!(outcome.kept.len(), 12);
}

#[test]
fn after_a_whole_quiet_window_the_alert_is_resolved() {
    // The count falls below 3 at 10 s, and has been there for a window at 20 s.
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
fn peers_are_counted_separately() {
    let peers = [
        "10.0.0.2:443",
        "10.0.0.3:443",
        "10.0.0.2:80",
        "10.0.0.3:80",
        "10.0.0.2:22",
    ];
    let records = (0..)
        .zip(peers)
        .map(|(millis, peer)| retransmit(millis, peer));
    let outcome = run(&three_in_ten_seconds().events(records));
    assert_eq!(outcome.alerts.len(), 1);
    assert_eq!(outcome.alerts[0].get("peer"), Some("10.0.0.2"));
}

#[test]
fn an_ipv6_peer_is_shown_as_such() {
    let records = (0..3).map(|millis| retransmit(millis, "[2001:db8::2]:443"));
    let scenario = three_in_ten_seconds().events(records);
    let outcome = run(&scenario);
    assert_eq!(outcome.alerts[0].get("peer"), Some("2001:db8::2"));
    let outcome = run(&scenario.setting("key", "connection"));
    assert_eq!(
        outcome.alerts[0].get("connection"),
        Some("[2001:db8::1]:33000 -> [2001:db8::2]:443")
    );
}

/// Counted by this key, three events that agree in it and differ in everything else fire, and
/// three that differ in it do not.
#[test]
fn every_key_counts_by_what_it_says() {
    let differ = |millis: u64| {
        let mut record = retransmit(millis, &format!("10.0.0.{}:{}", 2 + millis, 443 + millis));
        record.set_local_address(IpAddr::from([10, 0, 1, 1 + millis as u8]));
        record.set_local_port(33_000 + millis as u16);
        record.set_netns_inode(Some(4_026_531_840 + millis as u32));
        record
    };
    let first = differ(0);
    let connection = |record: &mut Record| {
        record.set_local_address(first.local_address());
        record.set_local_port(first.local_port());
        record.set_peer_address(first.peer_address());
        record.set_peer_port(first.peer_port());
    };
    let peer = |record: &mut Record| record.set_peer_address(first.peer_address());
    let local = |record: &mut Record| record.set_local_address(first.local_address());
    let local_port = |record: &mut Record| record.set_local_port(first.local_port());
    let peer_port = |record: &mut Record| record.set_peer_port(first.peer_port());
    let netns = |record: &mut Record| record.set_netns_inode(first.netns_inode());
    let keys: [(&str, &dyn Fn(&mut Record), &str, &str); 6] = [
        ("peer", &peer, "10.0.0.2", "to 10.0.0.2"),
        (
            "connection",
            &connection,
            "10.0.1.1:33000 -> 10.0.0.2:443",
            "from 10.0.1.1:33000 to 10.0.0.2:443",
        ),
        ("local", &local, "10.0.1.1", "from 10.0.1.1"),
        ("local_port", &local_port, "33000", "from port 33000"),
        ("peer_port", &peer_port, "443", "to port 443"),
        (
            "netns",
            &netns,
            "4026531840",
            "in network namespace 4026531840",
        ),
    ];
    for (key, agree, value, words) in keys {
        let scenario = three_in_ten_seconds().setting("key", key);
        let outcome = run(&scenario.clone().events((0..3).map(differ)));
        assert_eq!(outcome.alerts, [], "{key} differs");
        let outcome = run(&scenario.events((0..3).map(|millis| {
            let mut record = differ(millis);
            agree(&mut record);
            record
        })));
        assert_eq!(outcome.alerts.len(), 1, "{key} agrees");
        let alert = &outcome.alerts[0];
        assert_eq!(alert.labels, [(key.to_owned(), value.to_owned())]);
        assert_eq!(
            alert.summary,
            format!("3 segments retransmitted {words} within 10s")
        );
    }
}

#[test]
fn several_keys_count_together() {
    let scenario = three_in_ten_seconds().setting("key", json!(["peer_port", "peer", "netns"]));
    let peers = [
        "10.0.0.2:443",
        "10.0.0.2:80",
        "10.0.0.3:443",
        "10.0.0.2:443",
    ];
    let records = (0..)
        .zip(peers)
        .map(|(millis, peer)| retransmit(millis, peer));
    let scenario = scenario.events(records);
    assert_eq!(run(&scenario).alerts, []);
    let outcome = run(&at(scenario, [5]));
    let alert = &outcome.alerts[0];
    assert_eq!(alert.get("peer"), Some("10.0.0.2"));
    assert_eq!(alert.get("peer_port"), Some("443"));
    assert_eq!(alert.get("netns"), Some("4026531840"));
    assert_eq!(
        alert.summary,
        "3 segments retransmitted to 10.0.0.2:443 in network namespace 4026531840 within 10s"
    );
}

#[test]
fn an_unknown_network_namespace_is_no_label() {
    let records = (0..3).map(|millis| {
        let mut record = retransmit(millis, PEER);
        record.set_netns_inode(None);
        record
    });
    let outcome = run(&three_in_ten_seconds()
        .setting("key", "netns")
        .events(records));
    assert_eq!(outcome.alerts[0].labels, []);
    assert!(
        outcome.alerts[0]
            .summary
            .contains("in an unknown network namespace")
    );
}

#[test]
fn the_severity_is_the_one_that_was_set() {
    let scenario = three_in_ten_seconds().setting("severity", "critical");
    let outcome = run(&at(scenario, [0, 0, 0]).tick(seconds(20)));
    assert_eq!(outcome.alerts.len(), 2);
    assert!(
        outcome
            .alerts
            .iter()
            .all(|alert| alert.severity == Severity::Critical)
    );
}

#[test]
fn the_key_unused_for_longest_makes_room_and_is_counted() {
    let peers = [
        "10.0.0.2:1",
        "10.0.0.3:1",
        "10.0.0.2:1",
        "10.0.0.4:1",
        "10.0.0.2:1",
    ];
    let records = (0..)
        .zip(peers)
        .map(|(millis, peer)| retransmit(millis, peer));
    let outcome = run(&three_in_ten_seconds()
        .setting("max_keys", 2)
        .events(records));
    assert_eq!(outcome.counts["keys_evicted"], 1, "10.0.0.3");
    assert_eq!(outcome.alerts.len(), 1);
    assert_eq!(outcome.alerts[0].get("peer"), Some("10.0.0.2"));
}

#[test]
fn a_firing_key_that_makes_room_is_resolved() {
    let scenario = three_in_ten_seconds().setting("max_keys", 1);
    let scenario = at(scenario, [0, 1, 2]).event(retransmit(3, "10.0.0.9:443"));
    let outcome = run(&scenario);
    assert_eq!(states(&outcome), [AlertState::Firing, AlertState::Resolved]);
    let resolved = &outcome.alerts[1];
    assert_eq!(resolved.get("peer"), Some("10.0.0.2"));
    assert_eq!(
        resolved.summary,
        "retransmits to 10.0.0.2 are no longer counted: there is no room for so many keys"
    );
}

/// The plugin with room for 16 times.
struct Cramped(ThresholdAlert);

impl Plugin for Cramped {
    type Settings = crate::Settings;

    fn new(settings: crate::Settings) -> Result<Self> {
        let mut plugin = ThresholdAlert::new(settings)?;
        plugin.rule.most_times = 16;
        Ok(Cramped(plugin))
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        let verdict = self.0.on_event(event, out);
        assert!(self.0.times <= 16, "{} times", self.0.times);
        verdict
    }

    fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
        self.0.on_tick(now, out)
    }
}

#[test]
fn memory_is_bounded_over_all_keys_however_high_the_threshold() {
    let scenario = Scenario::new().setting("threshold", 12);
    let peers = (0..100).map(|number| format!("10.0.0.{}:443", number % 10));
    let records = (0..)
        .zip(peers)
        .map(|(millis, peer)| retransmit(millis, &peer));
    let crowded = scenario.clone().events(records);
    let outcome = crowded.run::<Cramped>().expect("the scenario is sound");
    assert!(outcome.counts["keys_evicted"] > 5);
    assert_eq!(outcome.alerts, [], "nobody stayed for long enough");

    let alone = at(scenario, 0..12).tick(seconds(9));
    let outcome = at(alone, 9_000..9_003)
        .run::<Cramped>()
        .expect("the scenario is sound");
    assert_eq!(
        outcome.alerts.len(),
        1,
        "one key has room for as many as it needs"
    );
    assert!(outcome.counts.is_empty());
}

#[test]
fn idle_keys_are_forgotten_and_need_not_make_room() {
    let scenario = three_in_ten_seconds().setting("max_keys", 1);
    let scenario = at(scenario, [0]).tick(seconds(10));
    let outcome = run(&scenario.event(retransmit(10_001, "10.0.0.9:443")));
    assert!(outcome.counts.is_empty(), "{:?}", outcome.counts);
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

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let refused: [(&str, serde_json::Value, &str); 8] = [
        (
            "threshold",
            json!(0),
            "threshold: expected from 1 to 524288",
        ),
        (
            "threshold",
            json!("x"),
            "threshold: invalid type: string \"x\", expected u32",
        ),
        ("window", json!("0s"), "window: expected more than 0s"),
        (
            "window",
            json!("soon"),
            "window: invalid value: string \"soon\", expected a duration such as \"10s\", \
             \"250ms\" or \"1m30s\"",
        ),
        ("max_keys", json!(0), "max_keys: expected at least 1"),
        (
            "key",
            json!([]),
            "key: expected at least one word, such as peer",
        ),
        (
            "key",
            json!("pear"),
            "key: unknown variant `pear`, expected one of `peer`, `connection`, `local`, \
             `local_port`, `peer_port`, `netns`",
        ),
        (
            "count",
            json!("bytes"),
            "count: unknown variant `bytes`, expected `segments` or `events`",
        ),
    ];
    for (key, value, expected) in refused {
        let scenario = Scenario::new().setting(key, value);
        let error = scenario.run::<ThresholdAlert>().expect_err(expected);
        assert_eq!(format!("{error:#}"), expected);
    }
}

#[test]
fn the_schema_tells_types_and_defaults() {
    let schema = testing::settings_schema::<ThresholdAlert>();
    let settings = &schema["properties"];
    assert_eq!(settings["threshold"]["type"], "integer");
    assert_eq!(settings["threshold"]["minimum"], 1);
    assert_eq!(settings["threshold"]["default"], 10);
    assert_eq!(settings["window"]["type"], "string");
    assert_eq!(settings["window"]["default"], "10s");
    assert_eq!(settings["key"]["default"], "peer");
    assert_eq!(settings["severity"]["default"], "warning");
    assert_eq!(schema["additionalProperties"], false);
    assert!(!schema.to_string().contains("$ref"));
}
