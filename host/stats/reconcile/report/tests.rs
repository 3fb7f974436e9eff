//! The lines of the report for each kind of difference.

use super::*;

/// A namespace whose events were all recorded: 100 segments, of which 2 failed.
fn complete(inode: u32) -> NamespaceLine {
    NamespaceLine {
        inode,
        tally: SegmentTally {
            segments: 100,
            failed: 2,
            syn: 3,
            ..SegmentTally::default()
        },
        outcome: Ok(Counters {
            retrans_segs: 100,
            retrans_fail: Some(2),
            syn_retrans: Some(3),
        }),
    }
}

fn lacking(inode: u32, segments: u64) -> NamespaceLine {
    let mut line = complete(inode);
    line.tally.segments -= segments;
    line
}

fn failed(inode: u32, why: Unreconciled) -> NamespaceLine {
    NamespaceLine {
        outcome: Err(why),
        ..complete(inode)
    }
}

fn report(lines: Vec<NamespaceLine>, kernel: KernelStats) -> String {
    Report::new(
        lines,
        SegmentTally::default(),
        SegmentTally::default(),
        kernel,
        true,
    )
    .to_string()
}

fn before_6_17(lines: Vec<NamespaceLine>) -> Report {
    let none = SegmentTally::default();
    Report::new(lines, none, none, kernel(0, None), false)
}

fn kernel(ring_full: u64, recursion_misses: Option<u64>) -> KernelStats {
    KernelStats {
        ring_full,
        recursion_misses,
        ..KernelStats::default()
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
    // Some may have been lost in a namespace that could not be reconciled.
    assert_eq!(
        end(kernel(30, Some(4))),
        "12 ring_full=30 recursion_misses=4 unexplained=0"
    );
}

#[test]
fn what_a_reading_may_have_cut_is_not_called_unexplained() {
    let mut line = lacking(7, 8);
    line.tally.uncertain = 8;
    let text = report(vec![line.clone()], kernel(0, Some(0)));
    assert!(text.contains(" uncertain=8 unreconciled=0 "), "{text}");
    assert!(
        text.ends_with(" missing=8 ring_full=0 recursion_misses=0 unexplained=0\n"),
        "{text}"
    );
    // Known losses and uncertain segments together explain missing segments; the rest is unexplained.
    line.tally.uncertain = 3;
    let text = report(vec![line.clone()], kernel(2, Some(1)));
    assert!(text.ends_with(" unexplained=2\n"), "{text}");
    line.tally.uncertain = u64::MAX;
    let text = report(vec![line], kernel(u64::MAX, Some(1)));
    assert!(text.ends_with(" unexplained=0\n"), "{text}");
}

#[test]
fn up_to_6_16_attempts_that_failed_are_a_known_gap() {
    let mut line = lacking(7, 5);
    line.tally.failed = 0;
    let text = before_6_17(vec![line]).to_string();
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
        failed(6, Unreconciled::Unreadable),
        failed(7, Unreconciled::NoProcessLeft),
        failed(8, Unreconciled::Replaced),
        complete(9),
    ];
    let mut replaced = complete(0).tally;
    replaced.outside = 11;
    let text = Report::new(
        lines,
        replaced,
        SegmentTally::default(),
        kernel(0, Some(0)),
        true,
    )
    .to_string();
    let starts = [
        "reconcile: netns=5 recorded=100 unreconciled: no process was found in it",
        "reconcile: netns=6 recorded=100 unreconciled: its counters cannot be read, although there \
         is a process in it; is /proc mounted with hidepid?",
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
    let text = before_6_17(vec![line]).to_string();
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
fn a_namespace_in_which_nothing_happened_is_silent() {
    let line = |tally, outcome| NamespaceLine {
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
    assert!(line(SegmentTally::default(), Ok(nothing)).is_silent());
    assert!(line(SegmentTally::default(), Err(Unreconciled::NoProcessLeft)).is_silent());
    assert!(!line(SegmentTally::default(), Ok(counted)).is_silent());
    assert!(!complete(7).is_silent());
    assert!(!failed(7, Unreconciled::NoProcessLeft).is_silent());
}
