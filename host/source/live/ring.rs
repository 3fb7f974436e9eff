//! Reads the kernel's ring, completes each event, and counts what became of it.

use std::cell::RefCell;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::RingBuffer;
use libbpf_rs::RingBufferBuilder;
use retrans_event::Event;
use retrans_event::RECORD_SIZE;

use super::preflight::ProbeError;
use super::preflight::cannot;
use super::preflight::explain;
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
use crate::stream::batch::Batch;
use crate::stream::batch::MAX_EVENTS;

/// How long to wait, at the end and after the last record, for a probe that is still running on
/// another CPU.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// Sending that takes longer was held up by a chain that is behind.
const HELD_UP: Duration = Duration::from_millis(1);

/// Between two looks, at the end, whether there is more, or the last owners are known.
const DRAIN_PAUSE: Duration = Duration::from_millis(1);

/// The probe's counters, one set a CPU.
pub struct Counters<'a>(&'a dyn MapCore);

impl<'a> Counters<'a> {
    /// Counters in a per-CPU array with one entry.
    pub fn new(map: &'a dyn MapCore) -> Counters<'a> {
        Counters(map)
    }

    /// The sum over all CPUs.
    pub fn read(&self) -> Result<KernelStats, ProbeError> {
        let key = 0u32.to_ne_bytes();
        let values = self.0.lookup_percpu(&key, MapFlags::ANY);
        let values = values.map_err(|error| explain("read the counters of", error))?;
        let mut sum = KernelStats::default();
        for cpu in values.unwrap_or_default() {
            let mut counters = cpu
                .as_chunks()
                .0
                .iter()
                .map(|bytes| u64::from_ne_bytes(*bytes));
            let mut next = || counters.next().unwrap_or(0);
            // As in struct retrans_counters.
            sum.entered += next();
            sum.recorded += next();
            sum.ring_full += next();
        }
        Ok(sum)
    }
}

/// The ring, which puts what it is asked for into `batch`.
pub fn ring<'a>(
    map: &'a dyn MapCore,
    batch: &'a RefCell<Batch>,
) -> Result<RingBuffer<'a>, ProbeError> {
    let mut builder = RingBufferBuilder::new();
    let added = builder.add(map, |record: &[u8]| match record.get(..RECORD_SIZE) {
        Some(record) => {
            batch.borrow_mut().push(record);
            0
        }
        // build.rs compared the sizes: this is no ring of ours.
        None => -1,
    });
    if let Err(error) = added {
        return Err(explain("read the ring of", error));
    }
    builder
        .build()
        .map_err(|error| explain("read the ring of", error))
}

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

/// Reads the ring and sends what was in it.
pub struct RingReader<'a> {
    ring: &'a RingBuffer<'a>,
    /// Where the ring puts its records.
    arrived: &'a RefCell<Batch>,
    counters: Counters<'a>,
    processing: Processing,
    stream: Stream<'a>,
    recorded: u64,
    withheld: u64,
    /// Losses that the chain was told of.
    told_lost: u64,
    /// Had the ring more than a batch when it was last read?
    behind: bool,
    /// Time of the latest event.
    newest: Duration,
}

