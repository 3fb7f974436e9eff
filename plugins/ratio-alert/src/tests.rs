mod bounds;

use retrans_plugin_sdk::serde_json;
use retrans_plugin_sdk::testing::Outcome;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A row of the census that ends at this second, 10 s after the one before.
fn row(seconds: u64, peer: [u8; 4], sent: u64, again: u64) -> CensusRow {
    CensusRow {
        time: at(seconds),
        interval: at(10),
        peer_address: peer.into(),
        service_port: 443,
        netns_inode: 7,
        segments: sent,
        retransmitted_segments: again,
        ..CensusRow::EMPTY
    }
}

const PEER: [u8; 4] = [10, 0, 0, 2];
const OTHER: [u8; 4] = [10, 0, 0, 3];

/// Censuses of one peer, 10 s apart, each with a tick: sent and again.
fn censuses(counts: &[(u64, u64)]) -> Scenario {
    let rows = (1..)
        .zip(counts)
        .map(|(number, (sent, again))| row(100 + 10 * number, PEER, *sent, *again));
    rows.fold(Scenario::new(), |scenario, row| {
        let now = row.time;
        scenario.census([row]).tick(now + at(1))
    })
}

/// Severity, whether it fires, and summary of each alert.
fn said(outcome: &Outcome) -> Vec<(Severity, bool, &str)> {
    let alerts = outcome.alerts.iter();
    alerts
        .map(|alert| {
            let is_firing = alert.state == AlertState::Firing;
            (alert.severity, is_firing, alert.summary.as_str())
        })
        .collect()
}

fn run(scenario: &Scenario) -> Outcome {
    scenario.run_stateful::<RatioAlert>().expect("it is sound")
}

#[test]
fn an_eighth_is_told_with_both_numbers_and_the_peer() {
    let outcome = run(&censuses(&[(600, 75), (600, 75)]));
    let summary = "12.5 % of the segments to 10.0.0.2 were sent again: 150 of 1200 in 60s";
    assert_eq!(said(&outcome), [(Severity::Warning, true, summary)]);
    let alert = &outcome.alerts[0];
    assert_eq!(alert.name, "retransmit-ratio");
    assert_eq!(alert.labels, [("peer".to_owned(), "10.0.0.2".to_owned())]);
}

#[test]
fn few_segments_are_not_judged() {
    assert_eq!(said(&run(&censuses(&[(999, 999)]))), []);
    assert_eq!(said(&run(&censuses(&[(1_000, 10)]))).len(), 1);
    assert_eq!(said(&run(&censuses(&[(1_000, 9)]))), []);
    assert_eq!(said(&run(&censuses(&[(0, 0)]))), []);
}

#[test]
fn an_alert_stays_with_fewer_segments_and_ends_with_half_as_many() {
    for (sent, alerts) in [(999, 1), (500, 1), (499, 2)] {
        let scenario = censuses(&[(1_000, 100), (sent, sent)]).setting("window", "10s");
        assert_eq!(run(&scenario).alerts.len(), alerts, "{sent}");
    }
}

#[test]
fn it_ends_below_the_lower_percentage_and_not_before() {
    // In a window of 10 s each census stands alone.
    let scenario = censuses(&[(1_000, 10), (1_000, 5), (1_000, 4), (1_000, 9), (1_000, 10)]);
    let outcome = run(&scenario.setting("window", "10s"));
    let told: Vec<_> = said(&outcome)
        .into_iter()
        .map(|(_, is_firing, summary)| (is_firing, summary.split(' ').next().unwrap_or_default()))
        .collect();
    assert_eq!(told, [(true, "1"), (false, "0.4"), (true, "1")]);
    let scenario = censuses(&[(1_000, 10), (1_000, 9)])
        .setting("window", "10s")
        .setting("resolve_percent", 1.0);
    assert_eq!(run(&scenario).alerts.len(), 2);
}

#[test]
fn the_window_slides() {
    // 60 s are six censuses: with the seventh, the first is out.
    let mut counts = vec![(1_000, 300)];
    counts.extend([(1_000, 0); 6]);
    let outcome = run(&censuses(&counts));
    let summaries: Vec<_> = said(&outcome)
        .into_iter()
        .map(|(_, _, text)| text)
        .collect();
    let expected = [
        "30 % of the segments to 10.0.0.2 were sent again: 300 of 1000 in 60s",
        "0 % of the segments to 10.0.0.2 were sent again: 0 of 6000 in 60s",
    ];
    assert_eq!(summaries, expected);
}

