//! Counts in buckets, compared with a list of all events.

use serde_json::json;

use super::*;
use crate::random::Random;

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn handed_over<K: Serialize + for<'de> Deserialize<'de> + Hash + Eq>(
    counter: &BucketedCounter<K>,
) -> BucketedCounter<K> {
    let bytes = crate::cbor::encode(counter, 0).expect("it is plain");
    crate::cbor::decode(&bytes).expect("it was just written")
}

#[test]
fn a_count_is_that_of_the_events_in_the_windows_buckets() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let (window, buckets) = (1 + random.below(5_000), 1 + random.below(20) as u32);
        let mut counter = BucketedCounter::new(at(window), buckets);
        let bucket = counter.bucket().as_nanos() as u64;
        assert!(counter.window() >= at(window) && counter.window() < at(window + 1));
        let mut all: Vec<(u64, u64, u32)> = Vec::new();
        let mut now = 10_000;
        for _ in 0..500 {
            now += random.below(400);
            let time = now - random.below(2) * random.below(1_000);
            let (key, weight) = (random.below(3), random.below(4) as u32);
            all.push((key, time * 1_000_000 / bucket, weight));
            let count = |last: u64| -> u64 {
                let own = all.iter().filter(|(other, _, _)| *other == key);
                let last = own
                    .clone()
                    .map(|(_, bucket, _)| *bucket)
                    .max()
                    .unwrap_or(0)
                    .max(last);
                let within = own.filter(|(_, bucket, _)| bucket + u64::from(buckets) > last);
                within.map(|(_, _, weight)| u64::from(*weight)).sum()
            };
            assert_eq!(
                counter.add_many(key, at(time), weight),
                count(0),
                "seed {seed}"
            );
            let later = now + random.below(6_000);
            let expected = count(later * 1_000_000 / bucket);
            assert_eq!(counter.count(&key, at(later)), expected);
            let listed = counter.iter(at(later)).find(|(other, _)| **other == key);
            assert_eq!(listed.map_or(0, |(_, count)| count), expected);
            if random.below(10) == 0 {
                counter = handed_over(&counter);
            }
        }
    }
}

#[test]
fn an_event_counts_for_the_window_or_for_up_to_a_bucket_less() {
    for begin in (0..60_000).step_by(700) {
        let mut counter = BucketedCounter::new(at(60_000), 6);
        counter.add("a", at(begin));
        let until = (0..)
            .map(|step| begin + step * 100)
            .find(|now| counter.count("a", at(*now)) == 0);
        let counted = until.expect("it expires") - begin;
        assert!((50_000..=60_000).contains(&counted), "{counted}");
    }
}

#[test]
fn late_events_count_and_those_before_the_window_do_not() {
    let mut counter = BucketedCounter::new(at(10_000), 10);
    assert_eq!(counter.add("a", at(20_100)), 1);
    assert_eq!(counter.add("a", at(19_900)), 2);
    assert_eq!(counter.add("a", at(11_000)), 3);
    assert_eq!(counter.add("a", at(10_999)), 3, "too old to count");
    assert_eq!(counter.count("a", at(0)), 3, "the window does not go back");
    assert_eq!(counter.count("a", at(21_000)), 2);
}

#[test]
fn a_step_back_beyond_the_window_and_a_minute_begins_anew() {
    let mut counter = BucketedCounter::new(at(10_000), 10);
    for key in ["a", "b", "c"] {
        assert_eq!(counter.add_many(key, at(1_000_000_000), 7), 7);
    }
    let late = at(1_000_000_000 - 10_000 - 60_000);
    assert_eq!(counter.count("a", late), 7);
    assert_eq!(counter.add("a", late), 7, "too old to count");
    // Of another boot.
    assert_eq!(counter.count("a", at(5_000)), 0);
    assert_eq!(counter.iter(at(5_000)).count(), 0);
    assert_eq!(counter.add("a", at(5_000)), 1);
    assert_eq!(counter.add("a", at(6_000)), 2);
    counter.remove_idle(at(6_000));
    assert_eq!((counter.len(), counter.count("a", at(6_000))), (1, 2));
    // With the time of the first boot again, it is only later.
    assert_eq!(counter.add("a", at(1_000_000_000)), 1);
}

#[test]
fn keys_are_bounded_and_idle_ones_removed_from_the_least_recent() {
    let mut counter = BucketedCounter::with_max_keys(at(1_000), 10, 2);
    for (key, time) in [("a", 0), ("b", 500), ("a", 600), ("c", 700)] {
        counter.add(key, at(time));
    }
    assert_eq!((counter.len(), counter.evicted()), (2, 1));
    assert_eq!(counter.count("b", at(700)), 0);
    counter.remove_idle(at(1_500));
    assert_eq!(counter.len(), 2);
    counter.remove_idle(at(1_600));
    assert_eq!((counter.len(), counter.count("c", at(1_600))), (1, 1));
    counter.remove_idle(Duration::MAX);
    assert!(counter.is_empty());
}

