//! Compares the recorded events with the kernel's own counters, in each network namespace.
//!
//! The probe cannot count a call that the kernel skips, but RetransSegs counts the segment nevertheless. The growth of
//! RetransSegs between two readings is compared with the events whose time stamps lie between these readings.
//!
//! Precision: the kernel counts a segment, sends it, and then calls the tracepoint, where the event gets its time
//! stamp. An event is on the wrong side of a reading only if the reading, which takes some 25 µs, fell between the
//! counting and the stamping. Its time stamp is then after the begin of the reading, and within [`EDGE_TOLERANCE`] of
//! its end. Segments of such events are reported as `uncertain`: the comparison is exact to their number, and exact if
//! there are none. Up to 6.16, failed attempts are no events. TCPRetransFail accounts for them, but is read after
//! RetransSegs: the growth of RetransSegs between the two reads is uncertain too. One error is left: a sender that was
//! preempted for longer than [`EDGE_TOLERANCE`] between counting and stamping.
//!
//! What the probe's filters leave out is no event: the probe sums it up, and the sums are read before and after the
//! counters. What they grow by in between is uncertain as well.

mod kernel_counters;
mod left_out;
mod namespaces;
mod report;
mod tally;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use retrans_event::Event;

pub use self::left_out::LeftOut;
pub use self::left_out::LeftOutSums;
use self::namespaces::BootTime;
pub use self::namespaces::MAX_NAMESPACES;
use self::namespaces::Namespaces;
use self::namespaces::Reading;
use self::namespaces::Search;
use self::report::NamespaceLine;
use self::report::Outcome;
pub use self::report::Report;
use self::report::Unreconciled;
use self::tally::SegmentTally;
use crate::source::clock::Clock;
use crate::stats::counters::KernelStats;

/// Tolerated time between the counting of a segment and the stamping of its event: mostly some µs, and more if
/// softirqs run in between.
const EDGE_TOLERANCE: Duration = Duration::from_millis(1);

/// Minimum interval at which the host looks for a process in a namespace that had none. It doubles each time.
const MIN_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Maximum of that interval.
const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(100);

/// A running comparison: the kernel's counters at the begin, and the recorded events, of each network namespace.
pub struct Reconciliation {
    namespaces: Namespaces,
    /// By the inode of the namespace.
    accounts: HashMap<u32, Account>,
    /// Events of namespaces that were gone when another namespace got their inode.
    replaced: SegmentTally,
    /// Events of namespaces beyond [`MAX_NAMESPACES`].
    beyond_limit: SegmentTally,
    /// The final counters have been read.
    is_frozen: bool,
    /// Failed attempts are events too (Linux 6.17).
    reports_failed: bool,
}

/// The state of one namespace.
#[derive(Debug, Default)]
struct Account {
    /// Distinguishes the namespace from a later one with the same inode. `None` until an event has it (Linux 5.12).
    cookie: Option<u64>,
    /// Whether there was an event.
    has_events: bool,
    /// Whether all processes were searched since the first event, or a baseline exists.
    is_searched: bool,
    /// Whether the search at the end found a process, which is too late for a baseline.
    found_late: bool,
    /// The first reading.
    baseline: Option<Reading>,
    /// The last reading.
    end: Option<Reading>,
    /// What was left out until the end.
    left_out: LeftOut,
    /// Time since boot of the next search for a process.
    next_search: Duration,
    /// The interval before that search.
    retry_interval: Duration,
    tally: SegmentTally,
}

impl Reconciliation {
    /// Reads the counters of every namespace that has a process. Call it as soon as the probe is attached.
    /// `reports_failed`: failed attempts are events too (Linux 6.17). `left_out`: what the filters leave out, `()`
    /// without filters.
    pub fn begin(
        clock: Clock,
        reports_failed: bool,
        left_out: Box<dyn LeftOutSums>,
    ) -> Reconciliation {
        let now = Box::new(move || clock.now().boot());
        Reconciliation::begin_in("/proc".into(), now, reports_failed, left_out)
    }

