//! Processes each record that is read from the ring buffer: completes and counts it, and puts it into the
//! stream or into the queue of events that wait for their owner.

use std::time::Duration;

use retrans_event::Event;

use super::ring_event::RingEvent;
use super::stream::Stream;
use crate::filter::OwnerFilter;
use crate::observer::Observer;
use crate::pipeline::channel::Channel;
use crate::pipeline::stop::Stop;
use crate::source::census::CensusTaker;
use crate::source::outflow::Outflow;
use crate::source::owner::Owners;
use crate::source::owner::names::NameFinder;
use crate::stats::Publisher;
use crate::stats::Stats;
use crate::stats::counters::KernelStats;
use crate::stats::counters::OwnerStats;
use crate::stats::counters::SourceStats;
use crate::stats::counters::StreamStats;
use crate::stats::reconcile::Reconciliation;
use crate::stream::clock::Clock;
use crate::stream::clock::Now;

/// If sending takes longer than this, the chain is behind and its backlog blocks the source.
const BLOCKED_AFTER: Duration = Duration::from_millis(1);

/// How events are processed between the ring buffer and the stream.
pub struct Processing {
    /// Converts the kernel's time since boot to the time of day.
    pub clock: Clock,
    /// Finds the owners of events.
    pub owners: Owners,
    /// Finds the names of their containers; `None`: containers have no names.
    pub names: Option<NameFinder>,
    /// Whether to pass on attempts whose first copy is still queued in this host (`EBUSY`).
    pub show_queued: bool,
    /// Compares the events with the kernel's own counters; `None` without `--reconcile`.
    pub reconciliation: Option<Reconciliation>,
    /// Makes a census once an interval; `None`: there is none.
    pub census: Option<CensusTaker>,
    /// Observers that receive the stream before the chain does.
    pub observers: Vec<Box<dyn Observer>>,
    /// The owners whose events are passed on. The probe applies all other filters.
    pub owner_filter: OwnerFilter,
    /// Number of events after which the stream ends; `None` if there is no such limit.
    pub count: Option<u64>,
    /// Publishes the statistics at each mark.
    pub publisher: Publisher,
}

/// Processes each record that is read from the ring buffer.
pub struct Intake<'a> {
    pub(super) processing: Processing,
    pub(super) stream: Stream<'a>,
    /// When the current read of the ring buffer began.
    pub(super) now: Now,
    /// Records that were read.
    pub(super) recorded: u64,
    /// Events that were not passed on because their first copy is still queued in this host.
    withheld: u64,
    /// The latest time since boot of any event.
    pub(super) newest: Duration,
}

impl<'a> Intake<'a> {
    /// An intake that has received no records yet.
    pub fn new(mut processing: Processing, channel: &'a Channel, stop: &'a Stop) -> Intake<'a> {
        let observers = std::mem::take(&mut processing.observers);
        let owner_filter = std::mem::take(&mut processing.owner_filter);
        let names = processing.names.take();
        let out = Outflow::new(channel, stop, observers);
        Intake {
            stream: Stream::new(out, processing.count, owner_filter, names),
            now: processing.clock.now(),
            processing,
            recorded: 0,
            withheld: 0,
            newest: Duration::ZERO,
        }
    }

    /// Processes an event of the ring buffer.
    pub(super) fn take(&mut self, ring_event: &RingEvent) {
        let Intake {
            processing,
            stream,
            now,
            ..
        } = self;
        let Some(event) = stream.receive(ring_event) else {
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
        if let Some(resolved) = processing.owners.find(event) {
            stream.accept(resolved);
            return;
        }
        let first = processing.owners.wait(event, now.boot());
        stream.discard();
        if let Some((first, resolved)) = first {
            stream.push(&first, resolved);
        }
    }

    /// To be called before the ring buffer is read. Reads the clock, and passes on the waiting events whose owner is
    /// known by now: they are older than the records in the ring buffer.
    pub(super) fn begin_read(&mut self) {
        self.now = self.processing.clock.now();
        let stream = &mut self.stream;
        let owners = &mut self.processing.owners;
        owners.release(self.now.boot(), |event, resolved| {
            stream.push(event, resolved)
        });
    }

    /// Counts of the records that were read.
    pub(super) fn source_stats(&self) -> SourceStats {
        SourceStats {
            recorded: self.recorded,
            withheld: self.withheld,
            filtered: self.stream.filtered(),
            beyond: self.stream.beyond(),
            delivered: self.stream.delivered(),
        }
    }

    /// Counts of the events by the status of their owner, and of the scans.
    pub(super) fn owner_stats(&self) -> OwnerStats {
        let mut owners = self.stream.owners();
        owners.scans = self.processing.owners.scans();
        owners.scans_cut = self.processing.owners.scans_cut();
        owners
    }

    /// Extends the deadlines of the events that wait for their owner by the time for which sending was blocked: the
    /// time-out is for scans, not for a chain that is behind. `begun` is when sending began.
    pub(super) fn account_for_sending(&mut self, begun: &Now) {
        let now = self.processing.clock.now();
        let sending = now.boot().saturating_sub(begun.boot());
        if sending > BLOCKED_AFTER && self.processing.owners.is_waiting() {
            self.processing.owners.postpone_deadlines(sending);
        }
    }

    /// Sends the end of the stream, and returns the statistics of the source and the observers. `kernel` are the
    /// probe's final counters. `reported_lost` is the number of losses that were reported to the chain before.
    pub fn end(self, kernel: KernelStats, reported_lost: u64) -> Stats {
        let (source, owners) = (self.source_stats(), self.owner_stats());
        let mut stream = self.stream;
        let census = self.processing.census.map(|taker| {
            let (censuses, stats) = taker.finish();
            for census in censuses {
                stream.census(census);
            }
            stats
        });
        let live = StreamStats::Live {
            kernel,
            source,
            owners,
        };
        let mut publisher = self.processing.publisher;
        publisher.publish_last(|stats| {
            stats.stream = Some(live);
            stats.census = census;
        });
        let reconciliation = self.processing.reconciliation;
        let mut stats = Stats {
            stream: Some(live),
            census,
            reconciliation: reconciliation.map(|reconciliation| reconciliation.finish(&kernel)),
            ..Stats::default()
        };
        let end = self.processing.clock.now();
        let lost = kernel.lost() - reported_lost;
        stream.end(end.mark(end.boot(), lost), &mut stats);
        stats
    }
}

/// Sets the fields that the host derives: the time of day, the cause, and whether the attempt was sent.
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
