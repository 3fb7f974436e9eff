//! A batch's way through the plugins: what one keeps, the next one sees.

mod active_alerts;
mod commit;
mod quarantine;
mod report;
mod slot;
mod usage;

use std::io;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::TryRecvError;
use crossbeam_channel::never;
use crossbeam_channel::select;

pub use self::report::Blame;
use self::slot::Slot;
#[cfg(fuzzing)]
use crate::plugin::Outcome;
use crate::plugin::Plugin;
use crate::sink::Sink;
use crate::stats::Publisher;
use crate::stats::SharedStats;
use crate::stats::counters::ChainStats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::Mark;
use crate::stream::batch::Moment;

/// Why the chain ended before the stream did.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// A plugin failed, and was to end the host if it did.
    #[error(transparent)]
    Fault(Box<Blame>),
    /// The results could not be written. Its cause is in the message: it is no source, which would be
    /// shown once more.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

impl From<io::Error> for ChainError {
    fn from(error: io::Error) -> ChainError {
        ChainError::Output(error)
    }
}

impl From<Blame> for ChainError {
    fn from(blame: Blame) -> ChainError {
        ChainError::Fault(Box::new(blame))
    }
}

impl ChainError {
    /// Has the reader of standard output gone? That is how `| head` ends, and no error.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, ChainError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Another version of a plugin, configured and ready to take over.
pub struct Reload {
    /// Its place in the chain.
    pub index: usize,
    /// The new version.
    pub plugin: Plugin,
    /// Reply channel for the result of the swap: why the running version stays, if it does.
    pub done: Sender<Result<(), Stays>>,
}

/// Why the running version stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    /// The new version is of no use, and will not be the next time either.
    #[error("{0}")]
    NewFailed(String),
    /// The running version failed when it was asked what it knows.
    #[error("{0}")]
    OldFailed(String),
}

/// For fuzz/: what a plugin named "fuzz" said takes effect.
#[cfg(fuzzing)]
pub fn commit(batch: &mut Batch, outcome: Outcome, sink: &mut impl Sink) -> io::Result<u64> {
    let mut effects = commit::Effects {
        plugin: "fuzz",
        active_alerts: &mut active_alerts::ActiveAlerts::default(),
        counters: &mut commit::Counters::default(),
        sink,
    };
    effects.commit(batch, outcome)
}

/// Plugins in their order, and where their results go.
pub struct Chain<S> {
    slots: Vec<Slot>,
    sink: S,
    reloads: Receiver<Reload>,
    /// Refreshes the chain's statistics at marks.
    publisher: Option<Publisher>,
    /// The last mark of the stream, or before it the time of its first item; `None` before that.
    clock: Option<Moment>,
}

impl<S: Sink> Chain<S> {
    /// A chain of plugins that are ready.
    pub fn new(plugins: Vec<Plugin>, sink: S) -> Chain<S> {
        Chain {
            slots: plugins.into_iter().map(Slot::new).collect(),
            sink,
            reloads: never(),
            publisher: None,
            clock: None,
        }
    }

    /// New versions that come this way take over between two batches.
    pub fn reload_from(mut self, reloads: Receiver<Reload>) -> Chain<S> {
        self.reloads = reloads;
        self
    }

    /// At marks it refreshes its part of the statistics, and hands all of them to the sinks.
    pub fn publish_to(mut self, shared: SharedStats) -> Chain<S> {
        self.publisher = Some(Publisher::new(shared));
        self
    }

    /// Takes items until the stream ends, and ends the sinks. After an error the rest is taken and counted as
    /// lost, so that the source never waits and the ledger balances.
    pub fn run(
        mut self,
        items: &Receiver<Item>,
        recycled: &Sender<Batch>,
        stop: impl Sized,
    ) -> (ChainStats, Result<(), ChainError>) {
        let result = self.take_all(items, recycled);
        if result.is_err() {
            drop(stop);
            for item in items {
                if let (Item::Events(batch), Some(first)) = (item, self.slots.first_mut()) {
                    first.lose(batch.len() as u64);
                }
            }
        }
        for slot in &self.slots {
            slot.log_suppressed();
        }
        let mut stats = chain_stats(&self.slots);
        stats.sinks = self.sink.finish();
        (stats, result)
    }

