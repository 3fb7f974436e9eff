//! The way out of a source: each item is recorded, then sent to the chain.

use std::collections::VecDeque;

use crate::capture::Recording;
use crate::capture::Summary;
use crate::pipeline::channel::Channel;
use crate::pipeline::channel::Unsent;
use crate::pipeline::stop::Stop;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::Mark;

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
