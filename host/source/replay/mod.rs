//! The replay source: reads recorded events from files or from the broker of a fleet, and sends them as a live source does.

mod input;
mod line;
mod lines;
mod pace;
mod readable;
mod selection;

use std::fmt;
use std::time::Duration;

use retrans_event::Event;

use self::pace::Pace;
use super::outflow::Outflow;
use crate::capture::CaptureError;
use crate::config::Recorded;
use crate::config::Replay;
use crate::observer::Observer;
use crate::pipeline::channel::Channel;
use crate::pipeline::stop::Stop;
use crate::stats::Publisher;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::stats::counters::ReplayStats;
use crate::stats::counters::StreamStats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::moment::Mark;

pub use self::input::Input;
pub use self::input::InputError;
pub use self::input::ItemStream;
pub use self::input::OpenFleet;
pub use self::lines::LineError;
pub use self::selection::Selection;

/// An input that cannot be replayed.
#[derive(Debug)]
pub struct ReplayError {
    /// The path or the addresses, as given by the user.
    pub input: String,
    /// Why it cannot be replayed.
    pub error: InputError,
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReplayError { input, error } = self;
        match error {
            // It names the broker.
            InputError::Fleet(_) => error.fmt(f),
            InputError::Line(LineError::Line { line, what }) => {
                write!(f, "cannot replay {input}:{line}: {what}")
            }
            error => write!(f, "cannot replay {input}: {error}"),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Opens the inputs. The errors of all are thus reported before the first event of any
/// file is sent. `None` if the run is to end before all are open. Adds the sizes of the files
/// to the length of `progress`, which reading then advances.
pub fn open<'a>(
    recorded: &[Recorded],
    open_fleet: OpenFleet,
    stop: &'a Stop,
    progress: &indicatif::ProgressBar,
) -> Result<Option<Vec<Input<'a>>>, ReplayError> {
    let mut inputs = Vec::with_capacity(recorded.len());
    for recorded in recorded {
        match Input::of(recorded, open_fleet, progress, Some(stop)) {
            Ok(input) => inputs.push(input),
            Err(error) if error.is_stop() => return Ok(None),
            Err(error) => return Err(failed(recorded, error)),
        }
    }
    Ok(Some(inputs))
}

/// Returns whether all events are of one boot, so that their times since boot can be compared.
pub fn are_of_one_boot(inputs: &[Input<'_>]) -> bool {
    let boot = |input: &Input<'_>| input.host().map(|host| host.boot_id.clone());
    let mut boots = inputs.iter().map(boot);
    match boots.next().flatten() {
        None => inputs.len() < 2,
        first => boots.all(|boot| boot == first),
    }
}

/// Sends the contents of the inputs until all are read, the run is to end, or the chain has ended.
/// Returns the statistics of the replay and of the observers.
///
/// # Errors
///
/// [`ReplayError`] if a file cannot be read to its end. The items before the error and an end of the
/// stream were sent. A capture that was cut off is not an error.
pub fn run(
    replay: &Replay,
    inputs: Vec<Input<'_>>,
    observers: Vec<Box<dyn Observer>>,
    channel: &Channel,
    stop: &Stop,
    shared: &SharedStats,
) -> Result<Stats, ReplayError> {
    let mut sender = Sender {
        out: Outflow::new(channel, stop, observers),
        publisher: Publisher::new(shared.clone()),
        selection: Selection::new(replay.times, replay.filters.clone()),
        count: replay.chain.count,
        pace: replay.speed.map(Pace::new),
        stop,
        read: ReplayStats::default(),
        items: 0,
        lost_before: 0,
        last: Mark::default(),
        recorded_end: None,
    };
    let mut boot: Option<String> = None;
    for (mut input, recorded) in inputs.into_iter().zip(&replay.inputs) {
        // The time between two files is known only if both are of the same boot.
        let next = input.host().map(|host| host.boot_id.clone());
        if (next.is_none() || next != boot)
            && let Some(pace) = &mut sender.pace
        {
            pace.restart();
        }
        let same_boot = next.is_some() && next == boot;
        boot = next;
        let (last, mut first) = (sender.last.time, true);
        loop {
            match input.item(|| channel.empty()) {
                Ok(Some(item)) => {
                    if std::mem::take(&mut first) && same_boot && begins_before(&item, last) {
                        tracing::warn!(
                            "{recorded} begins before the end of the file named before it; name older files first"
                        );
                    }
                    if !sender.send(item) {
                        return Ok(sender.end());
                    }
                }
                Ok(None) => break,
                Err(error) if error.is_stop() => return Ok(sender.end()),
                // The part before the cut is valid.
                Err(InputError::Capture(error @ CaptureError::Cut { .. })) => {
                    tracing::warn!("{recorded}: {error}");
                    break;
                }
                Err(error) => {
                    sender.end();
                    return Err(failed(recorded, error));
                }
            }
        }
    }
    Ok(sender.end())
}

/// Returns whether the item begins more than a second before this time.
fn begins_before(item: &Item, time: Duration) -> bool {
    let begin = match item {
        Item::Events(batch) => batch.events().next().map_or(time, Event::time),
        Item::Census(census) => census.now().map_or(time, |now| now.time),
        Item::Mark(mark) | Item::End(mark) => mark.time,
    };
    begin + Duration::from_secs(1) < time
}

fn failed(recorded: &Recorded, error: InputError) -> ReplayError {
    let input = recorded.to_string();
    ReplayError { input, error }
}

struct Sender<'a> {
    out: Outflow<'a>,
    /// Publishes the statistics at each mark.
    publisher: Publisher,
    selection: Selection,
    /// Number of events after which the stream ends; `None` if there is no such limit.
    count: Option<u64>,
    /// `None` if the replay is not paced.
    pace: Option<Pace>,
    stop: &'a Stop,
    read: ReplayStats,
    /// Number of items that were read: the end of the run is checked for at every 64th.
    items: u64,
    /// Losses that were read, but not sent yet, because the filters left out all events since.
    lost_before: u64,
    /// The latest time of the stream.
    last: Mark,
    /// The recorded end of the last file. It is not sent yet, because another file may follow.
    recorded_end: Option<Mark>,
}