#[test]
fn a_restored_counter_goes_on_within_its_own_bounds() {
    let counted = || {
        let mut counter = BucketedCounter::new(at(10_000), 10);
        for (key, second) in [("a", 1), ("b", 2), ("b", 4), ("c", 6), ("b", 8)] {
            counter.add(key, at(second * 1_000));
        }
        counter
    };
    let mut same = BucketedCounter::new(at(10_000), 10);
    same.restore(counted());
    assert_eq!(same.add("b", at(9_000)), 4);
    // Buckets of 3 s: those of 2 s, of 4 s, and of 8 s.
    let mut other = BucketedCounter::with_max_keys(at(6_000), 2, 2);
    other.restore(counted());
    assert_eq!((other.len(), other.evicted()), (2, 1));
    assert_eq!(other.count("b", at(8_000)), 2, "those of 4 s and 8 s");
    assert_eq!(other.count("b", at(9_000)), 1);
}

#[test]
fn a_window_has_at_least_one_bucket_of_a_nanosecond() {
    let mut counter = BucketedCounter::new(Duration::ZERO, 0);
    assert_eq!(counter.window(), Duration::from_nanos(1));
    assert_eq!(counter.add("a", at(5)), 1);
    assert_eq!(counter.add("a", at(6)), 1);
    let longest: BucketedCounter<u8> = BucketedCounter::new(Duration::MAX, u32::MAX);
    assert_eq!(longest.window.buckets, MAX_BUCKETS);
    assert!(longest.window() > Duration::from_secs(1 << 34));
}

#[test]
fn a_bucket_counts_up_to_the_largest_number() {
    let mut counter = BucketedCounter::new(at(1_000), 1);
    counter.add_many("a", at(0), u32::MAX);
    assert_eq!(counter.add_many("a", at(0), 7), u64::from(u32::MAX));
    assert_eq!(counter.add_many("a", at(1_000), 7), 7);
}

#[test]
fn saved_bytes_that_are_not_possible_are_refused() {
    let counter =
        |window, buckets| json!({"window": window, "evicted": 0, "keys": [9, 0, {"a": buckets}]});
    let window = json!([1_000, 10]);
    let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let after = |bytes: &[u8], more: &[u8]| json!([bytes, more].concat());
    for (value, expected) in [
        (
            counter(json!([0, 10]), json!([])),
            "a window that is not possible",
        ),
        (
            counter(json!([5, 0]), json!([])),
            "a window that is not possible",
        ),
        (
            counter(json!([5, 3_601]), json!([])),
            "a window that is not possible",
        ),
        (
            counter(window.clone(), json!([1])),
            "the bytes end within a number",
        ),
        (
            counter(window.clone(), json!([1, 0x80])),
            "the bytes end within a number",
        ),
        (
            counter(window.clone(), json!([1, 1, 0, 1])),
            "a bucket occurs twice",
        ),
        (
            counter(window.clone(), after(&largest, &[1, 1, 1])),
            "a bucket is too late",
        ),
        (
            counter(window.clone(), after(&[1], &largest)),
            "a count is too large",
        ),
        (
            counter(window.clone(), json!(vec![1; 7_202])),
            "too many buckets",
        ),
        (counter(window, json!("x")), "expected the bytes of counts"),
    ] {
        let read = serde_json::from_value::<BucketedCounter<String>>(value);
        let error = read.expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let odd = counter(json!([u64::MAX, 3_600]), after(&largest, &[5]));
    let odd: BucketedCounter<String> =
        serde_json::from_value(odd).expect("each number is possible");
    let mut counter = BucketedCounter::new(at(1_000), 10);
    counter.restore(odd);
    assert_eq!(counter.add("b".to_owned(), at(1)), 1);
    assert_eq!(counter.count("a", Duration::MAX), 5);
    assert_eq!(
        counter.add("a".to_owned(), at(1)),
        1,
        "it is of another stream"
    );
}

#[test]
fn a_key_that_was_removed_counts_anew() {
    let mut counter = BucketedCounter::new(Duration::from_secs(60), 60);
    let at = Duration::from_secs;
    counter.add_many("a", at(1), 5);
    counter.add_many("b", at(1), 7);
    assert!(counter.remove("a"));
    assert!(!counter.remove("a"));
    assert_eq!(
        (counter.count("a", at(2)), counter.count("b", at(2))),
        (0, 7)
    );
    assert_eq!(counter.add("a", at(2)), 1);
    assert_eq!((counter.len(), counter.evicted()), (2, 0));
}
