//! Reads the kernel's ring and the probe's counters.

use std::cell::RefCell;
use std::io;
use std::mem::offset_of;
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::RingBuffer;
use libbpf_rs::RingBufferBuilder;
use retrans_event::RECORD_SIZE;

use super::intake::Intake;
use super::intake::Processing;
use super::preflight::ProbeError;
use super::preflight::cannot;
use super::preflight::explain;
use crate::pipeline::stop::Stop;
use crate::pipeline::stop::Wake;
use crate::source::bpf::retrans::types::retrans_counters;
use crate::source::clock::Now;
use crate::stats::counters::KernelStats;
use crate::stats::counters::StreamStats;
use crate::stream::batch::MAX_EVENTS;

/// How long to wait, at the end and after the last record, for a probe that is still running on
/// another CPU.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two looks, at the end, whether there is more, or the last owners are known.
const DRAIN_INTERVAL: Duration = Duration::from_millis(1);

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
            let counter = |offset: usize| {
                let bytes = cpu.get(offset..).and_then(<[u8]>::first_chunk);
                bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
            };
            sum.entered += counter(offset_of!(retrans_counters, entered));
            sum.recorded += counter(offset_of!(retrans_counters, recorded));
            sum.ring_full += counter(offset_of!(retrans_counters, ring_full));
        }
        Ok(sum)
    }
}

/// The ring, which hands its records to `intake`.
pub fn ring<'a>(
    map: &'a dyn MapCore,
    intake: &'a RefCell<Intake<'_>>,
) -> Result<RingBuffer<'a>, ProbeError> {
    let mut builder = RingBufferBuilder::new();
    let added = builder.add(map, |record: &[u8]| match record.get(..RECORD_SIZE) {
        Some(record) => {
            intake.borrow_mut().take(record);
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

/// Reads the ring, and sends what was in it.
pub struct RingReader<'a, 'b> {
    ring: &'a RingBuffer<'a>,
    intake: &'a RefCell<Intake<'b>>,
    counters: Counters<'a>,
    /// Losses that the chain was told of.
    told_lost: u64,
    /// Had the ring more than a batch when it was last read?
    behind: bool,
}

impl<'a, 'b> RingReader<'a, 'b> {
    /// A reader of a ring that hands its records to `intake`.
    pub fn new(
        ring: &'a RingBuffer<'a>,
        intake: &'a RefCell<Intake<'b>>,
        counters: Counters<'a>,
    ) -> RingReader<'a, 'b> {
        RingReader {
            ring,
            intake,
            counters,
            told_lost: 0,
            behind: false,
        }
    }

    /// Waits until there is something to do, or the run is to end, but not longer than until `latest`.
    pub fn wait(&self, stop: &Stop, latest: Duration) -> io::Result<Wake> {
        let intake = self.intake.borrow();
        let Processing { owners, clock, .. } = &intake.processing;
        let wake_at = owners.wake_at().map_or(latest, |owners| owners.min(latest));
        let timeout = wake_at.saturating_sub(clock.now().boot());
        // SAFETY: the descriptor belongs to `ring`, which outlives this borrow.
        let ring_ready = unsafe { BorrowedFd::borrow_raw(self.ring.epoll_fd()) };
        stop.wait(ring_ready, owners.ready(), timeout)
    }

    /// Takes whatever has arrived, at most a batch, and sends what is ready. False: the stream has as
    /// many events as it was to have, or the chain has ended.
    pub fn read(&mut self) -> Result<bool, ProbeError> {
        self.intake.borrow_mut().begin();
        let consumed = self.ring.consume_raw_n(MAX_EVENTS);
        if consumed < 0 {
            let errno = rustix::io::Errno::from_raw_os_error(-consumed);
            return Err(cannot("read the ring")(errno));
        }
        self.behind = consumed as usize == MAX_EVENTS;
        let mut intake = self.intake.borrow_mut();
        let now = intake.now;
        intake.processing.owners.scan(now.boot());
        if intake.stream.is_empty() {
            return Ok(!intake.stream.is_complete());
        }
        // Read after the events: a loss is told with the events around it, not with later ones.
        let lost = newly_lost(&self.counters, &mut self.told_lost)?;
        let open = intake.stream.send(lost);
        intake.note_sending(&now);
        Ok(open && !intake.stream.is_complete())
    }

    /// Sends a mark. False: the chain has ended.
    ///
    /// A second of the *stream* has passed: while the ring has more, that is not yet now, and events
    /// that follow would be older than the mark by as much as the source is behind.
    pub fn mark(&mut self, now: Now) -> Result<bool, ProbeError> {
        let lost = newly_lost(&self.counters, &mut self.told_lost)?;
        let mut intake = self.intake.borrow_mut();
        let moment = match self.behind {
            true => intake.newest,
            false => now.boot(),
        };
        let open = intake.stream.mark(now.mark(moment, lost));
        intake.note_sending(&now);
        let live = StreamStats::Live {
            kernel: self.counters.read()?,
            source: intake.counted(),
            owners: intake.owned(),
        };
        let Intake {
            processing, stream, ..
        } = &mut *intake;
        processing.publisher.publish(|stats| {
            stats.stream = Some(live);
            stream.report(stats);
        });
        Ok(open)
    }

    /// Before the probe is detached: what comes later is not compared.
    pub fn freeze(&mut self) {
        if let Some(reconciliation) = &mut self.intake.borrow_mut().processing.reconciliation {
            reconciliation.freeze();
        }
    }

    /// After the probe was detached: sends the rest of the ring, and the events that still wait for their owner.
    /// What the kernel has counted.
    pub fn drain(&mut self) -> Result<KernelStats, ProbeError> {
        let recorded = || self.intake.borrow().recorded;
        let mut deadline = Instant::now() + DRAIN_TIMEOUT;
        loop {
            let before = recorded();
            self.read()?;
            if recorded() > before {
                // However slow the chain is: what was recorded is delivered.
                deadline = Instant::now() + DRAIN_TIMEOUT;
                continue;
            }
            let kernel = self.counters.read()?;
            let settled = kernel.entered == kernel.recorded + kernel.ring_full
                && kernel.recorded == recorded();
            // What is not settled by the deadline is a probe that still runs on another CPU.
            let over = settled || Instant::now() > deadline;
            if over && !self.intake.borrow().processing.owners.is_waiting() {
                return Ok(kernel);
            }
            thread::sleep(DRAIN_INTERVAL);
        }
    }

    /// Losses that the chain was told of.
    pub fn told_lost(&self) -> u64 {
        self.told_lost
    }
}

/// Losses since the chain was last told.
fn newly_lost(counters: &Counters<'_>, told_lost: &mut u64) -> Result<u64, ProbeError> {
    let lost = counters.read()?.ring_full;
    Ok(lost - std::mem::replace(told_lost, lost))
}
