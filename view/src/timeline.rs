//! Sums over time, in a bounded number of intervals of equal length.

use std::collections::VecDeque;
use std::ops::AddAssign;
use std::time::Duration;

/// Lengths of the first intervals, each a multiple of the one before it. After the last one they grow by ten.
const WIDTHS_MS: [u64; 14] = [
    10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 3_600_000,
    21_600_000, 86_400_000,
];

/// Sums by interval. Intervals begin at multiples of their length since 1970; when there would be more than `max` of them,
/// they become longer.
#[derive(Debug, Clone)]
pub struct Timeline<T> {
    max: usize,
    width: Duration,
    /// Number of the first interval, counted from 1970.
    first: u64,
    intervals: VecDeque<T>,
}

impl<T: Default + Clone + AddAssign> Timeline<T> {
    /// A timeline of at most `max` intervals, at least two.
    pub fn new(max: usize) -> Timeline<T> {
        Timeline {
            max: max.max(2),
            width: Duration::from_millis(WIDTHS_MS[0]),
            first: 0,
            intervals: VecDeque::new(),
        }
    }

    /// A timeline whose intervals have at least this length, which becomes one of those that intervals may have.
    pub fn with_width(max: usize, width: Duration) -> Timeline<T> {
        let mut timeline = Timeline::new(max);
        while timeline.width < width {
            timeline.width = longer(timeline.width);
        }
        timeline
    }

    /// The sums of the interval at this time of day.
    pub fn at(&mut self, time: Duration) -> &mut T {
        if self.intervals.is_empty() {
            self.first = self.number(time);
            self.intervals.push_back(T::default());
        }
        // The time that all intervals and this time take.
        loop {
            let number = self.number(time);
            let last = self.first + self.intervals.len() as u64 - 1;
            let count = last.max(number) - self.first.min(number) + 1;
            if count <= self.max as u64 {
                break;
            }
            self.coarsen();
        }
        let number = self.number(time);
        while number < self.first {
            self.intervals.push_front(T::default());
            self.first -= 1;
        }
        let index = (number - self.first) as usize;
        if index >= self.intervals.len() {
            self.intervals.resize(index + 1, T::default());
        }
        &mut self.intervals[index]
    }

    /// Length of an interval.
    pub fn width(&self) -> Duration {
        self.width
    }

    /// The start of each interval as a time of day, and its sums.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Duration, &T)> {
        let millis = self.width.as_millis() as u64;
        let begin = move |index: usize| Duration::from_millis((self.first + index as u64) * millis);
        let intervals = self.intervals.iter().enumerate();
        intervals.map(move |(index, sums)| (begin(index), sums))
    }

    /// The start of the first interval and the end of the last one, as times of day.
    pub fn ends(&self) -> Option<(Duration, Duration)> {
        let (first, _) = self.iter().next()?;
        let (last, _) = self.iter().next_back()?;
        Some((first, last.saturating_add(self.width)))
    }

    /// Number of intervals, from the first that was asked for to the last.
    pub fn len(&self) -> usize {
        self.intervals.len()
    }

    /// Returns whether there is no interval.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Forgets the intervals that ended before this time of day.
    pub fn forget_before(&mut self, time: Duration) {
        let number = self.number(time);
        while self.first < number && self.intervals.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn number(&self, time: Duration) -> u64 {
        millis(time) / millis(self.width)
    }

    /// Makes intervals longer, and puts those together that become one.
    fn coarsen(&mut self) {
        let width = longer(self.width);
        let ratio = (width.as_millis() / self.width.as_millis()) as u64;
        let first = self.first / ratio;
        let mut intervals: VecDeque<T> = VecDeque::new();
        for (index, sums) in self.intervals.drain(..).enumerate() {
            let place = ((self.first + index as u64) / ratio - first) as usize;
            if place >= intervals.len() {
                intervals.resize(place + 1, T::default());
            }
            intervals[place] += sums;
        }
        (self.width, self.first, self.intervals) = (width, first, intervals);
    }
}

/// Whole milliseconds. It is called for every event: 128 bits would be slower.
fn millis(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000);
    seconds.saturating_add(u64::from(time.subsec_millis()))
}

/// The next length of an interval.
pub(crate) fn longer(width: Duration) -> Duration {
    let millis = width.as_millis() as u64;
    let next = WIDTHS_MS.iter().find(|longer| **longer > millis);
    Duration::from_millis(next.copied().unwrap_or_else(|| millis.saturating_mul(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(timeline: &Timeline<u64>) -> Vec<(u64, u64)> {
        let begin = |(begin, sum): (Duration, &u64)| (begin.as_millis() as u64, *sum);
        timeline.iter().map(begin).collect()
    }

    #[test]
    fn intervals_become_longer_when_there_are_too_many() {
        let mut timeline = Timeline::new(4);
        for millis in [1_005, 1_000, 1_029, 990] {
            *timeline.at(Duration::from_millis(millis)) += 1;
        }
        assert_eq!(
            shown(&timeline),
            [(990, 1), (1_000, 2), (1_010, 0), (1_020, 1)]
        );
        let ends = [990, 1_030].map(Duration::from_millis);
        assert_eq!(timeline.ends(), Some((ends[0], ends[1])));
        *timeline.at(Duration::from_millis(1_050)) += 1;
        assert_eq!(timeline.width(), Duration::from_millis(50));
        assert_eq!(shown(&timeline), [(950, 1), (1_000, 3), (1_050, 1)]);
        timeline.forget_before(Duration::from_millis(1_060));
        assert_eq!(shown(&timeline), [(1_050, 1)]);
        timeline.forget_before(Duration::from_secs(9));
        assert!(timeline.is_empty());
    }

    #[test]
    fn each_length_is_a_multiple_of_the_one_before() {
        let mut width = Duration::from_millis(WIDTHS_MS[0]);
        for _ in 0..20 {
            let next = longer(width);
            assert_eq!(next.as_millis() % width.as_millis(), 0, "{next:?}");
            width = next;
        }
    }

    #[test]
    fn forged_times_cost_neither_memory_nor_sums() {
        let mut timeline: Timeline<u64> = Timeline::with_width(100, Duration::from_secs(2));
        assert_eq!(timeline.width(), Duration::from_secs(5));
        let times = [0, u64::MAX / 1_000_000_000, 1, 1_700_000_000, 1_700_000_001];
        for seconds in times {
            *timeline.at(Duration::from_secs(seconds)) += 1;
            assert!(timeline.len() <= 100);
        }
        let sum: u64 = timeline.iter().map(|(_, sum)| sum).sum();
        assert_eq!(sum, times.len() as u64);
    }
}
