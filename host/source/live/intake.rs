//! What happens to a record when the ring hands it over: it is completed and counted, and goes into the stream or
//! waits for its owner.

use std::time::Duration;

use retrans_event::Event;

use super::stream::Stream;
use crate::pipeline::channel::Channel;
use crate::pipeline::stop::Stop;
use crate::source::clock::Clock;
use crate::source::clock::Now;
use crate::source::observer::Observer;
use crate::source::outflow::Outflow;
use crate::source::owner::Owners;
use crate::stats::Publisher;
use crate::stats::Stats;
use crate::stats::counters::KernelStats;
use crate::stats::counters::OwnerStats;
use crate::stats::counters::SourceStats;
use crate::stats::counters::StreamStats;
use crate::stats::reconcile::Reconciliation;

/// Sending that takes longer was held up by a chain that is behind.
const HELD_UP_AFTER: Duration = Duration::from_millis(1);

/// What is done with events on their way from the ring to the stream.
pub struct Processing {
    /// What stamps them, and what they are dated by.
    pub clock: Clock,
    /// Whose they are.
    pub owners: Owners,
    /// Are attempts passed on whose first copy is still queued in this host?
    pub show_queued: bool,
    /// Compares them with the kernel's own counters.
    pub reconciliation: Option<Reconciliation>,
    /// What sees them before the chain does.
    pub observers: Vec<Box<dyn Observer>>,
    /// After how many events the stream ends.
    pub count: Option<u64>,
    /// Where statistics are left at marks.
    pub publisher: Publisher,
}

/// What happens to a record when the ring hands it over: it is completed and counted, and goes into the stream or
/// waits for its owner.
pub struct Intake<'a> {
    pub(super) processing: Processing,
    pub(super) stream: Stream<'a>,
    /// The time at which the ring is read.
    pub(super) now: Now,
    pub(super) recorded: u64,
    withheld: u64,
    /// Time of the latest event.
    pub(super) newest: Duration,
}

impl<'a> Intake<'a> {
    /// Nothing has arrived yet.
    pub fn new(mut processing: Processing, channel: &'a Channel, stop: &'a Stop) -> Intake<'a> {
        let observers = std::mem::take(&mut processing.observers);
        let out = Outflow::new(channel, stop, observers);
        Intake {
            stream: Stream::new(out, processing.count),
            now: processing.clock.now(),
            processing,
            recorded: 0,
            withheld: 0,
            newest: Duration::ZERO,
        }
    }

    /// Takes a record of [`RECORD_SIZE`] bytes.
    pub(super) fn take(&mut self, record: &[u8]) {
        let Intake {
            processing,
            stream,
            now,
            ..
        } = self;
        let Some(event) = stream.receive(record) else {
            return;
        };
        complete(event, now);
        self.recorded += 1;
        self.newest = self.newest.max(event.time());
        if let Some(reconciliation) = &mut processing.reconciliation {
            reconciliation.note(event);
        }
        if !processing.show_queued && event.error().is_some_and(|error| error.is_still_queued()) {
            self.withheld += 1;
            stream.discard();
            return;
        }
        if let Some(found) = processing.owners.find(event) {
            stream.accept(found);
            return;
        }
        let event = event.to_record();
        stream.discard();
        if let Some((first, found)) = processing.owners.wait(event, now.boot()) {
            stream.push(&first, found);
        }
    }

    /// Before the ring is read: takes the time, and passes on the events that have their owner by now. They are
    /// older than what is in the ring.
    pub(super) fn begin(&mut self) {
        self.now = self.processing.clock.now();
        let stream = &mut self.stream;
        let owners = &mut self.processing.owners;
        owners.release(self.now.boot(), |event, found| stream.push(event, found));
    }

    /// What became of the records that were read.
    pub(super) fn counted(&self) -> SourceStats {
        SourceStats {
            recorded: self.recorded,
            withheld: self.withheld,
            beyond: self.stream.beyond(),
            delivered: self.stream.delivered(),
        }
    }

    /// Whose the events were.
    pub(super) fn owned(&self) -> OwnerStats {
        let mut owners = self.stream.owners();
        owners.scans = self.processing.owners.scans();
        owners.scans_cut = self.processing.owners.scans_cut();
        owners
    }

    /// Waiting for a chain that is behind is not waiting for an owner.
    pub(super) fn note_sending(&mut self, begun: &Now) {
        let now = self.processing.clock.now();
        let sending = now.boot().saturating_sub(begun.boot());
        if sending > HELD_UP_AFTER && self.processing.owners.is_waiting() {
            self.processing.owners.was_held_up(sending);
        }
    }

    /// Sends the end of the stream. The statistics of the source and the observers: `kernel` has counted the
    /// calls, of whose losses the chain was told `told_lost`.
    pub fn end(self, kernel: KernelStats, told_lost: u64) -> Stats {
        let (source, owners) = (self.counted(), self.owned());
        let reconciliation = self.processing.reconciliation;
        let mut stats = Stats {
            stream: Some(StreamStats::Live {
                kernel,
                source,
                owners,
            }),
            reconciliation: reconciliation.map(|reconciliation| reconciliation.finish(&kernel)),
            ..Stats::default()
        };
        let end = self.processing.clock.now();
        let lost = kernel.ring_full - told_lost;
        self.stream.end(end.mark(end.boot(), lost), &mut stats);
        stats
    }
}

/// Fills in what the host knows: time of day, cause, and what became of the attempt.
fn complete(event: &mut Event, now: &Now) {
    event.set_wall_time(now.wall_at(event.time()));
    event.set_kind(event.classify());
    event.set_sent(Some(event.error().is_none_or(|error| error.0 == 0)));
    if event
        .error()
        .is_some_and(|error| error.failed_before_counting())
    {
        event.set_segments(Some(0));
    }
}
