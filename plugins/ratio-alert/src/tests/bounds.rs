//! Limits that are reached exactly, ends of alerts, and what is bounded.

use super::*;
use crate::rule::Counted;

fn rule(settings: serde_json::Value) -> Rule {
    let settings = serde_json::from_value(settings).expect("they are settings");
    Rule::new(settings).expect("they are sound")
}

fn plugin() -> RatioAlert {
    let settings = serde_json::from_str("{}").expect("it is an object");
    RatioAlert::new(settings).expect("the defaults are sound")
}

/// Whether each alert fires, and its summary.
fn summaries(outcome: &Outcome) -> Vec<(bool, &str)> {
    let said = said(outcome).into_iter();
    said.map(|(_, is_firing, text)| (is_firing, text)).collect()
}

#[test]
fn a_percentage_that_is_reached_exactly_is_reached_in_whatever_way_it_is_rounded() {
    for hundredths in 1..=10_000 {
        let percent = hundredths as f64 / 100.0;
        let exact = Counted {
            sent: 10_000,
            again: hundredths,
        };
        let less = Counted {
            sent: 1_000_000,
            again: 100 * hundredths - 1,
        };
        // It fires at `percent`, and is critical at `critical`.
        for (critical, severity) in [
            (None, Severity::Warning),
            (Some(percent), Severity::Critical),
        ] {
            let rule = rule(serde_json::json!({"percent": percent, "critical": critical}));
            assert_eq!(
                rule.judge(exact, None),
                Judgement::Firing(severity),
                "{percent}"
            );
            assert_eq!(rule.judge(less, None), Judgement::Between, "{percent}");
        }
        // It stays at `resolve_percent`, and ends below it.
        for above in [1.0, 1.5, 3.0, 7.0] {
            if percent * above > 100.0 {
                continue;
            }
            let settings =
                serde_json::json!({"percent": percent * above, "resolve_percent": percent});
            let rule = rule(settings);
            assert_ne!(rule.judge(exact, None), Judgement::Low, "{percent} {above}");
            assert_eq!(rule.judge(less, None), Judgement::Low, "{percent} {above}");
        }
    }
}

#[test]
fn at_the_end_an_alert_does_not_tell_a_percentage_of_too_few_segments() {
    let scenario = censuses(&[(1_000, 50), (10, 9)]).setting("window", "10s");
    let firing = "5 % of the segments to 10.0.0.2 were sent again: 50 of 1000 in 10s";
    let few = "too few segments to 10.0.0.2 to judge: 10 in 10s";
    assert_eq!(summaries(&run(&scenario)), [(true, firing), (false, few)]);
    // Another peer still sends: the key has nothing in its window.
    let other = [(120, OTHER), (130, OTHER)].map(|(second, peer)| row(second, peer, 1_000, 0));
    let scenario = other.into_iter().fold(
        censuses(&[(1_000, 50)]).setting("window", "10s"),
        |scenario, row| scenario.census([row]).tick(row.time + at(1)),
    );
    let none = "too few segments to 10.0.0.2 to judge: 0 in 10s";
    assert_eq!(summaries(&run(&scenario)), [(true, firing), (false, none)]);
}

#[test]
fn a_critical_alert_whose_ratio_falls_below_percent_is_a_warning() {
    let severities = |counts: &[(u64, u64)]| -> Vec<(Severity, bool)> {
        let scenario = censuses(counts)
            .setting("critical", 5.0)
            .setting("window", "10s");
        let outcome = run(&scenario);
        let said = said(&outcome).into_iter();
        said.map(|(severity, is_firing, _)| (severity, is_firing))
            .collect()
    };
    let expected = [
        (Severity::Critical, true),
        (Severity::Warning, true),
        (Severity::Warning, false),
    ];
    assert_eq!(
        severities(&[(1_000, 60), (1_000, 6), (1_000, 6), (1_000, 4)]),
        expected
    );
    // Of fewer segments than `min_segments` nothing is known: it stays as it is.
    assert_eq!(
        severities(&[(1_000, 60), (999, 1), (500, 0)]),
        expected[..1]
    );
}

