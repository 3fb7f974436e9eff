//! Counts and their errors, compared with exact ones.

use std::collections::BTreeMap;

use super::*;
use crate::random::Random;

/// A key among 1,000, of which small ones are more frequent.
fn skewed(random: &mut Random) -> u64 {
    let limit = 1 + random.below(1_000);
    random.below(limit)
}

fn check(top: &TopK<u64>, exact: &BTreeMap<u64, u64>, bound: u64) {
    for heavy in top.iter() {
        let weight = exact.get(heavy.key).copied().unwrap_or(0);
        assert!(
            heavy.count - heavy.error <= weight && weight <= heavy.count,
            "{heavy:?} {weight}"
        );
        assert!(heavy.error <= bound, "{heavy:?}: {bound}");
    }
    for (key, weight) in exact {
        assert!(
            top.get(key).is_some() || *weight <= top.max_missing(),
            "{key}: {weight}"
        );
        assert!(
            top.get(key).is_some() || *weight <= bound,
            "{key}: {weight}"
        );
    }
    assert_eq!(top.total(), exact.values().sum::<u64>());
    assert!(top.len() <= top.capacity());
    assert_eq!(
        (top.index.len(), top.lightest.len()),
        (top.len(), top.len())
    );
}

#[test]
fn every_count_has_its_weight_within_its_error_and_no_heavy_key_is_missing() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let capacity = 1 + random.below(80) as usize;
        let mut top = TopK::new(capacity);
        let mut exact = BTreeMap::new();
        for _ in 0..3_000 {
            let (key, weight) = (skewed(&mut random), random.below(5));
            top.add(key, weight);
            *exact.entry(key).or_default() += weight;
        }
        check(&top, &exact, top.total() / capacity as u64);
    }
}

#[test]
fn up_to_the_capacity_counts_are_exact() {
    let mut top = TopK::new(1_000);
    let mut exact = BTreeMap::new();
    let mut random = Random(1);
    for _ in 0..10_000 {
        let key = skewed(&mut random);
        top.add(key, key);
        *exact.entry(key).or_default() += key;
    }
    exact.retain(|_, weight| *weight > 0);
    check(&top, &exact, 0);
    assert_eq!(top.len(), exact.len());
}

#[test]
fn of_the_same_count_the_smaller_key_is_first() {
    let mut top = TopK::new(10);
    for (key, weight) in [("c", 2), ("b", 2), ("a", 1), ("d", 9)] {
        top.add(key, weight);
    }
    let keys = |n| {
        top.top(n)
            .iter()
            .map(|heavy| *heavy.key)
            .collect::<String>()
    };
    assert_eq!(
        (keys(4), keys(2), keys(0)),
        ("dbca".to_owned(), "db".to_owned(), String::new())
    );
}

#[test]
fn merged_counts_are_those_of_both_within_their_errors() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let capacities =
            [1 + random.below(60), 1 + random.below(60)].map(|capacity| capacity as usize);
        let [mut one, mut other] = capacities.map(TopK::new);
        let mut exact = BTreeMap::new();
        for number in 0..2_000 {
            let key = skewed(&mut random);
            let to = if number % 3 == 0 {
                &mut one
            } else {
                &mut other
            };
            to.add(key, 2);
            *exact.entry(key).or_default() += 2;
        }
        one.merge(&other);
        let smaller = capacities[0].min(capacities[1]) as u64;
        check(&one, &exact, one.total() / smaller);
        assert_eq!(one.capacity(), capacities[0]);
        // It still counts.
        one.add(5_000, 10_000);
        assert_eq!(one.top(1)[0].key, &5_000);
    }
}

#[test]
fn what_the_smaller_of_two_has_forgotten_stays_an_error_in_the_larger() {
    let [mut large, mut small] = [100, 2].map(TopK::new);
    large.add(9, 1);
    let weights = [(1, 5), (2, 4), (3, 3)];
    weights
        .into_iter()
        .for_each(|(key, weight)| small.add(key, weight));
    large.merge(&small);
    let exact = BTreeMap::from([(1, 5), (2, 4), (3, 3), (9, 1)]);
    check(&large, &exact, 6);
    assert_eq!((large.len(), large.max_missing()), (3, 4));
    large.add(2, 1);
    assert!(
        large.get(&2).is_some_and(|heavy| heavy.count >= 5),
        "{large:?}"
    );
}

