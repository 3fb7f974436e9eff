//! Reads the kernel's ring buffer and the probe's counters.

use std::cell::RefCell;
use std::io;
use std::mem::offset_of;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::Program;
use libbpf_rs::RingBuffer;
use libbpf_rs::RingBufferBuilder;

use super::intake::Intake;
use super::intake::Processing;
use super::pace::Pace;
use super::preflight::ProbeError;
use super::preflight::cannot;
use super::preflight::explain;
use super::ring_event::RING_EVENT_SIZE;
use crate::pipeline::stop::Stop;
use crate::pipeline::stop::Wake;
use crate::source::bpf::recursion;
use crate::source::bpf::retrans::types::retrans_counters;
use crate::stats::counters::KernelStats;
use crate::stats::counters::StreamStats;
use crate::stream::batch::MAX_EVENTS;
use crate::system::heap;

/// How long to wait at the end, after the last record, for a probe that is still running on another CPU.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Size of the header that the kernel puts before each record of a ring buffer (BPF_RINGBUF_HDR_SZ).
const RECORD_HEADER_SIZE: usize = 8;

/// How often to check at the end whether there are more records, and whether the last owners are known.
const DRAIN_INTERVAL: Duration = Duration::from_millis(1);

/// The counters of the probe and of the kernel's calls of it.
pub struct Counters<'a> {
    /// One set per CPU.
    map: &'a dyn MapCore,
    /// The programs of the probe.
    programs: Vec<Program<'a>>,
}

impl<'a> Counters<'a> {
    /// The counters in `map`, a per-CPU array with one entry, and those that the kernel keeps of `programs`.
    pub fn new(map: &'a dyn MapCore, programs: Vec<Program<'a>>) -> Counters<'a> {
        Counters { map, programs }
    }

    /// All counters, with the calls that the kernel skipped.
    fn read_all(&self) -> Result<KernelStats, ProbeError> {
        let misses = self.programs.iter();
        let misses = misses.map(|program| recursion::misses(program.as_fd()));
        Ok(KernelStats {
            recursion_misses: misses.sum(),
            ..self.read()?
        })
    }

    /// The probe's own counters: sums over all CPUs. Without `recursion_misses`, for which files of `/proc` are read.
    fn read(&self) -> Result<KernelStats, ProbeError> {
        let key = 0u32.to_ne_bytes();
        let values = self.map.lookup_percpu(&key, MapFlags::ANY);
        let values = values.map_err(|error| explain("read the counters of", error))?;
        let mut sum = KernelStats::default();
        for cpu in values.unwrap_or_default() {
            let counter = |offset: usize| {
                let bytes = cpu.get(offset..).and_then(<[u8]>::first_chunk);
                bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
            };
            sum.entered += counter(offset_of!(retrans_counters, entered));
            sum.recorded += counter(offset_of!(retrans_counters, recorded));
            sum.ring_full += counter(offset_of!(retrans_counters, ring_full));
            sum.filtered += counter(offset_of!(retrans_counters, filtered));
            sum.sampled_out += counter(offset_of!(retrans_counters, sampled_out));
            sum.rate_limited += counter(offset_of!(retrans_counters, rate_limited));
        }
        Ok(sum)
    }
}

/// Builds the reader of the ring buffer in `map`. It passes each record to `intake`.
pub fn build_ring<'a>(
    map: &'a dyn MapCore,
    intake: &'a RefCell<Intake<'_>>,
) -> Result<RingBuffer<'a>, ProbeError> {
    let mut builder = RingBufferBuilder::new();
    let added = builder.add(map, |ring_event: &[u8]| match ring_event.first_chunk() {
        Some(ring_event) => {
            intake.borrow_mut().take(ring_event);
            0
        }
        // Not possible with the probe's own ring buffer: the size is that of the probe's struct.
        None => -1,
    });
    if let Err(error) = added {
        return Err(explain("read the ring of", error));
    }
    builder
        .build()
        .map_err(|error| explain("read the ring of", error))
}

/// Reads the ring buffer, and sends its events and the losses to the chain.
pub struct RingReader<'a, 'b> {
    ring: &'a RingBuffer<'a>,
    intake: &'a RefCell<Intake<'b>>,
    counters: Counters<'a>,
    /// Number of losses that were reported to the chain.
    reported_lost: u64,
    /// Whether the last read took a full batch, so that the ring buffer may contain more records.
    behind: bool,
    pace: Pace,
    /// How long records gather before they are read.
    pause: Duration,
}

impl<'a, 'b> RingReader<'a, 'b> {
    /// A reader of `ring`, which has `size` bytes and passes its records to `intake` ([`build_ring`]).
    pub fn new(
        ring: &'a RingBuffer<'a>,
        intake: &'a RefCell<Intake<'b>>,
        counters: Counters<'a>,
        size: u32,
    ) -> RingReader<'a, 'b> {
        let record_size = (RING_EVENT_SIZE + RECORD_HEADER_SIZE) as u32;
        RingReader {
            ring,
            intake,
            counters,
            reported_lost: 0,
            behind: false,
            pace: Pace::new(size / record_size),
            pause: Duration::ZERO,
        }
    }

