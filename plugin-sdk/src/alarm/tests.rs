//! When alerts are raised, rise, fall and end.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::alert::AlertState;
use crate::random::Random;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Warning at 10, critical at 50, resolved below 5 for 30 s.
fn alarm() -> Alarm<&'static str> {
    let alarm = Alarm::new("burst").warning_at(10).critical_at(50);
    alarm.resolve_below(5).hold(at(30))
}

fn set(alarm: &mut Alarm<&'static str>, value: u64, now: u64) -> Option<(Severity, AlertState)> {
    let alert = alarm.update("a", value, at(now), |alert| alert.label("key", "a"))?;
    assert_eq!(
        (alert.name.as_str(), alert.label_value("key")),
        ("burst", Some("a"))
    );
    Some((alert.severity, alert.state))
}

/// The alerts of a tick, all for the key `a`.
fn tick(alarm: &mut Alarm<&'static str>, now: u64) -> Vec<(Severity, AlertState)> {
    let alerts = alarm.tick(at(now), |key, alert| alert.summary(key));
    let named = |alert: &Alert| alert.label_value("key") == Some("a") && alert.summary == "a";
    assert!(alerts.iter().all(named), "{alerts:?}");
    alerts
        .iter()
        .map(|alert| (alert.severity, alert.state))
        .collect()
}

const WARNING: (Severity, AlertState) = (Severity::Warning, AlertState::Firing);
const CRITICAL: (Severity, AlertState) = (Severity::Critical, AlertState::Firing);
const RESOLVED: (Severity, AlertState) = (Severity::Warning, AlertState::Resolved);

#[test]
fn it_fires_where_a_step_is_reached_and_not_again() {
    let mut alarm = alarm();
    let values = [0, 9, 10, 11, 49, 50, 70, 49, 50, 10];
    let raised: Vec<_> = (0..)
        .zip(values)
        .filter_map(|(now, value)| set(&mut alarm, value, now))
        .collect();
    assert_eq!(raised, [WARNING, CRITICAL]);
    assert_eq!(
        (alarm.active(), alarm.severity(&"a")),
        (1, Some(Severity::Critical))
    );
}

#[test]
fn a_value_beyond_all_steps_fires_the_highest_at_once() {
    assert_eq!(set(&mut alarm(), 50, 0), Some(CRITICAL));
}

#[test]
fn a_silent_key_falls_step_by_step_and_is_resolved() {
    let mut alarm = alarm();
    set(&mut alarm, 60, 0);
    set(&mut alarm, 10, 10);
    assert_eq!(tick(&mut alarm, 29), []);
    assert_eq!(tick(&mut alarm, 30), [WARNING]);
    assert_eq!(tick(&mut alarm, 39), []);
    assert_eq!(tick(&mut alarm, 40), [RESOLVED]);
    assert_eq!(tick(&mut alarm, 41), []);
    assert_eq!((alarm.active(), alarm.severity(&"a")), (0, None));
    assert_eq!(alarm.keys.len(), 0, "it is forgotten");
}

#[test]
fn a_low_value_resolves_after_the_time_to_hold_without_a_tick() {
    let mut alarm = alarm();
    set(&mut alarm, 10, 0);
    assert_eq!(set(&mut alarm, 4, 29), None);
    assert_eq!(set(&mut alarm, 4, 30), Some(RESOLVED));
    assert_eq!(set(&mut alarm, 10, 31), Some(WARNING));
}

#[test]
fn a_value_between_the_bounds_keeps_the_alert() {
    let mut alarm = alarm();
    set(&mut alarm, 10, 0);
    for now in 1..100 {
        assert_eq!(
            (set(&mut alarm, 5, now), tick(&mut alarm, now)),
            (None, vec![])
        );
    }
    assert_eq!(tick(&mut alarm, 128), []);
    assert_eq!(tick(&mut alarm, 129), [RESOLVED]);
}

#[test]
fn a_value_that_flaps_around_a_step_raises_nothing() {
    let mut alarm = alarm();
    set(&mut alarm, 50, 0);
    for now in 1..200 {
        let value = if now % 20 == 0 { 50 } else { 3 };
        assert_eq!(
            (set(&mut alarm, value, now), tick(&mut alarm, now)),
            (None, vec![])
        );
    }
}

