//! An average in which older values weigh less.

use std::time::Duration;

use retrans_event::nanos;
use serde::Deserialize;
use serde::Serialize;
use serde::de;

use crate::window::ANOTHER_STREAM;

/// A moving average by time: the weight of a value halves with each half-life of its age.
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// let mut srtt = Ewma::new(Duration::from_secs(10));
/// srtt.add(1.0, Duration::from_secs(0));
/// assert_eq!(srtt.add(4.0, Duration::from_secs(10)), 3.0, "(1 × 1/2 + 4) / (1/2 + 1)");
/// ```
///
/// [`mean`](Ewma::mean) is the weighted average of the values, [`per_second`](Ewma::per_second) their sum by time, such
/// as segments a second. Values at the same time weigh the same. Values may arrive in any order, as events of two sockets
/// do by up to 1 s: a late one has the weight of its age. After a step back by more than a minute, as to the stream of
/// another boot, the average begins anew. It takes 32 bytes, and can be saved as part of a plugin's
/// [state](crate::Stateful).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Ewma {
    /// In ns, at least 1.
    half_life: u64,
    /// Sum of the weighted values, and sum of the weights, at the latest time.
    sum: f64,
    weight: f64,
    /// In ns.
    latest: u64,
}

/// The saved form, before it is checked.
#[derive(Deserialize)]
struct Saved {
    half_life: u64,
    sum: f64,
    weight: f64,
    latest: u64,
}

impl TryFrom<Saved> for Ewma {
    type Error = de::value::Error;

    fn try_from(saved: Saved) -> Result<Ewma, Self::Error> {
        if !saved.sum.is_finite() || !saved.weight.is_finite() || saved.weight < 0.0 {
            return Err(de::Error::custom(
                "an average with sums that are not possible",
            ));
        }
        Ok(Ewma {
            half_life: saved.half_life.max(1),
            sum: saved.sum,
            weight: saved.weight,
            latest: saved.latest,
        })
    }
}

impl Ewma {
    /// An average without values. The half-life is at least 1 ns.
    pub fn new(half_life: Duration) -> Ewma {
        Ewma {
            half_life: nanos(half_life).max(1),
            sum: 0.0,
            weight: 0.0,
            latest: 0,
        }
    }

    /// Adds a value at a time, and returns the average at the latest time. A value that is not finite is ignored, as is
    /// one with which the sum would not be finite.
    pub fn add(&mut self, value: f64, now: Duration) -> f64 {
        let now = nanos(now);
        if value.is_finite() && self.is_of_another_stream(now) {
            *self = Ewma::new(Duration::from_nanos(self.half_life));
        }
        let decay = self.decay(now.saturating_sub(self.latest));
        let own = self.decay(self.latest.saturating_sub(now));
        let sum = self.sum * decay + value * own;
        if sum.is_finite() {
            self.sum = sum;
            self.weight = self.weight * decay + own;
            self.latest = self.latest.max(now);
        }
        self.mean().unwrap_or(0.0)
    }

    /// The weighted average; `None` without a value. It stays the same while no value is added.
    pub fn mean(&self) -> Option<f64> {
        let mean = self.sum / self.weight;
        (self.weight > 0.0 && mean.is_finite()).then_some(mean)
    }

    /// The sum of the values by time, in a second, at `now`, or at the latest time of a value if that is later; 0 if that
    /// is later by more than a minute. It falls while no value is added. In the first half-lives it is too small: the time
    /// before the first value counts as a time without values.
    pub fn per_second(&self, now: Duration) -> f64 {
        if self.is_of_another_stream(nanos(now)) {
            return 0.0;
        }
        let sum = self.sum * self.decay(nanos(now).saturating_sub(self.latest));
        let half_life = Duration::from_nanos(self.half_life).as_secs_f64();
        sum * std::f64::consts::LN_2 / half_life
    }

    /// Replaces the values by those of another average, such as a saved one. The half-life stays the same: it applies to
    /// what follows.
    pub fn restore(&mut self, other: Ewma) {
        *self = Ewma {
            half_life: self.half_life,
            ..other
        };
    }

    /// Are the values of another stream than the time `now`?
    fn is_of_another_stream(&self, now: u64) -> bool {
        now < self.latest.saturating_sub(nanos(ANOTHER_STREAM))
    }