impl Sender<'_> {
    /// Sends an item when it is due. Returns false if the replay is to end.
    fn send(&mut self, item: Item) -> bool {
        let mut item_stats = ReplayStats::default();
        let (item, selected_time) = match item {
            Item::Events(mut batch) => {
                item_stats.read = batch.len() as u64;
                self.select(&mut batch);
                item_stats.delivered = batch.len() as u64;
                item_stats.left_out = item_stats.read - item_stats.delivered;
                // A loss is kept even if all events around it are filtered out.
                let lost = std::mem::take(&mut batch.lost);
                self.lost_before = self.lost_before.saturating_add(lost);
                if !batch.is_empty() {
                    batch.lost = std::mem::take(&mut self.lost_before);
                }
                let last = batch.events().next_back().map(|event| Mark::at(event, 0));
                (Item::Events(batch), last)
            }
            Item::Census(mut census) => {
                self.selection.select_rows(&mut census);
                let now = census.now().map(|now| Mark {
                    time: now.time,
                    wall_time: now.wall_time,
                    lost: 0,
                });
                let time = now.and_then(|now| self.selected_time(&now));
                (Item::Census(census), time)
            }
            Item::Mark(mut mark) => {
                let time = self.selected_time(&mark);
                if time.is_some() {
                    let lost = std::mem::take(&mut self.lost_before);
                    mark.lost = mark.lost.saturating_add(lost);
                }
                (Item::Mark(mark), time)
            }
            Item::End(mut mark) => {
                if self.selected_time(&mark).is_some() && self.send_recorded_end() {
                    let lost = std::mem::take(&mut self.lost_before);
                    mark.lost = mark.lost.saturating_add(lost);
                    self.recorded_end = Some(mark);
                }
                return !self.is_run_ending();
            }
        };
        if let Some(selected_time) = selected_time {
            let wait = self
                .pace
                .as_mut()
                .map(|pace| pace.delay_until(selected_time.time));
            // An item that was read and is not sent is not counted.
            if wait.is_some_and(|wait| self.stop.is_ending_within(wait)) {
                return false;
            }
            if !self.send_recorded_end() || !self.out.send(item) {
                return false;
            }
            self.last = selected_time;
        }
        let is_mark = item_stats.read == 0;
        self.read.read += item_stats.read;
        self.read.left_out += item_stats.left_out;
        self.read.delivered += item_stats.delivered;
        if is_mark {
            self.publish();
        }
        !self.is_complete() && !self.is_run_ending()
    }

    fn publish(&mut self) {
        let (read, out) = (self.read, &self.out);
        self.publisher.publish(|stats| {
            stats.stream = Some(StreamStats::Replay(read));
            out.report(stats);
        });
    }

    /// Returns whether the requested number of events was sent.
    fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.read.delivered >= count)
    }

    /// Returns whether the run is to end, because of a signal or because the chain has ended.
    fn is_run_ending(&mut self) -> bool {
        // `is_ending_within` is a system call, so it is made for every 64th item only. Until
        // then the chain takes the items that are sent.
        self.items = self.items.wrapping_add(1);
        self.stop.is_ending()
            || self.items.is_multiple_of(64) && self.stop.is_ending_within(Duration::ZERO)
    }

    /// The time of a mark, if it is within the requested times.
    fn selected_time(&self, mark: &Mark) -> Option<Mark> {
        let within = self.selection.has_time(mark.wall_time);
        within.then_some(Mark { lost: 0, ..*mark })
    }

    /// Sends the recorded end of an earlier file as a mark, if it reports a loss. It is not the end of the stream,
    /// because another file follows. Returns false if the chain has ended.
    fn send_recorded_end(&mut self) -> bool {
        let end = self.recorded_end.take().filter(|end| end.lost > 0);
        end.is_none_or(|end| self.out.send(Item::Mark(end)))
    }

    /// Removes the events that are outside the requested times, those that a filter leaves out, and those beyond the
    /// requested number.
    fn select(&self, batch: &mut Batch) {
        self.selection.select(batch);
        let left = self.count.map(|count| count - self.read.delivered);
        if let Some(left) = left.filter(|left| (batch.len() as u64) > *left) {
            batch.retain(|event| (event as u64) < left);
        }
    }

    fn end(mut self) -> Stats {
        let read = self.read;
        self.publisher
            .publish_last(|stats| stats.stream = Some(StreamStats::Replay(read)));
        let mut stats = Stats::of_replay(self.read);
        let mut end = self.recorded_end.unwrap_or(self.last);
        end.lost = end.lost.saturating_add(self.lost_before);
        self.out.end(end, &mut stats);
        stats
    }
}
