//! What is counted in a capture.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use retrans_event::Event;
use retrans_view::containers::ContainerNames;
use retrans_view::groups::Groups;
use retrans_view::key::Connection;
use retrans_view::key::Grouping;
use retrans_view::ratios::Ratios;
use retrans_view::sums::Sums;
use retrans_view::timeline::Timeline;

use crate::capture::Head;
use crate::source::replay::Selection;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::collect;

/// Maximum number of connections that are counted: 30 MiB. A capture may have as many as it has events.
pub(super) const MAX_CONNECTIONS: usize = 500_000;

/// Maximum number of keys of a grouping: 100 MiB.
pub(super) const MAX_KEYS: usize = 200_000;

/// Maximum number of intervals of the histogram.
const MAX_INTERVALS: usize = 20;

/// The summary of a capture.
pub(super) struct Summary {
    pub(super) head: Head,
    pub(super) sums: Sums,
    /// Events that were lost, and the number of gaps.
    pub(super) lost: u64,
    pub(super) gaps: u64,
    pub(super) ratios: Ratios,
    connections: HashSet<Connection, RandomState>,
    /// Whether there were more connections than are counted.
    has_more_connections: bool,
    pub(super) groups: Vec<Groups>,
    pub(super) containers: ContainerNames,
    /// Events and segments over time.
    pub(super) timeline: Timeline<Sums>,
    /// The message if the file was cut off.
    pub(super) cut: Option<String>,
}

impl Summary {
    /// Of a capture from which nothing was read yet.
    pub(super) fn new(head: Head, by: &[Grouping]) -> Summary {
        let groups = by.iter().cloned();
        Summary {
            head,
            sums: Sums::default(),
            lost: 0,
            gaps: 0,
            ratios: Ratios::new(MAX_KEYS),
            connections: HashSet::default(),
            has_more_connections: false,
            groups: groups.map(|by| Groups::new(by, MAX_KEYS)).collect(),
            containers: ContainerNames::default(),
            timeline: Timeline::new(MAX_INTERVALS),
            cut: None,
        }
    }

    /// Adds what is wanted of an item. Returns its batch, to be used again.
    pub(super) fn add(&mut self, item: Item, selection: &Selection) -> Option<Batch> {
        match item {
            Item::Events(mut batch) => {
                selection.select(&mut batch);
                // A loss among events that a filter leaves out is one all the same.
                self.add_loss(batch.lost);
                collect::container_names(&batch, &mut self.containers);
                batch.events().for_each(|event| self.add_event(event));
                batch.clear();
                return Some(batch);
            }
            Item::Census(mut census) => {
                let time = census.now().map(|now| now.wall_time);
                if time.is_none_or(|time| selection.has_time(time)) {
                    selection.select_rows(&mut census);
                    self.ratios.add(census.rows());
                }
            }
            Item::Mark(mark) | Item::End(mark) => {
                if selection.has_time(mark.wall_time) {
                    self.add_loss(mark.lost);
                }
            }
        }
        None
    }

    fn add_loss(&mut self, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
        self.gaps += u64::from(lost > 0);
    }

    pub(super) fn add_event(&mut self, event: &Event) {
        self.sums.add(event);
        self.timeline.at(event.wall_time()).add(event);
        for groups in &mut self.groups {
            groups.add(event);
        }
        let connection = Connection::of(event);
        if self.connections.len() < MAX_CONNECTIONS {
            self.connections.insert(connection);
        } else {
            self.has_more_connections |= !self.connections.contains(&connection);
        }
    }

    /// Number of connections, and whether there were more.
    pub(super) fn connections(&self) -> (usize, bool) {
        (self.connections.len(), self.has_more_connections)
    }
}
