//! Lets events gather in the ring buffer while many arrive, so that not every one of them wakes the source.
//!
//! A record that finds the ring buffer empty wakes the reader, which costs the probe as much as all else that it does,
//! and the reader several system calls. A reader that comes a little later finds many records, and is woken for one.

use std::time::Duration;

/// How long events gather at most, and the time over which their rate is measured.
const PAUSE: Duration = Duration::from_millis(1);

/// Number of events within [`PAUSE`] from which they are many: 10,000 a second.
const MANY: u32 = 10;

/// A pause must not take more than this part of the ring buffer.
const MAX_FILL: u32 = 8;

/// The rate of events, and what follows from it.
#[derive(Debug)]
pub struct Pace {
    /// The most events of a pause.
    most: u32,
    /// The time since boot at which the rate was last measured.
    begun: Duration,
    /// Number of events since.
    count: u32,
}

impl Pace {
    /// The pace of a reader of a ring buffer that has room for `room` events.
    pub fn new(room: u32) -> Pace {
        Pace {
            most: room / MAX_FILL,
            begun: Duration::ZERO,
            count: 0,
        }
    }

    /// Notes that `events` were read at `now`, a time since boot. Returns for how long the reader is to pause.
    pub fn read(&mut self, events: u32, now: Duration) -> Duration {
        self.count = self.count.saturating_add(events);
        let elapsed = now.saturating_sub(self.begun);
        if elapsed < PAUSE {
            return Duration::ZERO;
        }
        let count = std::mem::take(&mut self.count);
        self.begun = now;
        // The number within a pause, at the rate since the last measurement.
        let rate = f64::from(count) / elapsed.as_secs_f64();
        let expected = rate * PAUSE.as_secs_f64();
        match expected >= f64::from(MANY) && expected <= f64::from(self.most) {
            true => PAUSE,
            false => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pause after reads of these numbers of events, each at this many µs since the first.
    fn pause(room: u32, reads: &[(u32, u64)]) -> Duration {
        let mut pace = Pace::new(room);
        let begin = Duration::from_secs(5);
        pace.read(0, begin);
        let pauses = reads
            .iter()
            .map(|(events, at)| pace.read(*events, begin + Duration::from_micros(*at)));
        pauses.last().unwrap_or_default()
    }

    #[test]
    fn few_events_are_read_at_once() {
        assert_eq!(pause(10_000, &[]), Duration::ZERO);
        assert_eq!(pause(10_000, &[(1, 10_000)]), Duration::ZERO);
        assert_eq!(pause(10_000, &[(9, 1_000)]), Duration::ZERO);
        // A lone event after a long time, whatever came before it.
        assert_eq!(pause(10_000, &[(500, 1_000), (1, 900_000)]), Duration::ZERO);
    }

    #[test]
    fn many_events_gather() {
        assert_eq!(pause(10_000, &[(10, 1_000)]), PAUSE);
        assert_eq!(pause(10_000, &[(5, 300), (5, 600), (5, 1_100)]), PAUSE);
    }

    #[test]
    fn there_is_no_pause_in_which_the_ring_would_fill() {
        assert_eq!(pause(800, &[(100, 1_000)]), PAUSE);
        assert_eq!(pause(800, &[(101, 1_000)]), Duration::ZERO);
        assert_eq!(pause(14, &[(10, 1_000)]), Duration::ZERO);
    }
}
