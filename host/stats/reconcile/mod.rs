//! Compares what was recorded with the kernel's own counters, in each network namespace.
//!
//! A probe that the kernel skipped cannot count itself; RetransSegs counts all the same. Its growth
//! between two readings is compared with the events that are stamped between the same two.
//!
//! How exact that is: the kernel counts a segment, sends it, and then calls the tracepoint, where
//! the event is stamped. An event is on the wrong side of a reading only if the reading, which takes
//! some 25 µs, fell between the two; it is then stamped after the reading began and within [`EDGE_TOLERANCE`]
//! of the reading's end. Segments of such events are told as `uncertain`: the comparison is exact to
//! that many, and exact where there are none. Up to 6.16 attempts that failed are no events, and
//! TCPRetransFail, which makes up for them, is read after RetransSegs: what RetransSegs grew by in
//! between is uncertain too. What remains: a sender that was preempted for longer than [`EDGE_TOLERANCE`]
//! between counting and stamping.

mod counters;
mod namespaces;
mod report;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use retrans_event::Event;

use self::namespaces::BootTime;
use self::namespaces::MAX_NAMESPACES;
use self::namespaces::Namespaces;
use self::namespaces::Reading;
use self::namespaces::Search;
use self::report::Line;
use self::report::Outcome;
pub use self::report::Report;
use self::report::Unreconciled;
use crate::source::clock::Clock;
use crate::stats::counters::KernelStats;

/// From counting a segment to stamping its event: mostly some µs, with softirqs in between more.
const EDGE_TOLERANCE: Duration = Duration::from_millis(1);

/// How long to wait before a process is looked for again in a namespace that had none: twice as long
/// each time.
const MIN_RETRY_INTERVAL: Duration = Duration::from_millis(100);
const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(100);

/// Events of each network namespace beside the counters that the kernel had at the beginning.
pub struct Reconciliation {
    namespaces: Namespaces,
    /// By inode.
    accounts: HashMap<u32, Account>,
    /// Events of namespaces that had gone when another one got their number.
    replaced: Tally,
    /// Events of namespaces beyond [`MAX_NAMESPACES`].
    crowded: Tally,
    frozen: bool,
    tells_errors: bool,
}

/// What is known of one namespace.
#[derive(Debug, Default)]
struct Account {
    /// What tells it from a later one with the same inode, once an event told it (Linux 5.12).
    cookie: Option<u64>,
    /// Was there an event?
    seen: bool,
    /// Were all processes looked at since the first event, or is there a baseline?
    searched: bool,
    /// Was a process found by the look at the end, which is too late for a baseline?
    found_late: bool,
    baseline: Option<Reading>,
    end: Option<Reading>,
    /// When to look for a process again, and how long that was put off.
    next_try: Duration,
    wait: Duration,
    tally: Tally,
}

/// Events, in segments as RetransSegs counts them, but for what is said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    /// Between the two readings.
    segments: u64,
    /// Of these, segments whose sending failed.
    failed: u64,
    /// SYNs and SYN-ACKs, as TCPSynRetrans counts them: one each.
    syn: u64,
    /// Before the first reading or after the last, or without a reading.
    outside: u64,
    /// So close to a reading that they may have been counted on its other side.
    uncertain: u64,
}

impl Reconciliation {
    /// Reads the counters of every namespace that has a process. To be called as soon as the probe
    /// is attached. `tells_errors`: attempts that failed are events too (Linux 6.17).
    pub fn begin(clock: Clock, tells_errors: bool) -> Reconciliation {
        let now = Box::new(move || clock.now().boot());
        Reconciliation::begin_in("/proc".into(), now, tells_errors)
    }

    fn begin_in(proc: PathBuf, now: BootTime, tells_errors: bool) -> Reconciliation {
        let mut namespaces = Namespaces::new(proc, now);
        namespaces.scan();
        let inodes = namespaces.inodes().into_iter();
        let accounts = inodes.map(|inode| {
            let account = Account {
                baseline: namespaces.read_known(inode),
                ..Account::default()
            };
            (inode, account)
        });
        let accounts = accounts.collect();
        Reconciliation {
            namespaces,
            accounts,
            replaced: Tally::default(),
            crowded: Tally::default(),
            frozen: false,
            tells_errors,
        }
    }

    /// Takes an event into account. To be called for each record of the ring, withheld ones too,
    /// when it is complete: `segments` is 0 for an attempt that the kernel has not counted.
    pub fn note(&mut self, event: &Event) {
        // The probe knows it of every socket.
        let Some(inode) = event.netns_inode() else {
            return;
        };
        if self.accounts.len() >= MAX_NAMESPACES && !self.accounts.contains_key(&inode) {
            self.crowded.outside += u64::from(event.segments().unwrap_or(0));
            return;
        }
        let account = self.accounts.entry(inode).or_default();
        let replaced = account.is_replaced_by(event.netns_cookie());
        if replaced {
            // Only their sum is kept: inodes are few, but namespaces come and go for weeks.
            self.replaced.add(&account.tally);
            *account = Account::default();
        }
        account.cookie = account.cookie.or(event.netns_cookie());
        if !self.frozen {
            account.see(inode, &mut self.namespaces);
        }
        account.count(event);
    }

