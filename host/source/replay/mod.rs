//! Events that were recorded, read from files and sent as if they happened now.

mod input;
mod line;
mod lines;
mod pace;
mod readable;

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use retrans_event::Event;

use self::pace::Pace;
use super::outflow::Outflow;
use crate::capture::CaptureError;
use crate::config::Replay;
use crate::config::Times;
use crate::pipeline::channel::Channel;
use crate::pipeline::stop::Stop;
use crate::source::observer::Observer;
use crate::stats::Publisher;
use crate::stats::SharedStats;
use crate::stats::Stats;
use crate::stats::counters::ReplayStats;
use crate::stats::counters::StreamStats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::batch::Mark;

pub use self::input::Input;
pub use self::input::InputError;
pub use self::lines::LineError;

/// A file that cannot be replayed.
#[derive(Debug)]
pub struct ReplayError {
    /// Its name, as it was written.
    pub file: String,
    /// Why not.
    pub error: InputError,
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReplayError { file, error } = self;
        match error {
            InputError::Line(LineError::Line { line, what }) => {
                write!(f, "cannot replay {file}:{line}: {what}")
            }
            error => write!(f, "cannot replay {file}: {error}"),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Opens the files, so that what is wrong with one is said before the first event of any goes out. `None`: the
/// run is to end meanwhile. `progress` is told of their sizes, and of what is read.
pub fn open<'a>(
    files: &[PathBuf],
    stop: &'a Stop,
    progress: &indicatif::ProgressBar,
) -> Result<Option<Vec<Input<'a>>>, ReplayError> {
    let mut inputs = Vec::with_capacity(files.len());
    for file in files {
        match Input::open(file, progress, Some(stop)) {
            Ok(input) => inputs.push(input),
            Err(error) if error.is_stop() => return Ok(None),
            Err(error) => return Err(failed(file, error)),
        }
    }
    Ok(Some(inputs))
}

/// Are the times since boot of all events those of one boot?
pub fn are_of_one_boot(inputs: &[Input<'_>]) -> bool {
    let boot = |input: &Input<'_>| input.host().map(|host| host.boot_id.clone());
    let mut boots = inputs.iter().map(boot);
    match boots.next().flatten() {
        None => inputs.len() < 2,
        first => boots.all(|boot| boot == first),
    }
}

/// Sends what is in the files until the run is to end, or the chain has ended. Its statistics, and those of the
/// observers.
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
        times: replay.times,
        count: replay.chain.count,
        pace: replay.speed.map(Pace::new),
        stop,
        read: ReplayStats::default(),
        items: 0,
        last: Mark::default(),
        ended: None,
    };
    let mut boot: Option<String> = None;
    for (mut input, file) in inputs.into_iter().zip(&replay.files) {
        // Only files of one run of a machine have the time between them in common.
        let next = input.host().map(|host| host.boot_id.clone());
        if (next.is_none() || next != boot)
            && let Some(pace) = &mut sender.pace
        {
            pace.begin_anew();
        }
        let same_boot = next.is_some() && next == boot;
        boot = next;
        let (last, mut first) = (sender.last.time, true);
        loop {
            match input.item(|| channel.empty()) {
                Ok(Some(item)) => {
                    if std::mem::take(&mut first) && same_boot && begins_before(&item, last) {
                        tracing::warn!(
                            "{} begins before the end of the file named before it; name older files first",
                            file.display()
                        );
                    }
                    if !sender.send(item) {
                        return Ok(sender.end());
                    }
                }
                Ok(None) => break,
                Err(error) if error.is_stop() => return Ok(sender.end()),
                // What was before the cut is as good as any other capture.
                Err(InputError::Capture(error @ CaptureError::Cut { .. })) => {
                    tracing::warn!("{}: {error}", file.display());
                    break;
                }
                Err(error) => {
                    sender.end();
                    return Err(failed(file, error));
                }
            }
        }
    }
    Ok(sender.end())
}

/// Does the item come more than a second before this time?
fn begins_before(item: &Item, time: Duration) -> bool {
    let begin = match item {
        Item::Events(batch) => batch.events().next().map_or(time, Event::time),
        Item::Mark(mark) | Item::End(mark) => mark.time,
    };
    begin + Duration::from_secs(1) < time
}

