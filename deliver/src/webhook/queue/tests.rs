//! What is delivered, in which order and when; without network and clock.

use super::*;
use crate::retry::Retry;
use crate::testing::alert;

/// A queue, and a clock that a test sets.
struct Lab {
    queue: Queue,
    now: Moment,
}

impl Lab {
    fn new() -> Lab {
        Lab::with(Duration::from_secs(60))
    }

    fn with(again_after: Duration) -> Lab {
        let rules = Rules {
            again_after,
            max_age: Duration::from_secs(3_600),
        };
        let backoff = Backoff::new(Retry::default(), Some(1));
        Lab {
            queue: Queue::new("webhook a".to_owned(), rules, backoff),
            now: Moment::at(0),
        }
    }

    fn at(&mut self, seconds: u64) -> &mut Lab {
        self.now = Moment::at(seconds);
        self
    }

    fn raise(&mut self, name: &str) -> &mut Lab {
        self.queue.accept(&alert(name, State::Firing), self.now);
        self
    }

    fn resolve(&mut self, name: &str) -> &mut Lab {
        self.queue.accept(&alert(name, State::Resolved), self.now);
        self
    }

    fn next(&mut self) -> Option<Delivery> {
        match self.queue.next(0, self.now, false) {
            Next::Deliver(delivery) => Some(delivery),
            Next::Wait(_) => None,
        }
    }

    /// All that is due, as `name state number`. It is accepted.
    fn deliver(&mut self) -> Vec<String> {
        let mut delivered = Vec::new();
        while let Some(delivery) = self.next() {
            self.answer(Outcome::Delivered);
            let Delivery { alert, raised, .. } = delivery;
            delivered.push(format!("{} {} {raised}", alert.name, alert.state));
        }
        delivered
    }

    fn answer(&mut self, outcome: Outcome) {
        self.queue.answered(0, outcome, self.now);
    }

    /// Sent, queued, dropped and failed.
    fn counted(&self) -> (u64, u64, u64, u64) {
        let counted = self.queue.counted().swap_remove(0);
        assert!(counted.balances(), "{counted:?}");
        (
            counted.sent,
            counted.queued,
            counted.dropped,
            counted.failed,
        )
    }
}