    /// The weight of a value with this age in ns.
    fn decay(&self, age: u64) -> f64 {
        match age {
            0 => 1.0,
            age => (-(age as f64) / self.half_life as f64).exp2(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn an_average_without_values_is_none() {
        let ewma = Ewma::new(at(1_000));
        assert_eq!((ewma.mean(), ewma.per_second(at(5))), (None, 0.0));
    }

    #[test]
    fn values_at_the_same_time_weigh_the_same() {
        let mut ewma = Ewma::new(at(1_000));
        for (value, mean) in [(1.0, 1.0), (3.0, 2.0), (8.0, 4.0)] {
            assert_eq!(ewma.add(value, at(500)), mean);
        }
    }

    /// The weighted average over all values.
    fn naive(values: &[(f64, u64)], half_life: f64) -> f64 {
        let latest = values.iter().map(|(_, time)| *time).max().unwrap_or(0);
        let weight = |time: u64| 0.5_f64.powf((latest - time) as f64 / half_life);
        let sum: f64 = values
            .iter()
            .map(|(value, time)| value * weight(*time))
            .sum();
        sum / values.iter().map(|(_, time)| weight(*time)).sum::<f64>()
    }

    #[test]
    fn it_is_the_weighted_average_of_all_values_in_any_order() {
        for seed in 0..50 {
            let mut random = Random(seed);
            let half_life = 1 + random.below(5_000);
            let mut ewma = Ewma::new(at(half_life));
            let mut values = Vec::new();
            let mut now = 10_000;
            for _ in 0..100 {
                now += random.below(500);
                // Some are late by up to 1 s.
                let time = now - random.below(2) * random.below(1_000);
                let value = random.below(1_000) as f64;
                values.push((value, time));
                let actual = ewma.add(value, at(time));
                let expected = naive(&values, half_life as f64);
                assert!((actual - expected).abs() < 1e-6, "{actual} {expected}");
                assert_eq!(ewma.mean(), Some(actual));
            }
        }
    }

    #[test]
    fn a_steady_stream_has_its_rate() {
        let mut ewma = Ewma::new(at(10_000));
        for number in 0..10_000 {
            ewma.add(2.0, at(number * 20));
        }
        let end = at(200_000);
        assert!(
            (ewma.per_second(end) - 100.0).abs() < 0.2,
            "{}",
            ewma.per_second(end)
        );
        assert!((ewma.per_second(end + at(10_000)) - 50.0).abs() < 0.2);
        assert_eq!(
            ewma.per_second(at(150_000)),
            ewma.per_second(at(199_980)),
            "time does not step back"
        );
        assert_eq!(ewma.per_second(at(100_000)), 0.0, "another stream");
    }

    #[test]
    fn a_value_that_is_not_finite_changes_nothing() {
        let mut ewma = Ewma::new(at(1_000));
        ewma.add(2.0, at(0));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(ewma.add(value, at(5_000)), 2.0);
        }
        ewma.add(f64::MAX, at(0));
        ewma.add(f64::MAX, at(0));
        assert!(ewma.mean().is_some_and(f64::is_finite));
    }

    #[test]
    fn after_a_very_long_time_the_next_value_stands_alone() {
        let mut ewma = Ewma::new(Duration::ZERO);
        ewma.add(2.0, at(0));
        assert_eq!(ewma.mean(), Some(2.0));
        assert_eq!(ewma.add(5.0, Duration::MAX), 5.0);
        let late = Duration::from_nanos(u64::MAX) - at(30_000);
        assert_eq!(ewma.add(7.0, late), 5.0, "too old to weigh anything");
    }

    #[test]
    fn a_step_back_beyond_a_minute_begins_anew() {
        let mut ewma = Ewma::new(at(1_000));
        ewma.add(2.0, at(1_000_000_000));
        ewma.add(4.0, at(1_000_000_000));
        assert_eq!(
            ewma.add(9.0, at(1_000_000_000 - 60_000)),
            3.0,
            "a very late one"
        );
        assert_eq!(ewma.add(f64::NAN, at(5_000)), 3.0, "it is ignored");
        // Of another boot.
        assert_eq!(ewma.add(8.0, at(5_000)), 8.0);
        assert_eq!(ewma.add(2.0, at(5_000)), 5.0);
        assert!(ewma.per_second(at(5_000)) > 6.0);
    }

    #[test]
    fn it_goes_on_where_it_was_saved_and_nonsense_is_refused() {
        let mut ewma = Ewma::new(at(1_000));
        ewma.add(1.0, at(500));
        ewma.add(4.0, at(1_500));
        let text = serde_json::to_string(&ewma).expect("it is plain");
        let read: Ewma = serde_json::from_str(&text).expect("it was just written");
        assert_eq!(read, ewma);
        let mut other = Ewma::new(at(2_000));
        other.restore(read);
        assert_eq!(other.mean(), ewma.mean());
        assert_eq!(other.half_life, 2_000_000_000);
        for text in [
            r#"{"half_life":1,"sum":1.0,"weight":-1.0,"latest":0}"#,
            r#"{"half_life":1,"sum":null,"weight":1.0,"latest":0}"#,
            r#"{"half_life":1,"sum":1.0,"weight":1.0}"#,
        ] {
            assert!(serde_json::from_str::<Ewma>(text).is_err(), "{text}");
        }
        let text = r#"{"half_life":0,"sum":1e308,"weight":0.0,"latest":5}"#;
        let mut odd: Ewma = serde_json::from_str(text).expect("its sums are finite");
        assert_eq!(odd.mean(), None);
        assert!(odd.add(1.0, at(1)).is_finite());
    }
}
