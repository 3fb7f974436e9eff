//! The bounded channel from the source to the chain, and the channel that returns empty batches.

use crossbeam_channel::Receiver;
use crossbeam_channel::SendTimeoutError;
use crossbeam_channel::Sender;
use crossbeam_channel::TrySendError;

use crate::pipeline::stop::POLL_INTERVAL;
use crate::pipeline::stop::Stop;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;

/// Events that wait for the chain in a replay at most, which the source can read again: 1.6 MB.
pub const REPLAY_BACKLOG: usize = 4_096;

/// The most batches that are kept to be used again. Further ones are freed: a burst leaves many.
pub const MAX_RECYCLED: usize = 16;

/// The source's ends of the two channels.
#[derive(Debug)]
pub struct Channel {
    /// Items for the chain. Sending blocks while the chain is behind: the ring then fills, and the kernel counts the
    /// events that it loses.
    pub items: Sender<Item>,
    /// Empty batches from the chain, to be used again.
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
    /// Returns an empty batch: a used one, if there is any.
    pub fn empty(&self) -> Batch {
        self.recycled.try_recv().unwrap_or_default()
    }

    /// Sends an item. Waits while the chain is behind, unless the run is ending.
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
            item = match self.items.send_timeout(item, POLL_INTERVAL) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => return Err(Unsent::Ended),
                Err(SendTimeoutError::Timeout(item)) => item,
            };
        }
    }
}
