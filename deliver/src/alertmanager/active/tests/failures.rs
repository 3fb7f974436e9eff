//! A replica that is away, or refuses alerts, and the end of a run.

use super::*;

#[test]
fn a_replica_that_is_away_is_tried_with_back_off_and_gets_everything_that_fires() {
    let mut lab = Lab::new(2);
    lab.at(0).raise("a");
    let mut tries = 0;
    for second in 0..1_200 {
        lab.at(second);
        lab.deliver(1);
        if let Next::Deliver(_) = lab.active.next(0, lab.now, false) {
            lab.answer(0, later());
            tries += 1;
        }
    }
    assert!((20..60).contains(&tries), "{tries} tries within 20 min");
    assert_eq!(
        (lab.counted(0), lab.counted(1)),
        ((0, 1, 0, 0), (1, 0, 0, 0))
    );
    // Raised once, 20 minutes ago: the replica learns of it nevertheless, and of its end later.
    lab.at(1_260).raise("b");
    assert_eq!(lab.deliver(0), told(&[("a", "firing"), ("b", "firing")]));
    let error = lab
        .active
        .counted()
        .swap_remove(0)
        .last_error
        .expect("an error");
    assert_eq!(error.cause, "connection refused");
    lab.at(1_559);
    assert_eq!(lab.deliver(0), told(&[("a", "firing"), ("b", "firing")]));
    lab.at(1_560);
    assert_eq!(
        lab.deliver(0),
        told(&[("a", "resolved"), ("b", "resolved")])
    );
}

#[test]
fn a_replica_that_comes_back_gets_all_alerts_at_once_as_it_may_have_forgotten_them() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").deliver(0);
    lab.at(20).raise("b").fail(0);
    lab.at(30);
    assert_eq!(lab.deliver(0), told(&[("b", "firing")]));
    assert_eq!(lab.deliver(0), told(&[("a", "firing")]));
    assert_eq!(lab.deliver(0), told(&[]));
}

#[test]
fn after_a_refusal_each_alert_goes_alone_and_only_the_bad_one_is_lost() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").raise("bad").raise("c");
    assert_eq!(lab.request(0).len(), 3);
    lab.answer(0, refused());
    assert_eq!(lab.counted(0), (0, 3, 0, 0));
    // One that comes now is not held up for long.
    lab.raise("d");
    let mut alone = Vec::new();
    for _ in 0..3 {
        let request = lab.request(0);
        assert_eq!(request.len(), 1);
        let (name, _) = lab.told(&request[0]);
        lab.answer(
            0,
            if name == "bad" {
                refused()
            } else {
                Outcome::Delivered
            },
        );
        alone.push(name);
    }
    assert_eq!(alone, ["a", "bad", "c"]);
    assert_eq!(lab.deliver(0), told(&[("d", "firing")]));
    assert_eq!(lab.counted(0), (3, 0, 0, 1));
    let notes = lab.active.notes(0, lab.now, false);
    let expected = Note::Warning("1 alert was lost: it answered 400 Bad Request".to_owned());
    assert_eq!(notes, [expected]);
    // It is not repeated, and does not spoil the others.
    lab.at(60);
    assert_eq!(
        lab.deliver(0),
        told(&[("a", "firing"), ("c", "firing"), ("d", "firing")])
    );
}

#[test]
fn a_refused_alert_that_is_raised_again_is_tried_once_a_minute() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("bad").request(0);
    lab.answer(0, refused());
    assert_eq!(lab.counted(0), (0, 0, 0, 1));
    for _ in 0..10 {
        lab.at(1).raise("bad");
    }
    lab.at(59);
    assert_eq!(lab.deliver(0), told(&[]));
    assert_eq!(lab.counted(0), (0, 10, 0, 1));
    assert_eq!(lab.at(60).request(0).len(), 1);
    lab.answer(0, refused());
    assert_eq!(lab.counted(0), (0, 0, 0, 11));
    // The receiver has been corrected.
    lab.at(70).raise("bad");
    lab.at(120);
    assert_eq!(lab.deliver(0), told(&[("bad", "firing")]));
    assert_eq!(lab.counted(0), (1, 0, 0, 11));
    lab.at(180);
    assert_eq!(lab.deliver(0), told(&[("bad", "firing")]));
}

#[test]
fn when_closing_all_that_is_queued_is_due_and_nothing_else() {
    let mut lab = Lab::new(1);
    lab.at(0).raise("a").raise("b").deliver(0);
    assert_eq!(lab.at(1).raise("a").request(0).len(), 0);
    lab.at(60).raise("c").fail(0);
    lab.active.close();
    let Next::Deliver(body) = lab.active.next(0, lab.now, true) else {
        panic!("nothing is due");
    };
    let request: Vec<Value> = serde_json::from_slice(&body).expect("JSON");
    let names: Vec<String> = request.iter().map(|alert| lab.told(alert).0).collect();
    assert_eq!(names, ["a", "c"]);
    lab.answer(0, Outcome::Delivered);
    assert!(matches!(lab.active.next(0, lab.now, true), Next::Wait(_)));
    assert_eq!(lab.counted(0), (4, 0, 0, 0));
}
