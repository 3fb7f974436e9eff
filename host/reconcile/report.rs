//! What came out of the comparison: a line a namespace, and one for all of them.

use std::fmt;

use super::Tally;
use super::counters::Counters;
use crate::ledger;

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
    /// No process at the end.
    #[error("no process is left in it")]
    NoProcessLeft,
    /// The counters at the end are those of another namespace.
    #[error("it has gone; another namespace has its number")]
    Replaced,
}

/// One namespace.
#[derive(Debug)]
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
#[derive(Debug)]
pub struct Report {
    lines: Vec<Line>,
    replaced: Tally,
    kernel: ledger::Kernel,
    tells_errors: bool,
}

impl Report {
    /// `lines` are in the order in which they are shown; `replaced` was recorded in namespaces whose
    /// numbers others got; `tells_errors`: failed attempts are events too (Linux 6.17).
    pub(super) fn new(
        lines: Vec<Line>,
        replaced: Tally,
        kernel: ledger::Kernel,
        tells_errors: bool,
    ) -> Report {
        Report {
            lines,
            replaced,
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
        let mut unreconciled = self.replaced.recorded();
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

        let grown = self.lines.iter().filter_map(|line| line.outcome.ok());
        let grown: Counters = grown.sum();
        write!(f, "reconcile: all ")?;
        self.write_compared(f, &all, &grown)?;
        // Events that are known to be lost, each taken for one segment, of whatever namespace.
        let ring_full = self.kernel.ring_full;
        let misses = self.kernel.recursion_misses;
        let unexplained = missing.saturating_sub(ring_full + misses.unwrap_or(0));
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
mod tests {
    use super::*;

    /// Every event was recorded: 100 segments, of which 2 failed.
    fn complete(inode: u32) -> Line {
        Line {
            inode,
            tally: Tally {
                segments: 100,
                failed: 2,
                syn: 3,
                ..Tally::default()
            },
            outcome: Ok(Counters {
                retrans_segs: 100,
                retrans_fail: Some(2),
                syn_retrans: Some(3),
            }),
        }
    }

    fn lacking(inode: u32, segments: u64) -> Line {
        let mut line = complete(inode);
        line.tally.segments -= segments;
        line
    }

    fn failed(inode: u32, why: Unreconciled) -> Line {
        Line {
            outcome: Err(why),
            ..complete(inode)
        }
    }

    fn report(lines: Vec<Line>, kernel: ledger::Kernel) -> String {
        Report::new(lines, Tally::default(), kernel, true).to_string()
    }

    fn kernel(ring_full: u64, recursion_misses: Option<u64>) -> ledger::Kernel {
        ledger::Kernel {
            ring_full,
            recursion_misses,
            ..ledger::Kernel::default()
        }
    }

    #[test]
    fn where_nothing_is_missing_each_line_says_so() {
        let text = report(vec![complete(7)], kernel(0, Some(0)));
        let compared = "RetransSegs=100 segments=100 coverage=100.00% TCPRetransFail=2 failed=2 \
                        TCPSynRetrans=3 syn=3 outside=0 uncertain=0";
        assert_eq!(
            text,
            format!(
                "reconcile: netns=7 {compared} missing=0\n\
                 reconcile: all {compared} unreconciled=0 excess=0 missing=0 ring_full=0 \
                 recursion_misses=0 unexplained=0\n"
            )
        );
    }

    #[test]
    fn losses_that_are_known_explain_what_is_missing_and_the_rest_is_unexplained() {
        let lines = || vec![lacking(7, 10), lacking(8, 2), complete(9)];
        let end = |kernel| {
            let text = report(lines(), kernel);
            let (_, end) = text.trim_end().rsplit_once(" missing=").unwrap_or_default();
            end.to_owned()
        };
        assert_eq!(
            end(kernel(7, Some(4))),
            "12 ring_full=7 recursion_misses=4 unexplained=1"
        );
        assert_eq!(
            end(kernel(7, None)),
            "12 ring_full=7 recursion_misses=unknown unexplained=5"
        );
        // They may have been lost in a namespace that could not be reconciled.
        assert_eq!(
            end(kernel(30, Some(4))),
            "12 ring_full=30 recursion_misses=4 unexplained=0"
        );
    }

    #[test]
    fn up_to_6_16_attempts_that_failed_are_a_known_gap() {
        let mut line = lacking(7, 5);
        line.tally.failed = 0;
        let text = Report::new(vec![line], Tally::default(), kernel(0, None), false).to_string();
        let first = text.lines().next();
        assert_eq!(
            first,
            Some(
                "reconcile: netns=7 RetransSegs=100 segments=95 coverage=95.00% \
                 failed_not_traced=2 TCPSynRetrans=3 syn=3 outside=0 uncertain=0 missing=3"
            )
        );
        assert!(text.contains("reconcile: all RetransSegs=100 segments=95 "));
        assert!(text.ends_with(" unexplained=3\n"));
    }

    #[test]
    fn more_than_the_kernel_counted_is_shown_and_does_not_make_up_for_what_is_missing() {
        let mut more = complete(8);
        more.tally.segments = 103;
        let text = report(vec![lacking(7, 3), more], kernel(0, Some(0)));
        assert!(text.contains("netns=8 RetransSegs=100 segments=103 coverage=103.00% "));
        assert!(text.contains(" missing=-3\n"), "{text}");
        assert!(text.contains(" excess=3 missing=3 "), "{text}");
        assert!(text.ends_with("please report this as a bug\n"), "{text}");
    }

    #[test]
    fn what_a_reading_may_have_cut_is_no_bug() {
        let mut more = complete(8);
        more.tally.segments = 103;
        more.tally.uncertain = 3;
        let text = report(vec![more], kernel(0, Some(0)));
        assert!(text.contains(" uncertain=3 "), "{text}");
        assert!(!text.contains("bug"), "{text}");
    }

    #[test]
    fn each_reason_is_told_and_what_is_unreconciled_is_not_compared() {
        let lines = vec![
            failed(5, Unreconciled::NoProcess),
            failed(6, Unreconciled::NoProcessVisible),
            failed(7, Unreconciled::NoProcessLeft),
            failed(8, Unreconciled::Replaced),
            complete(9),
        ];
        let mut replaced = complete(0).tally;
        replaced.outside = 11;
        let text = Report::new(lines, replaced, kernel(0, Some(0)), true).to_string();
        let starts = [
            "reconcile: netns=5 recorded=100 unreconciled: no process was found in it",
            "reconcile: netns=6 recorded=100 unreconciled: no process was found in it, of those that \
             may be looked at (others: CAP_SYS_PTRACE)",
            "reconcile: netns=7 recorded=100 unreconciled: no process is left in it",
            "reconcile: netns=8 recorded=100 unreconciled: it has gone; another namespace has its \
             number",
            "reconcile: netns=9 RetransSegs=100 segments=100 ",
            "reconcile: gone recorded=111 unreconciled: other namespaces got the numbers",
            "reconcile: all RetransSegs=100 segments=100 coverage=100.00% ",
        ];
        assert_eq!(text.lines().count(), starts.len());
        for (line, start) in text.lines().zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }
        assert!(text.contains(" unreconciled=511 "), "{text}");
    }

    #[test]
    fn a_counter_that_the_kernel_does_not_have_is_unknown() {
        let mut line = complete(7);
        line.outcome = Ok(Counters {
            retrans_segs: 105,
            ..Counters::default()
        });
        let text = Report::new(vec![line], Tally::default(), kernel(0, None), false).to_string();
        for line in text.lines() {
            assert!(line.contains(" failed_not_traced=unknown TCPSynRetrans=unknown syn=3 "));
        }
        assert!(text.ends_with(" unexplained=5\n"), "{text}");
    }

    #[test]
    fn without_namespaces_there_is_still_a_line_for_all() {
        assert_eq!(
            report(Vec::new(), kernel(2, Some(1))),
            "reconcile: all RetransSegs=0 segments=0 coverage=- TCPRetransFail=0 failed=0 \
             TCPSynRetrans=0 syn=0 outside=0 uncertain=0 unreconciled=0 excess=0 missing=0 \
             ring_full=2 recursion_misses=1 unexplained=0\n"
        );
    }

    #[test]
    fn coverage_is_100_percent_only_where_it_is_exact() {
        let percent = |part, whole| Percent(part, whole).to_string();
        assert_eq!(percent(0, 0), "-");
        assert_eq!(percent(3, 0), "-");
        assert_eq!(percent(0, 3), "0.00%");
        assert_eq!(percent(2, 3), "66.66%");
        assert_eq!(percent(99_999, 100_000), "99.99%");
        assert_eq!(percent(100_000, 100_000), "100.00%");
        assert_eq!(percent(100_001, 100_000), "100.01%");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.00%");
    }

    #[test]
    fn a_namespace_in_which_nothing_happened_is_silent() {
        let line = |tally, outcome| Line {
            inode: 7,
            tally,
            outcome,
        };
        let nothing = Counters {
            retrans_fail: Some(0),
            ..Counters::default()
        };
        let counted = Counters {
            retrans_segs: 1,
            ..Counters::default()
        };
        assert!(line(Tally::default(), Ok(nothing)).is_silent());
        assert!(line(Tally::default(), Err(Unreconciled::NoProcessLeft)).is_silent());
        assert!(!line(Tally::default(), Ok(counted)).is_silent());
        assert!(!complete(7).is_silent());
        assert!(!failed(7, Unreconciled::NoProcessLeft).is_silent());
    }
}
