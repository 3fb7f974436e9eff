//! Reads the kernel's ring into batches, completes each event, and keeps the source's books.

use std::cell::RefCell;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use libbpf_rs::MapCore;
use libbpf_rs::MapFlags;
use libbpf_rs::RingBuffer;
use libbpf_rs::RingBufferBuilder;
use retrans_event::RECORD_SIZE;

use super::clock::Now;
use super::preflight::ProbeError;
use super::preflight::cannot;
use super::preflight::explain;
use crate::batch::Batch;
use crate::batch::Item;
use crate::batch::MAX_EVENTS;
use crate::ledger;

/// How long to wait, at the end, for a probe that is still running on another CPU.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// The way to the chain, and the way back for empty batches.
#[derive(Debug)]
pub struct Channel {
    /// Blocks when the chain is behind: the ring fills, and the kernel counts what it loses.
    pub items: Sender<Item>,
    /// Batches to be used again.
    pub recycled: Receiver<Batch>,
}

/// What the kernel and the source counted.
pub type Books = (ledger::Kernel, ledger::Source);

/// The probe's counters, one set a CPU.
pub struct Counters<'a>(&'a dyn MapCore);

impl<'a> Counters<'a> {
    /// Counters in a per-CPU array with one entry.
    pub fn new(map: &'a dyn MapCore) -> Counters<'a> {
        Counters(map)
    }

    fn read(&self) -> Result<ledger::Kernel, ProbeError> {
        let key = 0u32.to_ne_bytes();
        let values = self.0.lookup_percpu(&key, MapFlags::ANY);
        let values = values.map_err(|error| explain("read the counters of", error))?;
        let mut sum = ledger::Kernel::default();
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

/// Reads the ring and sends what was in it.
pub struct Reader<'a> {
    ring: &'a RingBuffer<'a>,
    batch: &'a RefCell<Batch>,
    counters: Counters<'a>,
    channel: &'a Channel,
    books: ledger::Source,
    /// Losses that the chain was told of.
    told_lost: u64,
}

impl<'a> Reader<'a> {
    /// A reader of a ring that fills `batch`.
    pub fn new(
        ring: &'a RingBuffer<'a>,
        batch: &'a RefCell<Batch>,
        counters: Counters<'a>,
        channel: &'a Channel,
    ) -> Reader<'a> {
        Reader {
            ring,
            batch,
            counters,
            channel,
            books: ledger::Source::default(),
            told_lost: 0,
        }
    }

    /// Sends whatever has arrived, at most a batch. False: nobody receives any more.
    pub fn read(&mut self) -> Result<bool, ProbeError> {
        let consumed = self.ring.consume_raw_n(MAX_EVENTS);
        if consumed < 0 {
            let errno = rustix::io::Errno::from_raw_os_error(-consumed);
            return Err(cannot("read the ring")(errno));
        }
        let empty = self.channel.recycled.try_recv().unwrap_or_default();
        let mut batch = self.batch.replace(empty);
        if batch.is_empty() {
            return Ok(true);
        }
        let now = Now::read();
        for event in batch.events_mut() {
            event.set_sequence(self.books.recorded);
            event.set_wall_time(now.wall_at(event.time()));
            event.set_kind(event.classify());
            self.books.recorded += 1;
        }
        // Read after the events: a loss is told with the events around it, not with later ones.
        batch.lost = self.newly_lost()?;
        self.books.delivered += batch.len() as u64;
        Ok(self.send(Item::Events(batch)))
    }

    /// Sends a mark. False: nobody receives any more.
    pub fn mark(&mut self, now: Now) -> Result<bool, ProbeError> {
        let mark = now.mark(self.newly_lost()?);
        Ok(self.send(Item::Mark(mark)))
    }

    /// After the probe was detached: sends the rest of the ring and the end of the stream.
    pub fn drain(mut self) -> Result<Books, ProbeError> {
        let deadline = Instant::now() + DRAIN_LIMIT;
        let kernel = loop {
            self.read()?;
            let kernel = self.counters.read()?;
            let settled = kernel.entered == kernel.recorded + kernel.ring_full;
            if settled && kernel.recorded == self.books.recorded {
                break kernel;
            }
            if Instant::now() > deadline {
                break kernel;
            }
            // A full batch may leave more; otherwise a probe is still running.
            thread::yield_now();
        };
        let mark = Now::read().mark(kernel.ring_full - self.told_lost);
        self.send(Item::End(mark));
        Ok((kernel, self.books))
    }

    fn newly_lost(&mut self) -> Result<u64, ProbeError> {
        let lost = self.counters.read()?.ring_full;
        let newly = lost - self.told_lost;
        self.told_lost = lost;
        Ok(newly)
    }

    fn send(&self, item: Item) -> bool {
        self.channel.items.send(item).is_ok()
    }
}
