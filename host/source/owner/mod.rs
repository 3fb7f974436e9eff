//! Finds the owner of a socket: the process that has its inode among its open files.
//!
//! Other answers would be wrong. The task that runs during a retransmit is the one that the timer interrupted, and the
//! process that called connect() may have forked or passed the socket on since.

mod collect;
pub mod container;
mod holder_table;
mod lookup;
pub mod names;
mod scan;
mod waiting;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Record;

use self::lookup::Lookup;
use self::lookup::Registry;
use self::scan::Scanner;
use self::waiting::WaitQueue;
use crate::stream::clock::Clock;

pub use self::lookup::ResolvedOwner;
pub use self::scan::ScanError;
pub use self::scan::ScanProgram;

/// Finds the owners of events. Events whose owner is not known yet wait here, while other events pass them: for
/// [`waiting::SHORT_WAIT`], or for the scan that decides on them, but no longer than [`waiting::MAX_WAIT`].
pub struct Owners {
    /// `None` if open files are not scanned.
    scanner: Option<Scanner>,
    registry: Registry,
    waiting: WaitQueue,
    /// Whether a scan is wanted although no event waits for it.
    refresh: bool,
}

impl Owners {
    /// Does not scan open files. Owners are unknown, except for the states that the probe itself records.
    pub fn unknown(clock: Clock) -> Owners {
        Owners {
            scanner: None,
            registry: Registry::new(clock),
            waiting: WaitQueue::default(),
            refresh: false,
        }
    }

    /// Scans open files with this program.
    ///
    /// # Errors
    ///
    /// [`ScanError`] if the scan's thread cannot be started.
    pub fn scanning(program: ScanProgram, clock: Clock) -> Result<Owners, ScanError> {
        let scanner = Some(Scanner::start(program, clock)?);
        Ok(Owners {
            scanner,
            ..Owners::unknown(clock)
        })
    }

    /// A descriptor that becomes readable when a scan is done; `None` if open files are not scanned.
    pub fn ready(&self) -> Option<BorrowedFd<'_>> {
        self.scanner.as_ref().map(Scanner::ready)
    }

    /// The time since boot at which to call [`Owners::release`] or [`Owners::scan`] at the
    /// latest; `None` if no event waits and no scan is wanted.
    pub fn wake_at(&self) -> Option<Duration> {
        let scan = self
            .scanner
            .as_ref()
            .filter(|_| self.wants_scan())
            .and_then(Scanner::earliest_start);
        self.deadline().into_iter().chain(scan).min()
    }

    /// The time since boot up to which the first waiting event waits.
    fn deadline(&self) -> Option<Duration> {
        let first = self.waiting.first()?;
        let scan = self.scanner.as_ref();
        let scan = scan.and_then(|scanner| scanner.begin_after(first.time));
        Some(first.deadline(scan))
    }

    fn wants_scan(&self) -> bool {
        self.refresh || !self.waiting.is_empty()
    }

    /// Returns whether events wait for their owner.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Number of scans that were begun.
    pub fn scans(&self) -> u64 {
        self.scanner.as_ref().map_or(0, Scanner::scans)
    }

    /// Number of scans that found more pairs of a process and a socket than are kept.
    pub fn scans_cut(&self) -> u64 {
        self.scanner.as_ref().map_or(0, Scanner::scans_cut)
    }

    /// Finds the owner of an event that the probe has just recorded. `None` if it is not known yet, or if earlier
    /// events of the connection wait: the caller then passes the event to [`Owners::wait`].
    pub fn find(&mut self, event: &Event) -> Option<ResolvedOwner> {
        if self.scanner.is_none() {
            return Some(self.registry.without_holder(event));
        }
        let Lookup::Resolved(resolved) = self.registry.look_up(event) else {
            return None;
        };
        if self.waiting.has_earlier(event) {
            return None;
        }
        // A scan ahead of time saves the events of busy sockets from waiting each time that an answer expires.
        let by_scan = resolved.owner.process().is_some();
        self.refresh |= by_scan && self.registry.is_aging(event.time());
        Some(resolved)
    }

    /// Keeps an event until [`Owners::release`] passes it on. If the queue is full, returns the
    /// event that has waited longest, without a holder.
    pub fn wait(&mut self, event: &Event, now: Duration) -> Option<(Record, ResolvedOwner)> {
        let first = self.waiting.push(event, now)?;
        let resolved = self.registry.without_holder(&first);
        Some((first, resolved))
    }

    /// Takes the result of a scan, and passes on the waiting events whose owner is known now or whose deadline has
    /// passed. To be called before new events are taken, because those are younger.
    pub fn release(&mut self, now: Duration, mut pass_on: impl FnMut(&mut Event, ResolvedOwner)) {
        if let Some(table) = self.scanner.as_mut().and_then(Scanner::result) {
            self.registry.update(table);
            let registry = &mut self.registry;
            self.waiting.release(|event| match registry.look_up(event) {
                Lookup::Resolved(resolved) => {
                    pass_on(event, resolved);
                    true
                }
                Lookup::NeedsScan => false,
            });
        }
        while self.deadline().is_some_and(|deadline| deadline <= now)
            && let Some(mut record) = self.waiting.pop()
        {
            let resolved = match self.registry.look_up(&record) {
                Lookup::Resolved(resolved) => resolved,
                Lookup::NeedsScan => {
                    // The scan is made nevertheless, for the next event of the socket.
                    self.refresh = true;
                    self.registry.without_holder(&record)
                }
            };
            pass_on(&mut record, resolved);
        }
    }

    /// Begins a scan if one is wanted and may begin. To be called after new events were taken.
    pub fn scan(&mut self, now: Duration) {
        if self.wants_scan()
            && let Some(scanner) = &mut self.scanner
            && scanner.begin(now, || self.registry.take_requested())
        {
            self.refresh = false;
        }
    }

    /// Drops what is of no use while nothing is retransmitted. To be called while the ring buffer is empty.
    pub fn rest(&mut self, now: Duration) {
        if self.waiting.is_empty() {
            self.registry.drop_expired(now);
        }
    }

    /// Extends the deadlines of the waiting events by `time`, during which the source could not send any events.
    pub fn postpone_deadlines(&mut self, time: Duration) {
        self.waiting.postpone(time);
    }
}