#[test]
fn a_critical_ratio_raises_the_severity_of_the_same_alert() {
    let scenario = censuses(&[
        (1_000, 20),
        (1_000, 60),
        (1_000, 60),
        (1_000, 20),
        (1_000, 1),
    ]);
    let scenario = scenario.setting("critical", 5.0).setting("window", "10s");
    let outcome = run(&scenario);
    let told: Vec<_> = said(&outcome)
        .into_iter()
        .map(|(severity, is_firing, _)| (severity, is_firing))
        .collect();
    let expected = [
        (Severity::Warning, true),
        (Severity::Critical, true),
        (Severity::Warning, true),
        (Severity::Warning, false),
    ];
    assert_eq!(told, expected);
    assert!(
        outcome
            .alerts
            .iter()
            .all(|alert| alert.labels == outcome.alerts[0].labels)
    );
}

#[test]
fn keys_are_judged_separately_or_together() {
    let rows = [
        row(110, PEER, 1_000, 50),
        row(110, OTHER, 1_000, 0),
        CensusRow {
            service_port: 80,
            netns_inode: 8,
            ..row(110, OTHER, 1_000, 30)
        },
    ];
    let scenario = Scenario::new().census(rows).tick(at(111));
    let labels = |key: serde_json::Value| -> Vec<String> {
        let outcome = run(&scenario.clone().setting("key", key));
        let labels = outcome.alerts.iter().map(|alert| {
            let labels = alert
                .labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"));
            labels.collect::<Vec<_>>().join(",")
        });
        labels.collect()
    };
    assert_eq!(labels("peer".into()), ["peer=10.0.0.2", "peer=10.0.0.3"]);
    assert_eq!(labels("network".into()), ["network=10.0.0.0/24"]);
    assert_eq!(
        labels("port".into()),
        ["service_port=80", "service_port=443"]
    );
    assert_eq!(labels("netns".into()), ["netns=7", "netns=8"]);
    let both = [
        "peer=10.0.0.2,service_port=443",
        "peer=10.0.0.3,service_port=80",
    ];
    assert_eq!(labels(serde_json::json!(["peer", "port"])), both);
    let wide = scenario
        .clone()
        .setting("key", "network")
        .setting("prefix4", 8);
    assert_eq!(
        run(&wide).alerts[0].label_value("network"),
        Some("10.0.0.0/8")
    );
}

#[test]
fn where_nothing_is_sent_any_more_the_alert_ends() {
    let mut scenario = censuses(&[(1_000, 50)]);
    // The window, and two intervals.
    for second in [120, 189, 190, 191] {
        scenario = scenario.tick(at(second));
    }
    let outcome = run(&scenario);
    assert_eq!(outcome.alerts.len(), 2);
    assert_eq!(outcome.alerts[1].state, AlertState::Resolved);
    assert_eq!(outcome.alerts[1].summary, "nothing was sent since");
    // Another peer still sends: the key has nothing in its window.
    let mut scenario = censuses(&[(1_000, 50)]);
    for number in 2..10 {
        scenario = scenario
            .census([row(100 + 10 * number, OTHER, 1_000, 0)])
            .tick(at(101 + 10 * number));
    }
    let alerts = run(&scenario).alerts;
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[1].state, AlertState::Resolved);
}

#[test]
fn an_interval_that_is_longer_than_the_window_is_judged_as_a_whole() {
    let row = |seconds, again| CensusRow {
        interval: at(300),
        ..row(seconds, PEER, 1_000, again)
    };
    let mut scenario = Scenario::new();
    for (number, again) in [(1, 50), (2, 50), (3, 0)] {
        let now = 300 * number;
        scenario = scenario.census([row(now, again)]);
        // The alert does not end between two censuses.
        for second in 0..300 {
            scenario = scenario.tick(at(now + second));
        }
    }
    let outcome = run(&scenario);
    let told: Vec<_> = said(&outcome)
        .into_iter()
        .map(|(_, is_firing, _)| is_firing)
        .collect();
    assert_eq!(told, [true, false]);
}

#[test]
fn a_ratio_many_times_the_usual_one_is_told() {
    let mut counts = vec![(10_000, 10); 70];
    counts.push((10_000, 60));
    counts.extend([(10_000, 60); 3]);
    // Still an alert: it teaches nothing either.
    counts.extend([(10_000, 30); 3]);
    counts.push((10_000, 10));
    let scenario = censuses(&counts)
        .setting("percent", 50.0)
        .setting("baseline", 5.0)
        .setting("window", "10s");
    let outcome = run(&scenario);
    let summaries: Vec<_> = said(&outcome)
        .into_iter()
        .map(|(_, firing, text)| (firing, text))
        .collect();
    let expected = [
        (
            true,
            "0.6 % of the segments to 10.0.0.2 were sent again: 60 of 10000 in 10s, usually 0.1 %",
        ),
        (
            false,
            "0.1 % of the segments to 10.0.0.2 were sent again: 10 of 10000 in 10s, usually 0.1 %",
        ),
    ];
    assert_eq!(summaries, expected);
    // In the first sixth of the history nothing is usual.
    let mut early = vec![(10_000, 10); 59];
    early.push((10_000, 60));
    let scenario = censuses(&early)
        .setting("percent", 50.0)
        .setting("baseline", 5.0)
        .setting("window", "10s");
    assert_eq!(said(&run(&scenario)), []);
}

