//! The chain of plugins. Each plugin sees the events that the plugin before it kept.

mod active_alerts;
mod change;
mod commit;
mod error;
mod fault_log;
mod latency;
mod own_metrics;
mod quarantine;
mod resource_usage;
mod saved;
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

pub use self::change::Change;
use self::change::History;
pub use self::change::Member;
pub use self::error::ChainError;
pub use self::error::SwapError;
pub use self::fault_log::FaultReport;
use self::latency::Latency;
pub use self::saved::ActiveAlert;
pub use self::saved::SavedPlugin;
use self::slot::Slot;
#[cfg(fuzzing)]
use crate::plugin::Outcome;
use crate::plugin::Plugin;
use crate::sink::Sink;
use crate::stats::Publisher;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::stats::counters::ChainStats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::census::Census;
use crate::stream::clock::Clock;
use crate::stream::moment::Mark;
use crate::stream::moment::Moment;
use crate::system::heap;

/// The most rows that wait for a mark, 30 MiB, unless a single census has more. A live census has half as many at most, and
/// a mark follows it.
const MAX_CENSUS_ROWS: usize = 131_072;

/// For fuzz/: commits the outcome of a call of a plugin named "fuzz".
#[cfg(fuzzing)]
pub fn commit(batch: &mut Batch, outcome: Outcome, sink: &mut impl Sink) -> io::Result<u64> {
    let mut effects = commit::Effects {
        plugin: "fuzz",
        is_coloured: false,
        active_alerts: &mut active_alerts::ActiveAlerts::default(),
        metrics: &mut own_metrics::OwnMetrics::default(),
        sink,
    };
    effects.commit(batch, outcome)
}

/// The plugins in their order, and the sink of their results.
pub struct Chain<S> {
    slots: Vec<Slot>,
    sink: S,
    changes: Receiver<Change>,
    history: History,
    /// Updates the chain's statistics at marks.
    publisher: Option<Publisher>,
    /// The ages of events; `None` in a replay.
    latency: Option<Latency>,
    /// The censuses since the last mark, which plugins get with the next one.
    censuses: VecDeque<Arc<Census>>,
    /// Called when the chain is done with an item.
    after_item: Option<Box<dyn FnMut() + Send>>,
    /// The last mark of the stream, or the time of its first item before the first mark. `None` before the first item.
    clock: Option<Moment>,
}

impl<S: Sink> Chain<S> {
    /// Returns a chain of these plugins.
    pub fn new(plugins: Vec<Plugin>, sink: S) -> Chain<S> {
        Chain {
            slots: plugins.into_iter().map(Slot::new).collect(),
            sink,
            changes: never(),
            history: History::default(),
            publisher: None,
            latency: None,
            censuses: VecDeque::new(),
            after_item: None,
            clock: None,
        }
    }

    /// Takes changes from this channel, such as new versions of plugins. They are made between two batches.
    pub fn change_by(mut self, changes: Receiver<Change>) -> Chain<S> {
        self.changes = changes;
        self
    }

    /// Measures how old events are when the first plugin gets them. `clock` tells the kernel's time since boot.
    pub fn measure_latency(mut self, clock: Clock) -> Chain<S> {
        self.latency = Some(Latency::new(clock));
        self
    }

    /// Calls this whenever the chain is done with an item: the plugins have seen it, and the sinks have its results.
    pub fn after_items(mut self, call: impl FnMut() + Send + 'static) -> Chain<S> {
        self.after_item = Some(Box::new(call));
        self
    }

    /// The statistics of the plugins so far.
    pub fn stats(&self) -> ChainStats {
        chain_stats(&self.slots, &self.history)
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
        self.publish(true);
        let mut stats = chain_stats(&self.slots, &self.history);
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
            // Changes have priority. While there are none, this check costs next to nothing.
            match self.changes.try_recv() {
                Ok(change) => self.change(change)?,
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.changes = never(),
            }
            let item = match items.try_recv() {
                Err(TryRecvError::Disconnected) => return Ok(()),
                Ok(item) => item,
                Err(TryRecvError::Empty) => select! {
                    recv(items) -> item => match item {
                        Ok(item) => item,
                        Err(_) => return Ok(()),
                    },
                    recv(self.changes) -> change => {
                        match change {
                            Ok(change) => self.change(change)?,
                            Err(_) => self.changes = never(),
                        }
                        continue;
                    }
                },
            };
            if let Some(publisher) = &self.publisher {
                publisher.note_taken();
            }
            self.process_item(item, recycled)?;
            if let Some(call) = &mut self.after_item {
                call();
            }
        }
    }

    /// Processes one item, and writes what the sinks have buffered. Used batches go to `recycled`.
    ///
    /// # Errors
    ///
    /// If a plugin fails whose action for faults is to stop, or a sink fails.
    pub fn process_item(&mut self, item: Item, recycled: &Sender<Batch>) -> Result<(), ChainError> {
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
                self.publish(false);
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

    fn publish(&mut self, is_end: bool) {
        let (slots, history, sink) = (&self.slots, &self.history, &mut self.sink);
        let latency = self.latency.as_ref().map(Latency::stats);
        if let Some(publisher) = &mut self.publisher {
            let refresh = |stats: &mut Stats| {
                stats.chain = chain_stats(slots, history);
                stats.chain.latency = latency;
                stats.chain.sinks = sink.counted();
                sink.stats(stats);
            };
            match is_end {
                true => publisher.publish_last(refresh),
                false => publisher.publish(refresh),
            }
        }
    }
}

/// Returns the statistics of the plugins so far.
fn chain_stats(slots: &[Slot], history: &History) -> ChainStats {
    let mut chain = ChainStats::default();
    for slot in slots {
        let counts = slot.report(&mut chain).clone();
        chain.plugins.push(counts);
    }
    history.report(&mut chain);
    chain
}
