//! Quantiles, compared with those of the sorted values.

use super::*;
use crate::random::Random;

/// Values of all sizes.
fn value(random: &mut Random) -> u64 {
    let bits = random.below(65);
    random.next() >> (64 - bits).min(63) as u32
}

#[test]
fn every_value_is_in_its_bucket_and_buckets_follow_each_other() {
    let mut next = 0_u128;
    for bucket in 0..BUCKETS {
        let (start, width) = range_of(bucket);
        assert_eq!(u128::from(start), next, "{bucket}");
        let last = start + (width - 1);
        assert_eq!([start, middle_of(bucket), last].map(bucket_of), [bucket; 3]);
        next = u128::from(start) + u128::from(width);
        assert!(
            width == 1 || start / width >= 32,
            "half a bucket is at most 1/64"
        );
        assert!(start >= 64 || width == 1);
    }
    assert_eq!(next, 1 << 64);
}

#[test]
fn a_quantile_is_within_its_relative_error() {
    for seed in 0..30 {
        let mut random = Random(seed);
        let mut histogram = Histogram::new();
        let mut values: Vec<u64> = (0..1 + random.below(300))
            .map(|_| value(&mut random))
            .collect();
        values.iter().for_each(|value| histogram.add(*value));
        values.sort_unstable();
        for percent in 0..=100 {
            let share = f64::from(percent) / 100.0;
            let rank = (share * values.len() as f64).ceil() as usize;
            let expected = values[rank.max(1) - 1];
            let actual = histogram.quantile(share).expect("there are values");
            assert!(
                actual.abs_diff(expected) <= expected / 64,
                "{percent}%: {actual} {expected}"
            );
        }
        assert_eq!(histogram.quantile(0.0), values.first().copied());
        assert_eq!(histogram.quantile(1.0), values.last().copied());
        assert_eq!(histogram.min(), values.first().copied());
        assert_eq!(histogram.max(), values.last().copied());
        assert_eq!(histogram.count(), values.len() as u64);
        let sum = values
            .iter()
            .fold(0_u64, |sum, value| sum.saturating_add(*value));
        assert_eq!(histogram.sum(), sum);
    }
}

#[test]
fn small_values_are_exact() {
    let mut histogram = Histogram::new();
    (0..64).for_each(|value| histogram.add(value));
    for value in 0..64 {
        assert_eq!(histogram.quantile((value + 1) as f64 / 64.0), Some(value));
    }
    assert_eq!(histogram.mean(), Some(31.5));
}

#[test]
fn an_empty_histogram_has_no_values() {
    let histogram = Histogram::new();
    assert_eq!(
        (
            histogram.quantile(0.5),
            histogram.min(),
            histogram.max(),
            histogram.mean()
        ),
        (None, None, None, None)
    );
    assert!(histogram.is_empty());
    let mut histogram = Histogram::new();
    histogram.add_many(5, 0);
    assert_eq!(histogram, Histogram::new());
}

#[test]
fn the_first_and_the_last_value_are_exact() {
    let mut histogram = Histogram::new();
    [992, 5_000, 70_001]
        .into_iter()
        .for_each(|value| histogram.add(value));
    assert_eq!(histogram.quantile(0.0), Some(992));
    assert_eq!(histogram.quantile(0.3), Some(992));
    assert_eq!(histogram.quantile(1.0), Some(70_001));
}

#[test]
fn a_share_out_of_range_is_the_first_or_the_last_value() {
    let mut histogram = Histogram::new();
    [3, 7].into_iter().for_each(|value| histogram.add(value));
    for (share, expected) in [(-1.0, 3), (0.5, 3), (0.51, 7), (2.0, 7), (f64::NAN, 3)] {
        assert_eq!(histogram.quantile(share), Some(expected), "{share}");
    }
}

#[test]
fn a_merged_histogram_is_that_of_all_values() {
    let mut random = Random(5);
    let [mut one, mut other, mut both] = [const { Histogram::new() }; 3];
    both.merge(&one);
    assert!(both.is_empty());
    for number in 0..1_000 {
        let value = value(&mut random) >> (number % 40);
        if number % 3 == 0 {
            one.add(value)
        } else {
            other.add(value)
        }
        both.add(value);
    }
    let mut reverse = other.clone();
    reverse.merge(&one);
    one.merge(&other);
    assert_eq!((&one, &reverse), (&both, &both));
    let mut from_none = Histogram::new();
    from_none.merge(&both);
    assert_eq!(from_none, both);
}

#[test]
fn numbers_saturate_and_memory_is_bounded() {
    let mut histogram = Histogram::new();
    histogram.add(u64::MAX);
    histogram.add_many(u64::MAX, u64::MAX);
    histogram.add_many(1, u64::MAX);
    assert_eq!((histogram.count(), histogram.sum()), (u64::MAX, u64::MAX));
    assert!(histogram.quantile(0.5).is_some());
    assert_eq!(8 * BUCKETS, 15_360);
    assert_eq!(histogram.buckets.capacity(), BUCKETS);
    let mut growing = Histogram::new();
    (0..64).for_each(|bits| growing.add(1 << bits));
    assert!(growing.buckets.capacity() <= BUCKETS);
    let text = serde_json::to_string(&growing).expect("it is plain");
    let restored: Histogram = serde_json::from_str(&text).expect("it was just written");
    assert!(restored.buckets.capacity() <= BUCKETS);
    histogram.add_duration(Duration::MAX);
    assert_eq!(
        histogram.max_duration(),
        Some(Duration::from_nanos(u64::MAX))
    );
    histogram.clear();
    assert_eq!(histogram, Histogram::new());
}

#[test]
fn a_saved_histogram_is_the_same_and_small() {
    let mut random = Random(6);
    let mut histogram = Histogram::new();
    for _ in 0..500 {
        let text = serde_json::to_string(&histogram).expect("it is plain");
        let read: Histogram = serde_json::from_str(&text).expect("it was just written");
        assert_eq!(read, histogram);
        histogram.add(value(&mut random));
    }
    let mut rtts = Histogram::new();
    (1..=100).for_each(|millis| rtts.add(millis * 1_000));
    let bytes = crate::cbor::encode(&rtts, 0).expect("it is plain").len();
    assert!(bytes < 250, "{bytes}");
}

#[test]
fn saved_bytes_that_are_not_possible_are_refused() {
    for (text, expected) in [
        ("[0,0,0,[0]]", "a bucket without a number of values"),
        ("[0,0,0,[1920,1]]", "a bucket that does not exist"),
        (
            "[0,0,0,[18446744073709551615,1]]",
            "a bucket that does not exist",
        ),
        (
            "[0,0,0,[0,1,18446744073709551615,1]]",
            "a bucket that does not exist",
        ),
        ("[0,0,0,[3,0]]", "a bucket without values"),
        ("[9,3,3,[4,1]]", "minimum or maximum are not"),
        ("[9,3,4,[3,1]]", "minimum or maximum are not"),
        ("[9,3,2,[2,1,0,1]]", "minimum or maximum are not"),
        ("[9,0,0,[]]", "a sum without values"),
        ("[0,0,0]", "invalid length 3"),
        ("5", "invalid type"),
    ] {
        let error = serde_json::from_str::<Histogram>(text).expect_err(expected);
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}
