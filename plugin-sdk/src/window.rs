//! Counts within a sliding window of the stream's time.

mod saved;

use std::collections::VecDeque;
use std::time::Duration;

use retrans_event::nanos;
use serde::Deserialize;
use serde::Serialize;

/// A time that is earlier than the latest one by more than this, and than the window, is that of another stream, such as
/// the one of the next boot. Within a stream events are out of order by up to 1 s, and by more while the host is behind.
pub(crate) const ANOTHER_STREAM: Duration = Duration::from_secs(60);

/// The length of a window, and the limit up to which counts in it are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlidingWindow {
    /// In ns, like all times here: half the size of a `Duration`.
    length: u64,
    limit: u64,
}

impl SlidingWindow {
    /// A window in which counts up to `limit` are exact; a larger count is only known to be larger. This
    /// bounds the memory of a [`WindowCount`] to `limit` + 1 entries, which take 16 to 32 bytes each.
    pub fn new(length: Duration, limit: u64) -> SlidingWindow {
        SlidingWindow {
            length: nanos(length),
            limit,
        }
    }
}

/// A count within a [`SlidingWindow`], exact to the nanosecond.
///
/// The window ends at the latest time that was seen. An entry exactly as old as the window is long is
/// outside. Times may step back, as they do between sockets by up to 1 s: a late entry counts if it is
/// within the window. After a step back by more than the window and a minute, as to the stream of another
/// boot, the count begins anew.
///
/// A count can be saved as part of a plugin's [state](crate::Stateful), and continues exactly.
#[derive(Debug, Clone, Default)]
pub struct WindowCount {
    /// In the order of their times.
    entries: VecDeque<Entry>,
    sum: u64,
    /// The end of the window.
    latest: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    time: u64,
    weight: u32,
}

impl WindowCount {
    /// Adds `weight` at `time`, and returns the count. Above the window's limit the count may be too small,
    /// but is still above the limit; the first count above the limit is exact.
    #[inline]
    pub fn add(&mut self, window: &SlidingWindow, time: Duration, weight: u32) -> u64 {
        self.pass(window, time);
        let entry = Entry {
            time: nanos(time),
            weight,
        };
        let not_later = |other: &Entry| other.time <= entry.time;
        if self.entries.back().is_none_or(not_later) {
            self.entries.push_back(entry);
        } else {
            let position = self.entries.partition_point(not_later);
            self.entries.insert(position, entry);
        }
        self.sum += u64::from(weight);
        // The entry itself may be too old to count.
        self.pop_old(window);
        let count = self.sum;
        self.pop_needless(window);
        count
    }

    /// Changes to another window: removes the entries that do not count in it. Entries that the old window,
    /// by its length or limit, had already removed are missing in the new one, until the length of the
    /// new window has passed.
    pub fn change_window(&mut self, window: &SlidingWindow) {
        self.pop_old(window);
        self.pop_needless(window);
        self.entries.shrink_to_fit();
    }

    /// The count in the window that ends at `now`, or at the latest time seen if that is later.
    #[inline]
    pub fn count(&mut self, window: &SlidingWindow, now: Duration) -> u64 {
        self.pass(window, now);
        self.pop_old(window);
        self.sum
    }

    /// Moves the end of the window to `now`, if that is later or in another stream.
    #[inline]
    fn pass(&mut self, window: &SlidingWindow, now: Duration) {
        let now = nanos(now);
        let earliest = self.latest.saturating_sub(nanos(ANOTHER_STREAM));
        if now < earliest.saturating_sub(window.length) {
            // The memory stays: plugins account for it.
            self.entries.clear();
            self.sum = 0;
            self.latest = now;
        }
        self.latest = self.latest.max(now);
    }

    /// Removes entries that are older than the window.
    #[inline]
    fn pop_old(&mut self, window: &SlidingWindow) {
        let latest = self.latest;
        self.pop_while(|oldest, _| latest.saturating_sub(oldest.time) >= window.length);
    }

    /// Removes entries that are not needed to know that the count is above the limit.
    #[inline]
    fn pop_needless(&mut self, window: &SlidingWindow) {
        self.pop_while(|oldest, sum| sum - u64::from(oldest.weight) > window.limit);
    }

    #[inline]
    fn pop_while(&mut self, condition: impl Fn(&Entry, u64) -> bool) {
        while let Some(oldest) = self.entries.front()
            && condition(oldest, self.sum)
        {
            self.sum -= u64::from(oldest.weight);
            self.entries.pop_front();
        }
    }

    /// The time at which the count falls to the window's limit or below, if nothing more is added; `None`
    /// where it is not above the limit.
    pub fn above_limit_until(&self, window: &SlidingWindow) -> Option<Duration> {
        // The entries are the fewest with a sum above the limit: when the oldest one leaves, the count is no
        // longer above it.
        let oldest = self.entries.front()?;
        let until = oldest.time.saturating_add(window.length);
        (self.sum > window.limit).then(|| Duration::from_nanos(until))
    }

    /// The end of the window: the latest time that was seen.
    pub fn latest(&self) -> Duration {
        Duration::from_nanos(self.latest)
    }

