//! What leaves the source: completed events in batches, and marks of time between them.

use std::rc::Rc;

use retrans_event::Event;

use crate::source::outflow::Outflow;
use crate::source::owner::Found;
use crate::source::owner::container::Container;
use crate::stats::Stats;
use crate::stats::counters::OwnerStats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::MAX_EVENTS;
use crate::stream::batch::Mark;
use crate::stream::labels::Column;

/// Label with the whole id of the container that an event's owner lives in (OpenTelemetry's name).
const CONTAINER_LABEL: &str = "container.id";

/// Label with the uid of its Kubernetes pod.
const POD_LABEL: &str = "k8s.pod.uid";

/// Numbers events and puts them into batches.
pub struct Stream<'a> {
    out: Outflow<'a>,
    batch: Batch,
    /// Of the batch's events, by their numbers.
    containers: Vec<(u32, Rc<Container>)>,
    /// Batches that are full.
    full: Vec<Batch>,
    delivered: u64,
    /// Events after which the stream ends, where that was asked for.
    count: Option<u64>,
    /// Events that came after these.
    beyond: u64,
    owners: OwnerStats,
}

impl<'a> Stream<'a> {
    /// A stream without events. It ends after `count` of them, if it is not ended before.
    pub fn new(out: Outflow<'a>, count: Option<u64>) -> Stream<'a> {
        Stream {
            out,
            batch: Batch::new(),
            containers: Vec::new(),
            full: Vec::new(),
            delivered: 0,
            count,
            beyond: 0,
            owners: OwnerStats::default(),
        }
    }

    /// Events that were put into the stream.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Events that came when the stream had as many as it was to have.
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Has it as many events as it was to have?
    pub fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.delivered >= count)
    }

    /// Puts the observers' statistics where they belong.
    pub fn report(&self, stats: &mut Stats) {
        self.out.report(stats);
    }

    /// How many of them had which owner.
    pub fn owners(&self) -> OwnerStats {
        self.owners
    }

    /// Adds a record of the ring, whose event is then to be [accepted](Stream::accept) or
    /// [discarded](Stream::discard). This is the only copy that is made of it before the chain.
    pub fn receive(&mut self, record: &[u8]) -> Option<&mut Event> {
        self.batch.push_mut(record)
    }

    /// Takes back what was received last.
    pub fn discard(&mut self) {
        self.batch.pop();
    }

    /// Gives the event that was received last its place in the stream, and its owner.
    pub fn accept(&mut self, found: Found) {
        if self.is_complete() {
            self.beyond += 1;
            self.discard();
            return;
        }
        let last = self.batch.len().saturating_sub(1);
        if let Ok(event) = Event::new_mut(self.batch.record_mut(last)) {
            event.set_sequence(self.delivered);
            event.set_owner(&found.owner);
        }
        self.delivered += 1;
        self.owners.count(&found.owner);
        if let Some(container) = found.container {
            self.containers.push((last as u32, container));
        }
        if self.batch.len() == MAX_EVENTS {
            self.close_batch();
        }
    }

    /// Adds an event that has waited, and its owner.
    pub fn push(&mut self, event: &Event, found: Found) {
        self.batch.push(event.as_bytes());
        self.accept(found);
    }

    fn close_batch(&mut self) {
        let mut batch = std::mem::replace(&mut self.batch, self.out.empty());
        if !self.containers.is_empty() {
            let ids = self.containers.iter();
            let ids = ids.map(|(event, container)| (*event, container.id.as_str()));
            batch.labels.annotate(Column::new(CONTAINER_LABEL, ids));
            let pods = self.containers.iter();
            let mut pods = pods
                .filter_map(|(event, container)| Some((*event, container.pod.as_deref()?)))
                .peekable();
            if pods.peek().is_some() {
                batch.labels.annotate(Column::new(POD_LABEL, pods));
            }
            self.containers.clear();
        }
        self.full.push(batch);
    }

    /// Is there nothing to send?
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.full.is_empty()
    }

    /// Sends what is there, and says how many events were lost since the last time. False: the chain has
    /// ended, or the recording that the run is for.
    pub fn send(&mut self, mut lost: u64) -> bool {
        if !self.batch.is_empty() {
            self.close_batch();
        }
        let mut open = true;
        for mut batch in std::mem::take(&mut self.full) {
            batch.lost = std::mem::take(&mut lost);
            open &= self.out.pass_on(Item::Events(batch));
        }
        open
    }

    /// Sends a mark. False: the chain has ended.
    pub fn mark(&mut self, mark: Mark) -> bool {
        self.out.pass_on(Item::Mark(mark))
    }

    /// Sends the end of the stream, and completes the statistics.
    pub fn end(self, mark: Mark, stats: &mut Stats) {
        self.out.end(mark, stats);
    }
}
