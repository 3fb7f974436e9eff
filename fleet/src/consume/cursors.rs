//! The last number of each agent's run in a partition: finds frames that come again, and frames that are missing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::names::AgentRun;
use crate::names::FrameId;

/// Runs are looked through for forgotten ones when this part of the maximal age has passed.
const SWEEPS_PER_AGE: u32 = 16;

/// What a frame is to the frames before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// It has not been seen.
    New {
        /// Number of frames of this run and partition between the last one and this one that were never seen.
        missing: u64,
    },
    /// It, or a later one of its run, has been seen.
    Duplicate,
}

/// The last number of each run within one partition. The same frames with the same stamps always lead to the same
/// state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Cursors {
    max_age: Duration,
    /// Stamp of the first frame: what was published before may never have been read.
    since: Option<Duration>,
    /// Stamp at which forgotten runs were last looked for.
    swept: Duration,
    runs: BTreeMap<AgentRun, Cursor>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    number: u64,
    seen: Duration,
}

impl Cursors {
    /// No run yet. `max_age` is that of the stream: a run that was not seen for longer is forgotten.
    pub fn new(max_age: Duration) -> Cursors {
        Cursors {
            max_age,
            since: None,
            swept: Duration::ZERO,
            runs: BTreeMap::new(),
        }
    }

    /// The same state with another maximal age, which the stream has now.
    #[must_use]
    pub fn with_max_age(self, max_age: Duration) -> Cursors {
        Cursors { max_age, ..self }
    }

    /// Number of runs that are known.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The last number of this run.
    pub fn last(&self, run: &AgentRun) -> Option<u64> {
        self.runs.get(run).map(|cursor| cursor.number)
    }

    /// Takes the frame into account. `stamped` is when the broker stored it, as Unix time.
    ///
    /// The first frame of an unknown run need not have the number 0: earlier ones may have been published before this
    /// partition was first read, or so long ago that the run was forgotten. They count as missing only if the run began
    /// since then, by the agent's clock.
    pub fn accept(&mut self, id: &FrameId, stamped: Duration) -> Accept {
        let since = *self.since.get_or_insert(stamped);
        self.forget(stamped);
        let last = self.runs.get(&id.run).map(|cursor| cursor.number);
        let (accept, number) = match last {
            Some(last) if id.number <= last => (Accept::Duplicate, last),
            Some(last) => (
                Accept::New {
                    missing: id.number - last - 1,
                },
                id.number,
            ),
            None => {
                let missing = match self.must_begin_at_0(&id.run, since, stamped) {
                    true => id.number,
                    false => 0,
                };
                (Accept::New { missing }, id.number)
            }
        };
        let cursor = Cursor {
            number,
            seen: stamped,
        };
        self.runs.insert(id.run.clone(), cursor);
        accept
    }

    fn must_begin_at_0(&self, run: &AgentRun, since: Duration, stamped: Duration) -> bool {
        let start = Duration::from_nanos(run.start);
        // A start after the stamp: the agent's clock is ahead, and says nothing about when the run began.
        start > since && start <= stamped && stamped - start <= self.max_age
    }

    fn forget(&mut self, now: Duration) {
        if now < self.swept + self.max_age / SWEEPS_PER_AGE {
            return;
        }
        self.swept = now;
        let max_age = self.max_age;
        self.runs
            .retain(|_, cursor| now.saturating_sub(cursor.seen) <= max_age);
    }
}

/// The form in a snapshot, short because there may be ten thousand runs: times in nanoseconds, a run in a row.
#[derive(Serialize, Deserialize)]
struct Stored {
    max_age: u64,
    since: Option<u64>,
    swept: u64,
    /// Boot, start, number, seen.
    runs: Vec<(String, u64, u64, u64)>,
}

impl From<Stored> for Cursors {
    fn from(stored: Stored) -> Cursors {
        let run = |(boot, start, number, seen)| {
            let seen = Duration::from_nanos(seen);
            (AgentRun { boot, start }, Cursor { number, seen })
        };
        Cursors {
            max_age: Duration::from_nanos(stored.max_age),
            since: stored.since.map(Duration::from_nanos),
            swept: Duration::from_nanos(stored.swept),
            runs: stored.runs.into_iter().map(run).collect(),
        }
    }
}

