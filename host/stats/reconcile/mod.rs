//! Compares the recorded events with the kernel's own counters, in each network namespace.
//!
//! The probe cannot count a call that the kernel skips, but RetransSegs counts the segment nevertheless. The growth of
//! RetransSegs between two readings is compared with the events whose time stamps lie between these readings.
//!
//! Precision: the kernel counts a segment, sends it, and then calls the tracepoint, where the event gets its time
//! stamp. An event is on the wrong side of a reading only if the reading, which takes some 25 µs, fell between the
//! counting and the stamping. Its time stamp is then after the start of the reading, and within
//! [`EDGE_TOLERANCE`](account::EDGE_TOLERANCE) of its end. Segments of such events are reported as `uncertain`: the
//! comparison is exact to their number, and exact if there are none. Up to 6.16, failed attempts are no events.
//! TCPRetransFail accounts for them, but is read after RetransSegs: the growth of RetransSegs between the two reads is
//! uncertain too. One error is left: a sender that was preempted for longer than that between counting and stamping.
//!
//! What the probe's filters leave out is no event: the probe sums it up, and the sums are read before and after the
//! counters. What they grow by in between is uncertain as well.

mod account;
mod kernel_counters;
mod left_out;
mod members;
mod namespaces;
mod report;
mod tally;

use std::collections::HashMap;
use std::path::PathBuf;

use retrans_event::Event;

use self::account::Account;
pub use self::left_out::LeftOut;
pub use self::left_out::LeftOutSums;
pub use self::members::Member;
pub use self::members::Members;
pub use self::members::Process;
use self::namespaces::BootTime;
pub use self::namespaces::MAX_NAMESPACES;
use self::namespaces::Namespaces;
use self::report::NamespaceLine;
pub use self::report::Report;
use self::tally::SegmentTally;
use crate::stats::counters::KernelStats;
use crate::stream::clock::Clock;

/// A running comparison: the kernel's counters at the start, and the recorded events, of each network namespace.
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

impl Reconciliation {
    /// Reads the counters of every namespace that has a process. Call it as soon as the probe is attached.
    /// `reports_failed`: failed attempts are events too (Linux 6.17). `members`: lists the processes. `left_out`: what
    /// the filters leave out, `()` without filters.
    pub fn begin(
        clock: Clock,
        reports_failed: bool,
        members: Box<dyn Members>,
        left_out: Box<dyn LeftOutSums>,
    ) -> Reconciliation {
        let now = Box::new(move || clock.now().boot());
        Reconciliation::begin_in("/proc".into(), now, reports_failed, members, left_out)
    }

    fn begin_in(
        proc: PathBuf,
        now: BootTime,
        reports_failed: bool,
        members: Box<dyn Members>,
        left_out: Box<dyn LeftOutSums>,
    ) -> Reconciliation {
        let mut namespaces = Namespaces::new(proc, now, members, left_out);
        let begun = namespaces.now();
        namespaces.scan(|_| false);
        let readings = namespaces.members().into_iter();
        let readings = readings.filter_map(|member| namespaces.read_through(member));
        let mut accounts: HashMap<_, _> = readings
            .map(|reading| (reading.member.inode, Account::with_baseline(reading)))
            .collect();
        if !accounts.is_empty() {
            namespaces.scan(|inode| accounts.contains_key(&inode));
            let is_confirmed = |account: &Account| {
                let baseline = account.baseline.as_ref();
                baseline.is_some_and(|baseline| namespaces.is_confirmed(&baseline.member))
            };
            accounts.retain(|_, account| is_confirmed(account));
        }
        namespaces.end_look(begun);
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
        let mut account = self.accounts.entry(inode).or_default();
        if account.is_replaced_by(event.netns_cookie()) {
            // Only the sum of these events is kept: the number of inodes is small, but namespaces may come and go for
            // weeks.
            self.replaced.add(&account.tally);
            *account = Account::default();
        }
        if !self.is_frozen {
            account.begin_event(event);
            if account.wants_look(|| self.namespaces.now()) && self.namespaces.is_look_due() {
                self.look();
                account = self.accounts.entry(inode).or_default();
            }
        }
        account.count(event);
    }

    /// Looks at all processes: verifies baselines, and reads those that are missing, of all namespaces with events.
    fn look(&mut self) {
        let Reconciliation {
            namespaces,
            accounts,
            ..
        } = self;
        let begun = namespaces.now();
        namespaces.scan(|inode| accounts.contains_key(&inode));
        let mut searched = Vec::new();
        for (&inode, account) in accounts.iter_mut() {
            account.verify(namespaces);
            if account.wants_look(|| begun) {
                let member = namespaces.member(inode);
                account.read_baseline(member, namespaces);
                searched.push((inode, member));
            }
        }
        if searched.iter().any(|(_, member)| member.is_some()) {
            namespaces.scan(|inode| accounts.contains_key(&inode));
        }
        for (inode, member) in searched {
            if let Some(account) = accounts.get_mut(&inode) {
                account.confirm_baseline(member, namespaces);
            }
        }
        namespaces.end_look(begun);
    }

    /// Reads the counters again, also those of namespaces without events: all of their events may be missing. Call it
    /// before the probe is detached. Events that were recorded before may still be passed to [`note`](Self::note).
    pub fn freeze(&mut self) {
        self.is_frozen = true;
        let Reconciliation {
            namespaces,
            accounts,
            ..
        } = self;
        for inode in namespaces.left_out.namespaces() {
            // Of a namespace that began after this comparison, all events may have been left out.
            if accounts.len() < MAX_NAMESPACES {
                accounts.entry(inode).or_default().expect_events();
            }
        }
        for (&inode, account) in accounts.iter_mut() {
            account.read_end(inode, namespaces);
        }
        namespaces.scan(|inode| accounts.contains_key(&inode));
        let mut read_again = Vec::new();
        for (&inode, account) in accounts.iter_mut() {
            let member = account.read_end_again(inode, namespaces);
            read_again.extend(member);
        }
        if read_again.is_empty() {
            return;
        }
        namespaces.scan(|inode| accounts.contains_key(&inode));
        for member in read_again {
            if let Some(account) = accounts.get_mut(&member.inode) {
                account.confirm_end(&member, namespaces);
            }
        }
    }

    /// Compares the counters with the events.
    pub fn finish(self, kernel: &KernelStats) -> Report {
        let accounts = self.accounts.into_iter();
        let mut lines: Vec<NamespaceLine> = accounts
            .map(|(inode, account)| NamespaceLine {
                inode,
                tally: account.final_tally(self.reports_failed),
                outcome: account.outcome(),
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

#[cfg(test)]
mod tests;