    /// Number of entries for which memory is allocated, at 16 bytes each. For plugins that bound the memory
    /// of many counts.
    pub fn capacity(&self) -> usize {
        self.entries.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_window_slides_and_does_not_tumble() {
        let window = SlidingWindow::new(SECOND, 10);
        let mut count = WindowCount::default();
        assert_eq!(count.add(&window, at(900), 1), 1);
        assert_eq!(count.add(&window, at(1_100), 1), 2);
        assert_eq!(count.add(&window, at(1_899), 1), 3);
        assert_eq!(count.add(&window, at(1_900), 1), 3, "the first is out");
        assert_eq!(count.count(&window, at(2_899)), 1);
        assert_eq!(count.count(&window, at(2_900)), 0);
    }

    #[test]
    fn weights_count() {
        let window = SlidingWindow::new(SECOND, 100);
        let mut count = WindowCount::default();
        assert_eq!(count.add(&window, at(0), 40), 40);
        assert_eq!(count.add(&window, at(500), 2), 42);
        assert_eq!(count.add(&window, at(1_000), 0), 2);
    }

    #[test]
    fn the_count_that_passes_the_limit_is_exact() {
        let window = SlidingWindow::new(SECOND, 9);
        let mut count = WindowCount::default();
        count.add(&window, at(0), 3);
        assert_eq!(count.add(&window, at(1), 11), 14);
        assert_eq!(
            count.entries.len(),
            1,
            "the last entry alone is above the limit"
        );
    }

    #[test]
    fn times_may_step_back() {
        let window = SlidingWindow::new(SECOND, 10);
        let mut count = WindowCount::default();
        assert_eq!(count.add(&window, at(1_001), 1), 1);
        assert_eq!(count.add(&window, at(1_000), 1), 2);
        assert_eq!(count.count(&window, at(2_000)), 1, "the earlier one is out");
        assert_eq!(count.add(&window, at(500), 1), 1, "too old to count");
    }

    #[test]
    fn a_step_back_beyond_the_window_and_a_minute_begins_anew() {
        let window = SlidingWindow::new(SECOND, 10);
        let mut count = WindowCount::default();
        count.add(&window, at(1_000_000_000), 1);
        count.add(&window, at(1_000_000_000), 1);
        let late = at(1_000_000_000) - SECOND - ANOTHER_STREAM;
        assert_eq!(count.add(&window, late, 1), 2, "too old to count");
        let mut counted = count.clone();
        assert_eq!(count.add(&window, late - at(1), 1), 1, "another stream");
        assert_eq!(count.add(&window, at(5_000), 1), 1, "and another one");
        assert_eq!(count.add(&window, at(5_500), 1), 2);
        assert_eq!(count.count(&window, at(6_000)), 1);
        assert_eq!(counted.count(&window, at(5_000)), 0);
        assert_eq!(counted.latest(), at(5_000));
    }

    #[test]
    fn memory_is_bounded_by_the_limit() {
        let window = SlidingWindow::new(SECOND, 3);
        let mut count = WindowCount::default();
        for _ in 0..1_000 {
            count.add(&window, at(0), 1);
            assert!(count.entries.len() <= 4);
        }
        assert!(count.count(&window, at(0)) > 3);
    }

    /// Compares the bounded count with one that keeps all entries, where times step back by less than
    /// `late`.
    fn compare(length: Duration, limit: u64, late: Duration) {
        let window = SlidingWindow::new(length, limit);
        let mut count = WindowCount::default();
        let mut all: Vec<(Duration, u32)> = Vec::new();
        let mut latest = Duration::ZERO;
        let (mut above, mut too_late) = (0, 0);
        for record in retrans_event::synth::Synth::new(1).take(10_000) {
            let step = record.sequence().wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let back = late.mul_f64((step >> 56) as f64 / 256.0);
            let weight = (step >> 40) as u32 % 4;
            let time = record.time().saturating_sub(back);
            latest = latest.max(time);
            too_late += u32::from(latest - time >= length);
            all.push((time, weight));
            let within = |(time, _): &&(Duration, u32)| latest - *time < length;
            let expected: u64 = all
                .iter()
                .rev()
                .take(1_000)
                .filter(within)
                .map(|(_, w)| u64::from(*w))
                .sum();
            let actual = count.add(&window, time, weight);
            if expected <= limit {
                assert_eq!(actual, expected);
            } else {
                assert!(actual > limit);
                above += 1;
            }
        }
        assert!((1_000..9_000).contains(&above), "both cases occur: {above}");
        assert_eq!(too_late > 0, late > length, "{too_late}");
    }

    #[test]
    fn a_bounded_count_is_exact_up_to_its_limit() {
        compare(at(4), 12, Duration::from_micros(15));
    }

    #[test]
    fn a_bounded_count_is_exact_where_events_have_waited_for_their_owners() {
        compare(at(300), 250, at(100));
        compare(at(101), 60, at(100));
        compare(at(40), 12, at(100));
    }

    #[test]
    fn in_another_window_only_what_counts_there_is_left() {
        let window = SlidingWindow::new(SECOND, 10);
        let mut count = WindowCount::default();
        for millis in [0, 500, 800, 900] {
            count.add(&window, at(millis), 1);
        }
        let mut shorter = count.clone();
        shorter.change_window(&SlidingWindow::new(at(400), 10));
        assert_eq!((shorter.sum, shorter.latest()), (2, at(900)));
        let lower = SlidingWindow::new(SECOND, 2);
        count.change_window(&lower);
        assert_eq!(count.above_limit_until(&lower), Some(at(1_500)));
    }

    #[test]
    fn it_says_until_when_the_count_is_above_the_limit() {
        let window = SlidingWindow::new(SECOND, 2);
        let mut count = WindowCount::default();
        count.add(&window, at(0), 1);
        count.add(&window, at(100), 1);
        assert_eq!(count.above_limit_until(&window), None);
        count.add(&window, at(200), 1);
        assert_eq!(count.above_limit_until(&window), Some(at(1_000)));
        count.add(&window, at(300), 2);
        assert_eq!(count.above_limit_until(&window), Some(at(1_200)));
    }
}
