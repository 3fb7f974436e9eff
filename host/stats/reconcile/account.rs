//! The state of the comparison for one network namespace.

use std::time::Duration;

use retrans_event::Event;

use super::left_out::LeftOut;
use super::members::Member;
use super::namespaces::Namespaces;
use super::namespaces::Reading;
use super::report::Outcome;
use super::report::Unreconciled;
use super::tally::SegmentTally;

/// Tolerated time between the counting of a segment and the stamping of its event: mostly some µs, and more if
/// softirqs run in between.
pub(super) const EDGE_TOLERANCE: Duration = Duration::from_millis(1);

/// Minimum interval at which the host looks for a process in a namespace that had none. It doubles each time.
const MIN_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Maximum of that interval.
const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(100);

/// The readings and the events of one namespace.
#[derive(Debug, Default)]
pub struct Account {
    /// Distinguishes the namespace from a later one with the same inode. `None` until the baseline or an event has it
    /// (Linux 5.12).
    cookie: Option<u64>,
    /// Whether there was an event.
    has_events: bool,
    /// Whether the baseline may be that of an earlier namespace with the same inode.
    is_unverified: bool,
    /// Whether all processes were searched since the first event, or a baseline exists.
    is_searched: bool,
    /// Whether the search at the end found a process, which is too late for a baseline.
    found_late: bool,
    /// Whether there was a process, but its counters could not be read.
    is_unreadable: bool,
    /// The first reading.
    pub baseline: Option<Reading>,
    /// The last reading.
    end: Option<Reading>,
    /// What was left out until the end.
    left_out: LeftOut,
    /// Time since boot of the next search for a process.
    next_search: Duration,
    /// The interval before that search.
    retry_interval: Duration,
    /// The events.
    pub tally: SegmentTally,
}

impl Account {
    /// An account with this baseline.
    pub fn with_baseline(baseline: Reading) -> Account {
        Account {
            cookie: baseline.member.cookie,
            baseline: Some(baseline),
            ..Account::default()
        }
    }

    /// Returns whether an event with this cookie belongs to a later namespace. Inodes are used again, the lowest free
    /// one first, so the next container may well get this one.
    pub fn is_replaced_by(&self, cookie: Option<u64>) -> bool {
        differ(self.cookie, cookie)
    }

    /// To be called for each event, except those of [replaced](Self::is_replaced_by) namespaces.
    pub fn begin_event(&mut self, event: &Event) {
        let cookie = event.netns_cookie();
        if !self.has_events {
            self.has_events = true;
            // Equal cookies prove that the baseline is of the same namespace. Without them, its process must be found
            // in the namespace once more.
            let is_same = self.cookie.is_some() && cookie.is_some();
            self.is_unverified = self.baseline.is_some() && !is_same;
        }
        self.cookie = self.cookie.or(cookie);
    }

    /// To be called for a namespace of which events were left out, but none recorded.
    pub fn expect_events(&mut self) {
        self.has_events = true;
    }

    /// Returns whether a look at all processes would help at this time.
    pub fn wants_look(&self, now: impl FnOnce() -> Duration) -> bool {
        self.is_unverified
            || self.has_events && self.baseline.is_none() && now() >= self.next_search
    }

    /// To be called after a scan. Drops the baseline if it may be that of an earlier namespace. Events up to now are
    /// then not compared.
    pub fn verify(&mut self, namespaces: &Namespaces) {
        // If the same process is still in a namespace with this inode, it is the same namespace.
        let is_verified = |reading: Reading| namespaces.is_confirmed(&reading.member);
        if std::mem::take(&mut self.is_unverified) && !self.baseline.is_some_and(is_verified) {
            self.baseline = None;
            self.tally = SegmentTally {
                outside: self.tally.recorded(),
                ..SegmentTally::default()
            };
        }
    }

    /// Reads the baseline through this process, which the last scan found.
    pub fn read_baseline(&mut self, member: Option<Member>, namespaces: &Namespaces) {
        self.is_searched = true;
        self.baseline = member.and_then(|member| namespaces.read_through(member));
    }