impl<'a> RingReader<'a> {
    /// A reader of a ring that fills `arrived`.
    pub fn new(
        ring: &'a RingBuffer<'a>,
        arrived: &'a RefCell<Batch>,
        counters: Counters<'a>,
        mut processing: Processing,
        channel: &'a Channel,
        stop: &'a Stop,
    ) -> RingReader<'a> {
        let out = Outflow::new(channel, stop, std::mem::take(&mut processing.observers));
        let stream = Stream::new(out, processing.count);
        RingReader {
            ring,
            arrived,
            counters,
            processing,
            stream,
            recorded: 0,
            withheld: 0,
            told_lost: 0,
            behind: false,
            newest: Duration::ZERO,
        }
    }

    /// Whose events are waited for.
    pub fn owners(&self) -> &Owners {
        &self.processing.owners
    }

    /// Takes whatever has arrived, at most a batch, and sends what is ready. False: the stream has as
    /// many events as it was to have, or the chain has ended.
    pub fn read(&mut self) -> Result<bool, ProbeError> {
        let consumed = self.ring.consume_raw_n(MAX_EVENTS);
        if consumed < 0 {
            let errno = rustix::io::Errno::from_raw_os_error(-consumed);
            return Err(cannot("read the ring")(errno));
        }
        self.behind = consumed as usize == MAX_EVENTS;
        let now = self.processing.clock.now();
        let Processing {
            owners,
            show_queued,
            reconciliation,
            ..
        } = &mut self.processing;
        let stream = &mut self.stream;
        owners.release(now.boot(), |event, found| stream.push(event, found));
        let mut arrived = self.arrived.borrow_mut();
        for event in arrived.events_mut() {
            complete(event, &now);
            self.recorded += 1;
            self.newest = self.newest.max(event.time());
            if let Some(reconciliation) = reconciliation {
                reconciliation.note(event);
            }
            if !*show_queued && event.error().is_some_and(|error| error.is_still_queued()) {
                self.withheld += 1;
                continue;
            }
            owners.take(event, now.boot(), |event, found| stream.push(event, found));
        }
        arrived.clear();
        owners.scan(now.boot());
        if self.stream.is_empty() {
            return Ok(!self.stream.is_complete());
        }
        // Read after the events: a loss is told with the events around it, not with later ones.
        let lost = self.newly_lost()?;
        let open = self.stream.send(lost);
        self.note_sending(&now);
        Ok(open && !self.stream.is_complete())
    }

    /// Sends a mark. False: the chain has ended.
    ///
    /// A second of the *stream* has passed: while the ring has more, that is not yet now, and events
    /// that follow would be older than the mark by as much as the source is behind.
    pub fn mark(&mut self, now: Now) -> Result<bool, ProbeError> {
        let lost = self.newly_lost()?;
        let moment = if self.behind { self.newest } else { now.boot() };
        let open = self.stream.mark(now.mark(moment, lost));
        self.note_sending(&now);
        self.publish()?;
        Ok(open)
    }

    fn publish(&mut self) -> Result<(), ProbeError> {
        let live = StreamStats::Live {
            kernel: self.counters.read()?,
            source: self.counted(),
            owners: self.owned(),
        };
        let stream = &self.stream;
        self.processing.publisher.publish(|stats| {
            stats.stream = Some(live);
            stream.report(stats);
        });
        Ok(())
    }

    /// What became of the records that were read.
    fn counted(&self) -> SourceStats {
        SourceStats {
            recorded: self.recorded,
            withheld: self.withheld,
            beyond: self.stream.beyond(),
            delivered: self.stream.delivered(),
        }
    }

    /// Whose the events were.
    fn owned(&self) -> OwnerStats {
        let mut owners = self.stream.owners();
        owners.scans = self.processing.owners.scans();
        owners.scans_cut = self.processing.owners.scans_cut();
        owners
    }

    /// Waiting for a chain that is behind is not waiting for an owner.
    fn note_sending(&mut self, begun: &Now) {
        let now = self.processing.clock.now();
        let sending = now.boot().saturating_sub(begun.boot());
        if sending > HELD_UP && self.processing.owners.is_waiting() {
            self.processing.owners.was_held_up(sending);
        }
    }

    /// Before the probe is detached: what comes later is not compared.
    pub fn freeze(&mut self) {
        if let Some(reconciliation) = &mut self.processing.reconciliation {
            reconciliation.freeze();
        }
    }

    /// After the probe was detached: sends the rest of the ring, and the events that still wait for
    /// their owner, and the end of the stream. `recursion_misses` belong to the statistics.
    pub fn drain(mut self, recursion_misses: Option<u64>) -> Result<Stats, ProbeError> {
        let mut deadline = Instant::now() + DRAIN_LIMIT;
        let mut kernel = loop {
            let before = self.recorded;
            self.read()?;
            if self.recorded > before {
                // However slow the chain is: what was recorded is delivered.
                deadline = Instant::now() + DRAIN_LIMIT;
                continue;
            }
            let kernel = self.counters.read()?;
            let settled = kernel.entered == kernel.recorded + kernel.ring_full
                && kernel.recorded == self.recorded;
            // Nobody waits for long. What is not settled is a probe still running on another CPU.
            let over = settled || Instant::now() > deadline;
            if over && !self.processing.owners.is_waiting() {
                break kernel;
            }
            thread::sleep(DRAIN_PAUSE);
        };
        kernel.recursion_misses = recursion_misses;
        let (source, owners) = (self.counted(), self.owned());
        let reconciliation = self.processing.reconciliation;
        let reconciliation = reconciliation.map(|reconciliation| reconciliation.finish(&kernel));
        let lost = kernel.ring_full - self.told_lost;
        let end = self.processing.clock.now();
        let mut stats = Stats {
            stream: Some(StreamStats::Live {
                kernel,
                source,
                owners,
            }),
            reconciliation,
            ..Stats::default()
        };
        self.stream.end(end.mark(end.boot(), lost), &mut stats);
        Ok(stats)
    }

    fn newly_lost(&mut self) -> Result<u64, ProbeError> {
        let lost = self.counters.read()?.ring_full;
        let newly = lost - self.told_lost;
        self.told_lost = lost;
        Ok(newly)
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