    /// Waits for records, for the result of a scan, for the deadline of a waiting event, or for the end of the run,
    /// but not longer than until the time since boot `latest`.
    pub fn wait(&self, stop: &Stop, latest: Duration) -> io::Result<Wake> {
        let intake = self.intake.borrow();
        let Processing { owners, clock, .. } = &intake.processing;
        thread::sleep(self.pause);
        let wake_at = owners.wake_at().map_or(latest, |owners| owners.min(latest));
        let timeout = wake_at.saturating_sub(clock.now().boot());
        // SAFETY: the descriptor belongs to `ring`, which outlives this borrow.
        let ring_ready = unsafe { BorrowedFd::borrow_raw(self.ring.epoll_fd()) };
        stop.wait(ring_ready, owners.ready(), timeout)
    }

    /// Reads the records that have arrived, [`MAX_EVENTS`] at most, and sends the events that are
    /// ready. Returns false if the source is to end: the stream has the requested number of
    /// events, the chain has ended, or an observer ends the run.
    pub fn read(&mut self) -> Result<bool, ProbeError> {
        self.intake.borrow_mut().begin_read();
        let consumed = self.ring.consume_raw_n(MAX_EVENTS);
        if consumed < 0 {
            let errno = rustix::io::Errno::from_raw_os_error(-consumed);
            return Err(cannot("read the ring")(errno));
        }
        self.behind = consumed as usize == MAX_EVENTS;
        let mut intake = self.intake.borrow_mut();
        let now = intake.now;
        self.pause = match self.pace.read(consumed as u32, now.boot()) {
            _ if self.behind => Duration::ZERO,
            pause => pause,
        };
        intake.processing.owners.scan(now.boot());
        if intake.stream.is_empty() {
            return Ok(!intake.stream.is_complete());
        }
        // The counter is read after the events, so that a loss is reported with the events
        // around it, not with later ones.
        let lost = newly_lost(&self.counters, &mut self.reported_lost)?;
        let continues = intake.stream.send(lost);
        intake.account_for_sending(&now);
        Ok(continues && !intake.stream.is_complete())
    }

    /// Sends a mark. Returns false if the source is to end.
    ///
    /// A mark is a moment of the *stream*: what is older has been read. That is the moment at which the last read
    /// began, if it emptied the ring buffer, and the time of the latest event while there are more records. With the
    /// present time, the events that follow would be older than the mark by as much as the source is behind: records
    /// gather in the ring buffer for as long as sending is blocked.
    pub fn mark(&mut self) -> Result<bool, ProbeError> {
        let lost = newly_lost(&self.counters, &mut self.reported_lost)?;
        let mut intake = self.intake.borrow_mut();
        let moment = if self.behind {
            intake.newest
        } else {
            let read = intake.now.boot();
            intake.processing.owners.rest(read);
            read
        };
        let begun = intake.processing.clock.now();
        let mut continues = true;
        let mut census = None;
        {
            let Intake {
                processing, stream, ..
            } = &mut *intake;
            if let Some(taker) = &mut processing.census {
                while let Some(made) = taker.take() {
                    continues &= stream.census(made);
                }
                census = Some(taker.stats());
            }
        }
        continues &= intake.stream.mark(begun.mark(moment, lost));
        intake.account_for_sending(&begun);
        let live = StreamStats::Live {
            kernel: self.counters.read_all()?,
            source: intake.source_stats(),
            owners: intake.owner_stats(),
        };
        let Intake {
            processing, stream, ..
        } = &mut *intake;
        processing.publisher.publish(|stats| {
            stats.stream = Some(live);
            stats.census = census;
            stream.report(stats);
        });
        heap::give_back_freed();
        Ok(continues)
    }

    /// Reads the kernel's counters for the last time. To be called before the probe is
    /// detached: later segments are not compared.
    pub fn freeze(&mut self) {
        if let Some(reconciliation) = &mut self.intake.borrow_mut().processing.reconciliation {
            reconciliation.freeze();
        }
    }

    /// Sends the records that are left in the ring buffer, and the events that still wait for their owner. To be
    /// called after the probe was detached. Returns the final counters of the probe.
    pub fn drain(&mut self) -> Result<KernelStats, ProbeError> {
        let recorded = || self.intake.borrow().recorded;
        let mut deadline = Instant::now() + DRAIN_TIMEOUT;
        loop {
            let before = recorded();
            self.read()?;
            if recorded() > before {
                // While there are records, there is no time-out: all of them are delivered, however slow the chain is.
                deadline = Instant::now() + DRAIN_TIMEOUT;
                continue;
            }
            let kernel = self.counters.read()?;
            let settled = kernel.balances() && kernel.recorded == recorded();
            // If the counters still differ at the deadline, a probe is still running on another CPU.
            let over = settled || Instant::now() > deadline;
            if over && !self.intake.borrow().processing.owners.is_waiting() {
                return self.counters.read_all();
            }
            thread::sleep(DRAIN_INTERVAL);
        }
    }

    /// Number of losses that were reported to the chain.
    pub fn reported_lost(&self) -> u64 {
        self.reported_lost
    }
}

/// The losses since the last report to the chain. Adds them to `reported_lost`.
fn newly_lost(counters: &Counters<'_>, reported_lost: &mut u64) -> Result<u64, ProbeError> {
    let lost = counters.read()?.lost();
    Ok(lost - std::mem::replace(reported_lost, lost))
}
