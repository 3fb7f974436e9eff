//! The comparison, with an artificial list of processes, an artificial `/proc` and artificial events.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use retrans_event::Record;
use retrans_event::SendError;
use retrans_event::TcpFlags;
use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::mkfifoat;

use self::machine::Machine;
use super::kernel_counters::Counters;
use super::report::Outcome;
use super::report::Unreconciled;
use super::*;

mod identity;
mod machine;
mod members;

const INODE: u32 = 4_026_532_260;

/// An event in [`INODE`] at this time since boot in ms.
fn event(milliseconds: u64, segments: u32) -> Record {
    let mut event = Record::new();
    event.set_time(Duration::from_millis(milliseconds));
    event.set_netns_inode(Some(INODE));
    event.set_segments(Some(segments));
    event
}

fn with_cookie(milliseconds: u64, cookie: u64) -> Record {
    let mut event = event(milliseconds, 1);
    event.set_netns_cookie(Some(cookie));
    event
}

fn tally(reconciliation: &Reconciliation) -> SegmentTally {
    let account = reconciliation.accounts.get(&INODE);
    account.map(|account| account.tally).unwrap_or_default()
}

fn outcome(reconciliation: &Reconciliation) -> Option<Outcome> {
    let account = reconciliation.accounts.get(&INODE);
    account.map(|account| account.outcome())
}

fn grown(retrans_segs: u64) -> Option<Outcome> {
    Some(Ok(Counters {
        retrans_segs,
        retrans_fail: Some(0),
        syn_retrans: Some(0),
    }))
}

#[test]
fn events_between_the_two_readings_are_compared_with_what_the_kernel_counted() -> Result<()> {
    let machine = Machine::with_process()?;
    machine.set_time(1_000);
    let mut reconciliation = machine.begin();
    for (time, segments) in [(990, 1), (1_000, 2), (1_500, 3), (1_600, 4)] {
        reconciliation.note(&event(time, segments));
    }
    machine.counters(100, [17, 0, 0])?;
    machine.set_time(2_000);
    reconciliation.freeze();
    // Events that were still in the ring: some are older than the reading.
    for (time, segments) in [(1_999, 5), (2_100, 6)] {
        reconciliation.note(&event(time, segments));
    }

    assert_eq!(
        tally(&reconciliation),
        SegmentTally {
            segments: 3 + 4 + 5,
            outside: 1 + 2 + 6,
            ..SegmentTally::default()
        }
    );
    assert_eq!(outcome(&reconciliation), grown(7));
    let report = reconciliation.finish(&KernelStats::default()).to_string();
    let line = format!("reconcile: netns={INODE} RetransSegs=7 segments=12 coverage=171.43% ");
    assert!(report.starts_with(&line), "{report}");
    Ok(())
}

#[test]
fn an_event_that_a_reading_may_have_cut_off_is_uncertain() -> Result<()> {
    let machine = Machine::with_process()?;
    machine.set_time(1_000);
    // The clock is read before the scan, and twice by the reading: from 1,010 to 1,020 ms.
    let mut reconciliation = machine.begin_with_step(10_000);
    for (time, segments) in [(1_010, 1), (1_011, 2), (1_020, 4), (1_021, 8), (1_022, 16)] {
        reconciliation.note(&event(time, segments));
    }
    machine.set_time(2_000);
    reconciliation.freeze();
    // From 2,000 to 2,010 ms.
    for (time, segments) in [(2_000, 32), (2_001, 64), (2_011, 128), (2_012, 256)] {
        reconciliation.note(&event(time, segments));
    }

    assert_eq!(
        tally(&reconciliation),
        SegmentTally {
            segments: 8 + 16 + 32 + 64,
            outside: 1 + 2 + 4 + 128 + 256,
            uncertain: 2 + 4 + 8 + 64 + 128,
            ..SegmentTally::default()
        }
    );
    Ok(())
}

/// Replaces `net/netstat` by a pipe, and calls `read`. Once `read` has opened the pipe, `meanwhile` runs, and the
/// content of the file follows.
fn while_netstat_is_read(
    machine: &Machine,
    meanwhile: impl FnOnce() -> Result<()> + Send,
    read: impl FnOnce(),
) -> Result<()> {
    let netstat = machine.proc.path().join("100/net/netstat");
    let text = fs::read(&netstat)?;
    fs::remove_file(&netstat)?;
    mkfifoat(CWD, &netstat, Mode::RUSR | Mode::WUSR)?;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| -> Result<()> {
            let mut pipe = fs::OpenOptions::new().write(true).open(&netstat)?;
            meanwhile()?;
            Ok(pipe.write_all(&text)?)
        });
        read();
        writer.join().expect("the writer does not panic")
    })?;
    fs::remove_file(&netstat)?;
    Ok(fs::write(&netstat, text)?)
}

