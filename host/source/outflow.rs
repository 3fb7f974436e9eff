//! The way out of a source: each item is recorded, then sent to the chain.

use std::collections::VecDeque;

use crossbeam_channel::Receiver;
use crossbeam_channel::SendTimeoutError;
use crossbeam_channel::Sender;
use crossbeam_channel::TrySendError;

use crate::batch::Batch;
use crate::batch::Item;
use crate::batch::Mark;
use crate::capture::Recording;
use crate::capture::Summary;
use crate::stop::LOOK_INTERVAL;
use crate::stop::Stop;

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
enum Unsent {
    /// The chain has ended.
    Ended,
    /// The run is ending, and the chain is behind.
    Ending(Item),
}

impl Channel {
    /// A batch to be filled.
    pub fn empty(&self) -> Batch {
        self.recycled.try_recv().unwrap_or_default()
    }

    /// Sends an item. While the chain is behind it waits, but not when the run is ending.
    fn send(&self, item: Item, stop: &Stop) -> Result<(), Unsent> {
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

/// Records items, and sends them to the chain.
pub struct Outflow<'a> {
    channel: &'a Channel,
    stop: &'a Stop,
    recording: Option<Recording>,
    /// Items that were recorded, but not sent: the run is ending, and the chain is behind. Live at most
    /// what was in the ring, in a replay one.
    unsent: VecDeque<Item>,
}

impl<'a> Outflow<'a> {
    /// Nothing has left yet.
    pub fn new(channel: &'a Channel, stop: &'a Stop, recording: Option<Recording>) -> Outflow<'a> {
        Outflow {
            channel,
            stop,
            recording,
            unsent: VecDeque::new(),
        }
    }

    /// A batch to be filled.
    pub fn empty(&self) -> Batch {
        self.channel.empty()
    }

    /// What is recorded so far.
    pub fn recorded(&self) -> Option<Summary> {
        self.recording.as_ref().map(Recording::summary)
    }

    /// Passes an item on; it is counted as delivered. False: the chain has ended, or the recording that
    /// the run is for.
    pub fn pass_on(&mut self, item: Item) -> bool {
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

    /// Sends the end of the stream; what was recorded of it. The recording ends first: nothing that the
    /// chain does may keep it from that.
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
}
