//! The times that a recording covers: it has a mark each second.

use std::time::Duration;

/// Items of a stream are at most this far apart where it was recorded: a mark comes every second.
const MAX_STEP: Duration = Duration::from_secs(3);

/// Maximum number of covered times that are kept apart.
const MAX_SPANS: usize = 1_000;

/// The times that were covered.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    spans: Vec<(Duration, Duration)>,
    /// The latest time of the current source; `None` at its start.
    current: Option<Duration>,
    has_marks: bool,
    /// Whether marks of the current source were not recorded.
    ignores_marks: bool,
    /// Whether marks of any source were not recorded, or spans were joined because there were too many.
    is_unknown: bool,
}

impl Coverage {
    /// Another source begins: the time before its first item is not covered.
    pub fn begin(&mut self) {
        self.current = None;
        self.ignores_marks = false;
    }

    /// The marks of the current source were not recorded: it is not known what it covers.
    pub fn ignore_marks(&mut self) {
        self.ignores_marks = true;
        self.is_unknown = true;
    }

    /// The stream has reached this time of day. `is_mark`: by a mark, and not by an event.
    pub fn reach(&mut self, time: Duration, is_mark: bool) {
        if is_mark && self.ignores_marks {
            return;
        }
        self.has_marks |= is_mark;
        let last = self.current.filter(|last| last.abs_diff(time) <= MAX_STEP);
        let follows = last.is_some();
        self.current = Some(last.map_or(time, |last| last.max(time)));
        let is_full = self.spans.len() >= MAX_SPANS;
        match self.spans.last_mut() {
            Some(span) if follows || is_full => {
                self.is_unknown |= !follows;
                span.1 = span.1.max(time);
                // Events of different sockets are out of order by up to a second.
                span.0 = span.0.min(time);
            }
            _ => self.spans.push((time, time)),
        }
    }

    /// Whether it is known what was covered: without marks it is not.
    pub fn is_known(&self) -> bool {
        self.has_marks && !self.is_unknown
    }

    /// The covered times in order, without overlaps.
    pub fn spans(&self) -> Vec<(Duration, Duration)> {
        let mut spans = self.spans.clone();
        spans.sort_unstable();
        let mut joined: Vec<(Duration, Duration)> = Vec::with_capacity(spans.len());
        for (begin, end) in spans {
            match joined.last_mut() {
                Some(last) if begin <= last.1 + MAX_STEP => last.1 = last.1.max(end),
                _ => joined.push((begin, end)),
            }
        }
        joined
    }

    /// The first and the last time, if there is any.
    pub fn ends(&self) -> Option<(Duration, Duration)> {
        let spans = self.spans();
        Some((spans.first()?.0, spans.last()?.1))
    }

    /// The sum of the covered times.
    pub fn covered(&self) -> Duration {
        self.spans().iter().map(|(begin, end)| *end - *begin).sum()
    }

    /// The times between them that are not covered.
    pub fn gaps(&self) -> Vec<(Duration, Duration)> {
        let spans = self.spans();
        let pairs = spans.windows(2);
        pairs.map(|pair| (pair[0].1, pair[1].0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn what_has_marks_is_covered_and_the_rest_is_a_gap() {
        let mut coverage = Coverage::default();
        for second in (100..=110).chain(200..=205) {
            coverage.reach(seconds(second), true);
        }
        // An older file, named last.
        coverage.begin();
        for second in 50..=60 {
            coverage.reach(seconds(second), true);
        }
        assert!(coverage.is_known());
        assert_eq!(coverage.covered(), seconds(25));
        assert_eq!(
            coverage.gaps(),
            [(seconds(60), seconds(100)), (seconds(110), seconds(200))]
        );
        assert_eq!(coverage.ends(), Some((seconds(50), seconds(205))));
    }

    #[test]
    fn without_marks_the_coverage_is_unknown() {
        let mut coverage = Coverage::default();
        assert_eq!((coverage.is_known(), coverage.ends()), (false, None));
        coverage.reach(seconds(5), false);
        coverage.reach(seconds(4), false);
        assert!(!coverage.is_known());
        assert_eq!(coverage.ends(), Some((seconds(4), seconds(5))));
    }

    #[test]
    fn marks_that_were_not_recorded_cover_nothing() {
        let mut coverage = Coverage::default();
        coverage.begin();
        coverage.ignore_marks();
        coverage.reach(seconds(5), false);
        (6..=30).for_each(|second| coverage.reach(seconds(second), true));
        coverage.reach(seconds(20), false);
        assert!(!coverage.is_known());
        assert_eq!(coverage.ends(), Some((seconds(5), seconds(20))));
        // Another source has marks. What the first one covers is still not known.
        coverage.begin();
        coverage.reach(seconds(40), true);
        assert!(!coverage.is_known());
        assert_eq!(coverage.ends(), Some((seconds(5), seconds(40))));
    }

    #[test]
    fn forged_times_take_no_memory() {
        let mut coverage = Coverage::default();
        for number in 0..10_000 {
            coverage.reach(seconds(number % 7 * 1_000), true);
        }
        assert!(coverage.spans.len() <= MAX_SPANS);
    }
}
