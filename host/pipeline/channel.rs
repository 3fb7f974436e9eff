//! The bounded channel between the source and the chain, and the way back for empty batches.

use crossbeam_channel::Receiver;
use crossbeam_channel::SendTimeoutError;
use crossbeam_channel::Sender;
use crossbeam_channel::TrySendError;

use crate::pipeline::stop::LOOK_INTERVAL;
use crate::pipeline::stop::Stop;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;

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
    /// A batch to be filled.
    pub fn empty(&self) -> Batch {
        self.recycled.try_recv().unwrap_or_default()
    }

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