#[test]
fn what_is_sent_while_the_second_file_is_read_is_neither_missing_nor_outside() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut begun = None;
    let retransmit = || {
        machine.set_time(1_500);
        machine.retrans_segs(100, 18)
    };
    while_netstat_is_read(&machine, retransmit, || begun = Some(machine.begin()))?;
    let mut reconciliation = begun.context("it has begun")?;
    reconciliation.note(&event(1_400, 8));
    machine.set_time(3_000);
    reconciliation.freeze();

    let expected = SegmentTally {
        segments: 8,
        ..SegmentTally::default()
    };
    assert_eq!(tally(&reconciliation), expected);
    assert_eq!(outcome(&reconciliation), grown(8));
    Ok(())
}

#[test]
fn up_to_6_16_failures_that_the_two_files_may_tell_apart_are_uncertain() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    reconciliation.reports_failed = false;
    machine.set_time(2_000);
    machine.retrans_segs(100, 11)?;
    // Two more segments fail between the reads of the files: TCPRetransFail includes them, RetransSegs does not.
    let fail = || machine.retrans_segs(100, 13);
    while_netstat_is_read(&machine, fail, || reconciliation.freeze())?;
    let report = reconciliation.finish(&KernelStats::default());
    assert!(report.to_string().contains(" uncertain=2 "), "{report}");
    Ok(())
}

#[test]
fn namespaces_beyond_the_limit_are_told_as_one() -> Result<()> {
    let machine = Machine::new()?;
    let mut reconciliation = machine.begin();
    let first = 4_000_000_000;
    for inode in first..first + MAX_NAMESPACES as u32 + 3 {
        let mut event = event(1_500, 2);
        event.set_netns_inode(Some(inode));
        reconciliation.note(&event);
    }
    assert_eq!(reconciliation.accounts.len(), MAX_NAMESPACES);
    assert_eq!(reconciliation.beyond_limit.recorded(), 6);
    reconciliation.freeze();
    let report = reconciliation.finish(&KernelStats::default()).to_string();
    let line = format!(
        "\nreconcile: beyond recorded=6 unreconciled: more than {MAX_NAMESPACES} network \
         namespaces\n"
    );
    assert!(report.contains(&line));
    let all = format!(" unreconciled={} ", 2 * MAX_NAMESPACES + 6);
    assert!(report.contains(&all));
    Ok(())
}

#[test]
fn failures_and_syns_are_tallied_as_the_kernel_counts_them() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    let mut note = |segments, error, flags| {
        let mut event = event(1_500, segments);
        event.set_error(Some(SendError(error)));
        event.set_tcp_flags(Some(TcpFlags(flags)));
        reconciliation.note(&event);
    };
    note(2, 0, 0x10);
    // Dropped by a queue, and by a local filter.
    note(3, 1, 0x10);
    note(1, -1, 0x02);
    // No route: not counted by the kernel, neither as a segment nor as a SYN.
    note(0, -113, 0x10);
    note(0, -113, 0x02);
    // A SYN with data (fast open) counts as one, a SYN-ACK too.
    note(2, 0, 0x02);
    note(1, 0, 0x12);

    assert_eq!(
        tally(&reconciliation),
        SegmentTally {
            segments: 9,
            failed: 4,
            syn: 3,
            ..SegmentTally::default()
        }
    );
    Ok(())
}

#[test]
fn a_namespace_whose_events_are_all_missing_is_reported() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    machine.counters(100, [14, 0, 0])?;
    reconciliation.freeze();
    let report = reconciliation.finish(&KernelStats::default()).to_string();
    let line = format!("reconcile: netns={INODE} RetransSegs=4 segments=0 coverage=0.00% ");
    assert!(report.starts_with(&line), "{report}");
    assert!(report.ends_with(" unexplained=4\n"), "{report}");
    Ok(())
}

#[test]
fn a_namespace_without_retransmits_is_not_mentioned() -> Result<()> {
    let machine = Machine::with_process()?;
    let mut reconciliation = machine.begin();
    reconciliation.freeze();
    let report = reconciliation.finish(&KernelStats::default());
    assert!(!report.to_string().contains("netns="), "{report}");
    Ok(())
}
