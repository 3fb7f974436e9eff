//! What a row of the table is made of: the sums of a key, its rate, and what its latest event says.

use std::ops::AddAssign;
use std::time::Duration;

use retrans_event::Event;

use super::recent::Recent;
use crate::groups::Tally;
use crate::sums::Sums;

/// What is known about a key.
#[derive(Debug, Clone, Copy, Default)]
pub struct Row {
    /// Sums of all events.
    pub sums: Sums,
    /// Segments lately.
    pub recent: Recent,
    /// What the latest event says.
    pub latest: Latest,
}

/// Values of the latest event of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latest {
    /// Time of day.
    pub wall_time: Duration,
    /// Smoothed round-trip time in µs, of the latest event that has one.
    pub srtt_us: Option<u32>,
    /// Retransmission timeout in µs.
    pub rto_us: Option<u32>,
    /// Segments that the connection has sent again, and all that it has sent with data.
    pub connection: Option<(u32, u32)>,
}

impl Latest {
    fn of(event: &Event) -> Latest {
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        Latest {
            wall_time: event.wall_time(),
            srtt_us: event.srtt().map(micros),
            rto_us: event.rto().map(micros),
            connection: event.total_retrans().zip(event.data_segs_out()),
        }
    }

    /// Takes the values of a later event.
    fn update(&mut self, other: Latest) {
        if other.wall_time < self.wall_time {
            return;
        }
        let srtt_us = other.srtt_us.or(self.srtt_us);
        *self = Latest { srtt_us, ..other };
    }

    /// The share of the segments of the connection that were sent again, from 0 to 1, as its latest event has it.
    /// `None` before it has sent data.
    pub fn ratio(&self) -> Option<f64> {
        let (again, sent) = self.connection?;
        // A handshake that was sent again counts as a segment, but not as one with data.
        (sent > 0).then(|| (f64::from(again) / f64::from(sent)).min(1.0))
    }
}

impl Tally for Row {
    fn add(&mut self, event: &Event) {
        self.sums.add(event);
        let segments = u64::from(event.segments().unwrap_or(0));
        self.recent.add(event.wall_time(), segments);
        self.latest.update(Latest::of(event));
    }
}

impl AddAssign for Row {
    fn add_assign(&mut self, other: Row) {
        self.sums += other.sums;
        self.recent += other.recent;
        self.latest.update(other.latest);
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;

    fn event(seconds: u64) -> Record {
        let mut event = Record::new();
        event.set_wall_time(Duration::from_secs(seconds));
        event.set_segments(Some(2));
        event
    }

    #[test]
    fn a_row_has_the_values_of_its_latest_event() {
        let mut row = Row::default();
        let mut first = event(100);
        first.set_srtt(Some(Duration::from_micros(5_000)));
        first.set_rto(Some(Duration::from_millis(200)));
        first.set_total_retrans(Some(3));
        first.set_data_segs_out(Some(12));
        row.add(&first);
        assert_eq!(row.latest.ratio(), Some(0.25));
        let mut second = event(101);
        second.set_rto(Some(Duration::from_secs(5_000)));
        second.set_total_retrans(Some(4));
        second.set_data_segs_out(Some(0));
        row.add(&second);
        row.add(&event(99));
        assert_eq!(row.sums.segments, 6);
        assert_eq!(row.latest.wall_time, Duration::from_secs(101));
        assert_eq!(row.latest.srtt_us, Some(5_000), "the handshake has none");
        assert_eq!(row.latest.rto_us, Some(u32::MAX), "an hour is the most");
        assert_eq!(row.latest.ratio(), None);
        let mut sum = Row::default();
        sum += row;
        assert_eq!(sum.latest, row.latest);
    }

    #[test]
    fn rows_take_few_bytes() {
        assert!(size_of::<Row>() <= 384, "{}", size_of::<Row>());
    }
}
