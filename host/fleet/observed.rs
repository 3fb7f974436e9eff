//! What all hosts of a fleet publish, read beside the consumers, as a replay reads a file.
//!
//! Events have the stream's time, as in the chain of a partition; none is late, because nothing but what was asked for is
//! left out.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use retrans_fleet::consume;
use retrans_fleet::consume::Accept;
use retrans_fleet::consume::Break;
use retrans_fleet::consume::Content;
use retrans_fleet::consume::Cursors;
use retrans_fleet::consume::Frame;
use retrans_fleet::consume::Message;
use retrans_fleet::consume::Observation;
use retrans_fleet::consume::StartAt;
use retrans_fleet::consume::Until;
use retrans_fleet::partition::Partition;

use super::broker;
use super::fragments::Fragments;
use super::stream_time::Published;
use crate::config::Observe;
use crate::config::ObserveFrom;
use crate::source::replay::ItemStream;
use crate::stream::batch::Item;
use crate::stream::moment::Mark;

/// The stream's time between two marks.
const MARK_INTERVAL: Duration = Duration::from_secs(1);

/// How long runs of hosts are known of a stream that keeps messages for ever.
const LONGEST_AGE: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Connects to the broker, to read what its hosts have published.
///
/// # Errors
///
/// If the broker cannot be used, or is not set up.
pub fn observe(config: &Observe) -> Result<Box<dyn ItemStream>> {
    let prepared = broker::prepare(&config.broker, "retrans-host observer")?;
    let from = match config.from {
        ObserveFrom::Oldest => StartAt::Beginning,
        ObserveFrom::Now => StartAt::End,
        ObserveFrom::Time(time) => StartAt::Time(time),
    };
    let until = match config.follows {
        true => Until::Dropped,
        false => Until::End,
    };
    let observation = Observation::start(prepared, from, until)?;
    let max_age = Some(observation.max_age()).filter(|age| !age.is_zero());
    Ok(Box::new(Observed {
        stream: Stream::new(max_age.unwrap_or(LONGEST_AGE)),
        observation,
        follows: config.follows,
        heard: Instant::now(),
        has_ended: false,
    }))
}

/// Reads the stream of a fleet.
struct Observed {
    observation: Observation,
    /// Whether it goes on at the end of the stream.
    follows: bool,
    stream: Stream,
    /// When the last message came.
    heard: Instant,
    has_ended: bool,
}

impl ItemStream for Observed {
    fn item(&mut self) -> Poll<Result<Option<Item>>> {
        if let Some(item) = self.stream.items.pop_front() {
            return Poll::Ready(Ok(Some(item)));
        }
        if self.has_ended {
            return Poll::Ready(Ok(None));
        }
        let observed = match self.observation.observe() {
            Ok(observed) => observed,
            Err(error) => return Poll::Ready(Err(error.into())),
        };
        match observed {
            consume::Observed::Message(message) => {
                self.heard = Instant::now();
                self.stream.message(message);
            }
            consume::Observed::Break(found) => self.stream.missing(found),
            consume::Observed::Idle if self.follows => self.stream.idle(self.heard.elapsed()),
            consume::Observed::Idle => {}
            consume::Observed::End => {
                self.has_ended = true;
                self.stream.end();
            }
        }
        match self.stream.items.pop_front() {
            Some(item) => Poll::Ready(Ok(Some(item))),
            None if self.has_ended => Poll::Ready(Ok(None)),
            None => Poll::Pending,
        }
    }
}

/// Makes items of messages.
struct Stream {
    cursors: HashMap<Partition, Cursors>,
    max_age: Duration,
    fragments: Fragments,
    /// What was read and not taken yet.
    items: VecDeque<Item>,
    /// The stream's time: of the last message.
    now: Duration,
    /// The stream's time of the last mark.
    marked: Duration,
    /// Events that were lost since that was last told.
    lost: u64,
    not_read: NotRead,
}

impl Stream {
    fn new(max_age: Duration) -> Stream {
        Stream {
            cursors: HashMap::new(),
            max_age,
            fragments: Fragments::default(),
            items: VecDeque::new(),
            now: Duration::ZERO,
            marked: Duration::ZERO,
            lost: 0,
            not_read: NotRead::default(),
        }
    }

