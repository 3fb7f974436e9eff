//! The way out of a source: each item is shown to the observers, then sent to the chain.

use std::collections::VecDeque;

use super::observer::Observer;
use crate::pipeline::channel::Channel;
use crate::pipeline::channel::Unsent;
use crate::pipeline::stop::Stop;
use crate::stats::Stats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::Mark;

/// Shows items to the observers, and sends them to the chain.
pub struct Outflow<'a> {
    channel: &'a Channel,
    stop: &'a Stop,
    observers: Vec<Box<dyn Observer>>,
    /// Items that were observed, but not sent: the run is ending, and the chain is behind. Live at most
    /// what was in the ring, in a replay one.
    unsent: VecDeque<Item>,
}

impl<'a> Outflow<'a> {
    /// Nothing has left yet.
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

    /// A batch to be filled.
    pub fn empty(&self) -> Batch {
        self.channel.empty()
    }

    /// Puts the observers' statistics where they belong.
    pub fn report(&self, stats: &mut Stats) {
        for observer in &self.observers {
            observer.report(stats);
        }
    }

    /// Passes an item on; it is counted as delivered. False: the chain has ended, or the observer that the run
    /// is for.
    pub fn pass_on(&mut self, item: Item) -> bool {
        let mut is_observed = true;
        for observer in &mut self.observers {
            observer.item(&item);
            is_observed &= !observer.is_over();
        }
        if !self.unsent.is_empty() {
            self.unsent.push_back(item);
            return is_observed;
        }
        match self.channel.send(item, self.stop) {
            Ok(()) => is_observed,
            Err(Unsent::Ended) => false,
            Err(Unsent::Ending(item)) => {
                self.unsent.push_back(item);
                is_observed
            }
        }
    }

    /// Ends the stream, and completes the statistics. The observers end first: nothing that the chain does may
    /// keep a recording from its end.
    pub fn end(mut self, mark: Mark, stats: &mut Stats) {
        let end = Item::End(mark);
        for observer in &mut self.observers {
            observer.item(&end);
            observer.finish();
        }
        self.report(stats);
        for item in self.unsent.into_iter().chain([end]) {
            // Where the chain has ended there is nothing to wait for.
            if self.channel.items.send(item).is_err() {
                break;
            }
        }
    }
}
