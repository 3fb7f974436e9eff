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
use self::slot::Link;
#[cfg(fuzzing)]
use crate::plugin::Outcome;
use crate::plugin::Plugin;
use crate::stats::Board;
use crate::stats::Publisher;
pub use crate::stats::ledger::Report;
use crate::stream::alert::Alert;
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

/// What takes the results.
pub trait Sink {
    /// Whole lines.
    fn lines(&mut self, lines: &[u8]) -> io::Result<()>;
    /// What one call of a plugin raised or resolved.
    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()>;
    /// The end of a batch or a mark: everything is to be written through.
    fn flush(&mut self) -> io::Result<()>;
}

/// Another version of a plugin, configured and ready to take over.
pub struct Reload {
    /// Its place in the chain.
    pub index: usize,
    /// The new version.
    pub plugin: Plugin,
    /// Who wants to know how it went: why the running version stays, if it does.
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
        firing: &mut firing::Firing::default(),
        counters: &mut commit::Counters::default(),
        sink,
    };
    effects.commit(batch, outcome)
}

/// Plugins in their order, and where their results go.
pub struct Chain<S> {
    links: Vec<Link>,
    sink: S,
    reloads: Receiver<Reload>,
    /// Where statistics are left at marks.
    publisher: Option<Publisher>,
    /// The last mark of the stream, or before it the time of its first item; `None` before that.
    clock: Option<Moment>,
}

impl<S: Sink> Chain<S> {
    /// A chain of plugins that are ready.
    pub fn new(plugins: Vec<Plugin>, sink: S) -> Chain<S> {
        Chain {
            links: plugins.into_iter().map(Link::new).collect(),
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

    /// At marks it leaves its statistics there.
    pub fn publish_to(mut self, board: Board) -> Chain<S> {
        self.publisher = Some(Publisher::new(board));
        self
    }

    /// Takes items until the stream ends. After an error the rest is taken and counted as lost, so
    /// that the source never waits and the books balance.
    pub fn run(
        mut self,
        items: &Receiver<Item>,
        recycled: &Sender<Batch>,
        stop: impl Sized,
    ) -> (Report, Result<(), ChainError>) {
        let result = self.take_all(items, recycled);
        if result.is_err() {
            drop(stop);
            for item in items {
                if let (Item::Events(batch), Some(first)) = (item, self.links.first_mut()) {
                    first.lose(batch.len() as u64);
                }
            }
        }
        for link in &self.links {
            link.tell_suppressed();
        }
        (report(&self.links), result)
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
                self.mark(&mark, Link::tick)?;
                self.publish();
            }
            Item::End(mark) => self.mark(&mark, Link::finish)?,
        }
        Ok(self.sink.flush()?)
    }

    /// Hands a batch through the plugins. It ends up with the events that all have kept.
    pub fn process(&mut self, batch: &mut Batch) -> Result<(), ChainError> {
        let clock = *self.clock.get_or_insert_with(|| batch.start());
        for link in &mut self.links {
            link.note_lost(batch.lost);
            link.set_clock(clock);
        }
        for link in &mut self.links {
            if batch.is_empty() {
                break;
            }
            link.process(batch, &mut self.sink)?;
        }
        Ok(())
    }

    fn mark(
        &mut self,
        mark: &Mark,
        tell: fn(&mut Link, &Mark, &mut S) -> Result<(), ChainError>,
    ) -> Result<(), ChainError> {
        self.clock = Some(mark.now());
        self.links.iter_mut().try_for_each(|link| {
            link.set_clock(mark.now());
            tell(link, mark, &mut self.sink)
        })
    }

    fn swap(&mut self, reload: Reload) -> Result<(), ChainError> {
        let Reload {
            index,
            plugin,
            done,
        } = reload;
        let Some(link) = self.links.get_mut(index) else {
            return Ok(());
        };
        let swapped = link.replace(plugin, &mut self.sink)?;
        // Nobody need be interested.
        let _ = done.send(swapped);
        Ok(self.sink.flush()?)
    }

    fn publish(&mut self) {
        let links = &self.links;
        if let Some(publisher) = &mut self.publisher {
            publisher.publish(|stats| stats.chain = report(links));
        }
    }
}

/// What the plugins have done so far.
fn report(links: &[Link]) -> Report {
    let mut report = Report::default();
    for link in links {
        let (page, usage, counters) = link.books();
        for (metric, count) in counters.iter() {
            let key = (page.name.clone(), metric.to_owned());
            report.counters.insert(key, count);
        }
        report.plugins.push(page.clone());
        report.usage.push(usage);
    }
    report
}
