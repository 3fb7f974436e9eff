//! The sums of some events: in all, by second, and by each key.

use std::ops::AddAssign as _;

use retrans_event::Event;
use retrans_event::OwnerStatus;

use super::chart::Chart;
use super::row::Row;
use crate::groups::GroupsOf;
use crate::groups::Tally as _;
use crate::key;
use crate::key::Part;

/// What events can be grouped by, in the order of the keys 1 to 9 and of the key that goes to the next.
pub const GROUPINGS: [Part; 12] = [
    Part::Peer,
    Part::Process,
    Part::Container,
    Part::Connection,
    Part::Kind,
    Part::PeerPort,
    Part::LocalPort,
    Part::User,
    Part::Netns,
    Part::Local,
    Part::State,
    Part::CongestionControl,
];

/// Maximum number of peers, and of connections: 11 MB each.
pub const MAX_CONNECTIONS: usize = 16_384;

/// Maximum number of other keys of a grouping: 3 MB each.
pub const MAX_OTHERS: usize = 4_096;

/// The sums of some events.
#[derive(Debug, Clone)]
pub struct Tables {
    groups: [GroupsOf<Row>; GROUPINGS.len()],
    /// Segments by second.
    pub chart: Chart,
    /// All events.
    pub total: Row,
    /// Events whose owner is known: the process that holds the socket, the last one that did, or the kernel.
    pub owners_known: u64,
}

impl Default for Tables {
    fn default() -> Tables {
        let groups = GROUPINGS.map(|part| {
            let max = match part {
                Part::Peer | Part::Connection => MAX_CONNECTIONS,
                _ => MAX_OTHERS,
            };
            GroupsOf::new(part, max)
        });
        Tables {
            groups,
            chart: Chart::default(),
            total: Row::default(),
            owners_known: 0,
        }
    }
}

impl Tables {
    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        self.groups.iter_mut().for_each(|groups| groups.add(event));
        self.chart.add(event);
        self.total.add(event);
        let is_known =
            key::process(event).is_some() || event.owner().status() == OwnerStatus::Kernel;
        self.owners_known.add_assign(u64::from(is_known));
    }

    /// The sums by one of [`GROUPINGS`], by its number.
    pub fn groups(&self, number: usize) -> &GroupsOf<Row> {
        &self.groups[number % GROUPINGS.len()]
    }
}
