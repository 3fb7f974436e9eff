//! The stream that leaves the live source: completed events in batches, and marks between them.

use std::rc::Rc;

use retrans_event::Event;

use super::ring_event;
use super::ring_event::RingEvent;
use crate::filter::OwnerFilter;
use crate::source::outflow::Outflow;
use crate::source::owner::ResolvedOwner;
use crate::source::owner::container::Container;
use crate::source::owner::names::NameFinder;
use crate::source::owner::names::Names;
use crate::stats::Stats;
use crate::stats::counters::OwnerStats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::MAX_EVENTS;
use crate::stream::census::Census;
use crate::stream::labels::Column;
use crate::stream::moment::Mark;

/// Name of the label with the whole id of the container of an event's owner, as OpenTelemetry names it.
const CONTAINER_LABEL: &str = "container.id";

/// Name of the label with the uid of the owner's Kubernetes pod, as OpenTelemetry names it.
const POD_LABEL: &str = "k8s.pod.uid";

/// Numbers events and puts them into batches.
pub struct Stream<'a> {
    out: Outflow<'a>,
    /// The batch that is being filled.
    batch: Batch,
    /// Containers of the owners of the batch's events, by index of the event.
    containers: Vec<(u32, Rc<Container>)>,
    /// Finds their names; `None`: they have none.
    names: Option<NameFinder>,
    /// Full batches that are not sent yet.
    full: Vec<Batch>,
    /// Events that were put into the stream.
    delivered: u64,
    /// Number of events after which the stream ends; `None` if there is no such limit.
    count: Option<u64>,
    /// The owners whose events are in the stream.
    owner_filter: OwnerFilter,
    /// Events that are not in the stream because of their owner.
    filtered: u64,
    /// Events that arrived after the stream had `count` events.
    beyond: u64,
    owners: OwnerStats,
}

impl<'a> Stream<'a> {
    /// An empty stream of the events of these owners. It is complete after `count` events.
    pub fn new(
        out: Outflow<'a>,
        count: Option<u64>,
        owner_filter: OwnerFilter,
        names: Option<NameFinder>,
    ) -> Stream<'a> {
        Stream {
            out,
            batch: Batch::new(),
            containers: Vec::new(),
            names,
            full: Vec::new(),
            delivered: 0,
            count,
            owner_filter,
            filtered: 0,
            beyond: 0,
            owners: OwnerStats::default(),
        }
    }

    /// Number of events that were put into the stream.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Number of events that are not in the stream because of their owner.
    pub fn filtered(&self) -> u64 {
        self.filtered
    }

    /// Number of events that arrived after the stream was complete, and are not in it.
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Returns whether the stream has the requested number of events.
    pub fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.delivered >= count)
    }

    /// Writes the statistics of the observers into `stats`.
    pub fn report(&self, stats: &mut Stats) {
        self.out.report(stats);
    }

    /// Counts of the delivered events by the status of their owner.
    pub fn owners(&self) -> OwnerStats {
        self.owners
    }

    /// Appends an event of the ring buffer to the batch. The caller then
    /// [accepts](Stream::accept) or [discards](Stream::discard) it. This is the only copy that is
    /// made of an event before the chain.
    pub fn receive(&mut self, ring_event: &RingEvent) -> Option<&mut Event> {
        let record = self.batch.push_empty()?;
        ring_event::fill(record, ring_event);
        Event::new_mut(record).ok()
    }

    /// Removes the event that was received last.
    pub fn discard(&mut self) {
        self.batch.pop();
    }

    /// Accepts the event that was received last: sets its number and its owner. Discards it if its owner is not wanted,
    /// or if the stream is complete.
    pub fn accept(&mut self, resolved: ResolvedOwner) {
        self.accept_after(resolved, false);
    }

    /// As [`accept`](Stream::accept); `has_waited`: for its owner.
    fn accept_after(&mut self, resolved: ResolvedOwner, has_waited: bool) {
        let container = resolved.container.as_ref();
        let container = container.map(|container| container.id.as_str());
        if !self.owner_filter.admits(&resolved.owner, container) {
            self.filtered += 1;
            self.discard();
            return;
        }
        if self.is_complete() {
            self.beyond += 1;
            self.discard();
            return;
        }
        let last = self.batch.len().saturating_sub(1);
        if let Ok(event) = Event::new_mut(self.batch.record_mut(last)) {
            event.set_sequence(self.delivered);
            event.set_owner(&resolved.owner);
        }
        self.delivered += 1;
        self.owners.count(&resolved.owner);
        if let Some(container) = resolved.container {
            self.containers.push((last as u32, container));
        }
        if has_waited {
            self.batch.waited.push(last as u32);
        }
        if self.batch.len() == MAX_EVENTS {
            self.close_batch();
        }
    }

    /// Appends and accepts an event that has waited for its owner.
    pub fn push(&mut self, event: &Event, resolved: ResolvedOwner) {
        self.batch.push(event.as_bytes());
        self.accept_after(resolved, true);
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
            self.add_names(&mut batch);
            self.containers.clear();
        }
        self.full.push(batch);
    }

    /// Adds the labels with names of pods and containers.
    fn add_names(&mut self, batch: &mut Batch) {
        let Some(finder) = &mut self.names else {
            return;
        };
        let containers = self.containers.iter();
        let names: Vec<_> = containers
            .filter_map(|(event, container)| Some((*event, finder.names(container)?)))
            .collect();
        for (label, key) in Names::LABELS.iter().enumerate() {
            let values = names.iter();
            let mut values = values
                .filter_map(|(event, names)| Some((*event, names.values()[label]?)))
                .peekable();
            if values.peek().is_some() {
                batch.labels.annotate(Column::new(key, values));
            }
        }
    }

    /// Returns whether there are no events to send.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.full.is_empty()
    }

    /// Sends the events, and reports `lost` events as lost since the last call. Returns false if the source is to end,
    /// because the chain has ended or an observer ends the run.
    pub fn send(&mut self, mut lost: u64) -> bool {
        if !self.batch.is_empty() {
            self.close_batch();
        }
        let mut continues = true;
        for mut batch in std::mem::take(&mut self.full) {
            batch.lost = std::mem::take(&mut lost);
            continues &= self.out.send(Item::Events(batch));
        }
        continues
    }

    /// Sends a census, unless it has no rows. Returns false if the source is to end.
    pub fn census(&mut self, census: Census) -> bool {
        census.is_empty() || self.out.send(Item::Census(census))
    }

    /// Sends a mark. Returns false if the source is to end.
    pub fn mark(&mut self, mark: Mark) -> bool {
        self.out.send(Item::Mark(mark))
    }

    /// Sends the end of the stream, and writes the statistics of the observers into `stats`.
    pub fn end(self, mark: Mark, stats: &mut Stats) {
        self.out.end(mark, stats);
    }
}
