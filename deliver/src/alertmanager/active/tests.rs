//! What each replica is told, and when; without network and clock.

mod bounds;
mod failures;

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::retry::Retry;
use crate::testing::alert;

const REPEAT: Duration = Duration::from_secs(60);

/// Alerts for some replicas, and a clock that a test sets.
struct Lab {
    active: Active,
    now: Moment,
}

impl Lab {
    fn new(replicas: usize) -> Lab {
        let rules = Rules {
            instance: "web-1".to_owned(),
            labels: Vec::new(),
            generator_url: Some("https://grafana.example.com/".to_owned()),
            resolve_after: Duration::from_secs(300),
            repeat: REPEAT,
        };
        let backoff = || Backoff::new(Retry::default(), Some(1));
        let replicas = (0..replicas).map(|replica| (format!("alertmanager {replica}"), backoff()));
        Lab {
            active: Active::new(rules, &[], replicas.collect()),
            now: Moment::at(0),
        }
    }

    fn at(&mut self, seconds: u64) -> &mut Lab {
        self.now = Moment::at(seconds);
        self
    }

    fn raise(&mut self, name: &str) -> &mut Lab {
        self.accept(&alert(name, State::Firing))
    }

    fn resolve(&mut self, name: &str) -> &mut Lab {
        self.accept(&alert(name, State::Resolved))
    }

    fn accept(&mut self, alert: &Alert) -> &mut Lab {
        let alert = Alert {
            wall_time: self.now.wall,
            ..alert.clone()
        };
        self.active.accept(&alert, self.now);
        self
    }

    /// The alerts of the next request to a replica; empty if nothing is due.
    fn request(&mut self, replica: usize) -> Vec<Value> {
        match self.active.next(replica, self.now, false) {
            Next::Deliver(body) => serde_json::from_slice(&body).expect("JSON"),
            Next::Wait(_) => Vec::new(),
        }
    }

    /// Name and state of each alert of the next request, which is accepted.
    fn deliver(&mut self, replica: usize) -> BTreeMap<String, &'static str> {
        let request = self.request(replica);
        if !request.is_empty() {
            self.answer(replica, Outcome::Delivered);
        }
        request.iter().map(|alert| self.told(alert)).collect()
    }

    fn told(&self, alert: &Value) -> (String, &'static str) {
        let name = alert["labels"]["alertname"].as_str().expect("a name");
        let ends_at: jiff::Timestamp = alert["endsAt"]
            .as_str()
            .expect("a time")
            .parse()
            .expect("a time");
        let now = jiff::Timestamp::from_second(self.now.wall.as_secs() as i64).expect("a time");
        (
            name.to_owned(),
            if ends_at > now { "firing" } else { "resolved" },
        )
    }

    fn answer(&mut self, replica: usize, outcome: Outcome) {
        self.active.answered(replica, outcome, self.now);
    }

    fn fail(&mut self, replica: usize) {
        assert!(
            !self.request(replica).is_empty(),
            "nothing is due at {:?}",
            self.now.steady
        );
        self.answer(replica, later());
    }

    /// Seconds until the next wake-up.
    fn waits(&mut self, replica: usize) -> Option<u64> {
        match self.active.next(replica, self.now, false) {
            Next::Deliver(_) => panic!("something is due"),
            Next::Wait(until) => until.map(|until| until.saturating_sub(self.now.steady).as_secs()),
        }
    }

    /// Sent, queued, dropped and failed.
    fn counted(&self, replica: usize) -> (u64, u64, u64, u64) {
        let counted = self.active.counted().swap_remove(replica);
        assert!(counted.balances(), "{counted:?}");
        (
            counted.sent,
            counted.queued,
            counted.dropped,
            counted.failed,
        )
    }
}

fn later() -> Outcome {
    Outcome::Later {
        why: "connection refused".to_owned(),
        retry_after: None,
    }
}

fn refused() -> Outcome {
    Outcome::Refused("it answered 400 Bad Request".to_owned())
}