#[test]
fn in_the_cool_down_a_key_raises_nothing() {
    let mut alarm = alarm().cool_down(at(100));
    set(&mut alarm, 10, 0);
    assert_eq!(tick(&mut alarm, 30), [RESOLVED]);
    assert_eq!(set(&mut alarm, 60, 129), None);
    assert_eq!(alarm.severity(&"a"), None);
    assert_eq!(set(&mut alarm, 60, 130), Some(CRITICAL));
    assert_eq!(
        tick(&mut alarm, 160),
        [(Severity::Critical, AlertState::Resolved)]
    );
    assert_eq!((tick(&mut alarm, 259), alarm.keys.len()), (vec![], 1));
    assert_eq!((tick(&mut alarm, 260), alarm.keys.len()), (vec![], 0));
}

#[test]
fn without_a_time_to_hold_a_low_value_resolves_at_once() {
    let mut alarm = alarm().hold(Duration::ZERO);
    set(&mut alarm, 50, 1);
    assert_eq!(tick(&mut alarm, 1), [], "the value is of this time");
    assert_eq!(set(&mut alarm, 10, 2), Some(WARNING));
    assert_eq!(set(&mut alarm, 4, 3), Some(RESOLVED));
}

#[test]
fn times_may_step_back() {
    let mut alarm = alarm();
    set(&mut alarm, 10, 31);
    assert_eq!(set(&mut alarm, 10, 30), None);
    assert_eq!(tick(&mut alarm, 60), []);
    assert_eq!(tick(&mut alarm, 61), [RESOLVED]);
}

#[test]
fn the_lower_bound_is_at_most_the_lowest_step() {
    let mut high: Alarm<&str> = Alarm::new("burst")
        .warning_at(10)
        .resolve_below(90)
        .hold(at(30));
    set(&mut high, 10, 0);
    set(&mut high, 10, 20);
    assert_eq!(tick(&mut high, 49), []);
    assert_eq!(set(&mut high, 9, 50), Some(RESOLVED));
    let mut none: Alarm<&str> = Alarm::new("burst").step(Severity::Info, 1).hold(at(5));
    assert_eq!(
        set(&mut none, 1, 0),
        Some((Severity::Info, AlertState::Firing))
    );
    assert_eq!(
        set(&mut none, 0, 5),
        Some((Severity::Info, AlertState::Resolved))
    );
}

#[test]
fn a_step_that_is_not_below_those_of_higher_severities_has_no_effect() {
    let critical = (Severity::Critical, AlertState::Firing);
    let ended = (Severity::Critical, AlertState::Resolved);
    for warning in [10, 50] {
        let alarm = Alarm::new("burst").warning_at(warning).critical_at(10);
        let mut alarm = alarm.resolve_below(5).hold(at(30));
        assert_eq!(set(&mut alarm, 20, 0), Some(critical));
        for now in 1..100 {
            assert_eq!(
                (set(&mut alarm, 7, now), tick(&mut alarm, now)),
                (None, vec![])
            );
        }
        assert_eq!(set(&mut alarm, 60, 100), None);
        assert_eq!(tick(&mut alarm, 130), [ended]);
    }
    // The step of a warning has no effect, and that of an information is the lowest.
    let alarm = Alarm::new("burst").info_at(8).warning_at(50);
    let mut alarm = alarm.critical_at(10).resolve_below(5).hold(at(30));
    assert_eq!(set(&mut alarm, 20, 0), Some(critical));
    for now in 1..30 {
        assert_eq!(set(&mut alarm, 7, now), None);
    }
    let info = (Severity::Info, AlertState::Firing);
    assert_eq!(set(&mut alarm, 7, 30), Some(info));
    assert_eq!(set(&mut alarm, 50, 31), Some(critical));
}

#[test]
fn without_a_step_nothing_is_raised() {
    assert_eq!(set(&mut Alarm::new("burst"), u64::MAX, 0), None);
}