    fn begin_in(
        proc: PathBuf,
        now: BootTime,
        reports_failed: bool,
        left_out: Box<dyn LeftOutSums>,
    ) -> Reconciliation {
        let mut namespaces = Namespaces::new(proc, now, left_out);
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
            replaced: SegmentTally::default(),
            beyond_limit: SegmentTally::default(),
            is_frozen: false,
            reports_failed,
        }
    }

    /// Counts an event. Call it for each completed record of the ring, withheld ones included. `segments` is 0 for an
    /// attempt that the kernel has not counted.
    pub fn note(&mut self, event: &Event) {
        // The probe records the inode for every socket.
        let Some(inode) = event.netns_inode() else {
            return;
        };
        if self.accounts.len() >= MAX_NAMESPACES && !self.accounts.contains_key(&inode) {
            self.beyond_limit.outside += u64::from(event.segments().unwrap_or(0));
            return;
        }
        let account = self.accounts.entry(inode).or_default();
        let replaced = account.is_replaced_by(event.netns_cookie());
        if replaced {
            // Only the sum of these events is kept: the number of inodes is small, but namespaces may come and go for
            // weeks.
            self.replaced.add(&account.tally);
            *account = Account::default();
        }
        account.cookie = account.cookie.or(event.netns_cookie());
        if !self.is_frozen {
            account.update_baseline(inode, &mut self.namespaces);
        }
        account.count(event);
    }

    /// Reads the counters again, also those of namespaces without events: all of their events may be missing. Call it
    /// before the probe is detached. Events that were recorded before may still be passed to [`note`](Self::note).
    pub fn freeze(&mut self) {
        self.is_frozen = true;
        for inode in self.namespaces.left_out.namespaces() {
            // Of a namespace that began after this comparison, all events may have been left out.
            if self.accounts.len() < MAX_NAMESPACES {
                self.accounts.entry(inode).or_default().has_events = true;
            }
        }
        let mut scanned = false;
        for (&inode, account) in &mut self.accounts {
            account.left_out = self.namespaces.left_out.of(inode);
            if let Some(baseline) = account.baseline {
                account.end = self.namespaces.read_through(baseline.process, inode);
            }
            if account.end.is_some() || account.baseline.is_none() && account.is_searched {
                continue;
            }
            if !scanned {
                self.namespaces.scan();
                scanned = true;
            }
            if account.baseline.is_some() {
                account.end = self.namespaces.read_known(inode);
            } else {
                account.found_late = self.namespaces.has_process(inode);
            }
        }
    }

    /// Compares the counters with the events.
    pub fn finish(self, kernel: &KernelStats) -> Report {
        let has_hidden = self.namespaces.has_hidden;
        let accounts = self.accounts.into_iter();
        let mut lines: Vec<NamespaceLine> = accounts
            .map(|(inode, account)| NamespaceLine {
                inode,
                tally: account.final_tally(self.reports_failed),
                outcome: account.outcome(has_hidden),
            })
            .filter(|line| !line.is_silent())
            .collect();
        lines.sort_unstable_by_key(|line| line.inode);
        Report::new(
            lines,
            self.replaced,
            self.beyond_limit,
            *kernel,
            self.reports_failed,
        )
    }
}

impl Account {
    /// Returns whether an event with this cookie belongs to a later namespace. Inodes are used again, the lowest free
    /// one first, so the next container may well get this one.
    fn is_replaced_by(&self, cookie: Option<u64>) -> bool {
        matches!((self.cookie, cookie), (Some(ours), Some(theirs)) if ours != theirs)
    }

    /// Called at each event. At the first one, drops a baseline that may belong to another namespace. Without a
    /// baseline, tries to read one.
    fn update_baseline(&mut self, inode: u32, namespaces: &mut Namespaces) {
        if !self.has_events {
            self.has_events = true;
            // If the same process is still in a namespace with this inode, it is the same namespace. Otherwise it may
            // be a later one, and events up to now are not compared.
            self.baseline
                .take_if(|baseline| !namespaces.is_in(baseline.process, inode));
        }
        if self.baseline.is_none() && namespaces.now() >= self.next_search {
            match namespaces.read(inode) {
                Search::Found(reading) => {
                    self.baseline = Some(reading);
                    self.is_searched = true;
                }
                Search::NoProcess => {
                    self.is_searched = true;
                    let doubled = 2 * self.retry_interval;
                    self.retry_interval = doubled.clamp(MIN_RETRY_INTERVAL, MAX_RETRY_INTERVAL);
                    self.next_search = namespaces.now() + self.retry_interval;
                }
                Search::NotBefore(time) => self.next_search = time,
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

    /// The tally, with what was left out, and with the segments that the readings leave uncertain.
    fn final_tally(&self, reports_failed: bool) -> SegmentTally {
        let mut tally = self.tally;
        for reading in self.baseline.iter().chain(&self.end) {
            tally.uncertain += reading.left_out_during_read;
            // Otherwise failed attempts are events too.
            if !reports_failed {
                tally.uncertain += reading.growth_during_read;
            }
        }
        let begin = self
            .baseline
            .map_or(LeftOut::default(), |baseline| baseline.left_out);
        let end = self.end.map_or(self.left_out, |end| end.left_out);
        tally.leave_out(end - begin);
        tally
    }

    /// The growth of the counters. `has_hidden`: there are processes that this user may not inspect.
    fn outcome(&self, has_hidden: bool) -> Outcome {
        let Some(baseline) = self.baseline else {
            return Err(if !self.has_events {
                Unreconciled::TooLate
            } else if self.found_late {
                Unreconciled::FoundLate
            } else if has_hidden {
                Unreconciled::NoProcessVisible
            } else {
                Unreconciled::NoProcess
            });
        };
        let end = self.end.ok_or(Unreconciled::NoProcessLeft)?;
        let grown = end.counters.since(&baseline.counters);
        let grown = grown.ok_or(Unreconciled::Replaced)?;
        // A reading through another process may be of another namespace that got the inode and has had no events. Its
        // counters have then grown by less than was recorded.
        let tally = self.final_tally(true);
        let certain = tally.accounted().saturating_sub(tally.uncertain);
        if end.process != baseline.process && grown.retrans_segs < certain {
            return Err(Unreconciled::Replaced);
        }
        Ok(grown)
    }
}

/// Returns whether the kernel may have counted an event of this time on the other side of the reading.
fn is_near(reading: &Reading, time: Duration) -> bool {
    time > reading.from && time <= reading.to + EDGE_TOLERANCE
}

#[cfg(test)]
mod tests;