#[test]
fn without_retransmits_the_usual_ratio_counts_as_a_hundredth_of_a_percent() {
    for (again, fires) in [(4, false), (5, true)] {
        let mut counts = vec![(10_000, 0); 70];
        counts.push((10_000, again));
        let scenario = censuses(&counts)
            .setting("percent", 50.0)
            .setting("baseline", 5.0)
            .setting("window", "10s");
        assert_eq!(run(&scenario).alerts.len(), usize::from(fires), "{again}");
    }
}

#[test]
fn sums_and_alerts_survive_a_new_version_with_other_settings() {
    let scenario = censuses(&[(600, 75)])
        .reload()
        .census([row(120, PEER, 600, 75)])
        .tick(at(121))
        .reload()
        .setting("percent", 20.0)
        .census([row(130, PEER, 600, 75)])
        .tick(at(131));
    let outcome = run(&scenario);
    // 12.5 % is between 10 % and 20 %: the alert stays.
    assert_eq!(outcome.alerts.len(), 1);
    let other = censuses(&[(1_000, 75)])
        .reload()
        .setting("key", "port")
        .tick(at(200));
    let error = other.run_stateful::<RatioAlert>().expect_err("other keys");
    assert!(format!("{error:#}").contains("other keys"), "{error:#}");
}

#[test]
fn rows_without_an_address_are_counted_and_an_incomplete_census_is_told() {
    let overflow = CensusRow {
        is_overflow: true,
        ..row(110, [0, 0, 0, 0], 5_000, 5_000)
    };
    let incomplete = CensusRow {
        is_complete: false,
        ..row(110, PEER, 1_000, 50)
    };
    let outcome = run(&Scenario::new().census([overflow, incomplete]).tick(at(111)));
    assert_eq!(outcome.counts.get("segments_without_a_row"), Some(&5_000));
    let summary = "5 % of the segments to 10.0.0.2 were sent again: 50 of 1000 in 60s; the census is incomplete";
    assert_eq!(said(&outcome), [(Severity::Warning, true, summary)]);
}

#[test]
fn sums_of_any_size_are_no_fault() {
    let most = row(110, PEER, u64::MAX, u64::MAX);
    let outcome = run(&Scenario::new().census([most, most]).tick(at(111)));
    assert_eq!(outcome.alerts.len(), 1);
}

#[test]
fn events_pass_and_a_stream_without_a_census_is_told_once() {
    let records: Vec<Record> = Synth::new(1).take(50).collect();
    let mut scenario = Scenario::new().events(records.clone());
    for second in 1_010..1_800 {
        scenario = scenario.tick(at(second));
    }
    let outcome = scenario.run::<RatioAlert>().expect("it is sound");
    assert!(outcome.kept.iter().map(|kept| &kept.record).eq(&records));
    assert_eq!(outcome.logs.len(), 1, "{:?}", outcome.logs);
    let with = censuses(&[(1_000, 1)]).tick(at(2_000));
    assert!(
        with.run::<RatioAlert>()
            .expect("it is sound")
            .logs
            .is_empty()
    );
}

#[test]
fn settings_that_cannot_be_are_refused_by_name() {
    for (name, values) in [
        ("percent", vec![0.0, -1.0, 100.1, f64::MAX]),
        ("critical", vec![0.5, 100.1]),
        ("resolve_percent", vec![1.1, -0.1]),
        ("baseline", vec![1.0, 0.0, -3.0]),
        ("prefix4", vec![33.0]),
        ("prefix6", vec![129.0]),
        ("min_segments", vec![0.0]),
    ] {
        for value in values {
            let value: serde_json::Value = match name {
                "prefix4" | "prefix6" | "min_segments" => (value as u64).into(),
                _ => value.into(),
            };
            let scenario = Scenario::new().setting(name, value.clone());
            let error = scenario.run::<RatioAlert>().expect_err(name).to_string();
            assert!(error.starts_with(&format!("{name}: ")), "{value}: {error}");
        }
    }
    for (name, value) in [("window", "0s"), ("history", "0s"), ("key", "pid")] {
        let error = Scenario::new().setting(name, value).run::<RatioAlert>();
        let error = format!("{:#}", error.expect_err(name));
        assert!(error.contains(name), "{error}");
    }
}
