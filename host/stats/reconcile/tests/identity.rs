//! The identity of namespaces: the kernel uses inodes and process numbers again.

use super::*;

#[test]
fn a_namespace_that_came_later_is_compared_from_its_first_event_on() -> Result<()> {
    let machine = Machine::new()?;
    let mut reconciliation = machine.begin();
    machine.set_time(5_000);
    machine.process(100, INODE)?;
    machine.counters(100, [3, 0, 0])?;
    machine.set_time(5_000);
    reconciliation.note(&event(4_990, 1));
    reconciliation.note(&event(5_500, 1));
    machine.counters(100, [4, 0, 0])?;
    machine.set_time(6_000);
    reconciliation.freeze();

    let expected = SegmentTally {
        segments: 1,
        outside: 1,
        ..SegmentTally::default()
    };
    assert_eq!(tally(&reconciliation), expected);
    assert_eq!(outcome(&reconciliation), grown(1));
    Ok(())
}

#[test]
fn a_process_is_looked_for_ever_more_rarely() -> Result<()> {
    let machine = Machine::new()?;
    let mut reconciliation = machine.begin();
    // Times of searches in ms after the first event. At other times no search is due.
    let tries = [100, 300, 700, 1_500, 3_100];
    for time in [0, 99, 100, 299, 300, 699, 700, 1_499, 1_500, 3_099, 3_100] {
        machine.set_time(2_000 + time);
        // The process is found only by a search at this time.
        machine.process(100, INODE)?;
        machine.set_time(2_000 + time);
        if time == 0 || tries[..4].contains(&time) {
            machine.end_process(100)?;
        }
        reconciliation.note(&event(2_000 + time, 1));
        let found = reconciliation.accounts[&INODE].baseline.is_some();
        assert_eq!(found, time == 3_100, "{time}");
    }
    Ok(())
}

#[test]
fn after_a_slow_look_at_all_processes_the_next_one_waits_longer() -> Result<()> {
    let machine = Machine::new()?;
    machine.set_time(1_000);
    // A scan takes 20 ms: from 1,000 to 1,020.
    let mut reconciliation = machine.begin_with_step(20_000);
    machine.process(100, INODE)?;
    machine.set_time(1_900);
    reconciliation.note(&event(1_900, 1));
    assert!(reconciliation.accounts[&INODE].baseline.is_none());
    machine.set_time(2_100);
    reconciliation.note(&event(2_100, 1));
    assert!(reconciliation.accounts[&INODE].baseline.is_some());
    Ok(())
}

#[test]
fn a_namespace_that_was_not_looked_at_yet_is_not_said_to_have_no_process() -> Result<()> {
    let machine = Machine::new()?;
    machine.set_time(1_000);
    // A scan takes 20 ms, and the next one comes a second later.
    let mut reconciliation = machine.begin_with_step(20_000);
    machine.process(100, INODE)?;
    machine.set_time(1_100);
    reconciliation.note(&event(1_100, 1));
    machine.set_time(1_200);
    reconciliation.freeze();
    assert_eq!(outcome(&reconciliation), Some(Err(Unreconciled::FoundLate)));
    Ok(())
}

#[test]
fn where_nothing_was_found_at_the_end_either_there_is_no_process() -> Result<()> {
    let machine = Machine::new()?;
    let mut reconciliation = machine.begin();
    machine.set_time(1_010);
    reconciliation.note(&event(1_010, 1));
    reconciliation.freeze();
    assert_eq!(outcome(&reconciliation), Some(Err(Unreconciled::NoProcess)));
    Ok(())
}

#[test]
fn a_namespace_that_comes_between_two_looks_is_looked_at_as_soon_as_the_next_is_due() -> Result<()>
{
    let machine = Machine::new()?;
    let mut reconciliation = machine.begin();
    machine.process(100, INODE)?;
    // The scan at the beginning was at 1,000 ms.
    for (time, found) in [(1_090, false), (1_099, false), (1_101, true)] {
        machine.set_time(time);
        reconciliation.note(&event(time, 1));
        let account = &reconciliation.accounts[&INODE];
        assert_eq!(account.baseline.is_some(), found, "{time}");
    }
    Ok(())
}

