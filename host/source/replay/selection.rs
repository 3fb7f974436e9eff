//! What of recorded events is wanted: those of some times of day that filters admit.

use std::time::Duration;

use crate::config::TimeRange;
use crate::filter::Filters;
use crate::stream::batch::Batch;
use crate::stream::census::Census;

/// The wanted events and rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    times: TimeRange,
    filters: Filters,
    /// Whether there are any filters.
    is_filtered: bool,
}

impl Selection {
    /// The events of these times that these filters admit.
    pub fn new(times: TimeRange, filters: Filters) -> Selection {
        Selection {
            times,
            is_filtered: filters != Filters::default(),
            filters,
        }
    }

    /// Returns whether a time of day is wanted.
    pub fn has_time(&self, wall_time: Duration) -> bool {
        self.times.contains(wall_time)
    }

    /// Removes the events that are not wanted.
    pub fn select(&self, batch: &mut Batch) {
        let times = self.times;
        if times != TimeRange::default() {
            let within: Vec<bool> = batch
                .events()
                .map(|event| times.contains(event.wall_time()))
                .collect();
            // A loss before an event that is removed is removed with it.
            if within.first() == Some(&false) {
                batch.lost = 0;
            }
            batch.retain(|event| within[event]);
        }
        if self.is_filtered {
            let wanted: Vec<bool> = batch
                .events()
                .map(|event| self.filters.want(event))
                .collect();
            batch.retain(|event| wanted[event]);
        }
    }

    /// Removes the rows that the filters leave out.
    pub fn select_rows(&self, census: &mut Census) {
        if self.is_filtered {
            census.retain(|row| self.filters.want_row(row));
        }
    }
}
