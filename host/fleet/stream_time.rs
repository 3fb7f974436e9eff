//! The time of a stream with events of many hosts. Clocks of hosts differ, and so do times since their boots: the broker's
//! stamp of a frame, less an event's age in the frame, is the time of the event. It is the same whenever the frame is read
//! again.

use std::time::Duration;

use crate::stream::batch::Item;
use crate::stream::census::Census;
use crate::stream::moment::Mark;

/// When a frame was published, on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The broker's stamp, since 1970-01-01T00:00:00Z.
    pub stamped: Duration,
    /// The agent's clock, since the boot of its machine.
    pub clock: Duration,
}

impl Published {
    /// The stream's time of what happened at this time since the boot of the agent's machine. What is later than the
    /// publishing has the stamp as its time.
    pub fn time_of(self, since_boot: Duration) -> Duration {
        let age = self.clock.saturating_sub(since_boot);
        self.stamped.saturating_sub(age)
    }

    /// Gives an item the stream's time, in the place of the time since boot and of the time of day.
    pub fn apply(self, item: &mut Item) {
        match item {
            Item::Events(batch) => {
                for event in batch.events_mut() {
                    let time = self.time_of(event.time());
                    event.set_time(time);
                    event.set_wall_time(time);
                }
            }
            Item::Census(census) => {
                let rows = census.rows().map(|mut row| {
                    let time = self.time_of(row.time);
                    row.time = time;
                    row.wall_time = time;
                    row
                });
                *census = Census::new(rows);
            }
            Item::Mark(mark) | Item::End(mark) => {
                let time = self.time_of(mark.time);
                *mark = Mark {
                    time,
                    wall_time: time,
                    lost: mark.lost,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::CensusRow;
    use retrans_event::Record;

    use super::*;
    use crate::stream::batch::Batch;

    const STAMP: Duration = Duration::from_secs(1_700_000_000);

    fn published(clock: u64) -> Published {
        Published {
            stamped: STAMP,
            clock: Duration::from_secs(clock),
        }
    }

    #[test]
    fn an_age_is_the_same_on_all_clocks() {
        for clock in [100, 5, 1_000_000] {
            let three_before = Duration::from_secs(clock - 3);
            assert_eq!(
                published(clock).time_of(three_before),
                STAMP - Duration::from_secs(3)
            );
        }
        assert_eq!(published(5).time_of(Duration::from_secs(9)), STAMP);
    }

    #[test]
    fn events_rows_and_marks_have_it_whatever_the_time_of_day_of_their_host() {
        let an_hour_ahead = STAMP + Duration::from_secs(3_600);
        let mut record = Record::new();
        record.set_time(Duration::from_secs(90));
        record.set_wall_time(an_hour_ahead);
        let mut batch = Batch::new();
        batch.push(record.as_bytes());
        let row = CensusRow {
            time: Duration::from_secs(90),
            wall_time: an_hour_ahead,
            segments: 4,
            ..CensusRow::EMPTY
        };
        let mark = Mark {
            time: Duration::from_secs(90),
            wall_time: an_hour_ahead,
            lost: 2,
        };
        let mut items = [
            Item::Events(batch),
            Item::Census(Census::new([row])),
            Item::Mark(mark),
        ];
        items.iter_mut().for_each(|item| published(100).apply(item));
        let expected = STAMP - Duration::from_secs(10);
        let [Item::Events(batch), Item::Census(census), Item::Mark(mark)] = &items else {
            panic!("{items:?}");
        };
        assert_eq!(
            (batch.now().time, batch.now().wall_time),
            (expected, expected)
        );
        let row = census.rows().next().expect("a row");
        assert_eq!(
            (row.time, row.wall_time, row.segments),
            (expected, expected, 4)
        );
        assert_eq!(
            (mark.time, mark.wall_time, mark.lost),
            (expected, expected, 2)
        );
    }
}