#[test]
fn name_state_severity_and_first_labels_stay_whatever_is_described() {
    let mut alarm = alarm();
    let odd = |number: u32| {
        move |alert: Alert| {
            let mut alert = alert.label("number", number).resolved();
            alert.name = "other".to_owned();
            alert.severity = Severity::Info;
            alert
        }
    };
    let first = alarm.update("a", 10, at(0), odd(1)).expect("it fires");
    let second = alarm.update("a", 50, at(0), odd(2)).expect("it rises");
    let last = alarm.tick(at(30), |_, alert| odd(3)(alert)).remove(0);
    for alert in [&first, &second, &last] {
        assert_eq!(
            (alert.name.as_str(), alert.label_value("number")),
            ("burst", Some("1"))
        );
    }
    assert_eq!((first.severity, first.state), WARNING);
    assert_eq!((second.severity, second.state), CRITICAL);
    assert_eq!(last.state, AlertState::Resolved);
    // An alert without labels stays without.
    let first = alarm.update("b", 10, at(0), |alert| alert);
    assert!(first.is_some());
    let second = alarm.update("b", 50, at(0), odd(2)).expect("it rises");
    assert_eq!(second.labels, []);
}

#[test]
fn beyond_the_maximum_nothing_fires_until_an_alert_has_ended() {
    let mut alarm: Alarm<u32> = Alarm::new("burst").warning_at(1).max_keys(2).hold(at(10));
    let raise =
        |alarm: &mut Alarm<u32>, key, now| alarm.update(key, 1, at(now), |alert| alert).is_some();
    assert!(raise(&mut alarm, 1, 0));
    assert!(raise(&mut alarm, 2, 5));
    assert!(!raise(&mut alarm, 3, 6));
    assert_eq!((alarm.suppressed(), alarm.active()), (1, 2));
    assert_eq!(alarm.tick(at(10), |_, alert| alert).len(), 1);
    assert!(raise(&mut alarm, 3, 11));
}

#[test]
fn keys_have_alerts_of_their_own_in_the_order_in_which_they_fired() {
    let mut alarm: Alarm<u32> = Alarm::new("burst").warning_at(1).hold(at(10));
    for key in [3, 1, 2] {
        let raised = alarm.update(key, 1, at(0), |alert| alert.label("key", key));
        assert!(raised.is_some());
    }
    let resolved = alarm.tick(at(10), |_, alert| alert);
    let keys: Vec<_> = resolved
        .iter()
        .map(|alert| alert.label_value("key"))
        .collect();
    assert_eq!(keys, [Some("3"), Some("1"), Some("2")]);
}

#[test]
fn a_key_that_fires_again_without_a_tick_keeps_its_place() {
    let alarm: Alarm<u32> = Alarm::new("burst").warning_at(1).hold(at(1));
    let mut alarm = alarm.cool_down(at(5));
    let set = |alarm: &mut Alarm<u32>, key: u32, value, now| {
        alarm.update(key, value, at(now), |alert| alert.label("key", key))
    };
    for (key, value, now) in [(1, 1, 0), (2, 1, 0), (1, 0, 1), (2, 1, 5), (1, 1, 6)] {
        assert_eq!(
            set(&mut alarm, key, value, now).is_some(),
            (key, now) != (2, 5)
        );
    }
    let resolved = alarm.tick(at(20), |_, alert| alert);
    assert_eq!(resolved.len(), 2);
    assert_eq!(resolved[0].label_value("key"), Some("1"));
}

fn handed_over(alarm: &Alarm<String>) -> Alarm<String> {
    let bytes = crate::cbor::encode(alarm, 0).expect("it is plain");
    crate::cbor::decode(&bytes).expect("it was just written")
}

/// Raises and ends alerts at random. `reload` hands the alarm over before each step.
fn random_alerts(seed: u64, reload: bool) -> Vec<Alert> {
    let fresh = || {
        let alarm = Alarm::new("burst").info_at(3).warning_at(6).critical_at(8);
        alarm
            .resolve_below(2)
            .hold(at(7))
            .cool_down(at(3))
            .max_keys(4)
    };
    let (mut random, mut alarm, mut alerts) = (Random(seed), fresh(), Vec::new());
    for now in 0..2_000 {
        if reload {
            let saved = handed_over(&alarm);
            alarm = fresh();
            alarm.restore(saved);
        }
        let key = random.below(6).to_string();
        let value = random.below(4) * random.below(4);
        let late = at(now + 5) - Duration::from_millis(random.below(1_000));
        let label = key.clone();
        alerts.extend(alarm.update(key, value, late, |alert| alert.label("key", label)));
        alerts.extend(alarm.tick(at(now + 5), |_, alert| alert));
    }
    alerts
}

