//! The events of a connection as points of a diagram, in bounded memory.

use std::time::Duration;

use retrans_event::Event;
use retrans_event::Kind;

/// Maximum number of points of a connection.
pub const MAX_POINTS: usize = 1_024;

/// A retransmitted segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Nanoseconds since 1970.
    pub time: u64,
    /// First sequence number, and the one after the last.
    pub seq: (u32, u32),
    /// First byte that was not acknowledged.
    pub unacknowledged: Option<u32>,
    /// Next sequence number to be sent.
    pub next: Option<u32>,
    /// The cause.
    pub kind: Kind,
    /// Whether it was sent.
    pub sent: bool,
}

/// The points: all, or one of every few.
#[derive(Debug, Clone)]
pub struct Points {
    points: Vec<Point>,
    /// One of this number of events has a point.
    every: u64,
    seen: u64,
    /// The points before this event were taken away: its time in nanoseconds since 1970.
    from: Option<u64>,
    was_cleared: bool,
}

impl Default for Points {
    fn default() -> Points {
        Points {
            points: Vec::new(),
            every: 1,
            seen: 0,
            from: None,
            was_cleared: false,
        }
    }
}

impl Points {
    /// Adds an event, if its sequence numbers are known.
    pub fn add(&mut self, event: &Event) {
        let Some(seq) = event.seq() else {
            return;
        };
        let number = self.seen;
        self.seen += 1;
        if !number.is_multiple_of(self.every) {
            return;
        }
        if self.points.len() == MAX_POINTS {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every *= 2;
            if !number.is_multiple_of(self.every) {
                return;
            }
        }
        let time = u64::try_from(event.wall_time().as_nanos()).unwrap_or(u64::MAX);
        if std::mem::take(&mut self.was_cleared) {
            self.from = Some(time);
        }
        self.points.push(Point {
            time,
            seq: (seq, event.end_seq().unwrap_or(seq)),
            unacknowledged: event.snd_una(),
            next: event.snd_nxt(),
            kind: event.kind(),
            sent: event.sent(),
        });
    }

    /// Takes all points away. Later events have points.
    pub fn clear(&mut self) {
        self.was_cleared |= !self.points.is_empty();
        *self = Points {
            was_cleared: self.was_cleared,
            from: self.from,
            ..Points::default()
        };
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The points.
    pub fn as_slice(&self) -> &[Point] {
        &self.points
    }

    /// One of this number of events has a point.
    pub fn every(&self) -> u64 {
        self.every
    }

    /// The time from which there are points, if earlier ones were taken away.
    pub fn from(&self) -> Option<Duration> {
        self.from.map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;

    fn event(number: u32) -> Record {
        Record::new().with(|event| {
            event.set_wall_time(Duration::from_secs(u64::from(number)));
            event.set_seq(Some(number));
        })
    }

    #[test]
    fn of_many_events_one_of_every_few_stays() {
        let mut points = Points::default();
        for number in 0..10_000 {
            points.add(&event(number));
        }
        assert!(points.len() <= MAX_POINTS && points.len() > MAX_POINTS / 2);
        assert_eq!(points.every(), 16);
        let numbers: Vec<u32> = points.as_slice().iter().map(|point| point.seq.0).collect();
        let expected: Vec<u32> = (0..10_000).step_by(16).collect();
        assert_eq!(numbers, expected);
        assert_eq!(points.from(), None);
    }

    #[test]
    fn what_was_taken_away_is_told() {
        let mut points = Points::default();
        points.add(&event(1));
        points.clear();
        points.add(&event(7));
        points.add(&event(8));
        assert_eq!(points.from(), Some(Duration::from_secs(7)));
        assert_eq!(points.len(), 2);
    }
}