#[test]
fn a_baseline_counts_only_if_its_process_is_there_at_the_first_event() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    // The container ends. Another one gets the inode, and its process the same number.
    machine.set_time(2_000);
    machine.process(100, INODE)?;
    machine.counters(100, [50, 0, 0])?;
    machine.set_time(2_000);
    reconciliation.note(&with_cookie(1_990, 7));
    reconciliation.note(&with_cookie(2_500, 7));
    machine.counters(100, [51, 0, 0])?;
    reconciliation.freeze();

    assert_eq!(tally(&reconciliation).segments, 1);
    assert_eq!(tally(&reconciliation).outside, 1);
    assert_eq!(outcome(&reconciliation), grown(1));
    Ok(())
}

#[test]
fn another_cookie_is_another_namespace_with_the_same_inode() -> Result<()> {
    let machine = Machine::with_process()?;
    machine.set_time(1_000);
    let mut reconciliation = machine.begin();
    reconciliation.note(&with_cookie(1_500, 7));
    reconciliation.note(&with_cookie(1_600, 7));
    machine.set_time(3_000);
    machine.process(200, INODE)?;
    machine.end_process(100)?;
    machine.set_time(3_000);
    reconciliation.note(&with_cookie(2_990, 8));
    reconciliation.note(&with_cookie(3_500, 8));
    machine.counters(200, [1, 0, 0])?;
    machine.set_time(4_000);
    reconciliation.freeze();

    assert_eq!(reconciliation.replaced.segments, 2);
    let expected = SegmentTally {
        segments: 1,
        outside: 1,
        ..SegmentTally::default()
    };
    assert_eq!(tally(&reconciliation), expected);
    assert_eq!(outcome(&reconciliation), grown(1));
    let report = reconciliation.finish(&KernelStats::default()).to_string();
    assert!(report.contains("reconcile: gone recorded=2 "), "{report}");
    assert!(report.contains(" unreconciled=2 "), "{report}");
    Ok(())
}

#[test]
fn a_cookie_that_is_told_late_is_no_other_namespace() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    reconciliation.note(&event(1_500, 1));
    reconciliation.note(&with_cookie(1_600, 7));
    reconciliation.note(&event(1_700, 1));
    assert_eq!(tally(&reconciliation).segments, 3);
    assert_eq!(reconciliation.replaced, SegmentTally::default());
    Ok(())
}

#[test]
fn a_namespace_without_a_process_at_the_end_is_unreconciled() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    machine.set_time(1_500);
    reconciliation.note(&event(1_500, 1));
    machine.end_process(100)?;
    reconciliation.freeze();
    assert_eq!(
        outcome(&reconciliation),
        Some(Err(Unreconciled::NoProcessLeft))
    );
    Ok(())
}

#[test]
fn the_end_may_be_read_through_another_process() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    machine.set_time(1_500);
    reconciliation.note(&event(1_500, 1));
    machine.process(200, INODE)?;
    machine.counters(200, [11, 0, 0])?;
    machine.end_process(100)?;
    reconciliation.freeze();
    assert_eq!(outcome(&reconciliation), grown(1));
    Ok(())
}

#[test]
fn a_silent_successor_at_the_end_is_not_taken_for_the_namespace() -> Result<()> {
    // The counters of the successor are lower, or have grown by less than was recorded.
    for retrans_segs in [2, 11] {
        let machine = Machine::with_process()?;
        let mut reconciliation = machine.begin();
        machine.set_time(1_500);
        reconciliation.note(&event(1_500, 2));
        machine.process(200, INODE)?;
        machine.counters(200, [retrans_segs, 0, 0])?;
        machine.end_process(100)?;
        reconciliation.freeze();
        assert_eq!(
            outcome(&reconciliation),
            Some(Err(Unreconciled::Replaced)),
            "{retrans_segs}"
        );
    }
    Ok(())
}

#[test]
fn more_events_than_the_kernel_counted_are_shown_if_it_is_the_same_namespace() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    reconciliation.note(&event(1_500, 2));
    machine.counters(100, [11, 0, 0])?;
    reconciliation.freeze();
    assert_eq!(outcome(&reconciliation), grown(1));
    let report = reconciliation.finish(&KernelStats::default()).to_string();
    assert!(report.contains(" missing=-1\n"), "{report}");
    Ok(())
}

#[test]
fn a_process_that_went_to_another_namespace_is_not_read() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    reconciliation.note(&event(1_500, 1));
    machine.process(100, INODE + 1)?;
    reconciliation.freeze();
    assert_eq!(
        outcome(&reconciliation),
        Some(Err(Unreconciled::NoProcessLeft))
    );
    Ok(())
}