fn told(alerts: &[(&str, &'static str)]) -> BTreeMap<String, &'static str> {
    alerts
        .iter()
        .map(|(name, state)| ((*name).to_owned(), *state))
        .collect()
}

#[test]
fn an_alert_is_posted_as_alertmanager_takes_it() {
    let mut lab = Lab::new(1);
    let request = lab.at(1).raise("loss").request(0);
    let expected = serde_json::json!([{
        "labels": {
            "alertname": "loss", "instance": "web-1", "peer": "10.0.0.2", "plugin": "ratio", "severity": "warning",
        },
        "annotations": {
            "summary": "loss is firing", "source": "10.0.0.1:40000", "destination": "10.0.0.2:443",
        },
        "startsAt": "2027-01-15T08:00:01.000Z",
        "endsAt": "2027-01-15T08:04:01.000Z",
        "generatorURL": "https://grafana.example.com/",
    }]);
    assert_eq!(Value::Array(request), expected);
}

#[test]
fn an_alert_is_repeated_and_not_counted_again() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a");
    assert_eq!(lab.deliver(0), told(&[("a", "firing")]));
    assert_eq!(lab.waits(0), Some(60));
    for minute in 1..5 {
        lab.at(minute * 60 - 1);
        assert_eq!(lab.deliver(0), told(&[]));
        lab.at(minute * 60);
        assert_eq!(lab.deliver(0), told(&[("a", "firing")]));
    }
    assert_eq!(lab.counted(0), (1, 0, 0, 0));
}

#[test]
fn repetitions_that_are_soon_due_come_along_with_others() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").deliver(0);
    lab.at(10).raise("b").deliver(0);
    lab.at(30).raise("c").deliver(0);
    lab.at(60);
    assert_eq!(lab.deliver(0), told(&[("a", "firing"), ("b", "firing")]));
}

#[test]
fn an_alert_that_is_not_raised_again_ends_and_one_that_is_goes_on() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").raise("b").deliver(0);
    lab.at(200).raise("b");
    while !lab.deliver(0).is_empty() {}
    lab.at(299);
    assert_eq!(lab.deliver(0), told(&[("a", "firing"), ("b", "firing")]));
    assert_eq!(lab.waits(0), Some(1));
    lab.at(300);
    assert_eq!(lab.deliver(0), told(&[("a", "resolved")]));
    // Resolved ones are repeated for a quarter of an hour.
    lab.at(360);
    assert_eq!(lab.deliver(0), told(&[("a", "resolved"), ("b", "firing")]));
    lab.at(1_199);
    assert!(lab.deliver(0).contains_key("a"));
    lab.at(1_300);
    assert!(!lab.deliver(0).contains_key("a"));
    assert_eq!(lab.counted(0), (3, 0, 0, 0));
}

#[test]
fn a_resolved_alert_ends_at_once_with_the_time_of_the_stream() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").deliver(0);
    let mut resolved = alert("a", State::Resolved);
    resolved.wall_time = Moment::at(7).wall;
    lab.active.accept(&resolved, Moment::at(10));
    let request = lab.at(10).request(0);
    assert_eq!(request[0]["endsAt"], "2027-01-15T08:00:07.000Z");
    assert_eq!(request[0]["annotations"]["summary"], "a is resolved");
    lab.answer(0, Outcome::Delivered);
    assert_eq!(lab.counted(0), (2, 0, 0, 0));
}

#[test]
fn alerts_of_a_plugin_that_resolves_them_do_not_end_by_themselves() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").raise("b").deliver(0);
    lab.at(10).resolve("a").deliver(0);
    lab.at(3_600);
    assert_eq!(lab.deliver(0), told(&[("b", "firing")]));
    lab.at(86_400);
    assert_eq!(lab.deliver(0), told(&[("b", "resolved")]));
}

#[test]
fn an_alert_that_fires_again_after_its_end_starts_anew() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").deliver(0);
    lab.at(10).resolve("a").deliver(0);
    let request = lab.at(20).raise("a").request(0);
    assert_eq!(lab.told(&request[0]), ("a".to_owned(), "firing"));
    assert_eq!(request[0]["startsAt"], "2027-01-15T08:00:20.000Z");
}

#[test]
fn an_alert_raised_many_times_is_one_and_all_of_it_is_counted() {
    let mut lab = Lab::new(1);
    for _ in 0..1_000 {
        lab.raise("a");
    }
    assert_eq!(lab.counted(0), (0, 1_000, 0, 0));
    assert_eq!(lab.request(0).len(), 1);
    // Those that come meanwhile are told with the next request.
    lab.raise("a");
    lab.answer(0, Outcome::Delivered);
    assert_eq!(lab.counted(0), (1_000, 1, 0, 0));
    lab.at(4);
    assert_eq!(lab.deliver(0), told(&[]));
    lab.at(5);
    assert_eq!(lab.deliver(0), told(&[("a", "firing")]));
    assert_eq!(lab.counted(0), (1_001, 0, 0, 0));
}

#[test]
fn an_alert_that_changes_often_is_told_once_a_second() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").deliver(0);
    for _ in 0..100 {
        lab.resolve("a").raise("a").resolve("a");
    }
    assert_eq!(lab.deliver(0), told(&[]));
    lab.at(1);
    assert_eq!(lab.deliver(0), told(&[("a", "resolved")]));
    assert_eq!(lab.counted(0), (301, 0, 0, 0));
}

#[test]
fn a_new_severity_ends_the_alert_before_it() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").deliver(0);
    let mut critical = alert("a", State::Firing);
    critical.severity = Severity::Critical;
    let request = lab.at(10).accept(&critical).request(0);
    let states: Vec<_> = request
        .iter()
        .map(|alert| (alert["labels"]["severity"].as_str(), lab.told(alert).1))
        .collect();
    assert_eq!(
        states,
        [(Some("warning"), "resolved"), (Some("critical"), "firing")]
    );
    lab.answer(0, Outcome::Delivered);
    // The end has the severity of a warning; what fires is critical.
    let request = lab.at(20).resolve("a").request(0);
    assert_eq!(request[0]["labels"]["severity"], "critical");
    assert_eq!(lab.told(&request[0]).1, "resolved");
}

#[test]
fn the_end_of_an_alert_that_is_unknown_is_told() {
    let mut lab = Lab::new(1);
    assert_eq!(
        lab.at(0).resolve("a").deliver(0),
        told(&[("a", "resolved")])
    );
    assert_eq!(lab.counted(0), (1, 0, 0, 0));
}
