//! Reads inputs for a report: what is wanted of them, in order.

use std::mem;

use anyhow::Result;
use anyhow::anyhow;
use indicatif::ProgressBar;
use retrans_view::report::collect::Host;
use retrans_view::report::collect::Source;

use super::interrupted;
use super::shown;
use super::take::Take;
use crate::capture::CaptureError;
use crate::config::Recorded;
use crate::config::Report;
use crate::fleet;
use crate::pipeline::stop::Stop;
use crate::source::replay::Input;
use crate::source::replay::InputError;
use crate::source::replay::LineError;
use crate::source::replay::Selection;
use crate::stats::counters::ReplayStats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::moment::Mark;
use crate::system::progress;

/// Number of items after which the end of the run is checked for.
const CHECK_INTERVAL: u64 = 64;

/// How inputs are read.
pub struct Reading<'a> {
    /// Ends the run.
    pub stop: &'a Stop,
    progress: &'a ProgressBar,
    selection: Selection,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Read {
    /// Numbers of events.
    pub stats: ReplayStats,
    /// The last moment of the stream.
    pub last: Mark,
    /// Losses that are not passed on yet, because the filters left out all events since.
    lost_before: u64,
}

impl<'a> Reading<'a> {
    /// Reads what a report is about.
    pub fn new(config: &Report, stop: &'a Stop, progress: &'a ProgressBar) -> Reading<'a> {
        Reading {
            stop,
            progress,
            selection: Selection::new(config.times, config.filters.clone()),
        }
    }

    /// Opens all, so that the errors of all are reported before any is read.
    pub fn open(&self, recorded: &[Recorded]) -> Result<Vec<Input<'a>>> {
        let mut inputs = Vec::with_capacity(recorded.len());
        for recorded in recorded {
            match Input::of(recorded, fleet::observe, self.progress, Some(self.stop)) {
                Ok(input) => inputs.push(input),
                Err(error) if error.is_stop() => return interrupted(),
                Err(error) => return Err(failed(recorded, error)),
            }
        }
        progress::show_percentage(self.progress);
        Ok(inputs)
    }

    /// Reads all to its end, and passes what is wanted to `to`, then to `forward`, which returns whether to go on.
    pub fn read(
        &self,
        recorded: &[Recorded],
        inputs: Vec<Input<'a>>,
        to: &mut dyn Take,
        mut forward: impl FnMut(Item) -> bool,
    ) -> Result<Read> {
        let mut read = Read::default();
        let mut items = 0_u64;
        for (mut input, recorded) in inputs.into_iter().zip(recorded) {
            to.begin(Source {
                name: shown(recorded),
                host: input.host().map(|host| Host {
                    name: host.name.clone(),
                    kernel: host.kernel.clone(),
                }),
                cut: None,
            });
            if !input.has_recorded_marks() {
                to.ignore_marks();
            }
            loop {
                items += 1;
                if items.is_multiple_of(CHECK_INTERVAL) && self.stop.is_ending() {
                    return interrupted();
                }
                match input.item(Batch::new) {
                    Ok(Some(item)) => {
                        let Some(item) = self.wanted(item, &mut read) else {
                            continue;
                        };
                        to.item(&item);
                        if !forward(item) {
                            return Ok(read);
                        }
                    }
                    Ok(None) => break,
                    Err(error) if error.is_stop() => return interrupted(),
                    // The part before the cut is valid.
                    Err(InputError::Capture(error @ CaptureError::Cut { .. })) => {
                        tracing::warn!("{recorded}: {error}");
                        to.cut(error.to_string());
                        break;
                    }
                    Err(error) => return Err(failed(recorded, error)),
                }
            }
        }
        Ok(read)
    }

    /// What is wanted of an item. The end of a file is a mark: another file may follow.
    fn wanted(&self, item: Item, read: &mut Read) -> Option<Item> {
        match item {
            Item::Events(mut batch) => {
                let all = batch.len() as u64;
                self.selection.select(&mut batch);
                let kept = batch.len() as u64;
                read.stats.read += all;
                read.stats.delivered += kept;
                read.stats.left_out += all - kept;
                // A loss among events that a filter leaves out remains a loss of this time.
                read.lost_before = read.lost_before.saturating_add(mem::take(&mut batch.lost));
                if batch.is_empty() {
                    return None;
                }
                batch.lost = mem::take(&mut read.lost_before);
                if let Some(event) = batch.events().next_back() {
                    read.last = Mark::at(event, 0);
                }
                Some(Item::Events(batch))
            }
            Item::Census(mut census) => {
                let now = census.now()?;
                self.selection.select_rows(&mut census);
                let is_wanted = self.selection.has_time(now.wall_time) && !census.is_empty();
                is_wanted.then_some(Item::Census(census))
            }
            Item::Mark(mut mark) | Item::End(mut mark) => {
                if !self.selection.has_time(mark.wall_time) {
                    return None;
                }
                mark.lost = mark.lost.saturating_add(mem::take(&mut read.lost_before));
                read.last = Mark { lost: 0, ..mark };
                Some(Item::Mark(mark))
            }
        }
    }
}

/// The error of an input that cannot be read.
fn failed(recorded: &Recorded, error: InputError) -> anyhow::Error {
    let input = shown(recorded);
    match error {
        // It names the broker.
        InputError::Fleet(error) => error,
        InputError::Line(LineError::Line { line, what }) => {
            anyhow!("cannot report on {input}:{line}: {what}")
        }
        error => anyhow!("cannot report on {input}: {error}"),
    }
}