#[test]
fn a_baseline_is_verified_as_soon_as_the_next_look_is_due() -> Result<()> {
    for ends_first in [false, true] {
        let machine = Machine::with_process()?;
        let mut reconciliation = machine.begin();
        // The look at the beginning was at 1,000 ms.
        machine.set_time(1_050);
        reconciliation.note(&event(1_050, 1));
        assert_eq!(tally(&reconciliation).segments, 1);
        if ends_first {
            machine.end_process(100)?;
            machine.process(200, INODE)?;
        }
        machine.set_time(1_150);
        reconciliation.note(&event(1_160, 2));
        machine.set_time(2_000);
        if ends_first {
            machine.counters(200, [2, 0, 0])?;
        } else {
            machine.counters(100, [13, 0, 0])?;
        }
        reconciliation.freeze();
        let (segments, outside) = if ends_first { (2, 1) } else { (3, 0) };
        let expected = SegmentTally {
            segments,
            outside,
            ..SegmentTally::default()
        };
        assert_eq!(tally(&reconciliation), expected);
        assert_eq!(outcome(&reconciliation), grown(segments));
    }
    Ok(())
}

#[test]
fn a_baseline_that_was_not_verified_is_not_compared_through_another_process() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    machine.set_time(1_050);
    reconciliation.note(&event(1_050, 1));
    machine.end_process(100)?;
    machine.process(200, INODE)?;
    machine.counters(200, [11, 0, 0])?;
    reconciliation.freeze();
    assert_eq!(
        outcome(&reconciliation),
        Some(Err(Unreconciled::NoProcessLeft))
    );
    Ok(())
}

#[test]
fn where_the_list_tells_the_cookie_it_decides() -> Result<()> {
    let machine = Machine::new()?;
    machine.process_with_cookie(100, INODE, 7)?;
    let mut reconciliation = machine.begin();
    machine.set_time(1_500);
    // The process has ended, but another one has kept the namespace.
    machine.end_process(100)?;
    machine.process_with_cookie(200, INODE, 7)?;
    let scans = machine.scans();
    reconciliation.note(&with_cookie(1_500, 7));
    reconciliation.note(&with_cookie(1_501, 7));
    assert_eq!(machine.scans(), scans);
    machine.counters(200, [1, 0, 0])?;
    machine.set_time(2_000);
    reconciliation.freeze();
    // More than the kernel counted, in the same namespace for certain.
    assert_eq!(tally(&reconciliation).segments, 2);
    assert_eq!(outcome(&reconciliation), grown(1));
    Ok(())
}

#[test]
fn a_first_event_with_another_cookie_does_not_belong_to_the_baseline() -> Result<()> {
    let machine = Machine::new()?;
    machine.process_with_cookie(100, INODE, 7)?;
    let mut reconciliation = machine.begin();
    machine.process_with_cookie(100, INODE, 8)?;
    machine.counters(100, [50, 0, 0])?;
    machine.set_time(2_000);
    reconciliation.note(&with_cookie(1_990, 8));
    reconciliation.note(&with_cookie(2_500, 8));
    machine.counters(100, [51, 0, 0])?;
    machine.set_time(3_000);
    reconciliation.freeze();
    let expected = SegmentTally {
        segments: 1,
        outside: 1,
        ..SegmentTally::default()
    };
    assert_eq!(tally(&reconciliation), expected);
    assert_eq!(outcome(&reconciliation), grown(1));
    Ok(())
}

#[test]
fn counters_of_a_namespace_with_another_cookie_are_not_compared() -> Result<()> {
    // At the start: the namespace of the event has gone.
    let machine = Machine::new()?;
    let mut reconciliation = machine.begin();
    machine.process_with_cookie(100, INODE, 8)?;
    machine.set_time(1_500);
    reconciliation.note(&with_cookie(1_400, 7));
    reconciliation.freeze();
    assert_eq!(outcome(&reconciliation), Some(Err(Unreconciled::NoProcess)));
    // At the end: counters have grown by enough.
    let machine = Machine::new()?;
    machine.process_with_cookie(100, INODE, 7)?;
    let mut reconciliation = machine.begin();
    reconciliation.note(&with_cookie(1_500, 7));
    machine.process_with_cookie(100, INODE, 8)?;
    machine.counters(100, [10, 0, 0])?;
    reconciliation.freeze();
    assert_eq!(outcome(&reconciliation), Some(Err(Unreconciled::Replaced)));
    Ok(())
}