#[test]
fn a_saved_collection_goes_on_exactly() {
    let mut random = Random(3);
    let [mut whole, mut saved] = [TopK::new(20), TopK::new(20)];
    for _ in 0..300 {
        let (key, weight) = (skewed(&mut random), 1 + random.below(3));
        whole.add(key, weight);
        saved.add(key, weight);
        let text = serde_json::to_string(&saved).expect("it is plain");
        saved = serde_json::from_str(&text).expect("it was just written");
        assert_eq!(saved.top(20), whole.top(20));
        assert_eq!(saved.max_missing(), whole.max_missing());
    }
}

#[test]
fn with_another_capacity_a_restored_collection_keeps_the_heaviest_within_their_errors() {
    for capacity in [1, 5, 40, 200] {
        let mut random = Random(4);
        let mut exact = BTreeMap::new();
        let mut add = |top: &mut TopK<u64>| {
            for _ in 0..1_000 {
                let key = skewed(&mut random);
                top.add(key, 1);
                *exact.entry(key).or_default() += 1;
            }
            exact.clone()
        };
        let mut saved = TopK::new(40);
        let counted = add(&mut saved);
        let mut top = TopK::new(capacity);
        top.restore(saved);
        assert_eq!(top.capacity(), capacity);
        check(&top, &counted, top.total() / capacity.min(40) as u64);
        let exact = add(&mut top);
        check(&top, &exact, top.total() / capacity.min(40) as u64);
    }
}

#[test]
fn what_a_smaller_capacity_drops_is_known_to_be_missing() {
    let mut saved = TopK::new(10);
    [("a", 8), ("b", 10), ("c", 9)]
        .into_iter()
        .for_each(|(key, weight)| saved.add(key, weight));
    let mut top = TopK::new(1);
    top.restore(saved);
    assert_eq!(
        (top.max_missing(), top.total(), *top.top(9)[0].key),
        (9, 27, "b")
    );
    top.add("c", 2);
    let first = top.top(1)[0];
    assert_eq!((*first.key, first.count, first.error), ("c", 12, 10));
}

#[test]
fn no_memory_is_allocated_beyond_the_capacity() {
    let mut top = TopK::new(1_100);
    let bounded = |top: &TopK<u64>| {
        assert_eq!(top.len(), 1_100);
        assert_eq!(top.places.capacity(), 1_100);
        assert!(top.lightest.capacity() <= 1_100);
    };
    (0..3_000).for_each(|key| top.add(key, 1));
    bounded(&top);
    let text = serde_json::to_string(&top).expect("it is plain");
    let saved: TopK<u64> = serde_json::from_str(&text).expect("it was just written");
    bounded(&saved);
    let mut restored = TopK::new(1_100);
    restored.restore(saved);
    restored.merge(&top);
    bounded(&restored);
}

#[test]
fn sums_saturate_and_a_weight_of_0_is_no_key() {
    let mut top = TopK::new(2);
    top.add("none", 0);
    assert!(top.is_empty());
    for key in ["a", "a", "b", "c"] {
        top.add(key, u64::MAX);
    }
    assert_eq!((top.total(), top.len()), (u64::MAX, 2));
    top.clear();
    assert_eq!((top.total(), top.len(), top.max_missing()), (0, 0, 0));
    assert_eq!(TopK::<u8>::new(0).capacity(), 1);
    assert_eq!(TopK::<u8>::new(usize::MAX).capacity(), MAX_CAPACITY);
}

#[test]
fn saved_bytes_that_are_not_possible_are_refused() {
    for (text, expected) in [
        (
            r#"[1,5,0,[["a",3,0],["b",2,0]]]"#,
            "more keys than the capacity",
        ),
        (r#"[2,5,0,[["a",3,0],["a",2,0]]]"#, "a key occurs twice"),
        (
            r#"[2,5,0,[["a",3,4]]]"#,
            "an error is larger than its count",
        ),
        ("[2,5,0]", "invalid length 3"),
        ("{}", "invalid type"),
    ] {
        let error = serde_json::from_str::<TopK<String>>(text).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let many = format!("[{0},0,0,[]]", u64::MAX);
    let read: TopK<String> = serde_json::from_str(&many).expect("the capacity is bounded");
    assert_eq!(read.capacity(), MAX_CAPACITY);
}