#[test]
fn a_new_history_applies_to_what_was_learned_before() {
    let mut scenario = censuses(&[(10_000, 10); 70])
        .setting("percent", 50.0)
        .setting("baseline", 5.0)
        .setting("window", "10s")
        .reload()
        .setting("history", "60s");
    let later = [40; 30].into_iter().chain([400]);
    for (number, again) in (71..).zip(later) {
        let row = row(100 + 10 * number, PEER, 10_000, again);
        scenario = scenario.census([row]).tick(row.time + at(1));
    }
    // 30 censuses are five half-lives of 60 s: 0.1 % has a weight of about 65.5 / 32, and 0.4 % one of about 8.9.
    let expected =
        "4 % of the segments to 10.0.0.2 were sent again: 400 of 10000 in 10s, usually 0.34 %";
    assert_eq!(summaries(&run(&scenario)), [(true, expected)]);
}

#[test]
fn in_the_stream_of_another_boot_an_alert_ends_although_no_census_comes() {
    let mut scenario = Scenario::new()
        .census([row(100_000, PEER, 1_000, 50)])
        .tick(at(100_001));
    // The window, and two intervals.
    for second in 20..=100 {
        scenario = scenario.tick(at(second));
    }
    let outcome = run(&scenario);
    assert_eq!(outcome.alerts.len(), 2);
    assert_eq!(outcome.alerts[1].summary, "nothing was sent since");
    // Time may step back a little.
    let scenario = Scenario::new()
        .census([row(110, PEER, 1_000, 50)])
        .tick(at(111))
        .tick(at(60))
        .tick(at(150));
    assert_eq!(run(&scenario).alerts.len(), 1);
}

#[test]
fn a_window_or_a_saved_interval_of_any_length_is_no_fault() {
    let scenario = censuses(&[(1_000, 50), (1_000, 50)]).setting("window", "18446744073709551615s");
    assert_eq!(run(&scenario).alerts.len(), 1);
    let mut plugin = plugin();
    let mut saved = State::new(&plugin.rule);
    saved.last = Some((at(1), Duration::MAX));
    plugin.restore(saved).expect("the keys are the same");
    let ticked = plugin.on_tick(Duration::MAX, &mut Output::default());
    ticked.expect("it is no fault");
}

#[test]
fn sums_are_kept_of_keys_that_send() {
    let mut plugin = plugin();
    let mut out = Output::default();
    for number in 1..=50 {
        // Clients that come and go, one that stays, and one that is idle.
        let client = [10, 1, 0, number];
        let rows = [
            row(10 * u64::from(number), client, 100, 1),
            row(10 * u64::from(number), PEER, 100, 0),
            row(10 * u64::from(number), OTHER, 0, 0),
        ];
        plugin
            .on_census(&Census::new(rows), &mut out)
            .expect("it is sound");
    }
    // The window has six censuses. Nothing to the one that stays was sent again.
    assert_eq!(plugin.state.keys_with_sums(), (7, 6));
}

#[test]
fn what_was_sent_again_does_not_outlive_what_was_sent() {
    let mut plugin = plugin();
    let (rule, state) = (&plugin.rule, &mut plugin.state);
    let mut add = |row: CensusRow| {
        let key = rule.parts.key(&row);
        state.add(key, &row);
        let Counted { sent, again } = state.counted(&key, row.time);
        (sent, again)
    };
    assert_eq!(add(row(110, PEER, 1_000, 50)), (1_000, 50));
    // It is evicted by others: by as many as there is room for.
    for number in 0..65_536_u32 {
        let [_, rest @ ..] = number.to_be_bytes();
        add(row(
            120,
            [[11].as_slice(), &rest].concat().try_into().expect("four"),
            1,
            0,
        ));
    }
    assert_eq!(add(row(130, PEER, 1_000, 2)), (1_000, 2));
    assert_eq!(add(row(140, PEER, 1_000, 3)), (2_000, 5));
}
