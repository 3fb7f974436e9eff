//! The output of a source: each item goes to the observers, then to the chain.

use std::collections::VecDeque;

use crate::observer::Observer;
use crate::pipeline::channel::Channel;
use crate::pipeline::channel::Unsent;
use crate::pipeline::stop::Stop;
use crate::stats::Stats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::moment::Mark;

/// Passes items to the observers and sends them to the chain.
pub struct Outflow<'a> {
    channel: &'a Channel,
    stop: &'a Stop,
    observers: Vec<Box<dyn Observer>>,
    /// Items that the observers have received but that were not sent, because the run is ending and the chain is
    /// behind. Live, these are at most the contents of the ring buffer; in a replay, at most one item.
    unsent: VecDeque<Item>,
}

impl<'a> Outflow<'a> {
    /// An output to which no item was passed yet.
    pub fn new(
        channel: &'a Channel,
        stop: &'a Stop,
        observers: Vec<Box<dyn Observer>>,
    ) -> Outflow<'a> {
        Outflow {
            channel,
            stop,
            observers,
            unsent: VecDeque::new(),
        }
    }

    /// An empty batch, reused if possible.
    pub fn empty(&self) -> Batch {
        self.channel.empty()
    }

    /// Writes the statistics of the observers into `stats`.
    pub fn report(&self, stats: &mut Stats) {
        for observer in &self.observers {
            observer.report(stats);
        }
    }

    /// Passes an item to the observers and to the chain; it then counts as delivered. Returns false if the source is
    /// to end, because the chain has ended or an observer ends the run.
    pub fn send(&mut self, item: Item) -> bool {
        let mut continues = true;
        for observer in &mut self.observers {
            observer.item(&item);
            continues &= !observer.must_end_run();
        }
        if !self.unsent.is_empty() {
            self.unsent.push_back(item);
            return continues;
        }
        match self.channel.send(item, self.stop) {
            Ok(()) => continues,
            Err(Unsent::Ended) => false,
            Err(Unsent::Ending(item)) => {
                self.unsent.push_back(item);
                continues
            }
        }
    }

    /// Ends the stream with `mark`, and completes the statistics. The observers end first, so that a
    /// chain that blocks cannot delay the end of a recording.
    pub fn end(mut self, mark: Mark, stats: &mut Stats) {
        let end = Item::End(mark);
        for observer in &mut self.observers {
            observer.item(&end);
            observer.finish();
        }
        self.report(stats);
        for item in self.unsent.into_iter().chain([end]) {
            // The chain has ended: it takes no further items.
            if self.channel.items.send(item).is_err() {
                break;
            }
        }
    }
}