fn failed(file: &Path, error: InputError) -> ReplayError {
    let file = file.display().to_string();
    ReplayError { file, error }
}

struct Sender<'a> {
    out: Outflow<'a>,
    /// Where statistics are left at marks.
    publisher: Publisher,
    times: Times,
    /// After how many events the stream ends.
    count: Option<u64>,
    pace: Option<Pace>,
    stop: &'a Stop,
    read: ReplayStats,
    /// Items that were read.
    items: u64,
    /// The latest moment of the stream.
    last: Mark,
    /// The end that was recorded, held back: there may be another file.
    ended: Option<Mark>,
}

impl Sender<'_> {
    /// Sends an item, in time. False: it is over.
    fn send(&mut self, item: Item) -> bool {
        let mut item_stats = ReplayStats::default();
        let (item, moment) = match item {
            Item::Events(mut batch) => {
                item_stats.read = batch.len() as u64;
                self.select(&mut batch);
                item_stats.delivered = batch.len() as u64;
                item_stats.left_out = item_stats.read - item_stats.delivered;
                let last = batch.events().next_back().map(|event| Mark::at(event, 0));
                (Item::Events(batch), last)
            }
            Item::Mark(mark) => (Item::Mark(mark), self.moment(&mark)),
            Item::End(mark) => {
                if self.moment(&mark).is_some() && self.tell_end() {
                    self.ended = Some(mark);
                }
                return !self.is_over();
            }
        };
        if let Some(moment) = moment {
            let wait = self.pace.as_mut().map(|pace| pace.until(moment.time));
            // What was read, but is not sent, is not counted.
            if wait.is_some_and(|wait| self.stop.comes_within(wait)) {
                return false;
            }
            if !self.tell_end() || !self.out.pass_on(item) {
                return false;
            }
            self.last = moment;
        }
        let is_mark = item_stats.read == 0;
        self.read.read += item_stats.read;
        self.read.left_out += item_stats.left_out;
        self.read.delivered += item_stats.delivered;
        if is_mark {
            self.publish();
        }
        !self.is_complete() && !self.is_over()
    }

    fn publish(&mut self) {
        let (read, out) = (self.read, &self.out);
        self.publisher.publish(|stats| {
            stats.stream = Some(StreamStats::Replay(read));
            out.report(stats);
        });
    }

    /// Has the chain as many events as it was to have?
    fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.read.delivered >= count)
    }

    /// Was the run ended, by a signal or because the chain did?
    fn is_over(&mut self) -> bool {
        // The chain takes what is still sent; that need not be looked for each time.
        self.items = self.items.wrapping_add(1);
        self.stop.is_ending()
            || self.items.is_multiple_of(64) && self.stop.comes_within(Duration::ZERO)
    }

    /// The moment of a mark, if it is within the time that was asked for.
    fn moment(&self, mark: &Mark) -> Option<Mark> {
        let within = self.times.contain(mark.wall_time);
        within.then_some(Mark { lost: 0, ..*mark })
    }

    /// An end that was not that of all is no more than a mark, if it is one that tells of a loss.
    /// False: the chain has ended.
    fn tell_end(&mut self) -> bool {
        let ended = self.ended.take().filter(|ended| ended.lost > 0);
        ended.is_none_or(|ended| self.out.pass_on(Item::Mark(ended)))
    }

    /// Leaves out the events outside of the time that was asked for, and beyond their number.
    fn select(&self, batch: &mut Batch) {
        let times = self.times;
        if times != Times::default() {
            let within: Vec<bool> = batch
                .events()
                .map(|event| times.contain(event.wall_time()))
                .collect();
            // What was lost before an event that is left out is left out with it.
            if within.first() == Some(&false) {
                batch.lost = 0;
            }
            batch.retain(|event| within[event]);
        }
        let left = self.count.map(|count| count - self.read.delivered);
        if let Some(left) = left.filter(|left| (batch.len() as u64) > *left) {
            batch.retain(|event| (event as u64) < left);
        }
    }

    fn end(self) -> Stats {
        let mut stats = Stats::of_replay(self.read);
        self.out.end(self.ended.unwrap_or(self.last), &mut stats);
        stats
    }
}
