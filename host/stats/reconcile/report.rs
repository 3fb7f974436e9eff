//! What came out of the comparison: a line a namespace, and one for all of them.

use std::fmt;

use super::Tally;
use super::counters::Counters;
use super::namespaces::MAX_NAMESPACES;
use crate::stats::counters::KernelStats;

/// By how much the kernel's counters grew, or why nobody knows.
pub type Outcome = Result<Counters, Unreconciled>;

/// Why there is nothing to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreconciled {
    /// No process when it was first seen.
    #[error("no process was found in it")]
    NoProcess,
    /// Perhaps there was one that may not be looked at.
    #[error("no process was found in it, of those that may be looked at (others: CAP_SYS_PTRACE)")]
    NoProcessVisible,
    /// Nothing was looked for between its first event and the end.
    #[error(
        "a process was looked for in it only at the end; there was one, but no first reading to \
         compare with"
    )]
    FoundLate,
    /// Its first event was read after the counters had been.
    #[error("its first event came when the counters had been read")]
    TooLate,
    /// No process at the end.
    #[error("no process is left in it")]
    NoProcessLeft,
    /// The counters at the end are those of another namespace.
    #[error("it has gone; another namespace has its number")]
    Replaced,
}

/// One namespace.
#[derive(Debug, Clone)]
pub struct Line {
    /// What `ls -l /proc/PID/ns/net` shows.
    pub inode: u32,
    /// What was recorded.
    pub tally: Tally,
    /// What the kernel counted.
    pub outcome: Outcome,
}

impl Line {
    /// Was nothing retransmitted, as far as anybody knows?
    pub fn is_silent(&self) -> bool {
        let counted = self.outcome.is_ok_and(|grown| !grown.is_zero());
        self.tally == Tally::default() && !counted
    }
}

/// What was recorded beside what the kernel counted.
#[derive(Debug, Clone)]
pub struct Report {
    lines: Vec<Line>,
    replaced: Tally,
    crowded: Tally,
    kernel: KernelStats,
    tells_errors: bool,
}

impl Report {
    /// `lines` are in the order in which they are shown; `replaced` was recorded in namespaces whose
    /// numbers others got, `crowded` in those beyond [`MAX_NAMESPACES`]; `tells_errors`: failed
    /// attempts are events too (Linux 6.17).
    pub(super) fn new(
        lines: Vec<Line>,
        replaced: Tally,
        crowded: Tally,
        kernel: KernelStats,
        tells_errors: bool,
    ) -> Report {
        Report {
            lines,
            replaced,
            crowded,
            kernel,
            tells_errors,
        }
    }

    /// Segments that the kernel counted and that should be events, less those that are; negative
    /// where there are more events.
    fn missing(&self, tally: &Tally, grown: &Counters) -> i64 {
        let not_traced = if self.tells_errors {
            0
        } else {
            grown.retrans_fail.unwrap_or(0)
        };
        grown.retrans_segs as i64 - not_traced as i64 - tally.segments as i64
    }

    fn write_compared(
        &self,
        f: &mut fmt::Formatter<'_>,
        tally: &Tally,
        grown: &Counters,
    ) -> fmt::Result {
        let counted = grown.retrans_segs;
        let coverage = Percent(tally.segments, counted);
        let fail = OrUnknown(grown.retrans_fail);
        let syn = OrUnknown(grown.syn_retrans);
        write!(
            f,
            "RetransSegs={counted} segments={} coverage={coverage}",
            tally.segments
        )?;
        if self.tells_errors {
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

/// In the manner of the ledger, for people and for scripts.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Tally::default();
        let mut unreconciled = self.replaced.recorded() + self.crowded.recorded();
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
                    let more = tally.segments.saturating_sub(grown.retrans_segs);
                    impossible |= more > tally.uncertain;
                }
                Err(why) => {
                    writeln!(f, "recorded={} unreconciled: {why}", tally.recorded())?;
                    unreconciled += tally.recorded();
                }
            }
        }
        if self.replaced != Tally::default() {
            let recorded = self.replaced.recorded();
            writeln!(
                f,
                "reconcile: gone recorded={recorded} unreconciled: other namespaces got the numbers"
            )?;
        }
        if self.crowded != Tally::default() {
            let recorded = self.crowded.recorded();
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
        // Events that are known to be lost, each taken for one segment, of whatever namespace.
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

/// What the kernel may not tell.
struct OrUnknown(Option<u64>);

impl fmt::Display for OrUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, "{number}"),
            None => f.write_str("unknown"),
        }
    }
}

/// The first as a part of the second, or `-` where that is 0. Rounded away from 100 %, which is
/// shown only where it is exact.
struct Percent(u64, u64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, whole) = (u128::from(self.0) * 10_000, u128::from(self.1));
        if whole == 0 {
            return f.write_str("-");
        }
        let hundredths = if self.0 > self.1 {
            part.div_ceil(whole)
        } else {
            part / whole
        };
        write!(f, "{}.{:02}%", hundredths / 100, hundredths % 100)
    }
}

#[cfg(test)]
mod tests;