    fn message(&mut self, message: Message) {
        let (sequence, stamped) = (message.sequence, message.stamped);
        match message.content {
            Content::Tick => {}
            Content::Damaged { reason, events } => self.damaged(sequence, &reason, events),
            Content::Frame(frame) => self.frame(&frame, sequence, stamped),
        }
        self.time(stamped);
    }

    fn frame(&mut self, frame: &Frame, sequence: u64, stamped: Duration) {
        let new = || Cursors::new(self.max_age);
        let partition = frame.id.partition;
        let cursors = self.cursors.entry(partition).or_insert_with(new);
        match cursors.accept(&frame.id, stamped) {
            Accept::Duplicate => return,
            // The number of their events is not known: each counts as one.
            Accept::New { missing } => {
                self.lost = self.lost.saturating_add(missing);
                self.not_read.missing += missing;
            }
        }
        let items = match self.fragments.read(frame) {
            Ok(items) => items,
            Err(error) => return self.damaged(sequence, &error.to_string(), frame.events),
        };
        let published = Published {
            stamped,
            clock: frame.clock,
        };
        for mut item in items {
            match &mut item {
                Item::Events(batch) => batch.lost = std::mem::take(&mut self.lost),
                Item::Census(_) => {}
                // A host tells in each partition what it has lost. Time is that of the stream alone.
                Item::Mark(mark) | Item::End(mark) => {
                    if partition == Partition(0) {
                        self.lost = self.lost.saturating_add(mark.lost);
                    }
                    continue;
                }
            }
            published.apply(&mut item);
            self.items.push_back(item);
        }
    }

    fn damaged(&mut self, sequence: u64, reason: &str, events: u64) {
        self.lost = self.lost.saturating_add(events);
        self.not_read.damaged(sequence, reason, events);
    }

    /// The stream has come to this time.
    fn time(&mut self, time: Duration) {
        self.now = self.now.max(time);
        self.mark_if_due(self.now);
    }

    /// No message has come for this time. The stream's time goes on without consumers as well, whose ticks come otherwise.
    fn idle(&mut self, time: Duration) {
        if !self.now.is_zero() {
            self.mark_if_due(self.now + time);
        }
    }

    fn mark_if_due(&mut self, time: Duration) {
        if self.marked.is_zero() {
            self.marked = time;
        }
        if time >= self.marked + MARK_INTERVAL {
            self.mark(time);
        }
    }

    fn mark(&mut self, time: Duration) {
        self.marked = time;
        self.items.push_back(Item::Mark(Mark {
            time,
            wall_time: time,
            lost: std::mem::take(&mut self.lost),
        }));
    }

    fn missing(&mut self, found: Break) {
        match found {
            // They may have been ticks.
            Break::Expired { asked, first } => tracing::warn!(
                "messages {asked} to {} have left the stream before they were read",
                first - 1
            ),
            Break::Rewound { asked, last } => tracing::error!(
                "the stream ends at message {last}, before {asked}, which was to be the next one: it was made anew, or \
                 its server has lost what it had acknowledged"
            ),
        }
    }

    /// Tells of losses at the end.
    fn end(&mut self) {
        if self.lost > 0 {
            self.mark(self.now);
        }
    }
}

/// Frames that were not read. They are told when reading has ended.
#[derive(Debug, Default)]
struct NotRead {
    /// Frames that hosts have published and that are not in the stream.
    missing: u64,
    damaged: u64,
    /// Events of those that are damaged, as far as that is known.
    events: u64,
    /// The first one that is damaged: its sequence, and what was found.
    first: Option<(u64, String)>,
}

impl NotRead {
    fn damaged(&mut self, sequence: u64, reason: &str, events: u64) {
        self.damaged += 1;
        self.events += events;
        self.first
            .get_or_insert_with(|| (sequence, reason.to_owned()));
    }
}

impl Drop for NotRead {
    fn drop(&mut self) {
        let NotRead {
            missing,
            damaged,
            events,
            first,
        } = self;
        if *missing > 0 {
            tracing::warn!(
                "{missing} frames that hosts have published did not arrive in the stream"
            );
        }
        if let Some((sequence, reason)) = first {
            tracing::warn!(
                "{damaged} messages with {events} events cannot be used; the first one is message {sequence}: {reason}"
            );
        }
    }
}