    fn take_all(
        &mut self,
        items: &Receiver<Item>,
        recycled: &Sender<Batch>,
    ) -> Result<(), ChainError> {
        loop {
            // Swaps come first, and cost next to nothing while there are none.
            match self.reloads.try_recv() {
                Ok(reload) => self.swap(reload)?,
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.reloads = never(),
            }
            let item = match items.try_recv() {
                Err(TryRecvError::Disconnected) => return Ok(()),
                Ok(item) => item,
                Err(TryRecvError::Empty) => select! {
                    recv(items) -> item => match item {
                        Ok(item) => item,
                        Err(_) => return Ok(()),
                    },
                    recv(self.reloads) -> reload => {
                        match reload {
                            Ok(reload) => self.swap(reload)?,
                            Err(_) => self.reloads = never(),
                        }
                        continue;
                    }
                },
            };
            self.take(item, recycled)?;
        }
    }

    fn take(&mut self, item: Item, recycled: &Sender<Batch>) -> Result<(), ChainError> {
        match item {
            Item::Events(mut batch) => {
                self.process(&mut batch)?;
                batch.clear();
                // Full or gone: the batch is not needed again.
                let _ = recycled.try_send(batch);
            }
            Item::Mark(mark) => {
                self.mark(&mark, Slot::tick)?;
                self.publish();
            }
            Item::End(mark) => self.mark(&mark, Slot::finish)?,
        }
        Ok(self.sink.flush()?)
    }

    /// Hands a batch through the plugins. It ends up with the events that all have kept.
    pub fn process(&mut self, batch: &mut Batch) -> Result<(), ChainError> {
        let clock = *self.clock.get_or_insert_with(|| batch.start());
        for slot in &mut self.slots {
            slot.note_lost(batch.lost);
            slot.set_clock(clock);
        }
        for slot in &mut self.slots {
            if batch.is_empty() {
                break;
            }
            slot.process(batch, &mut self.sink)?;
        }
        match batch.is_empty() {
            true => Ok(()),
            false => Ok(self.sink.events(batch)?),
        }
    }

    fn mark(
        &mut self,
        mark: &Mark,
        tell: fn(&mut Slot, &Mark, &mut S) -> Result<(), ChainError>,
    ) -> Result<(), ChainError> {
        self.clock = Some(mark.now());
        self.slots.iter_mut().try_for_each(|slot| {
            slot.set_clock(mark.now());
            tell(slot, mark, &mut self.sink)
        })
    }

    fn swap(&mut self, reload: Reload) -> Result<(), ChainError> {
        let Reload {
            index,
            plugin,
            done,
        } = reload;
        let Some(slot) = self.slots.get_mut(index) else {
            return Ok(());
        };
        let swapped = slot.replace(plugin, &mut self.sink)?;
        // The reloader may have ended.
        let _ = done.send(swapped);
        Ok(self.sink.flush()?)
    }

    fn publish(&mut self) {
        let (slots, sink) = (&self.slots, &mut self.sink);
        if let Some(publisher) = &mut self.publisher {
            publisher.publish(|stats| {
                stats.chain = chain_stats(slots);
                stats.chain.sinks = sink.counted();
                sink.stats(stats);
            });
        }
    }
}

/// What the plugins have done so far.
fn chain_stats(slots: &[Slot]) -> ChainStats {
    let mut chain = ChainStats::default();
    for slot in slots {
        let (plugin, usage, counters) = slot.stats();
        for (metric, count) in counters.iter() {
            let key = (plugin.name.clone(), metric.to_owned());
            chain.counters.insert(key, count);
        }
        chain.plugins.push(plugin.clone());
        chain.usage.push(usage);
    }
    chain
}
