//! Round-trip times over time, by class.

use std::ops::AddAssign;
use std::time::Duration;

/// Number of classes: two for each doubling, from 16 µs to 67 s.
pub const CLASSES: usize = 44;

/// The first class begins at 2 to the power of this, in µs.
const FIRST: u32 = 4;

/// Numbers of round-trip times by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByClass(pub [u64; CLASSES]);

impl Default for ByClass {
    fn default() -> ByClass {
        ByClass([0; CLASSES])
    }
}

impl AddAssign for ByClass {
    fn add_assign(&mut self, other: ByClass) {
        for (sum, number) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(number);
        }
    }
}

impl ByClass {
    /// Adds a round-trip time.
    pub fn add(&mut self, rtt: Duration) {
        let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX).max(1);
        let doublings = micros.ilog2();
        // The upper half of a doubling begins at its start times the square root of 2.
        let begin = 1_u64 << doublings;
        let is_upper = u128::from(micros).pow(2) >= 2 * u128::from(begin).pow(2);
        let class = (2 * doublings + u32::from(is_upper)).saturating_sub(2 * FIRST);
        self.0[(class as usize).min(CLASSES - 1)] += 1;
    }

    /// Adds numbers by power of 2 of µs, as a census has them.
    pub fn add_powers(&mut self, powers: &[u32]) {
        for (power, number) in powers.iter().enumerate() {
            let class = (2 * power).saturating_sub(2 * FIRST as usize);
            let slot = &mut self.0[class.min(CLASSES - 1)];
            *slot = slot.saturating_add(u64::from(*number));
        }
    }

    /// The sum of all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The start of a class.
pub fn begin(class: usize) -> Duration {
    Duration::from_secs_f64(2_f64.powf(f64::from(FIRST) + class as f64 / 2.0) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_class_that_begins_before_it() {
        for micros in [16, 17, 22, 23, 31, 32, 999, 1_000, 250_000, 60_000_000] {
            let rtt = Duration::from_micros(micros);
            let mut classes = ByClass::default();
            classes.add(rtt);
            let class = classes.0.iter().position(|number| *number == 1);
            let class = class.expect("one is counted");
            assert!(begin(class) <= rtt, "{rtt:?} {:?}", begin(class));
            assert!(rtt < begin(class + 1), "{rtt:?} {:?}", begin(class + 1));
        }
        for rtt in [Duration::ZERO, Duration::MAX] {
            let mut classes = ByClass::default();
            classes.add(rtt);
            assert_eq!(classes.total(), 1);
        }
    }

    #[test]
    fn classes_of_a_census_keep_their_place() {
        let mut classes = ByClass::default();
        let mut powers = [0; 24];
        powers[10] = 7;
        powers[0] = 1;
        classes.add_powers(&powers);
        assert_eq!(classes.total(), 8);
        // 2^10 µs.
        assert_eq!(classes.0[12], 7);
        assert_eq!(begin(12), Duration::from_micros(1_024));
    }
}