    /// Reads the counters again, of silent namespaces too: their events may all be missing. To be
    /// called before the probe is detached; events that were recorded by then may still be noted.
    pub fn freeze(&mut self) {
        self.frozen = true;
        let mut scanned = false;
        for (&inode, account) in &mut self.accounts {
            if let Some(baseline) = account.baseline {
                account.end = self.namespaces.read_through(baseline.process, inode);
            }
            if account.end.is_some() || account.baseline.is_none() && account.searched {
                continue;
            }
            if !scanned {
                self.namespaces.scan();
                scanned = true;
            }
            if account.baseline.is_some() {
                account.end = self.namespaces.read_known(inode);
            } else {
                account.found_late = self.namespaces.has(inode);
            }
        }
    }

    /// Compares.
    pub fn finish(self, kernel: &KernelStats) -> Report {
        let hidden = self.namespaces.hidden;
        let accounts = self.accounts.into_iter();
        let mut lines: Vec<Line> = accounts
            .map(|(inode, account)| Line {
                inode,
                tally: account.final_tally(self.tells_errors),
                outcome: account.outcome(hidden),
            })
            .filter(|line| !line.is_silent())
            .collect();
        lines.sort_unstable_by_key(|line| line.inode);
        Report::new(
            lines,
            self.replaced,
            self.crowded,
            *kernel,
            self.tells_errors,
        )
    }
}

impl Account {
    /// Inodes are used again, the lowest free one first: the next container may well get it.
    fn is_replaced_by(&self, cookie: Option<u64>) -> bool {
        matches!((self.cookie, cookie), (Some(ours), Some(theirs)) if ours != theirs)
    }

    /// At the first event: is the baseline that of this namespace? Without a baseline: is there one
    /// to be had?
    fn see(&mut self, inode: u32, namespaces: &mut Namespaces) {
        if !self.seen {
            self.seen = true;
            // The same process in the same inode: the namespace was there all the time. Otherwise
            // this may be a later one, and events up to now are left out.
            self.baseline
                .take_if(|baseline| !namespaces.is_in(baseline.process, inode));
        }
        if self.baseline.is_none() && namespaces.now() >= self.next_try {
            match namespaces.read(inode) {
                Search::Found(reading) => {
                    self.baseline = Some(reading);
                    self.searched = true;
                }
                Search::NoProcess => {
                    self.searched = true;
                    self.wait = (2 * self.wait).clamp(MIN_RETRY_INTERVAL, MAX_RETRY_INTERVAL);
                    self.next_try = namespaces.now() + self.wait;
                }
                Search::NotBefore(time) => self.next_try = time,
            }
        }
    }

    fn count(&mut self, event: &Event) {
        let time = event.time();
        let segments = u64::from(event.segments().unwrap_or(0));
        let readings = [self.baseline, self.end];
        if readings
            .iter()
            .flatten()
            .any(|reading| is_near(reading, time))
        {
            self.tally.uncertain += segments;
        }
        let is_before = self.baseline.is_none_or(|baseline| time <= baseline.to);
        let is_after = self.end.is_some_and(|end| time > end.to);
        if is_before || is_after {
            self.tally.outside += segments;
            return;
        }
        self.tally.segments += segments;
        if event.error().is_some_and(|error| error.0 != 0) {
            self.tally.failed += segments;
        }
        if event.tcp_flags().is_some_and(|flags| flags.syn()) {
            self.tally.syn += u64::from(segments > 0);
        }
    }

    /// The tally, with what the readings leave uncertain where failures are no events.
    fn final_tally(&self, tells_errors: bool) -> Tally {
        let mut tally = self.tally;
        if !tells_errors {
            let readings = self.baseline.iter().chain(&self.end);
            let meanwhile = readings.map(|reading| reading.grown_meanwhile);
            tally.uncertain += meanwhile.sum::<u64>();
        }
        tally
    }

    fn outcome(&self, hidden: bool) -> Outcome {
        let Some(baseline) = self.baseline else {
            return Err(if !self.seen {
                Unreconciled::TooLate
            } else if self.found_late {
                Unreconciled::FoundLate
            } else if hidden {
                Unreconciled::NoProcessVisible
            } else {
                Unreconciled::NoProcess
            });
        };
        let end = self.end.ok_or(Unreconciled::NoProcessLeft)?;
        let grown = end.counters.since(&baseline.counters);
        let grown = grown.ok_or(Unreconciled::Replaced)?;
        // Read through another process, it may be another namespace that got the number and
        // had no events: then it has counted less than was recorded.
        let certain = self.tally.segments.saturating_sub(self.tally.uncertain);
        if end.process != baseline.process && grown.retrans_segs < certain {
            return Err(Unreconciled::Replaced);
        }
        Ok(grown)
    }
}

impl Tally {
    /// All of it.
    fn recorded(&self) -> u64 {
        self.segments + self.outside
    }

    fn add(&mut self, other: &Tally) {
        let Tally {
            segments,
            failed,
            syn,
            outside,
            uncertain,
        } = other;
        self.segments += segments;
        self.failed += failed;
        self.syn += syn;
        self.outside += outside;
        self.uncertain += uncertain;
    }
}

/// May this event have been counted on the other side of the reading?
fn is_near(reading: &Reading, time: Duration) -> bool {
    time > reading.from && time <= reading.to + EDGE_TOLERANCE
}

#[cfg(test)]
mod tests;
