//! Work that is due once in a period of the stream's time.

use std::time::Duration;

use retrans_event::nanos;
use serde::Deserialize;
use serde::Serialize;

use crate::plugin::MAX_STEP_BACK;

/// A timer with this period, at least 1 ns. The first period begins with the first call of [`Every::due`].
///
/// ```
/// # use retrans_plugin_sdk::prelude::*;
/// let mut report = every(Duration::from_secs(30));
/// assert!(!report.due(Duration::from_secs(100)), "the first period begins");
/// assert!(!report.due(Duration::from_secs(129)));
/// assert!(report.due(Duration::from_secs(130)));
/// assert!(report.due(Duration::from_secs(175)), "late, because there was no tick in between");
/// assert!(report.due(Duration::from_secs(190)), "in time again");
/// ```
pub const fn every(period: Duration) -> Every {
    Every {
        period: match period {
            Duration::ZERO => Duration::from_nanos(1),
            period => period,
        },
        begun: None,
    }
}

/// A timer that is due once in each period. Made by [`every`].
///
/// Call [`due`](Every::due) in [`on_tick`](crate::Plugin::on_tick). Ticks come every second of the stream: a shorter
/// period is due at each tick, and any other at the first tick at or after its end.
///
/// It can be saved as part of a plugin's [state](crate::Stateful): the period that has begun then goes on. A timer that is
/// not saved begins anew after a fault or with a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Every {
    #[serde(deserialize_with = "positive")]
    period: Duration,
    /// Begin of the current period.
    begun: Option<Duration>,
}

/// Reads a period: the saved bytes may have one of 0.
fn positive<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::deserialize(deserializer).map(|period| period.max(Duration::from_nanos(1)))
}

impl Every {
    /// Has the current period ended? Then the next one begins: it is due once. `now` is the time since boot, as of a tick.
    ///
    /// After a time without calls, it is due once, and not once for each period that was missed. Each period begins a
    /// multiple of the period after the first one: a late call does not shift those that follow.
    ///
    /// `now` may step back by up to 1 s; then nothing is due. If it steps back further, as in a stream of the next boot,
    /// a period begins.
    #[must_use]
    pub fn due(&mut self, now: Duration) -> bool {
        let Some(begun) = self.begun else {
            self.begun = Some(now);
            return false;
        };
        if now.saturating_add(MAX_STEP_BACK) < begun {
            self.begun = Some(now);
            return false;
        }
        let passed = now.saturating_sub(begun);
        if passed < self.period {
            return false;
        }
        let into_period = Duration::from_nanos(nanos(passed) % nanos(self.period).max(1));
        self.begun = Some(now.saturating_sub(into_period));
        true
    }

    /// The period.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Takes over the start of the current period from another timer, such as a saved one. The period stays that of this
    /// timer.
    pub fn restore(&mut self, other: Every) {
        self.begun = other.begun;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The ticks at which the timer is due.
    fn due(timer: &mut Every, ticks: impl IntoIterator<Item = u64>) -> Vec<u64> {
        ticks
            .into_iter()
            .filter(|tick| timer.due(at(*tick)))
            .collect()
    }

    #[test]
    fn the_first_period_begins_with_the_first_tick() {
        let mut timer = every(at(10));
        assert_eq!(due(&mut timer, 1_003..1_035), [1_013, 1_023, 1_033]);
    }

    #[test]
    fn after_a_gap_it_is_due_once_and_the_next_is_in_time() {
        let mut timer = every(at(10));
        assert_eq!(due(&mut timer, [0, 9, 57, 58, 59, 60, 61]), [57, 60]);
    }

    #[test]
    fn a_period_shorter_than_a_tick_is_due_at_each() {
        for period in [Duration::ZERO, Duration::from_millis(300), at(1)] {
            assert_eq!(due(&mut every(period), 5..9), [6, 7, 8]);
        }
    }

    #[test]
    fn time_may_stand_still_or_step_back() {
        let mut timer = every(at(10));
        assert_eq!(
            due(&mut timer, [100, 110, 110, 109, 110, 119, 120]),
            [110, 120]
        );
        // The stream of the next boot.
        assert_eq!(due(&mut timer, [3, 12, 13]), [13]);
    }

    #[test]
    fn the_longest_period_is_never_due() {
        let mut timer = every(Duration::MAX);
        assert_eq!(due(&mut timer, [0, 1, u64::MAX / 2]), [0; 0]);
    }

    #[test]
    fn a_saved_timer_goes_on_in_its_period() {
        let mut saved = every(at(10));
        assert_eq!(due(&mut saved, [100, 110, 113]), [110]);
        let text = serde_json::to_string(&saved).expect("it is plain");
        let read: Every = serde_json::from_str(&text).expect("it was just written");
        assert_eq!(read, saved);
        let mut timer = every(at(10));
        timer.restore(read.clone());
        assert_eq!(due(&mut timer, 114..125), [120]);
        let mut timer = every(at(4));
        timer.restore(read);
        assert_eq!(due(&mut timer, 114..120), [114, 118]);
        assert_eq!(timer.period(), at(4));
    }

    #[test]
    fn a_saved_period_of_0_does_not_break_it() {
        let text = r#"{"period":{"secs":0,"nanos":0},"begun":{"secs":5,"nanos":0}}"#;
        let mut timer: Every = serde_json::from_str(text).expect("it has the fields");
        assert!(timer.due(at(6)));
    }

    #[test]
    fn it_is_due_as_often_as_periods_have_ended_at_ticks() {
        for seed in 0..200 {
            let mut random = Random(seed);
            let period = 1 + random.below(20);
            let mut now = random.below(1_000);
            let (first, mut timer) = (now, every(at(period)));
            let mut last = 0;
            assert!(!timer.due(at(now)));
            for _ in 0..100 {
                now += random.below(30);
                let ended = (now - first) / period;
                assert_eq!(timer.due(at(now)), ended > last, "{seed}: {now}");
                last = ended;
            }
        }
    }
}