fn later(retry_after: Option<u64>) -> Outcome {
    Outcome::Later {
        why: "it answered 500 Internal Server Error".to_owned(),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

#[test]
fn alerts_are_delivered_in_their_order() {
    let mut lab = Lab::new();
    lab.raise("a").raise("b").resolve("a").raise("c");
    assert_eq!(
        lab.deliver(),
        ["a firing 1", "b firing 1", "a resolved 1", "c firing 1"]
    );
    assert_eq!(lab.counted(), (4, 0, 0, 0));
}

#[test]
fn an_alert_raised_again_within_a_minute_is_delivered_once_with_the_number() {
    let mut lab = Lab::new();
    assert_eq!(lab.at(0).raise("a").deliver(), ["a firing 1"]);
    (1..60).for_each(|second| assert_eq!(lab.at(second).raise("a").deliver(), [""; 0]));
    assert_eq!(lab.counted(), (1, 59, 0, 0));
    assert_eq!(lab.at(60).deliver(), ["a firing 59"]);
    assert_eq!(lab.counted(), (60, 0, 0, 0));
    assert_eq!(lab.at(200).raise("a").deliver(), ["a firing 1"]);
}

#[test]
fn an_end_is_delivered_at_once_after_what_was_raised_before_it() {
    let mut lab = Lab::new();
    lab.at(0).raise("a").deliver();
    lab.at(1).raise("a").raise("a").resolve("a");
    assert_eq!(lab.deliver(), ["a firing 2", "a resolved 1"]);
    // It fires again: that is new.
    assert_eq!(lab.at(2).raise("a").deliver(), ["a firing 1"]);
    lab.at(3).resolve("a").raise("a");
    assert_eq!(lab.deliver(), ["a resolved 1", "a firing 1"]);
}

#[test]
fn what_is_raised_while_the_alert_is_delivered_waits_for_its_minute() {
    let mut lab = Lab::new();
    lab.at(0).raise("a").next().expect("a delivery");
    lab.at(1).raise("a");
    lab.answer(Outcome::Delivered);
    assert_eq!(lab.at(2).deliver(), [""; 0]);
    assert_eq!(lab.at(61).deliver(), ["a firing 1"]);
    // While an end is delivered, the alert fires anew.
    lab.at(62).resolve("a").next().expect("a delivery");
    lab.raise("a");
    lab.answer(Outcome::Delivered);
    assert_eq!(lab.deliver(), ["a firing 1"]);
}

#[test]
fn without_such_a_time_each_alert_is_delivered() {
    let mut lab = Lab::with(Duration::ZERO);
    lab.raise("a").raise("a").raise("a");
    assert_eq!(lab.deliver(), ["a firing 1", "a firing 1", "a firing 1"]);
}

#[test]
fn each_attempt_has_the_same_identifier_and_each_delivery_another_one() {
    let mut lab = Lab::new();
    lab.at(0).raise("a").raise("b");
    let first = lab.next().expect("a delivery");
    lab.answer(later(None));
    // The alert of a delivery that was attempted does not change.
    lab.raise("a");
    assert_eq!(lab.next(), None, "the receiver is tried at once");
    lab.at(2);
    assert_eq!(lab.next(), Some(first.clone()));
    lab.answer(Outcome::Delivered);
    let second = lab.next().expect("a delivery");
    assert_eq!((second.alert.name.as_str(), second.raised), ("b", 1));
    assert_ne!(first.id, second.id);
}

#[test]
fn a_receiver_says_when_it_wants_to_be_asked_again() {
    let mut lab = Lab::new();
    lab.at(0).raise("a").next().expect("a delivery");
    lab.answer(later(Some(30)));
    assert_eq!(
        lab.queue.next(0, Moment::at(29), false),
        Next::Wait(Some(Duration::from_secs(30)))
    );
    assert_eq!(lab.at(30).deliver(), ["a firing 1"]);
}

#[test]
fn an_alert_that_is_refused_is_lost_and_told_and_does_not_hold_up_others() {
    let mut lab = Lab::new();
    lab.at(0).raise("a").raise("b").next().expect("a delivery");
    lab.answer(Outcome::Refused("it answered 400 Bad Request".to_owned()));
    assert_eq!(lab.deliver(), ["b firing 1"]);
    assert_eq!(lab.counted(), (1, 0, 0, 1));
    let expected = Note::Warning("1 alert was lost: it answered 400 Bad Request".to_owned());
    assert_eq!(lab.queue.notes(0, lab.now, false), [expected]);
}

#[test]
fn a_delivery_is_given_up_after_an_hour() {
    let mut lab = Lab::new();
    lab.at(0).raise("a");
    lab.at(10).raise("b");
    for second in 0..3_600 {
        if lab.at(second).next().is_some() {
            lab.answer(later(None));
        }
    }
    assert_eq!(lab.counted(), (0, 2, 0, 0));
    lab.at(3_600).next();
    assert_eq!(lab.counted(), (0, 1, 0, 1));
    assert_eq!(lab.at(3_609).deliver(), ["b firing 1"]);
    let notes = lab.queue.notes(0, lab.now, false);
    let expected =
        "1 alert was lost: not delivered within 3600 s: it answered 500 Internal Server Error";
    assert!(
        notes.contains(&Note::Warning(expected.to_owned())),
        "{notes:?}"
    );
}

#[test]
fn beyond_the_bounds_alerts_are_counted_as_dropped() {
    let mut lab = Lab::new();
    for number in 0..MAX_WAITING + 5 {
        lab.raise(&format!("a{number}"));
    }
    assert_eq!(lab.counted(), (0, MAX_WAITING as u64, 5, 0));
    // One that waits takes in what is raised again.
    lab.raise("a0");
    assert_eq!(lab.counted(), (0, MAX_WAITING as u64 + 1, 5, 0));
    assert_eq!(lab.deliver().len(), MAX_WAITING);
    assert_eq!(lab.queue.bytes, 0);
    assert!(lab.queue.last.is_empty());

    let mut large = alert("large", State::Firing);
    large.summary = "x".repeat(5 << 20);
    lab.at(1);
    lab.queue.accept(&large, lab.now);
    large.name = "other".to_owned();
    lab.queue.accept(&large, lab.now);
    assert_eq!(lab.counted(), (MAX_WAITING as u64 + 1, 1, 6, 0));
}

#[test]
fn when_closing_nothing_waits_for_its_time() {
    let mut lab = Lab::new();
    lab.at(0).raise("a").deliver();
    lab.at(1).raise("a");
    lab.raise("b").next().expect("a delivery");
    lab.answer(later(Some(600)));
    assert_eq!(lab.next(), None);
    lab.queue.close();
    for expected in ["b", "a"] {
        let Next::Deliver(delivery) = lab.queue.next(0, lab.now, true) else {
            panic!("{expected} is not due");
        };
        assert_eq!(delivery.alert.name, expected);
        lab.answer(Outcome::Delivered);
    }
    assert_eq!(lab.counted(), (3, 0, 0, 0));
}

#[test]
fn what_is_remembered_of_deliveries_is_bounded() {
    let mut lab = Lab::new();
    for number in 0..MAX_REMEMBERED + 10 {
        lab.raise(&format!("a{number}")).deliver();
    }
    assert_eq!(lab.queue.delivered.len(), MAX_REMEMBERED);
}
