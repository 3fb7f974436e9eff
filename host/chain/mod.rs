//! The chain of plugins. Each plugin sees the events that the plugin before it kept.

mod active_alerts;
mod commit;
mod error;
mod fault_log;
mod latency;
mod quarantine;
mod resource_usage;
mod slot;

use std::collections::VecDeque;
#[cfg(fuzzing)]
use std::io;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::TryRecvError;
use crossbeam_channel::never;
use crossbeam_channel::select;

pub use self::error::ChainError;
pub use self::error::SwapError;
pub use self::fault_log::FaultReport;
use self::latency::Latency;
use self::slot::Slot;
#[cfg(fuzzing)]
use crate::plugin::Outcome;
use crate::plugin::Plugin;
use crate::sink::Sink;
use crate::source::clock::Clock;
use crate::stats::Publisher;
use crate::stats::SharedStats;
use crate::stats::counters::ChainStats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::Mark;
use crate::stream::batch::Moment;
use crate::stream::census::Census;
use crate::system::heap;

/// The most rows that wait for a mark, 30 MiB, unless a single census has more. A live census has half as many at most, and
/// a mark follows it.
const MAX_CENSUS_ROWS: usize = 131_072;

/// A new version of a plugin, configured and ready to replace the running one.
pub struct Reload {
    /// Index of the plugin in the chain.
    pub index: usize,
    /// The new version.
    pub plugin: Plugin,
    /// Reply channel for the result of the swap.
    pub done: Sender<Result<(), SwapError>>,
}

/// For fuzz/: commits the outcome of a call of a plugin named "fuzz".
#[cfg(fuzzing)]
pub fn commit(batch: &mut Batch, outcome: Outcome, sink: &mut impl Sink) -> io::Result<u64> {
    let mut effects = commit::Effects {
        plugin: "fuzz",
        is_coloured: false,
        active_alerts: &mut active_alerts::ActiveAlerts::default(),
        counters: &mut commit::Counters::default(),
        sink,
    };
    effects.commit(batch, outcome)
}

/// The plugins in their order, and the sink of their results.
pub struct Chain<S> {
    slots: Vec<Slot>,
    sink: S,
    reloads: Receiver<Reload>,
    /// Updates the chain's statistics at marks.
    publisher: Option<Publisher>,
    /// The ages of events; `None` in a replay.
    latency: Option<Latency>,
    /// The censuses since the last mark, which plugins get with the next one.
    censuses: VecDeque<Arc<Census>>,
    /// The last mark of the stream, or the time of its first item before the first mark. `None` before the first item.
    clock: Option<Moment>,
}

impl<S: Sink> Chain<S> {
    /// Returns a chain of these plugins.
    pub fn new(plugins: Vec<Plugin>, sink: S) -> Chain<S> {
        Chain {
            slots: plugins.into_iter().map(Slot::new).collect(),
            sink,
            reloads: never(),
            publisher: None,
            latency: None,
            censuses: VecDeque::new(),
            clock: None,
        }
    }

    /// Takes new versions of plugins from this channel. They replace the running ones between two batches.
    pub fn reload_from(mut self, reloads: Receiver<Reload>) -> Chain<S> {
        self.reloads = reloads;
        self
    }

    /// Measures how old events are when the first plugin gets them. `clock` tells the kernel's time since boot.
    pub fn measure_latency(mut self, clock: Clock) -> Chain<S> {
        self.latency = Some(Latency::new(clock));
        self
    }

    /// The statistics of the plugins so far.
    pub fn stats(&self) -> ChainStats {
        chain_stats(&self.slots)
    }

    /// Returns whether a plugin was granted files, which each of its instances opens.
    pub fn reads_files(&self) -> bool {
        self.slots.iter().any(Slot::reads_files)
    }

    /// Returns whether a plugin asks for a census.
    pub fn asks_for_census(&self) -> bool {
        self.slots.iter().any(Slot::asks_for_census)
    }

    /// Updates the chain's part of these statistics at each mark, and passes all of them to the sinks.
    pub fn publish_to(mut self, shared: SharedStats) -> Chain<S> {
        self.publisher = Some(Publisher::new(shared));
        self
    }

    /// Processes items until the stream ends, and then ends the sinks. After an error, the remaining items are received
    /// and counted as lost, so that the source never blocks and the ledger balances.
    pub fn run(
        mut self,
        items: &Receiver<Item>,
        recycled: &Sender<Batch>,
        stop: impl Sized,
    ) -> (ChainStats, Result<(), ChainError>) {
        let result = self.process_items(items, recycled);
        if result.is_err() {
            drop(stop);
            for item in items {
                if let (Item::Events(batch), Some(first)) = (item, self.slots.first_mut()) {
                    first.count_lost(batch.len() as u64);
                }
            }
        }
        for slot in &self.slots {
            slot.log_suppressed();
        }
        let mut stats = chain_stats(&self.slots);
        stats.latency = self.latency.as_ref().map(Latency::stats);
        stats.sinks = self.sink.finish();
        (stats, result)
    }

    fn process_items(
        &mut self,
        items: &Receiver<Item>,
        recycled: &Sender<Batch>,
    ) -> Result<(), ChainError> {
        loop {
            // Swaps have priority. While there are none, this check costs next to nothing.
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
            if let Some(publisher) = &self.publisher {
                publisher.note_taken();
            }
            self.process_item(item, recycled)?;
        }
    }

    fn process_item(&mut self, item: Item, recycled: &Sender<Batch>) -> Result<(), ChainError> {
        match item {
            Item::Events(mut batch) => {
                if let Some(latency) = &mut self.latency {
                    latency.record(&batch);
                }
                self.process(&mut batch)?;
                batch.clear();
                // On an error the channel is full or closed, and the batch is not used again.
                if let Err(unsent) = recycled.try_send(batch) {
                    heap::note_freed(unsent.into_inner().capacity());
                }
            }
            Item::Census(census) => self.keep_census(census),
            Item::Mark(mark) => {
                self.mark(&mark, Slot::tick)?;
                self.publish();
            }
            Item::End(mark) => self.mark(&mark, Slot::finish)?,
        }
        Ok(self.sink.flush()?)
    }

    /// Passes a batch through the plugins. Afterwards it contains the events that all plugins kept.
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

    /// Keeps a census for the next mark. A file may have any number of them without a mark: the oldest are dropped then.
    fn keep_census(&mut self, census: Census) {
        self.censuses.push_back(Arc::new(census));
        let rows = |censuses: &VecDeque<Arc<Census>>| -> usize {
            censuses.iter().map(|census| census.len()).sum()
        };
        while self.censuses.len() > 1 && rows(&self.censuses) > MAX_CENSUS_ROWS {
            self.censuses.pop_front();
        }
    }

    fn mark(
        &mut self,
        mark: &Mark,
        call: fn(&mut Slot, &Mark, &mut S) -> Result<(), ChainError>,
    ) -> Result<(), ChainError> {
        self.clock = Some(mark.now());
        let censuses = Vec::from(std::mem::take(&mut self.censuses));
        self.slots.iter_mut().try_for_each(|slot| {
            slot.set_clock(mark.now());
            slot.set_censuses(&censuses);
            call(slot, mark, &mut self.sink)
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
        let latency = self.latency.as_ref().map(Latency::stats);
        if let Some(publisher) = &mut self.publisher {
            publisher.publish(|stats| {
                stats.chain = chain_stats(slots);
                stats.chain.latency = latency;
                stats.chain.sinks = sink.counted();
                sink.stats(stats);
            });
        }
    }
}

/// Returns the statistics of the plugins so far.
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
