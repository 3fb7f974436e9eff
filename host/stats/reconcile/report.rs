//! The report of the comparison: one line for each namespace, and one for all of them.

use std::fmt;

use super::kernel_counters::Counters;
use super::namespaces::MAX_NAMESPACES;
use super::tally::SegmentTally;
use crate::stats::counters::KernelStats;
use crate::stats::percent::Percent;

/// The growth of the kernel's counters in a namespace, or why it is unknown.
pub type Outcome = Result<Counters, Unreconciled>;

/// Why a namespace could not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreconciled {
    /// There was no process in it when it was first seen.
    #[error("no process was found in it")]
    NoProcess,
    /// There is a process in it, but `/proc` does not show it to this user.
    #[error(
        "its counters cannot be read, although there is a process in it; is /proc mounted with \
         hidepid?"
    )]
    Unreadable,
    /// No scan of all processes was due between its first event and the end.
    #[error(
        "a process was looked for in it only at the end; there was one, but no first reading to \
         compare with"
    )]
    FoundLate,
    /// Its first event was read after the counters were read at the end.
    #[error("its first event came when the counters had been read")]
    TooLate,
    /// There was no process in it at the end.
    #[error("no process is left in it")]
    NoProcessLeft,
    /// The counters at the end are those of another namespace.
    #[error("it has gone; another namespace has its number")]
    Replaced,
}

/// The comparison of one namespace.
#[derive(Debug, Clone)]
pub struct NamespaceLine {
    /// The inode of the namespace, as in `ls -l /proc/PID/ns/net`.
    pub inode: u32,
    /// The recorded events.
    pub tally: SegmentTally,
    /// The growth of the kernel's counters.
    pub outcome: Outcome,
}

impl NamespaceLine {
    /// Returns whether neither the recorded events nor the kernel's counters show a retransmit.
    pub fn is_silent(&self) -> bool {
        let counted = self.outcome.is_ok_and(|grown| !grown.is_zero());
        self.tally == SegmentTally::default() && !counted
    }
}

/// The comparison of all namespaces. [`Display`](fmt::Display) writes the `reconcile:` lines.
#[derive(Debug, Clone)]
pub struct Report {
    lines: Vec<NamespaceLine>,
    replaced: SegmentTally,
    beyond_limit: SegmentTally,
    kernel: KernelStats,
    reports_failed: bool,
}

impl Report {
    /// `lines` are printed in this order. `replaced` counts events of namespaces whose inode another namespace got,
    /// `beyond_limit` those of namespaces beyond [`MAX_NAMESPACES`]. `reports_failed`: failed attempts are events too
    /// (Linux 6.17).
    pub(super) fn new(
        lines: Vec<NamespaceLine>,
        replaced: SegmentTally,
        beyond_limit: SegmentTally,
        kernel: KernelStats,
        reports_failed: bool,
    ) -> Report {
        Report {
            lines,
            replaced,
            beyond_limit,
            kernel,
            reports_failed,
        }
    }

    /// Segments that the kernel counted and that should be events, less those that were recorded or left out. Negative
    /// if these are more.
    fn missing(&self, tally: &SegmentTally, grown: &Counters) -> i64 {
        let not_traced = if self.reports_failed {
            0
        } else {
            grown.retrans_fail.unwrap_or(0)
        };
        grown.retrans_segs as i64 - not_traced as i64 - tally.accounted() as i64
    }

    fn write_compared(
        &self,
        f: &mut fmt::Formatter<'_>,
        tally: &SegmentTally,
        grown: &Counters,
    ) -> fmt::Result {
        let counted = grown.retrans_segs;
        let coverage = Percent(tally.accounted(), counted);
        let fail = OrUnknown(grown.retrans_fail);
        let syn = OrUnknown(grown.syn_retrans);
        write!(
            f,
            "RetransSegs={counted} segments={}{} coverage={coverage}",
            tally.segments,
            LeftOutSegments(tally)
        )?;
        if self.reports_failed {
            write!(f, " TCPRetransFail={fail} failed={}", tally.failed)?;
        } else {
            write!(f, " failed_not_traced={fail}")?;
        }
        write!(
            f,
            " TCPSynRetrans={syn} syn={} outside={} uncertain={}",
            tally.syn, tally.outside, tally.uncertain
        )
    }
}

/// Writes lines in the form of the ledger, for people and for scripts.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = SegmentTally::default();
        let mut unreconciled = self.replaced.recorded() + self.beyond_limit.recorded();
        let (mut missing, mut excess, mut impossible) = (0, 0, false);
        for line in &self.lines {
            let tally = &line.tally;
            write!(f, "reconcile: netns={} ", line.inode)?;
            match &line.outcome {
                Ok(grown) => {
                    let residual = self.missing(tally, grown);
                    self.write_compared(f, tally, grown)?;
                    writeln!(f, " missing={residual}")?;
                    all.add(tally);
                    missing += residual.max(0).unsigned_abs();
                    excess += residual.min(0).unsigned_abs();
                    let more = tally.accounted().saturating_sub(grown.retrans_segs);
                    impossible |= more > tally.uncertain;
                }
                Err(why) => {
                    let left_out = LeftOutSegments(tally);
                    let recorded = tally.recorded();
                    writeln!(f, "recorded={recorded}{left_out} unreconciled: {why}")?;
                    unreconciled += recorded + tally.left_out;
                }
            }
        }
        if self.replaced != SegmentTally::default() {
            let recorded = self.replaced.recorded();
            writeln!(
                f,
                "reconcile: gone recorded={recorded} unreconciled: other namespaces got the numbers"
            )?;
        }
        if self.beyond_limit != SegmentTally::default() {
            let recorded = self.beyond_limit.recorded();
            writeln!(
                f,
                "reconcile: beyond recorded={recorded} unreconciled: more than {MAX_NAMESPACES} \
                 network namespaces"
            )?;
        }

        let grown = self.lines.iter().filter_map(|line| line.outcome.ok());
        let grown: Counters = grown.sum();
        write!(f, "reconcile: all ")?;
        self.write_compared(f, &all, &grown)?;
        // Known losses count as one segment each, whatever their namespace.
        let ring_full = self.kernel.ring_full;
        let misses = self.kernel.recursion_misses;
        let unexplained = missing
            .saturating_sub(ring_full)
            .saturating_sub(misses.unwrap_or(0))
            .saturating_sub(all.uncertain);
        writeln!(
            f,
            " unreconciled={unreconciled} excess={excess} missing={missing} ring_full={ring_full} \
             recursion_misses={} unexplained={unexplained}",
            OrUnknown(misses)
        )?;
        if impossible {
            writeln!(
                f,
                "reconcile: more was recorded than the kernel counted; please report this as a bug"
            )?;
        }
        Ok(())
    }
}

/// The segments that filters left out; nothing if there are none, as without filters.
struct LeftOutSegments<'a>(&'a SegmentTally);

impl fmt::Display for LeftOutSegments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.left_out {
            0 => Ok(()),
            segments => write!(f, " left_out={segments}"),
        }
    }
}

/// A number, or `unknown` if the kernel does not have the counter.
struct OrUnknown(Option<u64>);

impl fmt::Display for OrUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, "{number}"),
            None => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests;