#[test]
fn each_alert_changes_the_state_of_its_labels_and_reloads_make_no_difference() {
    for seed in 0..10 {
        let alerts = random_alerts(seed, false);
        let mut active: BTreeMap<String, Severity> = BTreeMap::new();
        let mut kinds = [0; 3];
        for alert in &alerts {
            let key = alert.label_value("key").expect("each has it").to_owned();
            let before = active.get(&key).copied();
            match alert.state {
                AlertState::Resolved => {
                    assert_eq!(before, Some(alert.severity), "only what is active ends");
                    active.remove(&key);
                    kinds[0] += 1;
                }
                AlertState::Firing => {
                    assert_ne!(before, Some(alert.severity), "nothing is raised twice");
                    kinds[if before > Some(alert.severity) { 1 } else { 2 }] += 1;
                    active.insert(key, alert.severity);
                }
            }
            assert!(active.len() <= 4);
        }
        assert!(kinds.iter().all(|times| *times > 20), "{kinds:?}");
        assert_eq!(random_alerts(seed, true), alerts);
    }
}

#[test]
fn a_restored_alarm_goes_by_its_own_steps_and_times() {
    let mut saved = Alarm::new("burst").warning_at(10).hold(at(30));
    let raised = saved.update("a".to_owned(), 10, at(100), |alert| alert.label("key", "a"));
    assert!(raised.is_some());
    let mut alarm = Alarm::new("burst").critical_at(20).hold(at(5));
    alarm.restore(handed_over(&saved));
    assert_eq!(alarm.severity(&"a".to_owned()), Some(Severity::Warning));
    let resolved = alarm.tick(at(101), |_, alert| alert);
    assert_eq!(resolved.len(), 1, "there is no such step any more");
    assert_eq!(resolved[0].label_value("key"), Some("a"));
}

#[test]
fn an_alert_with_times_of_another_boot_ends() {
    let mut saved = Alarm::new("burst").warning_at(10).hold(at(30));
    let raised = saved.update("a".to_owned(), 10, at(1_000_000), |alert| alert);
    assert!(raised.is_some());
    let mut alarm = handed_over(&saved);
    assert_eq!(alarm.tick(at(5), |_, alert| alert), []);
    assert_eq!(alarm.tick(at(34), |_, alert| alert), []);
    assert_eq!(alarm.tick(at(35), |_, alert| alert).len(), 1);
}

#[test]
fn saved_bytes_that_are_not_possible_are_refused_or_harmless() {
    let alarm = |key| {
        json!({
            "name": "burst",
            "rule": {"steps": [null, 10, null], "resolve_below": null, "hold": u64::MAX, "cool_down": u64::MAX},
            "keys": [9, 0, {"a": key}],
            "suppressed": u64::MAX,
        })
    };
    for (key, expected) in [
        (
            json!({"s": "grave", "k": [0, 0, 0], "l": null}),
            "unknown variant",
        ),
        (json!({"s": null, "k": [0, 0], "l": null}), "invalid length"),
        (
            json!({"s": null, "k": [0, 0, -1], "l": null}),
            "invalid value",
        ),
        (json!({"s": null, "k": [0, 0, 0], "l": 5}), "invalid type"),
    ] {
        let error = serde_json::from_value::<Alarm<String>>(alarm(key)).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let odd =
        alarm(json!({"s": "critical", "k": [u64::MAX, u64::MAX, u64::MAX], "l": [["a", "b"]]}));
    let mut odd: Alarm<String> = serde_json::from_value(odd).expect("each field is possible");
    let falls = odd.tick(at(1), |_, alert| alert);
    assert_eq!(
        falls[0].severity,
        Severity::Warning,
        "there is no critical step"
    );
    assert!(
        odd.update("b".to_owned(), 10, Duration::MAX, |alert| alert)
            .is_some()
    );
    assert_eq!(odd.active(), 2);
}
