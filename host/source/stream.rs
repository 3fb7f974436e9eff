//! What leaves the source: completed events in batches, and marks of time between them.

use std::collections::VecDeque;
use std::rc::Rc;

use crossbeam_channel::Receiver;
use crossbeam_channel::SendTimeoutError;
use crossbeam_channel::Sender;
use crossbeam_channel::TrySendError;
use retrans_event::Event;

use super::owner::Found;
use crate::batch::Batch;
use crate::batch::Item;
use crate::batch::MAX_EVENTS;
use crate::batch::Mark;
use crate::capture::Recording;
use crate::capture::Summary;
use crate::container::Container;
use crate::labels::Column;
use crate::ledger;
use crate::stop::LOOK_INTERVAL;
use crate::stop::Stop;

/// Label with the whole id of the container that an event's owner lives in (OpenTelemetry's name).
const CONTAINER_LABEL: &str = "container.id";

/// Label with the uid of its Kubernetes pod.
const POD_LABEL: &str = "k8s.pod.uid";

/// The way to the chain, and the way back for empty batches.
#[derive(Debug)]
pub struct Channel {
    /// Blocks when the chain is behind: the ring fills, and the kernel counts what it loses.
    pub items: Sender<Item>,
    /// Batches to be used again.
    pub recycled: Receiver<Batch>,
}

/// Why an item was not sent.
#[derive(Debug)]
pub enum Unsent {
    /// The chain has ended.
    Ended,
    /// The run is ending, and the chain is behind.
    Ending(Item),
}

impl Channel {
    /// Sends an item. While the chain is behind it waits, but not when the run is ending.
    pub fn send(&self, item: Item, stop: &Stop) -> Result<(), Unsent> {
        let mut item = match self.items.try_send(item) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(_)) => return Err(Unsent::Ended),
            Err(TrySendError::Full(item)) => item,
        };
        loop {
            if stop.is_ending() {
                return Err(Unsent::Ending(item));
            }
            item = match self.items.send_timeout(item, LOOK_INTERVAL) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => return Err(Unsent::Ended),
                Err(SendTimeoutError::Timeout(item)) => item,
            };
        }
    }
}

/// Numbers events and puts them into batches.
pub struct Stream<'a> {
    channel: &'a Channel,
    stop: &'a Stop,
    /// What goes into the stream is also written there.
    recording: Option<Recording>,
    batch: Batch,
    /// Of the batch's events, by their numbers.
    containers: Vec<(u32, Rc<Container>)>,
    /// Batches that are full.
    full: Vec<Batch>,
    /// Items that were recorded, but not sent: the run is ending, and the chain is behind. At most what was
    /// in the ring.
    unsent: VecDeque<Item>,
    delivered: u64,
    /// Events after which the stream ends, where that was asked for.
    count: Option<u64>,
    /// Events that came after these.
    beyond: u64,
    owners: ledger::Owners,
}

impl<'a> Stream<'a> {
    /// A stream without events. It ends after `count` of them, if it is not ended before.
    pub fn new(
        channel: &'a Channel,
        stop: &'a Stop,
        recording: Option<Recording>,
        count: Option<u64>,
    ) -> Stream<'a> {
        Stream {
            channel,
            stop,
            recording,
            batch: Batch::new(),
            containers: Vec::new(),
            full: Vec::new(),
            unsent: VecDeque::new(),
            delivered: 0,
            count,
            beyond: 0,
            owners: ledger::Owners::default(),
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

    /// How many of them had which owner.
    pub fn owners(&self) -> ledger::Owners {
        self.owners
    }

    /// Gives an event its place in the stream, and its owner.
    pub fn push(&mut self, event: &mut Event, found: Found) {
        if self.is_complete() {
            self.beyond += 1;
            return;
        }
        event.set_sequence(self.delivered);
        event.set_owner(&found.owner);
        self.delivered += 1;
        self.owners.count(&found.owner);
        if let Some(container) = found.container {
            self.containers.push((self.batch.len() as u32, container));
        }
        self.batch.push(event.as_bytes());
        if self.batch.len() == MAX_EVENTS {
            self.close_batch();
        }
    }

    fn close_batch(&mut self) {
        let empty = self.channel.recycled.try_recv().unwrap_or_default();
        let mut batch = std::mem::replace(&mut self.batch, empty);
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
            open &= self.pass_on(Item::Events(batch));
        }
        open
    }

    /// Sends a mark. False: nobody receives any more.
    pub fn mark(&mut self, mark: Mark) -> bool {
        self.pass_on(Item::Mark(mark))
    }

    /// Sends the end of the stream; what was recorded of it. The recording ends first: nothing that
    /// the chain does may keep it from that.
    pub fn end(self, mark: Mark) -> Option<Summary> {
        let end = Item::End(mark);
        let recorded = self.recording.map(|mut recording| {
            recording.item(&end);
            recording.finish()
        });
        for item in self.unsent.into_iter().chain([end]) {
            // Where the chain has ended there is nothing to wait for.
            if self.channel.items.send(item).is_err() {
                break;
            }
        }
        recorded
    }

    fn pass_on(&mut self, item: Item) -> bool {
        let mut is_recorded = true;
        if let Some(recording) = &mut self.recording {
            recording.item(&item);
            is_recorded = !recording.is_over();
        }
        if !self.unsent.is_empty() {
            self.unsent.push_back(item);
            return is_recorded;
        }
        match self.channel.send(item, self.stop) {
            Ok(()) => is_recorded,
            Err(Unsent::Ended) => false,
            Err(Unsent::Ending(item)) => {
                self.unsent.push_back(item);
                is_recorded
            }
        }
    }
}