impl From<Cursors> for Stored {
    fn from(cursors: Cursors) -> Stored {
        // Nanoseconds of a Unix time fit until the year 2554.
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let run = |(run, cursor): (AgentRun, Cursor)| {
            (run.boot, run.start, cursor.number, nanos(cursor.seen))
        };
        Stored {
            max_age: nanos(cursors.max_age),
            since: cursors.since.map(nanos),
            swept: nanos(cursors.swept),
            runs: cursors.runs.into_iter().map(run).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::Partition;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(86_400);
    /// A Unix time.
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn run(start: Duration) -> AgentRun {
        AgentRun {
            boot: "boot".to_owned(),
            start: start.as_nanos() as u64,
        }
    }

    fn frame(run: &AgentRun, number: u64) -> FrameId {
        FrameId {
            run: run.clone(),
            partition: Partition(0),
            number,
        }
    }

    /// Every sequence of five numbers from 0 to 3, against a simple model.
    #[test]
    fn every_short_sequence_is_counted() {
        for case in 0..4_u32.pow(5) {
            let numbers = (0..5).map(|at| u64::from(case / 4_u32.pow(at) % 4));
            let run = run(NOW);
            let mut cursors = Cursors::new(DAY);
            // Another run before: since is before the start of this one.
            let first = AgentRun {
                boot: "first".to_owned(),
                start: 0,
            };
            cursors.accept(&frame(&first, 9), NOW - HOUR);
            let (mut next, mut missing, mut new) = (0, 0, 0);
            for number in numbers.clone() {
                let expected = match number < next {
                    true => Accept::Duplicate,
                    false => Accept::New {
                        missing: number - next,
                    },
                };
                assert_eq!(
                    cursors.accept(&frame(&run, number), NOW),
                    expected,
                    "case {case}"
                );
                if let Accept::New { missing: more } = expected {
                    (next, missing, new) = (number + 1, missing + more, new + 1);
                }
            }
            // Numbers up to the last one are either new or missing.
            assert_eq!(new + missing, numbers.max().expect("a value") + 1);
        }
    }

    #[test]
    fn a_consumer_that_begins_in_mid_stream_misses_nothing() {
        let mut cursors = Cursors::new(DAY);
        let (early, quiet) = (run(NOW - HOUR), run(NOW - 2 * HOUR));
        let none = Accept::New { missing: 0 };
        assert_eq!(cursors.accept(&frame(&early, 1000), NOW), none);
        assert_eq!(cursors.accept(&frame(&early, 1001), NOW), none);
        // It began before, and had no frame in this partition for five hours.
        assert_eq!(cursors.accept(&frame(&quiet, 5), NOW + 5 * HOUR), none);
    }

    #[test]
    fn a_run_that_begins_later_begins_at_0() {
        let mut cursors = Cursors::new(DAY);
        cursors.accept(&frame(&run(NOW - HOUR), 1000), NOW);
        let later = run(NOW + HOUR);
        let found = cursors.accept(&frame(&later, 3), NOW + 2 * HOUR);
        assert_eq!(found, Accept::New { missing: 3 });
        // Also after the state was stored.
        let text = serde_json::to_string(&cursors).expect("a value");
        let mut cursors: Cursors = serde_json::from_str(&text).expect("a value");
        let latest = run(NOW + 3 * HOUR);
        let found = cursors.accept(&frame(&latest, 1), NOW + 4 * HOUR);
        assert_eq!(found, Accept::New { missing: 1 });
        assert_eq!(
            cursors.accept(&frame(&later, 3), NOW + 4 * HOUR),
            Accept::Duplicate
        );
    }

    #[test]
    fn a_clock_that_is_ahead_makes_no_gap() {
        let mut cursors = Cursors::new(DAY);
        cursors.accept(&frame(&run(NOW - HOUR), 1000), NOW);
        // The run began two minutes before this consumer; its clock is an hour ahead.
        let ahead = run(NOW + HOUR - Duration::from_secs(120));
        let found = cursors.accept(&frame(&ahead, 50), NOW + Duration::from_secs(1));
        assert_eq!(found, Accept::New { missing: 0 });
    }

    #[test]
    fn runs_are_forgotten_after_the_maximal_age_and_come_back_without_a_gap() {
        let mut cursors = Cursors::new(DAY);
        let (old, steady) = (run(NOW), run(NOW + Duration::from_secs(1)));
        cursors.accept(&frame(&old, 0), NOW);
        for hour in 0..=24 {
            cursors.accept(&frame(&steady, u64::from(hour)), NOW + hour * HOUR);
        }
        assert_eq!(cursors.runs(), 2);
        cursors.accept(&frame(&steady, 25), NOW + 26 * HOUR);
        assert_eq!((cursors.runs(), cursors.last(&old)), (1, None));
        let found = cursors.accept(&frame(&old, 7), NOW + 27 * HOUR);
        assert_eq!(found, Accept::New { missing: 0 });
        assert_eq!(cursors.last(&steady), Some(25));
    }

    #[test]
    fn a_duplicate_keeps_a_run_known() {
        let mut cursors = Cursors::new(DAY);
        let run = run(NOW);
        cursors.accept(&frame(&run, 5), NOW);
        assert_eq!(
            cursors.accept(&frame(&run, 5), NOW + 20 * HOUR),
            Accept::Duplicate
        );
        assert_eq!(
            cursors.accept(&frame(&run, 2), NOW + 40 * HOUR),
            Accept::Duplicate
        );
        assert_eq!(cursors.last(&run), Some(5));
    }

    #[test]
    fn the_state_is_stored_and_read_whole() {
        let mut cursors = Cursors::new(DAY);
        for number in 0..100 {
            cursors.accept(&frame(&run(NOW + number * HOUR), 3), NOW + number * HOUR);
        }
        let text = serde_json::to_string(&cursors).expect("a value");
        assert_eq!(
            serde_json::from_str::<Cursors>(&text).expect("a value"),
            cursors
        );
    }

    #[test]
    fn the_largest_number_is_no_overflow() {
        let mut cursors = Cursors::new(DAY);
        let run = run(NOW);
        cursors.accept(&frame(&run, 0), NOW);
        let found = cursors.accept(&frame(&run, u64::MAX), NOW);
        assert_eq!(
            found,
            Accept::New {
                missing: u64::MAX - 1
            }
        );
        assert_eq!(
            cursors.accept(&frame(&run, u64::MAX), NOW),
            Accept::Duplicate
        );
    }
}
