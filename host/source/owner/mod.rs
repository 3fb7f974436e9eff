//! Whose a socket is: which process holds it, found by its inode among the open files.
//!
//! The task that runs when a segment is retransmitted is whatever the timer interrupted, and who
//! called connect() may have forked or passed the socket on since. Only who holds the inode is right.

mod collect;
pub mod container;
mod holder_table;
mod registry;
mod scan;
mod waiting;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use retrans_event::Event;
use retrans_event::Record;

use self::registry::Answer;
use self::registry::Registry;
use self::scan::Scanner;
use self::waiting::Waiting;
use crate::source::clock::Clock;

pub use self::registry::Found;
pub use self::scan::ScanError;

/// Finds the owners of events. Events whose owner is not known yet wait here, at most
/// [`waiting::MAX_WAIT`], while others pass them by.
pub struct Owners {
    /// `None`: nobody is looked up.
    scanner: Option<Scanner>,
    registry: Registry,
    waiting: Waiting,
    /// Is a scan wanted, though nobody waits for it yet?
    refresh: bool,
}

impl Owners {
    /// Looks nobody up: owners are unknown, but for what the kernel says by itself.
    pub fn unknown(clock: Clock) -> Owners {
        Owners {
            scanner: None,
            registry: Registry::new(clock),
            waiting: Waiting::default(),
            refresh: false,
        }
    }

    /// Loads the scan into the kernel.
    pub fn scanning(clock: Clock) -> Result<Owners, ScanError> {
        let scanner = Some(Scanner::start(clock)?);
        Ok(Owners {
            scanner,
            ..Owners::unknown(clock)
        })
    }

    /// Becomes readable when a scan is done.
    pub fn ready(&self) -> Option<BorrowedFd<'_>> {
        self.scanner.as_ref().map(Scanner::ready)
    }

    /// When there is something to do, if nothing else happens.
    pub fn wake_at(&self) -> Option<Duration> {
        let scan = self
            .scanner
            .as_ref()
            .filter(|_| self.wants_scan())
            .and_then(Scanner::may_begin_at);
        self.waiting.deadline().into_iter().chain(scan).min()
    }

    fn wants_scan(&self) -> bool {
        self.refresh || !self.waiting.is_empty()
    }

    /// Are there events that wait?
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Scans that were begun.
    pub fn scans(&self) -> u64 {
        self.scanner.as_ref().map_or(0, Scanner::scans)
    }

    /// Of these, scans that found more than is kept.
    pub fn scans_cut(&self) -> u64 {
        self.scanner.as_ref().map_or(0, Scanner::scans_cut)
    }

    /// The owner of an event that the probe has just recorded. `None`: it is not known yet, or earlier events of
    /// the connection wait; the event is then to [wait](Owners::wait) as well.
    pub fn find(&mut self, event: &Event) -> Option<Found> {
        if self.scanner.is_none() {
            return Some(self.registry.without_holder(event));
        }
        if self.waiting.holds_back(event) {
            return None;
        }
        let Answer::Known(found) = self.registry.answer(event) else {
            return None;
        };
        // Sockets that are busy all the time need not wait for their owner every second.
        let by_scan = found.owner.process().is_some();
        self.refresh |= by_scan && self.registry.is_aging(event.time());
        Some(found)
    }

    /// Keeps an event until its owner is known, for [`Owners::release`]. Returns the event that has waited longest
    /// if there is no room for more.
    pub fn wait(&mut self, event: Record, now: Duration) -> Option<(Record, Found)> {
        let first = self.waiting.push(event, now)?;
        let found = self.registry.without_holder(&first);
        Some((first, found))
    }

    /// Takes the result of a scan, and passes on the events that have their owner now, or have waited
    /// long enough. To be called before new events are taken, which are younger.
    pub fn release(&mut self, now: Duration, mut pass_on: impl FnMut(&mut Event, Found)) {
        if let Some(snapshot) = self.scanner.as_mut().and_then(Scanner::result) {
            self.registry.update(snapshot);
            let registry = &mut self.registry;
            self.waiting.release(|event| match registry.answer(event) {
                Answer::Known(found) => {
                    pass_on(event, found);
                    true
                }
                Answer::Later => false,
            });
        }
        while let Some(mut record) = self.waiting.expired(now) {
            let found = match self.registry.answer(&record) {
                Answer::Known(found) => found,
                Answer::Later => {
                    // The scan that it would have needed is made all the same: for its next event.
                    self.refresh = true;
                    self.registry.without_holder(&record)
                }
            };
            pass_on(&mut record, found);
        }
    }

    /// Begins a scan if one is wanted. To be called after new events were taken.
    pub fn scan(&mut self, now: Duration) {
        if self.wants_scan()
            && let Some(scanner) = &mut self.scanner
            && scanner.begin(now, || self.registry.take_asked())
        {
            self.refresh = false;
        }
    }

    /// For so long nothing could be passed on: that was not for want of an owner.
    pub fn was_held_up(&mut self, time: Duration) {
        self.waiting.postpone(time);
    }
}
