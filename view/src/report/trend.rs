//! What is shown of a key, such as a peer: its sums, and a small timeline.

use std::ops::AddAssign;

use retrans_event::Event;

use crate::groups::Tally;
use crate::sums::Sums;
use crate::timeline::Timeline;

/// Maximum number of intervals of a small timeline.
pub const MAX_INTERVALS: usize = 60;

/// Sums and a timeline of segments.
#[derive(Debug, Clone)]
pub struct Trend {
    /// Sums of the events.
    pub sums: Sums,
    /// Segments over time.
    pub segments: Timeline<u64>,
}

impl Default for Trend {
    fn default() -> Trend {
        Trend {
            sums: Sums::default(),
            segments: Timeline::new(MAX_INTERVALS),
        }
    }
}

impl Tally for Trend {
    fn add(&mut self, event: &Event) {
        self.sums.add(event);
        *self.segments.at(event.wall_time()) += u64::from(event.segments().unwrap_or(0));
    }
}

/// Adds the sums. The timeline stays: it is that of one key.
impl AddAssign for Trend {
    fn add_assign(&mut self, other: Trend) {
        self.sums += other.sums;
    }
}