    /// To be called after another scan. Drops the baseline if that scan does not confirm its process.
    pub fn confirm_baseline(&mut self, member: Option<Member>, namespaces: &Namespaces) {
        // The events may be those of an earlier namespace with the same inode.
        let is_there = member.is_some_and(|member| {
            namespaces.is_confirmed(&member) && !differ(member.cookie, self.cookie)
        });
        self.is_unreadable = is_there && self.baseline.is_none();
        self.baseline.take_if(|_| !is_there);
        match self.baseline {
            Some(baseline) => self.cookie = self.cookie.or(baseline.member.cookie),
            None => {
                let doubled = 2 * self.retry_interval;
                self.retry_interval = doubled.clamp(MIN_RETRY_INTERVAL, MAX_RETRY_INTERVAL);
                self.next_search = namespaces.now() + self.retry_interval;
            }
        }
    }

    /// Reads the counters at the end through the process of the baseline.
    pub fn read_end(&mut self, inode: u32, namespaces: &Namespaces) {
        self.left_out = namespaces.left_out.of(inode);
        let through = |baseline: Reading| namespaces.read_through(baseline.member);
        self.end = self.baseline.and_then(through);
    }

    /// To be called after another scan. If that scan does not confirm the process of the reading at the end, reads again
    /// through the process that it found. Returns that process, which has to be [confirmed](Self::confirm_end).
    pub fn read_end_again(&mut self, inode: u32, namespaces: &Namespaces) -> Option<Member> {
        let found = namespaces.member(inode);
        let Some(baseline) = self.baseline else {
            self.found_late = !self.is_searched && found.is_some();
            return None;
        };
        if namespaces.is_confirmed(&baseline.member) {
            self.is_unreadable = self.end.is_none();
            return None;
        }
        // A baseline that is not verified may be that of an earlier namespace.
        let found = found.filter(|_| !self.is_unverified);
        self.end = found.and_then(|member| namespaces.read_through(member));
        found
    }

    /// To be called after one more scan. Drops the reading at the end if that scan does not confirm its process.
    pub fn confirm_end(&mut self, member: &Member, namespaces: &Namespaces) {
        let is_there = namespaces.is_confirmed(member);
        self.is_unreadable = is_there && self.end.is_none();
        self.end.take_if(|_| !is_there);
    }

    /// Counts an event.
    pub fn count(&mut self, event: &Event) {
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
    pub fn final_tally(&self, reports_failed: bool) -> SegmentTally {
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

    /// The growth of the counters.
    pub fn outcome(&self) -> Outcome {
        let Some(baseline) = self.baseline else {
            return Err(if !self.has_events {
                Unreconciled::TooLate
            } else if self.found_late {
                Unreconciled::FoundLate
            } else if self.is_unreadable {
                Unreconciled::Unreadable
            } else {
                Unreconciled::NoProcess
            });
        };
        let end = self.end.ok_or(match self.is_unreadable {
            true => Unreconciled::Unreadable,
            false => Unreconciled::NoProcessLeft,
        })?;
        if differ(end.member.cookie, self.cookie) {
            return Err(Unreconciled::Replaced);
        }
        let grown = end.counters.since(&baseline.counters);
        let grown = grown.ok_or(Unreconciled::Replaced)?;
        // Before Linux 5.12, a reading through another process may be of another namespace that got the inode and has
        // had no events. Its counters have then grown by less than was recorded.
        let is_same = end.member == baseline.member || end.member.cookie.is_some();
        let tally = self.final_tally(true);
        let certain = tally.accounted().saturating_sub(tally.uncertain);
        if !is_same && grown.retrans_segs < certain {
            return Err(Unreconciled::Replaced);
        }
        Ok(grown)
    }
}

/// Returns whether these are the cookies of two namespaces. A cookie that is not known may be any.
fn differ(one: Option<u64>, other: Option<u64>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

/// Returns whether the kernel may have counted an event of this time on the other side of the reading.
fn is_near(reading: &Reading, time: Duration) -> bool {
    time > reading.from && time <= reading.to + EDGE_TOLERANCE
}
