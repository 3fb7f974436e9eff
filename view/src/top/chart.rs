//! Segments of each cause in every second of the last hour.

use std::time::Duration;

use retrans_event::Event;

use crate::sums::ByKind;
use crate::timeline::Timeline;

/// How long a second is remembered.
const SPAN: Duration = Duration::from_secs(3_600);

/// Segments by second.
#[derive(Debug, Clone)]
pub struct Chart {
    seconds: Timeline<ByKind>,
    /// The latest time of day.
    latest: Duration,
}

impl Default for Chart {
    fn default() -> Chart {
        let second = Duration::from_secs(1);
        Chart {
            seconds: Timeline::with_width(SPAN.as_secs() as usize + 2, second),
            latest: Duration::ZERO,
        }
    }
}

impl Chart {
    /// Adds an event. One that is more than an hour away from the others begins anew, as where a capture of another day
    /// follows.
    pub fn add(&mut self, event: &Event) {
        let time = event.wall_time();
        if time.abs_diff(self.latest) > SPAN {
            *self = Chart {
                latest: time,
                ..Chart::default()
            };
        }
        self.latest = self.latest.max(time);
        self.seconds.forget_before(self.latest.saturating_sub(SPAN));
        let segments = u64::from(event.segments().unwrap_or(0));
        self.seconds.at(time).add(event.kind(), segments);
    }

    /// The segments of `count` intervals of `step` seconds, the last of which has the time of day `now` in it.
    /// Intervals begin at multiples of their length since 1970.
    pub fn intervals(&self, now: Duration, step: u64, count: usize) -> Vec<ByKind> {
        let mut intervals = vec![ByKind::default(); count];
        let current = now.as_secs() / step;
        for (begin, sums) in self.seconds.iter().rev() {
            let Some(back) = current.checked_sub(begin.as_secs() / step) else {
                continue;
            };
            match (count as u64).checked_sub(back + 1) {
                Some(place) => intervals[place as usize] += *sums,
                None => break,
            }
        }
        intervals
    }

    /// Number of seconds that are remembered.
    pub fn len(&self) -> usize {
        self.seconds.len()
    }

    /// Returns whether there was no event.
    pub fn is_empty(&self) -> bool {
        self.seconds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Kind;
    use retrans_event::Record;

    use super::*;

    const BEGIN: u64 = 1_800_000_000;

    fn event(kind: Kind, second: u64) -> Record {
        let mut event = Record::new();
        event.set_kind(kind);
        event.set_segments(Some(2));
        event.set_wall_time(Duration::from_secs(second) + Duration::from_millis(500));
        event
    }

    fn totals(chart: &Chart, now: u64, step: u64, count: usize) -> Vec<u64> {
        let intervals = chart.intervals(Duration::from_secs(now), step, count);
        intervals.iter().map(ByKind::total).collect()
    }

    #[test]
    fn the_last_interval_is_that_of_now() {
        let mut chart = Chart::default();
        for second in [0, 1, 1, 5, 3_601] {
            chart.add(&event(Kind::Fast, BEGIN + second));
        }
        assert_eq!(totals(&chart, BEGIN + 7, 1, 4), [0, 2, 0, 0]);
        assert_eq!(totals(&chart, BEGIN + 5, 5, 2), [4, 2]);
        assert_eq!(totals(&chart, BEGIN + 9, 5, 2), [4, 2]);
        assert_eq!(totals(&chart, BEGIN + 10, 5, 2), [2, 0]);
        assert_eq!(totals(&chart, BEGIN, 1, 0), [0; 0]);
        assert!(chart.len() <= 3_602);
        let mut other = chart.clone();
        other.add(&event(Kind::Timeout, BEGIN + 8_000));
        assert_eq!(other.len(), 1, "the hour before is forgotten");
    }

    #[test]
    fn forged_times_cost_no_memory() {
        let mut chart = Chart::default();
        let far = u64::MAX / 1_000_000_000;
        for second in [
            BEGIN,
            far,
            0,
            BEGIN,
            BEGIN + 3_599,
            BEGIN - 1,
            BEGIN + 7_200,
            1,
        ] {
            chart.add(&event(Kind::Fast, second));
            assert!(chart.len() <= 3_602, "{second}");
        }
        assert_eq!(totals(&chart, 1, 1, 2), [0, 2]);
    }
}
